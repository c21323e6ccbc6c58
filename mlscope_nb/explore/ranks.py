"""Which cells are whose neighbours, in the features and on a map, and how far down the other's list they stand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlscope_nb.features.workers import cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_VALUES = 1_000_000
"""Distances that are worked on at a time by each thread: what bounds the memory."""


class Kept(NamedTuple):
    """For some cells: false and missing neighbours (summed ranks beyond k) and the share of neighbours kept."""

    false: NDArray[np.float64]
    missing: NDArray[np.float64]
    recall: NDArray[np.float64]


def kept_neighbours(values: NDArray[Any], places: NDArray[Any], rows: NDArray[np.int64], k: int) -> Kept:
    """Compare the `k` nearest cells in the features with those on the map, for the cells in `rows` against all cells.

    Parameters
    ----------
    values : array (N, P)
        The features.
    places : array (N, D)
        The map.
    rows : array (m,)
        Whose neighbours are compared.
    k : int
        How many neighbours.
    """
    spaces = [_Space(values), _Space(places)]
    size = max(1, BLOCK_VALUES // len(values))
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(lambda part: _compared(spaces, part, k), parts))
    return Kept(*(np.concatenate([getattr(part, name) for part in found]) for name in Kept._fields))


def worst(n: int, k: int) -> float:
    """Return the largest sum of ranks beyond `k` that the neighbours of one of `n` cells can have."""
    return k * (2 * n - 3 * k - 1) / 2


class _Space:
    """Points, and their squared distances from a few of them at a time."""

    def __init__(self, points: NDArray[Any]) -> None:
        # Around the mean the products that distances are made of are small, and so is their rounding.
        self.points = np.ascontiguousarray(points - points.mean(axis=0))
        self.squares = np.einsum("ij,ij->i", self.points, self.points)

    def distances(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return squared distances (m, N), infinite from each cell to itself."""
        if self.points.shape[1] <= 3:
            away = sum((self.points[rows, d, None] - self.points[:, d]) ** 2 for d in range(self.points.shape[1]))
        else:
            away = self.points[rows] @ self.points.T
            away *= -2
            away += self.squares
            away += self.squares[rows, None]
        away[np.arange(len(rows)), rows] = np.inf
        return away


def _compared(spaces: list[_Space], rows: NDArray[np.int64], k: int) -> Kept:
    away = [space.distances(rows) for space in spaces]
    near = [np.argpartition(a, k - 1, axis=1)[:, :k] for a in away]
    common = (near[0][:, :, None] == near[1][:, None, :]).sum(axis=(1, 2))
    return Kept(_beyond(away[0], near[1], k), _beyond(away[1], near[0], k), common / k)


def _beyond(away: NDArray[Any], cells: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return by how many ranks each of these cells stands beyond the `k` nearest, added up for each row."""
    total = np.zeros(len(away))
    limits = np.take_along_axis(away, cells, axis=1)
    for place in range(cells.shape[1]):
        rank = (away < limits[:, place, None]).sum(axis=1) + 1
        total += np.maximum(rank - k, 0)
    return total
