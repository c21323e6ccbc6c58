"""Random waves that stain is made of: round grains in the chromatin, fibres in the cytoplasm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from mlscope_nb.datasets.simulator.streams import nearly_normal, stream

Floats = np.ndarray
Window = tuple[slice, slice]
WAVELENGTH = 6.0  # pixels; of grains in an untreated nucleus
FIBRES = 6.0  # pixels; of fibres in an untreated cell
_SPREAD = 0.5  # of the logarithm of the wavelength, around its middle
_N_TILES = 24


@dataclass(frozen=True, slots=True)
class Weave:
    """What the waves of one cell are to look like; lengths in pixels."""

    wavelength: float
    thickness: float
    alignment: float
    angle: float


@dataclass(frozen=True, slots=True)
class Waves:
    """Grains and fibres of some canvases, each of mean 0, and of variance 1 as an ordinary microscope sees them.

    They are kept as waves along x that are summed up on the rows where they are wanted.
    """

    grains: Floats  # (N, Y, X / 2 + 1) complex
    fibres: Floats

    @classmethod
    def gathered(cls, waves: Sequence[Waves]) -> Waves:
        """Return the waves of several canvases as one."""
        return cls(np.concatenate([w.grains for w in waves]), np.concatenate([w.fibres for w in waves]))

    def seen(self, kind: str, window: Window) -> Floats:
        """Return the grains or fibres (N, y, x) in a window of each canvas."""
        rows, columns = window
        half = self.grains if kind == "grains" else self.fibres
        edge = half.shape[1]
        seen: Floats = fft.irfft(half[:, rows], n=edge, norm="forward")[..., columns]
        return seen * np.float32(1 / edge**2)


def waves(rngs: Sequence[np.random.Generator], edge: int, weaves: Sequence[Weave]) -> Waves:
    """Return the waves of some cells; the random numbers do not depend on what is made of them."""
    noise = np.empty((len(rngs), edge, edge // 2 + 1), np.complex64)
    for one, rng in zip(noise, rngs, strict=True):
        one.real, one.imag = nearly_normal(rng, one.shape)
    mirrored = np.empty_like(noise)  # seen in a mirror, the same noise is as good as another
    lines = _lines(edge, weaves)
    np.multiply(noise[:, :1], lines[:, :1], out=mirrored[:, :1])
    np.multiply(noise[:, :0:-1], lines[:, 1:], out=mirrored[:, 1:])
    noise *= _evened(_bands(edge, [w.wavelength for w in weaves]))
    return Waves(*(fft.ifft(each, axis=-2, norm="forward", overwrite_x=True) for each in (noise, mirrored)))


@lru_cache(maxsize=64)
def neighbour_waves(seed: int, tile: int, edge: int) -> Waves:
    """Return the waves of untreated cells around, of which there are a few to choose from."""
    rng = stream(seed, "texture", tile)
    angle, alignment = rng.random(2)
    return waves([rng], edge, [Weave(WAVELENGTH, FIBRES, alignment, np.pi * angle)])


def tile_of(u: float) -> int:
    """Return which of the ready tiles a uniform number chooses."""
    return int(u * _N_TILES)


def stained(waves: Floats, contrasts: Sequence[float]) -> Floats:
    """Turn waves (N, Y, X) into a stain of mean 1 with light and dark parts, in place."""
    waves *= column(contrasts)
    waves -= column([contrast**2 / 2 for contrast in contrasts])
    return np.exp(waves, out=waves)


def column(numbers: Sequence[float] | Floats) -> Floats:
    """Return one number for each canvas (N, 1, 1)."""
    return np.array(numbers, dtype=np.float32)[:, None, None]


def _bands(edge: int, wavelengths: Sequence[float]) -> Floats:
    """Return how much of each wave there is, most of those of this length."""
    away = _frequencies(edge)[0] + column([np.log(length) for length in wavelengths])
    np.square(away, out=away)
    away *= np.float32(-1 / (2 * _SPREAD**2))
    return np.exp(away, out=away)


def _lines(edge: int, weaves: Sequence[Weave]) -> Floats:
    """Return a band of waves, the more across the angle the larger the alignment."""
    _, cosine, sine, _ = _frequencies(edge)
    across = column([np.cos(2 * w.angle) for w in weaves]) * cosine
    across += column([np.sin(2 * w.angle) for w in weaves]) * sine
    across *= column([-w.alignment / 2 for w in weaves])
    lines = _bands(edge, [w.thickness for w in weaves])
    lines *= np.exp(across, out=across)
    return _evened(lines)


def _evened(bands: Floats) -> Floats:
    """Scale bands in place so that the waves seen have the variance 1."""
    edge, seen = bands.shape[1], _frequencies(bands.shape[1])[3]
    power = [float(np.vdot(one, seen)) for one in np.square(bands)]
    bands *= column([edge * edge / np.sqrt(2 * p) for p in power])
    return bands


@lru_cache(maxsize=8)
def _frequencies(edge: int) -> tuple[Floats, ...]:
    """Return log frequency, cos and sin of twice the direction, and what is seen of each wave."""
    fy, fx = np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None, :]
    f, twice = np.hypot(fy, fx), 2 * np.arctan2(fy, fx)
    seen = np.exp(-2 * (np.pi * 1.15 * f) ** 2) ** 2 * np.where((fx > 0) & (fx < 0.5), 2.0, 1.0)
    seen[0, 0] = 0
    log_f = np.log(np.maximum(f, 1e-6))
    return tuple(a.astype(np.float32) for a in (log_f, np.cos(twice), np.sin(twice), seen))
