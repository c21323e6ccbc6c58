"""HDF5 files that a full disk cannot hurt: the library ends the whole process when it closes what it cannot write."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class RememberingFile(io.FileIO):
    """A file that remembers what the disk refused, and tells it when asked, not HDF5.

    Parameters
    ----------
    path : path
        Created anew.

    Attributes
    ----------
    failure : OSError or None
        The first error; everything after it is dropped.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "w+")
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, or remember why not."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest) and self.failure is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the length of the file, or remember why not."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.failure = error
        return size or 0


@contextmanager
def new_hdf5(path: str | Path) -> Iterator[Any]:
    """Give a new HDF5 file (h5py.File) to write into.

    Raises
    ------
    OSError
        The disk refused a part of it.
    """
    import h5py

    with RememberingFile(path) as raw:
        try:
            with h5py.File(raw, "w") as store:
                yield store
        finally:
            # Also in place of what HDF5 made of it.
            if raw.failure is not None:
                raise raw.failure
