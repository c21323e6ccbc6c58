"""Tables of features that other tools joined already: pycytominer, CytoTable, In-Carta, DeepProfiler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mlscope_nb._align import pixel_size
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.io import csv_tables
from mlscope_nb.io.blame import naming
from mlscope_nb.io.deepprofiler import read_sites
from mlscope_nb.io.folder_walk import files_below
from mlscope_nb.io.listing import Errors, Problem, natural, report
from mlscope_nb.io.measured_columns import as_numbers
from mlscope_nb.io.parquet_tables import read_parquet
from mlscope_nb.io.profile_columns import Profiles, is_described, take_apart
from mlscope_nb.io.profile_notes import as_written

PARQUET = (".parquet", ".pq")
MOST_FILES = 100_000


def read_profiles(
    path: str | Path,
    *,
    index: str | Path | pd.DataFrame | None = None,
    positions: bool = False,
    errors: Errors = "warn",
    pixel_size_um: float | None = None,
    **design: Any,
) -> Cells:
    """Read a table of features, one row per cell or per well.

    Parameters
    ----------
    path : path
        A Parquet or CSV file (``.csv``, ``.tsv``, gzip too) of pycytominer, CytoTable or In-Carta; a folder of such
        files with the same columns; an ``.npz`` file of DeepProfiler, or its folder of them.
    index : path or DataFrame, optional
        DeepProfiler's index.csv. Default: looked for beside the files and in the project around them.
    positions : bool
        Keep as features where in its image an object lies, and numbers of objects. Else they go to ``obs``: they are no
        property of a cell.
    errors : {"warn", "raise"}
        Of a folder, leave out files that cannot be read and name them, or stop.
    pixel_size_um : float, optional
        Micrometres per pixel.
    **design
        label, unit, batch, control, treatment: columns of ``obs``. Nothing is declared by itself.

    Returns
    -------
    Cells
        Without images. ``obs`` holds the columns with ``Metadata_`` or ``Image_`` in front (In-Carta: wells as ``A01``,
        Plate, FOV, …), without it, and ``y_px``, ``x_px`` and ``field_id`` where they are known. Ids are the column
        ``cell_id``, else plate, well, image and number of the object, else row numbers. What `write_profiles` wrote as
        Parquet comes back as it was, with its design.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, holds Python objects in place of features, names a row twice, or has no features.

    See Also
    --------
    read_cellprofiler : CellProfiler's own output, which is to be joined first.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "profiles.csv"
    >>> _ = file.write_text("Metadata_Plate,Metadata_Well,Cells_AreaShape_Area\\np1,A01,95.5\\n")
    >>> cells = read_profiles(file, unit="Well", batch="Plate")
    >>> list(cells.ids), cells.features.iloc[0].tolist()
    (['p1/A01'], [95.5])
    """
    source = Path(path)
    own = _of_mlscope(source)
    if own is not None:
        made, remarks, problems = own, [], list[Problem]()
    else:
        with naming(path):
            deep = _is_deepprofiler(source)
            found, problems = _from_npz(source, index, errors) if deep else _from_tables(source, positions, errors)
        made, remarks = _cells(source, found, pixel_size_um, design), found.remarks
    if remarks:
        warnings.warn(f"'{path}': {'; '.join(remarks)}.", UserWarning, stacklevel=2)
    step: dict[str, Any] = {"step": "read_profiles", "source": str(path), "n": len(made), "positions": positions}
    step |= {"note": "; ".join(remarks)} if remarks else {}
    step |= {"left_out": problems} if problems else {}
    made = made._copy(_history=(*made.history, step))
    if own is None:
        return made
    made = made if pixel_size_um is None else made._copy(pixel_size_um=pixel_size(pixel_size_um))
    return made.with_design(**design) if design else made


def _cells(source: Path, found: Profiles, pixel_size_um: float | None, design: Mapping[str, Any]) -> Cells:
    try:
        return Cells(found.obs, features=found.features, pixel_size_um=pixel_size_um, **design)
    except ValueError as error:
        raise ValueError(f"'{source}': {error}") from error


def _of_mlscope(source: Path) -> Cells | None:
    """Return what `write_profiles` wrote as it was, or None where the file is another's."""
    if source.suffix.lower() not in PARQUET or not source.is_file():
        return None
    table, notes, _ = read_parquet(source)
    if not notes:
        return None
    try:
        return as_written(table, notes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"'{source}': {error}") from error


def _is_deepprofiler(source: Path) -> bool:
    if not source.exists():
        raise FileNotFoundError(f"There is no '{source}'. Check folder and name.")
    if source.is_file():
        return source.suffix.lower() == ".npz"
    return not _files(source) and bool(files_below(source, (".npz",)))


def _from_npz(source: Path, index: str | Path | pd.DataFrame | None, errors: Errors) -> tuple[Profiles, list[Problem]]:
    sites = read_sites(source, index, errors)
    features, _, remarks = as_numbers(sites.features)
    return Profiles(sites.obs, features, [*sites.remarks, *remarks]), sites.problems


def _files(folder: Path) -> list[Path]:
    """Return the tables of a folder: Parquet, else CSV other than an index of DeepProfiler's."""
    own = sorted(
        (p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")), key=lambda p: natural(p.name)
    )
    parquet = [p for p in own if p.suffix.lower() in PARQUET]
    return parquet or [p for p in own if p.name.lower().endswith(csv_tables.ENDINGS) and p.name != "index.csv"]


def _from_tables(source: Path, positions: bool, errors: Errors) -> tuple[Profiles, list[Problem]]:
    files = [source] if source.is_file() else _files(source)
    if not files or len(files) > MOST_FILES:
        raise ValueError(f"'{source}' holds {count(len(files), 'table')}, expected Parquet or CSV files, or npz files.")
    tables: list[pd.DataFrame] = []
    remarks: list[str] = []
    problems: list[Problem] = []
    for file in files:
        try:
            table, said = _table(file)
            if tables and set(table.columns) != set(tables[0].columns):
                odd = set(table.columns) ^ set(tables[0].columns)
                raise ValueError(f"'{file}' has other columns than '{files[0].name}': {some(sorted(map(str, odd)))}")
            tables.append(table)
            remarks += said
        except ValueError as error:
            if len(files) == 1:
                raise
            problems.append({"file": str(file), "problem": str(error)})
    report(problems, errors, len(files), "its history (left_out)")
    if not tables:
        raise ValueError(f"None of {count(len(files), 'file')} could be read: {problems[0]['problem']}")
    return _profiles(source, tables, positions, remarks), problems


def _profiles(source: Path, tables: Sequence[pd.DataFrame], positions: bool, remarks: list[str]) -> Profiles:
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    if not len(table):
        raise ValueError(f"'{source}' has no rows, only {count(table.shape[1], 'column')}. Export it again.")
    try:
        found = take_apart(table, positions)
    except (ValueError, TypeError) as error:
        raise ValueError(f"'{source}': {error}.") from error
    return found._replace(remarks=[*dict.fromkeys(remarks), *found.remarks])


def _table(file: Path) -> tuple[pd.DataFrame, list[str]]:
    name = file.name.lower()
    if name.endswith(PARQUET):
        table, _, remarks = read_parquet(file)
        return table, remarks
    if name.endswith(csv_tables.ENDINGS):
        return csv_tables.read_csv(file, is_text=is_described), []
    raise ValueError(
        f"'{file}' is of a kind that is not known here, expected Parquet, CSV (.csv, .tsv, .csv.gz) or .npz. "
        "For .h5ad: ms.io.read_h5ad; for CellProfiler's databases: ms.io.read_cellprofiler."
    )
