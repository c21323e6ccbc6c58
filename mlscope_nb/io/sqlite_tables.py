"""Tables of an SQLite file: read only, plain tables only, and never more rows than the file can hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.io.numbers_in_text import number_where_plain

MAGIC = b"SQLite format 3\0"
NUMERIC = ("INT", "FLOA", "DOUB", "REAL", "NUM", "DEC")
EXACT = ("TableNumber",)  # 64 bits of a hash
ROWS_AT_ONCE = 4096
LONGEST_VALUE_BYTES = 10 * 2**20
LEAST_BYTES_PER_ROW = 3
DAMAGE = (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, OverflowError, MemoryError)


def is_sqlite(path: str | Path) -> bool:
    """Whether a file begins as SQLite files do."""
    file = Path(path)
    if not file.is_file():
        return False
    with open(file, "rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def table_columns(path: str | Path) -> dict[str, list[str]]:
    """Return the names of the tables of an SQLite file, and of their columns; views and virtual tables are not run.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no SQLite file, is damaged, or is being written by another program.
    """
    with _opened(Path(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        plain = [name for name, sql in found if _is_plain(name, sql)]
        return {name: list(_declared(connection, name)) for name in plain}


def read_table(path: str | Path, name: str) -> pd.DataFrame:
    """Return a table of an SQLite file, numbers as float64 and the rest as text.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `table_columns`; or there is no such table.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "cells.sqlite"
    >>> connection = sqlite3.connect(file)
    >>> _ = connection.execute("CREATE TABLE Per_Object (ImageNumber INTEGER, Area FLOAT, Note TEXT)")
    >>> _ = connection.execute("INSERT INTO Per_Object VALUES (1, NULL, 'round')")
    >>> connection.commit(); connection.close()
    >>> read_table(file, "Per_Object").values.tolist()
    [[1.0, nan, 'round']]
    """
    file = Path(path)
    with _opened(file) as connection:
        declared = _declared(connection, name)
        if not declared:
            raise ValueError(f"No table '{name}' in '{file}', or none that is plain.")
        numbered = {c: any(part in kind.upper() for part in NUMERIC) for c, kind in declared.items()}
        numeric = [c for c, is_number in numbered.items() if is_number and c not in EXACT]
        rest = [c for c in declared if c not in set(numeric)]
        most = file.stat().st_size // LEAST_BYTES_PER_ROW
        numbers = _numbers(_rows(connection, file, name, numeric, most), numeric)
        text = _text(_rows(connection, file, name, rest, most), rest)
    return pd.concat([numbers, text], axis=1)[list(declared)]


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Check folder and name.")
    if not is_sqlite(file):
        raise ValueError(f"'{file}' is no SQLite file, or its beginning is damaged. Copy or export it again.")
    beside = [p for p in (Path(f"{file}-wal"), Path(f"{file}-journal")) if p.is_file() and p.stat().st_size]
    if beside:
        raise ValueError(
            f"'{file}' is being written ('{beside[0].name}' lies beside it). Close the program that writes it, "
            "and copy file and companion together if they were copied."
        )
    try:
        # immutable: not even a lock or a companion file is made beside it
        with closing(sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro&immutable=1", uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES)
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"'{file}' cannot be read: {reason}. It is damaged or cut short: copy it again.") from error


def _is_plain(name: object, sql: object) -> bool:
    made = str(sql or "").lstrip().upper()
    return isinstance(name, str) and not name.startswith("sqlite_") and made.startswith("CREATE TABLE")


def _declared(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    """Return columns and their declared types; computed columns are not among them."""
    sql = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
    if sql is None or not _is_plain(name, sql[0]):
        return {}
    return {row[1]: str(row[2]) for row in connection.execute(f"PRAGMA table_info({_quoted(name)})")}


def _rows(
    connection: sqlite3.Connection, file: Path, table: str, columns: Sequence[str], most: int
) -> Iterator[list[tuple[Any, ...]]]:
    if not columns:
        return
    # text beyond UTF-8 or values beyond the limit end the query with an error; so does a tree that runs in circles
    cursor = connection.execute(f"SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(table)}")
    seen = 0
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        seen += len(rows)
        if seen > most:
            raise sqlite3.DatabaseError(f"table '{table}' has more rows than {file.stat().st_size:,} bytes can hold")
        yield rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _numbers(parts: Iterable[list[tuple[Any, ...]]], columns: Sequence[str]) -> pd.DataFrame:
    blocks = []
    for rows in parts:
        try:
            blocks.append(pd.DataFrame(np.array(rows, dtype=np.float64), columns=list(columns)))
        except (ValueError, TypeError):
            # SQLite keeps text in a column of numbers as it is
            blocks.append(pd.DataFrame(rows, columns=list(columns), dtype=object).infer_objects())
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=list(columns), dtype=np.float64)


def _text(parts: Iterable[list[tuple[Any, ...]]], columns: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame([row for rows in parts for row in rows], columns=list(columns), dtype=object)
    binary = [c for c in columns if table[c].map(lambda v: isinstance(v, bytes)).any()]
    table = table.drop(columns=binary)
    found = pd.DataFrame({c: number_where_plain(table[c]) for c in table.columns}, index=table.index)
    return found.reindex(columns=list(columns)) if binary else found


def named(tables: Sequence[str]) -> str:
    """Name the tables there are, for a message."""
    return some(tables, 12) or "none"
