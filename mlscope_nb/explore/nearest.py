"""The nearest cells of every cell: exact by comparing all with all, approximate where there are too many for that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mlscope_nb.explore.compiling import compiled
from mlscope_nb.features.workers import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

EXACT_UP_TO = 60_000
DOUBLE_UP_TO = 20_000
"""Up to here distances are compared in double precision; above, in single, with spare candidates compared again."""

ROWS, COLUMNS, SPARE = 256, 1024, 8


def nearest(
    points: NDArray[Any], k: int, *, among: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `k` nearest points of each point and how far they are, the nearest first.

    Parameters
    ----------
    points : array (N, D)
        Where to look from.
    k : int
        How many neighbours.
    among : array (M, D), optional
        The points to look among; by default `points` themselves, each its own first neighbour at distance 0.

    Returns
    -------
    array (N, k), array (N, k)
        Row numbers of the neighbours, and Euclidean distances.

    Raises
    ------
    ValueError
        There are fewer than `k` points to look among.

    Examples
    --------
    >>> nearest(np.array([[0.0], [1.0], [5.0]]), 2)[0].tolist()
    [[0, 1], [1, 0], [2, 1]]
    """
    others = points if among is None else among
    if not 1 <= k <= len(others):
        raise ValueError(f"k is {k}, expected 1 to {len(others):,}, the number of points to look among.")
    kept = min(k + SPARE, len(others))
    kind = np.float64 if len(others) <= DOUBLE_UP_TO else np.float32
    theirs = np.column_stack([others, np.einsum("ij,ij->i", others, others)]).astype(kind)
    indices, distances = np.empty((len(points), k), np.int64), np.empty((len(points), k))

    def search(first: int) -> None:
        part = slice(first, first + ROWS)
        mine = np.column_stack([-2 * points[part], np.ones(len(points[part]))]).astype(kind)
        found = _candidates(mine, theirs, kept)
        own = np.arange(first, first + len(mine)) if among is None else None
        indices[part], distances[part] = _ranked(points[part], others, found, k, own)

    starts = range(0, len(points), ROWS)
    _kernel()  # compiled once, before threads ask for it
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(search, starts))
    return indices, distances


def approximate(points: NDArray[np.float32], k: int, seed: int | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return nearly all of the `k` nearest neighbours (pynndescent, with the settings that umap-learn gives it)."""
    from pynndescent import NNDescent

    n = len(points)
    search = NNDescent(
        points,
        n_neighbors=k,
        random_state=np.random.RandomState(seed),
        n_trees=min(64, 5 + round(n**0.5 / 20)),
        n_iters=max(5, round(np.log2(n))),
        max_candidates=60,
        low_memory=True,
        n_jobs=-1 if seed is None else 1,
        compressed=False,
    )
    indices, distances = search.neighbor_graph
    return indices.astype(np.int64), distances.astype(np.float64)


def _candidates(mine: NDArray[Any], theirs: NDArray[Any], kept: int) -> NDArray[np.int64]:
    """Return the row numbers of the `kept` nearest points, in no order that counts.

    With (-2x, 1) times (y, |y|²) the product is the squared distance but for |x|², which is the same for all.
    """
    indices = np.zeros((len(mine), kept), np.int64)
    best = np.full((len(mine), kept), np.inf, dtype=mine.dtype)
    for first in range(0, len(theirs), COLUMNS):
        _kernel()(mine @ theirs[first : first + COLUMNS].T, first, best, indices)
    return indices


def _ranked(
    points: NDArray[Any], others: NDArray[Any], found: NDArray[np.int64], k: int, own: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest of the candidates by distances without rounding, each point itself first."""
    if own is not None:  # among many copies of a cell it may not be its own candidate
        lost = ~(found == own[:, None]).any(axis=1)
        found[lost, -1] = own[lost]
    between = points[:, None, :].astype(np.float64) - others[found]
    away = np.sqrt(np.einsum("ijk,ijk->ij", between, between))
    order = away if own is None else np.where(found == own[:, None], -1.0, away)
    rows = np.lexsort((found, order))[:, :k]
    return np.take_along_axis(found, rows, axis=1), np.take_along_axis(away, rows, axis=1)


@cache
def _kernel() -> Callable[..., None]:
    return compiled(_keep_nearest)


def _keep_nearest(away: Any, first: int, best: Any, indices: Any) -> None:
    k = best.shape[1]
    for i in range(away.shape[0]):
        limit = best[i, k - 1]
        for j in range(away.shape[1]):
            value = away[i, j]
            if value < limit:
                place = k - 1
                while place > 0 and best[i, place - 1] > value:
                    best[i, place] = best[i, place - 1]
                    indices[i, place] = indices[i, place - 1]
                    place -= 1
                best[i, place] = value
                indices[i, place] = first + j
                limit = best[i, k - 1]
