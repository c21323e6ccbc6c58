from .apart import umap_apart
from .distinguish import distinguish
from .maps import pca
from .neighbours import distance_to, feature_space, neighbours
from .nulls import copula_null
from .prototypes import prototypes
from .umap_map import umap

__all__ = [
    "copula_null",
    "distance_to",
    "distinguish",
    "feature_space",
    "neighbours",
    "pca",
    "prototypes",
    "umap",
    "umap_apart",
]
