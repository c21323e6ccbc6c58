"""What quality is measured on: which pixels of a crop are this cell, other cells, background, or no picture at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mlscope_nb.cells import Batch

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
# Light of a cell reaches beyond its mask: pixels that count as neither cell nor background.
HALO_PX = 5
# Standard deviations of the background that an object has to rise above it.
RISE = 3.0
# Without masks, the object is what comes as near to the middle of the crop as this part of its width.
CENTRE = 8


@dataclass(frozen=True)
class Pictures:
    """A few crops and their parts.

    Parameters
    ----------
    images : float32 array (n, C, Y, X)
    own, other, background, real : boolean arrays (n, Y, X)
        This cell; other cells; pixels away from all cells; pixels that the camera took (not padding).
    level, spread : arrays (n, C)
        Grey value of the background and its robust standard deviation.
    has_masks : bool
        Whether `own` comes from masks, or was guessed from the image.
    """

    images: Floats
    own: Bools
    other: Bools
    background: Bools
    real: Bools
    level: Floats
    spread: Floats
    has_masks: bool


def pictures(batch: Batch) -> Pictures:
    """Return the crops of a batch with their parts; without masks, the middle object is guessed from the image."""
    images = np.ascontiguousarray(batch.images, dtype=np.float32)
    real = taken(images)
    if batch.masks is not None:
        own, other = (batch.masks == 1) & real, (batch.masks > 1) & real
        background = real & ~grown((batch.masks > 0), HALO_PX)
        level, spread = levels(images, background, real, masks=True)
        return Pictures(images, own, other, background, real, level, spread, True)
    level, spread = levels(images, np.zeros_like(real), real, masks=False)
    own, other = middle_object(images, level, spread, real)
    background = real & ~grown(own | other, HALO_PX)
    level, spread = levels(images, background, real, masks=False)
    return Pictures(images, own, other, background, real, level, spread, False)


def taken(images: Floats) -> Bools:
    """Return where there is a picture: rows and columns at the border that hold one value each were filled in.

    A camera's noise never repeats one value along a whole row; `crop` fills what lies beyond the field with one.
    """
    flat_rows = (np.ptp(images, axis=3) == 0).all(axis=1)
    flat_columns = (np.ptp(images, axis=2) == 0).all(axis=1)
    rows, columns = _from_border(flat_rows), _from_border(flat_columns)
    # A row is flat over its whole width only where no column was filled in beside it, and the other way round.
    real: Bools = ~(rows[:, :, None] | columns[:, None, :])
    constant = rows.all(1) | columns.all(1)
    real[constant] = True
    # Pictures with a plain background (no noise, 8 bit) have flat rows too: there most rows at the border are flat
    # on opposite sides, which the edge of one field cannot do.
    both = (rows[:, 0] & rows[:, -1]) | (columns[:, 0] & columns[:, -1])
    real[both] = True
    return real


def grown(mask: Bools, pixels: int) -> Bools:
    """Return masks (n, Y, X) wider by some pixels, in octagons."""
    out = mask.copy()
    for step in range(pixels):
        square = step % 3 == 2
        before = out.copy()
        out[:, 1:] |= before[:, :-1]
        out[:, :-1] |= before[:, 1:]
        if square:
            before = out.copy()
        out[:, :, 1:] |= before[:, :, :-1]
        out[:, :, :-1] |= before[:, :, 1:]
    return out


def levels(images: Floats, background: Bools, real: Bools, *, masks: bool) -> tuple[Floats, Floats]:
    """Return grey value and robust standard deviation (n, C) of the background of each crop.

    Where less than a twentieth of a crop is known to be background: without any mask the commonest grey value stands
    for it (the middle of the shortest quarter of the sorted values), with masks the darkest quarter of the crop.
    """
    n, channels = images.shape[:2]
    known = background.sum((1, 2)) >= np.maximum(real.sum((1, 2)) // 20, 20)
    use = np.where(known[:, None, None], background, real)
    values = np.where(use[:, None], images, np.float32(np.inf)).reshape(n, channels, -1)
    values = np.sort(values, axis=-1)
    total = np.broadcast_to(use.sum((1, 2))[:, None], (n, channels))

    def at(share: Floats) -> Floats:
        place = np.clip((share * (total - 1)).astype(np.intp), 0, values.shape[-1] - 1)
        found: Floats = np.take_along_axis(values, place[..., None], -1)[..., 0]
        return found

    middle = np.where(known, 0.5, 0.125)[:, None]
    low, level = at(middle * 0.32), at(middle)
    # of normal values, the 16th percentile lies 0.99 standard deviations below the 50th, the 4th 0.60 below the 12.5th
    spread = (level - low) / np.where(known, 0.99, 0.60)[:, None]
    guessed = ~known & (not masks)
    if guessed.any():
        level[guessed], spread[guessed] = _commonest(values[guessed], real[guessed])
    return level, spread


def _commonest(values: Floats, real: Bools) -> tuple[Floats, Floats]:
    """Return the middle of the shortest quarter of sorted values (n, C, P), and its length as a standard deviation."""
    quarter = max(int(real.sum((1, 2)).min()) // 4, 1)
    with np.errstate(invalid="ignore"):
        spans = values[..., quarter:] - values[..., :-quarter]
    # pixels that are no picture were sorted to the end
    start = np.where(np.isfinite(spans), spans, np.inf).argmin(-1)[..., None]
    middle = np.take_along_axis(values, start + quarter // 2, -1)[..., 0]
    # the middle quarter of the normal distribution is 0.637 standard deviations long
    return middle, np.take_along_axis(spans, start, -1)[..., 0] / 0.637


def middle_object(images: Floats, level: Floats, spread: Floats, real: Bools) -> tuple[Bools, Bools]:
    """Guess which pixels (n, Y, X) are the object in the middle and which are others, neighbours that touch included.

    Each channel counts by how far it differs from its own background; an object ends where the light is half of what
    it is at its brightest part. Objects that touch stay one, so that two cells in one crop can be noticed.
    """
    away = np.abs(images - level[..., None, None])
    away = ndimage.uniform_filter(away, (0, 0, 3, 3), mode="nearest")
    scale = np.maximum(np.percentile(away, 95, axis=(2, 3)), RISE * np.maximum(spread, 1e-6))[..., None, None]
    signal = np.where(real, np.minimum(away / scale, 1).max(axis=1), 0)
    seen = (away > RISE * np.maximum(spread, 1e-6)[..., None, None]).any(axis=1)
    found = (signal > 0.5) & seen
    links = np.zeros((3, 3, 3), int)
    links[1] = ndimage.generate_binary_structure(2, 1)
    labels, _ = ndimage.label(found, links)
    y, x = (np.arange(k) - (k - 1) / 2 for k in found.shape[1:])
    distance = np.where(found, np.hypot(y[:, None], x[None, :]), np.inf).reshape(len(found), -1)
    nearest = distance.argmin(1)
    near = np.isfinite(distance.min(1)) & (distance.min(1) <= min(found.shape[1:]) / CENTRE)
    chosen = labels.reshape(len(labels), -1)[np.arange(len(labels)), nearest]
    own = (labels == chosen[:, None, None]) & near[:, None, None] & found
    return own, found & ~own


def mean_over(values: Floats, weight: Bools | Floats) -> Floats:
    """Return means (n, C) of (n, C, Y, X) over pixels with weights (n, Y, X); 0 where there are none."""
    n, channels = values.shape[:2]
    flat = weight.reshape(n, -1, 1).astype(np.float32)
    total = (values.reshape(n, channels, -1) @ flat)[..., 0]
    out: Floats = total / np.maximum(flat.sum(1), 1e-9)
    return out


def _from_border(flat: Bools) -> Bools:
    """Return which of the flat rows (n, Y) are joined to a border by flat rows."""
    start = np.logical_and.accumulate(flat, axis=1)
    end = np.logical_and.accumulate(flat[:, ::-1], axis=1)[:, ::-1]
    return start | end
