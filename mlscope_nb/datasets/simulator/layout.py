"""Plates and their wells: which treatment is where, what the layout file says, what a plate does to its cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlscope_nb.datasets.simulator.doses import Doses
from mlscope_nb.datasets.simulator.streams import stream

CONTROL = "DMSO"
TREATMENTS = ("elongated", "lobed", "granular", "bundled", "micronucleus", "clustered")
CLASSES = (CONTROL, *TREATMENTS)
FORMATS = ((1, 2), (2, 2), (2, 3), (3, 4), (4, 4), (4, 6), (6, 8), (8, 12), (16, 24))
CONCENTRATIONS = {1.0: 0.85, 3.0: 1.15}  # µM: factor on the strength
MEAN_COUNT = 220  # cells in a well


@dataclass(frozen=True, slots=True)
class Well:
    """One well: its place, what it got, what the layout file says it got, and its own effects."""

    plate: int
    well: int
    row: int
    column: int
    treatment: str
    stated: str
    concentration: float
    stated_concentration: float
    cell_count: int
    at_rim: bool
    gain: np.ndarray
    size: float
    penetrance: float

    @property
    def plate_name(self) -> str:
        """Name of the plate, as "P1"."""
        return f"P{self.plate + 1}"

    @property
    def name(self) -> str:
        """Name of the well, as "A01"."""
        return f"{chr(ord('A') + self.row)}{self.column + 1:02d}"


@dataclass(frozen=True, slots=True)
class Plate:
    """What one plate does to all of its cells."""

    size: float
    gain: np.ndarray
    background: np.ndarray
    blur: float
    vignette: float
    centre: tuple[float, float]
    tilt: tuple[float, float]


def wells(seed: int, n_plates: int, wells_per_plate: int, doses: Doses, tied_to: str) -> list[Well]:
    """Return all wells, plate by plate, with treatments at random places."""
    given = [_treatments(seed, plate, wells_per_plate, doses) for plate in range(n_plates)]
    stated = _swap(seed, given, int(doses.swapped_wells))
    return [
        _well(seed, (p, w), (given[p][w], stated[p][w]), wells_per_plate, doses, tied_to)
        for p in range(n_plates)
        for w in range(wells_per_plate)
    ]


def plate(seed: int, number: int, doses: Doses) -> Plate:
    """Return the effects of one plate; all of them drawn, whatever their doses."""
    rng = stream(seed, "plate", number)
    size, blur = rng.standard_normal(2)
    gain, background = rng.standard_normal((2, 3))
    centre, tilt = rng.uniform(-1, 1, (2, 2))
    uneven = doses.plate_illumination
    return Plate(
        size=math.exp(0.05 * doses.plate_size * size),
        gain=np.exp(0.15 * doses.plate_gain * gain),
        background=np.exp(0.25 * doses.plate_background * background),
        blur=math.exp(0.10 * doses.plate_blur * blur),
        vignette=0.18 * uneven * (0.6 + 0.4 * rng.random()),
        centre=(0.3 * centre[0], 0.3 * centre[1]),
        tilt=(0.06 * uneven * tilt[0], 0.06 * uneven * tilt[1]),
    )


def shape(wells_per_plate: int) -> tuple[int, int]:
    """Return rows and columns of the smallest plate that holds so many wells."""
    for rows, columns in FORMATS:
        if rows * columns >= wells_per_plate:
            return rows, columns
    raise ValueError(f"wells_per_plate={wells_per_plate}, expected at most {FORMATS[-1][0] * FORMATS[-1][1]}.")


def _treatments(seed: int, number: int, n: int, doses: Doses) -> list[tuple[str, float]]:
    """Return (treatment, concentration) per well: a quarter controls, the others in turn, places at random."""
    rng = stream(seed, "layout", number)
    n_controls = max(1, round(n / 4))
    treated = n - n_controls
    levels = list(CONCENTRATIONS)
    first = number * treated  # small plates go on where the last one stopped
    listed = [(TREATMENTS[(first + i) % 6], levels[((first + i) // 6) % 2]) for i in range(treated)]
    own = TREATMENTS[number % 6]
    tied = rng.random(treated) < doses.confounding
    listed = [(own, level) if t else (name, level) for t, (name, level) in zip(tied, listed, strict=True)]
    order = rng.permutation(n)
    placed = [(CONTROL, 0.0)] * n_controls + listed
    return [placed[i] for i in order]


def _swap(seed: int, given: list[list[tuple[str, float]]], n_wells: int) -> list[list[tuple[str, float]]]:
    """Return what the layout file says: pairs of wells of one plate exchanged, at most one pair at a place."""
    stated = [list(one) for one in given]
    rng = stream(seed, "swap")
    touched: set[tuple[int, int]] = set()
    plates = rng.permutation(len(given))
    for pair in range(n_wells // 2):
        p = int(plates[pair % len(plates)])
        free = [w for w in rng.permutation(len(given[p])) if (p, int(w)) not in touched]
        partner = next((w for w in free[1:] if stated[p][w][0] != stated[p][free[0]][0]), None)
        if partner is None:
            raise ValueError(
                f"swapped_wells={n_wells} is more than plates of {len(given[p])} wells allow. Ask for fewer."
            )
        a, b = int(free[0]), int(partner)
        stated[p][a], stated[p][b] = stated[p][b], stated[p][a]
        touched |= {(p, a), (p, b)}
    return stated


def _well(
    seed: int,
    place: tuple[int, int],
    names: tuple[tuple[str, float], tuple[str, float]],
    n: int,
    doses: Doses,
    tied_to: str,
) -> Well:
    (number, index), ((treatment, concentration), (stated, stated_concentration)) = place, names
    rows, columns = shape(n)
    row, column = divmod(index, columns)
    rng = stream(seed, "well", number, index)
    gain, size, count, penetrance = rng.standard_normal(3), *rng.standard_normal(3)
    rim = row in (0, rows - 1) or column in (0, columns - 1)
    tied = treatment == tied_to
    layout = (1 + 0.10 * doses.edge_wells * rim) * (
        1 + 0.30 * doses.layout_gradient * (column / max(columns - 1, 1) - 0.5)
    )
    return Well(
        plate=number,
        well=index,
        row=row,
        column=column,
        treatment=treatment,
        stated=stated,
        concentration=concentration,
        stated_concentration=stated_concentration,
        cell_count=max(1, round(MEAN_COUNT * math.exp(0.25 * count - 0.8 * doses.density * tied))),
        at_rim=rim,
        gain=np.exp(0.06 * doses.well * gain) * layout,
        size=math.exp(0.02 * doses.well * size) * (1 - 0.04 * doses.edge_wells * rim),
        # a power keeps 0 and 1 where they are, so the dose has its full range in every well
        penetrance=doses.penetrance ** math.exp(0.35 * penetrance) if treatment != CONTROL else 0.0,
    )
