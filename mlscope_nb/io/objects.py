"""Objects in one image: nuclei or cells as label masks, from plain arrays."""

from __future__ import annotations

import numbers
from typing import Any, Literal, get_args

import numpy as np
from scipy import ndimage

from mlscope_nb.io.foreground import find_foreground, is_only_noise, to_unit
from mlscope_nb.io.growing import grow
from mlscope_nb.io.nesting import label_innermost
from mlscope_nb.io.polarity import Polarity, decide_polarity, polarity_around, to_grey
from mlscope_nb.io.splitting import numbered

# 15 px serves nuclei of 10 to 100 px; a known diameter scales it.
REACH_PX = 15.0
REACH_DIAMETERS = 0.75
SMOOTHING_PX = 0.5
LEAST_AREA_PX = 25
LEAST_SHARE = 1 / 5
SMALLEST_IMAGE_PX = 3


def find_objects(
    image: np.ndarray,
    *,
    polarity: Polarity = "auto",
    diameter_px: float | None = None,
    threshold: float = 1.0,
    min_area_px: float | None = None,
    max_area_px: float | None = None,
    split: float = 1.0,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Label the nuclei, or other compact objects, of one image.

    One path for all images: one grey image; objects bright or dark in it (`decide_polarity`); a threshold that
    follows the field (`find_foreground`); its inner parts where these are the objects (`label_innermost`); touching
    objects cut apart (`split_touching`); specks left out. The result does not depend on gain or offset of the camera.

    Parameters
    ----------
    image : array (Y, X), or (3, Y, X) for RGB
        Integers or floats in any range.
    polarity : "auto", "bright" or "dark"
        Are the objects brighter or darker than what is around them?
    diameter_px : float, optional
        Typical diameter of the objects. It sets how far around a pixel the background is looked for, and leaves out
        what is smaller than a third or larger than three times that. Default: 20 px for the first, and what is smaller
        than a fifth of the typical area found is left out.
    threshold : float
        Where between the background (0) and the objects around a pixel (2) the outline lies; 1 is half-way. No unit.
    min_area_px, max_area_px : float, optional
        Objects of fewer or more pixels are left out. Default: as `diameter_px` says, or nothing above.
    split : float
        How readily touching objects are cut apart: 0 never, 1 as usual, 2 at every neck. No unit.

    Returns
    -------
    labels : int32 array (Y, X)
        0 background, 1 … n objects in reading order.
    settings : dict
        What was decided: grey image, polarity and the figure behind it, threshold (in the units of the image), level,
        number of objects.

    Raises
    ------
    ValueError
        Other axes, an empty image, NaN or infinite pixels, an unknown polarity, a diameter that is not positive, or is
        larger than the smaller side of the image; a threshold, a size or a split outside its range.

    Examples
    --------
    >>> image = np.full((60, 60), 200, "uint8"); image[10:25, 10:25] = 90; image[35:50, 30:45] = 80
    >>> labels, settings = find_objects(image)
    >>> int(labels.max()), settings["polarity"]
    (2, 'dark')
    """
    pixels = _checked(image)
    _check_options(polarity, diameter_px, pixels.shape[-2:])
    check_tuning(threshold=threshold, min_area_px=min_area_px, max_area_px=max_area_px, split=split)
    grey, source = to_grey(pixels)
    side, figure = decide_polarity(grey)
    side = side if polarity == "auto" else polarity
    settings = {"grey": source, "polarity": side, "polarity_figure": round(figure, 4)}
    if min(grey.shape) < SMALLEST_IMAGE_PX or is_only_noise(grey):
        return np.zeros(grey.shape, np.int32), {**settings, "threshold": None, "level": 0, "n": 0}
    bright = ndimage.gaussian_filter(grey if side == "bright" else -grey, SMOOTHING_PX)
    unit = to_unit(bright)
    reach = REACH_PX if diameter_px is None else REACH_DIAMETERS * diameter_px
    foreground, start = find_foreground(unit, reach_px=reach)
    labels, level = label_innermost(unit, foreground, reach_px=reach, threshold=threshold, split=split)
    labels = _of_sizes(labels, diameter_px, min_area_px, max_area_px)
    first = _in_units(start, bright, side)
    return labels, {**settings, "threshold": first, "level": level, "n": int(labels.max(initial=0))}


def _is_above_0(value: object) -> bool:
    return isinstance(value, numbers.Real) and 0 < float(value) < float("inf")


def check_tuning(*, threshold: float, min_area_px: float | None, max_area_px: float | None, split: float) -> None:
    """Refuse a threshold, sizes or a split that no image could use."""
    if not _is_above_0(threshold):
        raise ValueError(
            f"threshold is {threshold!r}, expected a number above 0: 1 is half-way between background and objects, "
            "less finds more, more finds less."
        )
    if not 0 <= split <= 2:
        raise ValueError(f"split is {split}, expected 0 (never cut touching objects) to 2 (cut at every neck).")
    low, high = 0 if min_area_px is None else min_area_px, float("inf") if max_area_px is None else max_area_px
    if not 0 <= low <= high:
        raise ValueError(
            f"min_area_px={min_area_px} and max_area_px={max_area_px}, expected areas in pixels, 0 or more, "
            "the smaller one first."
        )


def grow_cells(
    image: np.ndarray,
    nuclei: np.ndarray,
    *,
    polarity: Polarity = "auto",
    reach_px: float | None = None,
    edges: float = 20.0,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Grow a cell around every nucleus, over the foreground of an image that shows whole cells.

    Parameters
    ----------
    image : array (Y, X), or (3, Y, X) for RGB
    nuclei : integer array (Y, X)
        0 background, 1 … n nuclei.
    polarity : "auto", "bright" or "dark"
        Are cells brighter or darker than their background? "auto" compares the surroundings of nuclei with what lies
        beyond (`polarity_around`).
    reach_px : float, optional
        How far a cell may reach beyond its nucleus. Default: twice the median diameter of the nuclei.
    edges : float
        How much a border between two cells is drawn to edges in the image; 0 puts it half-way between the nuclei.

    Returns
    -------
    cells : int32 array (Y, X)
        Cell k holds nucleus k; background is 0.
    settings : dict
        Grey image, polarity, threshold (in the units of the image), reach.

    Raises
    ------
    ValueError
        As in `find_objects`; nuclei of another size than the image; a reach that is negative.

    Examples
    --------
    >>> image = np.zeros((40, 40)); image[8:32, 8:32] = 5
    >>> nuclei = np.zeros((40, 40), int); nuclei[16:24, 16:24] = 1
    >>> cells, _ = grow_cells(image, nuclei)
    >>> int(cells.max()), bool((cells > 0).sum() > 4 * (nuclei > 0).sum())
    (1, True)
    """
    pixels = _checked(image)
    seeds = _checked_nuclei(nuclei, pixels)
    _check_options(polarity, None, pixels.shape[-2:])
    if reach_px is not None and not reach_px >= 0:
        raise ValueError(f"reach_px is {reach_px}, expected pixels, 0 or more.")
    grey, source = to_grey(pixels)
    reach = 2 * _median_diameter(seeds) if reach_px is None else float(reach_px)
    side, figure = polarity_around(grey, seeds)
    side = side if polarity == "auto" else polarity
    bright = ndimage.gaussian_filter(grey if side == "bright" else -grey, 1.0)
    cells, start = grow(to_unit(bright), seeds, reach_px=reach, edges=edges)
    settings = {"grey": source, "polarity": side, "polarity_figure": round(figure, 4)}
    return cells, {**settings, "threshold": _in_units(start, bright, side), "reach_px": round(reach, 2)}


def _checked(image: np.ndarray) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.dtype.kind not in "uifb":
        raise ValueError(f"The image holds {pixels.dtype}, expected integers or floats.")
    if pixels.ndim not in (2, 3) or pixels.size == 0 or (pixels.ndim == 3 and pixels.shape[0] not in (1, 3)):
        raise ValueError(
            f"The image has shape {pixels.shape}, expected (Y, X), or (3, Y, X) for RGB, not empty. "
            "Choose one channel: image[0]."
        )
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int((~np.isfinite(pixels)).sum())
        raise ValueError(
            f"The image holds {bad:,} NaN or infinite pixels, expected numbers. Replace them with numpy.nan_to_num."
        )
    return pixels


def _checked_nuclei(nuclei: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    seeds = np.asarray(nuclei)
    if seeds.dtype.kind not in "uib" or seeds.shape != pixels.shape[-2:]:
        raise ValueError(
            f"The nuclei have shape {seeds.shape} and type {seeds.dtype}, "
            f"expected integer labels of the size of the image, {pixels.shape[-2:]}."
        )
    if seeds.min() < 0:
        raise ValueError(f"The nuclei hold the label {seeds.min()}, expected 0 for background and 1 … n.")
    return seeds.astype(np.int32)


def _check_options(polarity: str, diameter_px: float | None, shape: tuple[int, ...]) -> None:
    if polarity not in get_args(Polarity):
        raise ValueError(f"polarity is '{polarity}', expected one of {', '.join(get_args(Polarity))}.")
    if diameter_px is not None and not diameter_px > 0:
        raise ValueError(f"diameter_px is {diameter_px}, expected the typical diameter in pixels, above 0.")
    if diameter_px is not None and diameter_px > min(shape):
        raise ValueError(
            f"diameter_px is {diameter_px:,g}, but the image is {shape[1]:,} × {shape[0]:,} pixels: expected the "
            f"typical diameter of one object, at most {min(shape):,} px. In pixels: micrometres / pixel_size_um."
        )


def _of_sizes(
    labels: np.ndarray, diameter_px: float | None, min_area_px: float | None, max_area_px: float | None
) -> np.ndarray:
    """Keep the objects between two areas; what is not given follows the diameter, or the field for specks."""
    area = np.bincount(labels.ravel())
    area[0] = 0
    if diameter_px is None:
        low, high = max(LEAST_AREA_PX, LEAST_SHARE * _typical(area)), float("inf")
    else:
        disc = np.pi * diameter_px**2 / 4
        low, high = disc / 9, disc * 9
    low = low if min_area_px is None else min_area_px
    high = high if max_area_px is None else max_area_px
    keep = (area >= low) & (area <= high)
    keep[0] = False
    return numbered(np.where(keep[labels], labels, 0))


def _typical(area: np.ndarray) -> float:
    """Return the area of the object in which the middle pixel of all objects lies: specks do not lower it."""
    ordered = np.sort(area)
    total = np.cumsum(ordered)
    return float(ordered[np.searchsorted(total, total[-1] / 2)]) if total[-1] else 0.0


def _median_diameter(nuclei: np.ndarray) -> float:
    area = np.bincount(nuclei.ravel())[1:]
    area = area[area > 0]
    return float(np.sqrt(np.median(area) * 4 / np.pi)) if len(area) else 0.0


def _in_units(start: float, bright: np.ndarray, side: Literal["bright", "dark"] | str) -> float:
    low, high = np.percentile(bright, [0.1, 99.9])
    value = float(low + start * (high - low))
    return round(value if side == "bright" else -value, 6)
