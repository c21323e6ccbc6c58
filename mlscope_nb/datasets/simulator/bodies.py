"""A cell as a few numbers: its outline, its nucleus, its stain, its spots; what every cell has before it is treated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mlscope_nb.datasets.simulator.texture import FIBRES, WAVELENGTH

Floats = np.ndarray
Nucleus = tuple[float, float, Floats]  # y, x, outline
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
    nuclei: tuple[Nucleus, ...]
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


def make_bodies(traits: Sequence[Traits], draws: Sequence[Draws]) -> list[Body]:
    """Return the bodies of cells with these traits."""
    pairs = list(zip(traits, draws, strict=True))
    outlines = _outlines([_Shape(t.radius, t.elongation, t.angle, 0.03 * d.normal[10:15]) for t, d in pairs])
    nuclei = _nuclei(traits, draws)
    spots = _spots(traits, draws, outlines)
    rows = zip(traits, draws, outlines, nuclei, spots, strict=True)
    return [_body(t, d, outline, parts, points) for t, d, outline, parts, points in rows]


def _body(traits: Traits, draws: Draws, outline: Floats, nuclei: tuple[Nucleus, ...], spots: Floats) -> Body:
    z = draws.normal
    return Body(
        outline=outline,
        nuclei=nuclei,
        dna=330 * math.exp(0.10 * z[7]),
        actin=150 * math.exp(0.15 * z[8]),
        haze=42 * math.exp(0.15 * z[9]),
        grain_contrast=0.26 * math.exp(0.10 * z[30]),
        fibre_contrast=0.34 * math.exp(0.10 * z[31]),
        spots=spots,
        blobs=_blobs(traits, draws, nuclei[0]),
    )


def radius_at(tables: Floats, y: Floats, x: Floats) -> Floats:
    """Look up the radius of outlines (N, N_ANGLES) in the directions (N, y, x), without an arctangent.

    Directions (1, y, x) serve all outlines.
    """
    turn = y / np.maximum(np.abs(x) + np.abs(y), np.float32(1e-6))
    # from -1 to 1 on the right side of the centre, and on to 3 on its left
    turn = np.where(x < 0, np.float32(2) - turn, turn) + np.float32(1)
    index = (turn * np.float32(N_ANGLES / 4)).astype(np.intp)
    np.minimum(index, N_ANGLES - 1, out=index)
    first = np.arange(0, tables.size, N_ANGLES)
    return tables.ravel().take(index + first[:, None, None], mode="clip")


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


@dataclass(slots=True)
class _Shape:
    """What an outline is made from."""

    radius: float
    elongation: float
    angle: float
    rough: Floats
    lobes: float = 0.0
    turn: float = 0.0


def _outlines(shapes: Sequence[_Shape]) -> Floats:
    """Return (N, N_ANGLES) ellipses with waves on them, of the area of a circle of this radius."""

    def numbers(values: Iterable[float]) -> Floats:
        return np.array(list(values))[:, None]

    even, odd = numbers(math.cosh(s.elongation) for s in shapes), numbers(-math.sinh(s.elongation) for s in shapes)
    r = numbers(math.cos(2 * s.angle) for s in shapes) * _COS[2]
    r += numbers(math.sin(2 * s.angle) for s in shapes) * _SIN[2]
    r *= odd
    r += even
    r **= -0.5
    # one vector at a time, as a product of matrices would round otherwise for more of them
    r *= 1 + (np.array([s.rough for s in shapes])[:, None, _PAIRS] @ _ROUGH)[:, 0]
    lobed = numbers(math.cos(3 * s.turn) for s in shapes) * _COS[3]
    lobed += numbers(math.sin(3 * s.turn) for s in shapes) * _SIN[3]
    lobed *= numbers(s.lobes for s in shapes)
    lobed += 1
    r *= lobed
    area = np.vecdot(r * r, _WEIGHT) / (2 * math.pi)
    r *= (np.array([s.radius for s in shapes]) / np.sqrt(area))[:, None]
    return r.astype(np.float32)


def _nuclei(traits: Sequence[Traits], draws: Sequence[Draws]) -> list[tuple[Nucleus, ...]]:
    """Return for each cell one nucleus near the centre, or two of half the area side by side."""
    shapes = [_nucleus(t, d.normal, d.uniform) for t, d in zip(traits, draws, strict=True)]
    found = zip(traits, draws, shapes, _outlines(shapes), strict=True)
    return [_placed(t, d.normal, shape, table) for t, d, shape, table in found]


def _nucleus(traits: Traits, z: Floats, u: Floats) -> _Shape:
    """Return the shape of the nucleus of a cell, or of each of its two."""
    two = traits.nuclei_apart
    return _Shape(
        radius=traits.nucleus_radius / math.sqrt(2) if two else traits.nucleus_radius,
        elongation=0.05 if two else 0.6 * traits.elongation,
        angle=traits.angle + 0.2 * z[6],
        rough=0.018 * z[17:22],
        lobes=traits.lobes,
        turn=2 * math.pi * u[6],
    )


def _placed(traits: Traits, z: Floats, shape: _Shape, table: Floats) -> tuple[Nucleus, ...]:
    y, x = 0.07 * traits.radius * z[15:17]
    if not traits.nuclei_apart:
        return ((y, x, table),)
    apart = traits.nuclei_apart * shape.radius
    dy, dx = apart * math.sin(shape.turn), apart * math.cos(shape.turn)
    return ((y + dy, x + dx, table), (y - dy, x - dx, table[::-1].copy()))


def _spots(traits: Sequence[Traits], draws: Sequence[Draws], outlines: Floats) -> list[Floats]:
    """Return for each cell scattered vesicles, the distractors among them, and what is gathered in a cluster."""
    uniform, normal = np.array([d.spot_uniform for d in draws]), np.array([d.spot_normal for d in draws])
    turn = (uniform[..., 0] * N_ANGLES).astype(int)
    reach = np.sqrt(0.2 + 0.65 * uniform[..., 1]) * np.take_along_axis(outlines, turn, 1)
    light = 420 * np.exp(0.35 * normal[..., 2])
    spots = np.stack([reach * _SIN[1][turn], reach * _COS[1][turn], light], 2)
    return [_shown(*each) for each in zip(spots, traits, draws, outlines, strict=True)]


def _shown(spots: Floats, traits: Traits, draws: Draws, outline: Floats) -> Floats:
    """Return those of its spots that a cell has, some of them as bright as a cue, some of those in a cluster."""
    u = draws.uniform
    n_base = 10 + int(10 * u[7])
    n = min(n_base + UNIT * traits.n_units, N_SPOTS - UNIT)
    spots = spots[:n]
    spots[n_base:, 2] = UNIT_LIGHT
    if traits.gathered and traits.n_units:
        spots[n - UNIT :, 2] *= max(0.0, 1 - traits.gathered)
    if not traits.gathered or traits.cue_hidden:
        return spots
    place = int(u[8] * N_ANGLES)
    centre = 0.74 * outline[place] * np.array([_SIN[1][place], _COS[1][place]])
    cluster = np.empty((UNIT, 3))
    cluster[:, :2] = centre + 1.1 * draws.spot_normal[N_SPOTS - UNIT :, :2]
    cluster[:, 2] = UNIT_LIGHT * traits.gathered
    return np.concatenate([spots, cluster])


def _blobs(traits: Traits, draws: Draws, nucleus: Nucleus) -> Floats:
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
