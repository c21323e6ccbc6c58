"""Distances within masks: to what lies outside, and along paths that stay inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
# farther than any crop is wide, with a square that still fits into 32 bits
FAR = 1 << 14


def squared_to_outside(mask: NDArray[np.bool_], pixels: tuple[Ints, Ints, Ints], *, border: bool) -> NDArray[np.int32]:
    """Return for each pixel of a mask (N, Y, X) its squared Euclidean distance to the nearest pixel outside.

    `border` says whether what lies beyond the crop is outside. Exact: along rows first, then along columns
    (Felzenszwalb & Huttenlocher 2012, 10.4086/toc.2012.v008a019, without its envelope).
    """
    cell, y, x = pixels
    n, height, width = mask.shape
    along = _along_rows(mask, border)
    best = along[cell, y, x] ** 2
    reach = min(int(np.sqrt(best.max(initial=0))) + 1, height)
    squared = np.full((n, height + 2 * reach, width), FAR * FAR, np.int32)
    np.multiply(along, along, out=squared[:, reach : reach + height])
    if border:
        squared[:, reach - 1] = squared[:, reach + height] = 0
    flat = squared.reshape(-1)
    here = (cell * (height + 2 * reach) + reach + y) * width + x
    left = np.flatnonzero(best > 1)
    for step in range(1, reach + 1):
        at = here[left]
        nearest = np.minimum(flat[at - step * width], flat[at + step * width]) + np.int32(step * step)
        best[left] = np.minimum(best[left], nearest)
        left = left[best[left] > (step + 1) ** 2]
    return best


def _along_rows(mask: NDArray[np.bool_], border: bool) -> NDArray[np.int32]:
    """Distance along the row to the nearest pixel outside, FAR where the row has none."""
    width = mask.shape[2]
    columns = np.arange(width, dtype=np.int16)
    before = np.where(mask, np.int16(-1 if border else -FAR), columns)
    np.maximum.accumulate(before, axis=2, out=before)
    after = np.where(mask, np.int16(width if border else FAR), columns)[:, :, ::-1]
    after = np.minimum.accumulate(after, axis=2)[:, :, ::-1]
    nearest = np.minimum(columns.astype(np.int32) - before, after.astype(np.int32) - columns)
    return np.minimum(nearest, FAR)


def paths_from(cy: Ints, cx: Ints, mask: NDArray[np.bool_], pixels: tuple[Ints, Ints, Ints]) -> Floats:
    """Return the length of the shortest path from one pixel of each mask to every other that stays inside.

    Steps go to the 8 neighbours and cost 1 or √2. Pixels are settled in rings of width 1, the shortest step, so each is
    visited once (Dijkstra with buckets: Dial 1969, 10.1145/363269.363610).
    """
    n, height, width = mask.shape
    inside = np.zeros((n, height + 2, width + 2), bool)
    inside[:, 1:-1, 1:-1] = mask
    open_ = inside.reshape(-1)
    length = np.full(open_.size, np.inf)
    mark = np.zeros(open_.size, np.intp)
    row, plane = width + 2, (height + 2) * (width + 2)
    starts = np.arange(n) * plane + (cy + 1) * row + cx + 1
    frontier = starts[open_[starts]]
    length[frontier] = 0
    waiting, ring = frontier, 0
    while len(waiting):
        now = length[waiting] < ring + 1
        frontier, waiting = waiting[now], waiting[~now]
        open_[frontier] = False
        reached = [waiting]
        for step, cost in _steps(row):
            target = frontier + step
            shorter = length[frontier] + cost < length[target]
            shorter &= open_[target]
            target = target[shorter]
            length[target] = length[frontier[shorter]] + cost
            reached.append(target)
        waiting = np.concatenate(reached)
        mark[waiting] = np.arange(len(waiting))
        waiting = waiting[mark[waiting] == np.arange(len(waiting))]
        ring += 1
    cell, y, x = pixels
    return length[cell * plane + (y + 1) * row + x + 1]


def _steps(row: int) -> list[tuple[int, float]]:
    straight = [(s, 1.0) for s in (1, -1, row, -row)]
    return straight + [(a + b, float(np.sqrt(2))) for a in (row, -row) for b in (1, -1)]
