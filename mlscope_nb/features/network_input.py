"""What networks get to see: one cell, each channel stretched to its own darkest and brightest pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.cells import Batch

Pixels = NDArray[np.float32]
QUANTILES = (0.001, 0.999)
DARK = 0.02


def stretched(pixels: NDArray[np.generic]) -> Pixels:
    """Return pictures (n, C, Y, X) with each channel stretched from -1 (darkest) to 1 (brightest).

    The ends are the 0.1 and 99.9 percentiles of the channel of that crop; an empty channel becomes -1.
    """
    values = pixels.astype(np.float32)
    flat = values.reshape(*values.shape[:2], -1)
    ends = [round(q * (flat.shape[-1] - 1)) for q in QUANTILES]
    ordered = np.partition(flat, ends, axis=-1)
    low, high = (ordered[..., k][..., None, None] for k in ends)
    span = np.where(high > low, high - low, 1)
    result: Pixels = np.clip((values - low) / span, 0, 1).astype(np.float32) * np.float32(2) - np.float32(1)
    return result


def darkened(batch: Batch) -> NDArray[np.generic]:
    """Return crops in which all that is not this cell is as dark as the background; as they are without masks."""
    pixels: NDArray[np.generic] = batch.images
    if batch.masks is None:
        return pixels
    flat = pixels.reshape(*pixels.shape[:2], -1)
    place = round(DARK * (flat.shape[-1] - 1))
    dark = np.partition(flat, place, axis=-1)[..., place][..., None, None]
    # A cell without a mask keeps its picture: one of nothing would say nothing.
    own = (batch.masks == 1) | ~(batch.masks == 1).any(axis=(1, 2), keepdims=True)
    return np.where(own[:, None], pixels, dark)
