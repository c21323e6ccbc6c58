"""Cells as AnnData and back: the format at the border to scanpy, squidpy and other scverse tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._h5ad_columns import from_h5ad
from mlscope_nb._lazy import read_rows
from mlscope_nb._store import _plain, as_declared
from mlscope_nb.cells import Cells

if TYPE_CHECKING:
    from anndata import AnnData

KEY = "mlscope"


def to_anndata(cells: Cells, *, images: bool = True) -> AnnData:
    """Return an AnnData with features in X, maps in obsm["X_…"] and positions in obsm["spatial"] (x, y).

    Parameters
    ----------
    cells : Cells
    images : bool
        Also put images, masks and compartments into obsm, so that nothing is lost on the way back.
    """
    from anndata import AnnData

    numbers, obs = cells.features, cells.obs
    table = pd.DataFrame(index=cells.ids) if numbers is None else numbers
    adata = AnnData(X=np.array(table), obs=obs, var=pd.DataFrame(index=table.columns.astype(str)))
    for name, points in cells.embeddings.items():
        adata.obsm[f"X_{name}"] = points.to_numpy(copy=True)
    if {"x_px", "y_px"} <= set(obs.columns):
        adata.obsm["spatial"] = obs[["x_px", "y_px"]].to_numpy(dtype=float)
    arrays = _arrays(cells) if images else {}
    for name, array in arrays.items():
        adata.obsm[name] = read_rows(array, slice(None))
    adata.uns[KEY] = json.dumps(_about(cells, list(arrays)), ensure_ascii=False, default=_plain)
    return adata


def from_anndata(adata: AnnData) -> Cells:
    """Make cells from an AnnData; what mlscope did not write is read by scanpy's conventions.

    Raises
    ------
    ValueError
        Ids are missing or stand twice, or X holds no numbers.
    """
    about: dict[str, Any] = json.loads(str(adata.uns[KEY])) if KEY in adata.uns else {}
    obs = _obs(adata, about)
    arrays = {name: np.asarray(adata.obsm[name]) for name in about.get("arrays", ()) if name in adata.obsm}
    maps = [name for name in adata.obsm if name.startswith("X_") and np.ndim(adata.obsm[name]) == 2]
    images, masks = arrays.pop("images", None), arrays.pop("masks", None)
    roles = dict(about.get("design", {}))
    control = roles.pop("control", None)
    made = Cells(
        obs,
        images,
        masks=masks,
        compartments={name.removeprefix("compartment_"): array for name, array in arrays.items()},
        features=_features(adata),
        embeddings={name[2:]: _map(adata.obsm[name], adata.obs_names) for name in maps},
        channels=about.get("channels") if images is not None or about.get("channels") else None,
        pixel_size_um=about.get("pixel_size_um"),
        history=[*about.get("history", ()), {"step": "from_anndata"}],
        **roles,
    )
    return as_declared(made, control)


def _about(cells: Cells, arrays: list[str]) -> dict[str, Any]:
    return {
        "channels": list(cells.channels),
        "pixel_size_um": cells.pixel_size_um,
        "design": cells.design.to_dict(),
        "history": list(cells.history),
        "arrays": arrays,
        # h5ad turns text into categories; this brings plain text back
        "text": [c for c in cells.obs.columns if cells.obs[c].dtype == object],
    }


def _arrays(cells: Cells) -> dict[str, Any]:
    found = {"images": cells.images, "masks": cells.masks}
    found |= {f"compartment_{name}": array for name, array in cells.compartments.items()}
    return {name: array for name, array in found.items() if array is not None}


def _obs(adata: AnnData, about: dict[str, Any]) -> pd.DataFrame:
    obs = from_h5ad(pd.DataFrame(adata.obs).copy(), about.get("columns", {}))
    for name in about.get("text", ()):
        if name in obs.columns:
            obs[name] = obs[name].astype(object)
    spatial = np.asarray(adata.obsm["spatial"]) if "spatial" in adata.obsm else None
    if spatial is not None and "x_px" not in obs.columns:
        obs["x_px"], obs["y_px"] = spatial[:, 0], spatial[:, 1]
    return obs


def _features(adata: AnnData) -> pd.DataFrame | None:
    if adata.X is None or adata.n_vars == 0:
        return None
    values = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    return pd.DataFrame(values, index=adata.obs_names, columns=adata.var_names)


def _map(points: Any, ids: pd.Index) -> pd.DataFrame:
    values = np.asarray(points)
    names = ["x", "y", *(f"axis{i}" for i in range(3, values.shape[1] + 1))][: values.shape[1]]
    return pd.DataFrame(values, index=ids, columns=names)
