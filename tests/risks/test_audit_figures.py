"""The figures, levels and words of each check of the audit, on small tables, against what a plain loop finds."""

import html
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.risks.auditing import _few, _head, _sample, _table
from mlscope_nb.risks.confounding import class_and_batch, effective_size, units_of_classes
from mlscope_nb.risks.findings import Finding, audit_of, interval_words
from mlscope_nb.risks.group_identity import _of_batch, batch_from_controls, uneven_classes, unit_from_cells
from mlscope_nb.risks.label_swaps import _finding as _swapped
from mlscope_nb.risks.label_swaps import label_swaps
from mlscope_nb.risks.layout_effects import EFFECTS, MUCH, POOLED
from mlscope_nb.risks.layout_effects import _judged as _layout_judged
from mlscope_nb.risks.leakage import duplicates_of, illegitimate, preprocessing, splits_of
from mlscope_nb.risks.recognition import _statistics, numbers, recognise
from mlscope_nb.risks.shortcuts import _Answer, _judged, _level, _said, holm_over_checks, shortcuts
from mlscope_nb.risks.simple_features import Read, Simple, batch_columns, simple_features, technical_columns
from mlscope_nb.risks.surroundings import Surroundings, _levels, _pieces, alike, surroundings
from mlscope_nb.risks.trial import trial, without


def table_of(columns, n):
    return pd.DataFrame(columns, index=[f"c{k:03d}" for k in range(n)])


def rows_of(counts, **roles):
    """Cells of (class, plate, wells): two cells in each well."""
    rows = [(name, plate, f"{plate}-{name}-{w}") for name, plate, n in counts for w in range(n) for _ in range(2)]
    obs = pd.DataFrame(rows, columns=["drug", "plate", "well"], index=[f"c{k:03d}" for k in range(len(rows))])
    return Cells(obs, **{"label": "drug", "unit": "well", "batch": "plate", **roles})


# Findings in words


FOUND = [
    Finding("units", "x", "green", "many wells.", "", 9.0),
    Finding("split", "all", "untestable", "no split.", "Give one."),
    Finding("size", "x", "amber", "size alone tells <x>.", "Look.", 0.8, 0.7, 0.9, 0.01),
    Finding("metadata", "y", "red", "place tells y.", "Randomise.", 0.9, 0.8, 1.0, 0.004, "L2 illegitimate features"),
    Finding("size", "y", "green", "no."),
    Finding("layout", "all", "green", "flat."),
    Finding("split", "b", "untestable", "no."),
]


def test_the_text_names_each_red_and_amber_and_the_checks_of_the_rest():
    found = audit_of(FOUND, "8 cells in 4 wells")
    assert str(found).split("\n") == [
        "Audit of 8 cells in 4 wells: 1 red, 1 amber, 3 green, 2 untestable.",
        "✖ red · metadata, y: place tells y. [L2 illegitimate features] Next: Randomise.",
        "▲ amber · size, x: size alone tells <x>. Next: Look.",
        "? untestable: split",
        "● green: units, size, layout",
    ]
    assert found.findings["level"].tolist() == ["red", "amber", *["untestable"] * 2, *["green"] * 3]
    assert found.findings["check"].tolist() == ["metadata", "size", "split", "split", "units", "size", "layout"]


@pytest.mark.parametrize(
    ("kept", "worst", "last"),
    [
        (["green"], "green", "Nothing was found that speaks against"),
        (["green", "untestable"], "untestable", "Nothing was found that speaks against"),
        (["green", "untestable", "amber"], "amber", "● green: units, size, layout"),
        (["untestable", "red"], "red", "? untestable: split"),
        ([], "green", "Nothing was found that speaks against"),
    ],
)
def test_the_worst_level_and_the_last_words(kept, worst, last):
    found = audit_of([f for f in FOUND if f.level in kept], "cells")
    assert found.worst == worst
    assert str(found).split("\n")[-1].startswith(last)
    assert {name: found.to_dict()["counts"][name] for name in kept} == {name: found.count(name) for name in kept}
    assert len(str(found).split("\n")) == 1 + len({"red", "amber"} & set(kept)) + len(
        {"green", "untestable"} & set(kept)
    ) + (not {"red", "amber"} & set(kept))


def test_the_page_holds_every_finding_in_the_colour_of_its_level():
    page = audit_of(FOUND, "a & b")._repr_html_()
    assert page.count("<tr>") == 1 + len(FOUND) and "Audit of a &amp; b</b>: 1 red, 1 amber, 3 green, 2 untest" in page
    assert page.count("color:#b2182b") == 1 and page.count("color:#2166ac") == 3
    assert "metadata [L2 illegitimate features]" in page and html.escape("tells <x>") in page
    assert "<td style='text-align:left'>0.8</td>" in page and "next step" in page


def test_a_finding_in_a_line_and_its_interval():
    assert str(FOUND[3]) == "red · metadata · y: place tells y. [L2 illegitimate features] → Randomise."
    assert str(FOUND[4]) == "green · size · y: no."
    assert interval_words(0.934, 0.9, 0.956) == "0.93 (95 % interval 0.90 to 0.96)"
    assert "interval" not in interval_words(0.934, np.nan, 0.956) + interval_words(0.934, 0.9, np.nan)


# Units and batches


@pytest.mark.parametrize(("n", "level"), [(1, "red"), (2, "amber"), (3, "green"), (4, "green")])
def test_levels_of_units_turn_at_one_and_where_an_interval_begins(n, level):
    found = units_of_classes(rows_of([("x", "p", n), ("y", "p", 7)]))
    assert [(f.subject, f.level, f.figure) for f in found] == [("x", level, n), ("y", "green", 7)]
    assert (found[0].kind == "L3.3 sampling bias") == (level == "red")
    assert ("cannot be told from that well" in found[0].reason) == (n == 1)
    assert ("fewer than the 3" in found[0].reason) == (level == "amber")


def test_units_that_nobody_shares_are_untestable_and_tables_of_profiles_are_counted():
    obs = table_of({"drug": list("xxxxxy"), "id": list("abcdef")}, 6)
    images = np.zeros((6, 1, 4, 4), np.uint8)
    alone = units_of_classes(Cells(obs, images, unit="id", label="drug"))
    assert [f.level for f in alone] == ["untestable"] and "of its own" in alone[0].reason
    assert "Each of the 6 cells" in alone[0].reason
    assert "Each of the 2 cells" in units_of_classes(Cells(obs[:2], images[:2], unit="id", label="drug"))[0].reason
    one = units_of_classes(Cells(obs[:1], images[:1], unit="id", label="drug"))
    assert [(f.subject, f.level) for f in one] == [("x", "red")]
    profiles = units_of_classes(Cells(obs, unit="id", label="drug"))
    assert [(f.subject, f.level) for f in profiles] == [("x", "green"), ("y", "red")]
    assert "No label" in units_of_classes(Cells(obs, unit="id"))[0].reason
    assert "No unit" in units_of_classes(Cells(obs, label="drug"))[0].reason


CROSSINGS = [
    ([("x", "p", 1), ("y", "q", 1)], {"x": ("red", 0.0), "y": ("red", 0.0)}),
    ([("x", "p", 1), ("y", "p", 1), ("y", "q", 1)], {"x": ("red", 1.0), "y": ("green", 0.5)}),
    ([("x", "p", 1), ("y", "p", 1), ("y", "q", 1), ("y", "r", 1)], {"x": ("red", 1.0), "y": ("amber", 1 / 3)}),
    ([("x", "p", 1), ("y", "p", 1), ("x", "q", 1), ("y", "q", 1)], {"x": ("green", 1.0), "y": ("green", 1.0)}),
    ([("x", "p", 1), ("y", "p", 1), ("z", "q", 1), ("w", "q", 1)], dict.fromkeys("wxyz", ("green", 1.0))),
]


@pytest.mark.parametrize(("counts", "expected"), CROSSINGS)
def test_levels_of_class_and_batch_and_their_shares(counts, expected):
    found = class_and_batch(rows_of(counts))
    assert {f.subject: (f.level, pytest.approx(f.figure)) for f in found} == expected
    for f in found:
        assert (f.kind == "L3.3 sampling bias") == (f.level != "green")
        assert "not declared" not in f.reason
        assert ("Not identifiable: every" in f.reason) == (f.level == "red" and f.figure == 0)


def test_one_batch_and_one_class_are_untestable():
    assert "All cells are of one plate" in class_and_batch(rows_of([("x", "p", 2), ("y", "p", 2)]))[0].reason
    assert "Only one class" in class_and_batch(rows_of([("x", "p", 2), ("x", "q", 2)]))[0].reason
    assert class_and_batch(rows_of([("x", "p", 2)], label=None))[0].reason == "No label is declared."


def test_a_batch_nobody_declared_is_named_and_too_many_values_are_none():
    nested = rows_of([("x", "p", 4), ("y", "q", 4)], batch=None)
    found = class_and_batch(nested)
    assert [(f.subject, f.level) for f in found] == [("x", "red"), ("y", "red")]
    assert "(column 'plate', not declared as batch)" in found[0].reason
    crossed = rows_of([("x", "p", 2), ("y", "p", 2), ("x", "q", 2), ("y", "q", 2)], batch=None)
    assert [f.level for f in class_and_batch(crossed)] == ["untestable"]
    # Four values of sixteen cells may be batches, five may not.
    for n, level in ((4, "red"), (5, "untestable")):
        obs = table_of({"drug": list("xxxxxxxxyyyyyyyy")}, 16).assign(slide=[*"aaaabbbb", *"cccc", *"dddd"])
        if n == 5:
            obs.loc["c015", "slide"] = "e"
        assert class_and_batch(Cells(obs, label="drug"))[0].level == level


def test_two_columns_together_are_a_batch():
    a = [("x", "p", "1"), ("y", "p", "2"), ("x", "q", "2"), ("y", "q", "1")]
    obs = table_of([row for row in a for _ in range(6)], 24).set_axis(["drug", "plate", "day"], axis=1)
    found = class_and_batch(Cells(obs, label="drug"))
    assert [f.level for f in found] == ["red", "red"] and "plate + day" in found[0].reason


def test_the_effective_size_is_the_median_over_measurements():
    cells = rows_of([("x", "p", 4), ("y", "p", 4)])
    wells = np.repeat(np.arange(8.0), 2)
    noise = np.random.default_rng(0).normal(size=16)
    alone = {name: effective_size(cells, pd.DataFrame({name: v}, cells.ids)).figure
             for name, v in {"well": wells, "mixed": wells + noise, "noise": noise}.items()}  # fmt: skip
    both = pd.DataFrame({"well": wells, "mixed": wells + noise, "noise": noise, "gap": np.nan}, cells.ids)
    found = effective_size(cells, both)
    assert (found.low, found.figure, found.high) == tuple(sorted(alone.values()))
    assert alone["well"] == pytest.approx(8) and "16 cells in 8 wells" in found.reason
    assert found.level == "green" and "3 measurements" in found.reason
    assert effective_size(cells, None).level == "untestable"
    assert effective_size(rows_of([("x", "p", 4)], unit=None), both).level == "untestable"
    assert effective_size(Cells(cells.obs[::2], unit="well"), None).figure == 8


# Batches and units that are recognised


def shifted(counts, by, **roles):
    cells = rows_of(counts, **roles)
    noise = np.random.default_rng(1).normal(size=(len(cells), 2))
    plates = cells.obs["plate"].map(by).to_numpy()
    return cells, pd.DataFrame(noise + plates[:, None], cells.ids, ["f", "g"])


EVEN = [(d, p, 5) for p in "pq" for d in "xy"]
ODD = [("x", "p", 8), ("y", "p", 2), ("x", "q", 2), ("y", "q", 8)]


@pytest.mark.parametrize(
    ("counts", "by", "level"),
    [(EVEN, {"p": 0, "q": 9}, "green"), (ODD, {"p": 0, "q": 9}, "amber"), (ODD, {"p": 0, "q": 0}, "green")],
)
def test_a_recognised_batch_is_amber_where_classes_are_uneven(counts, by, level):
    found = batch_from_controls(*shifted(counts, by), 199, 0)
    assert [(f.subject, f.level) for f in found] == [("p", level), ("q", level)]
    for f in found:
        assert (f.p_value <= 0.05) == (by["q"] == 9) and f.low <= f.figure <= f.high
        assert (f.kind == "L3.3 sampling bias") == (level == "amber") == ("gives them away" in f.reason)
        assert ("gives none away" in f.reason) == (level == "green" and by["q"] == 9)
        assert ("are not told" in f.reason) == (by["q"] == 0)
        assert "no control is declared" in f.reason


def test_batches_of_few_or_no_controls_are_untestable():
    few = batch_from_controls(*shifted([(d, p, 1) for p in "pq" for d in "xy"], {"p": 0, "q": 9}), 199, 0)
    assert [f.level for f in few] == ["untestable"] * 2 and "Too few control units" in few[0].reason
    assert few[0].p_value > 0.05
    for counts, roles, word in (
        ([("x", "p", 4)], {}, "one batch only"),
        (EVEN, {"batch": None}, "No batch and unit"),
        (EVEN, {"unit": None}, "No batch and unit"),
        ([("x", "p", 1), ("y", "p", 3), ("y", "q", 4)], {"control": {"drug": "x"}}, "one control unit only"),
    ):
        found = batch_from_controls(*shifted(counts, {"p": 0, "q": 9}, **roles), 199, 0)
        assert [f.level for f in found] == ["untestable"] and word in found[0].reason
    own = batch_from_controls(*shifted(EVEN, {"p": 0, "q": 9}, control={"drug": "x"}), 199, 0)
    assert own[0].reason.startswith("Its controls are told")


@pytest.mark.parametrize(
    ("p_value", "smallest", "low", "level"),
    [
        (0.05, 0.05, 0.6, "amber"), (0.051, 0.05, 0.6, "green"), (0.05, 0.051, 0.6, "untestable"),
        (0.05, 0.01, np.nan, "untestable"),
    ],
)  # fmt: skip
def test_levels_of_a_batch_turn_at_five_percent(p_value, smallest, low, level):
    row = pd.Series({"auroc": 0.8, "low": low, "high": 0.9, "p_value": p_value, "smallest_p": smallest})
    assert _of_batch("p", row, rows_of(ODD)).level == level


@pytest.mark.parametrize("n", range(1, 10))
def test_uneven_classes_are_those_of_a_plain_loop(n):
    counts = [("x", "p", n), ("y", "p", 10 - n), ("x", "q", 5), ("y", "q", 5)]
    expected = {"x": (n + 5) / 20, "y": (15 - n) / 20}
    here = {"x": n, "y": 10 - n}
    uneven = [k for k in "xy" if abs(here[k] - 10 * expected[k]) > max(0.5 * expected[k] * 10, 1.5)]
    assert uneven_classes(rows_of(counts), "p") == uneven
    assert uneven_classes(rows_of(counts, label=None), "p") == []
    assert uneven_classes(rows_of(counts[:2]), "p") == []


@pytest.mark.parametrize("apart", [0.0, 9.0])
def test_units_are_recognised_so_much_more_often_than_by_chance(apart):
    cells = Cells(table_of({"well": np.repeat(list("ABCD"), 10)}, 40), unit="well")
    values = np.random.default_rng(2).normal(size=(40, 4)) + apart * np.eye(4)[np.repeat(range(4), 10)]
    found = unit_from_cells(cells, pd.DataFrame(values, cells.ids), 0)
    assert found.level == "green" and "25.0 % by chance" in found.reason
    if apart:
        assert found.figure == pytest.approx(4) and "100.0 %" in found.reason and "reward" in found.reason
    else:
        assert found.figure < 2 and found.reason.endswith("little.")
    one = Cells(cells.obs.assign(well="A"), unit="well")
    assert unit_from_cells(one, pd.DataFrame(values, cells.ids), 0).level == "untestable"
    assert unit_from_cells(Cells(cells.obs), pd.DataFrame(values, cells.ids), 0).level == "untestable"


# Leakage


@pytest.mark.parametrize(
    ("step", "level", "kind", "words"),
    [
        ({"step": "subset", "n": 3, "n_before": 9}, "untestable", "", "no step that could have been fitted"),
        ({"step": "with_obs"}, "untestable", "", "no step that could have been fitted"),
        ({"step": "select", "n_before": 9, "n_features": 3}, "amber", "L1.3", "(9 → 3)"),
        ({"step": "select", "parameters": {"n_before": 9, "n_features": 3}}, "amber", "L1.3", "(9 → 3)"),
        ({"step": "normalize", "method": "mad", "control": "DMSO"}, "green", "", "No step of the history was fitted"),
        ({"step": "normalize", "method": "mad", "control": "all"}, "amber", "L1.2", "all cells of each batch"),
        ({"step": "normalize", "method": "tvn", "control": "DMSO"}, "amber", "L1.2", "(whitening)"),
        ({"step": "encode", "n_units_seen_in_training": 4}, "amber", "L1.2", "images of 4 of these units"),
        ({"step": "encode", "n_units_seen_in_training": 0}, "green", "", "No step of the history was fitted"),
    ],
)
def test_what_was_done_before_is_known_only_from_steps_that_could_be_fitted(step, level, kind, words):
    for history in ([step], [{"step": "subset"}, step], [step, step, {"step": "subset"}]):
        found = preprocessing(history)
        assert [(f.level, f.kind[:4]) for f in found] == [(level, kind)] and words in found[0].reason
    both = preprocessing([step, {"step": "normalize", "method": "combat"}])
    assert len(both) == 1 + (level == "amber")
    assert preprocessing([])[0].level == "untestable" and "no history" in preprocessing([])[0].reason


def test_splits_and_what_they_share():
    cells = rows_of([("x", "p", 2), ("y", "p", 2)])
    a, b, c, d = (list(cells.ids[2 * k : 2 * k + 2]) for k in range(4))
    whole = splits_of(cells, [(a + b, c + d), (c + d, a + b)])
    assert [(f.level, f.figure) for f in whole] == [("green", 0.0)] and "keep wells whole" in whole[0].reason
    shared = splits_of(cells, [(a + b, c + d), (a + b[:1], b[1:] + c)])
    assert [(f.level, f.figure, f.kind[:4]) for f in shared] == [("red", 0.25, "L3.2")] and "p-x-1" in shared[0].reason
    assert shared[0].reason.startswith("1 well in training and test of a split")
    twice = splits_of(cells, [(a + b, b + c), (a, a)])
    assert [(f.level, f.figure, f.kind[:4]) for f in twice] == [("red", 4, "L1.1")]
    for nothing in ([], [(a, [])], [(a, b), (a, [])]):
        assert [(f.level, f.kind[:4]) for f in splits_of(cells, nothing)] == [("red", "L1.1")]
    bare = cells.with_design(unit=None)
    assert [f.level for f in (*splits_of(cells, None), *splits_of(bare, None), *splits_of(bare, [(a, b)]))] == [
        "green", "untestable", "untestable",
    ]  # fmt: skip


def pairs_of(cells, *rows, **more):
    a, b = zip(*rows, strict=True)
    return pd.DataFrame({"cell_a": cells.ids[list(a)], "cell_b": cells.ids[list(b)], **more})


def test_words_and_shares_of_copies():
    cells = rows_of([("x", "p", 4), ("y", "p", 4)])
    across = ((0, 2), (1, 4), (3, 6))
    (found,), _ = duplicates_of(cells, pairs_of(cells, *across, (8, 9), turn=["none", "flip", "none", "flip"]))
    assert (found.level, found.figure, found.kind) == ("red", 6 / 16, "L1.4 duplicates")
    assert found.reason == (
        "3 pairs of copies that a split by well may part, 1 of them flipped or turned. "
        "1 pair within one well, which such a split keeps together."
    )
    assert found.subject == "'p-x-0', 'p-x-1', 'p-x-2', 'p-x-3'"
    (inside,), _ = duplicates_of(cells, pairs_of(cells, (8, 9), (10, 11)))
    assert (inside.level, inside.figure, inside.kind) == ("green", 4 / 16, "")
    assert inside.reason == "2 pairs within one well, which such a split keeps together."
    (few,), _ = duplicates_of(cells, pairs_of(cells, *across[:2]))
    assert (few.level, few.figure, few.kind) == ("amber", 4 / 16, "L1.4 duplicates") and "turned" not in few.reason
    split = [(cells.ids[:1], cells.ids[2:3])]
    (proposed,), _ = duplicates_of(cells, pairs_of(cells, *across), split)
    assert proposed.figure == 2 / 16
    (reverse,), _ = duplicates_of(cells, pairs_of(cells, *across), [split[0][::-1]])
    assert reverse.figure == 2 / 16 and reverse.reason.startswith("1 pair of copies")
    (bare,), _ = duplicates_of(cells.with_design(unit=None), pairs_of(cells, *across))
    assert "that any split of cells may part" in bare.reason and bare.subject.startswith("'c000', 'c001'")
    (none,), _ = duplicates_of(cells, pairs_of(cells, (0, 2))[:0])
    assert (none.level, none.figure) == ("green", 0.0)


def test_pairs_count_as_clear_from_a_quarter_of_the_limit():
    cells = rows_of([("x", "p", 4), ("y", "p", 4)])
    for most, n in ((0.25, 0), (0.2501, 1)):
        pairs = pairs_of(cells, (0, 2), (1, 4), (3, 6), unexplained=[0.1, 0.2, most])
        pairs.attrs["limit"] = 1.0
        (found,), _ = duplicates_of(cells, pairs)
        assert found.level == ("amber" if n else "red")
        assert ("1 only just more alike" in found.reason) == ("may be look-alikes" in found.next_step) == bool(n)


def test_features_that_name_a_place_are_counted():
    names = ["Cells_Location_Center_X", "Nuclei_ObjectNumber", "Metadata_Well", "Cells_AreaShape_Area"]
    cells = Cells(pd.DataFrame(index=["a"]), features=pd.DataFrame([range(4)], ["a"], names))
    (found,) = illegitimate(cells)
    assert (found.level, found.figure, found.kind) == ("amber", 3, "L2 illegitimate features")
    assert found.reason.startswith("3 features say where") and names[3] not in found.reason
    assert illegitimate(cells.with_features(cells.features[names[3:]]))[0].level == "green"
    assert illegitimate(Cells(cells.obs))[0].level == "untestable"


# Shortcuts


PLACE, RIM, SIZE = (Simple(c, w, None, c) for c, w in (("metadata", "red"), ("background", "red"), ("size", "amber")))


def answer_of(simple, auroc, low, p_value=0.001, smallest=0.001, name="x", n=12):
    return _Answer(simple, simple.why, name, auroc, low, 0.95, p_value, smallest, n)


@pytest.fixture(scope="module")
def made():
    return trial(rows_of([(d, p, 4) for p in "pq" for d in "xyz"]), 199)


@pytest.fixture(scope="module")
def single():
    return trial(rows_of([(d, p, 4) for p in "pq" for d in "xyz"], unit=None, batch=None), 199)


@pytest.mark.parametrize(
    ("simple", "auroc", "low", "level"),
    [
        (PLACE, 0.7, 0.55, "red"), (PLACE, 0.7, 0.549, "green"), (RIM, 0.8, 0.65, "red"), (RIM, 0.8, 0.649, "amber"),
        (RIM, 0.8, 0.55, "amber"), (RIM, 0.8, 0.549, "green"), (RIM, 0.6, 0.56, "amber"), (RIM, 0.599, 0.56, "green"),
        (SIZE, 0.7, 0.6, "amber"), (SIZE, 0.7, 0.599, "green"), (SIZE, 0.699, 0.6, "green"),
        (RIM, 0.8, np.nan, "untestable"),
    ],
)  # fmt: skip
def test_levels_of_shortcuts_turn_at_their_limits(made, simple, auroc, low, level):
    answer = answer_of(simple, auroc, low)
    found = _judged(answer, 0.001, [answer], made)
    assert (found.level, found.figure, found.p_value) == (level, auroc, 0.001)
    assert found.kind == ("L2 illegitimate features" if level == "red" else "")
    assert ("p = 0.001 by exchanging wells within their batch." in found.reason) == (level != "untestable")
    assert bool(found.next_step) == (level != "green")
    says = {
        "red": "alone tells 'x' from the others",
        "amber": "may be biology" if simple is SIZE else "alone says something of 'x'",
        "green": "alone hardly tells 'x'",
        "untestable": "12 wells of this class",
    }
    assert says[level] in found.reason and "No unit" not in found.reason
    assert ("Too little to suffice" in found.reason) == (level == "green" and simple is SIZE)
    assert ("Too little to matter" in found.reason) == (level == "green" and simple is not SIZE)


@pytest.mark.parametrize(
    ("p_value", "smallest", "level"),
    [(0.05, 0.001, "amber"), (0.051, 0.001, "green"), (0.05, 0.05, "red"), (0.051, 0.051, "untestable")],
)
def test_levels_of_shortcuts_turn_at_their_p_values(made, p_value, smallest, level):
    answer = answer_of(RIM, 0.8, 0.7, p_value, smallest)
    found = _judged(answer, p_value, [answer], made)
    assert found.level == level and ("does not tell" in found.reason) == (level == "green")
    below = replace(answer, auroc=0.5)
    assert ("p =" in _judged(below, 0.5, [below], made).reason) is False


def test_red_asks_for_more_where_more_checks_share_the_p_value(made):
    answer = answer_of(RIM, 0.8, 0.7, 0.02, 0.004)
    others = [answer_of(replace(RIM, check=c), 0.5, 0.4, 0.5) for c in ("metadata", "border pixels")]
    assert _level(answer, 0.02, [answer, *others[:1]], made)[0] == "amber"
    assert _level(answer, 0.02, [answer, *others], made)[0] == "red"
    assert _level(answer, 0.02, [answer, others[0], replace(others[1], name="y")], made)[0] == "amber"
    assert _level(answer, 0.02, [answer, others[0], replace(others[1], simple=SIZE)], made)[0] == "amber"


@pytest.mark.parametrize(
    ("low", "rest", "level"),
    [(0.95, 0.6, "red"), (0.949, 0.6, "amber"), (0.65, 0.6, "amber"), (0.649, 0.6, "green"), (0.95, 0.98, "amber")],
)
def test_without_units_a_class_has_to_be_clear_and_alone(single, low, rest, level):
    answer = answer_of(RIM, 0.99, low)
    others = [answer_of(RIM, rest, 0.5, name=n) for n in "abc"]
    found = _judged(answer, 0.001, [answer, *others], single)
    assert found.level == level
    assert ("No unit is declared" in found.reason) == (level != "green")
    assert ("No other class comes near" in found.reason) == (level == "red")


def test_p_values_are_corrected_over_checks_for_each_class():
    answers = [answer_of(s, 0.8, 0.7, p, name=n) for s, p, n in ((RIM, 0.01, "x"), (PLACE, 0.03, "x"), (RIM, 0.2, "y"))]
    assert holm_over_checks(answers) == pytest.approx(
        {("background", "x"): 0.02, ("metadata", "x"): 0.03, ("background", "y"): 0.2}
    )


@pytest.mark.parametrize(("low", "p_value", "borne"), [(0.85, 0.05, 1), (0.849, 0.05, 0), (0.85, 0.051, 0)])
def test_what_most_of_the_rim_shows_bears_out_its_pixels_from_a_limit_on(
    monkeypatch, made, single, low, p_value, borne
):
    tables = [pd.DataFrame({n: 0.0}, made.cells.ids) for n in ("all", "cell allowed for", "commonest")]
    rows = {"all": (0.97, 0.96, 0.001), "cell allowed for": (0.95, 0.94, 0.002), "commonest": (0.9, low, p_value)}

    def recognised(table, _):
        auroc, below, p = rows[table.columns[0]]
        return type("R", (), {"table": pd.DataFrame({"auroc": [auroc], "low": below, "p_value": p}, ["x"])})

    monkeypatch.setattr("mlscope_nb.risks.shortcuts.recognise", recognised)
    simple = Simple("border pixels", "red", tables[0], "rim", tables[1], tables[2])
    weaker = [0.95, 0.94, 0.002]
    assert _said(simple, made).loc["x"].tolist() == weaker
    assert _said(simple, single).loc["x"].tolist() == (weaker if borne else [0.9, low, p_value])
    assert _said(replace(simple, allowed=None), made).loc["x"].tolist() == [0.97, 0.96, 0.001]


def test_a_table_that_is_not_there_is_untestable_with_the_reason_of_the_trial(made):
    found = shortcuts(made, [Simple("size", "amber", None, "no images")], progress=False)
    assert [(f.check, f.level, f.reason) for f in found] == [("size", "untestable", "No images.")]
    assert shortcuts("No label.", [SIZE], progress=False)[0].reason == "No label."


# Recognition


def test_folds_hold_whole_units_and_scores_are_those_of_a_plain_ridge(made):
    ids, item = made.cells.ids, made.items
    assert pd.Series(made.fold[item], ids).groupby(made.cells.units).nunique().max() == 1
    assert len(np.unique(made.fold)) == 5
    table = pd.DataFrame(np.random.default_rng(3).normal(size=(len(ids), 2)), ids, ["f", "g"])
    values = numbers(table, item, made.stratum)
    null, scores = _statistics(values, made)
    for fold in range(5):
        train, test = made.fold != fold, made.fold == fold
        square, right = 0.03 * train.sum() * np.eye(values.shape[1]), 0.0
        target = np.eye(3)[made.codes[0]]
        target = target - target[train].mean(axis=0)
        for i in np.flatnonzero(train):
            own = values[item == i]
            square = square + own.T @ own / len(own)
            right = right + np.outer(own.mean(axis=0), target[i])
        for cell in np.flatnonzero(test[item]):
            np.testing.assert_allclose(scores[cell], values[cell] @ np.linalg.solve(square, right), atol=1e-10)
    held = np.array([scores[item == i].mean(axis=0) for i in range(len(made.fold))])
    for k in range(3):
        one = (made.codes[0] == k).astype(float)
        score = held[:, k].copy()
        for s in np.unique(made.stratum):
            score[made.stratum == s] -= score[made.stratum == s].mean()
            one[made.stratum == s] -= one[made.stratum == s].mean()
        assert null[0, k] == pytest.approx(np.corrcoef(score, one)[0, 1])


def test_a_constant_table_says_nothing_and_a_perfect_one_everything(made):
    flat = recognise(pd.DataFrame({"f": np.ones(len(made.cells))}, made.cells.ids), made).table
    assert (flat["auroc"] == 0.5).all() and (flat["p_value"] == 1).all() and (flat["n_items"] == 8).all()
    clear = recognise(pd.get_dummies(made.cells.labels).astype(float), made).table
    assert (clear["auroc"] == 1).all() and (clear["p_value"] == 1 / 200).all() and (clear["low"] == 1).all()


# Simple features and surroundings


def found_in(cells, around=None, **known):
    return {s.check: s for s in simple_features(cells, Read(known, around))}


def test_each_table_is_read_from_its_columns_and_only_those():
    cells = rows_of([("x", "p", 2), ("y", "q", 2)])
    n = len(cells)
    obs = cells.obs.assign(
        y_px=np.arange(n), x_px="7", at_edge=False, AcquisitionTime=[f"2026-01-0{9 - k}" for k in range(n)],
        frame=[3, 1, 2, 4] * 2, Metadata_CellCount=[0, 1, 2, -3] * 2, slide=list("ssttsstt"), operator="o",
        cell_count=list("abcdefgh"), day=np.arange(n), lot=[1, 1, 1, 1, 2, 2, 2, 2],
    )  # fmt: skip
    found = found_in(Cells(obs, label="drug", unit="well", batch="plate"))
    assert found["position in the field"].table.columns.tolist() == ["y_px", "x_px", "at_edge"]
    assert found["position in the field"].table["x_px"].tolist() == [7.0] * n
    order = found["acquisition order"].table
    assert order["frame"].tolist() == [5.5, 1.5, 3.5, 7.5] * 2
    np.testing.assert_allclose(found["cell count"].table["Metadata_CellCount"], np.log1p([0, 1, 2, 0] * 2))
    assert found["cell count"].table.shape[1] == 1
    # Of one value a well, several wells each: not the operator (one), the day (many in a well).
    assert found["metadata"].table.columns.tolist() == ["column slide", "column lot"]
    assert found["metadata"].table["column lot"].tolist() == list("11112222")
    assert [s.weight for s in found.values()] == ["red"] * 5 + ["amber"] * 4
    assert found["border pixels"].why == "no images" and found["size"].why == "no images, and no area was measured"
    nothing = found_in(rows_of([("x", "p", 2), ("y", "q", 2)]))
    assert all(s.table is None for s in nothing.values())
    assert found_in(Cells(obs[["x_px", "y_px"]], label="x_px"))["position in the field"].table.columns[0] == "y_px"
    assert found_in(Cells(obs[["at_edge"]]))["position in the field"].table is None
    assert found_in(Cells(obs[["frame", "slide"]], label="frame"))["acquisition order"].table is None


def test_columns_of_the_acquisition_are_known_by_name_and_not_declared():
    obs = rows_of([("x", "p", 2), ("y", "q", 2)]).obs.assign(
        day=list("aabbccdd"), field=1, run=list("uuuuvvvv"), note=1
    )
    cells = Cells(obs, label="drug", unit="well", batch="plate", control={"run": "u"})
    assert technical_columns(cells) == ["day", "field"]
    # A column with one value for each well is no batch of wells; one with several is.
    assert batch_columns(Cells(obs, label="drug", unit="well")) == ["plate", "run"]
    assert batch_columns(Cells(obs, label="drug")) == ["plate", "day", "run"]
    holes = obs.assign(run=obs["run"].where(obs["day"] != "a"))
    assert batch_columns(Cells(holes, label="drug", unit="well")) == ["plate"]


def test_columns_without_units_repeat_up_to_a_quarter_of_the_cells():
    obs = table_of({"slide": [*"aabbccdd"], "lot": [*"aaaabbbb"], "run": 1}, 8)
    assert found_in(Cells(obs))["metadata"].table.columns.tolist() == ["column lot"]


@pytest.mark.parametrize("guessed", [False, True])
def test_surroundings_are_named_as_guessed_where_they_are(guessed):
    cells = rows_of([("x", "p", 2), ("y", "q", 2)])
    table = pd.DataFrame({"a": np.arange(8.0)}, cells.ids)
    flat = pd.DataFrame({"a": np.ones(8), "b": np.ones(8)}, cells.ids)
    around = Surroundings(table, flat, table + 1, table.assign(b=2.0), guessed)
    found = found_in(cells, around)
    assert ("(guessed, for there are no masks)" in found["border pixels"].why) == guessed
    assert (found["border pixels"].commonest is not None) == guessed
    assert found["background"].table is None and found["background"].why == "cells cover everything"
    assert found["border pixels"].allowed is not None
    assert found["size"].table.columns.tolist() == ["a"] and found["size"].why == "the area of the guessed cell"
    measured = found_in(cells, around, area=table.add_prefix("own "))["size"]
    assert measured.table.columns.tolist() == ["own a"] and measured.why == "the area of the cell"


@pytest.mark.parametrize(("n_free", "used"), [(9, False), (10, True), (60, True)])
def test_a_piece_counts_from_a_tenth_that_is_free(n_free, used):
    images = np.random.default_rng(4).random((1, 2, 40, 40)).astype(np.float32) + 1000
    free = np.zeros((1, 40, 40), bool)
    free[0, :10, 10:20].flat[:0] = True
    free[0, np.arange(n_free) // 10, 10 + np.arange(n_free) % 10] = True
    found = _pieces(images, free, np.ones((40, 40), bool)).reshape(2, 2, 4, 4)
    own = [images[0, c][free[0]].astype(float) for c in range(2)]
    if used:
        np.testing.assert_allclose(found[0, :, 0, 1], [v.mean() for v in own], rtol=1e-6)
        np.testing.assert_allclose(found[1, :, 0, 1], [v.std() for v in own], rtol=1e-2)
        found[:, :, 0, 1] = np.nan
    assert np.isnan(found).all()


def test_levels_of_free_pixels_are_their_ordered_values():
    images = np.arange(200, dtype=np.float32)[::-1].reshape(1, 1, 10, 20).copy()
    free = np.zeros((1, 10, 20), bool)
    free[0, :5] = True
    free[0, 0, 0] = True
    assert _levels(images, np.ones_like(free)).tolist() == [[10.0, 100.0, 189.0]]
    assert _levels(images, free).tolist() == [[105.0, 150.0, 194.0]]
    assert np.isnan(_levels(images, np.zeros_like(free))).all()


def test_masks_that_cover_every_crop_leave_nothing_to_read():
    cells = rows_of([("x", "p", 2), ("y", "q", 2)])
    images, masks = np.random.default_rng(5).random((8, 1, 8, 8)), np.ones((8, 8, 8), np.uint8)
    found = surroundings(Cells(cells.obs, images, masks=masks, unit="well", label="drug"), progress=False)
    assert found.border.isna().all(axis=None) and found.background.isna().all(axis=None)
    assert found.cell["cell 0"].tolist() == [1.0] * 8
    tables = found_in(cells, found)
    assert tables["border pixels"].table is None and tables["border pixels"].why == "cells cover the rim"


def test_cells_are_alike_by_unit_or_class_or_not_at_all():
    cells = rows_of([("x", "p", 2), ("y", "q", 2)])
    assert alike(cells).tolist() == cells.units.tolist()
    assert alike(cells.with_design(unit=None)).tolist() == list("xxxxyyyy")
    assert alike(Cells(cells.obs[::2], label="drug", unit="well")).tolist() == list("xxyy")
    assert set(alike(Cells(cells.obs))) == {"all"}


# What is read, laid out and mixed up


def test_few_cells_of_each_unit_are_drawn_and_what_is_known_of_them():
    cells = rows_of([("x", "p", 3), ("y", "q", 1)])
    for most, n in ((0.5, 1), (1.9, 1), (2, 2)):
        assert (_sample(cells, most, 0).units.value_counts() == n).all()
    assert _sample(cells, 3, 0).ids.tolist() == cells.ids.tolist()
    assert _sample(cells.with_design(unit=None), 2, 0).labels.value_counts().to_dict() == {"x": 2, "y": 2}
    assert len(_sample(Cells(cells.obs), 3, 0)) == 3
    parts = {name: pd.DataFrame({name: 1.0}, cells.ids) for name in ("intensity", "area", "background pixels", "else")}
    seen = Read(parts, None)
    assert _few(seen).columns.tolist() == ["area", "intensity"] and _few(Read({}, None)) is None
    assert _table(cells, seen).columns.tolist() == ["area", "intensity", "background pixels"]
    assert _table(cells.subset(cells.ids[:3]), seen).index.tolist() == cells.ids[:3].tolist()
    assert _table(cells, Read({}, None)) is None
    own = cells.with_features(parts["else"])
    assert _table(own, seen).columns.tolist() == ["else"]
    assert _head(cells) == "8 cells in 4 wells" and _head(Cells(cells.obs)) == "8 cells without a declared unit"


def test_a_batch_among_three_is_compared_with_the_two_others():
    cells = rows_of([("x", "p", 9), ("y", "p", 1), *((d, p, 5) for p in "qr" for d in "xy")])
    # Of 19 x and 11 y: p holds 9 and 1 of 10 (6.3 and 3.7 expected), q and r 5 and 5.
    assert [uneven_classes(cells, p) for p in "pqr"] == [["y"], [], []]


def effects_of(relative, p_value=0.001, plate=POOLED, low=None, note=""):
    low = relative - 0.01 if low is None else low
    told = {"plate": plate, "effect": next(iter(EFFECTS)), "value": "size", "note": note}
    return told | {
        "estimate": 10 * relative, "relative": relative, "low": 10 * low, "high": 10 * (relative + 0.01),
        "p_value": p_value,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "levels"),
    [
        ([effects_of(MUCH)], {POOLED: "amber"}),
        ([effects_of(-MUCH)], {POOLED: "amber"}),
        ([effects_of(MUCH * 0.99)], {"all": "green"}),
        ([effects_of(MUCH, 0.06)], {"all": "green"}),
        ([effects_of(0.01), effects_of(2 * MUCH, plate="p", low=MUCH)], {"p": "amber"}),
        ([effects_of(0.01), effects_of(2 * MUCH, plate="p", low=0.99 * MUCH)], {"all": "green"}),
        ([effects_of(MUCH), effects_of(2 * MUCH, plate="p", low=MUCH)], {POOLED: "amber"}),
        ([effects_of(MUCH, np.nan, note="one row")], {"all": "untestable"}),
    ],
)
def test_levels_of_the_layout_turn_at_a_share_of_the_mean(rows, levels):
    found = _layout_judged(pd.DataFrame(rows))
    assert {f.subject: f.level for f in found} == levels
    first = found[0]
    if first.level == "amber":
        chosen = next(r for r in rows if r["plate"] == first.subject)
        own = (chosen["relative"], *sorted((chosen["low"] / 10, chosen["high"] / 10)))
        assert (first.figure, first.low, first.high) == pytest.approx(own)
        assert f"by {100 * chosen['relative']:+.0f} % of the mean" in first.reason
    elif first.level == "green":
        assert first.figure == rows[0]["relative"] and "by" in first.reason
    else:
        assert "one row" in first.reason


def test_each_reason_why_no_unit_can_be_mixed_up():
    cells = rows_of([("x", "p", 2), ("y", "p", 2)])
    single = cells.obs["drug"].to_numpy().copy()
    single[0] = "y"
    for other, word in (
        (cells.with_design(label=None), "Without a declared label and unit"),
        (cells.with_design(unit=None), "Without a declared label and unit"),
        (rows_of([("x", "p", 2)]), "Only one class"),
        (Cells(cells.obs.assign(drug=single), label="drug", unit="well"), "Labels differ within units"),
        (Cells(cells.obs[::2], label="drug", unit="well"), "Each row is a unit of its own"),
        (cells, "neither features nor masks"),
    ):
        (found,), table = label_swaps(other, 0)
        assert found.level == "untestable" and word in found.reason and table is None


def test_a_swapped_unit_names_the_one_that_it_was_exchanged_with():
    flagged = pd.DataFrame(
        {"given": ["x", "y", "y"], "suggested": ["y", "x", "z"], "score": [0.01, 0.02, 0.03]}, ["A", "B", "C"]
    )
    found = [_swapped(str(unit), row, flagged, "well") for unit, row in flagged.iterrows()]
    assert [("exchanged with" in f.reason, f.figure, f.level) for f in found] == [
        (True, 0.01, "amber"), (True, 0.02, "amber"), (False, 0.03, "amber"),
    ]  # fmt: skip
    assert "exchanged with 'B'" in found[0].reason and "exchanged with 'A'" in found[1].reason
    assert found[2].reason == "Labelled 'y', looks like 'z' (its label is right with p = 0.03)."


def test_labels_that_are_numbers_are_classes_up_to_fifty():
    for n in (50, 51):
        obs = pd.DataFrame({"dose": np.repeat(np.arange(n) / 2, 2), "well": np.arange(2 * n)}).rename("c{}".format)
        found = trial(Cells(obs, label="dose", unit="well"), 199)
        assert isinstance(found, str) == (n == 51)
    assert "51 different numbers" in found


def test_the_trial_without_one_class_is_of_the_same_kind_or_none(made):
    rest = without(made, "y")
    assert rest.names == ["x", "z"] and rest.replicated and len(rest.codes) == len(made.codes)
    assert len(rest.cells) == len(made.cells) * 2 // 3 and without(rest, "x") is None
    obs = table_of({"drug": [*"xxxxyyzz"], "well": [*"AABBCDEF"]}, 8)
    shared = trial(Cells(obs, np.zeros((8, 1, 4, 4), np.uint8), label="drug", unit="well"), 199)
    assert shared.replicated and without(shared, "x") is None
    assert not without(shared, "y").cells.labels.eq("y").any()


def test_p_values_of_red_tables_are_those_read_and_of_amber_ones_times_their_columns(made):
    rng = np.random.default_rng(6)
    table = pd.DataFrame(rng.normal(size=(len(made.cells), 2)), made.cells.ids, ["f", "g"])
    table["f"] += made.cells.labels.eq("x") * 0.5
    read = recognise(table, made).table
    each = {c: recognise(table[[c]], made).table for c in table}
    found = shortcuts(
        made, [Simple("metadata", "red", table, "f"), Simple("size", "amber", table, "f")], progress=False
    )
    for f in found:
        best = min(table, key=lambda c: (each[c].loc[f.subject, "p_value"], -each[c].loc[f.subject, "auroc"]))
        own = read.loc[f.subject] if f.check == "metadata" else each[best].loc[f.subject]
        assert f.p_value == pytest.approx(min(own["p_value"] * (1 if f.check == "metadata" else 2), 1))
        assert (f.figure, f.low, f.high) == (own["auroc"], own["low"], own["high"])
        assert (f"({best})" in f.reason) == (f.check == "size")
    assert len(found) == 6 and min(f.p_value for f in found) < 0.5


def test_words_in_a_column_of_times_are_no_order():
    words = found_in(Cells(table_of({"time": list("badc")}, 4)))["acquisition order"]
    assert words.table is None and words.why == "no column says when a cell was taken"
    days = pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-04", "2026-01-03"])
    assert found_in(Cells(table_of({"time": days}, 4)))["acquisition order"].table["time"].tolist() == [2, 1, 4, 3]
