"""Everything that is handed to cells or fields must fit them row by row; what does not fit is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some


def identified(obs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a copy of `obs` indexed by unique, non-empty text ids called `name`."""
    if not isinstance(obs, pd.DataFrame):
        raise TypeError(f"obs is a {type(obs).__name__}, expected a pandas DataFrame with one row per {name[:-3]}.")
    table = obs.set_index(name) if name in obs.columns else obs.copy()
    table.index = text_index(table.index, name)
    repeated = table.columns[table.columns.duplicated()].unique()
    if len(repeated):
        raise ValueError(f"obs has columns with the same name: {some(repeated)}. Give each column its own name.")
    refuse_duplicates(table.index, name)
    table.columns = table.columns.astype(str)
    return table


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
    result = table.set_axis(index, axis=0)
    return result if index.equals(ids) else result.loc[ids]


def positions(ids: Any, index: pd.Index) -> np.ndarray:
    """Return row numbers of `ids` in `index`; a boolean Series over the same rows selects its True rows."""
    if isinstance(ids, str):
        ids = [ids]
    if isinstance(ids, pd.Series) and pd.api.types.is_bool_dtype(ids):
        return np.flatnonzero(aligned(ids.rename("mask"), index, "the mask")["mask"].to_numpy())
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
    bad = [c for c in table.columns if not _is_number(table[c])] if table.columns.is_unique else []
    if bad or not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()].unique()
        problem = f"columns that are not numbers: {some(bad)}" if bad else f"columns named twice: {some(twice)}"
        raise ValueError(f"{what} has {problem}. Keep text in obs, and give every feature its own name.")
    kind = np.float32 if len(table.columns) and all(d == np.float32 for d in table.dtypes) else np.float64
    values = table.to_numpy(dtype=kind, na_value=np.nan)
    if values.flags.writeable:
        values = values.copy()
    values.flags.writeable = False
    result = pd.DataFrame(values, index=table.index, columns=table.columns.astype(str), copy=False)
    result.attrs = dict(table.attrs)
    return result


def images_array(images: Any, n: int, noun: str = "obs") -> Any:
    """Check a stack of crops (N, C, Y, X) and make numpy arrays read-only; lazy arrays pass as they are."""
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
    if pixels.dtype.kind != "f":
        return
    bad = ~np.isfinite(pixels).reshape(len(pixels), -1).all(axis=1)
    if bad.any():
        names = [i for i, b in zip(ids, bad, strict=True) if b]
        raise ValueError(
            f"{count(len(names), 'image')} with NaN or infinite pixels: {some(names)}. "
            "Leave them out with subset, or replace the pixels with numpy.nan_to_num."
        )


def read_only(array: Any) -> Any:
    """Return a view of a numpy array that cannot be written to."""
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def step(name: str, /, **parameters: Any) -> dict[str, Any]:
    """Return one entry for the history."""
    return {"step": name, **{k: v for k, v in parameters.items() if v is not None}}


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def _named(ids: pd.Index) -> str:
    return f" ({some(ids)})" if len(ids) else ""
