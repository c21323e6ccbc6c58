"""Cells grown outwards from their nuclei."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from mlscope_nb.io.foreground import split_levels


def grow(unit: np.ndarray, nuclei: np.ndarray, *, reach_px: float, edges: float) -> tuple[np.ndarray, float]:
    """Grow nuclei over the bright parts of an image, and return the cells and the threshold (0-1 of the range).

    Each nucleus spreads over the foreground as far as `reach_px`; the foreground is what lies above Li's threshold of
    the square root of the image, which evens out bright and dim cells. The order is the distance to the nearest
    nucleus, raised where the image has an edge, so that two cells meet half-way or at the membrane between.
    """
    start = split_levels(np.sqrt(np.clip(unit, 0, 1))) ** 2
    distance = ndimage.distance_transform_edt(nuclei == 0)
    territory = ((unit > start) & (distance <= reach_px)) | (nuclei > 0)
    cells = watershed(distance + edges * _edges(unit), nuclei, mask=territory)
    return _without_holes(cells.astype(np.int32), nuclei), start


def _edges(unit: np.ndarray) -> np.ndarray:
    """Return the gradient over its own neighbourhood's brightness, so that dim cells have edges too."""
    gradient = ndimage.gaussian_gradient_magnitude(unit, 1.0)
    relative: np.ndarray = gradient / (ndimage.gaussian_filter(unit, 10.0) + 0.01)
    return relative


def _without_holes(cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """Give enclosed background to the cell around it."""
    holes, n_holes = ndimage.label((cells == 0) & ndimage.binary_fill_holes(cells > 0))
    if not n_holes:
        return cells
    around = ndimage.grey_dilation(cells, size=(3, 3))
    largest = ndimage.maximum(around, holes, np.arange(n_holes + 1))
    least = ndimage.minimum(np.where(around > 0, around, cells.max() + 1), holes, np.arange(n_holes + 1))
    # A hole between two cells is background: nobody can say whose it is.
    owner = np.where(largest == least, largest, 0).astype(np.int32)
    owner[0] = 0
    return np.where(holes > 0, owner[holes], cells).astype(np.int32)
