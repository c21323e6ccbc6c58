"""Where example cells come from: real sets that travel with mlscope, and simulated studies with an answer key."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlscope_nb.datasets.downloads import download, downloadable
    from mlscope_nb.datasets.embedded import about, load_fields, names
    from mlscope_nb.datasets.examples import load
    from mlscope_nb.datasets.simulator import Truth, doses, phenotypes, simulate, simulate_fields

_NAMES = {
    "Truth": "simulator",
    "about": "embedded",
    "doses": "simulator",
    "download": "downloads",
    "downloadable": "downloads",
    "load": "examples",
    "load_fields": "embedded",
    "names": "embedded",
    "phenotypes": "simulator",
    "simulate": "simulator",
    "simulate_fields": "simulator",
}

__all__ = [
    "Truth",
    "about",
    "doses",
    "download",
    "downloadable",
    "load",
    "load_fields",
    "names",
    "phenotypes",
    "simulate",
    "simulate_fields",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"mlscope_nb.datasets has no '{name}'. It has: {', '.join(__all__)}.")
    return getattr(importlib.import_module(f"mlscope_nb.datasets.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
