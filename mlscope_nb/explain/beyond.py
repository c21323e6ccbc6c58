"""Maps beyond forgotten: what is left of a map when what any network shows there has been taken off."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mlscope_nb._options import check_positive
from mlscope_nb.explain.trivial import SMOOTHED_PX

Maps = NDArray[np.float32]
NOTHING = 1e-30


def beyond_forgotten(maps: NDArray[Any], forgotten: NDArray[Any], *, smooth_px: float = SMOOTHED_PX) -> Maps:
    """Return maps less what the same method shows of networks that have forgotten.

    Methods that multiply with the picture (integrated gradients) or with an inner layer are strong where the picture
    is, whatever the network knows. All maps are smoothed and made equally strong; from each the mean strength of the
    forgotten ones is taken, pixel by pixel. What stays positive speaks for the class more strongly than a network
    without knowledge would, on the mean, for or against any. Also a true cue loses by it where it is bright.

    Parameters
    ----------
    maps : array (N, Y, X)
        From `attribute`.
    forgotten : array (K, N, Y, X)
        By the same method, of the same cells and classes, of K networks (`mix_weights` with K seeds): ten or more. To
        `grade` the result beside networks that have forgotten, make it of others than these.
    smooth_px : float
        How far maps are smoothed first (deviation): grain of both signs is no strength.

    Returns
    -------
    numpy.ndarray
        float32 (N, Y, X); each map has mean square 1 before something is taken off.

    Raises
    ------
    ValueError
        Shapes do not fit, values that are not finite, or a width below zero.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bright = np.zeros((1, 9, 9)); bright[0, 2, 2] = 8
    >>> forgotten = np.stack([bright * rng.choice([-1, 1]) for _ in range(10)])
    >>> cue = np.zeros((1, 9, 9)); cue[0, 6, 6] = 7
    >>> found = beyond_forgotten(bright + cue, forgotten)
    >>> [int(i) for i in np.unravel_index(found[0].argmax(), (9, 9))]
    [6, 6]
    """
    given, others = np.asarray(maps, dtype=np.float64), np.asarray(forgotten, dtype=np.float64)
    if given.ndim != 3 or others.ndim != 4 or others.shape[1:] != given.shape or not len(others):
        raise ValueError(
            f"maps have the shape {given.shape} and forgotten {others.shape}, expected (N, Y, X) and (K, N, Y, X) of "
            "the same cells."
        )
    if not (np.isfinite(given).all() and np.isfinite(others).all()):
        raise ValueError("maps or forgotten hold NaN or inf, expected finite numbers: leave these cells out of both.")
    check_positive({"smooth_px": smooth_px or None})
    mean = np.mean([np.abs(_alike(one, smooth_px)) for one in others], axis=0)
    return np.asarray(_alike(given, smooth_px) - mean, dtype=np.float32)


def _alike(maps: NDArray[np.float64], smooth_px: float) -> NDArray[np.float64]:
    """Return maps smoothed, each with mean square 1."""
    smooth = ndimage.gaussian_filter(maps, (0, smooth_px, smooth_px)) if smooth_px else maps
    return np.asarray(smooth / np.sqrt(np.square(smooth).mean(axis=(1, 2), keepdims=True) + NOTHING))
