"""Likeness: how near a predicted picture is to the true one, as a whole, by size of structure and by brightness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

Floats = NDArray[np.float64]
SCALES_PX = (1.0, 2.0, 4.0, 8.0, 16.0)
CLASSES = (0.0, 50.0, 75.0, 90.0, 97.5, 100.0)
"""Percentiles of true brightness: most pixels are background."""


def likeness(predicted: np.ndarray, true: np.ndarray, between: Floats) -> dict[str, float]:
    """Return PSNR (dB), SSIM and correlation of one channel (Y, X); the range is that of the true field's ends.

    Parameters
    ----------
    predicted, true : arrays (Y, X)
    between : (low, high)
        Dark and bright end of the true picture.

    References
    ----------
    Wang et al. 2004, IEEE Trans Image Process 13:600 (SSIM, with its Gaussian window, as scikit-image has it).

    Examples
    --------
    >>> true = np.random.default_rng(0).random((16, 16))
    >>> round(likeness(true + 0.1, true, np.array([0.0, 1.0]))["psnr"], 6)
    20.0
    """
    a, b = (np.asarray(x, np.float64) for x in (predicted, true))
    span = float(between[1] - between[0])
    wrong = float(((a - b) ** 2).mean())
    psnr = 10 * np.log10(span**2 / wrong) if wrong > 0 else np.nan
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similar = structural_similarity(a, b, data_range=span, **options) if min(a.shape) >= 11 else np.nan
    flat = a.std() == 0 or b.std() == 0
    return {
        "psnr": float(psnr),
        "ssim": float(similar),
        "correlation": np.nan if flat else float(np.corrcoef(a.ravel(), b.ravel())[0, 1]),
    }


def by_scale(predicted: np.ndarray, true: np.ndarray) -> list[dict[str, float]]:
    """Return, for structures of about each size, how much of them is wrong: error over what there is (variances).

    1 is as wrong as a picture without such structures; more than 1 is structure that is not there. Structures of a size
    are the difference of two Gaussian blurs, one of half that size and one of all of it (standard deviations).

    Examples
    --------
    >>> true = np.random.default_rng(0).random((64, 64))
    >>> round(by_scale(0 * true, true)[0]["wrong"], 6)
    1.0
    """
    a, b = (np.asarray(x, np.float64) for x in (predicted, true))
    rows = []
    for size in SCALES_PX:
        seen, there = (ndimage.gaussian_filter(x, size / 2) - ndimage.gaussian_filter(x, size) for x in (a, b))
        variance = float((there**2).mean())
        wrong = float(((seen - there) ** 2).mean()) / variance if variance > 0 else np.nan
        rows.append({"size_px": size, "wrong": wrong})
    return rows


def by_brightness(predicted: np.ndarray, true: np.ndarray, between: Floats) -> list[dict[str, float | str]]:
    """Return bias and error (root mean square) of pixels by how bright they truly are, in shares of the true range."""
    span = float(between[1] - between[0])
    wrong = (np.asarray(predicted, np.float64) - np.asarray(true, np.float64)) / span
    edges = np.percentile(true, CLASSES)
    code = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, len(CLASSES) - 2)
    rows: list[dict[str, float | str]] = []
    for k in range(len(CLASSES) - 1):
        own = wrong[code == k]
        name = f"{CLASSES[k]:g} to {CLASSES[k + 1]:g} %"
        found = (own.mean(), np.sqrt((own**2).mean())) if own.size else (np.nan, np.nan)
        rows.append({"brightness": name, "bias": float(found[0]), "error": float(found[1])})
    return rows
