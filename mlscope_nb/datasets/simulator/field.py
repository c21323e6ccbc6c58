"""One whole field of view: the cells of a well side by side, under one microscope, with the faults that fields have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlscope_nb.datasets.simulator.bodies import CELL_RADIUS
from mlscope_nb.datasets.simulator.faults import NONE, Fault, debris, fault_of
from mlscope_nb.datasets.simulator.layout import MEAN_COUNT, Well
from mlscope_nb.datasets.simulator.optics import blurred, exposed, illumination, photographed
from mlscope_nb.datasets.simulator.plan import CellPlan, Plan
from mlscope_nb.datasets.simulator.render import CUE_CHANGE, Without, mark, microscope, widened
from mlscope_nb.datasets.simulator.scene import Layer, Scene, compose, moved
from mlscope_nb.datasets.simulator.streams import stream
from mlscope_nb.datasets.simulator.subject import PAD, own_layers

Floats = np.ndarray
FIELD_FAULTS = ("defocus", "saturation", "debris", "empty")
_CANVAS = 96  # pixels around one cell; wider than any of them
_AT_ONCE = 20  # cells drawn together


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field: its well, its cells with their places, its fault, its mark."""

    well: Well
    number: int
    cells: tuple[CellPlan, ...]
    places: tuple[tuple[float, float], ...]
    fault: str
    shortcut: bool

    @property
    def field_id(self) -> str:
        """Name of the field, as "P1-A01-f1"."""
        return f"{self.well.plate_name}-{self.well.name}-f{self.number + 1}"


def make_fields(plan: Plan, fields_per_well: int, size: int) -> tuple[FieldPlan, ...]:
    """Return the plan of all fields, each with its share of the cells of its well."""
    return tuple(
        _field(plan, well, number, fields_per_well, size) for well in plan.wells for number in range(fields_per_well)
    )


class FieldPictures:
    """Whole fields, drawn when asked for."""

    def __init__(self, plan: Plan, fields: tuple[FieldPlan, ...], size: int) -> None:
        self.ids = pd.Index([f.field_id for f in fields], dtype=object, name="field_id")
        self.size, self._plan, self._fields = size, plan, fields

    def images(self, rows: np.ndarray, without: Without | None) -> Iterator[Floats]:
        """Return the images (C, Y, X) of some rows."""
        for field in (self._fields[row] for row in rows):
            yield photograph(self._plan, field, _scene(self._plan, field, self.size), without)

    def whole(self, row: int) -> tuple[Floats, Floats, Floats]:
        """Return image (C, Y, X), labels and nuclei (Y, X); object k is the k-th cell of the field."""
        field = self._fields[row]
        made = _scene(self._plan, field, self.size)
        visible = np.int32(field_fault(self._plan, field).own_light > 0)
        return photograph(self._plan, field, made), _framed(made.labels) * visible, _framed(made.nuclei) * visible

    def cues(self, rows: np.ndarray) -> Iterator[Floats]:
        """Return the pixels (Y, X) of the cues of all cells; each cell has its own largest change."""
        for field in (self._fields[row] for row in rows):
            made, change = self._change(field)
            size = np.abs(change).max(0)
            largest = np.zeros(made.labels.max() + 1, np.float32)
            np.maximum.at(largest, made.labels, size)
            yield _framed((size > CUE_CHANGE * largest[made.labels]) & (made.labels > 0))

    def reaches(self, rows: np.ndarray) -> Iterator[Floats]:
        """Return the pixels (Y, X) that the cues reach through the microscope."""
        for field in (self._fields[row] for row in rows):
            fault = field_fault(self._plan, field)
            optics = microscope(self._plan.plates[field.well.plate], field.well, self._plan.study.doses, fault)
            yield _framed(widened(self._change(field)[1], optics.sigma))

    def marks(self, rows: np.ndarray) -> Iterator[Floats]:
        """Return the pixels (Y, X) of the shortcut."""
        drawn = mark(self.size) > 0
        return (drawn & self._fields[row].shortcut for row in rows)

    def chosen(self, rows: np.ndarray) -> FieldPictures:
        """Return some of the fields."""
        return FieldPictures(self._plan, tuple(self._fields[r] for r in rows), self.size)

    def _change(self, field: FieldPlan) -> tuple[Scene, Floats]:
        """Return a field as it is, and how its light changes without the cues."""
        made, bare = (_scene(self._plan, field, self.size, with_cue=c) for c in (True, False))
        return made, bare.light - made.light


def photograph(plan: Plan, field: FieldPlan, made: Scene, without: Without | None = None) -> Floats:
    """Return the image (C, Y, X) of one field from what lies in it."""
    size = made.labels.shape[0] - 2 * PAD
    fault = NONE if without == "fault" else field_fault(plan, field)
    optics = microscope(plan.plates[field.well.plate], field.well, plan.study.doses, fault)
    light = _seen(plan, field, made.light, optics.sigma, fault)
    if without == "cue":
        bare = _scene(plan, field, size, with_cue=False)
        near = _framed(widened(bare.light - made.light, optics.sigma))
        light = np.where(near, _seen(plan, field, bare.light, optics.sigma, fault), light)
    if field.shortcut and without != "shortcut":
        light[1] += mark(size)
    along = np.linspace(-1, 1, size)[None, :]
    electrons = exposed(light, optics, illumination([optics], along, along)[0])
    noise = stream(plan.study.seed, "field", field.well.plate, field.well.well, field.number, 1)
    return photographed(electrons, plan.study.doses.noise, noise)


def field_fault(plan: Plan, field: FieldPlan) -> Fault:
    """Return what is wrong with a field."""
    if field.fault == "none":
        return NONE
    rng = stream(plan.study.seed, "field", field.well.plate, field.well.well, field.number, 2)
    return fault_of(field.fault, getattr(plan.study.doses, field.fault), rng, plan.study.size)


def _field(plan: Plan, well: Well, number: int, fields_per_well: int, size: int) -> FieldPlan:
    study = plan.study
    rng = stream(study.seed, "field", well.plate, well.well, number, 0)
    u = rng.random(4)
    present = max(1, round(study.cells_per_well * min(1.0, well.cell_count / MEAN_COUNT)))
    own = [plan.cell((well.plate, well.well, i)) for i in range(number, present, fields_per_well)]
    own = [cell for cell in own if cell.source is None]
    rate = study.doses.fault_rate
    struck = FIELD_FAULTS[int(u[0] / rate)] if rate and u[0] < rate * len(FIELD_FAULTS) else "none"
    return FieldPlan(
        well=well,
        number=number,
        cells=tuple(own),
        places=_places(rng, len(own), size, study.doses.position if well.treatment == study.tied_to else 0.0),
        fault=struck if struck != "none" and getattr(study.doses, struck) > 0 else "none",
        shortcut=bool(well.treatment == study.tied_to and u[1] < study.doses.shortcut_on(well.plate)),
    )


def _places(rng: np.random.Generator, n: int, size: int, low: float) -> tuple[tuple[float, float], ...]:
    """Return places of cells that touch here and there but hardly overlap, as long as there is room."""
    placed: list[tuple[float, float]] = []
    for _ in range(n):
        u = rng.random((30, 2))
        tries = np.stack([u[:, 0] ** (1 / (1 + low)) * size, u[:, 1] * size], 1)
        far = [min((math.dist(t, p) for p in placed), default=math.inf) for t in tries]
        good = next((k for k, d in enumerate(far) if d > 1.85 * CELL_RADIUS), int(np.argmax(far)))
        placed.append((float(tries[good, 0]), float(tries[good, 1])))
    return tuple(placed)


def _scene(plan: Plan, field: FieldPlan, size: int, *, with_cue: bool = True) -> Scene:
    """Draw all cells of a field on a canvas `PAD` pixels wider on each side; object k is the k-th cell."""
    edge = size + 2 * PAD
    layers = []
    for first in range(0, len(field.cells), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        layers += _placed(plan, field.cells[some], field.places[some], edge, with_cue)
    return compose(layers, edge, edge)


def _placed(
    plan: Plan, cells: Sequence[CellPlan], places: Sequence[tuple[float, float]], edge: int, with_cue: bool
) -> list[Layer]:
    """Draw cells on small canvases and move them to their places, as much of them as lies in sight."""
    centres = np.array([[_CANVAS / 2 + p % 1 for p in place] for place in places])
    layers = []
    for layer, place in zip(own_layers(plan, cells, centres, _CANVAS, with_cue=with_cue), places, strict=True):
        whole = [math.floor(p) + PAD - _CANVAS // 2 for p in place]
        seen = moved(layer, whole[0], whole[1], edge)
        if seen is None:
            raise ValueError(f"A cell at {place} does not lie in its field.")
        layers.append(seen)
    return layers


def _seen(plan: Plan, field: FieldPlan, light: Floats, sigma: tuple[float, ...], fault: Fault) -> Floats:
    light = light * np.float32(fault.own_light)
    if fault.debris:
        rng = stream(plan.study.seed, "field", field.well.plate, field.well.well, field.number, 3)
        light = light + debris(fault.debris, rng, light.shape[-1])
    return blurred(light, sigma, PAD)


def _framed(canvas: Floats) -> Floats:
    return canvas[..., PAD:-PAD, PAD:-PAD].copy()
