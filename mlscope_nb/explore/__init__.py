"""Maps of cells: two numbers for each, so that alike cells lie near each other."""

from mlscope_nb.explore.maps import pca, umap

__all__ = ["pca", "umap"]
