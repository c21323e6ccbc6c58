"""Profiles: one place for each unit, plates taken out, measured in how much cells of one unit differ anyway."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._categories import kinds_within
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explore.neighbours import CLIPPED, feature_space
from mlscope_nb.study.blocks import different

Floats = NDArray[np.float64]
RIDGE = 0.1
"""Share of the mean variance that every direction has at least: what hardly varies must not be blown up."""


class Profiles(NamedTuple):
    """Profiles of units (rows), their columns of obs that are one value per unit, and how many cells each has."""

    values: Floats
    obs: pd.DataFrame
    n_cells: NDArray[np.int64]


def unit_profiles(cells: Cells) -> Profiles:
    """Return a profile for each unit: the mean of its cells relative to its batch, in decorrelated directions.

    Features are standardised robustly and clipped; batches are centred on the mean of their units, all of them, so that
    no group of wells is treated in its own way; and directions are scaled by the covariance of cells within units,
    which knows nothing of labels, controls or replicates. Centred on a few control wells instead, all other wells of a
    plate would be alike in what is odd about those.

    Parameters
    ----------
    cells : Cells
        With features and a declared unit; a declared batch is taken out.

    Raises
    ------
    ValueError
        No unit is declared, units lie in several batches, or there are no features that vary.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame({"plate": ["p", "q"] * 20, "well": np.arange(40) % 8})
    >>> table = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc")) + 5 * (obs[["plate"]] == "q").to_numpy()
    >>> found = unit_profiles(Cells(obs, features=table, unit=("plate", "well"), batch="plate"))
    >>> found.values.shape, bool(np.abs(found.values[found.obs["plate"] == "q"].mean(axis=0)).max() < 1e-9)
    ((8, 3), True)
    """
    points = np.clip(feature_space(cells).points, -CLIPPED, CLIPPED)
    unit, names = pd.factorize(cells.units, sort=True)
    obs = _constant(cells.obs, unit, names)
    n = np.bincount(unit)
    means = _means(points, unit, n)
    inside = points - means[unit]
    if cells.design.batch:
        batch = _batch_of_unit(cells, unit, names)
        means = means - _means(means, batch, np.bincount(batch))[batch]
    strength, directions = np.linalg.eigh(inside.T @ inside / len(inside))
    strength = np.maximum(strength, 0)
    # Where every unit is one cell nothing varies within units: then there is nothing to scale by.
    scale = np.sqrt(strength + RIDGE * strength.mean()) if strength.mean() > 0 else np.ones(len(strength))
    return Profiles(means @ directions / scale, obs, n)


def _batch_of_unit(cells: Cells, unit: NDArray[np.intp], names: pd.Index) -> NDArray[np.intp]:
    batch = pd.factorize(cells.batches_of)[0]
    spanning = names[np.flatnonzero(different(unit, batch) > 1)]
    if len(spanning):
        raise ValueError(
            f"{count(len(spanning), 'unit')} in more than one batch: {some(spanning)}. One profile cannot be relative "
            "to several batches. If wells of one name are others on each plate, declare both (unit=('plate', 'well')); "
            "otherwise leave the batch out (cells.with_design(batch=None))."
        )
    found: NDArray[np.intp] = batch[np.unique(unit, return_index=True)[1]]
    return found


def _means(values: Floats, codes: NDArray[np.intp], sizes: NDArray[np.intp]) -> Floats:
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    means: Floats = np.add.reduceat(values[order], starts, axis=0) / sizes[:, None]
    return means


def _constant(obs: pd.DataFrame, unit: NDArray[np.intp], names: pd.Index) -> pd.DataFrame:
    one = kinds_within(obs, unit).max() <= 1
    first = np.unique(unit, return_index=True)[1]
    return obs.loc[:, one[obs.columns]].iloc[first].set_axis(pd.Index(names, name="unit"), axis=0)
