"""Objects in one image: nuclei or cells as label masks, from plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from skimage.morphology import remove_small_objects

from mlscope_nb.io.foreground import find_foreground
from mlscope_nb.io.growing import grow
from mlscope_nb.io.polarity import Polarity, decide_polarity, to_grey
from mlscope_nb.io.splitting import numbered, split_touching


def find_objects(
    image: np.ndarray, *, polarity: Polarity = "auto", diameter_px: float | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    grey, source = to_grey(np.asarray(image))
    side, figure = decide_polarity(grey)
    settings: dict[str, Any] = {"grey": source, "polarity": side, "polarity_figure": round(figure, 4)}
    if grey.max() == grey.min():
        return np.zeros(grey.shape, np.int32), settings
    bright = ndimage.gaussian_filter(grey if side == "bright" else -grey, 1.0)
    foreground, start = find_foreground(bright)
    foreground = ndimage.binary_fill_holes(foreground)
    foreground = remove_small_objects(foreground, max_size=24)
    labels = split_touching(foreground)
    area = np.bincount(labels.ravel())
    keep = area >= 25
    keep[0] = False
    return numbered(np.where(keep[labels], labels, 0)), settings


def grow_cells(
    image: np.ndarray,
    nuclei: np.ndarray,
    *,
    polarity: Polarity = "auto",
    reach_px: float | None = None,
    edges: float = 3.0,
) -> tuple[np.ndarray, dict[str, Any]]:
    grey, source = to_grey(np.asarray(image))
    side, figure = decide_polarity(grey) if polarity == "auto" else (polarity, None)
    if reach_px is None:
        areas = np.bincount(nuclei.ravel())[1:]
        reach_px = 2.0 * float(np.sqrt(np.median(areas[areas > 0]) * 4 / np.pi)) if nuclei.any() else 0.0
    cells, threshold = grow(grey if side == "bright" else -grey, nuclei, reach_px=reach_px, edges=edges)
    return cells, {"grey": source, "polarity": side, "threshold": threshold, "reach_px": reach_px}
