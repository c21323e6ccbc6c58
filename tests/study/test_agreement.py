"""Agreement of two sets of labels: kappa as scikit-learn has it, intervals over units, files, refusals."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.annotations import AnnotationLog

agreement, read_label_file = ms.study.agreement, ms.study.read_label_file


def raters(n_units=20, per=30, seed=0, wrong=0.25, classes=("long", "round", "small")):
    """Two people label the same cells; how often the second errs differs between units."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), per)
    ids = [f"c{i}" for i in range(len(unit))]
    first = rng.choice(classes, len(unit), p=[0.5, 0.3, 0.2] if len(classes) == 3 else None)
    errs = rng.random(len(unit)) < rng.beta(2, 2 / wrong - 2, n_units)[unit]
    second = np.where(errs, rng.choice(classes, len(unit)), first)
    cells = ms.Cells(pd.DataFrame({"well": [f"w{u}" for u in unit]}, index=ids), unit="well")
    return pd.Series(first, ids), pd.Series(second, ids), cells


@pytest.mark.parametrize("seed", range(20))
def test_kappa_is_that_of_scikit_learn(seed):
    from sklearn.metrics import cohen_kappa_score, confusion_matrix

    a, b, cells = raters(seed=seed, wrong=0.1 + seed / 25)
    found = agreement(a, b, cells)
    assert abs(found.kappa - cohen_kappa_score(a, b)) < 1e-12
    assert np.array_equal(found.confusion.to_numpy(), confusion_matrix(a, b))
    assert list(found.confusion.index) == list(found.confusion.columns) == ["long", "round", "small"]
    assert found.observed == (a == b).mean() and found.n == 600
    assert found.differ.index.equals(pd.Index(a.index[a != b]))
    assert found.low < found.kappa < found.high and found.n_units == 20


def test_the_interval_is_the_jackknife_of_a_plain_loop():
    from scipy.stats import t
    from sklearn.metrics import cohen_kappa_score

    a, b, cells = raters(n_units=7)
    found = agreement(a, b, cells, level=0.9)
    without = np.array([cohen_kappa_score(a[cells.units != u], b[cells.units != u]) for u in cells.units.unique()])
    half = t.ppf(0.95, 6) * math.sqrt(6 / 7 * ((without - without.mean()) ** 2).sum())
    assert (found.low, found.high) == pytest.approx((found.kappa - half, found.kappa + half), abs=1e-12)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    a, b, _ = raters(n_units=20_000, seed=1)
    truth = agreement(a, b).kappa
    hit = []
    for seed in range(300):
        found = agreement(*raters(n_units=15, seed=100 + seed))
        hit.append(found.low <= truth <= found.high)
    assert 0.90 <= np.mean(hit) <= 0.985


def test_copying_every_cell_changes_nothing():
    a, b, cells = raters(n_units=6)
    copies = cells.ids.append(cells.ids + "x")
    twice = ms.Cells(pd.concat([cells.obs, cells.obs]).set_axis(copies), unit="well")
    once, doubled = (
        agreement(a, b, cells),
        agreement(pd.concat([a, a]).set_axis(copies), pd.concat([b, b]).set_axis(copies), twice),
    )
    assert (once.kappa, once.low, once.high) == pytest.approx((doubled.kappa, doubled.low, doubled.high))


def test_only_cells_labelled_in_both_count_and_order_does_not_matter():
    a, b, cells = raters()
    a[::5], b[::7] = None, np.nan
    found = agreement(a, b.sample(frac=1, random_state=0), cells)
    both = a.notna() & b.notna()
    assert found.n == both.sum() and found.only_a == (a.notna() & ~both).sum() and found.only_b > 0
    assert found.kappa == agreement(a[both], b[both]).kappa
    assert "labelled in one only" in str(found)


def test_without_units_there_is_kappa_and_the_reason():
    a, b, cells = raters()
    for given in (None, cells.with_design(unit=None)):
        found = agreement(a, b, given)
        assert math.isfinite(found.kappa) and math.isnan(found.low) and "declared unit" in str(found)
    few = agreement(*raters(n_units=2))
    assert math.isnan(few.low) and "too few units" in str(few) and "2 found" in str(few)


def test_one_class_has_no_kappa_and_no_warning():
    a = pd.Series("round", ["c1", "c2"])
    found = agreement(a, a)
    assert math.isnan(found.kappa) and found.observed == 1
    assert "not defined" in str(found) and "one and the same label" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["kappa"] is None
    # All different is defined: worse than chance is not possible when each has one class.
    assert agreement(a, pd.Series("long", a.index)).kappa == 0


def test_a_class_in_one_unit_only_leaves_no_interval():
    a = pd.Series(["x", "x", "x", "y"], list("abcd"))
    cells = ms.Cells(pd.DataFrame({"w": list("ABCD")}, index=list("abcd")), unit="w")
    found = agreement(a, a, cells)
    assert found.kappa == 1 and math.isnan(found.low) and "one holds all of a class" in str(found)


def test_results_in_plain_values_words_and_html():
    a, b, cells = raters()
    a, b = a.replace("long", "<script>x</script>"), b.replace("long", "<script>x</script>")
    found = agreement(a, b, cells)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["n"] == 600 and plain["confusion"]["round"]["round"] == found.confusion.loc["round", "round"]
    assert "Cohen's kappa is" in str(found) and "95 % interval over 20 wells" in str(found)
    assert "<script>" not in found._repr_html_() and "&lt;script&gt;" in found._repr_html_()


def test_numbers_are_compared_with_their_text():
    a = pd.Series([1, 2.0, True, "3"], list("abcd"), dtype=object)
    b = pd.Series(["1", "2", "True", 3], list("abcd"), dtype=object)
    assert agreement(a, b).observed == 1


@pytest.fixture
def files(tmp_path):
    """The labels of `raters` as the workbench writes them: one table, one log."""
    a, b, cells = raters(n_units=4)
    table, log = tmp_path / "Ana Müller.csv", tmp_path / "ben.jsonl"
    a.rename("label").to_csv(table, index_label="cell_id", encoding="utf-8")
    book = AnnotationLog(log, fingerprint=cells.fingerprint)
    book.add(cells.ids, "label", "mistake")
    book.undo()
    for value, part in b.groupby(b):
        book.add(part.index, "label", value)
    return table, log, a, b, cells


def test_files_give_what_the_labels_give(files):
    table, log, a, b, cells = files
    found, expected = agreement(table, str(log), cells), agreement(a, b, cells)
    assert (found.kappa, found.low, found.n) == (expected.kappa, expected.low, expected.n)
    with log.open("a", encoding="utf-8") as handle:
        handle.write('{"column": "lab')  # what a crash leaves
    assert agreement(table, log).kappa == expected.kappa


def test_a_log_of_several_columns_needs_a_name(files):
    table, log, a, _, cells = files
    AnnotationLog(log).add(["c1"], "second", "x")
    with pytest.raises(ValueError, match="'label', 'second'"):
        agreement(log, a)
    assert agreement(log, table, cells, column="label").n == len(a)
    with pytest.raises(ValueError, match="No column 'third'"):
        read_label_file(log, "third")


def test_tables_that_spreadsheets_save(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(
        "\ufeffcell_id;label\r\n007;Größe, rund\r\nNA;None\r\nlast;\r\n;\r\n".encode().replace(b";\r\n;", b";")
    )
    assert read_label_file(file).to_dict() == {"007": "Größe, rund", "NA": "None"}
    file.write_text("label\tcell_id\n1\ta\n2\tb\n")
    assert read_label_file(file).to_dict() == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column 'cell_id'"),
        (b"id,label\na,b\n", "no column 'cell_id'.*'id', 'label'"),
        (b"cell_id,label\na,x\na,y\n", "1 cell id twice.*'a'"),
        (b"cell_id,label\n,x\n", "without a cell id"),
        (b"cell_id,label,more\na,x,y\n", "2 columns of labels"),
        (b"cell_id\na\n", "holds no labels"),
        (b"cell_id,label,label\na,x,y\n", "columns of labels|two columns"),
        (b"cell_id,label\na,x\nb\n", "line 3 has 1"),
        (b"cell_id,label\na,\xff\xfe\n", "cannot be read"),
        (b'cell_id,label\na,"x\n', "cannot be read"),
    ],
)
def test_bad_tables_are_refused(tmp_path, content, words):
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_label_file(file)


def test_bad_labels_are_refused(tmp_path):
    a, b, cells = raters(n_units=4)
    with pytest.raises(KeyError, match="nobody"):
        agreement(a, pd.concat([b, pd.Series("x", ["nobody"])]), cells)
    with pytest.raises(ValueError, match="1 id twice in the second labels: 'c3'"):
        agreement(a, pd.concat([b, b[["c3"]]]))
    with pytest.raises(ValueError, match="No cell is labelled in both"):
        agreement(a, b.add_prefix("other"))
    with pytest.raises(TypeError, match="list, expected a Series"):
        agreement(a, list(b))
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        agreement(a, tmp_path / "gone.csv")
    (tmp_path / "other.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(ValueError, match="not an annotation log"):
        agreement(a, tmp_path / "other.jsonl")
