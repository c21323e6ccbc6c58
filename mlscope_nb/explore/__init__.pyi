from .apart import umap_apart
from .axes import along, dose_trend, phenotype_axis
from .distinguish import distinguish
from .map_precision import map_precision
from .maps import pca
from .markers import markers
from .memberships import members
from .neighbours import distance_to, feature_space, neighbours
from .nulls import copula_null
from .penetrance import penetrance
from .profiles import unit_profiles
from .prototypes import prototypes
from .umap_map import umap

__all__ = [
    "along",
    "copula_null",
    "distance_to",
    "distinguish",
    "dose_trend",
    "feature_space",
    "map_precision",
    "markers",
    "members",
    "neighbours",
    "pca",
    "penetrance",
    "phenotype_axis",
    "prototypes",
    "umap",
    "umap_apart",
    "unit_profiles",
]
