"""Texture after Haralick: how often two grey levels lie a few pixels apart, in four directions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.levels import check_fractions
from mlscope_nb.features.regions import Floats, Ints, Regions

HARALICK = (
    "AngularSecondMoment", "Contrast", "Correlation", "Variance", "InverseDifferenceMoment", "SumAverage",
    "SumVariance", "SumEntropy", "Entropy", "DifferenceVariance", "DifferenceEntropy", "InfoMeas1", "InfoMeas2",
)  # fmt: skip
# rows and columns to the second pixel of a pair, in CellProfiler's order (00 to 03)
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
LEVELS = 256
Bytes = NDArray[np.uint8]


def texture(
    images: NDArray[np.generic], regions: Regions, *, full_scale: float, scales: tuple[int, ...] = (3,)
) -> Iterator[dict[str, Floats]]:
    """Measure the 13 Haralick features of each channel for each scale (in pixels) and direction.

    Grey values from 0 to `full_scale` become 256 levels, as CellProfiler does. Pairs with a pixel outside the mask or
    of level 0 do not count; a cell without a pair in one of the directions gets NaN at that scale.
    """
    for c in range(images.shape[1]):
        levels = grey_levels(images[:, c], full_scale)
        levels[~regions.mask] = 0
        found: dict[str, Floats] = {}
        for scale in scales:
            values = haralick(levels, regions, scale)
            found |= {
                f"{name}|{scale}_{d:02d}_{LEVELS}": values[:, d, k]
                for d in range(len(DIRECTIONS))
                for k, name in enumerate(HARALICK)
            }
        yield found


def grey_levels(image: NDArray[np.generic], full_scale: float) -> Bytes:
    """Return levels from 0 to 255 of grey values from 0 to `full_scale`."""
    check_fractions(image, full_scale)
    if image.dtype == np.uint8 and full_scale == 255:
        return image.astype(np.uint8)
    if image.dtype == np.uint16:
        return _of_16_bits(full_scale)[image]
    return _rounded(image, full_scale)


def haralick(levels: Bytes, regions: Regions, scale: int) -> Floats:
    """Return the 13 features of levels (N, Y, X) in each of the four directions (N, 4, 13)."""
    found = []
    flat, first = levels.reshape(-1), levels[regions.pixels]
    for dy, dx in DIRECTIONS:
        one, other = regions.pairs((dy * scale, dx * scale))
        found.append(_features(regions.cell[one], first[one], flat[other], len(regions)))
    result = np.stack(found, axis=1)
    top = np.where(regions.size > 0, levels.reshape(len(levels), -1).max(1), 0)
    # the variance of the 256 (or fewer) probabilities of a difference, as mahotas and CellProfiler define feature 10
    of = top[:, None] + 1.0
    result[:, :, 9] = result[:, :, 9] / of - of**-2
    result[np.isnan(result[:, :, 0]).any(1)] = np.nan
    return result


def _rounded(image: NDArray[np.generic], full_scale: float) -> Bytes:
    # divided first, then multiplied: the order decides where halves are rounded to
    return np.rint(np.clip(image.astype(np.float64) / full_scale, 0, 1) * (LEVELS - 1)).astype(np.uint8)


def _of_16_bits(full_scale: float) -> Bytes:
    return _rounded(np.arange(1 << 16), full_scale)


def _features(cell: Ints, first: Bytes, second: Bytes, n: int) -> Floats:
    """Return the 13 features of each cell from its pairs (N, 13); feature 10 is still the sum of squares."""
    if not (first.all() and second.all()):
        valid = np.flatnonzero((first > 0) & (second > 0))
        cell, first, second = cell[valid], first[valid], second[valid]
    a, b = first.astype(np.intp), second.astype(np.intp)
    pairs = np.bincount(cell, minlength=n)
    count = np.where(pairs > 0, pairs, np.nan)[:, None]
    single = (_counts(cell, a, n, LEVELS) + _counts(cell, b, n, LEVELS)) / (2 * count)
    plus = _counts(cell, a + b, n, 2 * LEVELS) / count
    minus = _counts(cell, np.abs(a - b), n, LEVELS) / count
    moment, entropy = _joint(cell, first, second, pairs)
    return _from_histograms(single, plus, minus, moment, entropy)


def _counts(cell: Ints, value: Ints, n: int, width: int) -> NDArray[np.intp]:
    return np.bincount(cell * width + value, minlength=n * width).reshape(n, width)


def _joint(cell: Ints, first: Bytes, second: Bytes, pairs: Ints) -> tuple[Floats, Floats]:
    """Return the sum of squares and the entropy (bits) of the co-occurrence matrix, from its entries alone."""
    n = len(pairs)
    low, high = np.minimum(first, second).astype(np.uint32), np.maximum(first, second)
    code = (cell.astype(np.uint32) << 16) | (low << 8) | high
    code.sort()
    begin = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]])) if len(code) else np.zeros(0, np.intp)
    entry = code[begin]
    of = (entry >> 16).astype(np.intp)
    same = ((entry >> 8) & 0xFF) == (entry & 0xFF)
    share = np.diff(begin, append=len(code)) / pairs[of]
    # a pair of two levels stands in the matrix twice, with half its share each
    squares = np.bincount(of, share**2 * np.where(same, 1.0, 0.5), n).astype(np.float64)
    bits = -np.bincount(of, share * (np.log2(share) - np.where(same, 0.0, 1.0)), n).astype(np.float64)
    return squares, bits


def _from_histograms(single: Floats, plus: Floats, minus: Floats, moment: Floats, joint: Floats) -> Floats:
    k, k2 = np.arange(LEVELS, dtype=np.float64), np.arange(2 * LEVELS, dtype=np.float64)
    mean = (single * k).sum(1)
    variance = (single * k**2).sum(1) - mean**2
    contrast, sum_average = (minus * k**2).sum(1), (plus * k2).sum(1)
    sum_squares = (plus * k2**2).sum(1)
    product = (sum_squares - contrast) / 4 - mean**2
    flat = variance <= 0
    correlation = np.where(flat, 1.0, product / np.where(flat, 1.0, variance))
    # the matrix is symmetric, so both of its margins have this entropy, and Haralick's HXY1 and HXY2 are twice of it
    margin = _entropy(single)
    shared = joint - 2 * margin
    information = shared / np.where(margin > 0, margin, 1.0)
    columns = [
        moment, contrast, correlation, variance, (minus / (1 + k**2)).sum(1), sum_average,
        sum_squares - sum_average**2, _entropy(plus), joint, (minus**2).sum(1), _entropy(minus), information,
        np.sqrt(np.maximum(0, 1 - np.exp(2 * shared))),
    ]  # fmt: skip
    return np.where(np.isnan(mean)[:, None], np.nan, np.stack(columns, axis=1))


def _entropy(share: Floats) -> Floats:
    return -(share * np.log2(np.where(share > 0, share, 1.0))).sum(1)
