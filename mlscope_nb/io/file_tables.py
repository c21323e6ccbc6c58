"""Tables that describe files: read as CSV, and joined by the names of the files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.listing import Problem, plain_stem

MAX_COLUMNS, MAX_LINE, MAX_TABLE_BYTES = 5_000, 500_000, 200 * 2**20
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_file", "path", "name", "FileName", "Image", "File")


def read_table(metadata: str | Path | pd.DataFrame) -> pd.DataFrame:
    """Read a CSV (comma, semicolon or tab) or take a DataFrame.

    Raises
    ------
    ValueError
        The table is empty or damaged.
    """
    if isinstance(metadata, pd.DataFrame):
        return metadata.copy()
    try:
        separator, decimal = _separators(Path(metadata))
        table = pd.read_csv(metadata, sep=separator, encoding="utf-8-sig", decimal=decimal)
        text = pd.read_csv(metadata, sep=separator, encoding="utf-8-sig", dtype=str)
        # 001 is a name, not the number 1
        coded = [c for c in table.columns if text[c].str.fullmatch(r"0\d+").any()]
        return table.assign(**{c: text[c] for c in coded})
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"'{metadata}' cannot be read as a table: {error}. Save it as CSV in UTF-8.") from error


@contextmanager
def naming_table(metadata: object) -> Iterator[None]:
    """Say in an error which file the table came from."""
    try:
        yield
    except ValueError as error:
        if not isinstance(metadata, str | Path):
            raise
        raise ValueError(f"{error} The table is '{metadata}'.") from error


def _separators(file: Path) -> tuple[str, str]:
    """Return what parts columns and what parts decimals, looking at the first lines only."""
    if file.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError(f"it has {file.stat().st_size / 2**20:,.0f} MB, more than a table of files needs")
    with open(file, encoding="utf-8-sig", newline="") as stream:
        start = [stream.readline(MAX_LINE) for _ in range(3)]
    separator = max(",;\t", key=start[0].count)
    n = start[0].count(separator) + 1
    if n > MAX_COLUMNS or len(start[0]) == MAX_LINE:
        raise ValueError(f"it has {n:,} columns or more, a table of files has at most {MAX_COLUMNS:,}")
    comma = separator != "," and any(re.search(r"\d,\d", line) for line in start[1:])
    return separator, "," if comma else "."


def join_table(
    names: Sequence[str], files: Sequence[Path], table: pd.DataFrame, on: str | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Give each file its row of the table by file name; rows without a file and files without a row are problems.

    Raises
    ------
    ValueError
        No column holds the file names, or one names a file twice.
    """
    column = on or _file_column(table, files, names)
    if column not in table.columns:
        raise ValueError(f"No column '{column}' in the table. Columns: {some(table.columns, 20)}. Name it with on=…")
    nameless = table[column].isna()
    table = table[~nameless]
    depth, keys = _unambiguous(table[column].astype(str))
    rows = table.set_axis(pd.Index(keys, dtype=object), axis=0)
    by_file = {n: (_key(f, depth), _key(n, depth)) for n, f in zip(names, files, strict=True)}
    known = set(keys)
    wanted = {n: next((k for k in both if k in known), None) for n, both in by_file.items()}
    shared = {k for k, n in Counter(wanted.values()).items() if k is not None and n > 1}
    used = set(wanted.values())
    problems = [
        {"file": str(f), "problem": _row_problem(wanted[n], shared, column)}
        for n, f in zip(names, files, strict=True)
        if wanted[n] is None or wanted[n] in shared
    ]
    problems += [{"file": k, "problem": "named in the table, but there is no such file"} for k in keys if k not in used]
    if nameless.any():
        problems.append({"file": column, "problem": f"{count(int(nameless.sum()), 'row')} of the table without a name"})
    wanted = {n: None if k in shared else k for n, k in wanted.items()}
    kept = [name for name in names if wanted[name] is not None]
    return rows.loc[[wanted[n] for n in kept]].set_axis(pd.Index(kept, dtype=object), axis=0), problems


def _row_problem(row: str | None, shared: set[str], column: str) -> str:
    if row in shared:
        return f"shares the row '{row}' of the table with another file; name files with their endings or folders"
    return f"no row in the table (column '{column}')"


def _file_column(table: pd.DataFrame, files: Sequence[Path], names: Sequence[str]) -> str:
    known = {_key(f) for f in files} | {_key(n) for n in names}
    text = [c for c in table.columns if table[c].dtype == object or c in FILE_COLUMNS]
    hits = {c: int(np.isin(table[c].astype(str).map(_key), list(known)).sum()) for c in text}
    best = max(hits, key=lambda c: (hits[c], c in FILE_COLUMNS), default=None)
    if best is None or not hits[best]:
        raise ValueError(
            f"No column of the table holds the file names ({some([f.name for f in files], 3)}). "
            f"Columns: {some(table.columns, 20)}. Name the column with on=…"
        )
    return str(best)


def _unambiguous(column: pd.Series) -> tuple[int, list[str]]:
    """Return keys made of as few folders as tell the rows apart."""
    deepest = max(len(_parts(name)) for name in column) if len(column) else 1
    for depth in range(1, deepest + 1):
        keys = column.map(lambda name, depth=depth: _key(name, depth))
        twice = keys[keys.duplicated()].unique()
        if not len(twice):
            return depth, list(keys)
    raise ValueError(f"The table names {count(len(twice), 'file')} more than once: {some(twice)}. Keep one row each.")


def _key(name: str | Path, depth: int = 1) -> str:
    parts = _parts(name)
    return "/".join([*parts[-depth:-1], plain_stem(parts[-1])])


def _parts(name: str | Path) -> list[str]:
    return re.split(r"[\\/]", str(name))
