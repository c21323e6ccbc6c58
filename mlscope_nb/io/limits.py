"""What a file says of itself is checked before memory is asked for: sizes that cannot be, names that lead elsewhere."""

from __future__ import annotations

import os
import re
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tifffile

MAX_BYTES = 4 * 2**30
# Deflate shrinks what is empty 1,032-fold, LZW 1,365-fold; images and masks of cells stay far below this.
MOST_SHRUNK = 300
SMALL = 256 * 2**20
# What zipfile and numpy raise for bytes that are not what was written.
DAMAGE = (
    zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError,
    TypeError, UnicodeError, struct.error, zlib.error, OverflowError, tokenize.TokenError,
)  # fmt: skip
_COUNTS = re.compile(r'\b(?:Size[XYZCT]|PlaneCount|NumPlanes|IFD|First[ZCT])\s*=\s*"(\d+)"')
_FILES = re.compile(r'\bFileName\s*=\s*"([^"]*)"')


def check_size(n_bytes: int, on_disk: int, *, compressed: bool = True) -> None:
    """Refuse what would take more memory than there is reason for.

    Parameters
    ----------
    n_bytes : int
        What the file says it holds.
    on_disk : int
        How large it is.
    compressed : bool
        Whether it may hold more than its own size.

    Raises
    ------
    ValueError
        More than 4 GB, or far more than can be packed into the file.
    """
    if n_bytes > MAX_BYTES:
        raise ValueError(f"says it holds {n_bytes / 2**30:,.0f} GB; cut it into tiles first")
    if not compressed and n_bytes > on_disk:
        raise ValueError(f"is cut short: says it holds {n_bytes:,} bytes, the file has {on_disk:,}")
    if n_bytes > SMALL and n_bytes > MOST_SHRUNK * max(on_disk, 1):
        raise ValueError(f"says it holds {n_bytes / 2**20:,.0f} MB in {on_disk:,} bytes, which cannot be real")


def first_series(tiff: tifffile.TiffFile, file: Path) -> tifffile.TiffPageSeries:
    """Return the first image series of an open TIFF, if it holds what it says.

    Raises
    ------
    ValueError
        There is none; its OME metadata name files elsewhere, or sizes that cannot be; planes are missing.
    """
    if tiff.ome_metadata:
        check_ome(tiff.ome_metadata)
    if not tiff.series:
        raise ValueError("no image in the file")
    series = tiff.series[0]
    missing = sum(page is None for page in series.pages)
    if missing:
        raise ValueError(
            f"{missing} of its {len(series.pages)} planes are not there; files that belong to it may be missing"
        )
    size = os.path.getsize(file)
    if len({page.parent.filename for page in series.pages if page is not None}) > 1:
        size *= len(series.pages)  # the planes are spread over several files
    check_size(series.nbytes, size, compressed=series.keyframe.is_tiled or int(series.keyframe.compression) != 1)
    return series


def check_ome(xml: str) -> None:
    """Refuse OME metadata that name files in other folders, or more planes than any file holds.

    Raises
    ------
    ValueError
        What was found.

    Examples
    --------
    >>> check_ome('<UUID FileName="b.ome.tif">')
    """
    for name in _FILES.findall(xml):
        if not is_plain_name(name):
            raise ValueError(f"its OME metadata lead to a file elsewhere ('{name[:100]}'); only its own folder is read")
    large = [n for n in _COUNTS.findall(xml) if len(n) > 7]
    if large:
        raise ValueError(f"its OME metadata name {large[0][:30]} planes or pixels, which cannot be real")


def is_plain_name(name: str) -> bool:
    """Whether a name stays in its folder."""
    return bool(name) and not re.search(r"[\\/\0:]", name) and name not in (".", "..")


def inside(parts: str) -> tuple[str, ...]:
    """Return the pieces of a relative path, refusing any that leaves its folder.

    Raises
    ------
    ValueError
        It is absolute, empty, or goes up.

    Examples
    --------
    >>> inside("A/1/0")
    ('A', '1', '0')
    """
    path = PurePosixPath(parts)
    pieces = path.parts
    if not pieces or path.is_absolute() or not all(map(is_plain_name, pieces)):
        raise ValueError(f"the path '{parts[:100]}' leads elsewhere or nowhere; only what lies inside is read")
    return pieces


def check_archive(path: Path, most: int = MAX_BYTES, *, what: str = "an archive") -> list[str]:
    """Return the names in a zip archive, if unpacking it in memory is reasonable.

    Raises
    ------
    ValueError
        It is damaged, or says that it holds more than `most` bytes, or more than could be packed into it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except DAMAGE as error:
        raise ValueError(f"'{path}' cannot be read as {what}: {error}.") from error
    total, packed = sum(e.file_size for e in entries), os.path.getsize(path)
    try:
        check_size(total if total <= most else max(total, MAX_BYTES + 1), packed)
    except ValueError as error:
        raise ValueError(f"'{path}' {error}.") from error
    return [e.filename for e in entries]


def check_npz(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return shape and type of each array in an npz file, if each holds what its header says.

    Raises
    ------
    ValueError
        The file is damaged, holds objects, or would take unreasonable memory; the message names the file.
    """
    check_archive(path, what="npz")
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".npy"):
                    with archive.open(entry) as stream:
                        found[entry.filename.removesuffix(".npy")] = npy_header(stream, entry.file_size)
    except DAMAGE as error:
        raise ValueError(f"'{path}' cannot be read as npz: {error}. Objects (pickles) are never loaded.") from error
    return found


def npy_header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array in numpy's format whose file has `size` bytes.

    Raises
    ------
    ValueError
        It holds objects, or says that it holds more than there is.
    """
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are never loaded")
    if any(n < 0 for n in shape) or not all(isinstance(n, int) for n in shape):
        raise ValueError(f"says it has shape {shape}")
    check_size(int(np.prod(shape, dtype=object)) * dtype.itemsize, size, compressed=False)
    return shape, dtype


def check_header(shape: tuple[int, ...], dtype: np.dtype, on_disk: int) -> None:
    """Refuse an array whose header says more than its file can hold, or that holds objects.

    Raises
    ------
    ValueError
        What was found.
    """
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are never loaded")
    check_size(int(np.prod(shape, dtype=object)) * dtype.itemsize, on_disk)
