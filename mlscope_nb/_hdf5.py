"""HDF5 files that a full disk cannot hurt: the library ends the whole process when it closes what it cannot write."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class RememberingFile(io.FileIO):
    """A file that remembers what the disk refused, and tells it when asked, not HDF5.

    What was refused is kept in memory until the file is closed and is read back from there: HDF5 reads its own tables
    again while it writes, and ends the process where they are not what it wrote.

    Parameters
    ----------
    path : path
        Created anew.

    Attributes
    ----------
    failure : OSError or None
        The first error.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "w+")
        self.failure: OSError | None = None
        self._refused: list[tuple[int, bytes]] = []

    def write(self, data: Any) -> int:
        """Write all of it, or remember what could not be written, and why."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest) and self.failure is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.failure = error
        if len(rest):
            place = self.tell()
            self._refused.append((place, bytes(rest)))
            super().seek(place + len(rest))
        return size

    def readinto(self, buffer: Any) -> int:
        """Read what was written, on disk or not; zeros where nothing was."""
        place, view = self.tell(), memoryview(buffer).cast("B")
        size = min(len(view), max(0, self._end() - place))
        found = super().readinto(view[:size]) or 0
        view[found:size] = bytes(size - found)
        for start, data in self._refused:
            first, last = max(start, place), min(start + len(data), place + size)
            if first < last:
                view[first - place : last - place] = data[first - start : last - start]
        super().seek(place + size)
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted from the start, from here, or from the end of all that was written."""
        if whence == io.SEEK_END:
            offset, whence = self._end() + offset, io.SEEK_SET
        return super().seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        """Change the length of the file, or remember why not."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.failure = error
        return size or 0

    def check(self) -> None:
        """Raise what the disk refused, if it did: much that is still to be written need not be kept in memory then."""
        if self.failure is not None:
            raise self.failure

    def _end(self) -> int:
        place = self.tell()
        end = super().seek(0, io.SEEK_END)
        super().seek(place)
        return max(end, *(start + len(data) for start, data in self._refused)) if self._refused else end


@contextmanager
def new_hdf5(path: str | Path) -> Iterator[tuple[Any, RememberingFile]]:
    """Give a new HDF5 file (h5py.File) to write into, and the file under it, which says whether the disk is full.

    Raises
    ------
    OSError
        The disk refused a part of it.
    """
    import h5py

    with RememberingFile(path) as raw:
        try:
            with h5py.File(raw, "w") as store:
                yield store, raw
        finally:
            # Also in place of what HDF5 made of it.
            raw.check()
