"""From light to grey values: the blur of the microscope, uneven illumination, photon and read noise, the converter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

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


def blurred(light: Floats, sigma: tuple[float, ...], shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """Blur each channel (C, Y, X) by its own Gaussian, and move it by a part of a pixel."""
    height, width = light.shape[1:]
    waves = fft.rfft2(light)
    waves *= _passed(tuple(sigma), height, width)
    if shift != (0.0, 0.0):
        fy, fx = fft.fftfreq(height).astype(np.float32), fft.rfftfreq(width).astype(np.float32)
        turn = np.complex64(-2j * np.pi)
        waves *= np.exp(turn * np.float32(shift[0]) * fy)[:, None] * np.exp(turn * np.float32(shift[1]) * fx)[None, :]
    return fft.irfft2(waves, s=(height, width))


@lru_cache(maxsize=32)
def _passed(sigma: tuple[float, ...], height: int, width: int) -> Floats:
    """Return how much of each wave (rfft2) a lens lets through, per channel."""
    fy, fx = fft.fftfreq(height).astype(np.float32), fft.rfftfreq(width).astype(np.float32)
    factors = [np.float32(-2 * (np.pi * s) ** 2) for s in sigma]
    return np.stack([np.exp(f * fy**2)[:, None] * np.exp(f * fx**2)[None, :] for f in factors])


def illumination(optics: Optics, y: Floats, x: Floats) -> Floats:
    """Return the relative brightness at positions in the field, from -1 to 1 along y and x."""
    dy, dx = y - optics.centre[0], x - optics.centre[1]
    along_y = -optics.vignette * dy**2 + optics.tilt[0] * y
    along_x = -optics.vignette * dx**2 + optics.tilt[1] * x
    field: Floats = (1.0 + along_y[:, None] + along_x[None, :]).astype(np.float32)
    return np.maximum(field, np.float32(0.2))


def exposed(light: Floats, optics: Optics, lit: Floats) -> Floats:
    """Return the expected number of photo-electrons from blurred light (C, Y, X)."""
    gain = (optics.gain * optics.exposure).astype(np.float32)[:, None, None]
    background = (optics.background * optics.exposure).astype(np.float32)[:, None, None]
    electrons: Floats = (np.maximum(light, 0) * gain + background) * lit
    return electrons


def photographed(electrons: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Return 16-bit grey values; the same stream gives the same noise wherever the light is the same."""
    z = rng.standard_normal(electrons.shape, dtype=np.float32)
    if noise:
        counted = _poisson(electrons, z) + np.float32(READ_NOISE) * _four_dice(rng, electrons.shape)
        electrons = electrons + np.float32(noise) * (counted - electrons)
    return grey(electrons)


def grey(electrons: Floats) -> Floats:
    """Return the grey values of the converter: offset, gain, and an end at 65535."""
    values = np.rint(np.float32(OFFSET) + np.float32(GREY_PER_ELECTRON) * electrons)
    return values.clip(0, HIGHEST).astype(np.uint16)


def _four_dice(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return nearly normal numbers of variance 1: sums of four bytes, cheap and close enough for read noise."""
    count = math.prod(shape)
    dice = rng.integers(0, 2**64, size=-(-count // 2), dtype=np.uint64).view(np.uint32)[:count]
    pairs = (dice & 0x00FF00FF) + ((dice >> 8) & 0x00FF00FF)
    total = ((pairs & 0xFFFF) + (pairs >> 16)).astype(np.float32)
    return ((total - np.float32(510)) * np.float32(1 / math.sqrt(4 * (256**2 - 1) / 12))).reshape(shape)


def _poisson(mean: Floats, z: Floats) -> Floats:
    """Turn normal into Poisson numbers: the Cornish-Fisher expansion of the quantile, rounded (Giles 2016)."""
    root = np.sqrt(mean)
    z2 = z * z
    third = (z * (np.float32(1) - z2)) / (np.float32(72) * np.maximum(root, np.float32(0.5)))
    return np.maximum(np.floor(mean + root * z + (z2 + np.float32(2)) / np.float32(6) + third), 0)
