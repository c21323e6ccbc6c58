"""mlscope: from microscopy images to claims that hold, in guided notebooks.

Import it as ``import mlscope_nb as ms``. Nothing heavy is loaded until it is used.
"""

# no "from __future__ import annotations" here: it would hide the chapter of that name
import importlib
from typing import Any

__version__ = "0.1.0"

_CHAPTERS = (
    "io", "datasets", "features", "pipeline", "curate", "explore", "predict", "explain", "risks", "study", "views",
    "lessons", "annotations",
)  # fmt: skip
_NAMES = {
    "Cells": ("mlscope_nb.cells", "Cells"),
    "Fields": ("mlscope_nb.fields", "Fields"),
    "load": ("mlscope_nb.cells", "load"),
}

__all__ = ["Cells", "Fields", "load", *_CHAPTERS]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        module, attribute = _NAMES[name]
        return getattr(importlib.import_module(module), attribute)
    if name in _CHAPTERS:
        return importlib.import_module(f"mlscope_nb.{name}")
    raise AttributeError(f"mlscope_nb has no '{name}'. It has: {', '.join(sorted(__all__))}.")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
