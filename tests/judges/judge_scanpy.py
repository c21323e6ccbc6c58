"""scanpy's word on .h5ad files: run by .venv-judges, prints what it found as JSON.

python judge_scanpy.py FILE.h5ad … : opens each, computes and plots as a user would.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import scanpy as sc
from judge_report import report


def drawn(figure_axes):
    """How many points each panel shows."""
    return [sum(len(c.get_offsets()) for c in ax.collections) for ax in figure_axes]


def panels(plotted):
    axes = plotted if isinstance(plotted, list) else [plotted]
    counts = drawn(axes)
    plt.close("all")
    return counts


def computed(adata):
    """PCA, neighbours and marker features, or the error that scanpy raises."""
    try:
        sc.pp.pca(adata, n_comps=5)
        sc.pp.neighbors(adata, method="gauss", transformer="sklearn")
    except ValueError as error:
        return str(error).splitlines()[0]
    sc.tl.rank_genes_groups(adata, "label", method="t-test")
    axes = sc.pl.violin(adata, adata.var_names[0], groupby="label", show=False)
    drawn_groups = [t.get_text() for t in axes.get_xticklabels()]
    plt.close("all")
    return {
        "pca": list(adata.obsm["X_pca"].shape),
        "neighbours": int(adata.obsp["connectivities"].nnz),
        "groups": list(adata.uns["rank_genes_groups"]["names"].dtype.names),
        "violins": drawn_groups,
    }


def look(path):
    adata = sc.read_h5ad(path)
    found = {
        "ids": list(map(str, adata.obs_names)),
        "id_kinds": sorted({type(i).__name__ for i in adata.obs_names}),
        "kinds": {name: str(dtype) for name, dtype in adata.obs.dtypes.items()},
        "categories": {c: list(map(str, adata.obs[c].cat.categories)) for c in adata.obs.select_dtypes("category")},
        "obsm": {name: list(array.shape) for name, array in adata.obsm.items()},
        "umap": np.asarray(adata.obsm["X_umap"]).tolist(),
        "uns": sorted(adata.uns),
        "n_missing": int(adata.var["n_missing"].sum()),
        "x": str(adata.X.dtype),
    }
    found["by_group"] = panels(sc.pl.umap(adata, color=["label", "plate", "at_edge"], show=False))
    found["by_feature"] = panels(sc.pl.umap(adata, color=str(adata.var_names[0]), show=False))
    found["in_place"] = panels(sc.pl.embedding(adata, "spatial", color="label", show=False))
    subset = adata[adata.obs["label"] == adata.obs["label"].cat.categories[0]].copy()
    found["subset"] = {name: array.shape[0] for name, array in subset.obsm.items()} | {"n": subset.n_obs}
    found["computed"] = computed(adata)
    return found


if __name__ == "__main__":
    report(look)
