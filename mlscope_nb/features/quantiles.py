"""Quantiles of the pixels of each cell, from one sort of all pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def ranked(cell: Ints, value: NDArray[np.generic]) -> Floats:
    """Return values sorted within each cell; `cell` is in order already."""
    if value.dtype.kind == "u" and value.dtype.itemsize <= 4:
        # one whole number holds cell and value: sorting it is several times faster than sorting by two keys
        key = (cell.astype(np.int64) << 32) | value.astype(np.int64)
        key.sort()
        return (key & 0xFFFFFFFF).astype(np.float64)
    return value[np.lexsort((value, cell))].astype(np.float64)


def quantile(values: Floats, start: Ints, size: Ints, q: float) -> Floats:
    """Return a quantile per cell of sorted values by linear interpolation, as numpy does; NaN for an empty cell."""
    result = np.full(len(size), np.nan)
    full = size > 0
    position = q * (size[full] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, size[full] - 1)
    below, above = values[start[full] + low], values[start[full] + high]
    result[full] = below + (above - below) * (position - low)
    return result
