"""Crops in the files of many fields, read as one array, a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class StoredCrops:
    """One part of the records of many files (images, masks), as one array whose first axis is the cells.

    Parameters
    ----------
    files : sequence of Path
        Written by `parts.records`, each with at least one cell.
    counts : sequence of int
        How many cells each file holds.
    name : str
        "images", "masks", or "of " and the name of a compartment.
    dtype, shape
        Of one cell.
    """

    def __init__(
        self, files: Sequence[Path], counts: Sequence[int], name: str, dtype: Any, shape: tuple[int, ...]
    ) -> None:
        self._files, self._name = tuple(files), name
        self._ends = np.cumsum(counts, dtype=np.int64)
        self.dtype = np.dtype(dtype)
        self.shape = (int(self._ends[-1]) if len(files) else 0, *shape)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        rows = np.arange(len(self))[first]
        if np.ndim(rows) == 0:
            return self._read(np.array([rows]))[0][rest]
        return self._read(rows)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        owners = np.searchsorted(self._ends, rows, side="right")
        starts = np.concatenate([[0], self._ends[:-1]])
        for owner in np.unique(owners):
            mine = owners == owner
            result[mine] = self._records(int(owner))[self._name][rows[mine] - starts[owner]]
        return result

    def _records(self, i: int) -> NDArray[Any]:
        """Map one file: only the rows that are asked for are read."""
        n = int(self._ends[i] - (self._ends[i - 1] if i else 0))
        return open_records(self._files[i], n)


def open_records(file: Path, n: int) -> NDArray[Any]:
    """Map the records of one field.

    Raises
    ------
    ValueError
        The file is damaged, or holds another number of cells.
    """
    try:
        found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"'{file}' cannot be read: {error}. Delete it and run again.") from error
    if found.shape != (n,):
        raise ValueError(f"'{file}' holds {found.shape} records, expected ({n},). Delete it and run again.")
    return found
