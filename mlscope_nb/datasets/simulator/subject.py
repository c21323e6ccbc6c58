"""What lies under the microscope for one crop: the cell, its neighbours, and what a fault adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mlscope_nb.datasets.simulator.bodies import CELL_RADIUS, Draws, Traits, make_bodies, natural_traits
from mlscope_nb.datasets.simulator.drawing import draw
from mlscope_nb.datasets.simulator.faults import Fault, debris
from mlscope_nb.datasets.simulator.phenotypes import changed, without_cue
from mlscope_nb.datasets.simulator.plan import CellPlan, Plan
from mlscope_nb.datasets.simulator.scene import Layer, Scene, compose, moved, turned
from mlscope_nb.datasets.simulator.streams import stream, streams
from mlscope_nb.datasets.simulator.texture import Waves, Weave, neighbour_waves, tile_of, waves

PAD = 8  # pixels around a crop, so that light from outside reaches into it
_TILE = 80  # pixels around a neighbour; wider than any
_N_STRANGERS = 12  # different neighbours in a well, each seen in eight ways


def scenes(plan: Plan, cells: Sequence[CellPlan], faults: Sequence[Fault], *, with_cue: bool = True) -> list[Scene]:
    """Draw each cell and all that lies around it, on a canvas `PAD` pixels wider than the crop on each side."""
    if not cells:
        return []
    edge = plan.study.size + 2 * PAD
    own = own_layers(plan, cells, np.full((1, 2), (edge - 1) / 2), edge, with_cue=with_cue)
    around = _neighbours(plan, cells, edge)
    return [_scene(plan, *each, edge) for each in zip(cells, faults, own, around, strict=True)]


def own_layers(
    plan: Plan, cells: Sequence[CellPlan], centres: np.ndarray, edge: int, *, with_cue: bool = True
) -> list[Layer]:
    """Draw the cells themselves, with or without what their phenotype did to them, around centres (N or 1, 2)."""
    rngs = streams(plan.study.seed, "body", [cell.address for cell in cells])
    draws = [Draws.of(rng) for rng in rngs]
    shown = changed if with_cue else without_cue
    natural = [
        natural_traits(d, _scale(plan, cell), plan.study.doses.distractors)
        for d, cell in zip(draws, cells, strict=True)
    ]
    traits = [shown(t, cell.phenotype, cell.strength) for t, cell in zip(natural, cells, strict=True)]
    texture = waves(rngs, edge, [_weave(t) for t in traits])
    return draw(make_bodies(traits, draws), texture, centres, edge)


def _scene(plan: Plan, cell: CellPlan, fault: Fault, own: Layer, around: Sequence[Layer], edge: int) -> Scene:
    own.light *= np.float32(fault.own_light)
    second = _second(plan, cell, fault, edge) if fault.second_radius else []
    made = compose([own, *second, *around], edge, edge)
    if second:
        made = _merged(made)
    if fault.debris:
        made.light += debris(fault.debris, stream(plan.study.seed, "fault", *cell.address, 1), edge)
    return made


def _weave(traits: Traits) -> Weave:
    return Weave(traits.wavelength, traits.thickness, traits.alignment, traits.fibre_angle)


def _scale(plan: Plan, cell: CellPlan) -> float:
    """Return how large plate, well, crowding and a planted size make the cell."""
    doses = plan.study.doses
    crowded = math.exp(-0.03 * doses.crowding * (cell.n_neighbours - 1.6))
    tied = cell.label == plan.study.tied_to
    return _well_scale(plan, cell) * crowded * (1 + 0.12 * doses.class_size * tied)


def _well_scale(plan: Plan, cell: CellPlan) -> float:
    number, well, _ = cell.address
    return plan.plates[number].size * plan.well(number, well).size


def _neighbours(plan: Plan, cells: Sequence[CellPlan], edge: int) -> list[list[Layer]]:
    """Place the cells around each cell, of which none shows a phenotype."""
    crowded = [cell for cell in cells if cell.n_neighbours]
    rngs = iter(streams(plan.study.seed, "neighbour", [cell.address for cell in crowded]))
    return [_around(plan, cell, next(rngs), edge) if cell.n_neighbours else [] for cell in cells]


def _around(plan: Plan, cell: CellPlan, rng: np.random.Generator, edge: int) -> list[Layer]:
    strangers = _strangers(*_origin(plan, cell), tuple(range(_N_STRANGERS)), _well_scale(plan, cell))
    layers = []
    for k, (turn, far, which, way) in enumerate(rng.random((cell.n_neighbours, 4)).tolist()):
        distance = CELL_RADIUS * (1.75 + 1.9 * math.sqrt(far))
        angle = 2 * math.pi * (turn + k) / cell.n_neighbours
        stranger = strangers[int(which * _N_STRANGERS)]
        layers.append(_put(turned(stranger, int(8 * way), _TILE), distance, angle, edge))
    return [layer for layer in layers if layer is not None]


def _second(plan: Plan, cell: CellPlan, fault: Fault, edge: int) -> list[Layer]:
    """Draw the second cell that the segmentation took for a part of the first."""
    which = int(fault.second_turn * _N_STRANGERS)
    (second,) = _strangers(*_origin(plan, cell), (which,), _well_scale(plan, cell) * fault.second_radius)
    distance = 0.85 * CELL_RADIUS * (1 + fault.second_radius)
    layer = _put(second, distance, 2 * math.pi * fault.second_turn, edge)
    return [] if layer is None else [layer]


def _origin(plan: Plan, cell: CellPlan) -> tuple[int, int, int, float]:
    """Return what the neighbours of a cell depend on: seed, plate, well, and the dose of their bright spots."""
    return plan.study.seed, *cell.address[:2], plan.study.doses.distractors


@lru_cache(maxsize=32)
def _strangers(
    seed: int, plate: int, well: int, distractors: float, which: tuple[int, ...], scale: float
) -> list[Layer]:
    """Draw some of the untreated cells that a well has for neighbours, each in the middle of a small canvas."""
    rngs = streams(seed, "neighbour", [(plate, well, one, 0) for one in which])
    draws = [Draws.of(rng) for rng in rngs]
    texture = Waves.gathered([neighbour_waves(seed, tile_of(rng.random()), _TILE) for rng in rngs])
    bodies = make_bodies([natural_traits(d, scale, distractors) for d in draws], draws)
    return draw(bodies, texture, np.full((1, 2), (_TILE - 1) / 2), _TILE)


def _put(layer: Layer, distance: float, angle: float, edge: int) -> Layer | None:
    """Put the middle of a small canvas at some distance from the middle of a canvas."""
    middle, centre = (_TILE - 1) / 2, (edge - 1) / 2
    down = round(centre + distance * math.sin(angle) - middle)
    return moved(layer, down, round(centre + distance * math.cos(angle) - middle), edge)


def _merged(made: Scene) -> Scene:
    """Give the second cell to the first; the others move up."""
    labels, nuclei = (np.where(a > 1, a - 1, a) for a in (made.labels, made.nuclei))
    return Scene(made.light, labels, nuclei)
