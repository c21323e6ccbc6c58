"""Outlines: what a network learns of labelled objects, and objects out of what it says."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from skimage.measure import label
from skimage.morphology import local_maxima
from skimage.segmentation import relabel_sequential, watershed

THRESHOLDS = (0.5, 0.4, 0.6)
APART = (0.8, 0.6, 1.0)
SMOOTH_PX = 1.0
"""Smoothing of ways before the walk, and of the heaps in which it ends."""
MERGED = 3
"""How often heaps are looked through for neighbours of one object."""
STEPS, STRIDE_PX = 100, 2.0
"""Of a walk: a pixel that is farthest from its middle goes one stride, and the nearer it comes the slower it gets."""


@dataclass(frozen=True)
class Cut:
    """How objects are cut out of what a network says.

    Parameters
    ----------
    threshold : float
        Probability of foreground from which on a pixel belongs to an object.
    apart : float
        Two heaps of pixels that have walked to their middles are one object where they are nearer to each other than
        this share of the radius of a disc as large as both.
    least_area_px : float
        Smaller ones are left out.
    """

    threshold: float = 0.5
    apart: float = 0.8
    least_area_px: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def learned_from(mask: np.ndarray) -> np.ndarray:
    """Return what is to be said of a label mask (Y, X): foreground (0 or 1), and the way to the middle, as (3, Y, X).

    The way goes down and to the right, from each pixel of an object to its middle (the pixel next to its centroid), in
    units of the longest one of the object. So objects of all sizes look alike, and where two touch their ways part.

    References
    ----------
    Stringer et al. 2021, Nature Methods 18:100 (Cellpose: pixels that flow to the middle of their object).

    Examples
    --------
    >>> mask = np.zeros((3, 7), int); mask[1, 0:3] = 1; mask[1, 3:6] = 2
    >>> learned_from(mask)[2, 1].tolist()
    [1.0, 0.0, -1.0, 1.0, 0.0, -1.0, 0.0]
    """
    ways = np.zeros((2, *mask.shape), np.float32)
    for k, box in enumerate(ndimage.find_objects(mask), start=1):
        if box is None:
            continue
        own = np.argwhere(mask[box] == k)
        middle = own[np.argmin(np.square(own - own.mean(axis=0)).sum(axis=1))]
        apart = middle - own
        longest = max(1.0, float(np.sqrt(np.square(apart).sum(axis=1).max())))
        ways[(slice(None), *box)][:, own[:, 0], own[:, 1]] = apart.T / longest
    return np.concatenate([(mask > 0)[None].astype(np.float32), ways])


def objects(said: np.ndarray, cut: Cut) -> np.ndarray:
    """Return labels (Y, X), int32, from probability of foreground and ways to the middle (3, Y, X).

    Every pixel of the foreground walks as it is told, and those that end in one heap are an object. In large objects
    some stop on their way: their heaps are added to the one beside. Two discs that touch have heaps 1.4 radii apart.

    Examples
    --------
    >>> mask = np.zeros((20, 20), int); mask[3:17, 3:9] = 1; mask[3:17, 9:17] = 2
    >>> bool((objects(learned_from(mask), Cut()) == mask).all())
    True
    """
    inside = said[0] > cut.threshold
    ways = ndimage.gaussian_filter(said[1:], (0, SMOOTH_PX, SMOOTH_PX))
    ends = walked(ways, np.argwhere(inside).T)
    found = np.zeros(inside.shape, np.int64)
    found[inside] = _merged(_heaps(ends, inside.shape)[tuple(ends)], ends, cut.apart)
    area = np.bincount(found.ravel())
    keep = area >= max(cut.least_area_px, 1)
    keep[0] = False
    return relabel_sequential(np.where(keep[found], found, 0))[0].astype(np.int32)


def walked(ways: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return where pixels (row and column, (2, N)) are after they went the ways (2, Y, X) of the places they came by.

    Examples
    --------
    >>> ways = np.zeros((2, 1, 9)); ways[1, 0] = (4 - np.arange(9)) / 4
    >>> walked(ways, np.array([[0, 0], [0, 8]])).tolist()
    [[0, 0], [4, 4]]
    """
    last = np.array(ways.shape[1:])[:, None] - 1
    at = start.astype(np.float32)
    for _ in range(STEPS):
        row, column = np.rint(at).astype(np.intp)
        at = np.clip(at + STRIDE_PX * ways[:, row, column], 0, last).astype(np.float32)
    ends: np.ndarray = np.rint(at).astype(np.intp)
    return ends


def _heaps(ends: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the number of the heap (from 1) that each place with pixels belongs to."""
    heap = np.zeros(shape)
    np.add.at(heap, tuple(ends), 1.0)
    height = ndimage.gaussian_filter(heap, SMOOTH_PX)
    heaps: np.ndarray = watershed(-height, label(local_maxima(height), connectivity=2), mask=height > 0)
    return heaps


def _merged(heaps: np.ndarray, ends: np.ndarray, apart: float) -> np.ndarray:
    """Return the heap of each pixel (from 1) once those that are too near to each other are one."""
    for _ in range(MERGED):
        names, heaps = np.unique(heaps, return_inverse=True)
        area = np.bincount(heaps)
        at = np.stack([np.bincount(heaps, weights=e) for e in ends], axis=1) / np.maximum(area, 1)[:, None]
        near = cdist(at, at, "sqeuclidean") < apart**2 * (area[:, None] + area) / np.pi
        n, groups = connected_components(near, directed=False)
        heaps = groups[heaps]
        if n == len(names):
            break
    return heaps + 1


def areas(mask: np.ndarray) -> np.ndarray:
    """Return the areas of the objects of a label mask in pixels."""
    found = np.bincount(mask.ravel())[1:]
    return found[found > 0]
