"""Maps of cells, which cells are alike, and what distinguishes a group of them from all others."""

import importlib
from typing import TYPE_CHECKING, Any

from mlscope_nb.explore.distinguish import distinguish
from mlscope_nb.explore.maps import pca, umap
from mlscope_nb.explore.neighbours import distance_to, feature_space, neighbours

if TYPE_CHECKING:
    from mlscope_nb.explore.apart import umap_apart

__all__ = ["distance_to", "distinguish", "feature_space", "neighbours", "pca", "umap", "umap_apart"]


def __getattr__(name: str) -> Any:
    # not imported above: this module is also run as a program, and must not be loaded before that
    if name == "umap_apart":
        return importlib.import_module("mlscope_nb.explore.apart").umap_apart
    raise AttributeError(f"mlscope_nb.explore has no '{name}'. It has: {', '.join(__all__)}.")
