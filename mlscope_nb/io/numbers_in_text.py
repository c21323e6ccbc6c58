"""Numbers in text: what is a number becomes the nearest one, and what only looks like one stays a name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

FEW = 256
ZERO_IN_FRONT = r"\s*[+-]?0\d"


def number_where_plain(column: pd.Series) -> pd.Series:
    """Turn text into numbers if all of it is numbers without zeros in front; 001 is a name.

    Examples
    --------
    >>> number_where_plain(pd.Series(["1", None, "3"])).tolist()
    [1.0, nan, 3.0]
    >>> number_where_plain(pd.Series(["001", "002"])).tolist()
    ['001', '002']
    """
    if len(column) < FEW:
        return _few_numbers(column)
    text = column.dropna()
    if not len(text) or text.astype(str).str.match(ZERO_IN_FRONT).any():
        return column
    numbers = exact_numbers(text)
    if numbers.isna().any() or not np.isfinite(numbers.to_numpy(dtype=float)).all():
        return column
    return numbers if len(numbers) == len(column) else numbers.reindex(column.index)


def _few_numbers(column: pd.Series) -> pd.Series:
    """Do the same for a short column, of which there may be thousands, without pandas."""
    found: list[int | float] = []
    for value in column:
        if isinstance(value, str):
            number = _number(value)
            if number is None:
                return column
            found.append(number)
        elif value is None or value != value:
            found.append(float("nan"))
        else:
            return _of_objects(column)
    return pd.Series(found, index=column.index) if any(n == n for n in found) else column


def _of_objects(column: pd.Series) -> pd.Series:
    """Return a column as numbers where all of it is numbers already, as databases give them."""
    whole = column.map(lambda v: isinstance(v, int | float | np.number) and not isinstance(v, bool))
    return pd.to_numeric(column) if (whole | column.isna()).all() else column


def _number(text: str) -> int | float | None:
    if re.match(ZERO_IN_FRONT, text):
        return None
    try:
        return int(text) if text.strip().lstrip("+-").isdecimal() and len(text) < 18 else _finite(float(text))
    except ValueError:
        return None


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


def exact_numbers(text: pd.Series) -> pd.Series:
    """Turn text into the nearest numbers, and what is none into NaN; pandas alone is off by the last bit.

    Examples
    --------
    >>> exact_numbers(pd.Series(["31.183145201048546", "x"])).tolist()
    [31.183145201048546, nan]
    """
    numbers = pd.to_numeric(text, errors="coerce")
    if not pd.api.types.is_float_dtype(numbers.dtype):
        return numbers
    return pd.Series([_exact(v, n) for v, n in zip(text, numbers, strict=True)], index=text.index, dtype=np.float64)


def _exact(value: object, number: float) -> float:
    try:
        return float(value) if isinstance(value, str) and number == number else number
    except ValueError:
        return number
