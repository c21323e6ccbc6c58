"""A small still picture of a map, for notebooks that are read without their kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlscope_nb._pictures import rgb


def snapshot(points: np.ndarray, colours: Sequence[str], *, width: int = 380, height: int = 280) -> np.ndarray:
    """Draw points (N, 2) in their colours on white, uint8 (height, width, 3), y upwards."""
    picture = np.full((height, width, 3), 255, np.uint8)
    kept = np.isfinite(points).all(axis=1)
    if not kept.any():
        return picture
    xy = points[kept]
    span = np.maximum(np.ptp(xy, axis=0), 1e-12)
    place = (xy - xy.min(axis=0)) / span
    column = (6 + place[:, 0] * (width - 13)).astype(int)
    row = (6 + (1 - place[:, 1]) * (height - 13)).astype(int)
    unique, which = np.unique(np.asarray(colours, dtype=object)[kept].astype(str), return_inverse=True)
    ink = np.array([rgb(c) for c in unique], np.uint8)[which]
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            picture[row + dy, column + dx] = ink
    return picture
