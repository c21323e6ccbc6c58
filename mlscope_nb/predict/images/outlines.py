"""Outlines: what a network learns of labelled objects, and objects out of what it says."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import relabel_sequential, watershed

THRESHOLDS = (0.5, 0.4, 0.6)
VALLEYS = (0.1, 0.05, 0.2)
LEVELS = 1000
"""Heights are compared in thousandths: rounding errors make no peaks."""


@dataclass(frozen=True)
class Cut:
    """How objects are cut out of what a network says.

    Parameters
    ----------
    threshold : float
        Probability of foreground from which on a pixel belongs to an object.
    valley : float
        How deep the valley between two peaks of depth has to be for two objects.
    least_area_px : float
        Smaller ones are left out.
    """

    threshold: float = 0.5
    valley: float = 0.1
    least_area_px: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def learned_from(mask: np.ndarray) -> np.ndarray:
    """Return what is to be said of a label mask (Y, X): foreground (0 or 1) and depth (0 to 1), as (2, Y, X).

    Depth is the distance to the object's own outline, over the largest one of the object: every object, small or large,
    has one peak of height 1, and between two that touch there is a valley down to the ground.

    References
    ----------
    Naylor et al. 2019, IEEE Trans Med Imaging 38:448 (distance maps for touching nuclei).

    Examples
    --------
    >>> mask = np.zeros((5, 6), int); mask[1:4, 1:3] = 1; mask[1:4, 3:6] = 2
    >>> learned_from(mask)[1, 2].round(1).tolist()
    [0.0, 1.0, 1.0, 0.5, 1.0, 0.5]
    """
    depth = np.zeros(mask.shape, np.float32)
    for k, box in enumerate(ndimage.find_objects(mask), start=1):
        if box is None:
            continue
        own = np.pad(mask[box] == k, 1)
        far = ndimage.distance_transform_edt(own)[1:-1, 1:-1]
        depth[box] = np.where(own[1:-1, 1:-1], far / far.max(), depth[box])
    return np.stack([(mask > 0).astype(np.float32), depth])


def objects(said: np.ndarray, cut: Cut) -> np.ndarray:
    """Return labels (Y, X), int32, from probability of foreground and depth (2, Y, X).

    Peaks of depth that are deeper apart than the valley are flooded from above, within the foreground.

    Examples
    --------
    >>> mask = np.zeros((20, 20), int); mask[3:17, 3:9] = 1; mask[3:17, 9:17] = 2
    >>> bool((objects(learned_from(mask), Cut()) == mask).all())
    True
    """
    inside = said[0] > cut.threshold
    depth = np.rint(np.clip(ndimage.gaussian_filter(said[1], 1.0), 0, 1) * LEVELS)
    lowered = np.maximum(depth - np.rint(cut.valley * LEVELS), 0)
    peaks = local_maxima(reconstruction(lowered, depth)) & inside
    found = watershed(-depth, label(peaks, connectivity=2), mask=inside)
    area = np.bincount(found.ravel())
    keep = area >= max(cut.least_area_px, 1)
    keep[0] = False
    return relabel_sequential(np.where(keep[found], found, 0))[0].astype(np.int32)


def areas(mask: np.ndarray) -> np.ndarray:
    """Return the areas of the objects of a label mask in pixels."""
    found = np.bincount(mask.ravel())[1:]
    return found[found > 0]
