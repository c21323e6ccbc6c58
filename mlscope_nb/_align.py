"""Everything that is handed to cells or fields must fit them row by row; what does not fit is refused by name."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some

_NAME = re.compile(r"[^\W_][\w .-]*")


def identified(obs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a copy of `obs` indexed by unique, non-empty text ids called `name`."""
    if not isinstance(obs, pd.DataFrame):
        raise TypeError(f"obs is a {type(obs).__name__}, expected a pandas DataFrame with one row per {name[:-3]}.")
    columns = text_columns(obs.columns, "obs")
    table = obs.set_axis(columns, axis=1)
    table = table.set_index(name) if name in columns else table.copy()
    table.index = text_index(table.index, name)
    refuse_duplicates(table.index, name)
    return table


def text_columns(columns: pd.Index, what: str) -> pd.Index:
    """Return column names as text; names that are then the same are refused (1 and "1" are)."""
    if isinstance(columns, pd.MultiIndex):
        raise ValueError(
            f"The columns of {what} have {columns.nlevels} levels, expected one name each. "
            "Join the levels: table.columns = ['_'.join(map(str, c)) for c in table.columns]."
        )
    names = columns.astype(str)
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise ValueError(
            f"{what} has columns with the same name (numbers count as text): {some(repeated)}. "
            "Give each column its own name."
        )
    return names


def text_index(index: pd.Index, name: str) -> pd.Index:
    """Return ids as text; missing and empty ones are refused."""
    if isinstance(index, pd.MultiIndex):
        raise ValueError(f"The index of obs has {index.nlevels} levels, expected one text id per row ('{name}').")
    empty = index.isna() | (index.astype(str).str.strip() == "")
    if empty.any():
        rows = np.flatnonzero(empty)
        raise ValueError(f"{count(len(rows), 'row')} without a {name}, at position {some(rows)}. Give each row an id.")
    return pd.Index(index.astype(str), dtype=object, name=name)


def refuse_duplicates(ids: pd.Index, name: str) -> None:
    """Raise when an id stands twice."""
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{count(len(twice), name)} appear more than once: {some(twice)}. "
            "Ids must be unique: number the repeats, or join plate, well, field and object into one id."
        )


def aligned(table: pd.DataFrame | pd.Series, ids: pd.Index, what: str) -> pd.DataFrame:
    """Return `table` in the order of `ids`; refuse it when an id is missing, unknown or repeated."""
    if isinstance(table, pd.Series):
        if table.name is None:
            raise ValueError(f"The Series for {what} has no name. Name its column: series.rename('name').")
        table = table.to_frame()
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{what} is a {type(table).__name__}, expected a DataFrame or Series indexed by cell id.")
    index = text_index(table.index, str(ids.name))
    refuse_duplicates(index, str(ids.name))
    missing, unknown = ids.difference(index, sort=False), index.difference(ids, sort=False)
    if len(missing) or len(unknown):
        raise ValueError(
            f"{what} does not fit these {len(ids):,} rows: {len(missing):,} ids are missing from it"
            f"{_named(missing)} and {len(unknown):,} are not in obs{_named(unknown)}. "
            f"Index it by {ids.name}, one row for each."
        )
    result = table.set_axis(index, axis=0).set_axis(text_columns(table.columns, what), axis=1)
    return result if index.equals(ids) else result.loc[ids]


def positions(ids: Any, index: pd.Index) -> np.ndarray:
    """Return row numbers of `ids` in `index`; True and False for each row select the rows that are True."""
    if pd.api.types.is_scalar(ids):
        ids = [ids]
    ids = ids if hasattr(ids, "dtype") else list(ids)
    if _is_mask(ids):
        return np.flatnonzero(_mask(ids, index))
    wanted = pd.Index(list(ids), dtype=object).astype(str)
    refuse_duplicates(wanted, str(index.name))
    rows = index.get_indexer(wanted)
    if (rows < 0).any():
        raise KeyError(
            f"{count(int((rows < 0).sum()), 'id')} not found: {some(wanted[rows < 0])}. Use ids from obs.index."
        )
    return rows


def numeric(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return a float table; refuse columns that are not numbers and names that stand twice."""
    columns = text_columns(table.columns, what)
    # By their types, each asked once: a look at every column copies the history of the whole table every time.
    fits = {kind: _is_number(kind) for kind in set(table.dtypes)}
    bad = [name for name, kind in zip(columns, table.dtypes, strict=True) if not fits[kind]]
    if bad:
        raise ValueError(f"{what} has columns that are not numbers: {some(bad)}. Keep text in obs.")
    kind = np.float32 if len(table.columns) and all(d == np.float32 for d in table.dtypes) else np.float64
    values = table.to_numpy(dtype=kind, na_value=np.nan)
    if values.flags.writeable:
        values = values.copy()
    values.flags.writeable = False
    result = pd.DataFrame(values, index=table.index, columns=columns, copy=False)
    result.attrs = dict(table.attrs)
    return result


def images_array(images: Any, ids: pd.Index, noun: str = "obs") -> Any:
    """Check a stack of crops (N, C, Y, X) and make numpy arrays read-only; lazy arrays pass as they are."""
    n = len(ids)
    array = np.asarray(images) if isinstance(images, list | tuple) else images
    shape = getattr(array, "shape", None)
    if shape is None or len(shape) != 4:
        raise ValueError(
            f"images have shape {shape}, expected 4 axes (cells, channels, y, x). "
            "One channel: images[:, None]; channels last: numpy.moveaxis(images, -1, 1)."
        )
    if shape[0] != n:
        raise ValueError(f"{shape[0]:,} images for {n:,} rows of {noun}, expected one image per row.")
    if array.dtype.kind not in "uifb":
        raise TypeError(f"images hold {array.dtype}, expected integers or floats.")
    if isinstance(array, np.ndarray):
        finite(array, list(ids))
    return read_only(array)


def masks_array(masks: Any, shape: tuple[int, ...] | None, n: int, what: str = "masks") -> Any:
    """Check masks (N, Y, X) of integers against the images they belong to."""
    array = np.asarray(masks) if isinstance(masks, list | tuple) else masks
    have = tuple(getattr(array, "shape", ()))
    wanted = (n, *shape[2:]) if shape is not None else (n, "Y", "X")
    if len(have) != 3 or have[0] != n or (shape is not None and have != wanted):
        raise ValueError(f"{what} have shape {have}, expected {wanted} (cells, y, x), one mask for each image.")
    if array.dtype.kind not in "uib":
        raise TypeError(f"{what} hold {array.dtype}, expected integers: 0 background, 1 this cell, 2 and more others.")
    return read_only(array.astype(np.uint8) if array.dtype.kind == "b" else array)


def channel_names(channels: Sequence[str] | None, n_channels: int | None) -> tuple[str, ...]:
    """Check channel names against the images, or number the channels."""
    if channels is None:
        return tuple(f"channel{i}" for i in range(n_channels or 0))
    names = tuple(str(c) for c in ([channels] if isinstance(channels, str) else channels))
    if n_channels is not None and len(names) != n_channels:
        raise ValueError(f"{len(names)} channel names {names} for images with {n_channels} channels.")
    if len(set(names)) != len(names):
        raise ValueError(f"Channel names must differ, found {names}.")
    return names


def pixel_size(value: float | None) -> float | None:
    """Check a pixel size in micrometres."""
    if value is not None and not (np.isfinite(value) and value > 0):
        raise ValueError(f"pixel_size_um is {value}, expected a positive number of micrometres, or None if unknown.")
    return None if value is None else float(value)


def finite(pixels: np.ndarray, ids: Sequence[str]) -> None:
    """Raise when float images (first axis: rows) hold NaN or inf, naming the rows."""
    if pixels.dtype.kind != "f" or not len(pixels):
        return
    bad = ~np.isfinite(pixels).reshape(len(pixels), -1).all(axis=1)
    if bad.any():
        names = [i for i, b in zip(ids, bad, strict=True) if b]
        raise ValueError(
            f"{count(len(names), 'image')} with NaN or infinite pixels: {some(names)}. "
            "Leave them out with subset, or replace the pixels with numpy.nan_to_num."
        )


def compartment_arrays(parts: Mapping[str, Any] | None, shape: tuple[int, ...] | None, n: int) -> dict[str, Any]:
    """Check compartments by name, coded as masks are."""
    return {
        part_name(k, "compartment"): masks_array(v, shape, n, f"compartment '{k}'") for k, v in (parts or {}).items()
    }


def numbers(table: pd.DataFrame, ids: pd.Index, what: str) -> pd.DataFrame:
    """Return a table of read-only numbers in the order of `ids`."""
    return numeric(aligned(table, ids, what), what)


def rows_of(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return these rows of a table of numbers, read-only as it is."""
    return numeric(table.iloc[rows], "the table")


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that shares its numbers, but whose names can be changed without changing `table`."""
    view = table.copy(deep=False)
    view.index, view.columns = table.index.copy(), table.columns.copy()
    return view


def part_name(name: str, what: str) -> str:
    """Check the name of a compartment or map: it becomes part of a path in the saved file."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(
            f"The {what} name {name!r} cannot be stored, expected letters, digits, spaces, '_', '-' and '.', "
            "beginning with a letter or digit and without '..'. Rename it."
        )
    return name


def read_only(array: Any) -> Any:
    """Return a view of a numpy array that cannot be written to."""
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def entries(history: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return a copy of a history that shares nothing with it."""
    return tuple(copy.deepcopy(dict(entry)) for entry in history)


def step(name: str, /, **parameters: Any) -> dict[str, Any]:
    """Return one entry for the history."""
    return {"step": name, **{k: v for k, v in parameters.items() if v is not None}}


def _is_number(kind: Any) -> bool:
    if pd.api.types.is_complex_dtype(kind):
        return False
    return bool(pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind))


def _is_mask(ids: Any) -> bool:
    if hasattr(ids, "dtype") and pd.api.types.is_bool_dtype(ids):
        return True
    return len(ids) > 0 and all(isinstance(i, bool | np.bool_) for i in ids)


def _mask(mask: Any, index: pd.Index) -> np.ndarray:
    if isinstance(mask, pd.Series):
        mask = aligned(mask.rename("mask"), index, "the mask")["mask"]
    if np.shape(mask) != (len(index),):
        raise ValueError(
            f"A mask of {' × '.join(map(str, np.shape(mask)))} True and False for {count(len(index), 'row')}, "
            "expected one for each row."
        )
    if pd.isna(mask).any():
        raise ValueError("The mask has missing values, expected True or False for each row. Use mask.fillna(False).")
    return np.asarray(mask, dtype=bool)


def _named(ids: pd.Index) -> str:
    return f" ({some(ids)})" if len(ids) else ""
