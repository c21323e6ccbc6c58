"""Outlines: is the cell cut by the edge of the picture, and are there two in one mask?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.curate.pictures import Bools

Floats = NDArray[np.floating]


def cut_share(own: Bools, real: Bools, *, border: bool = True) -> Floats:
    """Return how much of each cell lies along the edge of the picture, in units of its diameter, from 0 to 1.

    The edge is where padding begins and, with ``border``, the border of the crop. An outline that was guessed without
    masks runs on into neighbours, so that reaching the border says nothing.

    Examples
    --------
    >>> own = np.zeros((1, 9, 9), bool)
    >>> own[0, :4, 2:6] = True
    >>> float(cut_share(own, np.ones_like(own))[0]) > 0.8
    True
    """
    wide = np.pad(real, ((0, 0), (1, 1), (1, 1)), constant_values=not border)
    sides = (wide[:, :-2, 1:-1], wide[:, 2:, 1:-1], wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
    along = np.max([(own & ~side).sum((1, 2)) for side in sides], axis=0)
    diameter = np.sqrt(own.sum((1, 2)) * 4 / np.pi)
    out: Floats = np.minimum(along / np.maximum(diameter, 1), 1.0)
    return out


def pinch(own: Bools) -> Floats:
    """Return how far each mask is pinched into two parts, from 0 (one body) to 1 (two that only just touch).

    The mask is worn down pixel by pixel; the share of its life that it spends in two pieces is the pinch: a peanut
    falls apart early, an egg never. The border of the crop is no outline: what it cuts is as thick as it looks.

    Examples
    --------
    >>> own = np.zeros((2, 32, 32), bool)
    >>> own[:, 10:20, 3:13] = own[0, 10:20, 18:28] = own[0, 14:16, 13:18] = True
    >>> [round(float(p), 1) for p in pinch(own)]
    [0.6, 0.0]
    """
    left, life, apart = own.copy(), np.zeros(len(own)), np.zeros(len(own))
    alive = np.flatnonzero(left.any((1, 2)))
    if len(alive) == 0:
        return apart
    step = 0
    while len(alive) and step < max(own.shape[1:]):
        life[alive] += 1
        apart[alive] += _pieces(left[alive]) >= 2
        smaller = _worn(left[alive], square=step % 2 == 1)
        left[alive] = smaller
        alive = alive[smaller.any((1, 2)) & ~smaller.all((1, 2))]
        step += 1
    # one level alone is what a ragged outline leaves
    return np.maximum(apart - 1, 0) / np.maximum(life, 1)


def area(own: Bools) -> Floats:
    """Return the number of pixels of each cell."""
    return own.sum((1, 2)).astype(float)


def worn(mask: Bools, pixels: int) -> Bools:
    """Return masks (n, Y, X) smaller by some pixels, in octagons; the border of the crop is no outline."""
    for step in range(pixels):
        mask = _worn(mask, square=step % 2 == 1)
    return mask


def _worn(mask: Bools, *, square: bool) -> Bools:
    wide = np.pad(mask, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = wide[:, :-2] & wide[:, 1:-1] & wide[:, 2:]
    if square:
        return rows[:, :, :-2] & rows[:, :, 1:-1] & rows[:, :, 2:]
    out: Bools = rows[:, :, 1:-1] & wide[:, 1:-1, :-2] & wide[:, 1:-1, 2:]
    return out


def _pieces(mask: Bools) -> NDArray[np.integer]:
    """Return the Euler number (4-connected), pieces less holes: pixels less neighbouring pairs plus full squares."""
    across, down = mask[:, :, :-1] & mask[:, :, 1:], mask[:, :-1] & mask[:, 1:]
    squares = across[:, :-1] & across[:, 1:]
    pixels, pairs, more, full = (np.count_nonzero(m, axis=(1, 2)) for m in (mask, across, down, squares))
    out: NDArray[np.integer] = pixels - pairs - more + full
    return out
