"""Copying every cell changes no interval, no p-value, no split: the unit counts, not the cell."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import study

DESIGNS = {
    "crossed": {},
    "no batch": {"batch": None},
    "nested": {"label": "half"},
    "within units": {"unit": "plate", "batch": None},
    "three classes": {"classes": ("a", "b", "c")},
}


@pytest.fixture(params=DESIGNS, name="pair")
def pair_fixture(request, make, doubled):
    options = dict(DESIGNS[request.param])
    label = options.pop("label", None)
    cells = make(n_batches=6, units=6, shift=0.5, **options)
    if label:
        half = pd.Series(np.where(cells.batches_of.isin(["p0", "p3", "p4"]), "a", "b"), cells.ids, name="drug")
        cells = cells.with_obs(half)
    return cells, doubled(cells)


def same(a, b, *names):
    for name in names:
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-12, abs=1e-12), name


@pytest.mark.parametrize("method", ["auto", "studentized", "t", "bca", "percentile"])
def test_bootstrap_interval(pair, method):
    one, two = (study.bootstrap_interval("size", cells, method=method, n_resamples=500) for cells in pair)
    same(one, two, "estimate", "low", "high", "n_units")


@pytest.mark.parametrize("statistic", ["median", lambda means: float(np.ptp(means))])
def test_bootstrap_interval_of_other_statistics(pair, statistic):
    one, two = (study.bootstrap_interval("size", cells, statistic, n_resamples=500) for cells in pair)
    same(one, two, "estimate", "low", "high")


@pytest.mark.parametrize("method", ["t", "bca", "percentile"])
def test_bootstrap_interval_of_tables(pair, method):
    def spread(table):
        return table["size"].mean() / table["size"].std(ddof=0)

    one, two = (study.bootstrap_interval(c.features, c, spread, method=method, n_resamples=100) for c in pair)
    same(one, two, "estimate", "low", "high", "n_units")


def test_t_and_difference_intervals(pair):
    one, two = (study.t_interval("size", cells) for cells in pair)
    same(one, two, "estimate", "low", "high", "n_units")
    for within in ("design", None):
        one, two = (study.difference_interval("size", c, between=("a", "b"), within=within) for c in pair)
        same(one, two, "estimate", "low", "high", "n_units")
        assert one.known


@pytest.mark.parametrize("n", [199, 10000])
def test_permutation_test(pair, n):
    one, two = (study.permutation_test("size", cells, n=n) for cells in pair)
    same(one, two, "statistic", "p_value", "n_permutations", "n_possible", "smallest_p")


def test_permutation_test_of_own_statistic(pair):
    def run(cells):
        size = cells.features["size"]
        return study.permutation_test(lambda labels: size.groupby(labels).mean().std(ddof=0), cells, n=99)

    one, two = map(run, pair)
    same(one, two, "statistic", "p_value", "n_possible")


def test_permuted_labels_and_splits_and_counts(pair):
    cells, twice = pair
    for one, two in zip(study.permute_labels(cells, 5), study.permute_labels(twice, 5), strict=True):
        assert one.equals(two[one.index])
    for one, two in zip(study.split(cells), study.split(twice), strict=True):
        assert one.held_out == two.held_out and set(one.test_ids) <= set(two.test_ids)
    one, two = study.describe(cells), study.describe(twice)
    assert one.table.equals(two.table) and one.findings == two.findings
    assert study.unit_means("size", cells).to_numpy() == pytest.approx(study.unit_means("size", twice), abs=1e-12)


def test_effective_n_of_equal_units(make, doubled):
    cells = make(uneven=False)
    one, two = study.effective_n("size", cells), study.effective_n("size", doubled(cells))
    same(one, two, "n_effective")
    assert two.icc > one.icc and two.n_cells == 2 * one.n_cells


def test_effective_n_of_unequal_units_hardly_moves(make, doubled):
    cells = make(cells=10)
    one, two = study.effective_n("size", cells), study.effective_n("size", doubled(cells))
    assert two.n_effective == pytest.approx(one.n_effective, rel=0.03)


def test_copying_some_cells_only_moves_their_unit(make):
    cells = make()
    first = cells.units == sorted(cells.units.unique())[0]
    some = cells.obs[first].iloc[:1]
    ids = pd.Index([f"{some.index[0]}x"])
    from mlscope_nb.cells import Cells

    more = Cells(
        pd.concat([cells.obs, some.set_axis(ids)]),
        features=pd.concat([cells.features, cells.features.loc[some.index].set_axis(ids)]),
        unit=("plate", "well"),
    )
    before, after = study.unit_means("size", cells), study.unit_means("size", more)
    assert (before != after).tolist() == [True] + [False] * 23
    assert study.t_interval("size", more).n_units == 24
