"""squidpy's word on .h5ad files: run by .venv-judges, prints what it found as JSON.

python judge_squidpy.py FILE.h5ad … : draws the cells of each field in their places, and finds neighbours within fields.
"""

import matplotlib

matplotlib.use("Agg")
import anndata
import matplotlib.pyplot as plt
import numpy as np
import squidpy as sq
from judge_report import report


def points(ax):
    """The places of the points; what squidpy draws around them lies in the same places."""
    return np.unique(np.concatenate([c.get_offsets() for c in ax.collections]), axis=0).tolist()


def look(path):
    adata = anndata.read_h5ad(path)
    axes = sq.pl.spatial_scatter(adata, shape=None, color="label", library_key="field_id", return_ax=True)
    axes = list(np.ravel(axes))
    found = {
        "points": [points(ax) for ax in axes],
        "y_down": [bool(np.diff(ax.get_ylim())[0] < 0) for ax in axes],
    }
    plt.close("all")
    sq.gr.spatial_neighbors(adata, library_key="field_id", coord_type="generic", n_neighs=3)
    links = adata.obsp["spatial_connectivities"].tocoo()
    field = adata.obs["field_id"].astype(str).to_numpy()
    found["links"] = int(links.nnz)
    found["links_between_fields"] = int((field[links.row] != field[links.col]).sum())
    return found


if __name__ == "__main__":
    report(look)
