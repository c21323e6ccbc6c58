"""A walk through all of an HDF5 file, run as a program of its own: the HDF5 library hangs or crashes on damage.

It prints a line for every step, and at its end ``ok`` or what is wrong. It imports nothing of mlscope.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

SURELY_SMALL_BYTES = 2**28
LARGEST_RATIO = 2000
LARGEST_BYTES = 2**36
PIECE_BYTES = 2**24
MOST_PARTS = 200_000
DEEPEST = 32
STEP, OK, WRONG = ".", "ok", "wrong: "


def walk(path: str) -> Iterator[str]:
    """Yield a line for every step through the file, and at the end how it went."""
    try:
        with open(path, "rb") as stream:
            on_disk = stream.seek(0, 2)
        if not h5py.is_hdf5(path):
            raise ValueError("it is no HDF5 file, or its beginning is damaged")
        total = 0
        with h5py.File(path, "r", locking=False) as store:
            for n, (name, item) in enumerate(_items(store, "", 0)):
                if n > MOST_PARTS:
                    raise ValueError(f"it has more than {MOST_PARTS:,} parts")
                _ = dict(item.attrs.items())
                yield STEP
                if isinstance(item, h5py.Dataset):
                    total += _size(name, item, on_disk)
                    if total > LARGEST_BYTES:
                        raise ValueError(f"it says that it holds more than {LARGEST_BYTES / 2**30:,.0f} GB")
                    yield from _read(item)
        yield OK
    except (
        OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError, NotImplementedError,
        EOFError, OverflowError, MemoryError, AssertionError, UnicodeError,
    ) as error:  # fmt: skip
        yield WRONG + (str(error) or type(error).__name__).replace("\n", " ")


def _items(group: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield every part with its name; links that lead elsewhere are refused."""
    yield path or "/", group
    if depth > DEEPEST:
        raise ValueError(f"'{path[:100]}' lies deeper than {DEEPEST} groups")
    for name in group:
        here = f"{path}/{name}"
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(f"'{here}' leads to another file, '{link.filename}'; only the file itself is read")
        if isinstance(link, h5py.SoftLink):
            raise ValueError(f"'{here}' leads to '{link.path}'; links are not followed")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _items(item, here, depth + 1)
        else:
            yield here, item


def _size(name: str, item: Any, on_disk: int) -> int:
    """Return the bytes of an array, if the file can hold it."""
    if item.external or item.is_virtual:
        raise ValueError(f"'{name}' has its numbers in other files; only the file itself is read")
    n_bytes = int(np.prod(item.shape or (), dtype=object)) * item.dtype.itemsize
    if n_bytes > max(SURELY_SMALL_BYTES, LARGEST_RATIO * on_disk):
        raise ValueError(f"'{name}' says that it holds {n_bytes:,} bytes, in a file of {on_disk:,}")
    return n_bytes


def _read(item: Any) -> Iterator[str]:
    """Read an array a few rows at a time and forget it."""
    if not item.shape:
        if item.shape is not None:
            item[()]
        yield STEP
        return
    row = max(1, int(np.prod(item.shape[1:], dtype=object)) * item.dtype.itemsize)
    rows = max(1, PIECE_BYTES // row)
    if item.chunks:
        rows = max(1, rows // item.chunks[0]) * item.chunks[0]
    for start in range(0, item.shape[0], rows):
        item[start : start + rows]
        yield STEP


if __name__ == "__main__":
    for line in walk(sys.argv[1]):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
