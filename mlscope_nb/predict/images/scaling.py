"""Scaling: every channel of every field from its own dark end (0) to its own bright end (1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
PERCENTILES = (1.0, 99.8)
"""Weigert et al. 2018, Nature Methods 15:1090 (CSBDeep): a few dead or burnt pixels do not move them."""


def ends(image: np.ndarray, percentiles: tuple[float, float] = PERCENTILES) -> NDArray[np.float64]:
    """Return the dark and the bright end (C, 2) of each channel of an image (C, Y, X); a flat channel gets a span of 1.

    Examples
    --------
    >>> ends(np.arange(1001.0).reshape(1, 1, 1001)).tolist()
    [[10.0, 998.0]]
    """
    low, high = np.percentile(np.asarray(image, dtype=np.float64), percentiles, axis=(1, 2))
    return np.stack([low, np.where(high > low, high, low + 1)], axis=1)


def scaled(image: np.ndarray, between: NDArray[np.float64]) -> Floats:
    """Return an image (C, Y, X) with its ends (C, 2) at 0 and 1; nothing is cut."""
    low, high = (between[:, k, None, None] for k in (0, 1))
    result: Floats = ((np.asarray(image, dtype=np.float64) - low) / (high - low)).astype(np.float32)
    return result


def objects_bright(picture: Floats) -> Floats:
    """Return a scaled picture (C, Y, X) in which every channel whose median is in the bright half is turned over.

    Dark nuclei on a bright ground become bright ones on a dark ground. A network that learns from both would otherwise
    take the inside of a large bright nucleus for the ground of another kind of field.

    Examples
    --------
    >>> objects_bright(np.array([[[0.0, 0.0, 1.0]], [[0.75, 1.0, 0.25]]], np.float32)).tolist()
    [[[0.0, 0.0, 1.0]], [[0.25, 0.0, 0.75]]]
    """
    over = np.median(picture, axis=(1, 2)) > 0.5
    result: Floats = np.where(over[:, None, None], 1 - picture, picture)
    return result


def grey(values: np.ndarray, between: NDArray[np.float64]) -> Floats:
    """Return what `scaled` has scaled (C, Y, X) in grey values again."""
    low, high = (between[:, k, None, None] for k in (0, 1))
    result: Floats = (np.asarray(values, dtype=np.float64) * (high - low) + low).astype(np.float32)
    return result
