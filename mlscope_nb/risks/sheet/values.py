"""Anything as plain values: what JSON can hold, with single cells summarised and pictures left out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

MOST_VALUES = 20_000
MOST_TEXT = 2_000
DEEPEST = 12
HALF = 0.5


def clean(text: object) -> str:
    """Return text that every file and browser can hold: no half characters, no control characters.

    Examples
    --------
    >>> clean("drug\\x00\\ud800")
    'drug\ufffd?'
    """
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in whole[:MOST_TEXT])
    return shown if len(whole) <= MOST_TEXT else f"{shown}…"


def jsonable(value: Any, ids: pd.Index | None = None, depth: int = 0) -> Any:
    """Return `value` as text, numbers, lists and dicts; NaN and infinity as None.

    Parameters
    ----------
    value : any
    ids : Index, optional
        Ids of the cells: a table with one row for each of them is summarised by its columns.
    depth : int
        How deep inside of something else it lies.

    Examples
    --------
    >>> jsonable({"at": (np.float32(0.5), float("nan")), "who": {"b", "a"}})
    {'at': [0.5, None], 'who': ['a', 'b']}
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        return jsonable(value.item(), ids, depth)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | PurePath):
        return clean(value)
    if isinstance(value, date):
        return value.isoformat()
    return "…" if depth > DEEPEST else _container(value, ids, depth + 1)


def _container(value: Any, ids: pd.Index | None, depth: int) -> Any:
    if isinstance(value, pd.DataFrame):
        return table(value, ids, depth)
    if isinstance(value, pd.Series):
        return _series(value, ids, depth)
    if isinstance(value, Mapping):
        return {clean(k): jsonable(v, ids, depth) for k, v in value.items()}
    if isinstance(value, np.ndarray) and (value.ndim > 2 or value.size > MOST_VALUES):
        return {"shape": list(value.shape), "dtype": str(value.dtype)}
    if isinstance(value, set | frozenset):
        return sorted((jsonable(v, ids, depth) for v in value), key=str)
    if isinstance(value, pd.Index | np.ndarray | Sequence):
        return [jsonable(v, ids, depth) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_of(value, ids, depth=depth)
    return described(value)


def fields_of(value: Any, ids: pd.Index | None = None, leave_out: Sequence[str] = (), depth: int = 0) -> dict[str, Any]:
    """Return the fields of a dataclass as plain values, in their order."""
    names = [f.name for f in dataclasses.fields(value) if f.name not in leave_out and not f.name.startswith("_")]
    return {name: jsonable(getattr(value, name), ids, depth) for name in names}


def described(value: Any) -> str:
    """Return what an object says of itself, without its address in memory."""
    plain = all(getattr(type(value), way) is getattr(object, way) for way in ("__repr__", "__str__"))
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    return clean(name if plain or isinstance(value, type) or callable(value) else str(value))


def table(frame: pd.DataFrame, ids: pd.Index | None = None, depth: int = 0) -> dict[str, Any]:
    """Return a table by columns and rows; one of single cells, or a very long one, as a summary of its columns.

    Examples
    --------
    >>> table(pd.DataFrame({"n": [1, 2]}, index=pd.Index(["a", "b"], name="class")))
    {'columns': ['class', 'n'], 'rows': [['a', 1], ['b', 2]], 'n_index': 1}
    """
    if frame.size > 50 * MOST_VALUES or _of_cells(frame, ids):
        return summary(frame)
    counted = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    n_index = 0 if counted else frame.index.nlevels
    heads = [clean("" if n is None else n) for n in frame.index.names] if n_index else []
    keys = (
        [list(k) if isinstance(k, tuple) else [k] for k in frame.index] if n_index else [[] for _ in range(len(frame))]
    )
    columns = [frame.iloc[:, k].tolist() for k in range(frame.shape[1])]
    rows = [[jsonable(v, ids, depth) for v in (*key, *(column[i] for column in columns))] for i, key in enumerate(keys)]
    return {"columns": [*heads, *(clean(c) for c in frame.columns)], "rows": rows, "n_index": n_index}


def summary(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the number of rows, and for each column what it holds."""
    return {"n_rows": len(frame), "summary": [_column(frame.iloc[:, k]) for k in range(frame.shape[1])]}


def _column(values: pd.Series) -> dict[str, Any]:
    about: dict[str, Any] = {"column": clean(values.name), "n_missing": int(values.isna().sum())}
    known = values.dropna()
    if pd.api.types.is_bool_dtype(known) and len(known):
        return {**about, "n_true": int(known.astype(bool).sum())}
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_complex_dtype(known) and len(known):
        numbers = known.to_numpy(np.float64)
        ends = {"lowest": numbers.min(), "median": np.median(numbers), "highest": numbers.max()}
        return {**about, **{k: jsonable(v) for k, v in ends.items()}}
    return {**about, "n_different": int(known.astype(str).nunique())}


def _series(values: pd.Series, ids: pd.Index | None, depth: int) -> Any:
    if _of_cells(values, ids) or len(values) > MOST_VALUES:
        return summary(values.to_frame("values" if values.name is None else values.name))
    return {clean(k): jsonable(v, ids, depth) for k, v in values.items()}


def _of_cells(found: pd.DataFrame | pd.Series, ids: pd.Index | None) -> bool:
    if ids is None or not len(found):
        return False
    given = found.index
    if isinstance(found, pd.DataFrame) and "cell_id" in found:
        given = pd.Index(found["cell_id"])
    return not isinstance(given, pd.MultiIndex) and bool(given.isin(ids).mean() > HALF)
