"""Extremes: cells far from the rest of their unit, drawn in so that a spoilt one does not speak for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def drawn_in(values: Floats, part: NDArray[Any], batch: NDArray[Any], clip: float) -> Floats:
    """Return values at most `clip` robust deviations from the median of their part.

    A few cells with the light of a piece of dust in them can move the mean of a whole well, and hide what a treatment
    does. The deviation is that of cells from the median of their part, all parts of a batch together; groups are not
    looked at, so that a test stays as honest as it was. Where more than half of all cells have the value of their
    part's median (a count that is mostly 0), it is the standard deviation.

    Parameters
    ----------
    values : array (N, P)
        Features; NaN stays.
    part : array (N,)
        What is averaged: the unit of each cell.
    batch : array (N,)
        Within which cells vary alike.
    clip : float
        How many deviations.

    References
    ----------
    Dixon & Tukey 1968, Technometrics 10:83 (winsorised means in a t test); the scale is 1.4826 times the median
    absolute deviation (Hampel 1974, JASA 69:383).

    Examples
    --------
    >>> area = np.array([[1.0], [2.0], [3.0], [4.0], [500.0]])
    >>> drawn_in(area, np.zeros(5), np.zeros(5), 5).ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0, 10.4]
    """
    frame = pd.DataFrame(values)
    middle = frame.groupby(part).transform("median").to_numpy()
    away = pd.DataFrame(np.abs(values - middle))
    scale = 1.4826 * away.groupby(batch).transform("median").to_numpy()
    plain = np.sqrt((away**2).groupby(batch).transform("mean").to_numpy())
    scale = np.where(scale > 1e-9 * plain, scale, plain)
    clipped: Floats = np.clip(values, middle - clip * scale, middle + clip * scale)
    return clipped
