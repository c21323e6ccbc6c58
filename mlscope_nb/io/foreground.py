"""Foreground: what is object and what is background, by a threshold that follows the field."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_li, threshold_otsu

# Smoothed white noise spans 6.6 of its standard deviations between these percentiles; 10 leaves room for more.
NOISE_SPAN = 10.0
# Skew and excess kurtosis up to which grey values count as one bell curve; real fields lie beyond three times these.
NOISE_SKEW, NOISE_KURTOSIS = 0.15, 0.3
HOLE_REACHES = 1.5


def to_unit(image: np.ndarray) -> np.ndarray:
    """Scale an image so that its 0.1st percentile is 0 and its 99.9th is 1 (float32); a flat image becomes 0.

    Examples
    --------
    >>> to_unit(np.array([[7, 7], [7, 7]])).max().item()
    0.0
    """
    low, high = np.percentile(image, [0.1, 99.9])
    if high <= low:
        low, high = float(image.min()), float(image.max())
    if high <= low:
        return np.zeros(image.shape, np.float32)
    return ((image - low) / (high - low)).astype(np.float32)


def is_only_noise(image: np.ndarray) -> bool:
    """Say whether an image holds nothing but noise, of single pixels or coarser.

    Smoothed over 2 px, an image of noise varies no more than the noise of single pixels leaves after such smoothing
    (estimated from second differences: Immerkaer 1996, 10.1006/cviu.1996.0060, with the median in place of the mean so
    that objects do not raise it), or its values form one bell curve.

    Examples
    --------
    >>> is_only_noise(np.random.default_rng(0).normal(size=(99, 99)))
    True
    """
    if min(image.shape) < 3:
        return False
    smooth = ndimage.gaussian_filter(image, 2.0)
    low, high = np.percentile(smooth, [0.05, 99.95])
    return bool(high - low < NOISE_SPAN * _noise(image) / (2 * np.sqrt(np.pi) * 2.0)) or _is_bell(smooth)


def _noise(image: np.ndarray) -> float:
    differences = image[:, :-2] - 2 * image[:, 1:-1] + image[:, 2:]
    differences = differences[:-2] - 2 * differences[1:-1] + differences[2:]
    return float(np.median(np.abs(differences))) / 0.6745 / 6


def _is_bell(smooth: np.ndarray) -> bool:
    centred = smooth - smooth.mean()
    spread = float(centred.std())
    if spread == 0:
        return False
    standard = centred / spread
    squared = standard * standard
    skew, kurtosis = float((squared * standard).mean()), float((squared * squared).mean()) - 3
    return abs(skew) < NOISE_SKEW and abs(kurtosis) < NOISE_KURTOSIS


def split_levels(values: np.ndarray) -> float:
    """Return Li's minimum cross-entropy threshold of values from 0 to 1 (Li & Tam 1998)."""
    clipped = np.clip(values, 0, 1)
    if clipped.min() == clipped.max():
        return float(clipped.max())
    return float(threshold_li(clipped, tolerance=1e-4, initial_guess=float(threshold_otsu(clipped))))


def find_foreground(unit: np.ndarray, *, reach_px: float, threshold: float = 1.0) -> tuple[np.ndarray, float]:
    """Return the foreground of an image (see `to_unit`) with bright objects, and the threshold it started from.

    Li's threshold separates the field once. Then each pixel is compared with the middle between the objects and the
    background around it, which brings in dim objects and takes away the glow of bright ones. `threshold` moves that
    middle: 0 is the background, 1 the middle, 2 the brightness of the objects.
    """
    start = split_levels(unit)
    first = unit > start
    if not first.any() or first.all():
        return np.zeros(unit.shape, bool), start
    return clean(unit > _between(unit, first, ~first, reach_px, hold=0.05, threshold=threshold), reach_px), start


def find_inner(unit: np.ndarray, foreground: np.ndarray, *, reach_px: float, threshold: float = 1.0) -> np.ndarray:
    """Return the bright parts of a foreground, found within it as the foreground is found within the field."""
    values = unit[foreground]
    if not len(values) or values.min() == values.max():
        return np.zeros(unit.shape, bool)
    first = foreground & (unit > threshold_otsu(values))
    rest = foreground & ~first
    return clean((unit > _between(unit, first, rest, reach_px, hold=0.02, threshold=threshold)) & foreground, reach_px)


def clean(foreground: np.ndarray, reach_px: float) -> np.ndarray:
    """Take away lines and dots thinner than 3 px, and fill holes that a nucleus can have (not the inside of a ring)."""
    opened = ndimage.binary_opening(foreground, np.ones((3, 3), bool))
    holes, _ = ndimage.label(ndimage.binary_fill_holes(opened) & ~opened)
    small = np.bincount(holes.ravel()) <= np.pi * (HOLE_REACHES * reach_px) ** 2
    small[0] = False
    filled: np.ndarray = opened | small[holes]
    return filled


def _between(
    unit: np.ndarray, bright: np.ndarray, dark: np.ndarray, reach: float, *, hold: float, threshold: float
) -> np.ndarray:
    """Return the middle of the means of bright and dark pixels nearby, held to the whole field's where few are near.

    A `threshold` other than 1 moves it: 0 is the mean of the dark pixels, 2 that of the bright ones.
    """
    high, low = _nearby(unit, bright, reach, hold), _nearby(unit, dark, reach, hold)
    middle: np.ndarray = (high + low) / 2
    return middle if threshold == 1 else (low + np.float32(threshold / 2) * (high - low))


def _nearby(unit: np.ndarray, where: np.ndarray, reach: float, hold: float) -> np.ndarray:
    share = _blur(where.astype(np.float32), reach)
    total = _blur(np.where(where, unit, np.float32(0)), reach)
    overall = float(unit[where].mean()) if where.any() else 0.0
    mean: np.ndarray = (total + hold * overall) / (share + hold)
    return mean


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    # Three box filters are a Gaussian within 3 %, and cost the same for every sigma.
    size = 2 * round(sigma) + 1
    for _ in range(3):
        image = ndimage.uniform_filter(image, size)
    return image
