"""Touching objects come apart at their necks."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

NECK = 0.82


def neck_of(split: float) -> float:
    """Return the `neck` of `split_touching` for a strength: 0 never cuts, 1 is the usual, 2 cuts at every neck.

    Examples
    --------
    >>> neck_of(0), neck_of(1), neck_of(2)
    (0.0, 0.82, 1.0)
    """
    return NECK * split if split <= 1 else NECK + (1 - NECK) * (split - 1)


def split_touching(foreground: np.ndarray, unit: np.ndarray | None = None, *, neck: float = NECK) -> np.ndarray:
    """Label the objects of a foreground, cut where the outline has a neck or the brightness a valley.

    The distance to the background, times the brightness relative to the surroundings, is flooded from its peaks
    (watershed). Two floods are joined again where the passage between them is nearly as deep as the shallower of the
    two, so that one elongated or mottled object stays one. The rule is a ratio: it holds for objects of any size.

    Parameters
    ----------
    foreground : bool array (Y, X)
    unit : array (Y, X), optional
        The image with bright objects, 0 to 1. Without it only the outline counts.
    neck : float
        Depth of the passage over the depth of the shallower part from which parts are one object: 0 never cuts, 1
        always.

    Returns
    -------
    int32 array (Y, X)
        0 background, 1 … n objects.

    Examples
    --------
    >>> y, x = np.mgrid[:40, :60]
    >>> two_discs = ((y - 20) ** 2 + (x - 20) ** 2 < 144) | ((y - 20) ** 2 + (x - 40) ** 2 < 144)
    >>> int(split_touching(two_discs).max())
    2
    """
    depth = ndimage.distance_transform_edt(np.pad(foreground, 1))[1:-1, 1:-1].astype(np.float32)
    if unit is not None:
        depth *= _relative_brightness(unit, foreground)
    depth = ndimage.gaussian_filter(depth, 1.0) * foreground
    peaks = (ndimage.maximum_filter(depth, size=5) == depth) & foreground
    seeds, n_seeds = ndimage.label(peaks, np.ones((3, 3)))
    if not n_seeds:
        return np.zeros(foreground.shape, np.int32)
    floods = watershed(-depth, seeds, mask=foreground)
    top = np.zeros(n_seeds + 1)
    np.maximum.at(top, seeds[peaks], depth[peaks])
    return numbered(_join(floods, depth, top, neck)[floods])


def _relative_brightness(unit: np.ndarray, foreground: np.ndarray, *, reach_px: float = 8.0) -> np.ndarray:
    """Return the brightness over the mean of the foreground nearby, so that dim and bright objects weigh the same."""
    bright = np.where(foreground, np.maximum(unit, 0), np.float32(0))
    share = ndimage.gaussian_filter(foreground.astype(np.float32), reach_px)
    nearby = ndimage.gaussian_filter(bright, reach_px) / np.maximum(share, 1e-3)
    relative: np.ndarray = ndimage.gaussian_filter(np.maximum(unit, 0), 1.0) / np.maximum(nearby, 1e-3)
    return relative


def numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels renumbered 1 … n in reading order as int32."""
    flat = labels.ravel()
    first = np.full(int(flat.max(initial=0)) + 1, flat.size, np.int64)
    # Written from the end, so that the first pixel of each label is what remains.
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    present = np.flatnonzero(first < flat.size)
    present = present[present > 0]
    order = np.zeros(len(first), np.int32)
    order[present[np.argsort(first[present])]] = np.arange(1, len(present) + 1)
    return order[labels]


def _join(floods: np.ndarray, depth: np.ndarray, top: np.ndarray, neck: float) -> np.ndarray:
    """Return for each flood the number of the object it belongs to."""
    parent = np.arange(len(top))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    # The deepest passage first: what has grown together is judged by its deepest point.
    for a, b, saddle in _passages(floods, depth):
        a, b = root(a), root(b)
        if a != b and saddle >= neck * min(top[a], top[b]):
            low, high = (a, b) if top[a] < top[b] else (b, a)
            parent[low] = high
    return np.array([root(i) for i in range(len(top))])


def _passages(floods: np.ndarray, depth: np.ndarray) -> list[tuple[int, int, float]]:
    """List the pairs of touching floods with the deepest point of their border, deepest first."""
    pairs, saddles = [], []
    for here, there in (
        ((slice(None, -1),), (slice(1, None),)),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        a, b = floods[here].ravel(), floods[there].ravel()
        touch = (a != b) & (a > 0) & (b > 0)
        a, b = a[touch].astype(np.int64), b[touch].astype(np.int64)
        pairs.append(np.minimum(a, b) * (int(floods.max()) + 1) + np.maximum(a, b))
        saddles.append(np.minimum(depth[here].ravel()[touch], depth[there].ravel()[touch]))
    key, saddle = np.concatenate(pairs), np.concatenate(saddles)
    if not len(key):
        return []
    unique, inverse = np.unique(key, return_inverse=True)
    deepest = np.zeros(len(unique))
    np.maximum.at(deepest, inverse, saddle)
    base = int(floods.max()) + 1
    order = np.lexsort((unique, -deepest))
    return [(int(unique[i] // base), int(unique[i] % base), float(deepest[i])) for i in order]
