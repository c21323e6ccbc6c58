"""Radial distribution: how brightness is spread from the centre of a mask to its edge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.regions import Floats, Ints, Regions

RINGS, WEDGES = 4, 8


def radial(images: NDArray[np.generic], regions: Regions) -> Iterator[dict[str, Floats]]:
    """Measure each channel in four rings from the centre (1) to the edge (4), as CellProfiler does.

    The centre is the pixel farthest from the background. A pixel's ring depends on the way from the centre within the
    mask over that way and the distance to the background together. ``RadialCV`` compares the means of eight wedges.
    """
    cell, y, x = regions.pixels
    ring, wedge = _rings(regions), _wedges(regions)
    reached = ring >= 0
    where = (cell * RINGS + ring)[reached]
    place, size = where * WEDGES + wedge[reached], len(regions) * RINGS
    pixels = np.bincount(place, minlength=size * WEDGES).reshape(-1, RINGS, WEDGES)
    for c in range(images.shape[1]):
        value = images[cell, c, y, x][reached].astype(np.float64)
        light = np.bincount(place, value, size * WEDGES).reshape(-1, RINGS, WEDGES).astype(np.float64)
        yield _measures(light, pixels)


def _rings(regions: Regions) -> Ints:
    """Return the ring (0 to 3) of each pixel, -1 where no way within the mask leads to it."""
    way = regions.from_centre
    share = np.where(np.isfinite(way), way, -1.0) / (np.where(np.isfinite(way), way, 0) + regions.to_background + 0.001)
    return np.where(np.isfinite(way), (share * RINGS).astype(np.intp), -1)


def _wedges(regions: Regions) -> Ints:
    """Return in which of eight wedges around the centre each pixel lies."""
    cell, y, x = regions.pixels
    centre_y, centre_x = regions.centres
    dy, dx = y - centre_y[cell], x - centre_x[cell]
    return (dy > 0) + 2 * (dx > 0) + 4 * (np.abs(dy) > np.abs(dx))


def _measures(light: Floats, pixels: NDArray[np.intp]) -> dict[str, Floats]:
    per_ring, size = light.sum(2), pixels.sum(2)
    total, area = per_ring.sum(1, keepdims=True), size.sum(1, keepdims=True)
    share = per_ring / np.where(total != 0, total, np.nan)
    of_area = size / np.where(area > 0, area, np.nan)
    density = share / (of_area + np.finfo(float).eps)
    evenness = _variation(light, pixels) * np.where(area > 0, 1, np.nan)
    found = {"FracAtD": share, "MeanFrac": density, "RadialCV": evenness}
    return {f"{name}|{k + 1}of{RINGS}": values[:, k] for name, values in found.items() for k in range(RINGS)}


def _variation(light: Floats, pixels: NDArray[np.intp]) -> Floats:
    """Return the standard deviation of the wedges' means over their mean; 0 for a ring without pixels."""
    there = pixels > 0
    wedges = there.sum(2)
    means = np.where(there, light / np.where(there, pixels, 1), 0)
    known = np.where(wedges > 0, wedges, 1)
    mean = means.sum(2) / known
    spread = np.sqrt((np.where(there, means - mean[:, :, None], 0) ** 2).sum(2) / known)
    return np.where(
        wedges == 0, 0.0, spread / np.where((mean != 0) | (wedges == 0), np.where(mean != 0, mean, 1), np.nan)
    )
