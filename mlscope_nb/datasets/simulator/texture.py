"""Random waves that stain is made of: round grains in the chromatin, fibres in the cytoplasm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from mlscope_nb.datasets.simulator.streams import nearly_normal, stream

Floats = np.ndarray
WAVELENGTH = 6.0  # pixels; of grains in an untreated nucleus
FIBRES = 6.0  # pixels; of fibres in an untreated cell
_SPREAD = 0.5  # of the logarithm of the wavelength, around its middle
_N_TILES = 24


@dataclass(frozen=True, slots=True)
class Waves:
    """Grains and fibres of one canvas (Y, X), each of mean 0, and of variance 1 as an ordinary microscope sees them."""

    grains: Floats
    fibres: Floats


def waves(
    rng: np.random.Generator, edge: int, wavelength: float, thickness: float, alignment: float, angle: float
) -> Waves:
    """Return the waves of one cell; the random numbers do not depend on what is made of them."""
    real, imaginary = nearly_normal(rng, (edge, edge // 2 + 1))
    noise = real + np.complex64(1j) * imaginary
    mirrored = noise[-np.arange(edge)]  # seen in a mirror, the same noise is as good as another
    return Waves(
        _filtered(noise, _band(edge, wavelength), edge),
        _filtered(mirrored, _lines(edge, thickness, alignment, angle), edge),
    )


@lru_cache(maxsize=64)
def neighbour_waves(seed: int, tile: int, edge: int) -> Waves:
    """Return the waves of untreated cells around, of which there are a few to choose from."""
    rng = stream(seed, "texture", tile)
    angle, alignment = rng.random(2)
    return waves(rng, edge, WAVELENGTH, FIBRES, alignment, np.pi * angle)


def tile_of(u: float) -> int:
    """Return which of the ready tiles a uniform number chooses."""
    return int(u * _N_TILES)


def stained(waves: Floats, contrast: float) -> Floats:
    """Turn waves into a stain of mean 1 with light and dark parts."""
    stain: Floats = np.exp(np.float32(contrast) * waves - np.float32(contrast**2 / 2))
    return stain


def _band(edge: int, wavelength: float) -> Floats:
    """Return how much of each wave there is, most of those of this length."""
    away = np.square(_frequencies(edge)[0] + np.float32(np.log(wavelength)))
    band: Floats = np.exp(np.float32(-1 / (2 * _SPREAD**2)) * away)
    return band


def _lines(edge: int, thickness: float, alignment: float, angle: float) -> Floats:
    """Return a band of waves, the more across `angle` the larger `alignment`."""
    _, cosine, sine, _ = _frequencies(edge)
    across = np.float32(np.cos(2 * angle)) * cosine + np.float32(np.sin(2 * angle)) * sine
    lines: Floats = _band(edge, thickness) * np.exp(np.float32(-alignment / 2) * across)
    return lines


def _filtered(noise: Floats, band: Floats, edge: int) -> Floats:
    power = float(np.vdot(np.square(band), _frequencies(edge)[3]))
    result: Floats = fft.irfft2(noise * (band * np.float32(edge * edge / np.sqrt(2 * power))), s=(edge, edge))
    return result


@lru_cache(maxsize=8)
def _frequencies(edge: int) -> tuple[Floats, ...]:
    """Return log frequency, cos and sin of twice the direction, and what is seen of each wave."""
    fy, fx = np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None, :]
    f, twice = np.hypot(fy, fx), 2 * np.arctan2(fy, fx)
    seen = np.exp(-2 * (np.pi * 1.15 * f) ** 2) ** 2 * np.where((fx > 0) & (fx < 0.5), 2.0, 1.0)
    seen[0, 0] = 0
    log_f = np.log(np.maximum(f, 1e-6))
    return tuple(a.astype(np.float32) for a in (log_f, np.cos(twice), np.sin(twice), seen))
