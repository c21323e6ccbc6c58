"""Crops that are in memory or in an npz file: which axis is which, what belongs to which crop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io import file_tables
from mlscope_nb.io.limits import DAMAGE, check_npz
from mlscope_nb.io.listing import Problem
from mlscope_nb.io.pixels import labelled
from mlscope_nb.io.stacks import MAX_CHANNELS

IMAGE_KEYS = ("images", "X", "x", "crops", "data", "arr_0")
LABEL_KEYS = ("labels", "y", "label", "targets")
ID_KEYS = ("cell_id", "ids", "id")
PARTS = ("train", "val", "test")
Found = tuple[np.ndarray, np.ndarray | None, pd.DataFrame, list[str] | None, list[Problem]]


def from_array(array: np.ndarray, metadata: Any, masks: Any) -> Found:
    """Take an array of crops, with a table and masks in the same order."""
    images = crops_first(array)
    return images, mask_array(masks, images), _in_order(_numbered(len(images)), metadata), None, []


def from_npz(path: Path, metadata: Any, masks: Any) -> Found:
    """Read crops, labels, ids, masks and channel names from an npz file; the parts of MedMNIST are joined."""
    arrays = _joined(_read_npz(path))
    key = next((k for k in IMAGE_KEYS if k in arrays and arrays[k].ndim in (3, 4)), None)
    key = key or next((k for k, a in arrays.items() if a.ndim in (3, 4)), None)
    if key is None:
        raise ValueError(f"'{path}' holds no images: {some(f'{k} {a.shape}' for k, a in arrays.items())}.")
    images = crops_first(arrays[key])
    obs = _numbered(len(images))
    for name, keys in (("cell_id", ID_KEYS), ("label", LABEL_KEYS), ("split", ("split",))):
        found = next((k for k in keys if k in arrays), None)
        if found is not None:
            obs[name] = _one_each(arrays[found], len(images), f"'{found}' in '{path.name}'")
    obs = obs.set_index("cell_id") if "cell_id" in obs else obs
    names = [str(c) for c in arrays["channels"]] if "channels" in arrays else None
    own = masks if masks is not None else arrays.get("masks")
    return images, mask_array(own, images), _in_order(obs, metadata), names, []


def is_npz(source: object) -> bool:
    """Whether a source is the path of an npz file."""
    return isinstance(source, str | Path) and str(source).lower().endswith(".npz")


def central(mask: np.ndarray) -> np.ndarray:
    """Code a crop's mask: 1 the object in the middle (or nearest to it), 2, 3, … the others."""
    if not mask.any():
        return np.zeros(mask.shape, np.uint8)
    y, x = np.nonzero(mask)
    middle = (np.array(mask.shape) - 1) / 2
    label = mask[y, x][np.argmin((y - middle[0]) ** 2 + (x - middle[1]) ** 2)]
    values, inverse = np.unique(mask, return_inverse=True)
    others = (values != 0) & (values != label)
    codes = np.where(others, np.minimum(1 + np.cumsum(others), 255), (values == label).astype(int))
    return codes[inverse].reshape(mask.shape).astype(np.uint8)


def mask_array(masks: Any, images: np.ndarray) -> np.ndarray | None:
    """Check masks (N, Y, X) and code the object in the middle as 1."""
    if masks is None:
        return None
    if not isinstance(masks, np.ndarray):
        raise ValueError("Masks of an array are an array too (N, Y, X), in the same order.")
    if masks.shape != (len(images), *images.shape[2:]):
        raise ValueError(f"masks have shape {masks.shape}, expected {(len(images), *images.shape[2:])}.")
    return np.stack([central(labelled(m)) for m in masks]) if len(masks) else masks.astype(np.uint8)


def crops_first(array: np.ndarray) -> np.ndarray:
    """Return (N, C, Y, X) from (N, Y, X), (N, Y, X, C) or (N, C, Y, X)."""
    if array.ndim == 3:
        return array[:, None]
    if array.ndim != 4:
        raise ValueError(f"The array has shape {array.shape}, expected (N, C, Y, X), (N, Y, X) or (N, Y, X, C).")
    if array.shape[-1] <= MAX_CHANNELS < array.shape[1]:
        return np.ascontiguousarray(np.moveaxis(array, -1, 1))
    return array


def _in_order(obs: pd.DataFrame, metadata: Any) -> pd.DataFrame:
    if metadata is None:
        return obs
    table = file_tables.read_table(metadata)
    if len(table) != len(obs):
        raise ValueError(
            f"The table has {count(len(table), 'row')} for {count(len(obs), 'crop')}, expected one row each."
        )
    if "cell_id" in table.columns:
        obs = obs.set_axis(pd.Index(table.pop("cell_id")), axis=0)
    elif not isinstance(table.index, pd.RangeIndex):
        obs = obs.set_axis(table.index, axis=0)
    kept = obs.drop(columns=[c for c in obs.columns if c in table.columns])
    return kept.join(table.set_axis(obs.index, axis=0))


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'. Check folder and name.")
    check_npz(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DAMAGE as error:
        raise ValueError(f"'{path}' cannot be read as npz: {error}. Objects (pickles) are never loaded.") from error


def _joined(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Join train_images, val_images and test_images, and say in "split" which is which."""
    parts = [p for p in PARTS if f"{p}_images" in arrays]
    if not parts:
        return arrays
    whole = {
        k: np.concatenate([arrays[f"{p}_{k}"] for p in parts])
        for k in ("images", "labels")
        if f"{parts[0]}_{k}" in arrays
    }
    return {**whole, "split": np.repeat(parts, [len(arrays[f"{p}_images"]) for p in parts])}


def _one_each(values: np.ndarray, n: int, what: str) -> np.ndarray:
    if values.size != n:
        raise ValueError(f"{what} has shape {values.shape}, expected one value for each of {n:,} crops.")
    return values.ravel()


def _numbered(n: int) -> pd.DataFrame:
    return pd.DataFrame(index=pd.Index([f"cell{i:06d}" for i in range(n)], dtype=object))
