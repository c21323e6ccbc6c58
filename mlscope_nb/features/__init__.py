"""Cells as numbers, under the names that CellProfiler gave them."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlscope_nb.features.aggregation import aggregate
    from mlscope_nb.features.batches import BatchReport, batch_report
    from mlscope_nb.features.encoder import Encoder, random_encoder
    from mlscope_nb.features.foregrounds import foreground
    from mlscope_nb.features.glossary import describe
    from mlscope_nb.features.measurements import families, measure
    from mlscope_nb.features.normalization import Normalizer, normalize
    from mlscope_nb.features.pixels import PixelNormalizer, normalize_pixels
    from mlscope_nb.features.pretrained import embed_pretrained
    from mlscope_nb.features.selection import select
    from mlscope_nb.features.selfsupervised import train_selfsupervised

# name -> the module that holds it; loaded when it is asked for
_NAMES = {
    "BatchReport": "batches",
    "Encoder": "encoder",
    "Normalizer": "normalization",
    "PixelNormalizer": "pixels",
    "aggregate": "aggregation",
    "batch_report": "batches",
    "describe": "glossary",
    "embed_pretrained": "pretrained",
    "families": "measurements",
    "foreground": "foregrounds",
    "measure": "measurements",
    "normalize": "normalization",
    "normalize_pixels": "pixels",
    "random_encoder": "encoder",
    "select": "selection",
    "train_selfsupervised": "selfsupervised",
}

__all__ = [
    "BatchReport",
    "Encoder",
    "Normalizer",
    "PixelNormalizer",
    "aggregate",
    "batch_report",
    "describe",
    "embed_pretrained",
    "families",
    "foreground",
    "measure",
    "normalize",
    "normalize_pixels",
    "random_encoder",
    "select",
    "train_selfsupervised",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"mlscope_nb.features.{_NAMES[name]}"), name)
    raise AttributeError(f"mlscope_nb.features has no '{name}'. It has: {', '.join(sorted(_NAMES))}.")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
