"""Files of labels that a person gave: a table with cell ids and one column, or an annotation log."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.annotations import AnnotationLog

ID = "cell_id"
Wanted = tuple[str | None, str | None]
"""The column that is asked for, and the one to take where none is."""


def read_label_file(path: str | Path, column: str | None = None, *, prefer: str | None = None) -> pd.Series:
    """Read the labels of a file that the workbench wrote, or that a spreadsheet saved after it.

    Parameters
    ----------
    path : path
        A CSV table (comma, semicolon or tab) with a column ``cell_id`` and one for the labels, or an annotation log
        (``.jsonl``), of which the labels that stand are taken.
    column : str, optional
        The column of labels; needed where there are several.
    prefer : str, optional
        The column to take where there are several; with one column its name does not matter.

    Returns
    -------
    Series
        The labels by cell id, cells without one left out. A table gives text; a log gives what was assigned.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no table of labels or no log, an id stands twice or is empty, or the column is not there or not clear.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = file.write_text("cell_id,label\\na,round\\nb,\\n")
    >>> read_label_file(file).to_dict()
    {'a': 'round'}
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Save labels first: w.save('labels.csv').")
    wanted = (column, prefer)
    labels = _from_log(file, wanted) if file.suffix.lower() == ".jsonl" else _from_table(file, wanted)
    return labels[labels.notna()]


def _from_log(file: Path, wanted: Wanted) -> pd.Series:
    log = AnnotationLog(file)
    name = _chosen(log.columns, wanted, file)
    ids = dict.fromkeys(i for cells in log.entries["cell_ids"] for i in cells)
    return log.column(name, ids)


def _from_table(file: Path, wanted: Wanted) -> pd.Series:
    rows = _rows(file)
    header = [name.strip() for name in rows[0]] if rows else []
    if ID not in header:
        raise ValueError(f"'{file.name}' has no column '{ID}'. Columns: {some(header) or 'none'}. Name the ids '{ID}'.")
    name = _chosen([c for c in header if c not in (ID, "")], wanted, file)
    if header.count(name) > 1 or header.count(ID) > 1:
        raise ValueError(f"'{file.name}' has two columns of one name: {some(header)}. Rename one.")
    uneven = [number for number, row in enumerate(rows, 1) if len(row) != len(header) and any(row)]
    if uneven:
        raise ValueError(
            f"'{file.name}' has {count(len(header), 'column')}, but line {uneven[0]} has {len(rows[uneven[0] - 1])}. "
            "It may be cut short; save it again."
        )
    place, of_id = header.index(name), header.index(ID)
    found = [(row[of_id], row[place] or np.nan) for row in rows[1:] if any(row)]
    ids = pd.Index([i for i, _ in found], dtype=object, name=ID)
    if (ids == "").any():
        raise ValueError(f"'{file.name}' has a row without a cell id. Every label needs its cell.")
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{count(len(twice), 'cell id')} twice in '{file.name}': {some(twice)}. Keep one row for each."
        )
    return pd.Series([value for _, value in found], index=ids, name=name, dtype=object)


def _rows(file: Path) -> list[list[str]]:
    try:
        # utf-8-sig: spreadsheets write a mark before the first name.
        with file.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
            handle.seek(0)
            mark = max(",;\t", key=first.count)
            return list(csv.reader(handle, delimiter=mark, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"'{file.name}' cannot be read as a table of labels ({error}). Save it as CSV in UTF-8, with the columns "
            f"{ID} and label."
        ) from error


def _chosen(columns: list[str], wanted: Wanted, file: Path) -> str:
    column, prefer = wanted
    if column is not None and column not in columns:
        raise ValueError(f"No column '{column}' in '{file.name}'. Columns of labels: {some(columns) or 'none'}.")
    if column is None and prefer in columns:
        column = prefer
    if column is None and len(columns) != 1:
        raise ValueError(
            f"'{file.name}' has {count(len(columns), 'column')} of labels, expected one"
            + (f": {some(columns)}. Name it with column='{columns[0]}'." if columns else ". It holds no labels.")
        )
    return columns[0] if column is None else column
