"""Arrays of an npz file, never unpickled: each is asked what it is before memory is given to it."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from mlscope_nb.io.limits import check_header

DAMAGE = (
    ValueError, OSError, EOFError, KeyError, TypeError, OverflowError, MemoryError, NotImplementedError, RuntimeError,
    SyntaxError, tokenize.TokenError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the arrays of an npz file; those that hold Python objects are named and stay unread.

    Returns
    -------
    arrays : dict of arrays
    objects : list of str
        Names of arrays that hold objects: they would have to be unpickled, which can run any program.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, or says that it holds more than it can.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "site.npz"
    >>> np.savez(file, features=np.zeros((2, 3)), metadata=np.array({"Well": "A01"}, dtype=object))
    >>> arrays, objects = read_arrays(file)
    >>> arrays["features"].shape, objects
    ((2, 3), ['metadata'])
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Check folder and name.")
    arrays: dict[str, np.ndarray] = {}
    objects: list[str] = []
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".npy"):
                    name = entry.filename.removesuffix(".npy")
                    if _holds_objects(archive, entry):
                        objects.append(name)
                    else:
                        with archive.open(entry) as stream:
                            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    except DAMAGE as error:
        reason = str(error)[:300] or type(error).__name__
        raise ValueError(f"'{file}' cannot be read as npz: {reason}. Is it cut short? Copy it again.") from error
    return arrays, objects


def _holds_objects(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as stream:
        shape, dtype = _header(stream)
    if not dtype.hasobject:
        check_header(shape, dtype, entry.compress_size)
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > entry.file_size:
            raise ValueError(f"'{entry.filename}' says it holds {shape}, which is more than is there")
    return bool(dtype.hasobject)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype
