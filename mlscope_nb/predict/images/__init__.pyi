from .comparing import compare
from .disagreement import Ensemble, train_ensemble
from .image_network import ImageNetwork
from .invented_result import Invented
from .inventing import invented
from .looking import overlaid, windows
from .measured import downstream_error
from .patches import Variation
from .plain import Plain, plain
from .shipped import shipped
from .training import train

__all__ = [
    "Ensemble",
    "ImageNetwork",
    "Invented",
    "Plain",
    "Variation",
    "compare",
    "downstream_error",
    "invented",
    "overlaid",
    "plain",
    "shipped",
    "train",
    "train_ensemble",
    "windows",
]
