from .abouts import about
from .attribution import attribute, attribute_channels, completeness
from .beyond import beyond_forgotten
from .causes import causal_effect
from .concept_nulls import concepts
from .concept_result import Concepts
from .counterfactual_result import Counterfactual
from .counterfactuals import counterfactual
from .gradcam import layers
from .grading import grade
from .importance_result import Importance
from .importances import importance
from .randomised import mix_weights
from .sanity import sanity_check
from .shapley import shapley
from .traversal_result import Traversal
from .traversals import traverse
from .typical import prototypes

__all__ = [
    "Concepts",
    "Counterfactual",
    "Importance",
    "Traversal",
    "about",
    "attribute",
    "attribute_channels",
    "beyond_forgotten",
    "causal_effect",
    "completeness",
    "concepts",
    "counterfactual",
    "grade",
    "importance",
    "layers",
    "mix_weights",
    "prototypes",
    "sanity_check",
    "shapley",
    "traverse",
]
