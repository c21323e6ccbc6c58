"""Which grey image to segment, and whether the objects are bright or dark in it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

Polarity = Literal["auto", "bright", "dark"]


def to_grey(image: np.ndarray) -> tuple[np.ndarray, str]:
    """Return one float image (Y, X) of an image (Y, X) or RGB image (3, Y, X), and how it was made.

    Dark objects (stains in transmitted light) are looked for in the mean of the colours, bright ones (fluorescence
    saved as RGB) in the brightest colour of each pixel, so that a blue nucleus does not lose two thirds of its light.

    Examples
    --------
    >>> to_grey(np.zeros((3, 5, 5)))[1]
    'grey'
    """
    if image.ndim == 2:
        return image.astype(np.float64), "grey"
    if all(np.array_equal(image[0], colour) for colour in image[1:]):
        return image[0].astype(np.float64), "grey"
    mean = image.mean(axis=0, dtype=np.float64)
    if decide_polarity(mean)[0] == "dark":
        return mean, "mean colour"
    return image.max(axis=0).astype(np.float64), "brightest colour"


def decide_polarity(grey: np.ndarray) -> tuple[Literal["bright", "dark"], float]:
    """Decide whether objects are bright or dark, and return the figure behind it.

    The figure is the skew of the grey values between the 0.5th and 99.5th percentile, -1 to 1: how much further the
    values reach above their median than below it. Objects are taken to be the side that reaches further.

    Examples
    --------
    >>> spot = np.zeros((40, 40)); spot[10:20, 10:20] = 5
    >>> decide_polarity(spot)[0], decide_polarity(-spot)[0]
    ('bright', 'dark')
    """
    smooth = ndimage.gaussian_filter(grey, 2.0)
    low, middle, high = np.percentile(smooth, [0.5, 50, 99.5])
    if high <= low:
        return "bright", 0.0
    skew = float((high + low - 2 * middle) / (high - low))
    return ("bright" if skew >= 0 else "dark"), skew


def polarity_around(grey: np.ndarray, nuclei: np.ndarray) -> tuple[Literal["bright", "dark"], float]:
    """Decide whether cells are bright or dark, from where their nuclei are, and return the figure behind it.

    The figure is the mean within 5 px around nuclei less the mean beyond, over the range of the image. Cells may fill
    most of the field, and nuclei may be left unstained.

    Examples
    --------
    >>> image = np.zeros((30, 30)); image[3:27, 3:27] = 5
    >>> nucleus = np.zeros((30, 30), int); nucleus[13:17, 13:17] = 1
    >>> polarity_around(image, nucleus)[0], polarity_around(-image, nucleus)[0]
    ('bright', 'dark')
    """
    low, high = np.percentile(grey, [0.5, 99.5])
    distance = ndimage.distance_transform_edt(nuclei == 0)
    around, beyond = (distance > 0) & (distance <= 5), distance > 5
    if high <= low or not nuclei.any() or not around.any() or not beyond.any():
        return "bright", 0.0
    figure = float((grey[around].mean() - grey[beyond].mean()) / (high - low))
    return ("bright" if figure >= 0 else "dark"), figure
