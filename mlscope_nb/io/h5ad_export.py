"""Files of AnnData (.h5ad) out: what scanpy and squidpy open, plot and go on with."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlscope_nb._files import new_target, replacing
from mlscope_nb._h5ad_columns import to_h5ad
from mlscope_nb._hdf5 import RememberingFile, new_hdf5
from mlscope_nb._lazy import read_rows
from mlscope_nb._store import _plain
from mlscope_nb._tables import refuse_unstorable
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells

if TYPE_CHECKING:
    from anndata import AnnData

Missing = Literal["keep", "median"]
KEY = "mlscope"
CHUNK_BYTES = 4_000_000


def write_h5ad(
    cells: Cells, path: str | Path, *, images: bool = False, missing: Missing = "keep", overwrite: bool = False
) -> Path:
    """Write cells as an AnnData file that scanpy and squidpy open and plot.

    Features go to ``X``, maps to ``obsm["X_umap"]`` and so on, positions in pixels to ``obsm["spatial"]`` as x, y (each
    field has its own origin: give squidpy ``library_key="field_id"``), groups to ``obs`` as categories. What AnnData
    has no words for (design, channels, pixel size, history, types of columns) is a short text in ``uns["mlscope"]``, so
    that `read_h5ad` gives back what was written.

    Parameters
    ----------
    cells : Cells
    path : path
        The file, with the ending ``.h5ad``.
    images : bool
        Also write crops, masks and compartments, as arrays (N, C, Y, X) and (N, Y, X) in ``obsm``: scanpy carries them
        along without looking at them.
    missing : {"keep", "median"}
        What to do with features that could not be measured (NaN). ``var["n_missing"]`` counts them. "keep" loses
        nothing and warns, because scanpy's pca and neighbours refuse NaN; "median" puts each feature's
        median in its place.
    overwrite : bool
        Replace an older file.

    Returns
    -------
    Path
        The file. It appears when all is written, and is not there when something failed.

    Raises
    ------
    FileExistsError
        There is a file of this name.
    ValueError
        The name does not end in ``.h5ad``, or a column of obs cannot be stored.
    OSError
        The folder cannot be written or the disk is full; an older file is left as it was.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> obs = pd.DataFrame({"well": ["A01", "A02"]}, index=["a", "b"])
    >>> areas = pd.DataFrame({"Cells_AreaShape_Area": [50.0, 60.0]}, index=["a", "b"])
    >>> write_h5ad(Cells(obs, features=areas), Path(tempfile.mkdtemp()) / "cells.h5ad").name
    'cells.h5ad'

    Source: the on-disk format of anndata 0.12 (https://anndata.readthedocs.io); checked with scanpy and squidpy.
    """
    from anndata.io import write_elem

    if missing not in ("keep", "median"):
        raise ValueError(f"missing is {missing!r}, expected 'keep' or 'median'.")
    target = new_target(path, overwrite=overwrite)
    if target.suffix.lower() != ".h5ad":
        raise ValueError(f"'{target.name}' does not end in '.h5ad', by which scanpy knows the file. Rename it.")
    if target.is_dir():
        raise IsADirectoryError(f"'{target}' is a folder, so it is not replaced. Choose another name.")
    arrays = _arrays(cells) if images else {}
    adata = annotated(cells, list(arrays))
    _state_missing(adata, missing)
    with replacing(target) as part, new_hdf5(part) as (store, disk):
        write_elem(store, "/", adata)
        _append_arrays(store["obsm"], arrays, disk)
    return target


def annotated(cells: Cells, arrays: Sequence[str] = ()) -> AnnData:
    """Return the tables of cells as an AnnData that files can hold, with notes of the names of `arrays` to come.

    Raises
    ------
    ValueError
        A column of obs cannot be stored.
    """
    refuse_unstorable(cells.obs, "obs")
    design = cells.design
    groups = [*design.unit, *design.batch, *([design.label] if design.label else [])]
    groups += [design.treatment] if design.treatment else []
    obs, columns = to_h5ad(cells.obs, groups)
    adata = cells.to_anndata(images=False)
    about: dict[str, Any] = {**json.loads(adata.uns[KEY]), "arrays": list(arrays), "text": [], "columns": columns}
    adata.obs = obs
    adata.uns[KEY] = json.dumps(about, ensure_ascii=False, default=_plain)
    return adata


def _state_missing(adata: AnnData, missing: Missing) -> None:
    """Count what is missing in each feature, say so, and fill it in where that is wanted."""
    gone = np.isnan(adata.X)
    counts = gone.sum(axis=0)
    adata.var["n_missing"] = counts
    if not counts.any():
        return
    named = f"{count(int((counts > 0).sum()), 'feature')} with NaN: {some(adata.var_names[counts > 0], 3)}"
    if missing == "median":
        adata.X = _filled(adata.X, gone)
        about = json.loads(adata.uns[KEY])
        about["history"].append({"step": "write_h5ad", "missing": "median", "n": int(counts.sum())})
        adata.uns[KEY] = json.dumps(about, ensure_ascii=False)
        return
    warnings.warn(
        f"{named}. They are kept, and counted in var['n_missing']; scanpy's pca and neighbours refuse NaN: "
        "leave these features out there, or write with missing='median'.",
        UserWarning,
        stacklevel=3,
    )


def _filled(values: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Return the values with the median of the column where one is gone; 0 where a whole column is."""
    known = np.where(gone.all(axis=0), 0, values)
    return np.where(gone, np.nanmedian(known, axis=0), values).astype(values.dtype)


def _arrays(cells: Cells) -> dict[str, Any]:
    found = {"images": cells.images, "masks": cells.masks}
    found |= {f"compartment_{name}": array for name, array in cells.compartments.items()}
    return {name: array for name, array in found.items() if array is not None}


def _append_arrays(obsm: Any, arrays: dict[str, Any], disk: RememberingFile) -> None:
    """Add arrays to obsm a few cells at a time, described as anndata describes them; stop when the disk is full."""
    for name, array in arrays.items():
        rows = max(1, CHUNK_BYTES // max(1, int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize))
        chunks = (max(1, min(rows, array.shape[0])), *(max(1, s) for s in array.shape[1:]))
        out = obsm.create_dataset(
            name, shape=tuple(array.shape), dtype=array.dtype, chunks=chunks, compression="gzip", compression_opts=1
        )
        out.attrs["encoding-type"], out.attrs["encoding-version"] = "array", "0.2.0"
        for start in range(0, array.shape[0], rows):
            piece = slice(start, start + rows)
            out[piece] = read_rows(array, piece)
            disk.check()
