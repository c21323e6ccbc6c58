"""Labels move with their unit, within the design; p-values are exact where they can be."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlscope_nb import study
from mlscope_nb.cells import Cells


def test_labels_stay_whole_in_units_and_counts_in_batches(make):
    cells = make(units=7)
    seen = set()
    for labels in study.permute_labels(cells, 50):
        assert labels.index.equals(cells.ids) and labels.name == "drug"
        assert (labels.groupby(cells.units).nunique() == 1).all()
        units = labels.groupby(cells.units).first()
        assert (units.groupby(lambda k: k.split(" · ")[0]).value_counts().unstack()["a"] == 4).all()
        seen.add(tuple(units))
    assert len(seen) > 40


def test_within_none_moves_labels_between_batches(make):
    cells = make(units=7)
    counts = set()
    for labels in study.permute_labels(cells, 20, within=None):
        units = labels.groupby(cells.units).first()
        counts.add((units[units.index.str.startswith("p0")] == "a").sum())
        assert (units == "a").sum() == 16
    assert len(counts) > 1


def test_nested_labels_move_with_whole_batches(make):
    cells = make(n_batches=6, units=3)
    drug = pd.Series(np.where(cells.batches_of < "p2", "a", "b"), cells.ids, name="drug")
    for labels in study.permute_labels(cells.with_obs(drug), 20):
        assert (labels.groupby(cells.batches_of).nunique() == 1).all()
    assert study.permutation_test("size", cells.with_obs(drug)).n_possible == math.comb(6, 2)


def test_classes_within_units_are_exchanged_as_wholes():
    obs = pd.DataFrame({"donor": list("AAAABBBBC"), "drug": list("xxyyxyyyx")}, index=[f"c{i}" for i in range(9)])
    cells = Cells(obs, unit="donor", label="drug")
    seen = {tuple(labels) for labels in study.permute_labels(cells, 60)}
    assert seen == {tuple(a + b + "x") for a in ("xxyy", "yyxx") for b in ("xyyy", "yxxx")}


def test_cells_without_label_stay_without_and_types_are_kept(make):
    cells = make()
    dose = pd.Series(np.where(cells.labels == "a", 0.1, 10.0), cells.ids, name="drug").where(cells.obs["well"] != "w5")
    for labels in study.permute_labels(cells.with_obs(dose), 5):
        assert labels.dtype == float and labels.isna().equals(dose.isna())
    category = cells.labels.astype(pd.CategoricalDtype(["b", "a", "unused"]))
    assert next(study.permute_labels(cells.with_obs(category), 1)).dtype == category.dtype


def test_exact_test_counts_every_arrangement_and_agrees_with_scipy(make):
    cells = make(n_batches=1, units=8, unit="well", batch=None, shift=1.5)
    found = study.permutation_test("size", cells)
    means, label = study.unit_means("size", cells), cells.labels.groupby(cells.units).first()
    expected = stats.permutation_test(
        (means[label == "a"], means[label == "b"]),
        lambda a, b: abs(a.mean() - b.mean()),
        alternative="greater",
    )
    assert found.exact and found.n_possible == 70 and found.n_permutations == 69
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.smallest_p == pytest.approx(2 / 70)


def test_paired_test_agrees_with_scipys_sign_flips():
    rng = np.random.default_rng(2)
    obs = pd.DataFrame({"donor": np.repeat(list("ABCDEFGH"), 4), "drug": ["no", "no", "yes", "yes"] * 8})
    obs.index = [f"c{i}" for i in range(32)]
    values = pd.Series(rng.normal(size=32) + (obs["drug"] == "yes").to_numpy(), obs.index)
    found = study.permutation_test(values, Cells(obs, unit="donor", label="drug"))
    means = values.groupby([obs["donor"], obs["drug"]]).mean().unstack()
    pairs = (means["yes"], means["no"])
    options = {"permutation_type": "samples", "alternative": "greater", "vectorized": False}
    expected = stats.permutation_test(pairs, lambda a, b: abs((a - b).mean()), **options)
    assert (found.n_possible, found.exact) == (256, True)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_random_test_is_near_the_exact_one(make):
    cells = make(n_batches=2, units=8, shift=1.0)
    exact = study.permutation_test("size", cells, n=5000)
    drawn = study.permutation_test("size", cells, n=4000)
    assert exact.exact and exact.n_possible == 70**2 and not drawn.exact
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * np.sqrt(exact.p_value / 4000))
    assert drawn.p_value * 4001 == pytest.approx(round(drawn.p_value * 4001))


def test_own_statistic_gets_labels_and_matches_the_built_in(make):
    cells = make(n_batches=1, units=6, unit="well", batch=None, shift=1.0)
    means = study.unit_means("size", cells)

    def statistic(labels):
        by_unit = labels.groupby(cells.units).first()
        return abs(means[by_unit == "b"].mean() - means[by_unit == "a"].mean())

    own, built_in = study.permutation_test(statistic, cells), study.permutation_test("size", cells)
    assert own.p_value == built_in.p_value and own.statistic == pytest.approx(built_in.statistic)
    with pytest.raises(ValueError, match="not a number for some labels"):
        study.permutation_test(lambda labels: np.nan, cells)


def test_more_than_two_classes_find_a_difference(make):
    found = study.permutation_test("size", make(classes=("a", "b", "c"), shift=6.0))
    assert found.p_value == pytest.approx(0.001) and found.testable


def test_untestable_designs_say_so(make):
    three = study.permutation_test("size", make(n_batches=1, units=6, unit="well", batch=None, shift=50.0))
    assert three.smallest_p == three.p_value == pytest.approx(0.1) and not three.testable
    assert str(three).startswith("untestable: 20 ways") and "more units" in str(three)
    fly = make(n_batches=3, units=1, unit="plate", label="plate")
    same = study.permutation_test("size", fly)
    assert same.n_possible == 6 and not same.testable
    forced = study.permutation_test("size", fly, within="batch")
    assert forced.n_possible == 1 and forced.p_value == 1 and not forced.testable
    short = study.permutation_test("size", make(), n=9)
    assert not short.testable and "n=999" in str(short)
    assert study.permutation_test("size", make(classes=("a",))).p_value == 1
    cells = make()
    lonely = cells.with_obs(pd.Series(pd.factorize(cells.units)[0] * 0.5, cells.ids, name="drug"))
    assert study.permutation_test("size", lonely).smallest_p == 1


def test_refusals(make):
    cells = make()
    with pytest.raises(ValueError, match="No label is declared"):
        study.permutation_test("size", cells.with_design(label=None))
    with pytest.raises(ValueError, match="No unit is declared"):
        next(study.permute_labels(cells.with_design(unit=None), 1))
    with pytest.raises(ValueError, match="No batch is declared"):
        next(study.permute_labels(cells.with_design(batch=None), 1, within="batch"))
    with pytest.raises(ValueError, match="more than one batch: 'w0'"):
        next(study.permute_labels(cells.with_design(unit="well"), 1, within="batch"))
    with pytest.raises(ValueError, match="within is 'plate'"):
        next(study.permute_labels(cells, 1, within="plate"))
    with pytest.raises(ValueError, match="n is 0"):
        study.permutation_test("size", cells, n=0)
    nobody = pd.Series(np.nan, cells.ids, name="drug")
    with pytest.raises(ValueError, match="No cell has a label in 'drug'"):
        study.permutation_test("size", cells.with_obs(nobody))


def test_seed_repeats_and_order_of_rows_does_not_matter(make, shuffled):
    cells = make(shift=0.7)
    a, b, c = (study.permutation_test("size", x, seed=s) for x, s in [(cells, 0), (shuffled(cells), 0), (cells, 1)])
    assert a.p_value == b.p_value != c.p_value
    for one, other in zip(study.permute_labels(cells, 3), study.permute_labels(shuffled(cells), 3), strict=True):
        assert one.equals(other[one.index])


def test_a_shift_of_one_batch_changes_nothing(make):
    cells = make(n_batches=3, shift=1.0)
    uneven = cells.with_obs(cells.labels.where(cells.units != "p0 · w0", "b"))
    moved = uneven.features["size"] + 1000 * (uneven.batches_of == "p0")
    one, two = study.permutation_test("size", uneven), study.permutation_test(moved, uneven)
    assert (one.p_value, one.statistic) == pytest.approx((two.p_value, two.statistic))
