"""Categories of anything (doses, days, truth values) as categories of text, which files can hold, and back."""

from __future__ import annotations

from typing import Any

import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_object_dtype, pandas_dtype


def is_plain(column: pd.Series) -> bool:
    """Whether a column is no category, or one of text."""
    return not isinstance(column.dtype, pd.CategoricalDtype) or is_object_dtype(column.dtype.categories)


def kind_of(column: pd.Series) -> str:
    """Return the type of the names of a category, and of any other column its own."""
    return str(column.cat.categories.dtype if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype)


def as_text(column: pd.Series) -> pd.Series:
    """Return a category with its names as text; order, unused names and missing values stay.

    Examples
    --------
    >>> as_text(pd.Series([5, 0], dtype="category")).cat.categories.tolist()
    ['0', '5']
    """
    return column if is_plain(column) else column.cat.rename_categories([words(name) for name in column.cat.categories])


def from_text(column: pd.Series, kind: str) -> pd.Series:
    """Return a category of text as the category of `kind` that it was.

    Raises
    ------
    ValueError
        It is none, or its names are not of that kind.

    Examples
    --------
    >>> from_text(as_text(pd.Series([5, 0], dtype="category")), "int64").cat.categories.tolist()
    [0, 5]
    """
    if not isinstance(column.dtype, pd.CategoricalDtype):
        raise ValueError(f"column '{column.name}' holds {column.dtype}, expected categories of {kind}")
    names = parsed(pd.Series(column.cat.categories, dtype=object), kind)
    return column.cat.rename_categories(pd.Index(names).tolist() if kind == "object" else pd.Index(names))


def parsed(column: pd.Series, kind: str) -> pd.Series:
    """Return text as what it was before `words`: numbers, dates, truth values; missing stays missing.

    Examples
    --------
    >>> parsed(pd.Series(["True", None], dtype=object), "boolean").tolist()
    [True, <NA>]
    """
    if kind in ("bool", "boolean"):
        column = column.map(_truth, na_action="ignore")
    if kind.startswith("datetime64"):
        return pd.to_datetime(column, format="ISO8601", utc="," in kind).astype(pandas_dtype(kind))
    if kind.startswith("timedelta64"):
        return pd.to_timedelta(column).astype(pandas_dtype(kind))
    if kind.startswith(("int", "uint", "Int", "UInt")):
        column = column.map(int, na_action="ignore")
    return column.where(column.notna(), None) if kind == "object" else column.astype(pandas_dtype(kind))


def words(value: Any) -> str:
    """Return a value as text that `parsed` reads."""
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def kinds_within(obs: pd.DataFrame, groups: NDArray[Any]) -> pd.DataFrame:
    """Return how many kinds of value each group (rows) has in each column; lists and the like are compared as text.

    Examples
    --------
    >>> kinds_within(pd.DataFrame({"tags": [["a"], ["a"], ["b"]]}), pd.Series([0, 1, 1]).to_numpy())["tags"].tolist()
    [1, 2]
    """
    plain = obs.copy(deep=False)
    for name in obs.columns:
        if not _hashable(obs[name]):
            plain[name] = obs[name].map(repr)
    return plain.groupby(groups, sort=False).nunique(dropna=False)


def _hashable(column: pd.Series) -> bool:
    if not is_object_dtype(column.dtype):
        return True
    try:
        column.map(hash)
    except TypeError:
        return False
    return True


def _truth(value: object) -> bool:
    return value in (True, "True")
