"""Columns of obs as an .h5ad file can hold them, groups as categories of text, and back to what they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype, is_object_dtype, pandas_dtype

from mlscope_nb._categories import as_text, from_text, kind_of, parsed, words
from mlscope_nb._words import some

# What HDF5 or anndata cannot have as the name of a column.
RESERVED = ("", ".", "..", "_index")
_NULLABLE = {"Float64": "float64", "Float32": "float32"}


def to_h5ad(obs: pd.DataFrame, groups: Iterable[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return columns that an .h5ad file can hold, and notes of what they were.

    Parameters
    ----------
    obs : DataFrame
        Columns that can be stored as Parquet (`_tables.refuse_unstorable`).
    groups : iterable of str
        Columns that name groups: whole numbers in them become categories, so that they are drawn as groups.

    Raises
    ------
    ValueError
        Two columns would have one name.

    Examples
    --------
    >>> table, notes = to_h5ad(pd.DataFrame({"plate": [1, 2, 2], "mg/l": [0.5, 1, 2]}), ["plate"])
    >>> table["plate"].tolist(), list(table), notes["dtypes"], notes["renamed"]
    (['1', '2', '2'], ['plate', 'mg_l'], {'plate': 'int64'}, {'mg_l': 'mg/l'})
    """
    names = {c: _key(c, i) for i, c in enumerate(obs.columns)}
    written = list(names.values())
    twice = [c for c, n in names.items() if written.count(n) > 1]
    if twice:
        raise ValueError(f"Columns {some(twice)} would have one name in .h5ad, where '/' becomes '_'. Rename one.")
    wanted = set(groups)
    columns = {n: _storable(obs[c], group=c in wanted) for c, n in names.items()}
    dtypes = {n: _name(obs[c]) for c, n in names.items() if columns[n] is not obs[c]}
    notes = {"dtypes": dtypes, "renamed": {n: c for c, n in names.items() if n != c}}
    return pd.DataFrame(columns, index=obs.index), notes


def from_h5ad(obs: pd.DataFrame, notes: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns as they were before `to_h5ad`.

    Raises
    ------
    ValueError
        The notes do not fit the columns.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": [1, 2], "day": pd.to_datetime(["2026-01-02", None]), "ok": pd.array([True, None])})
    >>> back = from_h5ad(*to_h5ad(obs, ["plate"]))
    >>> pd.testing.assert_frame_equal(back, obs)
    """
    dtypes, renamed = (dict(notes.get(part) or {}) for part in ("dtypes", "renamed"))
    columns = {}
    for name in obs.columns:
        kind = dtypes.get(name)
        try:
            columns[renamed.get(name, name)] = obs[name] if kind is None else _restored(obs[name], str(kind))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"Column '{name}' cannot be read as {kind!r}, which it was: {error}") from error
    return pd.DataFrame(columns, index=obs.index)


def _key(name: str, position: int) -> str:
    plain = name.replace("/", "_").replace("\0", "_")
    return f"column_{position}" if plain in RESERVED else plain


def _storable(column: pd.Series, *, group: bool) -> pd.Series:
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return as_text(column)
    if str(kind) in _NULLABLE:
        return column.astype(pandas_dtype(_NULLABLE[str(kind)]))
    if is_object_dtype(kind):
        return _text(column) if _is_text(column) else _storable(_typed(column), group=group)
    if is_bool_dtype(kind) or is_integer_dtype(kind):
        return _text(column.astype(object).where(column.notna()).map(str, na_action="ignore")) if group else column
    if is_float_dtype(kind):
        return column
    return _text(column.astype(object).where(column.notna()).map(words, na_action="ignore"))


def _text(column: pd.Series) -> pd.Series:
    """Return text as categories where values repeat or are missing, as anndata does."""
    text = column.astype(object)
    repeats = text.nunique() < len(text)
    return text.astype("category") if repeats else text


def _name(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return f"category of {kind_of(column)}"
    if is_object_dtype(column.dtype) and not _is_text(column):
        return f"object of {_typed(column).dtype}"
    return str(column.dtype)


def _is_text(column: pd.Series) -> bool:
    known = column.dropna()
    return not len(known) or isinstance(known.iloc[0], str)


def _typed(column: pd.Series) -> pd.Series:
    """Return numbers or truth values that stand among objects as a column of their own type."""
    return column.convert_dtypes(convert_string=False)


def _restored(column: pd.Series, kind: str) -> pd.Series:
    category, single = kind.removeprefix("category of "), kind.removeprefix("object of ")
    if category != kind:
        return from_text(column, category)
    restored = parsed(column.astype(object), single)
    return restored if single == kind else parsed(restored.astype(object), "object")
