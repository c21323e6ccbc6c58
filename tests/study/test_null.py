"""In null studies, 5 % are called significant: not more, not less. (The larger version: studies/study_null.py.)"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlscope_nb import study
from mlscope_nb.cells import Cells

N_STUDIES = 200


def null_study(rng, plate, label, plate_sd=1.0, **roles):
    """Wells and plates differ, classes do not."""
    sizes = rng.integers(10, 50, len(plate))
    well = np.repeat(np.arange(len(plate)), sizes)
    level = plate_sd * rng.normal(size=plate.max() + 1)[plate] + rng.normal(size=len(plate))
    obs = pd.DataFrame({"well": well, "plate": plate[well], "label": np.array(["a", "b"])[label][well]})
    obs.index = [f"c{i}" for i in range(len(obs))]
    values = pd.Series(level[well] + rng.normal(size=len(well)), obs.index)
    return Cells(obs, **{"unit": "well", "batch": "plate", "label": "label", **roles}), values


DESIGNS = {
    "wells on plates": {"plate": np.repeat(np.arange(4), 6), "label": np.arange(24) % 2},
    "few controls": {"plate": np.repeat(np.arange(4), 8), "label": (np.arange(32) % 8 > 1).astype(int)},
    "no plates": {"plate": np.zeros(12, int), "label": np.arange(12) % 2, "batch": None},
    "plates of one class": {"plate": np.repeat(np.arange(10), 3), "label": np.repeat(np.arange(10), 3) % 2},
    "within donors": {"plate": np.arange(16) // 2, "label": np.arange(16) % 2, "unit": "plate", "batch": None},
}


def rates(design):
    rng, hits = np.random.default_rng(1), []
    for k in range(N_STUDIES):
        cells, values = null_study(rng, **DESIGNS[design])
        labels = cells.labels
        hits.append(
            (
                study.permutation_test(values, cells, n=199, seed=k).p_value <= 0.05,
                study.difference_interval(values, cells).excludes(0),
                stats.ttest_ind(values[labels == "a"], values[labels == "b"]).pvalue <= 0.05,
            )
        )
    return np.mean(hits, axis=0)


@pytest.mark.parametrize("design", DESIGNS)
def test_null_is_calibrated_where_cells_as_units_are_not(design):
    permutation, interval, over_cells = rates(design)
    assert 0.02 <= permutation <= 0.08
    assert 0.02 <= interval <= 0.08
    assert over_cells >= 0.4, "the simulation is too easy to show anything"


def test_a_difference_is_found():
    rng, found = np.random.default_rng(0), []
    for _ in range(50):
        cells, values = null_study(rng, **DESIGNS["wells on plates"])
        moved = values + 2.0 * (cells.labels == "b")
        found.append(
            (
                study.permutation_test(moved, cells, n=199).p_value <= 0.05,
                study.difference_interval(moved, cells).excludes(0),
            )
        )
    assert np.mean(found, axis=0).min() >= 0.9


@pytest.mark.parametrize("n", [3, 4, 6, 12])
def test_intervals_hold_the_mean_of_normal_units(n):
    rng, held = np.random.default_rng(n), []
    for k in range(1000):
        values = rng.normal(size=n)
        held.append(
            (
                not study.t_interval(values).excludes(0),
                not study.bootstrap_interval(values, n_resamples=500, seed=k).excludes(0),
            )
        )
    assert (np.abs(np.mean(held, axis=0) - 0.95) <= 0.02).all()
