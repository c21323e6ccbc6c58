"""Where the images of an analysis lie: channels and files of every image set, found on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.cellprofiler_export import IMAGE, SET
from mlscope_nb.io.folder_walk import files_below
from mlscope_nb.io.pixels import EXTENSIONS

# CellProfiler writes these for images that it loaded, but not for those that it saved (outlines, overlays).
LOADED = ("Width_", "Height_", "MD5Digest_", "Scaling_")
LEVELS_BELOW = 3
MOST_BESIDE = 50_000
Channels = Sequence[str] | Mapping[str, str] | None


class ImageFile(NamedTuple):
    """One channel of one image set: the file, and which channel or frame of it (-1: the file has but one)."""

    file: Path
    plane: int = -1


class ImageSets(NamedTuple):
    """Files of each image set that was found, by (export, ImageNumber), and the reason for each of the others."""

    channels: tuple[str, ...]
    files: dict[tuple[str, int], list[ImageFile]]
    missing: dict[tuple[str, int], str]


def channel_columns(table: pd.DataFrame, channels: Channels = None) -> dict[str, str]:
    """Return the channels of a table of images: the name to show, and CellProfiler's name of it.

    Parameters
    ----------
    table : DataFrame
        With columns FileName_DNA, …
    channels : list of str, or dict of str, optional
        Which ones, in this order; a dict renames: ``{"DNA": "OrigDNA"}``.

    Raises
    ------
    ValueError
        A channel that was asked for is not there.

    Examples
    --------
    >>> names = ["FileName_DNA", "FileName_Overlay", "Width_DNA", "FileName_Illum", "Width_Illum"]
    >>> values = ["d.tif", "o.png", 512, "i.npy", 512]
    >>> channel_columns(pd.DataFrame([values], columns=names))
    {'DNA': 'DNA'}
    """
    have = [c.removeprefix("FileName_") for c in table.columns if c.startswith("FileName_")]
    images = [name for name in have if _are_images(table[f"FileName_{name}"])]
    loaded = [name for name in images if any(f"{kind}{name}" in table.columns for kind in LOADED)]
    if channels is None:
        return {name: name for name in loaded or images}
    asked = [channels] if isinstance(channels, str) else channels
    wanted = dict(asked) if isinstance(asked, Mapping) else {name: name for name in asked}
    unknown = [old for old in wanted.values() if old not in have]
    if unknown:
        raise ValueError(f"No channel {some(unknown)} among the images of the analysis. Channels: {some(have, 20)}.")
    return wanted


def find_images(
    table: pd.DataFrame, folders: Mapping[str, Path], channels: Channels = None, images: str | Path | None = None
) -> ImageSets:
    """Find the files of every image set.

    Parameters
    ----------
    table : DataFrame
        One row per image set: ``export, ImageNumber, FileName_…, PathName_…``.
    folders : dict of paths
        Where the tables of each export lie; "" stands for all others.
    channels
        As in `channel_columns`.
    images : path, optional
        The folder of the images. Default: where the analysis found them, else beside the tables.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        A channel is not there, or the folder holds too many files.
    """
    names = channel_columns(table, channels)
    if images is not None and not Path(images).is_dir():
        raise FileNotFoundError(f"There is no folder '{images}'. Give the folder that holds the images.")
    lists: dict[Path, dict[str, list[Path]]] = {}
    found: dict[tuple[str, int], list[ImageFile]] = {}
    missing: dict[tuple[str, int], str] = {}
    for row in _records(table, names.values()):
        key = (str(row[SET]), int(row[IMAGE]))
        folder = Path(images) if images is not None else folders[key[0] if key[0] in folders else ""]
        files = [_found(row, name, folder, images is None, lists) for name in names.values()]
        lost = [str(row.get(f"FileName_{n}")) for n, f in zip(names.values(), files, strict=True) if f is None]
        if lost:
            missing[key] = f"{count(len(lost), 'file')} not found in '{folder}': {some(lost, 3)}"
        else:
            found[key] = [ImageFile(f, _plane(row, n)) for n, f in zip(names.values(), files, strict=True) if f]
    return ImageSets(tuple(names), found, missing)


def _records(table: pd.DataFrame, names: Iterable[str]) -> list[dict[str, Any]]:
    kinds = ("FileName_", "PathName_", "Channel_", "Frame_", "Series_")
    wanted = [SET, IMAGE, *(f"{kind}{name}" for name in names for kind in kinds)]
    chosen = table[[c for c in wanted if c in table.columns]]
    return [{str(k): v for k, v in row.items()} for row in chosen.to_dict("records")]


def _are_images(column: pd.Series) -> bool:
    names = column.dropna().astype(str)
    return bool(len(names)) and bool(names.str.lower().str.endswith(EXTENSIONS).all())


def _found(
    row: Mapping[str, Any], name: str, folder: Path, as_written: bool, lists: dict[Path, dict[str, list[Path]]]
) -> Path | None:
    """Return the file of a channel; the folder it was in helps where several have one name."""
    written = row.get(f"FileName_{name}")
    if not isinstance(written, str) or not written.lower().endswith(EXTENSIONS):
        return None
    parts = [
        p for p in re.split(r"[\\/]", f"{row.get(f'PathName_{name}') or ''}/{written}") if p not in ("", ".", "..")
    ]
    path = row.get(f"PathName_{name}")
    if as_written and isinstance(path, str) and os.path.isabs(path) and not path.startswith(("//", "\\\\")):
        original = Path(path) / parts[-1]
        if original.is_file():
            return original
    candidates = _listed(folder, as_written, lists).get(parts[-1].lower(), [])
    return candidates[0] if len(candidates) == 1 else _closest(candidates, parts)


def _closest(candidates: Sequence[Path], parts: Sequence[str]) -> Path | None:
    """Return the one candidate that shares more of its folders with the path than all others, or none."""
    shared = [_shared(file.parts, parts) for file in candidates]
    best = max(shared, default=0)
    return candidates[shared.index(best)] if best > 1 and shared.count(best) == 1 else None


def _shared(file: Sequence[str], parts: Sequence[str]) -> int:
    same = [a.lower() == b.lower() for a, b in zip(reversed(file), reversed(parts), strict=False)]
    return same.index(False) if False in same else len(same)


def _listed(folder: Path, as_written: bool, lists: dict[Path, dict[str, list[Path]]]) -> dict[str, list[Path]]:
    """Return the images in a folder and below it by name; each folder is looked through once."""
    if folder not in lists:
        lists[folder] = {}
        for file in _beside(folder) if as_written else files_below(folder, EXTENSIONS):
            lists[folder].setdefault(file.name.lower(), []).append(file)
    return lists[folder]


def _beside(folder: Path) -> list[Path]:
    """Return the images near the tables; none where these lie among so much that nobody meant it."""
    try:
        return files_below(folder, EXTENSIONS, deepest=LEVELS_BELOW, most=MOST_BESIDE)
    except ValueError:
        return []


def _plane(row: Mapping[str, Any], name: str) -> int:
    """Return which channel, frame or series of the file it is; -1 where the analysis took the file as one image."""
    for kind in ("Channel_", "Frame_"):
        value = row.get(f"{kind}{name}")
        if isinstance(value, int | float) and value == value and value >= 0:
            if kind == "Frame_" and value == 0:
                continue
            return int(value)
    return -1
