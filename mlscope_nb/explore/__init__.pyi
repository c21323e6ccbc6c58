from .apart import umap_apart
from .axes import along, dose_trend, phenotype_axis
from .clustering import Clustering
from .clusters import cluster
from .distinguish import distinguish
from .map_precision import map_precision
from .map_stability import Stability, stability
from .map_trust import Trust, trust
from .maps import pca
from .markers import markers
from .memberships import members
from .neighbours import distance_to, feature_space, neighbours
from .nulls import copula_null
from .partitions import PartitionStability, partition_stability
from .penetrance import penetrance
from .profiles import unit_profiles
from .projection import project
from .prototypes import prototypes
from .sample_maps import sampled_map
from .structures import Structure, structure
from .tsne_map import pacmap, tsne
from .umap_map import umap
from .verdicts import Verdict, null_cells, null_map, verdict

__all__ = [
    "Clustering",
    "PartitionStability",
    "Stability",
    "Structure",
    "Trust",
    "Verdict",
    "along",
    "cluster",
    "copula_null",
    "distance_to",
    "distinguish",
    "dose_trend",
    "feature_space",
    "map_precision",
    "markers",
    "members",
    "neighbours",
    "null_cells",
    "null_map",
    "pacmap",
    "partition_stability",
    "pca",
    "penetrance",
    "phenotype_axis",
    "project",
    "prototypes",
    "sampled_map",
    "stability",
    "structure",
    "trust",
    "tsne",
    "umap",
    "umap_apart",
    "unit_profiles",
    "verdict",
]
