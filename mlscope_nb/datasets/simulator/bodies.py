"""A cell as a few numbers: its outline, its nucleus, its stain, its spots; what every cell has before it is treated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlscope_nb.datasets.simulator.texture import FIBRES, WAVELENGTH

Floats = np.ndarray
N_ANGLES = 256
CELL_RADIUS = 16.0  # pixels
NUCLEUS_SHARE = 0.60  # of the radius of the cell
N_SPOTS = 64
UNIT = 5  # spots in one unit of distractors, and in one cluster
UNIT_LIGHT = 1400.0  # photons of each of them
BLOB = 2.3  # radius of a chromocentre and of a micronucleus
UNIT_BLOB = 1.6  # their brightness, in that of the nucleus


@dataclass(frozen=True, slots=True)
class Body:
    """What is drawn for one cell; lengths in pixels from its centre, light in photons."""

    outline: Floats  # (N_ANGLES,) radius
    nuclei: tuple[tuple[float, float, Floats], ...]  # y, x, outline of each
    dna: float
    actin: float
    haze: float
    grain_contrast: float
    fibre_contrast: float
    spots: Floats  # (n, 3) y, x, photons
    blobs: Floats  # (m, 4) y, x, radius, brightness relative to the nucleus


@dataclass(slots=True)
class Draws:
    """All random numbers of one cell, drawn at once so that no treatment changes which number serves what."""

    normal: Floats
    uniform: Floats
    spot_normal: Floats
    spot_uniform: Floats

    @classmethod
    def of(cls, rng: np.random.Generator) -> Draws:
        """Draw them."""
        return cls(rng.standard_normal(40), rng.random(24), rng.standard_normal((N_SPOTS, 3)), rng.random((N_SPOTS, 2)))


@dataclass(slots=True)
class Traits:
    """The traits of one cell, which a treatment changes before they become a body."""

    radius: float
    nucleus_radius: float
    content: float
    elongation: float
    angle: float
    lobes: float
    wavelength: float
    alignment: float
    thickness: float
    fibre_angle: float
    n_units: int
    n_chromocentres: int
    gathered: float = 0.0  # share of one unit of spots that lies in a cluster
    micronucleus: float = 0.0  # brightness of a micronucleus, in those of a chromocentre
    nuclei_apart: float = 0.0
    cue_hidden: bool = False  # leave the cluster or the micronucleus out, and all else as it is


def natural_traits(draws: Draws, scale: float, distractors: float) -> Traits:
    """Return the traits of an untreated cell; `scale` is the size that plate, well and crowding leave it."""
    z, u = draws.normal, draws.uniform
    content = _dna_content(u[0], u[1])
    radius = CELL_RADIUS * scale * math.exp(0.09 * z[0]) * content**0.12
    return Traits(
        radius=radius,
        nucleus_radius=CELL_RADIUS * scale * NUCLEUS_SHARE * math.exp(0.06 * z[1]) * content**0.33,
        content=content,
        elongation=0.06 + 0.13 * abs(z[2]),
        angle=2 * math.pi * u[2],
        lobes=0.035 * abs(z[3]),
        wavelength=WAVELENGTH * math.exp(0.07 * z[4]),
        alignment=0.5 * abs(z[5]),
        thickness=FIBRES * math.exp(0.08 * z[33]),
        fibre_angle=math.pi * u[5],
        n_units=round(distractors * (1 + int(3 * u[3]))),
        n_chromocentres=round(distractors * (1 + int(3 * u[4]))),
    )


def make_body(traits: Traits, draws: Draws) -> Body:
    """Return the body of a cell with these traits."""
    z, u = draws.normal, draws.uniform
    outline = _outline(traits.radius, traits.elongation, traits.angle, 0.03 * z[10:15])
    nuclei = _nuclei(traits, z, u)
    return Body(
        outline=outline,
        nuclei=nuclei,
        dna=330 * math.exp(0.10 * z[7]),
        actin=150 * math.exp(0.15 * z[8]),
        haze=42 * math.exp(0.15 * z[9]),
        grain_contrast=0.26 * math.exp(0.10 * z[30]),
        fibre_contrast=0.34 * math.exp(0.10 * z[31]),
        spots=_spots(traits, draws, outline),
        blobs=_blobs(traits, draws, nuclei[0]),
    )


def radius_at(table: Floats, y: Floats, x: Floats) -> Floats:
    """Look up the radius of an outline in the direction of (y, x), without an arctangent."""
    turn = y / np.maximum(np.abs(x) + np.abs(y), np.float32(1e-6))
    # from -1 to 1 on the right side of the centre, and on to 3 on its left
    turn = np.where(x < 0, np.float32(2) - turn, turn) + np.float32(1)
    index = (turn * np.float32(N_ANGLES / 4)).astype(np.intp)
    return table.take(index, mode="clip")


def _angles() -> Floats:
    """Return the angle of each entry of an outline, whose steps are those of the diamond |x| + |y| = 1."""
    turn = (np.arange(N_ANGLES) + 0.5) * 4 / N_ANGLES - 1
    y = np.where(turn <= 1, turn, 2 - turn)
    x = np.where(turn <= 1, 1 - np.abs(y), np.abs(y) - 1)
    angle: Floats = np.arctan2(y, x)
    return angle


_ANGLE = _angles()
_WEIGHT = np.gradient(np.unwrap(_ANGLE))
_COS, _SIN = ({k: f(k * _ANGLE) for k in (1, 2, 3)} for f in (np.cos, np.sin))
_ORDERS = np.repeat(np.arange(3, 8), 2)[:, None]
_ROUGH = 2.5 / _ORDERS * np.where(np.arange(10)[:, None] % 2, np.sin(_ORDERS * _ANGLE), np.cos(_ORDERS * _ANGLE))
_PAIRS = np.array([0, 3, 1, 4, 2, 0, 3, 1, 4, 2])  # which of five numbers each wave takes


def _dna_content(phase: float, progress: float) -> float:
    """Return the DNA of a growing cell: once (G1), on the way (S), or twice (G2)."""
    if phase < 0.55:
        return 1.0
    return 1.0 + progress if phase < 0.78 else 2.0


def _outline(
    radius: float, elongation: float, angle: float, rough: Floats, lobes: float = 0.0, turn: float = 0.0
) -> Floats:
    """Return an ellipse with waves on it, of the area of a circle of this radius."""
    even, odd = math.cosh(elongation), -math.sinh(elongation)
    r = (even + odd * (math.cos(2 * angle) * _COS[2] + math.sin(2 * angle) * _SIN[2])) ** -0.5
    r *= 1 + rough[_PAIRS] @ _ROUGH
    if lobes:
        r *= 1 + lobes * (math.cos(3 * turn) * _COS[3] + math.sin(3 * turn) * _SIN[3])
    area = float((r * r) @ _WEIGHT) / (2 * math.pi)
    return (radius / math.sqrt(area) * r).astype(np.float32)


def _nuclei(traits: Traits, z: Floats, u: Floats) -> tuple[tuple[float, float, Floats], ...]:
    """Return one nucleus near the centre, or two of half the area side by side."""
    y, x = 0.07 * traits.radius * z[15:17]
    rough, turn = 0.018 * z[17:22], 2 * math.pi * u[6]
    angle = traits.angle + 0.2 * z[6]
    if not traits.nuclei_apart:
        return ((y, x, _outline(traits.nucleus_radius, 0.6 * traits.elongation, angle, rough, traits.lobes, turn)),)
    each = traits.nucleus_radius / math.sqrt(2)
    apart = traits.nuclei_apart * each
    dy, dx = apart * math.sin(turn), apart * math.cos(turn)
    table = _outline(each, 0.05, angle, rough, traits.lobes, turn)
    return ((y + dy, x + dx, table), (y - dy, x - dx, table[::-1].copy()))


def _spots(traits: Traits, draws: Draws, outline: Floats) -> Floats:
    """Return scattered vesicles, the distractors among them, and what is gathered in a cluster."""
    u = draws.uniform
    n_base = 10 + int(10 * u[7])
    n = min(n_base + UNIT * traits.n_units, N_SPOTS - UNIT)
    turn = (draws.spot_uniform[:n, 0] * N_ANGLES).astype(int)
    reach = np.sqrt(0.2 + 0.65 * draws.spot_uniform[:n, 1]) * outline[turn]
    light = 420 * np.exp(0.35 * draws.spot_normal[:n, 2])
    light[n_base:] = UNIT_LIGHT
    if traits.gathered and traits.n_units:
        light[n - UNIT :] *= max(0.0, 1 - traits.gathered)
    spots = np.stack([reach * _SIN[1][turn], reach * _COS[1][turn], light], 1)
    if not traits.gathered or traits.cue_hidden:
        return spots
    place = int(u[8] * N_ANGLES)
    centre = 0.74 * outline[place] * np.array([_SIN[1][place], _COS[1][place]])
    cluster = np.empty((UNIT, 3))
    cluster[:, :2] = centre + 1.1 * draws.spot_normal[N_SPOTS - UNIT :, :2]
    cluster[:, 2] = UNIT_LIGHT * traits.gathered
    return np.concatenate([spots, cluster])


def _blobs(traits: Traits, draws: Draws, nucleus: tuple[float, float, Floats]) -> Floats:
    """Return bright chromocentres inside the nucleus, and a micronucleus outside of it."""
    u, z = draws.uniform, draws.normal
    y, x, table = nucleus
    rows = []
    for k in range(min(traits.n_chromocentres, 5)):
        at = int(u[9 + k] * N_ANGLES)
        reach = 0.66 * table[at] * math.sqrt(u[14 + k])
        last = k == traits.n_chromocentres - 1
        share = max(0.0, 1 - traits.micronucleus) if last else 1.0
        rows.append((y + reach * _SIN[1][at], x + reach * _COS[1][at], BLOB, UNIT_BLOB * share))
    if traits.micronucleus and not traits.cue_hidden:
        at = int(u[19] * N_ANGLES)
        reach = table[at] + 2.6 + 0.6 * abs(z[32])
        light = UNIT_BLOB * traits.micronucleus
        rows.append((y + reach * _SIN[1][at], x + reach * _COS[1][at], BLOB, light))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
