from .decisions import Decisions
from .effect import filter_effect

__all__ = [
    "Decisions",
    "filter_effect",
]
