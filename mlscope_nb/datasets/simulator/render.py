"""One cell, rendered: what lies under the microscope, the lens, the camera; with or without its cue."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlscope_nb.datasets.simulator.doses import Doses
from mlscope_nb.datasets.simulator.faults import NONE, Fault, fault_of
from mlscope_nb.datasets.simulator.layout import Plate, Well
from mlscope_nb.datasets.simulator.optics import (
    BACKGROUND,
    SIGMA,
    Optics,
    blurred,
    exposed,
    grey,
    illumination,
    photographed,
)
from mlscope_nb.datasets.simulator.plan import FIELD_SIZE, CellPlan, Plan
from mlscope_nb.datasets.simulator.scene import N_CHANNELS, Scene
from mlscope_nb.datasets.simulator.streams import stream, streams
from mlscope_nb.datasets.simulator.subject import PAD, scenes

Without = Literal["cue", "shortcut", "fault"]
Floats = np.ndarray
CUE_CHANGE = 0.1  # a pixel is cue where its light changes by this share of the largest change
_AT_ONCE = 20  # cells; what is drawn of so many fits into the memory next to a processor
MARK_LIGHT = 26.0  # photons of the shortcut's mark


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one crop consists of."""

    image: Floats  # (C, Y, X) uint16
    mask: Floats  # (Y, X) uint8
    nucleus: Floats
    cytoplasm: Floats
    at_edge: bool  # of the field


def render(plan: Plan, cells: Sequence[CellPlan], without: Without | None = None) -> Iterator[Rendered]:
    """Render cells; without their cue, their mark or their fault the noise stays the same."""
    for first in range(0, len(cells), _AT_ONCE):
        yield from _rendered(plan, cells[first : first + _AT_ONCE], without)


def _rendered(plan: Plan, cells: Sequence[CellPlan], without: Without | None) -> Iterator[Rendered]:
    """Render some cells, which are drawn together and photographed one by one."""
    faults = [NONE if without == "fault" else cell_fault(plan, cell) for cell in cells]
    optics = [cell_optics(plan, cell, fault) for cell, fault in zip(cells, faults, strict=True)]
    lit = _lit(plan, cells, faults, optics)
    noises = streams(plan.study.seed, "noise", [(cell.plate, cell.well, cell.index) for cell in cells])
    bare = _responding(plan, cells, faults, with_cue=False) if without == "cue" else [None] * len(cells)
    rows = zip(cells, faults, optics, lit, noises, scenes(plan, cells, faults), bare, strict=True)
    for cell, fault, lens, field, noise, made, plain in rows:
        light = _light(cell, lens, made, plain)
        if cell.shortcut and without != "shortcut":
            light[1] += mark(plan.study.size)
        image = photographed(exposed(light, lens, field), plan.study.doses.noise, noise)
        labels, nuclei = _framed(made.labels, cell), _framed(made.nuclei, cell)
        at_edge = fault.cut_at > 0 and _cut(fault, lens, image, labels, nuclei)
        yield Rendered(image, labels, nuclei, labels * (nuclei == 0), at_edge)


def cues(plan: Plan, cells: Sequence[CellPlan]) -> Iterator[Floats]:
    """Return for each cell the pixels (Y, X) whose light, before blur and noise, its phenotype changes."""
    for cell, change in zip(cells, _changes(plan, cells), strict=True):
        sizes = np.abs(change).max(0)
        yield _framed(sizes > CUE_CHANGE * float(sizes.max()), cell)


def cue_reaches(plan: Plan, cells: Sequence[CellPlan]) -> Iterator[Floats]:
    """Return for each cell the pixels (Y, X) that its cue reaches through the microscope: all that may differ."""
    for cell, change in zip(cells, _changes(plan, cells), strict=True):
        sigma = cell_optics(plan, cell, cell_fault(plan, cell)).sigma
        yield _framed(widened(change, sigma), cell)


def mark(size: int) -> Floats:
    """Return the light (Y, X) of the shortcut: a faint ring in the lower left corner."""
    y, x = np.arange(size, dtype=np.float32)[:, None], np.arange(size, dtype=np.float32)[None, :]
    distance = np.sqrt((y - np.float32(size - 7)) ** 2 + (x - np.float32(6)) ** 2)
    ring: Floats = np.float32(MARK_LIGHT) * np.clip(1 - (np.abs(distance - 3) / np.float32(1.5)) ** 2, 0, 1)
    return ring


def place(plan: Plan, cell: CellPlan, fault: Fault) -> tuple[float, float]:
    """Return where the middle of the crop lies in its field; a cut cell lies at the edge."""
    if not fault.cut_at:
        return cell.place
    near = plan.study.size / 2 - fault.cut_at
    y, x = cell.place
    return ((near, x), (FIELD_SIZE - near, x), (y, near), (y, FIELD_SIZE - near))[fault.cut_side]


def cell_fault(plan: Plan, cell: CellPlan) -> Fault:
    """Return what is wrong with a cell."""
    if cell.fault == "none":
        return NONE
    rng = stream(plan.study.seed, "fault", *cell.address, 0)
    return fault_of(cell.fault, getattr(plan.study.doses, cell.fault), rng, plan.study.size)


def microscope(plate: Plate, well: Well, doses: Doses, fault: Fault = NONE, gain: float = 1.0) -> Optics:
    """Return the microscope of one plate and well, worse by a fault."""
    width = doses.blur * plate.blur
    dna, actin, puncta = (math.hypot(s * width, fault.extra_blur) for s in SIGMA)
    return Optics(
        sigma=(dna, actin, puncta),
        gain=plate.gain * well.gain * gain,
        background=BACKGROUND * plate.background * gain,
        exposure=fault.exposure,
        vignette=plate.vignette,
        centre=plate.centre,
        tilt=plate.tilt,
    )


def cell_optics(plan: Plan, cell: CellPlan, fault: Fault) -> Optics:
    """Return the microscope under which a cell was photographed."""
    number, well, _ = cell.address
    gain = cell.copy.gain if cell.copy else 1.0
    return microscope(plan.plates[number], plan.well(number, well), plan.study.doses, fault, gain)


def _changes(plan: Plan, cells: Sequence[CellPlan]) -> Iterator[Floats]:
    """Return for each cell how the light (C, Y, X) on its canvas changes when the phenotype is taken away."""
    edge = plan.study.size + 2 * PAD
    for first in range(0, len(cells), _AT_ONCE):
        some = cells[first : first + _AT_ONCE]
        faults = [cell_fault(plan, cell) for cell in some]
        both = (_responding(plan, some, faults, with_cue=with_cue) for with_cue in (True, False))
        for made, bare in zip(*both, strict=True):
            yield bare.light - made.light if made and bare else np.zeros((N_CHANNELS, edge, edge), np.float32)


def _responding(
    plan: Plan, cells: Sequence[CellPlan], faults: Sequence[Fault], *, with_cue: bool
) -> Sequence[Scene | None]:
    """Draw the cells that show a phenotype, with or without it, and none of the others."""
    shown = [k for k, cell in enumerate(cells) if cell.phenotype != "none"]
    drawn = scenes(plan, [cells[k] for k in shown], [faults[k] for k in shown], with_cue=with_cue)
    found = dict(zip(shown, drawn, strict=True))
    return [found.get(k) for k in range(len(cells))]


def _light(cell: CellPlan, optics: Optics, made: Scene, bare: Scene | None) -> Floats:
    """Return the light (C, Y, X) that reaches the camera; from a bare scene, if any, wherever the cue reaches."""
    light = _seen(cell, made.light, optics)
    if bare is None:
        return light
    near = _framed(widened(bare.light - made.light, optics.sigma), cell)
    return np.where(near, _seen(cell, bare.light, optics), light)


def widened(change: Floats, sigma: tuple[float, ...]) -> Floats:
    """Return the pixels (Y, X) that any change of the light (C, Y, X) reaches through the microscope."""
    found: Floats = (change != 0).any(0)
    reach = math.ceil(4 * max(sigma)) if max(sigma) else 0
    if not found.any() or not reach:
        return found
    from scipy import ndimage  # only who asks for a cue waits for it

    return np.asarray(ndimage.distance_transform_edt(~found) <= reach + 1)


def _seen(cell: CellPlan, light: Floats, optics: Optics) -> Floats:
    """Return the light (C, Y, X) of the crop as the lens shows it."""
    shift = cell.copy.shift if cell.copy else (0.0, 0.0)
    return _flipped(blurred(light, optics.sigma, PAD, shift), cell)


def _lit(plan: Plan, cells: Sequence[CellPlan], faults: Sequence[Fault], optics: Sequence[Optics]) -> Floats:
    """Return the illumination (N, Y, X) where the crops lie in their fields."""
    size = plan.study.size
    middles = np.array([place(plan, cell, fault) for cell, fault in zip(cells, faults, strict=True)])
    y, x = ((p[:, None] - size / 2 + np.arange(size)) / FIELD_SIZE * 2 - 1 for p in middles.T)
    return illumination(optics, y, x)


def _cut(fault: Fault, optics: Optics, image: Floats, *masks: Floats) -> bool:
    """Take away what lies beyond the field, in place, as `crop` leaves it; return whether the cell was touched."""
    n = fault.cut_at
    first, last, everything = slice(None, n), slice(-n, None), slice(None)
    sides = ((first, everything), (last, everything), (everything, first), (everything, last))
    rows, columns = sides[fault.cut_side]
    touched = bool((masks[0][rows, columns] == 1).any())
    image[:, rows, columns] = grey(optics.background * optics.exposure)[:, None, None]
    for mask in masks:
        mask[rows, columns] = 0
    return touched


def _framed(canvas: Floats, cell: CellPlan) -> Floats:
    """Cut the crop out of a canvas of pixels that are not blurred, as a copy was moved and flipped."""
    if cell.copy:
        canvas = np.roll(canvas, [round(s) for s in cell.copy.shift], (0, 1))
    return _flipped(canvas[PAD:-PAD, PAD:-PAD].astype(np.uint8 if canvas.dtype != bool else bool), cell)


def _flipped(array: Floats, cell: CellPlan) -> Floats:
    flip = cell.copy.flip if cell.copy else "none"
    if flip == "none":
        return array
    return np.ascontiguousarray(array[..., ::-1] if flip == "left-right" else array[..., ::-1, :])
