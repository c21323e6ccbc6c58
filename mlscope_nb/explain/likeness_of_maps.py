"""How alike two maps of one cell are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_WINDOW, WINDOW = 3, 7


def likeness(a: NDArray[np.generic], b: NDArray[np.generic]) -> dict[str, Floats]:
    """Return for pairs of maps (N, Y, X) their rank correlation and structural similarity, each (N,).

    ``spearman`` and ``ssim`` are of absolute values: where both maps see structure, wherever the signs have gone.
    ``signed`` is the rank correlation with signs. A map without any difference in it is like no other (0).

    References
    ----------
    Wang et al. 2004, doi 10.1109/TIP.2003.819861 (SSIM, as scikit-image does it).

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(size=(2, 8, 8))
    >>> {k: v.round(6).tolist() for k, v in likeness(maps, -2 * maps).items()}
    {'spearman': [1.0, 1.0], 'ssim': [1.0, 1.0], 'signed': [-1.0, -1.0]}
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    sizes = np.abs(first), np.abs(second)
    return {"spearman": _ranked(*sizes), "ssim": _structure(*sizes), "signed": _ranked(first, second)}


def _ranked(a: Floats, b: Floats) -> Floats:
    from scipy.stats import rankdata

    ranks = [rankdata(x.reshape(len(x), -1), axis=1) for x in (a, b)]
    x, y = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.asarray((x * y).sum(axis=1) / np.where(size > 0, size, 1.0))


def _structure(a: Floats, b: Floats) -> Floats:
    from skimage.metrics import structural_similarity

    side = min(WINDOW, *a.shape[1:])
    window = max(LEAST_WINDOW, side - 1 + side % 2)
    found = np.zeros(len(a))
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if x.max() > 0 and y.max() > 0:
            found[i] = structural_similarity(x / x.max(), y / y.max(), win_size=window, data_range=1.0)
    return found
