"""Foreground: what is object and what is background, by a threshold that follows the field."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_li, threshold_otsu


def find_foreground(bright: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the foreground of an image with bright objects, and the threshold it started from.

    Li's minimum cross-entropy threshold separates the field once; then each pixel is compared with the middle
    between the objects and the background around it (Gaussian neighbourhood), which brings in dim objects and takes
    away the glow of bright ones.
    """
    scaled = _to_unit(bright)
    start = _li(scaled)
    first = scaled > start
    return scaled > _local_middle(scaled, first), start


def _to_unit(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, [0.1, 99.9])
    if high <= low:
        low, high = float(image.min()), float(image.max())
    return (image - low) / (high - low)


def _li(scaled: np.ndarray) -> float:
    clipped = np.clip(scaled, 0, 1)
    return float(threshold_li(clipped, tolerance=1e-4, initial_guess=float(threshold_otsu(clipped))))


def _local_middle(scaled: np.ndarray, first: np.ndarray, *, reach: float = 15.0, hold: float = 0.05) -> np.ndarray:
    """Return the middle between local foreground and local background, held to the field's own where one is absent."""
    share = ndimage.gaussian_filter(first.astype(np.float64), reach)
    inside = ndimage.gaussian_filter(np.where(first, scaled, 0), reach)
    outside = ndimage.gaussian_filter(np.where(first, 0, scaled), reach)
    bright = (inside + hold * scaled[first].mean()) / (share + hold)
    dark = (outside + hold * scaled[~first].mean()) / (1 - share + hold)
    return (bright + dark) / 2
