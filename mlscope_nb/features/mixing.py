"""Mixing: from how many batches do the nearest neighbours of a cell come?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats

TOLERANCE = 1e-5
TRIES = 50


def lisi(values: Floats, group: NDArray[np.generic], *, perplexity: float = 30) -> Floats:
    """Return the effective number of groups among the neighbours of each cell (local inverse Simpson index).

    Parameters
    ----------
    values : array (N, P)
        Coordinates without gaps.
    group : array (N,)
        Group (batch) of each cell.
    perplexity : float
        Effective number of neighbours; three times as many are looked at.

    Returns
    -------
    array (N,)
        1: all neighbours are of one group; the number of groups: all are equally near.

    Raises
    ------
    ValueError
        Too few cells for this perplexity.

    References
    ----------
    Korsunsky et al. 2019, Nature Methods 16:1289; agrees with harmonypy's compute_lisi.

    Examples
    --------
    >>> points = np.random.default_rng(0).normal(size=(200, 2))
    >>> bool(lisi(points, np.arange(200) % 2).mean() > 1.8)
    True
    """
    from sklearn.neighbors import NearestNeighbors

    n_neighbours = int(perplexity * 3)
    if len(values) <= n_neighbours:
        raise ValueError(
            f"{len(values):,} cells are too few for a perplexity of {perplexity:g}, expected more than {n_neighbours}. "
            "Use a smaller perplexity."
        )
    distance, index = NearestNeighbors(n_neighbors=n_neighbours + 1).fit(values).kneighbors(values)
    weight = _weights(distance[:, 1:], np.log(perplexity))
    codes = np.unique(group, return_inverse=True)[1][index[:, 1:]]
    shares = np.stack([np.where(codes == k, weight, 0).sum(axis=1) for k in range(codes.max() + 1)])
    result: Floats = 1 / (shares**2).sum(axis=0)
    return result


def _weights(distance: Floats, entropy: float) -> Floats:
    """Return neighbour weights exp(-b d) of the wanted entropy, b found for each cell by halving."""
    n = len(distance)
    beta, low, high = np.ones(n), np.full(n, -np.inf), np.full(n, np.inf)
    # Subtracting the nearest distance changes no share, and keeps far-away cells from having no neighbour at all.
    distance = distance - distance[:, :1]
    for _ in range(TRIES):
        weight = np.exp(-distance * beta[:, None])
        total = weight.sum(axis=1)
        excess = np.log(total) + beta * (distance * weight).sum(axis=1) / total - entropy
        open_ = np.abs(excess) >= TOLERANCE
        if not open_.any():
            break
        up, down = open_ & (excess > 0), open_ & (excess <= 0)
        low[up], high[down] = beta[up], beta[down]
        beta = np.where(up, np.where(np.isfinite(high), (beta + high) / 2, beta * 2), beta)
        beta = np.where(down, np.where(np.isfinite(low), (beta + low) / 2, beta / 2), beta)
    weight = np.exp(-distance * beta[:, None])
    result: Floats = weight / weight.sum(axis=1, keepdims=True)
    return result
