"""Tables from Parquet files: flat columns, and never more rows than there is reason for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from mlscope_nb._words import count, some

NOTES = b"mlscope"
SURELY_SMALL_BYTES = 2**30
LARGEST_RATIO = 1000
MAX_COLUMNS = 50_000
BYTES_PER_VALUE = 8


def read_parquet(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Read a Parquet file.

    Returns
    -------
    table : DataFrame
    notes : dict
        What mlscope wrote beside the table, if it did.
    remarks : list of str
        Columns of lists and structures, which are left out.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, cut short, or says that it holds more than it can.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "profiles.parquet"
    >>> pd.DataFrame({"Metadata_Well": ["A01"], "Cells_AreaShape_Area": [3.0]}).to_parquet(file)
    >>> read_parquet(file)[0].values.tolist()
    [['A01', 3.0]]
    """
    import pyarrow as pa
    from pyarrow import parquet

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Check folder and name.")
    try:
        with parquet.ParquetFile(file, page_checksum_verification=True) as opened:
            schema = opened.schema_arrow
            _refuse_bombs(file, opened.metadata.num_rows, len(schema.names))
            flat = [name for name in schema.names if not pa.types.is_nested(schema.field(name).type)]
            table = opened.read(columns=flat, use_pandas_metadata=False)
        frame = table.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        reason = str(error)[:300] or type(error).__name__
        raise ValueError(f"'{file}' cannot be read as Parquet: {reason}. Is it cut short? Copy it again.") from error
    nested = [name for name in schema.names if name not in set(flat)]
    remarks = [f"{count(len(nested), 'column')} of lists or structures left out: {some(nested)}"] if nested else []
    return frame, _notes(file, schema.metadata or {}), remarks


def _refuse_bombs(file: Path, n_rows: int, n_columns: int) -> None:
    """Refuse files that repeat so little so often that reading them would fill the memory."""
    if n_columns > MAX_COLUMNS:
        raise ValueError(f"it has {count(n_columns, 'column')}, expected at most {MAX_COLUMNS:,}")
    n_bytes, size = n_rows * n_columns * BYTES_PER_VALUE, file.stat().st_size
    if n_bytes > max(SURELY_SMALL_BYTES, LARGEST_RATIO * size):
        raise ValueError(f"it says that {size:,} bytes hold {n_rows:,} rows of {count(n_columns, 'column')}")


def _notes(file: Path, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    if NOTES not in metadata:
        return {}
    try:
        notes = json.loads(metadata[NOTES])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"What mlscope noted in '{file}' is damaged: {error}. Write or copy it again.") from error
    return notes if isinstance(notes, dict) else {}
