"""Moments of masks: as they lie, about their centre, scaled by area, and Hu's that no rotation changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.regions import Floats, Regions

ORDERS = range(4)


def moments(regions: Regions) -> dict[str, Floats]:
    """Measure the moments of each mask up to order 3, as scikit-image's ``regionprops``; empty masks give NaN.

    The first number of a name is the order along rows, the second along columns. Those that are the same for every cell
    (normalised moments below order 2, central moments of order 1) are left out.
    """
    mask = regions.mask.astype(np.float64)
    y, x = (np.arange(n, dtype=np.float64) for n in mask.shape[1:])
    from_top, from_left = regions.mask.any(2).argmax(1), regions.mask.any(1).argmax(1)
    raw = _moments(mask, y - from_top[:, None], x - from_left[:, None]) * (regions.known / regions.known)[:, None, None]
    area = raw[:, 0, 0]
    cy, cx = from_top + raw[:, 1, 0] / area, from_left + raw[:, 0, 1] / area
    central = np.where(regions.size[:, None, None] > 0, _moments(mask, y - cy[:, None], x - cx[:, None]), np.nan)
    scaled = {(p, q): central[:, p, q] / area ** ((p + q) / 2 + 1) for p in ORDERS for q in ORDERS if p + q >= 2}
    result = {f"SpatialMoment_{p}_{q}": raw[:, p, q] for p in range(3) for q in ORDERS}
    result |= {f"CentralMoment_{p}_{q}": central[:, p, q] for p in range(3) for q in ORDERS if p + q != 1}
    result |= {f"NormalizedMoment_{p}_{q}": value for (p, q), value in scaled.items()}
    return result | _hu(scaled) | _inertia(central / area[:, None, None])


def _moments(mask: Floats, y: Floats, x: Floats) -> NDArray[np.float64]:
    """Return sums of y^p x^q over each mask (N, 4, 4)."""
    left = np.stack([y**p for p in ORDERS], axis=1)
    right = np.stack([x**q for q in ORDERS], axis=2)
    result: Floats = left @ (mask @ right)
    return result


def _hu(scaled: dict[tuple[int, int], Floats]) -> dict[str, Floats]:
    """Return the seven invariants of Hu 1962 (10.1109/TIT.1962.1057692)."""
    n20, n02, n11 = scaled[2, 0], scaled[0, 2], scaled[1, 1]
    n30, n03, n21, n12 = scaled[3, 0], scaled[0, 3], scaled[2, 1], scaled[1, 2]
    s, t, u, v = n30 + n12, n21 + n03, n30 - 3 * n12, 3 * n21 - n03
    invariants = [
        n20 + n02,
        (n20 - n02) ** 2 + 4 * n11**2,
        u**2 + v**2,
        s**2 + t**2,
        u * s * (s**2 - 3 * t**2) + v * t * (3 * s**2 - t**2),
        (n20 - n02) * (s**2 - t**2) + 4 * n11 * s * t,
        v * s * (s**2 - 3 * t**2) - u * t * (3 * s**2 - t**2),
    ]
    return {f"HuMoment_{k}": value for k, value in enumerate(invariants)}


def _inertia(spread: Floats) -> dict[str, Floats]:
    """Return the inertia tensor and its eigenvalues, the larger first."""
    yy, xx, yx = spread[:, 2, 0], spread[:, 0, 2], spread[:, 1, 1]
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    return {
        "InertiaTensor_0_0": xx,
        "InertiaTensor_0_1": -yx,
        "InertiaTensor_1_0": -yx,
        "InertiaTensor_1_1": yy,
        "InertiaTensorEigenvalues_0": np.maximum(middle + half, 0),
        "InertiaTensorEigenvalues_1": np.maximum(middle - half, 0),
    }
