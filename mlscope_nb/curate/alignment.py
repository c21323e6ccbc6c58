"""How one crop has to be turned and moved to lie on another, from their coarse waves alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mlscope_nb.curate.spectra import TURNS, Complexes, Floats, Ints, Spectra, Waves

COARSE_WAVES = 4  # per crop, to choose among turns
BLOCK = 2000  # pairs at a time


@dataclass(frozen=True)
class Pairs:
    """Pairs of cells and how the second is made of the first: turned, then moved.

    Parameters
    ----------
    first, second : array (n,)
        Rows of the cells.
    turn : array (n,)
        Position in ``TURNS``.
    shift : array (n, 2)
        Pixels down and to the right.
    alike : array (n,)
        Correlation of the waves, corrected for noise.
    """

    first: Ints
    second: Ints
    turn: Ints
    shift: Floats
    alike: Floats

    def __len__(self) -> int:
        return len(self.first)

    def chosen(self, rows: np.ndarray) -> Pairs:
        """Return some of the pairs."""
        return Pairs(*(getattr(self, f.name)[rows] for f in fields(self)))

    def and_more(self, other: Pairs) -> Pairs:
        """Return these pairs and others."""
        return Pairs(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


def align(spectra: Spectra, first: Ints, second: Ints, max_shift: float) -> Pairs:
    """Return the best turn and shift of each pair."""
    blocks = [
        _aligned(spectra, first[i : i + BLOCK], second[i : i + BLOCK], max_shift) for i in range(0, len(first), BLOCK)
    ]
    none = (np.zeros(0, np.intp), np.zeros((0, 2)), np.zeros(0))
    turn, shift, alike = (np.concatenate(part) for part in zip(none, *blocks, strict=True))
    return Pairs(first, second, turn, shift, alike)


def _aligned(spectra: Spectra, first: Ints, second: Ints, max_shift: float) -> tuple[Ints, Floats, Floats]:
    waves = spectra.waves
    a, b = (_unit_length(spectra, rows) for rows in (first, second))
    coarse = np.flatnonzero((waves.numbers**2).sum(axis=1) <= COARSE_WAVES**2)
    around = _offsets(max_shift, 1.0)
    near = b[..., coarse]
    best = np.full(len(first), -np.inf)
    turn, shift = np.zeros(len(first), np.intp), np.zeros((len(first), 2))
    for k in range(len(TURNS)):
        product = (waves.turn(a, k, coarse).conj() * near).sum(axis=1)
        value, where = _best(waves, product, coarse, around)
        better = value > best
        best[better], turn[better], shift[better] = value[better], k, where[better]
    return turn, *_refined(spectra, a, b, (first, second), turn, shift)


def _refined(
    spectra: Spectra, a: Complexes, b: Complexes, rows: tuple[Ints, Ints], turn: Ints, shift: Floats
) -> tuple[Floats, Floats]:
    """Return the shift to a quarter of a pixel from all waves, and the correlation there."""
    waves = spectra.waves
    product = np.empty((len(turn), len(waves.numbers)), np.complex64)
    for k in range(len(TURNS)):
        here = turn == k
        product[here] = (waves.turn(a[here], k).conj() * b[here]).sum(axis=1)
    everything = np.arange(product.shape[1])
    near = product * np.exp(2j * np.pi * (shift @ waves.numbers.T) / waves.size).astype(np.complex64)
    value, step = _best(waves, near, everything, _offsets(0.75, 0.25))
    possible = np.sqrt(spectra.reliability[rows[0]] * spectra.reliability[rows[1]]).sum(axis=1)
    return shift + step, value / np.maximum(possible, 1e-6)


def _unit_length(spectra: Spectra, rows: Ints) -> Complexes:
    """Return the waves with each channel of length √reliability, so that a channel of noise counts for nothing."""
    scale = np.sqrt(spectra.reliability[rows] / np.maximum(spectra.power[rows], np.finfo(np.float32).tiny))
    return spectra.values[rows] * scale[:, :, None].astype(np.float32)


def _offsets(most: float, step: float) -> Floats:
    along = np.arange(-np.ceil(most / step), np.ceil(most / step) + 1) * step
    return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)


def _best(waves: Waves, product: Complexes, which: Ints, offsets: Floats) -> tuple[Floats, Floats]:
    """Return the largest correlation over offsets, and the offset."""
    phase = 2 * np.pi * (waves.numbers[which] @ offsets.T) / waves.size
    value = product.real @ np.cos(phase).astype(np.float32) - product.imag @ np.sin(phase).astype(np.float32)
    at = value.argmax(axis=1)
    return value[np.arange(len(at)), at], offsets[at]
