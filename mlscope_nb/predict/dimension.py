"""Dimension: along how many independent directions cells really differ, from how fast neighbours come."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mlscope_nb.features.scaling import Floats
from mlscope_nb.study.intervals import Interval, t_interval

MOST_POINTS = 5000
SAME = 1e-9


def inverse_dimensions(points: Floats, k: int) -> tuple[Floats, np.ndarray]:
    """Return one over the intrinsic dimension around each point, and the rows of the points that were looked at.

    With ``k=2`` this is TwoNN in its maximum likelihood form; larger k look at a wider, less noisy scale. Points that
    lie on each other count once.

    Parameters
    ----------
    points : array (N, P)
        Cells in a space of features of equal scale.
    k : int
        How many neighbours, 2 or more.

    Raises
    ------
    ValueError
        Too few different points.

    References
    ----------
    Facco et al. 2017, Sci Rep 7:12140 (TwoNN); Levina & Bickel 2004, NeurIPS; MacKay & Ghahramani 2005 on averaging
    the inverse.

    Examples
    --------
    >>> plane = np.random.default_rng(0).random((2000, 2)) @ np.random.default_rng(1).normal(size=(2, 9))
    >>> bool(abs(1 / inverse_dimensions(plane, 20)[0].mean() - 2) < 0.2)
    True
    """
    from sklearn.neighbors import NearestNeighbors

    size = max(float(np.abs(points).max(initial=0.0)), 1e-300)
    rows = np.sort(np.unique(np.round(points / (SAME * size)), axis=0, return_index=True)[1])
    if len(rows) <= k + 1:
        raise ValueError(f"{len(rows)} different cells are too few for {k} neighbours each. Measure more cells.")
    mine = points[rows]
    away = NearestNeighbors(n_neighbors=k + 1).fit(mine).kneighbors(mine)[0][:, 1:]
    away = np.maximum(away, SAME * size)
    ratios = np.log(away[:, -1:] / away[:, :-1])
    # Averaged over the k - 1 nearer ones; for one direction in which points lie, one.
    return np.asarray(ratios.mean(axis=1)), rows


def dimension_interval(
    points: Floats, units: pd.Series, k: int, *, level: float = 0.95, word: str = "unit"
) -> Interval:
    """Return the intrinsic dimension with its interval over units.

    Parameters
    ----------
    points : array (N, P)
        Cells in a space of features of equal scale.
    units : Series (N,)
        The unit of each.
    k : int
        How many neighbours.
    level : float
        Confidence level.
    word : str
        The word for a unit.

    Examples
    --------
    >>> points = np.random.default_rng(0).random((600, 3))
    >>> found = dimension_interval(points, pd.Series(np.arange(600) % 12), 10)
    >>> found.low < 3 < found.high + 0.5
    True
    """
    inverse, rows = inverse_dimensions(points, k)
    by = pd.Series(units.to_numpy()[rows], name=word)
    found = t_interval(inverse, by, level=level, target=f"intrinsic dimension ({k} neighbours)")
    low, high = (1 / found.high, 1 / found.low if found.low > 0 else math.inf)
    return Interval(
        1 / found.estimate, low, high, level, found.n_units, found.target, "t of the inverse", word, found.note
    )


def linear_dimension(points: Floats, share: float = 0.9) -> int:
    """Return how many principal components hold a share of the variance.

    Examples
    --------
    >>> linear_dimension(np.diag([3.0, 2.0, 1.0, 0.1]) @ np.eye(4))
    2
    """
    variances = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    return int(np.searchsorted(np.cumsum(variances) / variances.sum(), share - 1e-12)) + 1
