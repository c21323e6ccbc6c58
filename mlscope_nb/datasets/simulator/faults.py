"""What goes wrong with single photographs: six faults, each with its dose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlscope_nb.datasets.simulator.scene import N_CHANNELS

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one cell, in the terms of what it changes; the default is none."""

    extra_blur: float = 0.0  # pixels
    exposure: float = 1.0
    own_light: float = 1.0
    second_radius: float = 0.0  # of a second cell in the same mask, relative to the first
    second_turn: float = 0.0  # 0 to 1 around the cell
    cut_side: int = -1  # where the field ends: 0 above, 1 below, 2 left, 3 right of the cell; -1 nowhere near
    cut_at: int = 0  # pixels of the crop that lie beyond the field
    debris: float = 0.0


NONE = Fault()


def fault_of(name: str, dose: float, rng: np.random.Generator, size: int) -> Fault:
    """Return what a fault of this name changes; stronger with its dose."""
    u = rng.random(4)
    if name == "defocus":
        return Fault(extra_blur=2.6 * dose * (0.85 + 0.3 * u[0]))
    if name == "saturation":
        return Fault(exposure=1 + 11 * dose * (0.6 + 0.4 * u[0]))
    if name == "empty":
        return Fault(own_light=max(0.0, 1 - dose))
    if name == "touching":
        return Fault(second_radius=math.sqrt(dose) * (0.85 + 0.15 * u[0]), second_turn=u[1])
    if name == "cut":
        return Fault(cut_side=int(4 * u[1]), cut_at=round(dose * (size / 2 - 9 + 7 * u[0])))
    return Fault(debris=dose)


def debris(dose: float, rng: np.random.Generator, edge: int) -> Floats:
    """Return the light (C, Y, X) of a bright fibre or crumb, in one channel or two."""
    u, turn = rng.random(10), 2 * math.pi * rng.random()
    y, x = np.arange(edge, dtype=np.float32)[:, None], np.arange(edge, dtype=np.float32)[None, :]
    middle = edge / 2
    dy, dx = y - np.float32(middle + 18 * (2 * u[0] - 1)), x - np.float32(middle + 18 * (2 * u[1] - 1))
    along = dy * np.float32(math.sin(turn)) + dx * np.float32(math.cos(turn))
    across = dy * np.float32(math.cos(turn)) - dx * np.float32(math.sin(turn))
    if u[2] < 0.6:  # a fibre
        length, width, bend = 12 + 14 * u[3], 0.7 + 0.8 * u[4], 0.03 * (2 * u[5] - 1)
    else:  # a crumb
        length, width, bend = 2.5 + 3 * u[3], 2.5 + 2 * u[4], 0.1 * (2 * u[5] - 1)
    across = across - np.float32(bend) * along * along
    shape = np.exp(-((across / np.float32(width)) ** 2) - (along / np.float32(length)) ** 4)
    light = np.zeros((N_CHANNELS, edge, edge), np.float32)
    first = int(u[6] * N_CHANNELS)
    bright = dose * (700 + 900 * u[7])
    light[first] = np.float32(bright) * shape
    if u[8] < 0.4:
        light[(first + 1) % N_CHANNELS] = np.float32(0.5 * bright) * shape
    return light
