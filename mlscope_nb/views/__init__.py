"""Linked views: one selection shared by map, gallery, fields and Python.

HoloViews and Bokeh are loaded when the first view is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlscope_nb.views.colours import category_colours
    from mlscope_nb.views.comparison import Comparison, compare
    from mlscope_nb.views.distributions import histogram
    from mlscope_nb.views.fieldview import FieldView, fields
    from mlscope_nb.views.galleryview import Gallery, gallery
    from mlscope_nb.views.map import scatter
    from mlscope_nb.views.selection import Selection, selection_of
    from mlscope_nb.views.tuning import SegmentationTuner, tune_segmentation
    from mlscope_nb.views.work import Restored, restore_work, save_work
    from mlscope_nb.views.workbench import Workbench, explore

_NAMES = {
    "category_colours": "colours",
    "Comparison": "comparison",
    "compare": "comparison",
    "FieldView": "fieldview",
    "fields": "fieldview",
    "Gallery": "galleryview",
    "gallery": "galleryview",
    "histogram": "distributions",
    "scatter": "map",
    "Selection": "selection",
    "selection_of": "selection",
    "Restored": "work",
    "restore_work": "work",
    "save_work": "work",
    "SegmentationTuner": "tuning",
    "tune_segmentation": "tuning",
    "Workbench": "workbench",
    "explore": "workbench",
}

__all__ = [
    "Comparison",
    "FieldView",
    "Gallery",
    "Restored",
    "SegmentationTuner",
    "Selection",
    "Workbench",
    "category_colours",
    "compare",
    "explore",
    "fields",
    "gallery",
    "histogram",
    "restore_work",
    "save_work",
    "scatter",
    "selection_of",
    "tune_segmentation",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"mlscope_nb.views.{_NAMES[name]}"), name)
    raise AttributeError(f"mlscope_nb.views has no '{name}'. It has: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
