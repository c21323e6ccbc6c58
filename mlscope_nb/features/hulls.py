"""Convex hulls of masks, all cells of a batch at once, and what follows from them."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class Chain(NamedTuple):
    """One side of each hull: rows, columns (N, K) from top to bottom, and the number of corners."""

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    n: Ints


class Hulls:
    """Convex hulls of the pixel centres of masks (N, Y, X)."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._present: NDArray[np.bool_] = np.asarray(mask.any(2))
        left = mask.argmax(2)
        right = mask.shape[2] - 1 - mask[:, :, ::-1].argmax(2)
        both = _outer(np.concatenate([right, -left]), np.concatenate([self._present, self._present]))
        self._right, mirrored = (
            Chain(*(part[half] for part in both)) for half in (slice(len(mask)), slice(len(mask), None))
        )
        self._left = Chain(mirrored.y, -mirrored.x, mirrored.n)

    def __len__(self) -> int:
        return len(self._present)

    @cached_property
    def corners(self) -> tuple[Floats, Floats, Ints]:
        """Rows and columns (N, K) of the corners in order around the hull, padded with the first, and their number."""
        left, right = self._left, self._right
        cells = np.arange(len(self))
        y, x = np.zeros((2, len(self), left.y.shape[1] + right.y.shape[1]))
        y[:, : left.y.shape[1]], x[:, : left.x.shape[1]] = left.y, left.x
        count = left.n.copy()
        bottom = np.maximum(left.n - 1, 0)
        for k in range(right.y.shape[1]):
            at = np.maximum(right.n - 1 - k, 0)
            new_y, new_x = right.y[cells, at], right.x[cells, at]
            # a first or last row of one pixel has its corner on both sides
            first = (new_y == left.y[cells, bottom]) & (new_x == left.x[cells, bottom])
            last = (new_y == left.y[:, 0]) & (new_x == left.x[:, 0])
            there = np.flatnonzero((k < right.n) & ~first & ~last)
            y[there, count[there]], x[there, count[there]] = new_y[there], new_x[there]
            count[there] += 1
        width = max(int(count.max(initial=1)), 1)
        y, x = y[:, :width], x[:, :width]
        extra = np.arange(width) >= count[:, None]
        return np.where(extra, y[:, :1], y), np.where(extra, x[:, :1], x), count

    @cached_property
    def area(self) -> Floats:
        """Pixels whose centre lies in the hull of the pixels' edge midpoints, as scikit-image's ``area_convex``."""
        rows = self._present.shape[1]
        right, left = _half_rows(self._right, rows), _half_rows(self._left, rows)
        # a pixel reaches half a pixel to each side: along its own row, or along its column from half a row off
        most = np.fmax(right[:, 1::2] + 0.5, np.fmax(right[:, :-1:2], right[:, 2::2]))
        least = np.fmin(left[:, 1::2] - 0.5, np.fmin(left[:, :-1:2], left[:, 2::2]))
        within = ~np.isnan(right[:, 1::2])
        inside = np.where(within, np.floor(most + 1e-9) - np.ceil(least - 1e-9) + 1, 0)
        return inside.sum(axis=1)

    @cached_property
    def feret(self) -> tuple[Floats, Floats]:
        """Smallest and largest distance between two parallel lines that hold all pixel centres."""
        y, x, count = self.corners
        far = (y[:, :, None] - y[:, None]) ** 2 + (x[:, :, None] - x[:, None]) ** 2
        largest = np.sqrt(far.max(axis=(1, 2)))
        edge_y, edge_x = np.roll(y, -1, 1) - y, np.roll(x, -1, 1) - x
        length = np.hypot(edge_y, edge_x)
        across = np.abs(
            edge_y[:, :, None] * (x[:, None] - x[:, :, None]) - edge_x[:, :, None] * (y[:, None] - y[:, :, None])
        ).max(axis=2)
        width = np.where(length > 0, across / np.where(length > 0, length, 1), np.inf).min(axis=1)
        known = np.where(count > 0, 1, np.nan)
        return np.where(np.isfinite(width), width, 0) * known, largest * known

    @cached_property
    def circles(self) -> tuple[Floats, Floats, Floats]:
        """Row, column and radius of the smallest circle around the pixel centres of each mask; NaN where empty.

        Chrystal's method: from one side of the hull, go to the corner that sees it under the smallest angle until that
        angle is not acute (the side is a diameter) or the triangle is not obtuse (its circumcircle it is).
        """
        y, x, count = self.corners
        n, k = y.shape
        centre_y, centre_x, radius = np.full((3, n), np.nan)
        one = count == 1
        centre_y[one], centre_x[one], radius[one] = y[one, 0], x[one, 0], 0.0
        # CellProfiler's first side: the radius taken from its corner decides, to the last bit, who is on the circle
        first = np.lexsort((y, x), axis=1)[:, 0]
        second = (first - 1) % np.maximum(count, 1)
        left = np.flatnonzero(count > 1)
        for _ in range(4 * k * k):
            if not len(left):
                break
            done, circle, first[left], second[left] = _chrystal(
                y[left], x[left], count[left], first[left], second[left]
            )
            settled = left[done]
            centre_y[settled], centre_x[settled], radius[settled] = circle[:, done]
            left = left[~done]
        return centre_y, centre_x, radius


def _outer(values: NDArray[np.integer], present: NDArray[np.bool_]) -> Chain:
    """Return the corners of the smallest concave curve above values (N, Y) by row (Andrew's monotone chain)."""
    n, rows = values.shape
    y, x = np.zeros((2, n, rows), np.int64)
    top = np.zeros(n, np.intp)
    for row in range(rows):
        cells = np.flatnonzero(present[:, row])
        new, height = values[cells, row].astype(np.int64), top[cells]
        look = np.flatnonzero(height >= 2)
        while len(look):
            at, k = cells[look], height[look]
            y0, x0 = y[at, k - 2], x[at, k - 2]
            below = (x[at, k - 1] - x0) * (row - y0) <= (new[look] - x0) * (y[at, k - 1] - y0)
            look = look[below]
            height[look] -= 1
            look = look[height[look] >= 2]
        y[cells, height], x[cells, height] = row, new
        top[cells] = height + 1
    width = max(int(top.max(initial=1)), 1)
    return Chain(y[:, :width], x[:, :width], top)


def _half_rows(chain: Chain, rows: int) -> Floats:
    """Return the columns of one side at rows -½, 0, ½, 1, …; NaN above and below the hull."""
    at = np.arange(2 * rows + 1) / 2 - 0.5
    valid = np.arange(chain.y.shape[1]) < chain.n[:, None]
    passed = ((chain.y[:, :, None] <= at) & valid[:, :, None]).sum(axis=1)
    before = np.maximum(passed - 1, 0)
    after = np.minimum(before + 1, np.maximum(chain.n - 1, 0)[:, None])
    y0, y1 = np.take_along_axis(chain.y, before, 1), np.take_along_axis(chain.y, after, 1)
    x0, x1 = np.take_along_axis(chain.x, before, 1), np.take_along_axis(chain.x, after, 1)
    share = (at - y0) / np.where(y1 > y0, y1 - y0, 1)
    outside = (passed == 0) | (at > y1)
    return np.where(outside, np.nan, x0 + (x1 - x0) * share)


def _chrystal(
    y: Floats, x: Floats, count: Ints, first: Ints, second: Ints
) -> tuple[NDArray[np.bool_], Floats, Ints, Ints]:
    """One step for each cell: whether its circle is found, the circle (3, n), and the side to go on with."""
    cells, k = np.arange(len(y)), y.shape[1]
    ay, ax, by, bx = y[cells, first], x[cells, first], y[cells, second], x[cells, second]
    to_a_y, to_a_x, to_b_y, to_b_x = ay[:, None] - y, ax[:, None] - x, by[:, None] - y, bx[:, None] - x
    dot = to_a_y * to_b_y + to_a_x * to_b_x
    cross = np.abs(to_a_y * to_b_x - to_a_x * to_b_y)
    angle = np.arctan2(cross, dot)
    index = np.arange(k)
    angle[(index >= count[:, None]) | (index == first[:, None]) | (index == second[:, None])] = np.inf
    third = angle.argmin(axis=1)
    vy, vx = y[cells, third], x[cells, third]
    diameter = ~(angle[cells, third] < np.pi / 2) | (dot[cells, third] <= 0)
    at_a = (by - ay) * (vy - ay) + (bx - ax) * (vx - ax)
    at_b = (ay - by) * (vy - by) + (ax - bx) * (vx - bx)
    done = diameter | ((at_a >= 0) & (at_b >= 0))
    circle = np.where(diameter, _between(ay, ax, by, bx), _around(ay, ax, by, bx, vy, vx))
    next_first = np.where(~done & (at_a < 0), third, first)
    next_second = np.where(~done & (at_a >= 0), third, second)
    return done, circle, next_first, next_second


def _between(ay: Floats, ax: Floats, by: Floats, bx: Floats) -> Floats:
    return np.stack([(ay + by) / 2, (ax + bx) / 2, np.sqrt((ay - by) ** 2 + (ax - bx) ** 2) / 2])


def _around(ay: Floats, ax: Floats, by: Floats, bx: Floats, cy: Floats, cx: Floats) -> Floats:
    """Return centre and radius of the circle through three points."""
    double = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    double = np.where(double == 0, np.nan, double)
    a, b, c = ax**2 + ay**2, bx**2 + by**2, cx**2 + cy**2
    x = (a * (by - cy) + b * (cy - ay) + c * (ay - by)) / double
    y = (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / double
    return np.stack([y, x, np.sqrt((ay - y) ** 2 + (ax - x) ** 2)])
