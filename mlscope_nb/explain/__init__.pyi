from .attribution import attribute, attribute_channels, completeness
from .counterfactual_result import Counterfactual
from .counterfactuals import counterfactual
from .gradcam import layers
from .importance_result import Importance
from .importances import importance
from .shapley import shapley

__all__ = [
    "Counterfactual",
    "Importance",
    "attribute",
    "attribute_channels",
    "completeness",
    "counterfactual",
    "importance",
    "layers",
    "shapley",
]
