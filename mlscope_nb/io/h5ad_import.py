"""Files of AnnData (.h5ad) in: features, maps, images where there are any; what leads elsewhere is refused."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.io.hdf5_check import check_hdf5

if TYPE_CHECKING:
    from anndata import AnnData

LARGEST_BYTES = 2**36
LARGEST_SPARSE = 2**31
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
    trusted: bool = False,
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
    trusted : bool
        Read the file at once. Else it is first read through in a process of its own, because damaged HDF5 can hang or
        crash the one that reads it.
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
    if not trusted:
        check_hdf5(file)
    from anndata._io.specs.registry import IORegistryError  # it has no public name

    try:
        adata = _opened(file)
        if layer is not None:
            _take_layer(adata, layer)
        made = _cells(adata, images, channels, pixel_size_um)
    except (*DAMAGE, IORegistryError) as error:
        reason = str(error)[:400] or type(error).__name__
        raise ValueError(f"'{file}' cannot be read: {reason}") from error
    made = _finite(made)
    return made.with_design(**design) if design else made


def _opened(file: Path) -> AnnData:
    import h5py
    from anndata import read_h5ad as read

    with h5py.File(file, "r", locking=False) as store:
        if "obs" not in store and "X" not in store:
            raise ValueError(
                f"it has no obs and no X, expected AnnData's .h5ad; it holds {some(store, 8) or 'nothing'}"
            )
    with warnings.catch_warnings():
        # what anndata has to say about old files helps nobody here; ids are checked below
        warnings.simplefilter("ignore")
        adata = read(file)
    n_values = adata.n_obs * adata.n_vars
    if n_values * 8 > LARGEST_BYTES or (hasattr(adata.X, "toarray") and n_values > LARGEST_SPARSE):
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
