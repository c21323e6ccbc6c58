"""Shot noise: where photons are counted, noise vanishes with the light, and so tells the dark level.

The variance of photon noise rises in a straight line with the grey value and meets zero at the dark level (less the
read noise, see `READ_NOISE`). The line is drawn through the background at brighter and dimmer places; it is used only
where the noise inside objects lies on the same line. So images whose noise is no shot noise any more (added after the
light, compressed, smoothed by place, shown in few grey values) say nothing rather than something wrong.
"""

from __future__ import annotations

import numpy as np

Floats = np.ndarray

READ_NOISE = 0.1
"""Read noise lowers the dark level found by its variance over the gain: about so much of the background's light."""
_BINS, _PER_BIN = 24, 30
_CLEAR = 5.0  # standard errors by which the noise has to rise with the light
_OBJECTS = 300  # tiles in objects, at least, to compare with
_STANDS_OUT = 2.0  # times brighter or dimmer than the background: other objects do not test the line
_AGREES = (0.75, 1.35)  # noise of objects over that of the line; constant or multiplied noise lies at 0.6 and below
_ROUNDING = 1 / 12
_LEAST = 0.25  # grey values squared: below this, noise is hidden by rounding


def dark_from_noise(
    grain: Floats, seen: Floats, expected: Floats, background: Floats, objects: Floats, *, whole: bool
) -> tuple[float, float] | None:
    """Return the dark level at which noise would vanish, and its standard error; None where noise cannot tell.

    Parameters
    ----------
    grain : array (N, P)
        Variance of the noise in each tile of each field.
    seen : array (N, P)
        Mean grey value of each tile.
    expected : array (N, P)
        Grey value of the background there.
    background, objects : bool array (N, P)
        Tiles that surely are one or the other.
    whole : bool
        True for integers, whose rounding adds a twelfth to the variance.

    References
    ----------
    Janesick 2007, Photon Transfer (SPIE); Foi et al. 2008, IEEE Trans Image Process 17:1737, for single images.

    Examples
    --------
    >>> expected = np.linspace(300, 500, 4000)[None, :] * np.ones((4, 1))
    >>> objects = np.zeros(expected.shape, bool)
    >>> objects[:, ::4] = True
    >>> seen = np.where(objects, 5 * (expected - 100) + 100, expected)
    >>> grain = 2 * (seen - 100) * np.random.default_rng(0).chisquare(9, seen.shape) / 9
    >>> dark, error = dark_from_noise(grain, seen, expected, ~objects, objects, whole=False)
    >>> bool(abs(dark - 100) < 10)
    True
    """
    variance = grain - _ROUNDING if whole else grain
    if background.sum() < _BINS * _PER_BIN or (whole and np.median(variance[background]) < _LEAST):
        return None
    place, typical = _binned(expected[background], variance[background])
    if (typical <= 0).any() or np.ptp(place) == 0:
        return None
    (slope, start), spread = np.polyfit(place, typical, 1, w=1 / typical, cov=True)
    if slope <= _CLEAR * np.sqrt(spread[0, 0]):
        return None
    dark = -start / slope
    light = float(np.median(place)) - dark
    if not _one_line(variance, seen - dark, expected - dark, background, objects):
        return None
    gradient = np.array([start / slope**2, -1 / slope])
    return float(dark), float(np.sqrt(gradient @ spread @ gradient + (READ_NOISE * light) ** 2))


def _binned(expected: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Return the mean place and the median variance of bins of equal size along the background's grey value."""
    order = np.argsort(expected, kind="stable")
    parts = np.array_split(order, _BINS)
    return np.array([expected[p].mean() for p in parts]), np.array([np.median(variance[p]) for p in parts])


def _one_line(variance: Floats, light: Floats, expected: Floats, background: Floats, objects: Floats) -> bool:
    """Return whether noise over light is the same in objects as in the background.

    The lower quarter of both is compared, for it sees least of the texture of objects.
    """
    lit = (light > 0) & (expected > 0)
    outside = background & lit
    inside = objects & lit & ((light > _STANDS_OUT * expected) | (light * _STANDS_OUT < expected))
    if min(inside.sum(), outside.sum()) < _OBJECTS:
        return False
    of_objects, of_background = (np.percentile(variance[at] / light[at], 25) for at in (inside, outside))
    return bool(_AGREES[0] <= of_objects / of_background <= _AGREES[1])
