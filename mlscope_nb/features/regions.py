"""Regions: the pixels of one part of each cell in a batch, listed once for all families of features."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.distances import paths_from, squared_to_outside
from mlscope_nb.features.hulls import Hulls

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class Regions:
    """One mask per cell (N, Y, X), with what several families of features need to know about it."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self.mask = np.ascontiguousarray(mask)
        self._pairs: dict[tuple[int, int], tuple[Ints, Ints]] = {}

    def __len__(self) -> int:
        return len(self.mask)

    @cached_property
    def pixels(self) -> tuple[Ints, Ints, Ints]:
        """Cell, row and column of each pixel, cell by cell, in reading order."""
        cell, y, x = np.nonzero(self.mask)
        return cell, y, x

    @cached_property
    def cell(self) -> Ints:
        """The cell that each pixel belongs to."""
        return self.pixels[0]

    @cached_property
    def places(self) -> Ints:
        """Where each pixel stands in an array of the masks with one more row and column on each side, read flat."""
        cell, y, x = self.pixels
        _, height, width = self.mask.shape
        return (cell * (height + 2) + y + 1) * (width + 2) + x + 1

    def padded(self, values: NDArray[Any], beyond: object) -> NDArray[Any]:
        """Return an array (N, Y, X) with one more row and column on each side, flat: `places` are indices into it."""
        n, height, width = values.shape
        result = np.full((n, height + 2, width + 2), beyond, values.dtype)
        result[:, 1:-1, 1:-1] = values
        return result.reshape(-1)

    def around(self, *, corners: bool) -> list[int]:
        """Return the steps from one of `places` to its 4 neighbours, and the other 4 at the corners."""
        row = self.mask.shape[2] + 2
        return [-1, 1, -row, row, *([-row - 1, -row + 1, row - 1, row + 1] if corners else [])]

    @cached_property
    def size(self) -> Ints:
        """Pixels in each mask."""
        return np.bincount(self.cell, minlength=len(self))

    @cached_property
    def known(self) -> Floats:
        """Pixels in each mask, NaN where there are none."""
        return np.where(self.size > 0, self.size, np.nan)

    @cached_property
    def start(self) -> Ints:
        """Where the pixels of each cell begin in `pixels`."""
        return np.cumsum(self.size) - self.size

    @cached_property
    def hulls(self) -> Hulls:
        """The convex hull of each mask."""
        return Hulls(self.mask)

    @cached_property
    def to_outside(self) -> Floats:
        """Distance from each pixel to the nearest pixel outside its mask, where beyond the crop is outside."""
        return np.sqrt(squared_to_outside(self.mask, self.pixels, border=True))

    @cached_property
    def to_background(self) -> Floats:
        """Distance from each pixel to the nearest pixel outside its mask, within the crop if there is one."""
        edges = [self.mask[:, [0, -1]], self.mask[:, :, [0, -1]]]
        clipped = np.any([np.any(edge, axis=(1, 2)) for edge in edges], axis=0)
        clipped &= self.size < self.mask[0].size
        if not clipped.any():
            return self.to_outside
        # only where the mask meets the edge of the crop can the nearest pixel be beyond it
        cut = self.mask[clipped]
        cell, y, x = np.nonzero(cut)
        result = self.to_outside.copy()
        result[clipped[self.cell]] = np.sqrt(squared_to_outside(cut, (cell, y, x), border=False))
        return result

    @cached_property
    def centres(self) -> tuple[Ints, Ints]:
        """Row and column of the pixel farthest from the background, the first of several; 0 for an empty mask."""
        best = self.top(self.to_background)
        _, y, x = self.pixels
        full = self.size > 0
        return np.where(full, y[best], 0) if len(y) else best, np.where(full, x[best], 0) if len(x) else best

    @cached_property
    def from_centre(self) -> Floats:
        """Length of the shortest path within the mask from its centre to each pixel; infinite where there is none."""
        return paths_from(*self.centres, self.mask, self.pixels)

    def pairs(self, step: tuple[int, int]) -> tuple[Ints, Ints]:
        """Return pairs of pixels one step (rows, columns) apart: the first in `pixels`, the second in the masks."""
        if step not in self._pairs:
            cell, y, x = self.pixels
            _, height, width = self.mask.shape
            dy, dx = step
            inside = np.flatnonzero((y + dy < height) & (x + dx >= 0) & (x + dx < width))
            other = ((cell * height + y + dy) * width + x + dx)[inside]
            both = np.flatnonzero(self.mask.reshape(-1)[other])
            self._pairs[step] = inside[both], other[both]
        return self._pairs[step]

    def top(self, values: NDArray[np.generic]) -> Ints:
        """Return where in `pixels` each cell has its largest value, the first of several; 0 for an empty mask."""
        result = np.zeros(len(self), np.intp)
        full = self.size > 0
        if full.any():
            begin = self.start[full]
            largest = np.maximum.reduceat(values, begin)
            hits = np.flatnonzero(values == np.repeat(largest, self.size[full]))
            result[full] = hits[np.searchsorted(hits, begin)]
        return result

    def total(self, weights: NDArray[Any]) -> Floats:
        """Return the sum of a value per pixel in each cell."""
        result = np.zeros(len(self))
        full = self.size > 0
        if full.any():
            result[full] = np.add.reduceat(weights.astype(np.float64, copy=False), self.start[full])
        return result

    @cached_property
    def middle(self) -> tuple[Floats, Floats]:
        """Row and column of the centre of each mask."""
        _, y, x = self.pixels
        return self.total(y) / self.known, self.total(x) / self.known
