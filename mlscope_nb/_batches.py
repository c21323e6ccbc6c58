"""Batches: the cells a few at a time, the one way in which images are read, and a fingerprint of what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._align import finite
from mlscope_nb._lazy import read_rows

if TYPE_CHECKING:
    from mlscope_nb.cells import Cells

LOOKED_AT = 32
"""Images, evenly over all, that make the fingerprint."""


class Batch(NamedTuple):
    """A few cells in memory: ids, images (n, C, Y, X), masks (n, Y, X) or None, compartments."""

    ids: pd.Index
    images: np.ndarray
    masks: np.ndarray | None
    compartments: dict[str, np.ndarray]


def batches(cells: Cells, size: int) -> Iterator[Batch]:
    """Yield the cells a few at a time, in order; pixels that are NaN or infinite are refused."""
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to use this function.")
    if size < 1:
        raise ValueError(f"size is {size}, expected at least 1 cell per batch.")
    ids = cells.ids
    for start in range(0, len(cells), size):
        part = slice(start, min(start + size, len(cells)))
        images = read_rows(cells.images, part)
        finite(images, list(ids[part]))
        masks = None if cells.masks is None else read_rows(cells.masks, part)
        parts = {k: read_rows(v, part) for k, v in cells.compartments.items()}
        yield Batch(ids[part], images, masks, parts)


def fingerprint(cells: Cells) -> str:
    """Return a short hash of ids, image layout and a sample of pixels (of features where there are no images)."""
    digest = hashlib.sha256("\n".join(cells.ids).encode())
    features = cells.features
    if cells.images is not None:
        digest.update(repr((tuple(cells.images.shape), str(cells.images.dtype), cells.channels)).encode())
        rows = np.unique(np.linspace(0, len(cells) - 1, LOOKED_AT).astype(int)) if len(cells) else np.array([], int)
        digest.update(np.ascontiguousarray(read_rows(cells.images, rows)).tobytes())
    elif features is not None:
        digest.update(np.ascontiguousarray(features.to_numpy()).tobytes())
    return digest.hexdigest()[:16]
