"""Which points lie in a region of a map."""

from __future__ import annotations

import numpy as np


def inside(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Whether each point lies in a closed line, by the crossing number; only those in its box are looked at."""
    low, high = line.min(axis=0), line.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    x, y = points[near].T
    odd = np.zeros(len(near), bool)
    for (x1, y1), (x2, y2) in zip(line, np.roll(line, -1, axis=0), strict=True):
        if y1 != y2:
            odd ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    result = np.zeros(len(points), bool)
    result[near] = odd
    return result
