"""Focus: which share of the edges' energy lies in fine detail, with the noise of the camera taken out."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
# Significance, in standard errors of pure noise, from which on a gradient counts as structure.
SEEN = 4.0
# [1 -2 1] along both axes: 36 times the variance of white noise, and nearly blind to anything a lens can show.
_CHECKER = 36.0
_MARGIN = 4


class Bands(NamedTuple):
    """Gradient energy at two scales and the variance of the noise, pixel by pixel."""

    fine: Floats  # (…, Y, X), smoothed over 1 pixel
    coarse: Floats  # (…, Y // 2, X // 2), smoothed over 2 pixels
    noise: Floats  # (…, Y, X)


def bands(images: Floats) -> Bands:
    """Return gradient energies after smoothing over 1 and 2 pixels, and the local variance of the noise.

    For an edge blurred over σ pixels the first is proportional to (σ² + 1)^-½ and the second to (σ² + 4)^-½: their
    ratio depends on the blur, and neither on gain, offset, contrast nor on how many edges there are.

    Parameters
    ----------
    images : float array (…, Y, X)
        At least 4 × 4 pixels.

    Examples
    --------
    >>> step = np.tile(np.arange(32) >= 16, (32, 1)).astype("float32")
    >>> seen = bands(step)
    >>> bool(seen.fine.mean() > seen.coarse.mean() > 0)
    True
    """
    wide = np.pad(images, [(0, 0)] * (images.ndim - 2) + [(_MARGIN, _MARGIN)] * 2, mode="edge")
    smooth = _smooth(_smooth(wide, -1), -2)
    fine = _gradient(smooth)[..., 2:-2, 2:-2]
    half = _halved(smooth[..., 1:-1, 1:-1])
    half = np.pad(half, [(0, 0)] * (images.ndim - 2) + [(1, 1)] * 2, mode="edge")
    # a quarter: these differences are over twice as many pixels
    coarse = _gradient(_smooth(_smooth(half, -1), -2)) * images.dtype.type(0.25)
    rough = _second(_second(wide[..., 3:-3, 3:-3], -1), -2)
    return Bands(fine, coarse[..., : images.shape[-2] // 2, : images.shape[-1] // 2], rough * rough / _CHECKER)


def fine_share(fine: Floats, coarse: Floats, noise: Floats, pixels: Floats) -> tuple[Floats, Floats]:
    """Return the share of gradient energy that smoothing from 1 to 2 pixels takes away, and its significance.

    Parameters
    ----------
    fine, coarse, noise : array
        Means of `Bands` over the same region.
    pixels : array
        How many pixels the means are of.

    Returns
    -------
    share, significance : arrays
        From about 0 (blurred over many pixels) to 1 (single points); NaN where the gradients are not more than noise.
    """
    gain_fine, gain_coarse = noise_gains()
    signal = fine - gain_fine * noise
    # neighbouring gradients share pixels: a patch of about a dozen counts once
    error = np.maximum(gain_fine * noise, 0) * np.sqrt(2 * 12 / np.maximum(pixels, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        significance = np.where(signal > 0, np.where(error > 0, signal / error, np.inf), 0.0)
        share = 1 - (coarse - gain_coarse * noise) / signal
    return np.where(significance > SEEN, np.clip(share, 0, 1), np.nan), significance


def pooled_focus(shares: Floats) -> Floats:
    """Return one focus for each row of shares (N, C): what channels differ by is taken out, so one may be missing."""
    known = np.isfinite(shares)
    if not known.any():
        return np.full(len(shares), np.nan)
    columns = known.any(0)
    middle = np.array([np.median(c[k]) if k.any() else np.nan for c, k in zip(shares.T, known.T, strict=True)])
    away = np.where(known, shares - middle, 0.0).sum(1) / np.maximum(known.sum(1), 1)
    return np.clip(away + middle[columns].mean(), 0, 1)


@lru_cache(maxsize=1)
def noise_gains() -> tuple[float, float]:
    """Return the mean fine and coarse gradient energy of white noise of variance 1."""
    size, fine, coarse = 32, 0.0, 0.0
    for y in (0, 1):
        for x in (0, 1):
            point = np.zeros((size, size))
            point[size // 2 + y, size // 2 + x] = 1
            seen = bands_without_noise(point)
            fine, coarse = float(seen[0].sum()), coarse + float(seen[1].sum())
    return fine, coarse


def bands_without_noise(image: Floats) -> tuple[Floats, Floats]:
    """Return the fine and coarse gradient energies alone."""
    seen = bands(image)
    return seen.fine, seen.coarse


def _smooth(x: Floats, axis: int) -> Floats:
    first, middle, last = _three(x, axis)
    # in place: making room for large arrays takes longer than adding them up
    out: Floats = first + last
    out *= x.dtype.type(0.25)
    out += middle * x.dtype.type(0.5)
    return out


def _second(x: Floats, axis: int) -> Floats:
    first, middle, last = _three(x, axis)
    out: Floats = first + last
    out -= x.dtype.type(2) * middle
    return out


def _gradient(x: Floats) -> Floats:
    """Return the squared length of Sobel's gradient, one pixel smaller on each side."""
    half = x.dtype.type(0.5)
    across, down = _smooth(x, -2), _smooth(x, -1)
    dx, dy = across[..., :, 2:] - across[..., :, :-2], down[..., 2:, :] - down[..., :-2, :]
    for step in (dx, dy):
        step *= half
        step *= step
    dx += dy
    return dx


def _halved(x: Floats) -> Floats:
    height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
    x = x[..., :height, :width]
    rows = x[..., ::2, :] + x[..., 1::2, :]
    out: Floats = (rows[..., ::2] + rows[..., 1::2]) * x.dtype.type(0.25)
    return out


def _three(x: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    if axis == -1:
        return x[..., :-2], x[..., 1:-1], x[..., 2:]
    return x[..., :-2, :], x[..., 1:-1, :], x[..., 2:, :]
