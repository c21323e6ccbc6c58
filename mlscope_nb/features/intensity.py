"""Brightness inside each mask of a batch, in the grey levels of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
QUANTILES = {"LowerQuartileIntensity": 0.25, "MedianIntensity": 0.5, "UpperQuartileIntensity": 0.75}


def intensity(images: NDArray[np.generic], mask: NDArray[np.bool_]) -> Iterator[dict[str, Floats]]:
    """Measure each channel of images (N, C, Y, X) inside each mask (N, Y, X); empty masks give NaN."""
    n = len(images)
    cell, y, x = np.nonzero(mask)
    size = np.bincount(cell, minlength=n)
    for c in range(images.shape[1]):
        value = images[cell, c, y, x]
        yield {**_moments(cell, y, x, value.astype(np.float64), size), **_ordered(cell, value, size)}


def _moments(cell: Ints, y: Ints, x: Ints, value: Floats, size: Ints) -> dict[str, Floats]:
    n = len(size)
    known = np.where(size > 0, size, np.nan)
    total = np.bincount(cell, value, n)
    mean = total / known
    variance = np.bincount(cell, (value - mean[cell]) ** 2, n) / known
    weight = np.where(total != 0, total, np.nan)
    dy = np.bincount(cell, y * value, n) / weight - np.bincount(cell, y, n) / known
    dx = np.bincount(cell, x * value, n) / weight - np.bincount(cell, x, n) / known
    return {
        "IntegratedIntensity": np.where(size > 0, total, np.nan),
        "MeanIntensity": mean,
        "StdIntensity": np.sqrt(variance),
        # distance in pixels between the centre of the mask and the centre of its brightness
        "MassDisplacement": np.hypot(dy, dx),
    }


def _ordered(cell: Ints, value: NDArray[np.generic], size: Ints) -> dict[str, Floats]:
    """Return minimum, quartiles and maximum, from one sort of all pixels by cell and value."""
    ranked = _ranked(cell, value)
    start = np.cumsum(size) - size
    found = {"MinIntensity": 0.0, **QUANTILES, "MaxIntensity": 1.0}
    return {name: _quantile(ranked, start, size, q) for name, q in found.items()}


def _ranked(cell: Ints, value: NDArray[np.generic]) -> Floats:
    """Return values sorted within each cell; `cell` is in order already."""
    if value.dtype.kind == "u" and value.dtype.itemsize <= 4:
        # one whole number holds cell and value: sorting it is several times faster than sorting by two keys
        key = (cell.astype(np.int64) << 32) | value.astype(np.int64)
        key.sort()
        return (key & 0xFFFFFFFF).astype(np.float64)
    return value[np.lexsort((value, cell))].astype(np.float64)


def _quantile(ranked: Floats, start: Ints, size: Ints, q: float) -> Floats:
    """Return a quantile per cell by linear interpolation, as numpy does."""
    result = np.full(len(size), np.nan)
    full = size > 0
    position = q * (size[full] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, size[full] - 1)
    below, above = ranked[start[full] + low], ranked[start[full] + high]
    result[full] = below + (above - below) * (position - low)
    return result
