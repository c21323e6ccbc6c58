"""Files of AnnData (.h5ad) in: features, maps, images where there are any; what leads elsewhere is refused."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells

if TYPE_CHECKING:
    from anndata import AnnData

SURELY_SMALL_BYTES = 2**28
LARGEST_RATIO = 2000
LARGEST_BYTES = 2**36
MOST_OBJECTS = 200_000
DAMAGE = (
    OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError, NotImplementedError, EOFError,
    OverflowError, MemoryError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


def read_h5ad(
    path: str | Path,
    *,
    images: bool | str = True,
    layer: str | None = None,
    channels: list[str] | None = None,
    pixel_size_um: float | None = None,
    **design: Any,
) -> Cells:
    """Read an AnnData file: of mlscope with everything that was written, of scanpy and others by its conventions.

    Parameters
    ----------
    path : path
        A file with the ending ``.h5ad``.
    images : bool or str
        Read images and masks where mlscope wrote them; the name of an array (N, C, Y, X) in ``obsm`` takes that; False
        reads tables only.
    layer : str, optional
        Take the features from this layer in place of ``X``.
    channels : list of str, optional
        Names of the channels, where the file does not say.
    pixel_size_um : float, optional
        Micrometres per pixel, where the file does not say.
    **design
        label, unit, batch, control, treatment: columns of ``obs``; they take the place of what the file declares.

    Returns
    -------
    Cells
        ``embeddings`` are what is called ``X_…`` in ``obsm``; ``obs`` has ``x_px`` and ``y_px`` from ``spatial``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no AnnData, is damaged, leads to other files, says that it holds more than it can, names a cell twice, or
        has no such layer or array.

    Examples
    --------
    >>> import tempfile
    >>> from anndata import AnnData
    >>> file = Path(tempfile.mkdtemp()) / "cells.h5ad"
    >>> AnnData(np.ones((2, 1), "float32"), obs=pd.DataFrame(index=["a", "b"])).write_h5ad(file)
    >>> read_h5ad(file).features.shape
    (2, 1)
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Check folder and name.")
    try:
        _check(file)
        adata = _opened(file)
        if layer is not None:
            _take_layer(adata, layer)
        made = _cells(adata, images, channels, pixel_size_um)
    except DAMAGE as error:
        reason = str(error)[:400] or type(error).__name__
        raise ValueError(f"'{file}' cannot be read: {reason}") from error
    made = _finite(made)
    return made.with_design(**design) if design else made


def _check(file: Path) -> None:
    """Look at every array before one is read: what it links to, and whether the file can hold what it says."""
    import h5py

    if not h5py.is_hdf5(file):
        raise ValueError("it is no HDF5 file, or its beginning is damaged; expected AnnData's .h5ad")
    on_disk = file.stat().st_size
    total = 0
    with h5py.File(file, "r", locking=False) as store:
        for n, (name, item) in enumerate(_items(store, h5py)):
            if n > MOST_OBJECTS:
                raise ValueError(f"it has more than {MOST_OBJECTS:,} parts")
            total += _size(name, item, on_disk)
            if total > LARGEST_BYTES:
                raise ValueError(f"it says that it holds more than {LARGEST_BYTES / 2**30:,.0f} GB; read it in parts")
        if "obs" not in store and "X" not in store:
            raise ValueError(
                f"it has no obs and no X, expected AnnData's .h5ad; it holds {some(store, 8) or 'nothing'}"
            )


def _items(group: Any, h5py: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every array with its name; links that lead to other files are refused, rings are not followed."""
    if depth > 32:
        raise ValueError(f"'{path[:100]}' lies deeper than anything in an AnnData")
    for name in group:
        link = group.get(name, getlink=True)
        here = f"{path}/{name}"
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(f"'{here}' leads to another file, '{link.filename}'; only the file itself is read")
        if isinstance(link, h5py.SoftLink):
            raise ValueError(f"'{here}' leads to '{link.path}', which AnnData does not do")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _items(item, h5py, here, depth + 1)
        else:
            yield here, item


def _size(name: str, item: Any, on_disk: int) -> int:
    """Return the bytes of an array, if the file can hold it."""
    if getattr(item, "external", None) or getattr(item, "is_virtual", False):
        raise ValueError(f"'{name}' has its numbers in other files; only the file itself is read")
    shape = getattr(item, "shape", None) or ()
    kind = getattr(item, "dtype", np.dtype("u1"))
    n_bytes = int(np.prod(shape, dtype=object)) * kind.itemsize
    if n_bytes > max(SURELY_SMALL_BYTES, LARGEST_RATIO * on_disk):
        raise ValueError(f"'{name}' says that it holds {n_bytes:,} bytes, in a file of {on_disk:,}")
    return n_bytes


def _opened(file: Path) -> AnnData:
    from anndata import read_h5ad as read

    with warnings.catch_warnings():
        # what anndata has to say about old files helps nobody here; ids are checked below
        warnings.simplefilter("ignore")
        adata = read(file)
    n_values = adata.n_obs * adata.n_vars
    if n_values * 8 > LARGEST_BYTES or (hasattr(adata.X, "toarray") and n_values > 2**31):
        raise ValueError(
            f"X has {adata.n_obs:,} × {adata.n_vars:,} values, which is too much as a plain table; choose variables "
            "(scanpy.pp.highly_variable_genes) or a part of the cells first"
        )
    return adata


def _take_layer(adata: AnnData, layer: str) -> None:
    if layer not in adata.layers:
        raise ValueError(f"there is no layer '{layer}'. Layers: {some(adata.layers) or 'none'}")
    adata.X = adata.layers[layer]


def _cells(adata: AnnData, images: bool | str, channels: list[str] | None, pixel_size_um: float | None) -> Cells:
    made = Cells.from_anndata(adata)
    if images is False:
        made = made.with_images(None)
    elif isinstance(images, str):
        if images not in adata.obsm:
            raise ValueError(f"there is no '{images}' in obsm. There are: {some(adata.obsm) or 'none'}")
        made = made.with_images(np.asarray(adata.obsm[images]), channels=channels)
    elif channels is not None and made.images is not None:
        made = made.with_images(made.images, channels=channels)
    if pixel_size_um is None or made.pixel_size_um is not None:
        return made
    return made._copy(pixel_size_um=pixel_size_um)


def _finite(cells: Cells) -> Cells:
    """Return the cells with infinite features missing, and say so."""
    table = cells.features
    infinite = None if table is None else np.isinf(table.to_numpy())
    if table is None or infinite is None or not infinite.any():
        return cells
    warnings.warn(
        f"{count(int(infinite.sum()), 'infinite number')} among the features, taken as missing.",
        UserWarning,
        stacklevel=3,
    )
    return cells.with_features(pd.DataFrame(table).mask(infinite))
