"""Tables as Parquet: what would come back as something else is refused before it is written."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from mlscope_nb._categories import as_text, from_text, is_plain, kind_of

CATEGORIES = "mlscope categories"
# bool before int: True is an int to Python.
_KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "True or False": (bool, np.bool_),
    "whole numbers": (int, np.integer),
    "numbers": (float, np.floating),
}


def to_parquet(table: pd.DataFrame, name: str) -> bytes:
    """Return a table as the bytes of a Parquet file.

    Parameters
    ----------
    table : DataFrame
        Columns of numbers, dates, categories, text, or True and False; missing values anywhere.
    name : str
        Names the table in the error.

    Raises
    ------
    ValueError
        A column holds something else, or several kinds of things.

    Examples
    --------
    >>> to_parquet(pd.DataFrame({"well": ["A01", None]}), "obs")[:4]
    b'PAR1'
    """
    refuse_unstorable(table, name)
    plain = table.copy(deep=False)
    # Parquet keeps categories of text alone; what the others were is noted beside the table.
    kinds = {c: kind_of(table[c]) for c in table.columns if not is_plain(table[c])}
    for column in kinds:
        plain[column] = as_text(table[column])
    plain.attrs = {CATEGORIES: kinds} if kinds else {}
    return _written(plain, name)


def refuse_unstorable(table: pd.DataFrame, name: str) -> None:
    """Raise when a column would come back from a file as something else.

    Raises
    ------
    ValueError
        A column holds complex numbers, intervals, objects, or several kinds of things.
    """
    for column in table.columns:
        problem = _problem(table[column])
        if problem:
            raise ValueError(_refusal(name, column, problem))


def from_parquet(content: bytes) -> pd.DataFrame:
    """Read a table written by `to_parquet`.

    Examples
    --------
    >>> doses = pd.DataFrame({"dose": pd.Categorical([5, 0, None], [5, 0, 9], ordered=True)})
    >>> from_parquet(to_parquet(doses, "obs"))["dose"].dtype == doses["dose"].dtype
    True
    """
    table = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    kinds = table.attrs.pop(CATEGORIES, None)
    for column, kind in (kinds if isinstance(kinds, dict) else {}).items():
        table[column] = from_text(pd.Series(table[column]), str(kind))
    return table


def _written(table: pd.DataFrame, name: str) -> bytes:
    from pyarrow import ArrowException

    buffer = io.BytesIO()
    try:
        table.to_parquet(buffer, engine="pyarrow")
    except (ArrowException, TypeError, ValueError, OverflowError) as error:
        if table.shape[1] > 1:
            for column in table.columns:
                _written(table[[column]], name)
        raise ValueError(_refusal(name, table.columns[0], str(error))) from error
    return buffer.getvalue()


def _problem(column: pd.Series) -> str:
    """Say why a column would not come back as it is, or nothing."""
    if pd.api.types.is_complex_dtype(column):
        return "it holds complex numbers"
    values = pd.Series(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else column
    if isinstance(values.dtype, pd.IntervalDtype):
        return "it holds intervals"
    if values.dtype != object:
        return ""
    kinds: dict[str, object] = {}
    for value in values.array:
        if not (value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)):
            kinds.setdefault(_kind(value), value)
    unknown = [value for kind, value in kinds.items() if kind not in _KINDS]
    if unknown:
        return f"it holds a {type(unknown[0]).__name__}, for example {_short(unknown[0])}"
    if len(kinds) > 1:
        return f"it mixes {' and '.join(kinds)}, for example {' and '.join(_short(v) for v in kinds.values())}"
    return ""


def _kind(value: object) -> str:
    return next((kind for kind, types in _KINDS.items() if isinstance(value, types)), type(value).__name__)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _refusal(table: str, column: object, problem: str) -> str:
    return (
        f"The table '{table}' cannot be stored: column '{column}': {problem}. "
        f"Make it one kind of number or text first, as in obs['{column}'].astype(str), or leave it out."
    )
