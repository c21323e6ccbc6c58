"""Brightness inside each mask of a batch, in the grey levels of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
QUANTILES = {"LowerQuartileIntensity": 0.25, "MedianIntensity": 0.5, "UpperQuartileIntensity": 0.75}


def intensity(images: NDArray[np.generic], mask: NDArray[np.bool_]) -> dict[str, Floats]:
    """Measure one channel (N, Y, X) inside each mask (N, Y, X); empty masks give NaN."""
    n = len(images)
    cell, y, x = np.nonzero(mask)
    value = images[cell, y, x].astype(np.float64)
    size = np.bincount(cell, minlength=n).astype(np.float64)
    known = np.where(size > 0, size, np.nan)
    total = np.bincount(cell, value, n)
    mean = total / known
    variance = np.bincount(cell, (value - mean[cell]) ** 2, n) / known
    return {
        "IntegratedIntensity": np.where(size > 0, total, np.nan),
        "MeanIntensity": mean,
        "StdIntensity": np.sqrt(variance),
        **_ordered(cell, value, size.astype(int)),
        "MassDisplacement": _displacement(cell, y, x, value, known, total),
    }


def _ordered(cell: NDArray[np.intp], value: Floats, size: NDArray[np.int_]) -> dict[str, Floats]:
    """Return minimum, quartiles and maximum, from one sort of all pixels by cell and value."""
    ranked = value[np.lexsort((value, cell))]
    start = np.cumsum(size) - size
    found = {"MinIntensity": 0.0, **QUANTILES, "MaxIntensity": 1.0}
    return {name: _quantile(ranked, start, size, q) for name, q in found.items()}


def _quantile(ranked: Floats, start: NDArray[np.int_], size: NDArray[np.int_], q: float) -> Floats:
    """Return a quantile per cell by linear interpolation, as numpy does."""
    result = np.full(len(size), np.nan)
    full = size > 0
    position = q * (size[full] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, size[full] - 1)
    below, above = ranked[start[full] + low], ranked[start[full] + high]
    result[full] = below + (above - below) * (position - low)
    return result


def _displacement(
    cell: NDArray[np.intp], y: NDArray[np.intp], x: NDArray[np.intp], value: Floats, size: Floats, total: Floats
) -> Floats:
    """Distance in pixels between the centre of the mask and the centre of its brightness."""
    n = len(size)
    weight = np.where(total != 0, total, np.nan)
    dy = np.bincount(cell, y * value, n) / weight - np.bincount(cell, y, n) / size
    dx = np.bincount(cell, x * value, n) / weight - np.bincount(cell, x, n) / size
    return np.hypot(dy, dx)
