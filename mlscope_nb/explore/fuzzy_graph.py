"""The graph behind UMAP: how strongly each cell belongs to the neighbourhood of another, from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLOSE_ENOUGH = 1e-5
SMALLEST_SHARE = 1e-3
"""A scale is at least this share of the mean distance to the neighbours: copies of a cell must not divide by 0."""


def fuzzy_graph(
    indices: NDArray[Any],
    distances: NDArray[Any],
    *,
    set_op_mix_ratio: float = 1.0,
    local_connectivity: float = 1.0,
) -> Any:
    """Return UMAP's fuzzy graph of cells from their nearest neighbours.

    Parameters
    ----------
    indices : array (N, k)
        The neighbours of each cell, the nearest (the cell itself) first.
    distances : array (N, k)
        How far they are, ascending.
    set_op_mix_ratio : float
        1: cells are joined when one of them is the other's neighbour; 0: when both are.
    local_connectivity : float
        To how many neighbours each cell is joined fully.

    Returns
    -------
    sparse matrix (N, N)
        Symmetric strengths.

    References
    ----------
    McInnes, Healy, Melville 2018, arXiv 1802.03426; equal to ``umap.umap_.fuzzy_simplicial_set`` within 1e-5.
    """
    from scipy.sparse import csr_array

    n, k = indices.shape
    scale, nearest = smoothed(distances, float(k), local_connectivity)
    strength = memberships(distances, scale, nearest)
    strength[indices == np.arange(n)[:, None]] = 0
    one_way = csr_array((strength.ravel(), (np.repeat(np.arange(n), k), indices.ravel())), shape=(n, n))
    both_ways = one_way.multiply(one_way.T)
    graph = set_op_mix_ratio * (one_way + one_way.T - both_ways) + (1 - set_op_mix_ratio) * both_ways
    graph.eliminate_zeros()
    return graph


def memberships(
    distances: NDArray[Any], scale: NDArray[np.float64], nearest: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return how strongly neighbours at these distances (N, k) belong to each cell: 1, then falling."""
    beyond = np.maximum(np.asarray(distances, dtype=np.float64) - nearest[:, None], 0)
    strength = np.exp(-beyond / np.where(scale > 0, scale, 1.0)[:, None])
    strength[(scale == 0) | ~np.isfinite(scale)] = 1.0
    return strength.astype(np.float32)


def smoothed(
    distances: NDArray[Any], k: float, local_connectivity: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scale of each cell at which memberships add up to log2(k), and the distance up to which they are 1.

    As ``umap.umap_.smooth_knn_dist``: the scale is halved in, for all cells at once.
    """
    distances = np.asarray(distances, dtype=np.float64)
    nearest = _nearest(distances, local_connectivity)
    beyond = np.maximum(distances[:, 1:] - nearest[:, None], 0)
    low, high, scale = np.zeros(len(distances)), np.full(len(distances), np.inf), np.ones(len(distances))
    active = np.arange(len(distances))
    for _ in range(64):
        total = np.exp(-beyond[active] / scale[active, None]).sum(axis=1)
        open_ = np.abs(total - np.log2(k)) >= CLOSE_ENOUGH
        active, total = active[open_], total[open_]
        if not len(active):
            break
        above = total > np.log2(k)
        high[active[above]] = scale[active[above]]
        low[active[~above]] = scale[active[~above]]
        bounded = np.isfinite(high[active])
        scale[active] = np.where(bounded, (low[active] + np.where(bounded, high[active], 0)) / 2, scale[active] * 2)
    least = np.where(nearest > 0, distances.mean(axis=1), distances.mean()) * SMALLEST_SHARE
    return np.maximum(scale, least), nearest


def _nearest(distances: NDArray[np.float64], local_connectivity: float) -> NDArray[np.float64]:
    """Return the distance to the neighbour (interpolated between two) that each cell is joined to fully."""
    positive = np.sort(np.where(distances > 0, distances, np.inf), axis=1)
    there = np.isfinite(positive)
    furthest = np.where(there, positive, 0).max(axis=1)
    known = np.where(there, positive, furthest[:, None])
    known = np.column_stack([np.zeros(len(known)), known, known[:, -1]])
    whole = min(int(np.floor(local_connectivity)), known.shape[1] - 2)
    rest = local_connectivity - whole
    wanted = known[:, whole]
    if CLOSE_ENOUGH < rest < 1:
        wanted = wanted + rest * (known[:, whole + 1] - wanted)
    return np.where(there.sum(axis=1) >= local_connectivity, wanted, furthest)
