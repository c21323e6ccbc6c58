"""DeepProfiler's features: one npz file a site, described by the index of the project."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count, some
from mlscope_nb.io import csv_tables
from mlscope_nb.io.folder_walk import files_below
from mlscope_nb.io.listing import Errors, Problem, report
from mlscope_nb.io.measured_columns import short_names
from mlscope_nb.io.npz_arrays import read_arrays

KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
FEATURES = ("features", "f")
INDEX = ("index.csv", "inputs/metadata/index.csv", "metadata/index.csv")
LEVELS_UP = 4
Part = tuple[pd.DataFrame, np.ndarray]


class Sites(NamedTuple):
    """Cells of all sites: what is known of each, their features, remarks, and files that were left out."""

    obs: pd.DataFrame
    features: pd.DataFrame
    remarks: list[str]
    problems: list[Problem]


def read_sites(path: str | Path, index: str | Path | pd.DataFrame | None, errors: Errors) -> Sites:
    """Read one npz file, or all of a folder and below it.

    Parameters
    ----------
    path : path
    index : path or DataFrame, optional
        DeepProfiler's index.csv (Metadata_Plate, Metadata_Well, Metadata_Site, …). Default: looked for beside the
        files and in the project around them.
    errors : {"warn", "raise"}

    Raises
    ------
    FileNotFoundError
        There is no npz file.
    ValueError
        No file could be read.
    """
    root = Path(path)
    files = [root] if root.is_file() else files_below(root, (".npz",))
    if not files:
        raise FileNotFoundError(f"There is no npz file in '{root}'. Give DeepProfiler's folder of features.")
    table = _index(root, index)
    rows = _rows_by_key(table) if table is not None else {}
    parts: list[Part] = []
    problems: list[Problem] = []
    unread: set[str] = set()
    for file in tqdm(files, desc="Reading features", unit="site", delay=2, leave=False):
        try:
            obs, features, objects = _site(file, root if root.is_dir() else root.parent, table, rows)
            if parts and features.shape[1] != parts[0][1].shape[1]:
                raise ValueError(f"has {count(features.shape[1], 'feature')}, the first has {parts[0][1].shape[1]:,}")
            parts.append((obs, features))
            unread |= objects
        except ValueError as error:
            problems.append({"file": str(file), "problem": str(error)})
    report(problems, errors, len(files), "its history (left_out)")
    if not parts:
        raise ValueError(f"None of {count(len(files), 'file')} could be read: {problems[0]['problem']}")
    return _joined(parts, _remarks(unread, table, parts), problems)


def _index(root: Path, index: str | Path | pd.DataFrame | None) -> pd.DataFrame | None:
    if isinstance(index, pd.DataFrame):
        return index.reset_index(drop=True)
    folders = [root if root.is_dir() else root.parent, *root.resolve().parents][: LEVELS_UP + 1]
    known = (folder / name for folder in folders for name in INDEX)
    file = Path(index) if index is not None else next((f for f in known if f.is_file()), None)
    if file is None:
        return None
    table = csv_tables.read_csv(file, is_text=lambda name: True)
    missing = [k for k in KEYS if k not in table.columns]
    if missing:
        raise ValueError(
            f"'{file}' has no column {some(missing)}, expected DeepProfiler's index with {', '.join(KEYS)}. "
            f"Columns: {some(table.columns, 12)}. Name another file with index=…"
        )
    return table


def _rows_by_key(table: pd.DataFrame) -> Mapping[str, int]:
    keys = table[list(KEYS)].astype(str).agg("/".join, axis=1).map(_plain)
    twice = keys[keys.duplicated()]
    if len(twice):
        raise ValueError(
            f"The index names {count(len(twice), 'site')} more than once: {some(twice, 3)}. Keep one row each."
        )
    return {key: i for i, key in enumerate(keys)}


def _plain(key: str) -> str:
    return re.sub(r"[/\\_\- ]+", "/", key).lower().strip("/")


def _site(
    file: Path, root: Path, table: pd.DataFrame | None, rows: Mapping[str, int]
) -> tuple[pd.DataFrame, np.ndarray, set[str]]:
    arrays, objects = read_arrays(file)
    name = next((n for n in FEATURES if n in arrays), None)
    if name is None:
        if any(n in objects for n in FEATURES):
            raise ValueError(
                f"'{file}' holds its features as Python objects, which are never loaded, because that can run any "
                "program. In the environment that wrote it: numpy.savez(new, features=numpy.stack(features))."
            )
        raise ValueError(f"'{file}' holds no 'features': {some([*arrays, *objects]) or 'nothing'}.")
    features = arrays[name]
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise ValueError(
            f"'{file}': features are {features.shape} {features.dtype}, expected numbers (cells, features)."
        )
    known = _known(file, root, table, rows)
    obs = pd.DataFrame({k: [v] * len(features) for k, v in known.items()})
    centres = arrays.get("locations")
    if centres is not None and centres.ndim == 2 and len(centres) == len(features) and centres.shape[1] >= 2:
        obs["y_px"], obs["x_px"] = centres[:, 1].astype(float), centres[:, 0].astype(float)
    elif centres is not None:
        raise ValueError(
            f"'{file}': {centres.shape} locations for {count(len(features), 'cell')}, expected x, y for each."
        )
    return obs, features, set(objects)


def _known(file: Path, root: Path, table: pd.DataFrame | None, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return what is known of a site: its row of the index, else plate, well and site by the name of the file."""
    parts = file.relative_to(root).with_suffix("").as_posix()
    # A plate may be in the name of the folder that was given.
    keys = [_plain(parts), _plain(f"{root.resolve().name}/{parts}"), _plain(file.stem)]
    row = next((rows[k] for k in keys if k in rows), None)
    if table is not None and row is not None:
        values = table.iloc[row]
        return {"field_id": parts, **dict(zip(short_names(list(table.columns), ["field_id"]), values, strict=True))}
    pieces = re.split(r"/", parts) if parts.count("/") >= 2 else parts.replace("/", "_").rsplit("_", 2)
    named = dict(zip(("Plate", "Well", "Site"), pieces[-3:], strict=True)) if len(pieces) >= 3 else {}
    return {"field_id": parts, **named}


def _remarks(unread: set[str], table: pd.DataFrame | None, parts: Sequence[Part]) -> list[str]:
    found = []
    if unread:
        where = (
            "the index says what they say" if table is not None else "give index=… (DeepProfiler's index.csv) instead"
        )
        found.append(f"{some(sorted(unread))} of the npz files are Python objects and were not loaded; {where}")
    if table is not None:
        have = set(short_names(list(table.columns), ["field_id"]))
        without = sum(len(have - set(obs.columns)) > 0 for obs, _ in parts)
        if without:
            found.append(f"{count(without, 'file')} without a row in the index; known by name only")
    return found


def _joined(parts: Sequence[Part], remarks: list[str], problems: list[Problem]) -> Sites:
    obs = pd.concat([o for o, _ in parts if len(o)] or [parts[0][0]], ignore_index=True)
    ids = [f"{f}-{k:04d}" for o, _ in parts for k, f in enumerate(o.get("field_id", []), 1)]
    obs.index = pd.Index(ids, dtype=object)
    values = np.concatenate([f for _, f in parts])
    names = [f"DP_{i}" for i in range(values.shape[1])]
    return Sites(obs, pd.DataFrame(values, index=obs.index, columns=names), remarks, problems)
