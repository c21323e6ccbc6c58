"""From light to grey values: the blur of the microscope, uneven illumination, photon and read noise, the converter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import erf

from mlscope_nb.datasets.simulator.streams import nearly_normal

Floats = np.ndarray
SIGMA = (1.1, 1.2, 1.3)  # pixels, per channel
BACKGROUND = np.array([12.0, 16.0, 14.0])  # photons
OFFSET, GREY_PER_ELECTRON, READ_NOISE, HIGHEST = 200.0, 8.0, 3.0, 65535


@dataclass(frozen=True, slots=True)
class Optics:
    """What one microscope does to one photograph."""

    sigma: tuple[float, float, float]
    gain: Floats  # (C,)
    background: Floats  # (C,) photons
    exposure: float
    vignette: float
    centre: tuple[float, float]
    tilt: tuple[float, float]


def blurred(light: Floats, sigma: tuple[float, ...], margin: int, shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """Blur each channel (C, Y, X) by its own Gaussian, move it by a part of a pixel, and cut the margin off."""
    down = _lens(tuple(sigma), light.shape[1], margin, shift[0])
    across = _lens(tuple(sigma), light.shape[2], margin, shift[1])
    seen: Floats = down @ light @ across.transpose(0, 2, 1)
    return seen


@lru_cache(maxsize=64)
def _lens(sigma: tuple[float, ...], edge: int, margin: int, shift: float) -> Floats:
    """Return (C, inner, edge) how much of the light of each row falls on each row of the camera."""
    steps = np.arange(margin, edge - margin)[:, None] - np.arange(edge)[None, :]
    away = np.arange(steps.min(), steps.max() + 1) - shift
    width = np.maximum(np.asarray(sigma), 1e-6)[:, None] * math.sqrt(2)
    # the light of a pixel is spread evenly over it, so the shares add up to 1 however sharp the lens is
    shares = (erf((away + 0.5) / width) - erf((away - 0.5) / width)) / 2
    return shares.astype(np.float32)[:, steps - steps.min()]


def illumination(optics: Sequence[Optics], y: Floats, x: Floats) -> Floats:
    """Return the relative brightness (N, Y, X) at positions (N, Y), (N, X) in the field, from -1 to 1."""
    vignette = np.array([o.vignette for o in optics])[:, None]
    centre, tilt = (np.array([getattr(o, name) for o in optics])[:, :, None] for name in ("centre", "tilt"))
    along_y, along_x = (-vignette * (p - centre[:, k]) ** 2 + tilt[:, k] * p for k, p in enumerate((y, x)))
    field = ((1.0 + along_y)[:, :, None] + along_x[:, None, :]).astype(np.float32)
    return np.maximum(field, np.float32(0.2), out=field)


def exposed(light: Floats, optics: Optics, lit: Floats) -> Floats:
    """Turn blurred light (C, Y, X) into the expected number of photo-electrons, in place."""
    np.maximum(light, 0, out=light)
    light *= (optics.gain * optics.exposure).astype(np.float32)[:, None, None]
    light += (optics.background * optics.exposure).astype(np.float32)[:, None, None]
    light *= lit
    return light


def photographed(electrons: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Return 16-bit grey values; the same stream gives the same noise wherever the light is the same."""
    if noise:
        photons, read = nearly_normal(rng, electrons.shape)
        counted = _poisson(electrons, photons)
        read *= np.float32(READ_NOISE)
        counted += read
        counted -= electrons
        counted *= np.float32(noise)
        counted += electrons
        electrons = counted
    return grey(electrons)


def grey(electrons: Floats) -> Floats:
    """Return the grey values of the converter: offset, gain, and an end at 65535."""
    values = np.float32(GREY_PER_ELECTRON) * electrons
    values += np.float32(OFFSET)
    np.rint(values, out=values)
    return np.clip(values, 0, HIGHEST, out=values).astype(np.uint16)


def _poisson(mean: Floats, z: Floats) -> Floats:
    """Turn normal into Poisson numbers: the Cornish-Fisher expansion of the quantile, rounded (Giles 2016)."""
    root = np.sqrt(mean)
    z2 = z * z
    third = np.float32(1) - z2
    third *= z
    wide = np.maximum(root, np.float32(0.5))
    wide *= np.float32(72)
    third /= wide
    z2 += np.float32(2)
    z2 /= np.float32(6)
    root *= z
    root += mean
    root += z2
    root += third
    np.floor(root, out=root)
    return np.maximum(root, 0, out=root)
