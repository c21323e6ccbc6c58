"""The table of cells in an OME-Zarr store: features, maps and obs as an AnnData in ``tables/cells``.

OME-Zarr has no tables: their proposal (https://github.com/ome/ngff/pull/64) was closed. Tools that need them, such as
spatialdata and Fractal's, lay an AnnData into a group ``tables``, and all others pass it over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.io.h5ad_export import annotated
from mlscope_nb.io.ngff import inner_folder, open_array

if TYPE_CHECKING:
    import zarr

TABLES = "tables"
TABLE = "cells"
MAP = "obsm/X_"


def write_table(root: zarr.Group, cells: Cells) -> None:
    """Write features and maps, where there are any, with `obs` as an AnnData that `anndata.read_zarr` opens."""
    if cells.features is None and not cells.embeddings:
        return
    from anndata import settings
    from anndata.io import write_elem

    tables = root.create_group(TABLES)
    tables.attrs[TABLES] = [TABLE]
    with settings.override(auto_shard_zarr_v3=False):
        write_elem(tables, TABLE, annotated(cells))


def read_features(store: Path, ids: pd.Index, names: Sequence[str]) -> pd.DataFrame | None:
    """Return the features of these names; None where there are none.

    Raises
    ------
    ValueError
        They are damaged, or of other cells.
    """
    return _table(store, "X", ids, names) if names else None


def read_maps(store: Path, ids: pd.Index, columns: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
    """Return the maps of these names, with their columns.

    Raises
    ------
    ValueError
        They are damaged, or of other cells.
    """
    return {name: _table(store, f"{MAP}{name}", ids, named) for name, named in columns.items()}


def _table(store: Path, part: str, ids: pd.Index, columns: Sequence[str]) -> pd.DataFrame:
    path = f"{TABLES}/{TABLE}/{part}"
    inner_folder(store, path)
    array: Any = open_array(store, path)
    expected = (len(ids), len(columns))
    if tuple(array.shape) != expected:
        raise ValueError(f"its table '{part}' has shape {tuple(array.shape)}, expected {expected}: cells and names")
    return pd.DataFrame(np.asarray(array[:]), index=ids, columns=pd.Index(columns))
