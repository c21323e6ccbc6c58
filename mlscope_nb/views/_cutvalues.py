"""Numbers of a threshold view: bars of its histogram, and what may be a threshold."""

from __future__ import annotations

import math

import numpy as np

_BARS = 60


def bars(places: np.ndarray) -> list[int]:
    """Count how many of these places (0 to 1) fall into each bar."""
    counts: list[int] = np.histogram(places, bins=_BARS, range=(0, 1))[0].tolist()
    return counts


def checked(threshold: float) -> float:
    """Return a threshold as a finite number, or say what was found instead."""
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
        raise TypeError(f"threshold is {threshold!r}, expected a number.")
    if not math.isfinite(threshold):
        raise ValueError(f"threshold is {threshold}, expected a finite number.")
    return float(threshold)
