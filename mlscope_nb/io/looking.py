"""What lies in a folder, by kind of file, without reading more than is needed to tell."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mlscope_nb._words import meant, some
from mlscope_nb.io.listing import Problem, natural
from mlscope_nb.io.pixels import EXTENSIONS

VENDORS = (".czi", ".nd2", ".lif", ".oib", ".oif", ".vsi", ".lsm", ".dv", ".ims")
TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".parquet", ".sqlite", ".db")
HDF5 = (".h5ad", ".h5sc", ".h5", ".hdf5")
ARRAYS = (".npz", ".npy")
OTHERS = (".mlscope", ".zip")
MAX_FILES, MAX_DEPTH, MAX_SECONDS = 100_000, 5, 10.0
MAX_NAMES = 1000
ZARR_MARKS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


@dataclass
class Found:
    """Files by kind, in natural order, and what could not be looked at."""

    images: list[Path] = field(default_factory=list)
    zarrs: list[Path] = field(default_factory=list)
    vendors: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    hdf5: list[Path] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def look(path: Path) -> Found:
    """List what lies at a path: a file, or a folder and those below it; links to elsewhere are not followed.

    Raises
    ------
    FileNotFoundError
        There is nothing of that name.
    """
    if not path.exists():
        # "D:\new" holds a line break for Python, and on Linux a backslash is a letter
        slashes = " Write it with / and not with \\." if "\\" in str(path) or not str(path).isprintable() else ""
        looked = f"There is no file or folder '{path}' (looked from '{Path.cwd()}')."
        raise FileNotFoundError(f"{looked}{slashes}{_nearby(path)}")
    found = Found()
    if path.is_file():
        _sort_in(path, found)
        return found
    if is_zarr(path):
        found.zarrs.append(path)
        return found
    _walk(path, found)
    for name in ("images", "zarrs", "vendors", "tables", "hdf5", "arrays", "others"):
        getattr(found, name).sort(key=lambda p: natural(str(p)))
    return found


def _nearby(path: Path) -> str:
    """Name the folders that are there, beside where the path ends; the nearest in spelling first."""
    try:
        entries = [entry.name for entry in islice(path.parent.iterdir(), MAX_NAMES) if entry.is_dir()]
    except OSError:
        return ""
    names = sorted(name for name in entries if not name.startswith((".", "_")))
    return f"{meant(path.name, names)} Folders there: {some(names, 8)}." if names else ""


def is_zarr(folder: Path) -> bool:
    """Whether a folder holds a zarr group or array."""
    return any((folder / mark).is_file() for mark in ZARR_MARKS)


def kind_of(file: Path) -> str:
    """Return the kind of a file by its ending: the name of the list in `Found` that it belongs to, or ""."""
    name = file.name.lower()
    for kind, endings in (
        ("images", EXTENSIONS), ("vendors", VENDORS), ("tables", TABLES), ("hdf5", HDF5), ("arrays", ARRAYS),
        ("others", OTHERS),
    ):  # fmt: skip
        if name.endswith(endings):
            return kind
    return ""


def _walk(path: Path, found: Found) -> None:
    start, n, base = time.monotonic(), 0, len(path.parts)
    for folder, subfolders, files in os.walk(path, followlinks=False):
        here = Path(folder)
        subfolders[:] = sorted(d for d in subfolders if not d.startswith((".", "__")))
        zarrs = [d for d in subfolders if is_zarr(here / d)]
        found.zarrs += [here / d for d in zarrs]
        subfolders[:] = [d for d in subfolders if d not in zarrs]
        if len(here.parts) - base >= MAX_DEPTH and subfolders:
            found.problems.append(
                {"file": folder, "problem": f"folders below the {MAX_DEPTH}th level were not looked at"}
            )
            subfolders[:] = []
        for name in files:
            if not name.startswith("."):
                _sort_in(here / name, found)
        n += len(files)
        if n > MAX_FILES or time.monotonic() - start > MAX_SECONDS:
            found.problems.append({"file": folder, "problem": f"only the first {n:,} files were looked at"})
            return


def _sort_in(file: Path, found: Found) -> None:
    kind = kind_of(file)
    if kind and file.is_file():
        getattr(found, kind).append(file)
