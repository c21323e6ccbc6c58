"""Brightness inside each mask of a batch, in the grey levels of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.quantiles import quantile, ranked
from mlscope_nb.features.regions import Floats, Regions

QUANTILES = {"LowerQuartileIntensity": 0.25, "MedianIntensity": 0.5, "UpperQuartileIntensity": 0.75}


def intensity(images: NDArray[np.generic], regions: Regions) -> Iterator[dict[str, Floats]]:
    """Measure each channel of images (N, C, Y, X) inside each mask; empty masks give NaN."""
    cell, y, x = regions.pixels
    edge = _edge(regions)
    for c in range(images.shape[1]):
        value = images[cell, c, y, x]
        yield {
            **_moments(regions, value.astype(np.float64)),
            **_ordered(regions, value),
            **_at_edge(regions, value, edge),
        }


def places(images: NDArray[np.generic], regions: Regions) -> Iterator[dict[str, Floats]]:
    """Find centre of brightness and brightest pixel of each channel, in pixels from the crop's upper left corner."""
    cell, y, x = regions.pixels
    for c in range(images.shape[1]):
        value = images[cell, c, y, x].astype(np.float64)
        total = _nonzero(regions.total(value))
        top = regions.top(value)
        known = regions.known / regions.known
        best_y, best_x = (v[top] if len(v) else top for v in (y, x))
        yield {
            "CenterMassIntensity_X": regions.total(x * value) / total,
            "CenterMassIntensity_Y": regions.total(y * value) / total,
            "MaxIntensity_X": best_x * known,
            "MaxIntensity_Y": best_y * known,
        }


def _moments(regions: Regions, value: Floats) -> dict[str, Floats]:
    _, y, x = regions.pixels
    known = regions.known
    total = regions.total(value)
    mean = total / known
    variance = regions.total((value - mean[regions.cell]) ** 2) / known
    weight = _nonzero(total)
    middle_y, middle_x = regions.middle
    dy, dx = regions.total(y * value) / weight - middle_y, regions.total(x * value) / weight - middle_x
    return {
        "IntegratedIntensity": np.where(regions.size > 0, total, np.nan),
        "MeanIntensity": mean,
        "StdIntensity": np.sqrt(variance),
        # distance in pixels between the centre of the mask and the centre of its brightness
        "MassDisplacement": np.hypot(dy, dx),
    }


def _ordered(regions: Regions, value: NDArray[np.generic]) -> dict[str, Floats]:
    """Return minimum, quartiles, maximum and median absolute deviation."""
    start, size = regions.start, regions.size
    values = ranked(regions.cell, value)
    found = {"MinIntensity": 0.0, **QUANTILES, "MaxIntensity": 1.0}
    result = {name: quantile(values, start, size, q) for name, q in found.items()}
    away: Floats = np.abs(values - result["MedianIntensity"][regions.cell])
    if value.dtype.kind == "u" and value.dtype.itemsize <= 2:
        # a median of whole numbers is whole or half: twice the deviation can be sorted as a whole number
        result["MADIntensity"] = quantile(ranked(regions.cell, (2 * away).astype(np.uint32)), start, size, 0.5) / 2
    else:
        result["MADIntensity"] = quantile(ranked(regions.cell, away), start, size, 0.5)
    return result


def _edge(regions: Regions) -> NDArray[np.bool_]:
    """Say which pixels have one of their 4 neighbours, within the crop, outside the mask."""
    mask = regions.padded(regions.mask, True)
    inner = np.ones(len(regions.places), bool)
    for step in regions.around(corners=False):
        inner &= mask[regions.places + step].astype(bool)
    return ~inner


def _at_edge(regions: Regions, value: NDArray[np.generic], edge: NDArray[np.bool_]) -> dict[str, Floats]:
    cell, light = regions.cell[edge], value[edge].astype(np.float64)
    n = len(regions)
    size = np.bincount(cell, minlength=n)
    known = np.where(size > 0, size, np.nan)
    total = np.bincount(cell, light, n)
    mean = total / known
    low, high = np.full((2, n), np.nan)
    if len(cell):
        full = size > 0
        begin = (np.cumsum(size) - size)[full]
        low[full], high[full] = np.minimum.reduceat(light, begin), np.maximum.reduceat(light, begin)
    return {
        "IntegratedIntensityEdge": np.where(size > 0, total, np.nan),
        "MeanIntensityEdge": mean,
        "StdIntensityEdge": np.sqrt(np.bincount(cell, (light - mean[cell]) ** 2, n) / known),
        "MinIntensityEdge": low,
        "MaxIntensityEdge": high,
    }


def _nonzero(values: Floats) -> Floats:
    return np.where(values != 0, values, np.nan)
