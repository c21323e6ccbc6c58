"""Chains of look-alikes: groups of cells in which each looks like some others, and most do not look like each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mlscope_nb.curate.alignment import Pairs
from mlscope_nb.curate.spectra import Ints

LARGEST = 40  # cells of a group whose pairs are all compared
COPIED = 0.5  # of the pairs of a group: copies of copies are copies, look-alikes of look-alikes are not
SAME_NOISE = 0.25  # of what two noises leave between two pictures; one picture twice leaves next to nothing
PAIRED = 3  # a pair by itself cannot be told from a chain


def groups(first: Ints, second: Ints, n: int) -> Ints:
    """Return the group (n,) of each cell that pairs join."""
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    joined: Ints = connected_components(graph, directed=False)[1]
    return joined


def chained(pairs: Pairs, same: np.ndarray, n: int, share: Callable[[Ints], float]) -> np.ndarray:
    """Return True for pairs whose group is a chain; for all pairs if most cells that have pairs are in chains.

    Parameters
    ----------
    pairs : Pairs
    same : array of bool
        Which pairs look the same.
    n : int
        Number of cells.
    share : callable
        The share of pairs that look the same, drawn from so many cells: asked for groups whose pairs were not all
        compared.
    """
    group = groups(pairs.first[same], pairs.second[same], n)
    size, held = np.bincount(group), np.bincount(group[pairs.first[same]], minlength=group.max(initial=0) + 1)
    whole = held / np.maximum(size * (size - 1) / 2, 1)
    for one in np.flatnonzero(size > LARGEST):
        whole[one] = share(np.flatnonzero(group == one))
    chain = (size >= PAIRED) & (whole < COPIED)
    if 2 * size[chain].sum() > size[size > 1].sum():
        return np.ones(len(pairs), bool)
    return np.asarray(chain[group[pairs.first]], bool)


def warn_of_chains(pairs: Pairs, same: np.ndarray, doubtful: np.ndarray) -> None:
    """Warn if pairs are left out because they are look-alikes."""
    if not doubtful.any():
        return
    n_cells = len(np.unique(np.concatenate([pairs.first[doubtful], pairs.second[doubtful]])))
    warnings.warn(
        f"{n_cells:,} cells form chains of look-alikes: each looks like some others, most do not look like each other, "
        f"and copies of copies would be copies. Their {doubtful.sum():,} pairs are left out; the "
        f"{(same & ~doubtful).sum():,} listed are no look-alikes of this kind. Use cells with more channels or detail.",
        UserWarning,
        stacklevel=3,
    )
