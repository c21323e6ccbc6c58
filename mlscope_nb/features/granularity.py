"""Granularity: how much brightness is lost when ever larger grains are taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mlscope_nb.features.regions import Floats, Regions

STEPS = 16
# CellProfiler's defaults: a quarter of the size, of that a quarter for the background, a disc of 10 px to find it
SMALLER, RADIUS = 0.25, 10


class Openings:
    """The pictures of a batch with ever larger grains taken away, made once for all parts of the cells."""

    def __init__(self, images: NDArray[np.generic]) -> None:
        self.images = images
        self.size = images.shape[2:]
        self.small = tuple(int(side * SMALLER) for side in self.size)

    @cached_property
    def steps(self) -> list[list[Floats]]:
        """For each channel the 16 opened pictures (N, Y, X), at a quarter of the size."""
        return [list(_opened(self._picture(c))) for c in range(self.images.shape[1])]

    def _picture(self, channel: int) -> Floats:
        pixels = self.images[:, channel].astype(np.float64)
        return _without_background(_shrunk(pixels, self.small), self.small)


def granularity(openings: Openings, regions: Regions) -> Iterator[dict[str, Floats]]:
    """Measure for each channel what share of the brightness (percent) is lost in each of 16 steps.

    In each step bright grains one pixel (of the picture at a quarter of its size) larger are taken away. As in
    CellProfiler, the picture around the cell takes part; only the loss within the mask is counted.
    """
    images, size, small = openings.images, openings.size, openings.small
    if min(small) < 2:
        nothing = np.full(len(regions), np.nan)
        yield from ({f"{step}": nothing for step in range(1, STEPS + 1)} for _ in range(images.shape[1]))
        return
    rows, columns = (_between(full, few, (few - 1) / (full - 1)) for full, few in zip(size, small, strict=True))
    # what each pixel of the small picture weighs in the mean of the mask, once the picture is enlarged again
    weight = rows.T @ (regions.mask.astype(np.float64) @ columns) / regions.known[:, None, None]
    cell, y, x = regions.pixels
    for c, opened in enumerate(openings.steps):
        mean = regions.total(images[cell, c, y, x]) / regions.known
        yield _spectrum(opened, weight, mean)


def _spectrum(opened: list[Floats], weight: Floats, mean: Floats) -> dict[str, Floats]:
    whole = np.where(mean > 0, mean, np.nan)
    kept = [mean, *((picture * weight).sum((1, 2)) for picture in opened)]
    return {f"{k + 1}": (kept[k] - kept[k + 1]) * 100 / whole for k in range(STEPS)}


def _opened(picture: Floats) -> Iterator[Floats]:
    # cells last, so that a row of pixels of all cells is one run of memory
    limit = np.ascontiguousarray(picture.transpose(1, 2, 0))
    eroded = limit
    for _ in range(STEPS):
        eroded = _eroded(eroded)
        yield np.ascontiguousarray(_rebuilt(eroded, limit).transpose(2, 0, 1))


def _eroded(picture: Floats) -> Floats:
    """Return the least of each pixel and its 4 neighbours, of pictures (Y, X, N)."""
    result = picture.copy()
    for at, beside in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        np.minimum(result[at], picture[beside], out=result[at])
        np.minimum(result[:, at], picture[:, beside], out=result[:, at])
    return result


def _rebuilt(seed: Floats, limit: Floats) -> Floats:
    """Grow each seed (Y, X, N) below its limit until nothing changes (reconstruction by dilation, 4 neighbours).

    Brightness is carried down, up, right and left in turn, as far as it goes (Vincent 1993, 10.1109/83.217222).
    """
    result = seed.copy()
    across, roof = result.transpose(1, 0, 2), limit.transpose(1, 0, 2)
    while True:
        start = result.copy()
        _carried(result, limit)
        _carried(across, roof)
        if np.array_equal(result, start):
            return result


def _carried(picture: Floats, limit: Floats) -> None:
    """Carry brightness along the first axis and back, in place."""
    last = len(picture) - 1
    for k in range(1, last + 1):
        np.minimum(np.maximum(picture[k], picture[k - 1]), limit[k], out=picture[k])
    for k in range(last - 1, -1, -1):
        np.minimum(np.maximum(picture[k], picture[k + 1]), limit[k], out=picture[k])


def _without_background(picture: Floats, size: tuple[int, ...]) -> Floats:
    """Subtract what remains of the picture once everything smaller than the disc is gone."""
    sides = [side * SMALLER for side in size]
    coarse = _shrunk(picture, tuple(int(np.ceil(side)) for side in sides))
    coarse = _disc(_disc(coarse, ndimage.minimum_filter, np.inf), ndimage.maximum_filter, -np.inf)
    steps = [(few - 1) / (full - 1) for full, few in zip(size, sides, strict=True)]
    rows, columns = (_between(n, m, step) for n, m, step in zip(size, coarse.shape[1:], steps, strict=True))
    return np.maximum(picture - rows @ coarse @ columns.T, 0)


def _shrunk(picture: Floats, size: tuple[int, ...]) -> Floats:
    rows, columns = (_between(few, full, 1 / SMALLER) for few, full in zip(size, picture.shape[1:], strict=True))
    result: Floats = rows @ picture @ columns.T
    return result


def _between(n: int, of: int, step: float) -> Floats:
    """Return the matrix (n, of) that reads `of` values at 0, step, 2 step, … by linear interpolation, 0 beyond them."""
    at = np.arange(n) * step
    low = np.clip(np.floor(at).astype(int), 0, of - 1)
    share = at - low
    matrix = np.zeros((n, of))
    matrix[np.arange(n), low] = 1 - share
    matrix[np.arange(n), np.minimum(low + 1, of - 1)] += share
    matrix[at > of - 1] = 0
    return matrix


def _disc(picture: Floats, pick: Callable[..., Floats], beyond: float) -> Floats:
    """Return the least or largest value within the disc around each pixel."""
    reach = np.arange(-RADIUS, RADIUS + 1)
    disc = reach[:, None] ** 2 + reach**2 <= RADIUS**2
    return pick(picture, footprint=disc[None], mode="constant", cval=beyond)
