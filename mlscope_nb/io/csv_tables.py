"""Tables of measurements from CSV files: thousands of columns, compressed or not; what is wrong with a file is said."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.io.numbers_in_text import number_where_plain

MAX_COLUMNS = 50_000
MAX_HEADER_BYTES = 2**25
SURELY_SMALL_BYTES = 2**28
LARGEST_RATIO = 100
LARGEST_BLOCK = 2**30
PIECE_BYTES = 2**20
UNNAMED = ("", "Unnamed: 0")
ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")


class Header(NamedTuple):
    """The first lines of a CSV file: their cells, what stands between these, and the encoding."""

    rows: list[list[str]]
    delimiter: str
    encoding: str


def read_csv(
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    header_rows: int = 1,
    is_text: Callable[[str], bool] = lambda name: name.startswith("Metadata_"),
) -> pd.DataFrame:
    """Read a CSV file (comma, semicolon or tab; plain or gzip) with numbers as numbers.

    Parameters
    ----------
    path : path
    names : list of str, optional
        Names of the columns; default: the first row.
    header_rows : int
        How many rows stand above the data.
    is_text : function of a name
        Columns that may hold names: ``001`` stays ``001``. Numbers without zeros in front become numbers all the same.

    Returns
    -------
    DataFrame
        float64 and text; a name that stands twice is kept once (the first).

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is empty, damaged, cut short, or has more columns than anybody measures.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "cells.csv"
    >>> _ = file.write_text("Metadata_Well,Area\\nA01,3\\n007,\\n")
    >>> read_csv(file).values.tolist()
    [['A01', 3.0], ['007', nan]]
    """
    file = Path(path)
    content = plain_bytes(file)
    head = _header(file, content, header_rows)
    columns = list(names) if names is not None else head.rows[-1]
    table = _parsed(file, content, head, columns, header_rows, is_text)
    left_out = pd.Index(columns).duplicated() | pd.Index(columns).isin(UNNAMED)
    return _frame(table, columns, np.flatnonzero(~left_out).tolist(), is_text)


def read_header(path: str | Path, rows: int = 1) -> list[list[str]]:
    """Return the first rows of a CSV file as text; fewer where it has fewer.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `read_csv`.
    """
    file = Path(path)
    return _header(file, plain_bytes(file, MAX_HEADER_BYTES), rows).rows


def plain_bytes(file: Path, limit: int | None = None) -> bytes:
    """Return the content of a file, unpacked where it is gzip; `limit`: only so many bytes from its beginning.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file; or it is damaged, or would unpack to far more than measurements do.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Check folder and name.")
    with open(file, "rb") as stream:
        content = stream.read(-1 if limit is None else limit)
    return _unpacked(file, content, limit) if content[:2] == b"\x1f\x8b" else content


def _unpacked(file: Path, content: bytes, limit: int | None) -> bytes:
    most = max(SURELY_SMALL_BYTES, LARGEST_RATIO * len(content))
    wanted = most + 1 if limit is None else limit
    parts: list[bytes] = []
    size = 0
    try:
        with gzip.open(BytesIO(content)) as stream:
            while size < wanted and (part := stream.read(min(PIECE_BYTES, wanted - size))):
                parts.append(part)
                size += len(part)
    except (OSError, zlib.error, EOFError) as error:
        # the beginning of a file that was read in part ends in the middle
        if limit is None or not size:
            raise ValueError(
                f"'{file}' cannot be unpacked: {error}. It is damaged or cut short: copy it again."
            ) from error
    if size > most:
        raise ValueError(
            f"'{file}' has {count(len(content), 'byte')} and unpacks to more than {most:,}, which no table of "
            "measurements does. Unpack it by hand if you know where it is from."
        )
    return b"".join(parts)


def _header(file: Path, content: bytes, n_rows: int) -> Header:
    if not content.strip():
        raise ValueError(f"'{file}' is empty, expected a table with one row per object. Export it again.")
    head = content[:MAX_HEADER_BYTES]
    lines = head.split(b"\n", n_rows)[:n_rows]
    if b"\0" in lines[0]:
        raise ValueError(f"'{file}' is no text file (or UTF-16), expected CSV in UTF-8. Save it as CSV in UTF-8.")
    text, encoding = _decoded(b"\n".join(lines))
    delimiter = max(",;\t", key=text.count)
    if text.count(delimiter) > 2 * MAX_COLUMNS:
        many = count(text.count(delimiter) // n_rows + 1, "column")
        raise ValueError(f"'{file}' has {many}, expected at most {MAX_COLUMNS:,}. Is it a table with a row per object?")
    rows: list[list[str]] = []
    for line in text.splitlines()[:n_rows]:
        try:
            rows += csv.reader([line], delimiter=delimiter)
        except csv.Error as error:
            if rows:  # the names are known; what stands below may be as long as it likes
                break
            raise ValueError(f"The first line of '{file}' cannot be read: {error}. Export it again as CSV.") from error
    if not rows:
        raise ValueError(f"'{file}' has no row of names, expected one above the numbers. Export it again.")
    return Header([[cell.strip() for cell in row] for row in rows[:n_rows]], delimiter, encoding)


def _decoded(head: bytes) -> tuple[str, str]:
    try:
        return head.decode("utf-8-sig"), "utf8"
    except UnicodeDecodeError:
        return head.decode("latin-1"), "latin-1"


def _parsed(
    file: Path, content: bytes, head: Header, columns: Sequence[str], header_rows: int, is_text: Callable[[str], bool]
) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if len(columns) > MAX_COLUMNS:
        raise ValueError(
            f"'{file}' has {count(len(columns), 'column')}, expected at most {MAX_COLUMNS:,}. "
            "Is it a table with one row per object?"
        )
    if not b"".join(content.split(b"\n", header_rows)[header_rows:]).strip():
        return pa.table({str(i): pa.nulls(0) for i in range(len(columns))})
    texts = [is_text(name) for name in columns]
    read = arrow_csv.ReadOptions(
        # Positions, not names, are the columns here: names may stand twice.
        column_names=[str(i) for i in range(len(columns))],
        skip_rows=header_rows,
        block_size=min(max(len(content) + 1, 2**20), LARGEST_BLOCK),
        use_threads=False,
    )
    reason = ""
    for read.encoding, guessed in ((head.encoding, False), (head.encoding, True), ("latin-1", True)):
        try:
            return arrow_csv.read_csv(
                BytesIO(content),
                read_options=read,
                parse_options=arrow_csv.ParseOptions(delimiter=head.delimiter),
                convert_options=_kinds(texts, guessed),
            )
        except (pa.ArrowException, UnicodeDecodeError, OverflowError) as error:
            reason = str(error)
            # text in a column of numbers, or letters of another encoding: then slower, and by guessing
            if not any(word in reason for word in ("conversion error", "UTF8", "utf-8")):
                break
    raise ValueError(f"'{file}' cannot be read as a table: {reason[:300]}. Is it cut short? Export or copy it again.")


def _kinds(texts: Sequence[bool], guessed: bool) -> Any:
    """Say what the columns hold: text or numbers, which is eight times as fast as letting them be guessed."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    kinds = {str(i): pa.string() if text else pa.float64() for i, text in enumerate(texts) if text or not guessed}
    return arrow_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, timestamp_parsers=["never %Y"])


def _frame(table: Any, columns: Sequence[str], kept: Sequence[int], is_text: Callable[[str], bool]) -> pd.DataFrame:
    import pyarrow as pa

    found: dict[str, Any] = {}
    for i in kept:
        column = table.column(i)
        if pa.types.is_string(column.type):
            values = pd.Series(column.to_pandas(), dtype=object)
            found[columns[i]] = number_where_plain(values) if is_text(columns[i]) else values
        elif pa.types.is_null(column.type):
            found[columns[i]] = np.full(len(column), np.nan)
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
            found[columns[i]] = column.to_numpy().astype(np.float64)
        else:
            found[columns[i]] = pd.Series(column.cast(pa.string()).to_pandas(), dtype=object)
    return pd.DataFrame(found)
