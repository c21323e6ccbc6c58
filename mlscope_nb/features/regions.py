"""Regions: the pixels of one part of each cell in a batch, listed once for all families of features."""

from __future__ import annotations

from functools import cached_property

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
    def to_background(self) -> Floats:
        """Distance from each pixel to the nearest pixel outside its mask, within the crop if there is one."""
        distance = np.sqrt(squared_to_outside(self.mask, self.pixels, border=False))
        return self._with_border(distance, self.size == self.mask[0].size) if len(self) else distance

    @cached_property
    def to_outside(self) -> Floats:
        """Distance from each pixel to the nearest pixel outside its mask, where beyond the crop is outside."""
        edges = [self.mask[:, [0, -1]], self.mask[:, :, [0, -1]]]
        return self._with_border(self.to_background, np.any([np.any(e, axis=(1, 2)) for e in edges], axis=0))

    def _with_border(self, distance: Floats, cells: NDArray[np.bool_]) -> Floats:
        """Return distances with those of some cells measured anew, where beyond the crop is outside."""
        if not cells.any():
            return distance
        cut = self.mask[cells]
        cell, y, x = np.nonzero(cut)
        result = distance.copy()
        result[cells[self.cell]] = np.sqrt(squared_to_outside(cut, (cell, y, x), border=True))
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

    def total(self, weights: NDArray[np.generic] | None = None) -> Floats:
        """Return the sum of a value per pixel in each cell."""
        return np.bincount(self.cell, weights, len(self)).astype(np.float64)
