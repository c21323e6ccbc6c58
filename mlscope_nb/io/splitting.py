"""Touching objects come apart at their necks."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def split_touching(foreground: np.ndarray, *, neck: float = 0.8) -> np.ndarray:
    """Label the objects of a foreground, cut where the outline has a neck.

    The distance to the background is flooded from its peaks (watershed); two floods are joined again where the
    passage between them is nearly as wide as the narrower of the two, so that one elongated object stays one.

    Parameters
    ----------
    foreground : bool array (Y, X)
    neck : float
        Width of the neck over the width of the narrower part at which parts are one object: 0 never cuts, 1 always.

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
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(np.pad(foreground, 1))[1:-1, 1:-1], 1.0)
    parts, n_parts = ndimage.label(foreground)
    peaks = peak_local_max(depth, min_distance=2, labels=parts, exclude_border=False)
    seeds = np.zeros(foreground.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    floods = watershed(-depth, seeds, mask=foreground)
    top = np.zeros(len(peaks) + 1)
    top[1:] = depth[tuple(peaks.T)]
    return numbered(_join(floods, depth, top, neck)[floods])


def numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels renumbered 1 … n in reading order as int32."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.zeros(len(values), np.int32)
    is_object = np.flatnonzero(values > 0)
    order[is_object[np.argsort(first[is_object])]] = np.arange(1, len(is_object) + 1)
    return order[inverse].reshape(labels.shape)


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
