from .balance import Balance, balance
from .decisions import Decisions
from .duplicates import find_duplicates, group_duplicates
from .effect import filter_effect
from .filter_bias import FilterBias, filter_bias
from .flags import flag_quality, quality_thresholds
from .flatfield import correct_flatfield, estimate_flatfield
from .flatfield_result import Flatfield
from .label_errors import find_label_errors
from .layout import Layout, layout
from .outliers import find_outliers
from .quality import score_quality
from .swaps import suspected_swaps

__all__ = [
    "Balance",
    "Decisions",
    "FilterBias",
    "Flatfield",
    "Layout",
    "balance",
    "correct_flatfield",
    "estimate_flatfield",
    "filter_bias",
    "filter_effect",
    "find_duplicates",
    "find_label_errors",
    "find_outliers",
    "flag_quality",
    "group_duplicates",
    "layout",
    "quality_thresholds",
    "score_quality",
    "suspected_swaps",
]
