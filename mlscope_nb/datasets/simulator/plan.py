"""The plan of every cell before it is drawn: what it is, what is wrong with it, where it lies, what it is called."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from mlscope_nb.datasets.simulator.doses import GROUPS, Doses
from mlscope_nb.datasets.simulator.layout import CLASSES, CONCENTRATIONS, Plate, Well, plate, wells
from mlscope_nb.datasets.simulator.streams import stream, streams

FAULTS = GROUPS["faults"]
RARE = "binucleate"
FIELD_SIZE = 1024  # pixels; the whole field that a crop is cut from
CELLS_PER_FIELD = 10


@dataclass(frozen=True, slots=True)
class Study:
    """What was asked for: everything that all cells share."""

    seed: int
    n_plates: int
    wells_per_plate: int
    cells_per_well: int
    size: int
    doses: Doses
    tied_to: str


@dataclass(frozen=True, slots=True)
class Copy:
    """How a photograph of the same cell differs from the first one."""

    shift: tuple[float, float]
    gain: float
    flip: str


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One cell: where it is, what it shows, what is wrong with it."""

    plate: int
    well: int
    index: int
    label: str
    given: str
    phenotype: str
    strength: float
    responder: bool
    fault: str
    shortcut: bool
    n_neighbours: int
    place: tuple[float, float]
    source: tuple[int, int, int] | None = None
    copy: Copy | None = None

    @property
    def address(self) -> tuple[int, int, int]:
        """Plate, well and index of the cell that is drawn: its own, or that of the cell it copies."""
        return self.source or (self.plate, self.well, self.index)


@dataclass(frozen=True)
class Plan:
    """All plates, wells and cells of a study."""

    study: Study
    plates: tuple[Plate, ...]
    wells: tuple[Well, ...]
    cells: tuple[CellPlan, ...]

    def well(self, number: int, well: int) -> Well:
        """Return one well of one plate."""
        return self.wells[number * self.study.wells_per_plate + well]

    def cell(self, address: tuple[int, int, int]) -> CellPlan:
        """Return one cell by plate, well and index."""
        number, well, index = address
        return self.cells[(number * self.study.wells_per_plate + well) * self.study.cells_per_well + index]

    def cell_id(self, address: tuple[int, int, int]) -> str:
        """Return the id of one cell, as "P1-A01-007"."""
        well = self.well(*address[:2])
        return f"{well.plate_name}-{well.name}-{address[2] + 1:03d}"


def make_plan(study: Study) -> Plan:
    """Return the plan of a whole study; nothing is drawn yet."""
    plates = tuple(plate(study.seed, p, study.doses) for p in range(study.n_plates))
    layout = tuple(wells(study.seed, study.n_plates, study.wells_per_plate, study.doses, study.tied_to))
    planned = [_firsts(study, well) for well in layout]
    firsts = [[cell for cell, _ in of_well] for of_well in planned]
    kinds = [[kind for _, kind in of_well] for of_well in planned]
    copied = _copies(study, layout, firsts, kinds)
    return Plan(study, plates, layout, tuple(cell for of_well in copied for cell in of_well))


# One uniform number for each question about a cell, by position; part of version 1.
_RESPONDS, _STRENGTH, _FAULT, _RARE, _MISLABEL, _WRONG, _SHORTCUT, _Y, _X, _CROWD, _COPIED, _LEAKED = range(12)
_N_QUESTIONS = 16


def _firsts(study: Study, well: Well) -> list[tuple[CellPlan, str]]:
    """Return the plan of each cell of a well as if there were no copies, and which kind of copy it is to be."""
    addresses = [(well.plate, well.well, index) for index in range(study.cells_per_well)]
    answers = [rng.random(_N_QUESTIONS) for rng in streams(study.seed, "plan", addresses)]
    return [_first(study, well, index, u) for index, u in enumerate(answers)]


def _first(study: Study, well: Well, index: int, u: np.ndarray) -> tuple[CellPlan, str]:
    """Return the plan of a cell as if it were no copy, and which kind of copy it is to be ("" for none)."""
    doses = study.doses
    treated = well.concentration > 0 and doses.strength > 0
    responder = bool(treated and u[_RESPONDS] < well.penetrance)
    strength = 0.0
    if responder:
        strength = doses.strength * CONCENTRATIONS[well.concentration] * math.exp(0.25 * ndtri(u[_STRENGTH]))
    rare = not responder and u[_RARE] < doses.rare
    cell = CellPlan(
        plate=well.plate,
        well=well.well,
        index=index,
        label=well.treatment,
        given=_given(well, u, doses),
        phenotype=RARE if rare else well.treatment if responder else "none",
        strength=1.0 if rare else strength,
        responder=responder,
        fault=_fault(u[_FAULT], doses),
        shortcut=bool(well.treatment == study.tied_to and u[_SHORTCUT] < doses.shortcut_on(well.plate)),
        n_neighbours=_neighbours(u[_CROWD], well.cell_count),
        place=_place(study, well, u),
    )
    kind = "leaked" if u[_LEAKED] < doses.leaked else "within" if u[_COPIED] < doses.duplicates else ""
    return cell, kind if index else ""


def _given(well: Well, u: np.ndarray, doses: Doses) -> str:
    """Return the label that stands in the table."""
    if u[_MISLABEL] >= doses.mislabels:
        return well.stated
    others = [name for name in CLASSES if name != well.stated]
    return others[int(u[_WRONG] * len(others))]


def _fault(u: float, doses: Doses) -> str:
    """Return which fault strikes; one whose dose is 0 leaves no trace, and the others stay where they are."""
    if doses.fault_rate == 0 or u >= doses.fault_rate * len(FAULTS):
        return "none"
    name = FAULTS[min(int(u / doses.fault_rate), len(FAULTS) - 1)]
    return name if getattr(doses, name) > 0 else "none"


def _neighbours(u: float, cell_count: int) -> int:
    """Return a Poisson number with a mean in proportion to the cells of the well."""
    mean = 1.6 * cell_count / 220
    chance, total, k = math.exp(-mean), math.exp(-mean), 0
    while u > total and k < 6:
        k += 1
        chance *= mean / k
        total += chance
    return k


def _place(study: Study, well: Well, u: np.ndarray) -> tuple[float, float]:
    """Return where the cell lies in its field, in pixels, clear of the edge."""
    tied = study.doses.position if well.treatment == study.tied_to else 0.0
    room = FIELD_SIZE - study.size
    y, x = u[_Y] ** (1 / (1 + tied)), u[_X]
    return study.size / 2 + y * room, study.size / 2 + x * room


def _copies(
    study: Study, layout: tuple[Well, ...], firsts: list[list[CellPlan]], kinds: list[list[str]]
) -> list[list[CellPlan]]:
    """Let some cells be further photographs of an earlier, faultless cell."""
    same = {name: [w for w, well in enumerate(layout) if well.treatment == name] for name in CLASSES}
    result = []
    for w, of_well in enumerate(firsts):
        earlier = [v for v in same[layout[w].treatment] if layout[v].plate <= layout[w].plate and v != w]
        pools = {"": [], "within": [w], "leaked": earlier}
        pairs = zip(of_well, kinds[w], strict=True)
        result.append([_copy(study, c, pools[kind], firsts, kinds) if pools[kind] else c for c, kind in pairs])
    return result


def _copy(
    study: Study, cell: CellPlan, pool: list[int], firsts: list[list[CellPlan]], kinds: list[list[str]]
) -> CellPlan:
    """Return a cell that shows another one again; the source has a smaller index, so smaller studies agree."""
    rng = stream(study.seed, "copy", cell.plate, cell.well, cell.index)
    well = pool[int(rng.random() * len(pool))]
    free = [c for c in firsts[well][: cell.index] if c.fault == "none" and not kinds[well][c.index]]
    shift, gain = rng.uniform(-1, 1, 2), 1 + 0.05 * rng.uniform(-1, 1)
    flip = str(rng.choice(["none", "left-right", "up-down"], p=[0.6, 0.2, 0.2]))
    if not free:
        return cell
    source = free[int(rng.random() * len(free))]
    return replace(
        source,
        plate=cell.plate,
        well=cell.well,
        index=cell.index,
        given=cell.given,
        place=cell.place,
        source=(source.plate, source.well, source.index),
        copy=Copy((float(shift[0]), float(shift[1])), float(gain), flip),
    )
