"""Which cells are alike: the nearest ones to a cell, and how far each cell is from the centre of a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._align import positions, refuse_duplicates, step, text_index
from mlscope_nb._words import count
from mlscope_nb.cells import Cells, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPLAINED = 0.95
MOST_COMPONENTS = 32
CLIPPED = 10.0
"""Directions are found with values at most this many deviations from the median: one bad cell must not be one."""


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Cells as points in which one step means the same in every direction; made once, asked many times.

    Parameters
    ----------
    ids : Index (N,)
        The cells.
    points : array (N, D)
        Their places.
    history : dict
        How it was made.
    """

    ids: pd.Index
    points: NDArray[np.float64]
    history: dict[str, Any]

    def distances(self, ids: Any) -> NDArray[np.float64]:
        """Return how far every cell is from the centre (the median) of these cells, (N,)."""
        return self._from(self._rows(ids))

    def nearest(self, ids: Any, k: int) -> pd.DataFrame:
        """Return the `k` cells nearest to the centre of these cells, they themselves left out."""
        rows = self._rows(ids)
        distance = self._from(rows)
        distance[rows] = np.inf
        k = min(k, len(distance) - len(rows))
        near = np.argpartition(distance, k - 1)[:k] if k else np.array([], int)
        # Cells at the same distance as the last one come in the order of the cells, whatever the partition did.
        near = np.flatnonzero(distance <= distance[near].max()) if k else near
        near = near[np.argsort(distance[near], kind="stable")][:k]
        return pd.DataFrame({"distance": distance[near]}, index=self.ids[near])

    def _rows(self, ids: Any) -> NDArray[np.int64]:
        rows = positions(ids, self.ids)
        if not len(rows):
            raise ValueError("No cells are given: distances are measured from one cell or more. Give their ids.")
        return rows

    def _from(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        away = self.points - np.median(self.points[rows], axis=0)
        return np.sqrt(np.einsum("ij,ij->i", away, away))


def neighbours(cells: Cells | pd.DataFrame | FeatureSpace, cell_id: Any, k: int = 12) -> pd.DataFrame:
    """Return the cells most like a cell, or most like the centre of several: "more like this".

    Distances are Euclidean and exact, over all features that vary, each with its median at 0 and a robust deviation
    of 1; a missing value counts as the median.

    Parameters
    ----------
    cells : Cells, DataFrame (N, P) or FeatureSpace
        The features; a space made with `feature_space` saves preparing them again.
    cell_id : id, or several
        Where to look from; these cells are not among the result.
    k : int
        How many; fewer where there are not as many cells.

    Returns
    -------
    DataFrame (k, 1)
        Column distance, by cell id, the nearest first.

    Raises
    ------
    ValueError
        There are no features, none varies, or k is below 1.
    KeyError
        An id is not known.

    Examples
    --------
    >>> numbers = pd.DataFrame({"area": [1.0, 2, 4, 9], "length": [1.0, 2, 3, 9]}, index=list("abcd"))
    >>> neighbours(numbers, "a", 2).index.tolist()
    ['b', 'c']
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k is {k!r}, expected how many neighbours to return: 1 or more.")
    space = cells if isinstance(cells, FeatureSpace) else feature_space(cells)
    found = space.nearest(cell_id, int(k))
    found.attrs["history"] = [space.history, step("neighbours", k=int(k))]
    return found


def distance_to(cells_or_table: Cells | pd.DataFrame | FeatureSpace, ids: Any) -> pd.Series:
    """Return how far every cell is from the centre of some cells: small is typical of them, large is atypical.

    The features are standardised robustly and turned into uncorrelated directions of equal spread (those that hold
    95 % of the variance, 32 at most), so that ten ways to measure the size do not count ten times.

    Parameters
    ----------
    cells_or_table : Cells, DataFrame (N, P) or FeatureSpace
        The features, or a space made with ``feature_space(cells, decorrelate=True)``.
    ids : ids, or boolean Series
        The cells whose centre (median) is meant.

    Returns
    -------
    Series (N,)
        The distance in deviations of all cells, by cell id in input order.

    Raises
    ------
    ValueError
        There are no features, none varies, or no ids are given.
    KeyError
        An id is not known.

    Examples
    --------
    >>> numbers = pd.DataFrame({"area": [1.0, 2, 3, 9]}, index=list("abcd"))
    >>> distance_to(numbers, ["a", "b", "c"]).idxmax()
    'd'
    """
    x = cells_or_table
    space = x if isinstance(x, FeatureSpace) else feature_space(x, decorrelate=True)
    distance = pd.Series(space.distances(ids), index=space.ids, name="distance")
    distance.attrs["history"] = [space.history, step("distance_to")]
    return distance


def feature_space(cells_or_table: Cells | pd.DataFrame, *, decorrelate: bool = False) -> FeatureSpace:
    """Return cells as points in robustly standardised features, or in their leading uncorrelated directions.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; missing and infinite values take the median of their column.
    decorrelate : bool
        Principal components with a robust deviation of 1 each, as `distance_to` uses them.

    Raises
    ------
    ValueError
        There are no features, or none varies.

    Examples
    --------
    >>> numbers = pd.DataFrame({"area": [1.0, 2, 3, 9], "flat": 1.0}, index=list("abcd"))
    >>> feature_space(numbers).points.shape
    (4, 1)
    """
    numbers = table(cells_or_table)
    points, n_filled = _standardised(numbers)
    made = {"n_features": points.shape[1], "n_filled": n_filled}
    if decorrelate:
        points = _components(points)
        made["n_components"] = points.shape[1]
    ids = text_index(numbers.index, "cell_id")
    refuse_duplicates(ids, "cell_id")
    return FeatureSpace(ids, points, step("feature_space", decorrelate=decorrelate, **made))


def _standardised(numbers: pd.DataFrame) -> tuple[NDArray[np.float64], int]:
    """Return columns with median 0 and robust deviation 1, and how many gaps were filled."""
    values = np.ascontiguousarray(numbers.to_numpy(dtype=np.float64).T)  # a row per feature: medians are faster
    gaps = ~np.isfinite(values)
    kept = ~gaps.all(axis=1)
    values, gaps = values[kept].copy() if not kept.all() else values.copy(), gaps[kept]
    for row in np.flatnonzero(gaps.any(axis=1)):
        values[row, gaps[row]] = np.median(values[row, ~gaps[row]])
    spread = np.zeros(len(values))
    if values.size:
        middle = np.median(values, axis=1, keepdims=True)
        values -= middle
        spread = _spread(values, np.abs(middle[:, 0]) * 1e-12)  # less is rounding
    varies = spread > 0
    if not varies.any():
        raise ValueError(
            f"None of {count(numbers.shape[1], 'feature')} varies between these {count(len(numbers), 'cell')}: "
            "no cell is nearer than another."
        )
    values = values[varies]
    values /= spread[varies][:, None]
    return np.ascontiguousarray(values.T), int(gaps.sum())


def _spread(centred: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the deviation of each row from its median deviation; where that is 0, from quartiles or squares."""
    spread = 1.4826 * np.median(np.abs(centred), axis=1)
    for row in np.flatnonzero(spread <= least):
        low, high = np.quantile(centred[row], [0.25, 0.75], method="averaged_inverted_cdf")  # copies change nothing
        spread[row] = (high - low) / 1.349 if high - low > least[row] else centred[row].std()
    spread[spread <= least] = 0
    return spread


def _components(points: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(points, -CLIPPED, CLIPPED)
    clipped -= clipped.mean(axis=0)
    strength, directions = np.linalg.eigh(clipped.T @ clipped / len(points))
    strength, directions = np.maximum(strength[::-1], 0), directions[:, ::-1]
    enough = int(np.searchsorted(np.cumsum(strength) / strength.sum(), EXPLAINED)) + 1
    n = min(enough, MOST_COMPONENTS, int((strength > 1e-9 * strength[0]).sum()))
    scores = points @ directions[:, :n]
    scores -= np.median(scores, axis=0)
    spread = _spread(scores.T, np.zeros(n))
    kept: NDArray[np.float64] = scores / np.where(spread > 0, spread, 1.0)
    return kept
