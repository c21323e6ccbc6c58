"""The coarse waves of each crop: small enough to keep for all cells, and the same wherever a copy lies or points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Complexes = NDArray[np.complexfloating]
Ints = NDArray[np.integer]

SMALLEST = 16  # pixels; below, a crop holds too few waves to tell cells apart
EVERY = slice(None)
TILES = 4  # along each axis, for the noise
FINEST = 8  # waves per crop: what is finer is compared pixel by pixel, for few pairs
TURNS = (
    "none", "rotated 90°", "rotated 180°", "rotated 270°",
    "flipped left-right", "flipped left-right, rotated 90°", "flipped up-down", "flipped left-right, rotated 270°",
)  # fmt: skip


def turned(array: NDArray, turn: int) -> NDArray:
    """Return an array flipped and rotated along its last two axes, as ``TURNS`` names it.

    Examples
    --------
    >>> turned(np.array([[1, 2], [3, 4]]), TURNS.index("flipped up-down")).tolist()
    [[3, 4], [1, 2]]
    """
    flipped = array[..., ::-1] if turn >= 4 else array
    return np.rot90(flipped, turn % 4, (-2, -1))


@dataclass(frozen=True)
class Waves:
    """Which waves are kept for crops of one size, and how they change places when a crop is turned.

    Parameters
    ----------
    size : int
        Width of the square crops in pixels.
    """

    size: int

    @property
    def finest(self) -> int:
        """The shortest wave fits this many times into a crop; it is at least five pixels long."""
        return max(2, min(FINEST, self.size // 5))

    @cached_property
    def grid(self) -> Ints:
        """Return (2, side, side) waves down and across each point of the full plane stands for."""
        along = np.arange(-self.finest, self.finest + 1)
        return np.stack(np.meshgrid(along, along, indexing="ij"))

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Return (side, side) True for the half plane that is kept; a picture's other half mirrors it."""
        down, across = self.grid
        half = (down > 0) | ((down == 0) & (across > 0))
        return half & (down**2 + across**2 <= self.finest**2)

    @cached_property
    def numbers(self) -> Ints:
        """Return (K, 2) waves down and across the crop."""
        return self.grid[:, self.kept].T

    @cached_property
    def places(self) -> list[tuple[Ints, NDArray[np.bool_]]]:
        """For each turn: which wave takes the place of each, and whether it is mirrored."""
        signed = np.zeros(self.kept.shape, np.intp)
        signed[self.kept] = np.arange(1, self.kept.sum() + 1)
        signed -= signed[::-1, ::-1]
        moved = [turned(signed, turn)[self.kept] for turn in range(len(TURNS))]
        return [(np.abs(m) - 1, m < 0) for m in moved]

    @cached_property
    def orbits(self) -> list[Ints]:
        """Sets of waves that turns make of each other."""
        far, near = np.sort(np.abs(self.numbers), axis=1).T[::-1]
        key = far * (self.finest + 1) + near
        return [np.flatnonzero(key == k) for k in np.unique(key)]

    @cached_property
    def window(self) -> Floats:
        """Return (Y, X) weights that fade towards the edge, where a shifted copy shows something else."""
        distance = np.minimum(np.arange(self.size), np.arange(self.size)[::-1]) + 0.5
        fade = 0.5 - 0.5 * np.cos(np.pi * np.clip(distance / max(3, self.size // 10), 0, 1))
        return np.outer(fade, fade).astype(np.float32)

    @cached_property
    def basis(self) -> Floats:
        """Return (Y·X, 2·K) what a crop is multiplied with: windowed cosines and sines that see no constant level."""
        middle = np.arange(self.size) - (self.size - 1) / 2
        down, across = np.exp(-2j * np.pi * self.numbers.T[:, :, None] * middle / self.size)
        waves = down[:, :, None] * across[:, None, :]
        weight = self.window.astype(float)
        waves = (waves - (waves * weight).sum((1, 2), keepdims=True) / weight.sum()) * weight
        flat = waves.reshape(len(waves), -1).T
        return np.ascontiguousarray(np.concatenate([flat.real, flat.imag], axis=1).astype(np.float32))

    def of(self, images: Floats) -> Complexes:
        """Return the waves (n, C, K) of square crops (n, C, Y, X), the mean level taken away."""
        # whole numbers of grey values on a high level would drown small waves in rounding
        flat = (images - images.mean((2, 3), keepdims=True)).reshape(-1, self.size**2)
        real, imaginary = np.split(flat @ self.basis, 2, axis=1)
        return (real + 1j * imaginary).astype(np.complex64).reshape(*images.shape[:2], -1)

    def turn(self, waves: Complexes, turn: int, which: Ints | slice = EVERY) -> Complexes:
        """Return some of the waves (…, k) of the turned crops."""
        place, mirrored = self.places[turn]
        moved = waves[..., place[which]]
        np.negative(moved.imag, out=moved.imag, where=mirrored[which])
        return moved


@dataclass(frozen=True)
class Spectra:
    """What is kept of all cells.

    Parameters
    ----------
    waves : Waves
        Which waves.
    values : complex array (N, C, K)
        The waves of each channel.
    noise : array (N, C)
        Variance of the camera's noise in a pixel.
    """

    waves: Waves
    values: Complexes
    noise: Floats

    @cached_property
    def power(self) -> Floats:
        """Return (N, C) the light in all waves."""
        values = self.values
        return np.einsum("nck,nck->nc", values.real, values.real) + np.einsum("nck,nck->nc", values.imag, values.imag)

    @cached_property
    def reliability(self) -> Floats:
        """Return (N, C) the share of the waves' light that is not noise, 0 to 1."""
        expected = self.noise * float((self.waves.window**2).sum()) * self.values.shape[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = 1 - expected / self.power
        return np.clip(np.nan_to_num(share, nan=0.0, posinf=0.0, neginf=0.0), 0, 1)

    def descriptors(self, rows: slice | Ints) -> Floats:
        """Return numbers (n, D) that no turn and hardly a small shift or a gain changes.

        The strength of a wave does not change when the picture moves, turns exchange the waves of an orbit, and sorting
        forgets which was which. Each channel is scaled to the same length, less where it is noise.
        """
        strength = np.abs(self.values[rows])
        expected = self.noise[rows][:, :, None] * float((self.waves.window**2).sum())
        strength = np.sqrt(np.maximum(strength**2 - expected, 0))
        ordered = np.concatenate([np.sort(strength[..., orbit], axis=-1) for orbit in self.waves.orbits], axis=-1)
        scale = np.sqrt(self.reliability[rows] / np.maximum(self.power[rows], np.finfo(np.float32).tiny))
        scaled = ordered * scale[:, :, None]
        return scaled.reshape(len(scaled), -1).astype(np.float32)


def squares(images: NDArray) -> Floats:
    """Return the largest square in the middle of each image, as floating-point numbers."""
    height, width = images.shape[-2:]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(images[..., top : top + size, left : left + size], dtype=np.float32)


def noise_variance(images: Floats, *, counted: bool) -> Floats:
    """Return the variance of the camera's noise (n, C) in images (n, C, Y, X).

    The mask of Immerkær (1996, doi 10.1006/cviu.1996.0060) takes smooth structure away; the median in each of 16 tiles
    passes over edges, and the mean over tiles follows noise that grows with the light. Whole numbers (`counted`) are
    never better known than their rounding.
    """
    # every second row and column: enough to know it, a quarter of the work
    down = images[:, :, :-2:2] - 2 * images[:, :, 1:-1:2] + images[:, :, 2::2]
    both = np.abs(down[..., :-2:2] - 2 * down[..., 1:-1:2] + down[..., 2::2])
    height, width = both.shape[2] // TILES, both.shape[3] // TILES
    tiles = both[:, :, : TILES * height, : TILES * width].reshape(*both.shape[:2], TILES, height, TILES, width)
    tiles = tiles.swapaxes(3, 4).reshape(*both.shape[:2], TILES**2, height * width)
    half = tiles.shape[3] // 2
    medians = np.partition(tiles, half, axis=3)[..., half]
    # the mask has the square sum 36; 0.6745 is the median of the absolute value of a standard normal number
    variance = ((medians / (6 * 0.6745)) ** 2).mean(axis=2)
    precision = np.finfo(np.float32).eps * np.abs(images).max((2, 3))
    return np.maximum(variance, 1 / 12 if counted else precision**2)
