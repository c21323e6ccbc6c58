"""The state of a fit of light: tiles, the polynomial of the flat field, levels and dark level at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

Floats = np.ndarray

DEGREE = 6


@dataclass(frozen=True)
class LightState:
    """Everything that a step starts from; arrays of tiles are (N, P)."""

    shape: tuple[int, int]
    z: Floats
    valid: Floats
    phi: Floats
    prior: Floats
    lowest: float
    prior_dark: float
    spread: Floats
    polarity: float
    terms: Floats
    level: Floats
    dark: float
    dark_error: float = np.nan
    background: bool = True
    noise: Floats | None = None
    grain: Floats | None = None
    whole: bool = False
    by_noise: tuple[float, float] | None = None

    @property
    def light(self) -> Floats:
        """The flat field at each tile, mean 1."""
        light: Floats = np.exp(self.phi @ self.terms)
        return light / light.mean()


def orders() -> list[tuple[int, int]]:
    """Return the degrees along y and x of each term."""
    return [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i) if i + j]


def norm(i: int, j: int) -> float:
    """Return what makes the mean square of a term 1."""
    return float(np.sqrt((2 * i + 1) * (2 * j + 1)))


def legendre_table(length: int) -> Floats:
    """Return the Legendre polynomials at the centres of so many pixels."""
    centres = (np.arange(length) + 0.5) / length * 2 - 1
    found: Floats = legendre.legvander(centres, DEGREE)
    return found
