"""Maps that know nothing of any network: what a method has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
TRIVIAL = ("intensity", "edges", "centre")
SMOOTHED_PX = 1.0
"""A pixel's own noise is no structure."""


def lights(images: NDArray[np.generic]) -> Floats:
    """Return images (N, C, Y, X) without the noise of single pixels, above the dark end of each channel."""
    light = ndimage.gaussian_filter(images.astype(np.float64), (0, 0, SMOOTHED_PX, SMOOTHED_PX))
    return np.asarray(light - light.min(axis=(2, 3), keepdims=True))


def trivial_maps(images: NDArray[np.generic]) -> dict[str, Floats]:
    """Return maps (N, Y, X) by name: how bright each pixel is, how steep, and how near to the middle of the crop.

    Channels count the same: each is put on the scale of its own crop (its dark end 0, its bright end 1) and the largest
    value over channels is taken, because a cue may be in any of them.

    Parameters
    ----------
    images : array (N, C, Y, X)
        Crops.

    Examples
    --------
    >>> images = np.zeros((1, 1, 9, 9)); images[0, 0, 2, 3] = 5
    >>> found = trivial_maps(images)
    >>> sorted(found), divmod(int(found["intensity"][0].argmax()), 9)
    (['centre', 'edges', 'intensity'], (2, 3))
    """
    width_px = (0, 0, SMOOTHED_PX, SMOOTHED_PX)
    light, down, across = (
        ndimage.gaussian_filter(images.astype(np.float64), width_px, order=(0, 0, *k)) for k in ((0, 0), (1, 0), (0, 1))
    )
    low, high = light.min(axis=(2, 3), keepdims=True), light.max(axis=(2, 3), keepdims=True)
    span = np.where(high > low, high - low, 1.0)
    scaled, steep = (light - low) / span, np.hypot(down, across) / span
    height, width = images.shape[2:]
    y, x = np.ogrid[:height, :width]
    away = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    centre = np.broadcast_to(-away + away.max(), (len(images), height, width))
    return {"intensity": scaled.max(axis=1), "edges": steep.max(axis=1), "centre": centre}
