"""Directions: in which cells differ most, in which units do, and in which the middle is emptiest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_DIRECTIONS = 30
MOST_OF_UNITS = 60
"""Components in which units are compared, at most half as many as units: a phenotype is rarely among the first 30."""
DIRECTIONS_OF_CELLS = 10
FLATTEST = 3


def flattest(scores: Floats) -> Floats:
    """Return the directions (D, 3) in which the middle holds fewest points: least kurtosis, each with deviation 1.

    Two groups of like size leave the middle empty in the direction in which they differ, however many other directions
    there are and however much cells vary in those.

    References
    ----------
    FOBI (Cardoso 1989), as invariant coordinate selection finds groups (Tyler et al. 2009 J R Stat Soc B 71:549).
    """
    centred = scores - scores.mean(axis=0)
    power, direction = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = power > 1e-9 * power[-1]
    white = direction[:, kept] / np.sqrt(power[kept])
    turned = centred @ white
    weight = np.einsum("ij,ij->i", turned, turned)
    axes = np.linalg.eigh((turned * weight[:, None]).T @ turned / len(turned))[1]
    return _one_sign(white @ axes[:, :FLATTEST])


def principal_axes(scaled: Floats, most: int, seed: int) -> Floats:
    """Return the leading principal axes (P, D)."""
    from sklearn.decomposition import PCA

    n = max(1, min(most, scaled.shape[1], len(scaled) - 1))
    solver = "covariance_eigh" if scaled.shape[1] <= 300 else "randomized"
    axes: Floats = PCA(n, svd_solver=solver, random_state=seed).fit(scaled).components_.T
    return axes


def leading(axes: Floats) -> Floats:
    """Return what keeps the leading principal components as they are."""
    return np.eye(axes.shape[1])[:, :DIRECTIONS_OF_CELLS]


def between_units(scores: Floats, codes: NDArray[np.intp], worth: Floats) -> Floats:
    """Return the directions (D, K) in which units differ most for what cells within them do, in its deviations.

    Each row counts its worth (`copies.worth`), so that cells that stand there twice are no more than once.
    """
    n = np.bincount(codes, worth)
    means = means_of(scores, codes)
    rest = scores - means[codes]
    power, direction = np.linalg.eigh((rest * worth[:, None]).T @ rest / max(worth.sum() - len(n), 1.0))
    kept = power > 1e-8 * power[-1]
    white = direction[:, kept] / np.sqrt(power[kept])
    turned = means @ white
    turned = turned - turned.mean(axis=0)
    power, direction = np.linalg.eigh(turned.T @ turned / (len(n) - 1))
    # Unit means of alike units differ by chance as far as this (Marchenko & Pastur).
    edge = (1 + np.sqrt(white.shape[1] / len(n))) ** 2 * float((1 / n).mean())
    k = min(max(2, int((power > edge).sum())), white.shape[1])
    return _one_sign(white @ direction[:, ::-1][:, :k])


def _one_sign(turn: Floats) -> Floats:
    """Return the directions with their largest entry above 0: rounding must not decide which end is which."""
    largest = np.abs(turn).argmax(axis=0)
    signed: Floats = turn * np.where(turn[largest, np.arange(turn.shape[1])] < 0, -1.0, 1.0)
    return signed


def means_of(points: Floats, codes: NDArray[np.intp]) -> Floats:
    """Return the mean of each group of points; groups are numbered without gaps."""
    n = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(n)[:-1]])
    means: Floats = np.add.reduceat(points[np.argsort(codes, kind="stable")], starts, axis=0) / n[:, None]
    return means
