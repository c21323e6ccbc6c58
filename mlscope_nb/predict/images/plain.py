"""Plain: what does the same without a network, to be compared with it: filters, linear regression, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import label
from skimage.restoration import denoise_nl_means
from skimage.segmentation import watershed
from tqdm.auto import tqdm

from mlscope_nb.fields import Fields
from mlscope_nb.io.segmentation import segment
from mlscope_nb.predict.images.learning import Task
from mlscope_nb.predict.images.pictures import Given, Pictures
from mlscope_nb.predict.images.preparing import Prepared, prepared
from mlscope_nb.predict.images.scaling import ends, grey, scaled

SIGMAS_PX = (0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 3.0)
STRENGTHS = (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
"""Of non-local means, in standard deviations of the noise."""
NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal number."""
WINDOW_PX = 160
"""Side of the square in the middle of each training field on which a filter is chosen: filters are slow."""
LEAST_DISTANCE_PX, LEAST_AREA_PX = 5, 25


@dataclass(frozen=True)
class Plain:
    """A method without a network, with the settings that training fields have chosen.

    Parameters
    ----------
    name : str
        "gaussian", "non-local means", "linear regression", "segment" or "Otsu and watershed".
    inputs, outputs : tuple of str
        Channels that it reads and makes.
    settings : dict
        What was chosen: one number for each channel, or coefficients.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    def predict(self, fields: Given, *, progress: bool = True) -> Given:
        """Return fields with the predicted picture, or with the objects that were found, as a network does.

        Raises
        ------
        KeyError, ValueError, TypeError
            A channel is missing, or objects are asked for in crops.
        """
        if self.name in FINDERS:
            if not isinstance(fields, Fields):
                raise TypeError("Objects are found in whole fields, and these are crops of cells. Give fields.")
            return _found(self.name, fields, self.inputs)
        pictures = Pictures(fields)
        made = [self._made(pictures.image(i, pictures.rows(self.inputs))) for i in range(len(pictures))]
        step = {"step": "predict_images", "plain": self.name, "settings": self.settings}
        return pictures.replaced(made, self.outputs, step)

    def _made(self, image: np.ndarray) -> np.ndarray:
        between = ends(image)
        picture = scaled(image, between)
        if self.name == "linear regression":
            weights = np.asarray(self.settings["weights"])
            said = np.tensordot(weights[:-1], picture, axes=1)[None] + weights[-1]
            return grey(said, np.asarray(self.settings["scale"]))
        chosen = zip(picture, self.settings["strength"], strict=True)
        return grey(np.stack([FILTERS[self.name](channel, s) for channel, s in chosen]), between)

    def __str__(self) -> str:
        return f"{self.name}: {self.settings}" if self.settings else self.name


def plain(
    fields: Given,
    task: Task = "stain",
    *,
    inputs: Sequence[str] | str | None = None,
    target: str | None = None,
    clean: Given | None = None,
    progress: bool = True,
) -> dict[str, Plain]:
    """Return the plain methods for a task, with the settings that are best on these training fields.

    "stain": linear regression of channels. "denoise": Gaussian blur and non-local means, each channel with the strength
    that comes nearest to the clean pictures, or, where there are none, that says hidden pixels best. "segment":
    `ms.io.segment`, and Otsu's threshold with a watershed of distances.

    Parameters
    ----------
    fields, task, inputs, target, clean
        As in `train`: give the same, to compare.
    progress : bool
        Show a bar where choosing a filter takes longer than 2 seconds.

    Raises
    ------
    ValueError, KeyError, TypeError
        As in `train`.

    References
    ----------
    Buades, Coll & Morel 2005, CVPR (non-local means); Batson & Royer 2019, ICML, arXiv 1901.11365 (choosing a filter
    without clean pictures); Otsu 1979, IEEE Trans Syst Man Cybern 9:62.

    Examples
    --------
    >>> import pandas as pd
    >>> actin = np.random.default_rng(0).random((16, 16))
    >>> fields = Fields(pd.DataFrame(index=["f1"]), [np.stack([2 * actin, actin])], channels=["DNA", "actin"])
    >>> said = plain(fields, "stain", target="DNA")["linear regression"].predict(fields)
    >>> bool(np.allclose(said.images[0][0], 2 * actin, atol=1e-3))
    True
    """
    if task == "segment":
        into = Pictures(fields).channels if inputs is None else (inputs,) if isinstance(inputs, str) else tuple(inputs)
        Pictures(fields).rows(into)
        return {name: Plain(name, into) for name in FINDERS}
    data = prepared(fields, task, inputs, target, clean, None)
    if task == "stain":
        return {"linear regression": _regression(data)}
    return {name: _filter(name, data, blind=clean is None, progress=progress) for name in FILTERS}


def _regression(data: Prepared) -> Plain:
    """Return least squares of the scaled target on the scaled inputs and a constant, over all pixels."""
    n = len(data.inputs) + 1
    square, product = np.zeros((n, n)), np.zeros(n)
    for read, asked in zip(data.read, data.asked, strict=True):
        design = np.concatenate([read.reshape(n - 1, -1), np.ones((1, asked[0].size))]).astype(np.float64)
        square += design @ design.T
        product += design @ asked.ravel().astype(np.float64)
    weights = np.linalg.lstsq(square, product, rcond=None)[0]
    settings = {"weights": weights.tolist(), "scale": data.scale.tolist()}
    return Plain("linear regression", data.inputs, data.outputs, settings)


def _filter(name: str, data: Prepared, *, blind: bool, progress: bool) -> Plain:
    """Return a filter with the strength, for each channel, that has the least squared error on training fields."""
    strengths = SIGMAS_PX if name == "gaussian" else STRENGTHS
    tries = [(c, s) for c in range(len(data.inputs)) for s in strengths]
    wrong = []
    for c, s in tqdm(tries, desc=f"Choosing: {name}", unit="strength", leave=False, delay=2, disable=not progress):
        pairs = [(_middle(r[c]), _middle(a[c])) for r, a in zip(data.read, data.asked, strict=True)]
        wrong.append(np.mean([_error(name, s, read, asked, blind) for read, asked in pairs]))
    best = np.argmin(np.reshape(wrong, (-1, len(strengths))), axis=1)
    chosen = [strengths[int(k)] for k in best]
    return Plain(name, data.inputs, data.outputs, {"strength": chosen})


def _error(name: str, strength: float, read: np.ndarray, asked: np.ndarray, blind: bool) -> float:
    if not blind:
        return float(((FILTERS[name](read, strength) - asked) ** 2).mean())
    # A quarter of the pixels is hidden, and said from the others: noise cannot be copied.
    hidden = np.zeros(read.shape, bool)
    hidden[::2, ::2] = True
    kernel = np.array([[0.5, 1, 0.5], [1, 0, 1], [0.5, 1, 0.5]]) / 6
    seen = np.where(hidden, ndimage.convolve(read, kernel, mode="mirror"), read)
    return float(((FILTERS[name](seen, strength) - read)[hidden] ** 2).mean())


def _middle(channel: np.ndarray) -> np.ndarray:
    start = [max(0, (n - WINDOW_PX) // 2) for n in channel.shape]
    return channel[start[0] : start[0] + WINDOW_PX, start[1] : start[1] + WINDOW_PX]


def _gaussian(channel: np.ndarray, strength: float) -> np.ndarray:
    found: np.ndarray = ndimage.gaussian_filter(channel, strength, mode="mirror")
    return found


def _non_local_means(channel: np.ndarray, strength: float) -> np.ndarray:
    sigma = noise_of(channel)
    if not sigma:
        return channel
    options: dict[str, Any] = {"patch_size": 5, "patch_distance": 6, "fast_mode": True, "sigma": sigma}
    found: np.ndarray = denoise_nl_means(channel, h=strength * sigma, **options)
    return found


def noise_of(channel: np.ndarray) -> float:
    """Return the standard deviation of the noise (Y, X) from its finest diagonal structure, where optics show nothing.

    References
    ----------
    Donoho & Johnstone 1994, Biometrika 81:425 (the median of the finest wavelets, here Haar's).

    Examples
    --------
    >>> bool(abs(noise_of(np.random.default_rng(0).normal(0, 3, (200, 200))) - 3) < 0.1)
    True
    """
    c = np.asarray(channel, np.float64)
    fine = (c[:-1, :-1] - c[1:, :-1] - c[:-1, 1:] + c[1:, 1:]) / 2
    return float(np.median(np.abs(fine)) / NORMAL_MEDIAN) if fine.size else 0.0


FILTERS = {"gaussian": _gaussian, "non-local means": _non_local_means}
FINDERS = ("segment", "Otsu and watershed")


def _found(name: str, fields: Fields, inputs: tuple[str, ...]) -> Fields:
    if name == "segment":
        return segment(fields, inputs[0]) if len(inputs) == 1 else segment(fields)
    rows = Pictures(fields).rows(inputs)
    masks = [_otsu(np.asarray(image, np.float64)[rows].mean(axis=0)) for image in fields.images]
    return fields.with_masks(masks, step={"step": "otsu_watershed", "channel": list(inputs)})


def _otsu(picture: np.ndarray) -> np.ndarray:
    """Return objects by Otsu's threshold, the smaller side of it in front, cut apart by distance to the outline."""
    if np.ptp(picture) == 0:
        return np.zeros(picture.shape, np.int32)
    bright = picture > threshold_otsu(picture)
    front = ndimage.binary_opening(bright if bright.mean() < 0.5 else ~bright)
    depth = ndimage.distance_transform_edt(front)
    at = peak_local_max(
        ndimage.gaussian_filter(depth, 1), min_distance=LEAST_DISTANCE_PX, labels=label(front), exclude_border=False
    )
    seeds = np.zeros(picture.shape, np.int32)
    seeds[tuple(at.T)] = np.arange(1, len(at) + 1)
    found = watershed(-depth, seeds, mask=front)
    area = np.bincount(found.ravel())
    kept = np.flatnonzero((area >= LEAST_AREA_PX) & (np.arange(len(area)) > 0))
    names = np.zeros(len(area), np.int32)
    names[kept] = np.arange(1, len(kept) + 1)
    return names[found]
