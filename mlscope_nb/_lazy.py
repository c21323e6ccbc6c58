"""Rows of an array that is too large to copy: chosen now, read when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np


class Rows:
    """A selection of rows of an array on disk, read in the order asked for.

    Parameters
    ----------
    base : array with shape, dtype and slicing (zarr)
        First axis: rows.
    rows : numpy.ndarray of int
        Row numbers in `base`.
    """

    def __init__(self, base: Any, rows: np.ndarray) -> None:
        self._base, self._rows = base, np.asarray(rows)
        self.dtype = np.dtype(base.dtype)
        self.shape = (len(self._rows), *base.shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        chosen = self._rows[first]
        if np.ndim(chosen) == 0:
            return np.asarray(self._base[int(chosen)])[rest]
        return read_rows(self._base, chosen)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(read_rows(self._base, self._rows), dtype=dtype)


def take(array: Any, rows: np.ndarray) -> Any:
    """Choose rows: numpy and dask at once, arrays on disk when they are read."""
    if isinstance(array, np.ndarray) or hasattr(array, "dask"):
        return array[rows]
    if isinstance(array, Rows):
        return Rows(array._base, array._rows[rows])
    return Rows(array, rows)


def read_rows(array: Any, rows: np.ndarray | slice) -> np.ndarray:
    """Read rows into memory, whatever holds them."""
    if isinstance(rows, slice) or isinstance(array, np.ndarray | Rows):
        part = array[rows]
    else:
        order = np.unique(rows)
        get = array.oindex if hasattr(array, "oindex") else array
        part = np.asarray(get[order])[np.searchsorted(order, rows)]
    return np.asarray(part.compute() if hasattr(part, "compute") else part)
