"""Copying every cell within its unit tells nothing new, so that no answer may change."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.explore import (
    cluster,
    distinguish,
    dose_trend,
    map_precision,
    markers,
    partition_stability,
    penetrance,
    phenotype_axis,
    structure,
    unit_profiles,
)
from mlscope_nb.explore.copies import first_of_each, worth


def study(cells_per_well=(4, 14), n_features=12, seed=0):
    """4 plates of 8 wells, a third of them controls; wells and plates differ, some wells are nearly empty."""
    rng = np.random.default_rng(seed)
    n_wells = 32
    kind = np.tile(["none", "none", "x", "x", "x", "other", "other", "other"], 4)
    well = np.repeat(np.arange(n_wells), rng.integers(*cells_per_well, n_wells))
    plate = well // 8
    shift = np.where(kind[well] == "x", rng.uniform(0, 3, len(well)), 0.0)
    x = rng.standard_t(4, size=(len(well), n_features)) + 2 * rng.normal(size=(4, n_features))[plate]
    x += 0.3 * rng.normal(size=(n_wells, n_features))[well]
    x[:, :4] += shift[:, None]
    x[:, 5:7] += 2.0 * (kind[well] == "other")[:, None]
    x[:, -1] = rng.poisson(0.4, len(well))  # counted: most cells have none
    x[rng.random(x.shape) < 0.02] = np.nan
    obs = pd.DataFrame(
        {"plate": plate, "well": well, "drug": kind[well], "dose": np.where(kind[well] == "none", 0.0, 1.0 + well % 3)},
        index=[f"c{i}" for i in range(len(well))],
    )
    return made(obs, pd.DataFrame(x, index=obs.index).add_prefix("F"))


def made(obs, table):
    return Cells(obs, features=table, unit="well", batch="plate", treatment="drug", control={"drug": "none"})


def copied(cells, times=2):
    """The same cells, each several times in its well."""
    parts = [(cells.obs, cells.table(), "")] + [(cells.obs, cells.table(), f"_{k}") for k in range(1, times)]
    obs, table = (pd.concat([p[i].rename(index=lambda c, p=p: c + p[2]) for p in parts]) for i in (0, 1))
    return made(obs, table)


@pytest.fixture(scope="module", params=[2, 3])
def once_and_again(request):
    cells = study()
    return cells, copied(cells, request.param)


def test_copies_are_counted_once():
    table = pd.DataFrame({"a": [1.0, np.nan, np.nan, 1.0, 1.0], "b": [2.0, 2.0, 2.0, 2.0, 3.0]})
    unit = pd.Series(["p · A", "p · A", "p · A", "q · A", "q · A"])
    np.testing.assert_allclose(worth(table, unit), [1, 0.5, 0.5, 1, 1])
    assert first_of_each(table, unit).tolist() == [True, True, False, True, True]


def test_a_phenotype_axis_stays(once_and_again):
    cells, again = once_and_again
    for end in ("x", "other"):
        a, b = (phenotype_axis(c, "none", end) for c in (cells, again))
        assert a.attrs["held_out"] == b.attrs["held_out"] == "plate" and a.std() > 0.1
        np.testing.assert_allclose(b[a.index], a, rtol=0, atol=1e-6)


def test_an_axis_with_few_controls_stays():
    """Below ten control cells on a plate the whole plate is the reference, however often these stand there."""
    cells = study(cells_per_well=(3, 5))
    per_plate = cells.controls.groupby(cells.obs["plate"]).sum()
    assert (per_plate < 10).all() and (2 * per_plate >= 10).all()
    a, b = (phenotype_axis(c, "none", "x") for c in (cells, copied(cells)))
    np.testing.assert_allclose(b[a.index], a, rtol=0, atol=1e-6)


def test_penetrance_and_its_interval_stay(once_and_again):
    cells, again = once_and_again
    a, b = (penetrance(c, groups="x", draws=100) for c in (cells, again))
    assert a["n_cells"].min() < 5 <= a["n_cells"].max()
    pd.testing.assert_frame_equal(a, b, check_exact=False, rtol=0, atol=1e-6)


def test_markers_stay(once_and_again):
    cells, again = once_and_again
    numbers = ["effect", "low", "high", "p_value", "q_value"]
    a, b = (markers(c, "drug").set_index(["group", "feature"]).sort_index()[numbers] for c in (cells, again))
    pd.testing.assert_frame_equal(a, b, check_exact=False, rtol=0, atol=1e-6)
    chosen = cells.table()["F0"] > cells.table()["F0"].median()
    of_again = pd.Series(chosen[[c.split("_")[0] for c in again.ids]].to_numpy(), again.ids)
    a, b = (distinguish(c, which).sort_index() for c, which in ((cells, chosen), (again, of_again)))
    pd.testing.assert_frame_equal(a, b, check_exact=False, rtol=0, atol=1e-6)


def test_profiles_and_their_precision_stay(once_and_again):
    cells, again = once_and_again
    a, b = (unit_profiles(c) for c in (cells, again))
    np.testing.assert_allclose(a.values @ a.values.T, b.values @ b.values.T, atol=1e-6)  # directions may be mirrored
    a, b = (map_precision(c, n_null=500) for c in (cells, again))
    pd.testing.assert_frame_equal(a, b, check_exact=False, rtol=0, atol=1e-6)


def test_a_dose_trend_stays(once_and_again):
    cells, again = once_and_again
    a, b = (dose_trend(c, "F0", "dose", n_permutations=199) for c in (cells, again))
    assert (a.slope, a.p_value) == pytest.approx((b.slope, b.p_value), abs=1e-6)


def test_structure_and_the_groups_of_units_stay(once_and_again):
    cells, again = once_and_again
    a, b = (structure(c, n_null=39) for c in (cells, again))
    assert (a.of, a.n_groups, a.n_points) == (b.of, b.n_groups, b.n_points)
    assert (a.p_value, a.statistic) == pytest.approx((b.p_value, b.statistic), abs=1e-6)
    a, b = (cluster(c, n_clusters=3, n_bootstrap=0).labels for c in (cells, again))
    pd.testing.assert_series_equal(b[a.index], a)
    groups = cells.obs["drug"]
    of_again = pd.Series(groups[[c.split("_")[0] for c in again.ids]].to_numpy(), again.ids)
    a, b = (partition_stability(c, g).estimate for c, g in ((cells, groups), (again, of_again)))
    assert a == pytest.approx(b, abs=0.01)  # of pairs of cells, so that a pair of copies counts
