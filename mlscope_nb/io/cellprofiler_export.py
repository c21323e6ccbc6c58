"""What CellProfiler wrote: which files or tables hold objects, which images, under one set of names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io import csv_tables, sqlite_tables
from mlscope_nb.io.folder_walk import files_below
from mlscope_nb.io.listing import Errors, Problem, report

IMAGE, OBJECT, SET = "ImageNumber", "ObjectNumber", "export"
KEYS = [SET, IMAGE, OBJECT]
OF_IMAGES = ("Metadata_", "FileName_", "PathName_", "URL_", "ImageSet_")
MEASURED = re.compile(r"^(\w+?)_(?:Number_Object_Number|AreaShape_Area|Location_Center_X|Parent_\w+)$")
PER_TABLE = re.compile(r"^(?:.*_)?Per_(.+)$", re.IGNORECASE)
# Cells_AreaShape_Area, but neither AreaShape_Area nor Texture_Correlation_DNA
NAMED = re.compile(
    r"^(?!(?:AreaShape|Correlation|Intensity|Math|Neighbors|Texture)_)\w+?_(?:AreaShape|Intensity|Location|Texture)_"
)
MEANS = ("Mean_", "Median_", "StDev_")
USUAL = ("Cells", "Cell", "Nuclei", "Nucleus", "Cytoplasm")


class Export(NamedTuple):
    """One analysis: a table per object with columns ``export, ImageNumber, ObjectNumber, Cells_…``; images."""

    objects: dict[str, pd.DataFrame]
    images: pd.DataFrame
    folders: dict[str, Path]
    problems: list[Problem]


def read_export(path: str | Path, errors: Errors = "warn") -> Export:
    """Read all tables of a CellProfiler analysis, whatever they were exported to.

    Parameters
    ----------
    path : path
        A folder of CSV files, a folder of such folders, one CSV file, or an SQLite file.
    errors : {"warn", "raise"}
        Of many folders, leave out those that cannot be read and name them, or stop.

    Returns
    -------
    Export

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    ValueError
        Nothing that CellProfiler writes was found, or a table is damaged or names an object twice.
    """
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(f"There is no '{source}'. Give the folder of CellProfiler's CSV files or its database.")
    if source.is_file():
        found = _from_sqlite(source) if _looks_like_database(source) else _from_csv([source], "", source.parent)
        return found if found is not None else _nothing(source, [source.name])
    files = _csv_files(source)
    if not files:
        databases = sorted(p for p in source.iterdir() if sqlite_tables.is_sqlite(p))
        if len(databases) == 1:
            return _from_sqlite(databases[0])
        names = some(p.name for p in databases) or "no CSV file"
        raise ValueError(f"'{source}' holds {names}, expected CellProfiler's CSV files or one SQLite file. Name it.")
    return _from_folders(source, files, errors)


def _looks_like_database(file: Path) -> bool:
    return sqlite_tables.is_sqlite(file) or file.suffix.lower() in (".sqlite", ".sqlite3", ".db")


def _csv_files(folder: Path) -> dict[Path, list[Path]]:
    """Return the CSV files by folder; subfolders are asked only where the folder itself holds none."""
    own = sorted(p for p in folder.iterdir() if p.name.lower().endswith(csv_tables.ENDINGS))
    if any(_kind(p)[0] for p in own):
        return {folder: own}
    found: dict[Path, list[Path]] = {}
    for file in files_below(folder, csv_tables.ENDINGS):
        found.setdefault(file.parent, []).append(file)
    return found


def _from_folders(source: Path, folders: Mapping[Path, Sequence[Path]], errors: Errors) -> Export:
    if len(folders) == 1:
        folder, files = next(iter(folders.items()))
        return _from_csv(files, "", folder) or _nothing(source, [p.name for p in files])
    parts: list[Export] = []
    problems: list[Problem] = []
    for folder, files in folders.items():
        try:
            part = _from_csv(files, folder.relative_to(source).as_posix(), folder)
            if part is not None:
                parts.append(part)
        except ValueError as error:
            problems.append({"file": str(folder), "problem": str(error)})
    report(problems, errors, len(folders), "its history (left_out)")
    if not parts:
        reasons = some(p["problem"] for p in problems) or "none is a table that CellProfiler writes"
        raise ValueError(f"No table in '{source}' could be read: {reasons}.")
    names = dict.fromkeys(name for part in parts for name in part.objects)
    return Export(
        {n: pd.concat([p.objects[n] for p in parts if n in p.objects], ignore_index=True) for n in names},
        pd.concat([p.images for p in parts], ignore_index=True),
        {k: v for p in parts for k, v in p.folders.items()},
        problems,
    )


def _from_csv(files: Sequence[Path], name: str, folder: Path) -> Export | None:
    """Read the files of one folder; None where none of them holds objects."""
    kinds = {file: _kind(file) for file in files}
    of_images = [file for file, (kind, _) in kinds.items() if kind == "images"]
    prefix = _prefix(of_images)
    objects: dict[str, pd.DataFrame] = {}
    for file, (kind, names) in kinds.items():
        if kind in ("objects", "combined"):
            stem = file.name.split(".")[0]
            own = stem.removeprefix(prefix) if kind == "objects" else _main_object(names, file)
            table = csv_tables.read_csv(
                file, names=names or None, header_rows=2 if kind == "combined" else 1, is_text=_is_text
            )
            if own in objects:
                raise ValueError(f"'{file}' and another file both hold '{own}'. Keep one of them in the folder.")
            objects[own] = _keyed(table, own, name, file)
    if not objects:
        return None
    tables = [_of_images(csv_tables.read_csv(file, is_text=_is_text), name, file) for file in of_images[:1]]
    return Export(objects, tables[0] if tables else _no_images(), {name: folder}, [])


def _kind(file: Path) -> tuple[str, list[str]]:
    """Say what a CSV file holds: "objects", "images", "combined" (with the names of its columns), or nothing."""
    if not file.is_file():
        return "", []
    rows = csv_tables.read_header(file, 2)
    first, second = set(rows[0]), set(rows[1] if len(rows) > 1 else [])
    if IMAGE in first and _counts_objects(rows[0]):
        return "objects", []
    if IMAGE in first:
        return "images", []
    if {IMAGE, OBJECT} <= second and IMAGE not in first and len(rows[0]) == len(rows[1]):
        plain = (IMAGE, OBJECT)
        return "combined", [b if a == "Image" or b in plain else f"{a}_{b}" for a, b in zip(*rows, strict=True)]
    return "", []


def _prefix(of_images: Sequence[Path]) -> str:
    stems = [p.name.split(".")[0] for p in of_images]
    if len(stems) > 1:
        raise ValueError(
            f"'{of_images[0].parent}' holds several tables of images: {some(p.name for p in of_images)}. "
            "Keep one analysis in a folder."
        )
    return stems[0][: -len("Image")] if stems and stems[0].lower().endswith("image") else ""


def _from_sqlite(file: Path) -> Export:
    columns = sqlite_tables.table_columns(file)
    short = {name: PER_TABLE.sub(r"\1", name) for name in columns}
    of_images = [n for n, s in short.items() if s.lower() in ("image", "images") and IMAGE in columns[n]]
    of_objects = [n for n in columns if n not in of_images and IMAGE in columns[n] and _counts_objects(columns[n])]
    twice = [s for s in short.values() if [short[n] for n in (*of_objects, *of_images)].count(s) > 1]
    if not of_objects or twice:
        what = f"several tables of '{twice[0]}'" if twice else "no table of objects"
        raise ValueError(
            f"'{file}' has {what}, expected one each as ExportToDatabase and cytominer-database write them "
            f"(Per_Image and Per_Object, or Image, Cells, …). Tables: {sqlite_tables.named(list(columns))}."
        )
    objects = {}
    for name in of_objects:
        own = _main_object(columns[name], file) if short[name].lower() == "object" else short[name]
        objects[own] = _keyed(sqlite_tables.read_table(file, name), own, None, file)
    images = [_of_images(sqlite_tables.read_table(file, n), None, file) for n in of_images]
    return Export(objects, images[0] if images else _no_images(), {"": file.parent}, [])


def _counts_objects(columns: Sequence[str]) -> bool:
    ends = ("_ObjectNumber", "Number_Object_Number")
    return OBJECT in columns or any(c.endswith(ends) and not c.startswith(MEANS) for c in columns)


def _main_object(columns: Sequence[str], file: Path) -> str:
    """Name the object that the rows of a table of several objects are counted by."""
    names = list(dict.fromkeys(m.group(1) for m in map(MEASURED.match, columns) if m and m.group(1) != "Image"))
    if not names:
        raise ValueError(
            f"'{file}' names no object in its columns ({some(columns, 8)}), expected Cells_AreaShape_Area, …"
        )
    return next((u for u in USUAL if u in names), names[0])


def _keyed(table: pd.DataFrame, own: str, export: str | None, file: Path) -> pd.DataFrame:
    """Give a table of objects its three keys and every other column the name of its object in front."""
    numbers = (OBJECT, f"{own}_{OBJECT}", f"{own}_Number_Object_Number", "Number_Object_Number")
    number = next((c for c in numbers if c in table.columns), None)
    if number is None:
        raise ValueError(f"No column '{OBJECT}' in '{file}' ({own}). Columns: {some(table.columns, 12)}.")
    keys = {
        SET: _exports(table, export),
        IMAGE: _whole(table[IMAGE], file, IMAGE),
        OBJECT: _whole(table[number], file, str(number)),
    }
    dropped = {IMAGE, OBJECT, "TableNumber", number}
    rest = table.drop(columns=[c for c in dropped if c in table.columns])
    rest.columns = pd.Index(_with_object(list(rest.columns), own), dtype=object)
    made = pd.concat([pd.DataFrame(keys, index=table.index), rest.loc[:, ~rest.columns.duplicated()]], axis=1)
    _refuse_twice(made, KEYS, f"object of '{own}' in '{file}'")
    return made


def _with_object(columns: Sequence[str], own: str) -> list[str]:
    """Put the name of the object in front, where the columns do not have one already (databases, combined files)."""
    plain = [c for c in columns if not c.startswith(OF_IMAGES)]
    have = sum(bool(c.startswith(f"{own}_") or NAMED.match(c)) for c in plain)
    if 2 * have > len(plain):
        return list(columns)
    return [c if c.startswith((f"{own}_", *OF_IMAGES)) else f"{own}_{c}" for c in columns]


def _of_images(table: pd.DataFrame, export: str | None, file: Path) -> pd.DataFrame:
    keys = {SET: _exports(table, export), IMAGE: _whole(table[IMAGE], file, IMAGE)}
    rest = table.drop(columns=[c for c in (IMAGE, "TableNumber") if c in table.columns])
    rest.columns = pd.Index([c.removeprefix("Image_") for c in rest.columns], dtype=object)
    made = pd.concat([pd.DataFrame(keys, index=table.index), rest.loc[:, ~rest.columns.duplicated()]], axis=1)
    _refuse_twice(made, [SET, IMAGE], f"image in '{file}'")
    return made


def _exports(table: pd.DataFrame, export: str | None) -> np.ndarray:
    """Return what tells images with one number apart: the folder, or cytominer-database's TableNumber."""
    if export is not None or "TableNumber" not in table.columns or table["TableNumber"].nunique() < 2:
        return np.full(len(table), export or "", dtype=object)
    return table["TableNumber"].astype(str).to_numpy(dtype=object)


def _whole(column: pd.Series, file: Path, name: str) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(numbers) | (numbers != np.round(numbers)) | (np.abs(numbers) > 2**53)
    if bad.any():
        shown = some(column[bad].astype(str).head(3))
        raise ValueError(
            f"'{file}' has {count(int(bad.sum()), 'row')} whose {name} is no whole number ({shown}), for example row "
            f"{int(np.flatnonzero(bad)[0]) + 1}. Is it damaged, or are two files pasted together? Export it again."
        )
    return numbers.astype(np.int64)


def _refuse_twice(table: pd.DataFrame, keys: list[str], what: str) -> None:
    twice = table.duplicated(keys, keep=False)
    if twice.any():
        first = " · ".join(f"{k} {v}" for k, v in table.loc[twice, keys].iloc[0].items() if v != "")
        raise ValueError(
            f"{count(int(twice.sum()), 'row')} name an {what} more than once, first {first}. Were two exports put into "
            "one file? Give each a folder of its own."
        )


def _is_text(name: str) -> bool:
    return name.removeprefix("Image_").startswith(OF_IMAGES)


def _no_images() -> pd.DataFrame:
    return pd.DataFrame({SET: pd.Series(dtype=object), IMAGE: pd.Series(dtype=np.int64)})


def _nothing(source: Path, names: Sequence[str]) -> Export:
    raise ValueError(
        f"'{source}' holds no table of CellProfiler's ({some(names, 8)}), expected Cells.csv, Nuclei.csv, … with the "
        f"columns {IMAGE} and {OBJECT}. For other tables: ms.io.read_profiles."
    )
