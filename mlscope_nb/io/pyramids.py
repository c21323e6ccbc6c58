"""Pyramids: an image beside smaller copies of itself, so that a viewer reads no more than it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

SMALLEST = 256
"""A level is made as long as the longer side is more than twice this many pixels."""


def halved(image: np.ndarray) -> np.ndarray:
    """Return an image at half the size: the mean of 2 × 2 pixels, rounded where pixels are whole numbers.

    Parameters
    ----------
    image : array (…, Y, X)
        An odd last row or column counts twice.

    Returns
    -------
    numpy.ndarray
        (…, ceil(Y / 2), ceil(X / 2)), of the same type.

    Examples
    --------
    >>> halved(np.array([[1, 3, 9], [1, 3, 9]], np.uint8)).tolist()
    [[2, 9]]
    """
    *_, height, width = image.shape
    pad = [(0, 0)] * (image.ndim - 2) + [(0, height % 2), (0, width % 2)]
    even = np.pad(image, pad, mode="edge")
    blocks = even.reshape(*even.shape[:-2], even.shape[-2] // 2, 2, even.shape[-1] // 2, 2)
    mean = blocks.mean(axis=(-3, -1), dtype=np.float64)
    return (np.rint(mean) if image.dtype.kind in "uib" else mean).astype(image.dtype)


def thinned(labels: np.ndarray) -> np.ndarray:
    """Return every second pixel of every second row: the mean of two labels would be a third object.

    Examples
    --------
    >>> thinned(np.array([[1, 1, 2], [1, 1, 2], [0, 0, 2]])).tolist()
    [[1, 2], [0, 2]]
    """
    return labels[..., ::2, ::2]


def levels(image: np.ndarray, smaller: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the image and smaller copies of it, each half the size of the one before.

    Examples
    --------
    >>> [level.shape for level in levels(np.zeros((600, 1200), np.uint8), halved)]
    [(600, 1200), (300, 600), (150, 300)]
    """
    yield image
    while max(image.shape[-2:]) > 2 * SMALLEST:
        image = smaller(image)
        yield image
