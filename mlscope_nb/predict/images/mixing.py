"""Mixing: how much of a pixel itself is let back into what was said of it from its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CLASSES, LEAST_PX = 16, 256
"""Classes of brightness, at most, and pixels in each at least: noise of light depends on brightness."""
OUTER = 0.9
SHARE_INSIDE = 0.8313
"""Mean of the squares of normal numbers, those beyond the 90th percentile of all sizes taken as large as that."""


def mixed(said: np.ndarray, seen: np.ndarray) -> NDArray[np.float32]:
    """Return what was said of a picture (C, Y, X), each pixel mixed with the pixel itself as far as its noise allows.

    The pixel was not looked at, so its noise and the error of what is said of it know nothing of each other: their
    variances add up in the difference, and the best mean of both weights each by the variance of the other. The
    variance of the noise is told from the finest diagonal structure, where optics show nothing, in classes of
    brightness. Where the noise of neighbours is not independent, neither this nor learning without clean pictures
    holds.

    Parameters
    ----------
    said : array (C, Y, X)
        Said of each pixel from others.
    seen : array (C, Y, X)
        The noisy picture.

    References
    ----------
    Batson & Royer 2019, ICML, arXiv 1901.11365 (mixing after J-invariance); Laine et al. 2019, NeurIPS,
    arXiv 1901.10277 (the posterior mean of blind spots).

    Examples
    --------
    >>> rng, true = np.random.default_rng(0), np.tile(np.linspace(0, 100, 200), (1, 200, 1))
    >>> seen, said = (rng.normal(true, error) for error in (2.0, 1.0))
    >>> bool(abs(np.square(mixed(said, seen) - true).mean() - 1 / (1 + 1 / 4)) < 0.05)
    True
    """
    pairs = zip(np.asarray(said, np.float64), np.asarray(seen, np.float64), strict=True)
    return np.stack([one + _weights(one, other) * (other - one) for one, other in pairs]).astype(np.float32)


def _weights(said: Floats, seen: Floats) -> Floats:
    """Return the weight of each pixel (Y, X): the share of the difference's variance that is no noise of the pixel."""
    n = min(CLASSES, said.size // LEAST_PX)
    if not n or min(said.shape) < 2:
        return np.zeros_like(said)
    edges = np.quantile(said, np.linspace(0, 1, n + 1)[1:-1])
    code, at = (np.searchsorted(edges, x) for x in (said, sum(_diagonals(said)) / 4))
    one, other = _diagonals(seen)
    fine = (one - other) / 2
    middles, shares = [], []
    for k in range(n):
        own = code == k
        noise = fine[at == k]
        if not own.any() or not len(noise):
            continue
        difference = float(np.square(seen - said)[own].mean())
        middles.append(float(said[own].mean()))
        shares.append(max(0.0, 1 - _variance(noise) / difference) if difference else 0.0)
    return np.asarray(np.interp(said, middles, shares)) if middles else np.zeros_like(said)


def _diagonals(picture: Floats) -> tuple[Floats, Floats]:
    """Return the sums of the two diagonals of each 2 × 2 pixels."""
    return picture[:-1, :-1] + picture[1:, 1:], picture[1:, :-1] + picture[:-1, 1:]


def _variance(noise: Floats) -> float:
    """Return the variance of numbers around 0; a tenth of them may be structure, and as large as they like.

    The median would be nearer to what most are, but of few grey levels it is 0.
    """
    squares = np.square(noise)
    return float(np.minimum(squares, np.quantile(squares, OUTER)).mean()) / SHARE_INSIDE
