"""Tiles: fields made small enough to compare many of them, with the saturated places marked."""

from __future__ import annotations

from collections.abc import Sequence
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
    grain : array (N, Y, X), optional
        Variance of the noise between neighbouring pixels in each tile, as `grain_of` finds it.
    whole : bool
        True where grey values are integers.
    """

    values: np.ndarray
    valid: np.ndarray
    full_scale: float
    lowest: float
    grain: np.ndarray | None = None
    whole: bool = False

    def chosen(self, rows: np.ndarray) -> Tiles:
        """Return the tiles of some fields."""
        grain = None if self.grain is None else self.grain[rows]
        return Tiles(self.values[rows], self.valid[rows], self.full_scale, self.lowest, grain, self.whole)


def tiles_of(images: Sequence[np.ndarray]) -> Tiles:
    """Return the tiles of several images (Y, X) of one size and type.

    Examples
    --------
    >>> tiles_of([np.zeros((200, 100), np.uint8)] * 3).values.shape
    (3, 66, 33)
    """
    return together([_tiles_of_one(image) for image in images])


def together(parts: Sequence[Tiles]) -> Tiles:
    """Return the tiles of all parts, one after another, on the widest of their scales."""
    return Tiles(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.valid for part in parts]),
        max(part.full_scale for part in parts),
        min(part.lowest for part in parts),
        np.concatenate([part.grain for part in parts if part.grain is not None]),
        all(part.whole for part in parts),
    )


def _tiles_of_one(image: np.ndarray) -> Tiles:
    values, valid = shrink(image)
    low, high = ends_of(image)
    return Tiles(values[None], valid[None], high, low, grain_of(image)[None], image.dtype.kind in "ui")


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


def grain_of(image: np.ndarray, most: int = MOST_TILES) -> np.ndarray:
    """Return the variance of noise in each tile: of what changes from pixel to pixel along both sides.

    References
    ----------
    Immerkær 1996, Comput Vis Image Underst 64:300: the difference of two Laplacians, blind to edges and slopes.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 3, (256, 256))
    >>> bool(abs(grain_of(noise).mean() - 9) < 0.2)
    True
    """
    edges = [_edges(length, most, max(image.shape)) for length in image.shape]
    if min(image.shape) < 3:
        return np.zeros([len(e) for e in edges])
    pixels = image.astype(np.float64)
    down = pixels[2:] - 2 * pixels[1:-1] + pixels[:-2]
    both = down[:, 2:] - 2 * down[:, 1:-1] + down[:, :-2]
    squares = np.pad(both**2 / 36, 1, mode="edge")
    area = np.outer(*(np.diff(np.append(e, n)) for e, n in zip(edges, image.shape, strict=True)))
    return np.asarray(_sums(squares, edges) / area)


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
