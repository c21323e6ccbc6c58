"""Correlation: whether two channels are bright in the same pixels of a mask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.regions import Floats, Ints, Regions

# pixels below this share of the channel's maximum in the cell do not count as signal (CellProfiler's default)
THRESHOLD = 0.15


def correlation(
    images: NDArray[np.generic], regions: Regions, channels: tuple[str, ...]
) -> Iterator[tuple[str, Floats]]:
    """Compare each pair of channels inside each mask, as CellProfiler's MeasureColocalization does."""
    found = [
        _Channel(images[regions.cell, c, regions.pixels[1], regions.pixels[2]], regions) for c in range(len(channels))
    ]
    for (i, first), (j, second) in combinations(enumerate(channels), 2):
        for name, value in _pair(found[i], found[j], regions).items():
            pair = f"{second}_{first}" if name.endswith(">") else f"{first}_{second}"
            yield f"{name.rstrip('<>')}_{pair}", value


class _Channel:
    """One channel's grey values in all masks, with what every pair needs."""

    def __init__(self, value: NDArray[np.generic], regions: Regions) -> None:
        self.raw, self.regions = value, regions
        self.value = value.astype(np.float64)

    @cached_property
    def away(self) -> Floats:
        """Difference of each pixel from its cell's mean."""
        mean = self.regions.total(self.value) / self.regions.known
        result: Floats = self.value - mean[self.regions.cell]
        return result

    @cached_property
    def signal(self) -> NDArray[np.bool_]:
        """Pixels that reach the threshold."""
        largest = np.zeros(len(self.regions))
        if len(self.value):
            largest = np.where(self.regions.size > 0, self.value[self.regions.top(self.value)], 0)
        return np.asarray(self.value >= (THRESHOLD * largest)[self.regions.cell])

    @cached_property
    def light(self) -> Floats:
        """Sum of the pixels that reach the threshold."""
        return _nonzero(self.regions.total(self.value * self.signal))

    @cached_property
    def rank(self) -> Ints:
        """How many different grey values of the cell are below each pixel's."""
        cell, start = self.regions.cell, self.regions.start
        if self.raw.dtype.kind == "u" and self.raw.dtype.itemsize <= 2:
            order = np.argsort((cell << 16) | self.raw.astype(np.intp))
        else:
            order = np.lexsort((self.raw, cell))
        ranked, of = self.raw[order], cell[order]
        larger = np.concatenate([[0], (ranked[1:] != ranked[:-1]) & (of[1:] == of[:-1])]) if len(of) else order
        steps = np.cumsum(larger)
        first = np.where(self.regions.size > 0, steps[np.minimum(start, len(steps) - 1)], 0) if len(of) else start
        result = np.empty(len(order), np.intp)
        result[order] = steps - first[of]
        return result


def _pair(a: _Channel, b: _Channel, regions: Regions) -> dict[str, Floats]:
    """Return the measures of a pair; names end in < (first, second) or > (second, first) where the order counts."""
    shared = regions.total(a.away * b.away)
    in_a, in_b = regions.total(a.away**2), regions.total(b.away**2)
    both = a.signal & b.signal
    any_ = np.where(regions.size > 0, regions.total(both) > 0, False)
    aa, bb = regions.total(a.value**2 * both), regions.total(b.value**2 * both)
    ab = regions.total(a.value * b.value * both)
    weight = _rank_weight(a.rank, b.rank, regions) * both

    def defined(value: Floats) -> Floats:
        return np.where(regions.size > 0, np.where(any_, value, 0.0), np.nan)

    return {
        "Correlation": np.clip(shared / _nonzero(np.sqrt(in_a) * np.sqrt(in_b)), -1, 1),
        "Slope": shared / _nonzero(in_a),
        "Overlap": defined(ab / _nonzero(np.sqrt(aa * bb))),
        "K<": defined(ab / _nonzero(aa)),
        "K>": defined(ab / _nonzero(bb)),
        "Manders<": defined(regions.total(a.value * both) / a.light),
        "Manders>": defined(regions.total(b.value * both) / b.light),
        "RWC<": defined(regions.total(a.value * weight) / a.light),
        "RWC>": defined(regions.total(b.value * weight) / b.light),
    }


def _rank_weight(first: Ints, second: Ints, regions: Regions) -> Floats:
    """Return 1 where both channels have the same rank, less the further the ranks are apart."""
    most = np.ones(len(regions))
    if len(first):
        larger = np.maximum(first, second)
        most = np.where(regions.size > 0, larger[regions.top(larger)], 0) + 1.0
    most = most[regions.cell]
    result: Floats = (most - np.abs(first - second)) / most
    return result


def _nonzero(values: Floats) -> Floats:
    return np.where(values != 0, values, np.nan)
