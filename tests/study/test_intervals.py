"""Intervals rest on units: pinned to SciPy and least squares, and refusing to say when units are few."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlscope_nb import study
from mlscope_nb.cells import Cells
from mlscope_nb.study.intervals import of_share


def unit_values(cells):
    return cells.features["size"].groupby(cells.units).mean()


def test_t_interval_is_scipys_over_unit_means(make):
    cells = make()
    found = study.t_interval("size", cells, level=0.9)
    means = unit_values(cells)
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.9)
    assert found.estimate == pytest.approx(means.mean())
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.n_units == 24


def test_welch_interval_is_scipys(make):
    cells = make(batch=None)
    found = study.difference_interval("size", cells)
    means = unit_values(cells)
    label = cells.labels.groupby(cells.units).first()
    expected = stats.ttest_ind(means[label == "b"], means[label == "a"], equal_var=False)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.method == "Welch t"


def test_pairs_within_units_are_scipys_paired_t():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"donor": np.repeat(list("ABCDE"), 6), "drug": ["no", "no", "no", "yes", "yes", "yes"] * 5})
    obs.index = [f"c{i}" for i in range(30)]
    values = pd.Series(rng.normal(size=30), obs.index)
    found = study.difference_interval(values, Cells(obs, unit="donor", label="drug"))
    means = values.groupby([obs["donor"], obs["drug"]]).mean().unstack()
    expected = stats.ttest_rel(means["yes"], means["no"]).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert (found.n_units, found.unit, found.method) == (5, "donor", "paired t within units")


def test_within_batches_is_least_squares_with_a_level_per_batch(make):
    cells = make(n_batches=3, units=7)
    found = study.difference_interval("size", cells)
    means = unit_values(cells)
    batch = cells.batches_of.groupby(cells.units).first()
    x = np.column_stack(
        [(cells.labels.groupby(cells.units).first() == "b").astype(float), pd.get_dummies(batch)]
    ).astype(float)
    beta, rest, _, _ = np.linalg.lstsq(x, means.to_numpy(), rcond=None)
    freedom = len(means) - x.shape[1]
    half = stats.t.ppf(0.975, freedom) * np.sqrt(rest[0] / freedom * np.linalg.inv(x.T @ x)[0, 0])
    assert (found.low, found.high) == pytest.approx((beta[0] - half, beta[0] + half))
    assert found.n_units == 21


def test_batch_effects_cancel_within_batches_and_not_without(make):
    cells = make(n_batches=4, units=4, cells=20, shift=3.0)
    inside = study.difference_interval("size", cells)
    ignoring = study.difference_interval("size", cells, within=None)
    assert inside.excludes(0) and inside.high - inside.low < ignoring.high - ignoring.low
    far = pd.Series(cells.features["size"] + 1000 * (cells.batches_of == "p1"))
    moved = study.difference_interval(far, cells)
    assert (moved.low, moved.high) == pytest.approx((inside.low, inside.high))


def test_nested_labels_are_compared_by_batch(make):
    cells = make(n_batches=8, units=5)
    drug = pd.Series(np.where(cells.batches_of.isin(["p0", "p2", "p4", "p6"]), "a", "b"), cells.ids, name="drug")
    nested = cells.with_obs(drug)
    found = study.difference_interval("size", nested)
    per_batch = unit_values(nested).groupby(lambda key: key.split(" · ")[0]).mean()
    expected = stats.ttest_ind(per_batch.iloc[1::2], per_batch.iloc[::2], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert (found.n_units, found.unit) == (8, "plate") and "holds one class" in found.note


def test_between_picks_classes_and_direction(make):
    cells = make(classes=("a", "b", "c"))
    with pytest.raises(ValueError, match=r"3 classes found: 'a', 'b', 'c'. Name two: between="):
        study.difference_interval("size", cells)
    forth = study.difference_interval("size", cells, between=("a", "c"))
    back = study.difference_interval("size", cells, between=("c", "a"))
    assert forth.estimate == pytest.approx(-back.estimate) and forth.low == pytest.approx(-back.high)
    assert forth.target == "difference c - a" and forth.n_units == 16
    for wrong in [("a",), ("a", "a"), "ab"]:
        with pytest.raises(ValueError, match="expected two different classes"):
            study.difference_interval("size", cells, between=wrong)
    with pytest.raises(ValueError, match="No cell is labelled 'z'"):
        study.difference_interval("size", cells, between=("a", "z"))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_units_is_said_not_raised(n):
    values, units = np.arange(2.0 * n), np.repeat(np.arange(n), 2)
    for found in (study.t_interval(values, units), study.bootstrap_interval(values, units)):
        assert not found.known and not found.excludes(0)
        assert f"{n} unit" in str(found) and "at least 3 needed" in str(found)
        assert json.loads(json.dumps(found.to_dict()))["low"] is None


def test_too_few_units_in_a_class(make):
    few = make(n_batches=1, units=4)
    for cells, words in [
        (few, "2 wells in a class, in batches with both"),
        (few.with_design(batch=None), "2 wells in a class"),
        (make(n_batches=2, units=6).with_design(unit="plate"), "2 plates with both classes"),
    ]:
        cells = cells.with_design(unit=cells.design.unit[-1]) if cells.obs["plate"].nunique() == 1 else cells
        found = study.difference_interval("size", cells)
        assert not found.known and np.isfinite(found.estimate) and words in str(found)
    empty = make().features["size"] * np.nan
    assert not study.difference_interval(empty, make()).known


def test_words_round_to_the_width_and_escape():
    shown = study.Interval(0.712, 0.62, 0.79, 0.95, 12, "accuracy", "t", unit="well")
    assert str(shown) == "0.71 (95 % interval over 12 wells: 0.62 to 0.79)"
    big = study.Interval(12345.6, 11000, 14000, 0.9, 3, "size", "t", unit="biopsy")
    assert str(big) == "12,346 (90 % interval over 3 biopsies: 11,000 to 14,000)"
    assert "<b>" not in study.Interval(1, 0, 2, 0.95, 3, "x", "t", unit="<b>")._repr_html_()


def test_values_that_do_not_fit_are_refused(make):
    cells = make()
    with pytest.raises(ValueError, match="infinite, at"):
        study.t_interval(cells.features["size"].where(cells.ids != cells.ids[3], np.inf), cells)
    with pytest.raises(ValueError, match="3 values for"):
        study.t_interval(np.arange(3.0), cells)
    with pytest.raises(ValueError, match=r"No value for 1 cell|expected the same unique ids"):
        study.t_interval(cells.features["size"].rename({cells.ids[0]: "ghost"}), cells)
    with pytest.raises(KeyError, match="sise"):
        study.t_interval("sise", cells)
    with pytest.raises(ValueError, match="level is 95"):
        study.t_interval("size", cells, level=95)
    with pytest.raises(ValueError, match="No unit is declared"):
        study.t_interval("size", cells.with_design(unit=None))
    with pytest.raises(ValueError, match="No label is declared"):
        study.difference_interval("size", cells.with_design(label=None))


def test_missing_values_leave_cells_and_empty_units_out(make):
    cells = make()
    first = sorted(cells.units.unique())[0]
    holes = cells.features["size"].where(cells.units != first)
    found = study.t_interval(holes, cells)
    assert found.n_units == 23
    rest = cells.subset(cells.ids[cells.units != first])
    assert found.low == pytest.approx(study.t_interval("size", rest).low, abs=1e-12)


def test_values_match_cells_by_id_not_by_place(make, shuffled):
    cells = make()
    other = shuffled(cells)
    a = study.t_interval(cells.features["size"], cells)
    b = study.t_interval(cells.features["size"], other)
    assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=1e-12)


def test_all_units_alike_gets_a_warning():
    for found in (study.t_interval(np.ones(6)), study.bootstrap_interval(np.ones(6))):
        assert found.low == found.high == 1 and "not certainty" in found.note


@pytest.mark.parametrize(("value", "n"), [(1.0, 4), (0.0, 4), (1.0, 24), (0.0, 3)])
def test_a_share_that_is_the_same_in_every_unit_is_not_certain(value, n):
    exact = stats.binomtest(int(value * n), n).proportion_ci(0.95, "exact")
    for found in (
        of_share(study.t_interval(np.full(n, value))),
        study.bootstrap_interval(np.full(n, value), bounds=(0, 1)),
    ):
        ends = found if isinstance(found, tuple) else (found.low, found.high)
        assert ends == pytest.approx((exact.low, exact.high))
