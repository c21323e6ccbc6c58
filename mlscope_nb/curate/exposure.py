"""Light: saturation, signal to noise, the background, and whether there is anything at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.curate.focus import Bands
from mlscope_nb.curate.pictures import Pictures, mean_over

Floats = NDArray[np.floating]
# Largest values of common converters; 12-bit cameras write 4095 into 16-bit files.
CEILINGS = (255, 1023, 4095, 16383, 65535)
# A plateau of this many pixels at the largest value of a crop is an end of the scale and no accident.
PLATEAU = 4


def light(seen: Pictures, bands: Bands) -> dict[str, Floats]:
    """Return signal, noise and background of each crop, (n,) each, or (n, C) for names that end in "s".

    ``signals``: root mean square of how far this cell differs from the background, noise taken out; ``noises``:
    standard deviation of single pixels of the background.
    """
    region = seen.own
    away = seen.images - seen.level[..., None, None]
    noise = np.maximum(mean_over(bands.noise, seen.background if seen.background.any() else seen.real), 0)
    square = mean_over(away * away, region)
    own_noise = np.maximum(mean_over(bands.noise, region), 0)
    mean = mean_over(away, region)
    signals = np.sqrt(np.maximum(square - np.maximum(own_noise, seen.spread**2), 0))
    noises = np.sqrt(np.maximum(noise, seen.spread**2))
    return {"signals": np.where(mean < 0, np.minimum(signals, -mean), signals), "noises": noises}


def ratio(signals: Floats, noises: Floats) -> Floats:
    """Return signal to noise (n, C); without any noise the step between grey values stands for it."""
    out: Floats = signals / np.maximum(noises, 1 / np.sqrt(12))
    return out


def raised(level: Floats, signals: Floats, plates: NDArray[np.integer]) -> Floats:
    """Return how much brighter the background is than usual on its plate, in units of the plate's usual signal.

    Neither the gain nor the offset of the camera changes it; mean over channels.
    """
    usual = pd.DataFrame(level).groupby(plates).transform("median").to_numpy()
    unit = pd.DataFrame(signals).groupby(plates).transform("median").to_numpy()
    out: Floats = np.where(unit > 0, (level - usual) / np.where(unit > 0, unit, 1.0), 0.0).mean(1)
    return out


def gradient(seen: Pictures) -> Floats:
    """Return the rise (n, C) of the background from one side of the crop to the other, as a share of its level.

    A plane is fitted to the background by least squares; values beyond 3 standard deviations are left out. NaN where
    there is too little background on one side to say.
    """
    n, _, height, width = seen.images.shape
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :] * np.ones((height, 1), np.float32)
    terms = np.stack([np.ones_like(y), y, x]).reshape(3, -1)
    away = (seen.images - seen.level[..., None, None]).reshape(n, seen.images.shape[1], -1)
    use = seen.background.reshape(n, 1, -1) & (np.abs(away) <= 3 * seen.spread[..., None])
    weight = use.astype(np.float32)
    normal = np.einsum("ip,ncp,jp->ncij", terms, weight, terms, optimize=True)
    right = np.einsum("ip,ncp->nci", terms, weight * away)
    enough = (normal[..., 0, 0] >= 40) & (np.linalg.cond(normal) < 1e4)
    safe = np.where(enough[..., None, None], normal, np.eye(3, dtype=np.float32))
    plane = np.linalg.solve(safe, right[..., None])[..., 0]
    rise = np.hypot(plane[..., 1], plane[..., 2])
    return np.where(enough, rise, np.nan)


def peaks(seen: Pictures) -> dict[str, Floats]:
    """Return the largest grey value (n, C) in or near each cell, and on how many pixels (n, C) it stands."""
    region = seen.own | ~np.asarray(seen.own.any((1, 2)))[:, None, None]
    values = np.where(region[:, None], seen.images, np.float32(-np.inf))
    top = values.max((2, 3))
    return {
        "tops": top,
        "plateaus": (values == top[..., None, None]).sum((2, 3)).astype(float),
        "areas": np.repeat(region.sum((1, 2))[:, None].astype(float), seen.images.shape[1], 1),
    }


def saturation(table: pd.DataFrame, channels: Sequence[str], kind: np.dtype) -> Floats:
    """Return the share of each cell's pixels at the end of the scale, the largest over channels.

    The end of the scale is the largest value that the type can hold, that of a converter with fewer bits, or a value at
    which several cells have a plateau; each channel has its own. A cell without a pixel at the end gets less than one
    pixel's share: the part of the scale that its brightest pixel reaches.
    """
    shares = []
    for channel in channels:
        top, plateau, area = (table[f"{k}_{channel}"].to_numpy() for k in ("tops", "plateaus", "areas"))
        end = ceiling(top, plateau, area, kind)
        reached = np.clip(top / scale_end(top, end, kind), 0, 1)
        shares.append(np.where(top >= end, plateau, reached * 0.99) / np.maximum(area, 1))
    out: Floats = np.max(shares, axis=0)
    return out


def scale_end(top: Floats, end: float, kind: np.dtype) -> float:
    """Return the end of the scale where it is known, and otherwise the next one that a converter has."""
    highest = float(top.max()) if len(top) else 1.0
    if np.isfinite(end):
        return max(end, 1e-9)
    if kind.kind in "ui":
        return float(next((c for c in CEILINGS if c > highest), np.iinfo(kind).max))
    return max(highest, 1e-9)


def ceiling(top: Floats, plateau: Floats, area: Floats, kind: np.dtype) -> float:
    """Return the grey value at which a channel ends; infinity where nothing looks cut off.

    Parameters
    ----------
    top, plateau, area : arrays (N,)
        Largest value of each cell, the number of its pixels there, and of all its pixels.
    kind : dtype
        Of the images.

    Examples
    --------
    >>> tops, plateaus, areas = np.array([900.0, 4095.0, 4095.0]), np.array([1.0, 20.0, 9.0]), np.full(3, 99.0)
    >>> ceiling(tops, plateaus, areas, np.dtype("uint16"))
    4095.0
    """
    highest = float(top.max()) if len(top) else np.inf
    if kind.kind == "u" and highest == np.iinfo(kind).max:
        return highest
    # a picture of one value has no end
    flat = (top == highest) & (plateau >= PLATEAU) & (plateau < area)
    if flat.sum() >= 2 or (flat.any() and highest in CEILINGS):
        return highest
    return np.inf
