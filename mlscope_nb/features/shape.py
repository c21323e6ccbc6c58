"""Size and shape of each mask in a batch, in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mlscope_nb.features.quantiles import quantile, ranked
from mlscope_nb.features.regions import Floats, Regions


def shape(regions: Regions) -> dict[str, Floats]:
    """Measure the size and shape of each mask; empty masks give NaN (area 0)."""
    mask = regions.mask
    area, known = regions.size.astype(np.float64), regions.known
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
            **_hull(regions),
            **_radii(regions),
            **_topology(regions),
        }


def centres(regions: Regions) -> dict[str, Floats]:
    """Find centre and bounding box of each mask, in pixels from the crop's upper left corner."""
    mask, known = regions.mask, regions.known
    middle_y, middle_x = regions.middle
    rows, columns = np.asarray(mask.any(2)), np.asarray(mask.any(1))
    empty = known / known
    return {
        "Center_X": middle_x,
        "Center_Y": middle_y,
        "BoundingBoxMinimum_X": columns.argmax(1) * empty,
        "BoundingBoxMaximum_X": (mask.shape[2] - columns[:, ::-1].argmax(1)) * empty,
        "BoundingBoxMinimum_Y": rows.argmax(1) * empty,
        "BoundingBoxMaximum_Y": (mask.shape[1] - rows[:, ::-1].argmax(1)) * empty,
    }


def perimeter(mask: NDArray[np.bool_]) -> Floats:
    """Return the length of each outline, as scikit-image's ``perimeter`` (4 neighbours) defines it."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    middle = slice(1, -1)
    inside = padded[:, :-2, middle] & padded[:, 2:, middle] & padded[:, middle, :-2] & padded[:, middle, 2:]
    border = np.pad(mask & ~inside, ((0, 0), (1, 1), (1, 1))).view(np.uint8)
    near, far = (slice(None, -2), middle, slice(2, None)), (slice(None, -2), slice(2, None))
    straight = border[:, near[0], middle] + border[:, near[2], middle] + border[:, middle, near[0]]
    straight += border[:, middle, near[2]]
    diagonal = border[:, far[0], far[0]] + border[:, far[0], far[1]] + border[:, far[1], far[0]]
    diagonal += border[:, far[1], far[1]]
    code = border[:, middle, middle] * (1 + 2 * straight + 10 * diagonal)
    cell, y, x = np.nonzero(code)
    return np.bincount(cell, _STEP_LENGTH[code[cell, y, x]], len(mask)).astype(np.float64)


def _step_lengths() -> Floats:
    lengths = np.zeros(50)
    lengths[[5, 7, 15, 17, 25, 27]] = 1
    lengths[[21, 33]] = np.sqrt(2)
    lengths[[13, 23]] = (1 + np.sqrt(2)) / 2
    return lengths


_STEP_LENGTH = _step_lengths()


def _hull(regions: Regions) -> dict[str, Floats]:
    convex = np.where(regions.size > 0, regions.hulls.area, np.nan)
    narrow, wide = regions.hulls.feret
    return {
        "ConvexArea": convex,
        "Solidity": regions.known / convex,
        "MinFeretDiameter": narrow,
        "MaxFeretDiameter": wide,
    }


def _radii(regions: Regions) -> dict[str, Floats]:
    """Return how far the pixels lie from the outside: the largest, mean and median distance."""
    distance = regions.to_outside
    squared = np.rint(distance**2).astype(np.uint32)
    ordered = np.sqrt(ranked(regions.cell, squared))
    start, size = regions.start, regions.size
    return {
        "MaximumRadius": quantile(ordered, start, size, 1.0),
        "MeanRadius": regions.total(distance) / regions.known,
        "MedianRadius": quantile(ordered, start, size, 0.5),
    }


def _topology(regions: Regions) -> dict[str, Floats]:
    """Return pieces less holes, the area with holes filled, and the outline's length after Crofton.

    Both the first and the last are sums over the 16 kinds of 2 × 2 windows, as scikit-image's ``euler_number``
    (8 neighbours) and ``perimeter_crofton`` (4 directions).
    """
    padded = np.pad(regions.mask, ((0, 0), (1, 1), (1, 1))).view(np.uint8)
    kind = padded[:, 1:, 1:] + 4 * padded[:, 1:, :-1] + 2 * padded[:, :-1, 1:] + 8 * padded[:, :-1, :-1]
    # windows of one kind alone, all outside or all inside, weigh nothing
    cell, y, x = np.nonzero((kind != 0) & (kind != 15))
    windows = np.bincount(cell * 16 + kind[cell, y, x], minlength=16 * len(padded)).reshape(-1, 16)
    full = regions.size > 0
    return {
        "EulerNumber": np.where(full, windows @ _EULER, np.nan),
        "FilledArea": np.where(full, _filled(regions.mask), np.nan),
        "PerimeterCrofton": np.where(full, (windows * _CROFTON).sum(1), np.nan),
    }


def _window_weights() -> tuple[Floats, Floats]:
    euler = np.zeros(16)
    euler[[6, 14]], euler[8] = -1, 1
    crofton = np.zeros(16)
    crofton[[1, 5]] = np.pi / 4 * (1 + np.sqrt(0.5))
    crofton[[2, 7, 10, 11]] = np.pi / 4 * np.sqrt(0.5)
    crofton[3] = np.pi / 2 * np.sqrt(0.5)
    crofton[[8, 12]], crofton[[9, 13]] = np.pi / 4, np.pi / 2
    return euler, crofton


_EULER, _CROFTON = _window_weights()


def _filled(mask: NDArray[np.bool_]) -> Floats:
    """Count the pixels from which no way through the background (8 neighbours) leads out of the crop."""
    area = mask.sum((1, 2)).astype(np.float64)
    between = ~mask
    for axis in (1, 2):
        first = np.expand_dims(mask.argmax(axis), axis)
        last = mask.shape[axis] - 1 - np.expand_dims(np.flip(mask, axis).argmax(axis), axis)
        at = np.expand_dims(np.arange(mask.shape[axis]), (0, 3 - axis))
        between &= (at > first) & (at < last)
    # only background with the mask on all four sides can be a hole
    cells = np.flatnonzero(between.any((1, 2)))
    if len(cells):
        padded = np.pad(mask[cells], ((0, 0), (1, 1), (1, 1)))
        within_a_cell = np.zeros((3, 3, 3), bool)
        within_a_cell[1] = True
        background, found = ndimage.label(~padded, within_a_cell)
        outside = np.bincount(background.ravel(), minlength=found + 1)[background[:, 0, 0]]
        area[cells] = np.prod(padded.shape[1:]) - outside
    return area


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
