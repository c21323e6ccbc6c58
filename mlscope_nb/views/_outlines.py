"""Outlines of labelled objects."""

from __future__ import annotations

import numpy as np


def outlines(mask: np.ndarray) -> np.ndarray:
    """Return 255 on the pixels of each object that touch another object or background, else 0.

    Parameters
    ----------
    mask : integer array (Y, X)
        0 background, 1 … n the objects.

    Returns
    -------
    numpy.ndarray
        uint8 (Y, X); objects that touch keep a line on either side. The border of the image is no outline.

    Examples
    --------
    >>> outlines(np.array([[0, 0, 0, 0, 0], [0, 5, 5, 5, 0], [0, 5, 5, 5, 0], [0, 5, 5, 5, 0], [0, 0, 0, 0, 0]]))[2]
    array([  0, 255,   0, 255,   0], dtype=uint8)
    """
    edge = np.zeros(mask.shape, bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return np.where(edge & (mask > 0), np.uint8(255), np.uint8(0))
