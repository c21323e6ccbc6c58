"""Single-cell images in HDF5 as scPortrait writes them: masks and channels of each cell, read when they are needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.io.limits import MAX_BYTES, check_size

IMAGES = "obsm/single_cell_images"
# What SPARCSpy, scPortrait's forerunner, called the same.
OLD_IMAGES, OLD_INDEX = "single_cell_data", "single_cell_index"
DAMAGE = (OSError, ValueError, TypeError, KeyError, RuntimeError, IndexError, AttributeError, OverflowError)


@dataclass(frozen=True)
class H5Images:
    """Some channels of the images in an HDF5 file, as an array (N, C, Y, X) that is read when it is sliced."""

    file: Path
    name: str
    channels: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        import h5py

        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        try:
            with h5py.File(self.file, "r") as store:
                rows = np.arange(self.shape[0])[first]
                found = _rows(store[self.name], np.atleast_1d(rows), self.channels)
        except DAMAGE as error:
            raise ValueError(f"'{self.file}' cannot be read: {error}") from error
        return found[0][rest] if np.ndim(rows) == 0 else found[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def read_h5sc(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    **design: Any,
) -> Cells:
    """Read single-cell images of scPortrait (``.h5sc``) or SPARCSpy (``.h5``); they stay on disk until they are needed.

    Parameters
    ----------
    path : path
    channels : list of str, optional
        Names of the image channels; taken from the file where it has them.
    pixel_size_um : float, optional
    **design
        label, unit, batch, control, treatment: columns of ``obs``.

    Returns
    -------
    Cells
        The first mask channel becomes ``masks`` when it is a cell's, all of them compartments. Pixels are as stored:
        scPortrait scales each to 0 … 1 as float16, which is read as float32.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, or holds no single-cell images.

    Notes
    -----
    Source: scPortrait 1.4 (https://github.com/MannLabs/scPortrait), whose files are AnnData with images in
    ``obsm["single_cell_images"]``, ``var`` with their names and ``obs["scportrait_cell_id"]``.
    """
    import h5py

    file = Path(path).resolve()
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{path}'. Check folder and name.")
    try:
        with h5py.File(file, "r") as store:
            name = next((n for n in (IMAGES, OLD_IMAGES) if _is_here(store, n)), None)
            if name is None:
                raise ValueError(f"it holds no '{IMAGES}', but {some(store.keys())}")
            shape, dtype = _checked(store[name], os.path.getsize(file))
            names, kinds = _channels(store, store[name], shape[1])
            obs = _obs(store, name, shape[0])
    except DAMAGE as error:
        raise ValueError(f"'{path}' cannot be read as single-cell images: {error}.") from error
    masked = [i for i, kind in enumerate(kinds) if kind == "mask"]
    shown = [i for i, kind in enumerate(kinds) if kind != "mask"]
    images = H5Images(file, name, tuple(shown), (shape[0], len(shown), *shape[2:]), dtype)
    parts = {names[i]: _Mask(H5Images(file, name, (i,), (shape[0], 1, *shape[2:]), dtype)) for i in masked}
    whole = next((n for n in parts if "cyto" in n.lower() or "cell" in n.lower()), next(iter(parts), None))
    return Cells(
        obs,
        images,
        masks=parts[whole] if whole is not None else None,
        compartments={n: m for n, m in parts.items() if n != whole},
        channels=channels if channels is not None else [names[i] for i in shown],
        pixel_size_um=pixel_size_um,
        history=[{"step": "read_h5sc", "n": len(obs), "source": str(path)}],
        **design,
    )


def looks_like_single_cells(path: Path) -> bool:
    """Whether an HDF5 file holds single-cell images as scPortrait or SPARCSpy write them."""
    import h5py

    try:
        with h5py.File(path, "r") as store:
            return any(_is_here(store, n) for n in (IMAGES, OLD_IMAGES))
    except DAMAGE:
        return False


def _is_here(store: Any, name: str) -> bool:
    """Whether there is a dataset of that name that lies in this file, not in one that a link leads to."""
    import h5py

    parts = name.split("/")
    for i in range(len(parts)):
        link = store.get("/".join(parts[: i + 1]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            return False
    return isinstance(store.get(name), h5py.Dataset)


class _Mask:
    """One mask channel as (N, Y, X) of 0 and 1."""

    def __init__(self, images: H5Images) -> None:
        self._images = images
        self.shape = (images.shape[0], *images.shape[2:])
        self.dtype, self.ndim = np.dtype(np.uint8), 3

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        found = (self._images[first] > 0).astype(np.uint8)
        alone = found.ndim == 3
        part: np.ndarray = found[0] if alone else found[:, 0]
        return part[rest] if alone else part[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def _rows(data: Any, rows: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """Read rows in any order: HDF5 wants them sorted and once each."""
    order, inverse = np.unique(rows, return_inverse=True)
    whole = len(order) and order[-1] - order[0] + 1 == len(order)
    part = data[int(order[0]) : int(order[-1]) + 1] if whole else data[order]
    found = np.asarray(part)[inverse][:, list(channels)]
    return found.astype(np.float32) if found.dtype == np.float16 else found


def _checked(data: Any, on_disk: int) -> tuple[tuple[int, ...], np.dtype]:
    shape, dtype = tuple(map(int, data.shape)), np.dtype(data.dtype)
    if len(shape) != 4 or min(shape) < 1 or dtype.kind not in "uifb":
        raise ValueError(f"its images have shape {shape} and type {dtype}, expected (N, C, Y, X) of numbers")
    if data.external or data.is_virtual:
        raise ValueError("its images lie in another file, which is not read")
    per_chunk = int(np.prod(data.chunks or shape, dtype=object)) * dtype.itemsize
    if per_chunk > MAX_BYTES // 4 or int(np.prod(shape[1:], dtype=object)) * dtype.itemsize > MAX_BYTES // 4:
        raise ValueError(f"one of its images or pieces says it holds {per_chunk / 2**20:,.0f} MB")
    written = data.id.get_storage_size()
    if not written:
        raise ValueError("its images were never written")
    check_size(min(int(np.prod(shape, dtype=object)) * dtype.itemsize, MAX_BYTES), on_disk)
    return shape, np.dtype(np.float32) if dtype == np.float16 else dtype


def _channels(store: Any, data: Any, n: int) -> tuple[list[str], list[str]]:
    """Return the names of the channels and whether each is a mask, from where scPortrait keeps them."""
    named = [_text(v) for v in data.attrs.get("channel_names", ())]
    kinds = [_text(v) for v in data.attrs.get("channel_mapping", ())]
    var = store.get("var")
    if len(named) != n and var is not None and "channels" in var:
        named = [_text(v) for v in var["channels"][:n]]
    if len(named) != n or len(set(named)) != n:
        named = [f"channel{i}" for i in range(n)]
    if len(kinds) != n:
        masks = int(data.attrs.get("n_masks", 0))
        kinds = ["mask" if i < masks else "image_channel" for i in range(n)]
    if all(k == "mask" for k in kinds):
        raise ValueError(f"all of its {n} channels are masks")
    return named, kinds


def _obs(store: Any, name: str, n: int) -> pd.DataFrame:
    ids = pd.Index([f"cell{i:06d}" for i in range(n)], dtype=object)
    if name == OLD_IMAGES:
        index = store.get(OLD_INDEX)
        values = np.asarray(index[:, -1]) if index is not None and index.ndim == 2 and len(index) == n else np.arange(n)
        return pd.DataFrame({"scportrait_cell_id": values}, index=ids)
    from anndata._io.specs.registry import IORegistryError  # it has no public name
    from anndata.io import read_elem

    try:
        obs = read_elem(store["obs"])
    except IORegistryError as error:
        raise ValueError(f"its table of cells is damaged ({str(error)[:200]})") from error
    if not isinstance(obs, pd.DataFrame) or len(obs) != n:
        raise ValueError(f"its table of cells does not fit {n:,} images")
    text = {c: obs[c].astype(object) for c in obs.columns if isinstance(obs[c].dtype, pd.CategoricalDtype)}
    table = obs.assign(**text)
    if "scportrait_cell_id" in table and table["scportrait_cell_id"].is_unique:
        return table.set_axis(pd.Index(table["scportrait_cell_id"].astype(str), dtype=object), axis=0)
    return table.set_axis(ids, axis=0)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
