"""Tables that lie in a folder: CellProfiler's, profiles of cells, and the layout that describes images."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.io.listing import Problem
from mlscope_nb.io.looking import Found
from mlscope_nb.io.recognition import UNUSED, Recognition

MAX_LAYOUT = 20_000_000
HEAD = 2_000_000


def tables(place: Path, found: Found, kind: Literal["cellprofiler", "profiles"]) -> Recognition | None:
    """Recognise a folder or file of CellProfiler, or tables of features of other kinds."""
    heads = {file: header(file) for file in found.tables[:200]}
    cellprofiler = [f for f, head in heads.items() if "ImageNumber" in head or f.suffix.lower() in (".sqlite", ".db")]
    if kind == "cellprofiler":
        if not cellprofiler or (place.is_file() and place.suffix.lower() not in (".sqlite", ".db")):
            return None
        single = place.is_file() or (len(cellprofiler) == 1 and cellprofiler[0].suffix.lower() in (".sqlite", ".db"))
        source = str(cellprofiler[0]) if single else str(_folder(place, cellprofiler))
        what = f"{count(len(cellprofiler), 'table')} of CellProfiler: {', '.join(f.name for f in cellprofiler[:6])}"
        facts = {"tables": [f.name for f in cellprofiler]}
        choices: dict[str, tuple[Any, ...]] = {"channels": (), "pixel_size_um": (), "images": (), "size": ()}
        return Recognition(
            place, "cellprofiler", what, "read_cellprofiler", "Cells", source, choices=choices, facts=facts
        )
    rest = [f for f, head in heads.items() if f not in cellprofiler and (f.suffix == ".parquet" or _is_profile(head))]
    if not rest:
        return None
    source = str(rest[0]) if len(rest) == 1 or place.is_file() else str(_folder(place, rest))
    what = f"{count(len(rest), 'table')} of features: {', '.join(f.name for f in rest[:6])}"
    return Recognition(place, "profiles", what, "read_profiles", "Cells", source, columns=())


def header(file: Path) -> list[str]:
    """Return the names of the columns of a CSV file, or none where it is none; only its beginning is read."""
    if not file.name.lower().endswith((".csv", ".tsv", ".txt", ".csv.gz")):
        return []
    try:
        if file.suffix.lower() == ".gz":
            with gzip.open(file, "rb") as stream:
                line = stream.readline(HEAD)
        else:
            with open(file, "rb") as plain:
                line = plain.readline(HEAD)
    except (OSError, EOFError):
        return []
    text = line.decode("utf-8-sig", "replace")
    separator = max(",;\t", key=text.count)
    return [c.strip().strip('"') for c in text.split(separator)]


@dataclass
class Layout:
    """The table that describes most of the images, how it fits, its columns; and why others do not fit."""

    file: Path | None = None
    fit: str = ""
    columns: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def find_layout(files: list[Path], parts: pd.DataFrame, images: list[Path]) -> Layout:
    """Return the table that describes most of the images; where none does, what is wrong with those there are.

    Parameters
    ----------
    files : list of Path
        Tables to try.
    parts : DataFrame
        What the names of `images` say, one row each.
    images : list of Path
        One for each field.
    """
    best, n_best, problems = Layout(), 0, []
    for file in files:
        if not file.name.lower().endswith((".csv", ".tsv", ".txt")) or file.stat().st_size > MAX_LAYOUT:
            continue
        if "ImageNumber" in header(file):  # a result of CellProfiler, not a layout
            continue
        try:
            joined, how = _joined(file, parts, images)
        except (ValueError, KeyError, OSError, TypeError) as error:
            if file.suffix.lower() != ".txt":  # a text is seldom meant as a layout
                problems.append({"file": str(file), "problem": f"{UNUSED} {_said(error)}"})
            continue
        if len(joined) > n_best:
            n_best, said = len(joined), f"{file.name}, joined {how}: {len(joined):,} of {len(parts):,} fields"
            best = Layout(file, said, list(map(str, joined.columns)))
    return best if n_best else Layout(problems=problems)


def table_of_length(files: list[Path], n: int) -> tuple[Path | None, list[str]]:
    """Return the first CSV file with `n` rows, and its columns."""
    for file in files:
        if not file.name.lower().endswith((".csv", ".tsv")) or file.stat().st_size > MAX_LAYOUT:
            continue
        with open(file, "rb") as stream:
            rows = sum(bool(line.strip()) for line in stream) - 1
        if rows == n:
            return file, header(file)
    return None, []


def _joined(file: Path, parts: pd.DataFrame, images: list[Path]) -> tuple[pd.DataFrame, str]:
    """Return the rows of a table that fit images, and by what they were joined; raises what the join raises."""
    from mlscope_nb.io.file_tables import join_table, read_table
    from mlscope_nb.io.layouts import join_wells, well_columns

    table = read_table(file)
    keys = well_columns(table, parts)
    if keys:
        joined, _ = join_wells(parts, table, keys, dict.fromkeys(parts.index, ""))
        return joined, f"by {' and '.join(keys.values())}"
    joined, _ = join_table(list(parts.index), images, table, None)
    return joined, "by file name"


def _said(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def _is_profile(head: list[str]) -> bool:
    """Whether a table looks like one of cells with features, not a layout: many columns, most of them in families."""
    families = ("Cells_", "Nuclei_", "Cytoplasm_", "AreaShape_", "Intensity_", "Texture_", "Metadata_", "efficientnet")
    n = sum(c.startswith(families) for c in head)
    return len(head) >= 8 and n >= len(head) / 2


def _folder(place: Path, files: list[Path]) -> Path:
    parents = {f.parent for f in files}
    return next(iter(parents)) if len(parents) == 1 else place
