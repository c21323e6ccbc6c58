"""Tiles: fields made small enough to compare many of them, with the saturated places marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_TILES = 96
"""Tiles along the longer side: fine enough for gaps between cells, coarse enough for hundreds of fields."""
# A converter ends at one of these, or a scaled image at 1; a value that is only the largest is not saturated.
_ENDS = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
_REPEATED = 10


@dataclass(frozen=True)
class Tiles:
    """Means of small squares of many fields.

    Parameters
    ----------
    values : array (N, Y, X)
        Mean grey value of each tile.
    valid : bool array (N, Y, X)
        False where a tile holds saturated pixels.
    full_scale : float
        The largest grey value that the images could hold.
    lowest : float
        The smallest grey value that they could hold.
    """

    values: np.ndarray
    valid: np.ndarray
    full_scale: float
    lowest: float

    def chosen(self, rows: np.ndarray) -> Tiles:
        """Return the tiles of some fields."""
        return Tiles(self.values[rows], self.valid[rows], self.full_scale, self.lowest)


def shrink(image: np.ndarray, most: int = MOST_TILES) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each tile of an image (Y, X), and whether it is free of saturated pixels.

    Examples
    --------
    >>> values, valid = shrink(np.arange(16.0).reshape(4, 4), most=2)
    >>> values.tolist(), bool(valid.all())
    ([[2.5, 4.5], [10.5, 12.5]], True)
    """
    edges = [_edges(length, most, max(image.shape)) for length in image.shape]
    area = np.outer(*(np.diff(np.append(e, n)) for e, n in zip(edges, image.shape, strict=True)))
    values = _sums(image.astype(np.float64), edges) / area
    top = image.max()
    if float(top) not in _ENDS:
        return values, np.ones(values.shape, bool)
    saturated = image == top
    enough = int(saturated.sum()) >= _REPEATED
    return values, _sums(saturated.astype(np.float64), edges) == 0 if enough else np.ones(values.shape, bool)


def ends_of(image: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest value that such an image can hold."""
    if image.dtype.kind in "ui":
        info = np.iinfo(image.dtype)
        return float(max(info.min, min(0, image.min()))), float(info.max)
    return float(min(0.0, image.min())), float(max(image.max(), 0.0))


def _edges(length: int, most: int, longest: int) -> np.ndarray:
    step = max(1, -(-longest // most))
    n = max(length // step, 1)
    edges: np.ndarray = np.linspace(0, length, n + 1).astype(int)[:-1]
    return edges


def _sums(image: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    summed: np.ndarray = np.add.reduceat(np.add.reduceat(image, edges[0], axis=0), edges[1], axis=1)
    return summed
