"""Components: a wide table of correlated features as the few numbers in which its rows differ most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mlscope_nb.features.scaling import Floats

SHARP = 2.0
"""From half a deviation on, values count by their logarithm: features of cells have long tails."""
EXACT = 600
"""Up to so many rows or columns the components are computed exactly, which is then the quicker way too."""
NOTHING = 1e-9
ROUNDS = 4


class Components(TransformerMixin, BaseEstimator):
    """Principal components of standardised features, large ones made smaller without making all alike.

    Gaps take the median. Features are standardised, their tails drawn in (``asinh(2 z)``), and standardised again, all
    by the rows fitted on. A component of variance v is divided by ``v ** (whitening / 2)``: at 0 the components keep
    their sizes, at 1 all are equally large. In between, what many features say still counts for more than what hardly
    any does.

    Parameters
    ----------
    n_components : int
        How many at most.
    whitening : float
        0 to 1.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 8)) @ np.diag([9, 3, 1, 1, 1, 1, 1, 1])
    >>> found = Components(n_components=3, whitening=1.0).fit_transform(x)
    >>> found.shape, found.std(axis=0).round(3).tolist()
    ((50, 3), [1.0, 1.0, 1.0])
    """

    def __init__(self, n_components: int = 200, whitening: float = 0.25) -> None:
        self.n_components = n_components
        self.whitening = whitening

    def fit(self, x: Floats, y: Any = None) -> Components:
        """Learn medians, scales and directions."""
        x = np.asarray(x, dtype=np.float64)
        z = self._scaled(x)
        variances, directions = leading(z, self.n_components)
        size = variances ** (self.whitening / 2)
        # The mean square of what comes out is 1, whatever the number of features: a penalty then means the same.
        root = float(np.sqrt(np.mean(variances / size**2))) if len(variances) else 1.0
        self.axes_ = directions / (size * root)
        return self

    def transform(self, x: Floats) -> Floats:
        """Return the components of rows."""
        return np.asarray(self.standardised(x) @ self.axes_)

    def standardised(self, x: Floats) -> Floats:
        """Return the features that vary (``varies_``) as components add them up: standardised, their tails drawn in."""
        check_is_fitted(self, "axes_")
        return np.asarray((self._drawn_in(np.asarray(x, dtype=np.float64)) - self.level_) / self.width_)

    def _scaled(self, x: Floats) -> Floats:
        """Learn what a value is compared with, and return the rows on that scale."""
        gaps = np.isnan(x)
        known = ~gaps.all(axis=0)
        gappy = known & gaps.any(axis=0)
        middle = np.zeros(x.shape[1])
        if gappy.any():
            middle[gappy] = np.nanmedian(x[:, gappy], axis=0)
        filled = np.where(gaps, middle, x) if gaps.any() else x
        self.centre_, self.spread_ = filled.mean(axis=0), filled.std(axis=0)
        self.varies_ = known & (self.spread_ > 1e-12 * np.maximum(1.0, np.abs(self.centre_)))
        # Rows to come may have gaps where there were none: sorting every column for its median is not worth it.
        self.middle_ = np.where(gappy, middle, self.centre_)
        z = self._drawn_in(x)
        self.level_, self.width_ = z.mean(axis=0), z.std(axis=0)
        return np.asarray((z - self.level_) / self.width_)

    def _drawn_in(self, x: Floats) -> Floats:
        use = self.varies_
        x = x[:, use]
        x = np.where(np.isnan(x), self.middle_[use], x)
        return np.asarray(np.arcsinh(SHARP * ((x - self.centre_[use]) / self.spread_[use])))


def leading(z: NDArray[Any], n: int) -> tuple[Floats, Floats]:
    """Return the largest variances (K,) and directions (P, K) of centred rows, at most `n`.

    Exact for small tables; for large ones by the randomised method of Halko et al. 2011 (SIAM Review 53:217) with a
    fixed seed. Directions without variance are left out, so that copies of rows bring none.
    """
    rows, columns = z.shape
    if not columns or not rows:
        return np.zeros(0), np.zeros((columns, 0))
    if columns <= max(EXACT, n):
        variances, directions = np.linalg.eigh(z.T @ z / rows)
        return _largest(variances[::-1], directions[:, ::-1], n)
    if rows <= EXACT:
        variances, left = np.linalg.eigh(z @ z.T / rows)
        variances, left = _largest(variances[::-1], left[:, ::-1], n)
        return variances, z.T @ left / np.sqrt(rows * variances)
    return _randomised(z, n)


def _randomised(z: NDArray[Any], n: int) -> tuple[Floats, Floats]:
    small = np.asarray(z, dtype=np.float32)
    rng = np.random.default_rng(0)
    # The start lies in the space of the features, so that copies of rows begin at the same place.
    basis: NDArray[Any] = rng.standard_normal((z.shape[1], min(n + 30, z.shape[1]))).astype(np.float32)
    for _ in range(ROUNDS):
        basis = np.linalg.qr(small.T @ (small @ basis) / np.float32(len(z)))[0]
    inside = (small @ basis).astype(np.float64)
    variances, turn = np.linalg.eigh(inside.T @ inside / len(z))
    variances, turn = _largest(variances[::-1], turn[:, ::-1], n)
    return variances, basis.astype(np.float64) @ turn


def _largest(variances: Floats, directions: Floats, n: int) -> tuple[Floats, Floats]:
    use = variances > NOTHING * max(float(variances[0]), 1e-300)
    return variances[use][:n], directions[:, use][:, :n]
