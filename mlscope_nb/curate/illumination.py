"""Illumination: how brightly the place of each cell in its field is lit, from the background of all cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.floating]
PLACES = ("y_px", "x_px")
# Six terms of a surface of second order need several cells each.
_FEWEST = 30
_ROUNDS = 3


def lit(obs: pd.DataFrame, level: Floats, plates: NDArray[np.integer]) -> Floats:
    """Return the illumination where each cell lies, relative to the median over the cells of its plate.

    A surface of second order is fitted to the background of each plate and channel by least squares, three times
    without what lies far off. The offset of the camera is part of the background, so real differences are larger.

    Parameters
    ----------
    obs : DataFrame
        With ``y_px`` and ``x_px``, the places of cells in their fields.
    level : array (N, C)
        Background of each cell.
    plates : array (N,)
        Number of the plate of each cell.

    Returns
    -------
    array (N,)
        NaN without places, or where a plate has fewer than 30 cells.
    """
    out = np.full(len(obs), np.nan)
    if not all(name in obs and pd.api.types.is_numeric_dtype(obs[name]) for name in PLACES):
        return out
    place = obs[list(PLACES)].to_numpy(float)
    for plate in np.unique(plates):
        rows = np.flatnonzero((plates == plate) & np.isfinite(place).all(1))
        if len(rows) >= _FEWEST:
            fitted = np.stack([_surface(place[rows], column) for column in level[rows].T])
            with np.errstate(divide="ignore", invalid="ignore"):
                out[rows] = np.mean(fitted / np.median(fitted, axis=1, keepdims=True), axis=0)
    return out


def _surface(place: Floats, level: Floats) -> Floats:
    y, x = ((p - p.mean()) / max(float(p.std()), 1e-9) for p in place.T)
    terms = np.stack([np.ones_like(y), y, x, y * y, x * x, y * x], 1)
    use = np.ones(len(level), bool)
    fitted = np.full(len(level), np.median(level))
    for _ in range(_ROUNDS):
        away = np.abs(level - fitted)
        use = away <= 5 * max(float(np.median(away)), 1e-9)
        fitted = terms @ np.linalg.lstsq(terms[use], level[use], rcond=None)[0]
    return fitted
