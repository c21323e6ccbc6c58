"""Size and shape of each mask in a batch, in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def shape(mask: NDArray[np.bool_]) -> dict[str, Floats]:
    """Measure the size and shape of each mask (N, Y, X); empty masks give NaN (area 0)."""
    area = mask.sum((1, 2)).astype(np.float64)
    known = np.where(area > 0, area, np.nan)
    y, x = (np.arange(n, dtype=np.float64) for n in mask.shape[1:])
    per_row, per_column = mask.sum(2).astype(np.float64), mask.sum(1).astype(np.float64)
    cy, cx = per_row @ y / known, per_column @ x / known
    yy = (per_row @ y**2) / known - cy**2
    xx = (per_column @ x**2) / known - cx**2
    yx = np.einsum("nyx,y,x->n", mask, y, x, optimize=True) / known - cy * cx
    major, minor = _axes(yy, xx, yx)
    height, width = _extent(np.asarray(mask.any(2))), _extent(np.asarray(mask.any(1)))
    around = perimeter(mask)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "Area": area,
            "BoundingBoxArea": np.where(area > 0, height * width, np.nan),
            "Compactness": _positive(around**2 / (4 * np.pi * known)),
            "Eccentricity": np.where(major == 0, 0.0, np.sqrt(1 - (minor / major) ** 2)),
            "EquivalentDiameter": np.sqrt(4 * known / np.pi),
            "Extent": known / (height * width),
            "FormFactor": _positive(4 * np.pi * known / around**2),
            "MajorAxisLength": major,
            "MinorAxisLength": minor,
            "Orientation": np.where(major > 0, np.degrees(_angle(yy, xx, yx)), np.nan),
            "Perimeter": np.where(area > 0, around, np.nan),
        }


def perimeter(mask: NDArray[np.bool_]) -> Floats:
    """Return the length of each outline, as scikit-image's ``perimeter`` (4 neighbours) defines it."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inside = padded.copy()
    for axis in (1, 2):
        inside &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    border = (padded & ~inside).astype(np.int16)
    straight = sum(np.roll(border, s, a) for a in (1, 2) for s in (1, -1))
    diagonal = sum(np.roll(border, (s, t), (1, 2)) for s in (1, -1) for t in (1, -1))
    code = np.where(border > 0, 1 + 2 * straight + 10 * diagonal, 0)
    return _STEP_LENGTH[np.minimum(code, 49)].sum((1, 2))


def _step_lengths() -> Floats:
    lengths = np.zeros(50)
    lengths[[5, 7, 15, 17, 25, 27]] = 1
    lengths[[21, 33]] = np.sqrt(2)
    lengths[[13, 23]] = (1 + np.sqrt(2)) / 2
    return lengths


_STEP_LENGTH = _step_lengths()


def _axes(yy: Floats, xx: Floats, yx: Floats) -> tuple[Floats, Floats]:
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    return 4 * np.sqrt(np.maximum(middle + half, 0)), 4 * np.sqrt(np.maximum(middle - half, 0))


def _angle(yy: Floats, xx: Floats, yx: Floats) -> Floats:
    """Angle of the long axis to the y axis, in -90 … 90 degrees, as scikit-image's orientation."""
    angle: Floats = 0.5 * np.arctan2(2 * yx, yy - xx)
    return angle


def _extent(present: np.ndarray) -> Floats:
    n = present.shape[1]
    first, last = present.argmax(1), n - present[:, ::-1].argmax(1)
    return np.where(present.any(1), last - first, np.nan)


def _positive(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
