"""What lies under the microscope for one crop: the cell, its neighbours, and what a fault adds."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mlscope_nb.datasets.simulator.bodies import CELL_RADIUS, Draws, make_body, natural_traits
from mlscope_nb.datasets.simulator.faults import Fault, debris
from mlscope_nb.datasets.simulator.phenotypes import changed, without_cue
from mlscope_nb.datasets.simulator.plan import CellPlan, Plan
from mlscope_nb.datasets.simulator.scene import Layer, Scene, compose, draw, moved, turned
from mlscope_nb.datasets.simulator.streams import stream
from mlscope_nb.datasets.simulator.texture import neighbour_waves, tile_of, waves

PAD = 8  # pixels around a crop, so that light from outside reaches into it
_TILE = 80  # pixels around a neighbour; wider than any
_N_STRANGERS = 12  # different neighbours in a well, each seen in eight ways


def scene(plan: Plan, cell: CellPlan, fault: Fault, *, with_cue: bool = True) -> Scene:
    """Draw the cell and all that lies around it, on a canvas `PAD` pixels wider than the crop on each side."""
    edge = plan.study.size + 2 * PAD
    centre = ((edge - 1) / 2, (edge - 1) / 2)
    own = own_layer(plan, cell, centre, edge, with_cue=with_cue)
    own.light *= np.float32(fault.own_light)
    second = _second(plan, cell, fault, centre, edge) if fault.second_radius else []
    made = compose([own, *second, *_neighbours(plan, cell, centre, edge)], edge, edge)
    if second:
        made = _merged(made)
    if fault.debris:
        made.light += debris(fault.debris, stream(plan.study.seed, "fault", *cell.address, 1), edge)
    return made


def own_layer(plan: Plan, cell: CellPlan, centre: tuple[float, float], edge: int, *, with_cue: bool = True) -> Layer:
    """Draw the cell itself, with or without what its phenotype did to it."""
    rng = stream(plan.study.seed, "body", *cell.address)
    draws = Draws.of(rng)
    natural = natural_traits(draws, _scale(plan, cell), plan.study.doses.distractors)
    traits = (changed if with_cue else without_cue)(natural, cell.phenotype, cell.strength)
    texture = waves(rng, edge, traits.wavelength, traits.thickness, traits.alignment, traits.fibre_angle)
    return draw(make_body(traits, draws), texture, centre, edge)


def _scale(plan: Plan, cell: CellPlan) -> float:
    """Return how large plate, well, crowding and a planted size make the cell."""
    doses = plan.study.doses
    crowded = math.exp(-0.03 * doses.crowding * (cell.n_neighbours - 1.6))
    tied = cell.label == plan.study.tied_to
    return _well_scale(plan, cell) * crowded * (1 + 0.12 * doses.class_size * tied)


def _well_scale(plan: Plan, cell: CellPlan) -> float:
    number, well, _ = cell.address
    return plan.plates[number].size * plan.well(number, well).size


def _neighbours(plan: Plan, cell: CellPlan, centre: tuple[float, float], edge: int) -> list[Layer]:
    """Place the cells around, of which none shows a phenotype."""
    if not cell.n_neighbours:
        return []
    random = stream(plan.study.seed, "neighbour", *cell.address).random((cell.n_neighbours, 4))
    layers = []
    for k, (turn, far, which, way) in enumerate(random):
        distance = CELL_RADIUS * (1.75 + 1.9 * math.sqrt(far))
        angle = 2 * math.pi * (turn + k) / cell.n_neighbours
        stranger = _stranger_of(plan, cell, int(which * _N_STRANGERS), 1.0)
        layers.append(_put(turned(stranger, int(8 * way), _TILE), centre, distance, angle, edge))
    return [layer for layer in layers if layer is not None]


def _second(plan: Plan, cell: CellPlan, fault: Fault, centre: tuple[float, float], edge: int) -> list[Layer]:
    """Draw the second cell that the segmentation took for a part of the first."""
    which = int(fault.second_turn * _N_STRANGERS)
    second = _stranger_of(plan, cell, which, fault.second_radius)
    distance = 0.85 * CELL_RADIUS * (1 + fault.second_radius)
    layer = _put(second, centre, distance, 2 * math.pi * fault.second_turn, edge)
    return [] if layer is None else [layer]


def _stranger_of(plan: Plan, cell: CellPlan, which: int, scale: float) -> Layer:
    size = _well_scale(plan, cell) * scale
    return _stranger(plan.study.seed, *cell.address[:2], which, size, plan.study.doses.distractors)


@lru_cache(maxsize=256)
def _stranger(seed: int, plate: int, well: int, which: int, scale: float, distractors: float) -> Layer:
    """Draw one of the untreated cells that a well has for neighbours, in the middle of a small canvas."""
    rng = stream(seed, "neighbour", plate, well, which, 0)
    draws = Draws.of(rng)
    texture = neighbour_waves(seed, tile_of(rng.random()), _TILE)
    body = make_body(natural_traits(draws, scale, distractors), draws)
    return draw(body, texture, ((_TILE - 1) / 2, (_TILE - 1) / 2), _TILE)


def _put(layer: Layer, centre: tuple[float, float], distance: float, angle: float, edge: int) -> Layer | None:
    """Put the middle of a small canvas at some distance from a centre."""
    middle = (_TILE - 1) / 2
    down = round(centre[0] + distance * math.sin(angle) - middle)
    return moved(layer, down, round(centre[1] + distance * math.cos(angle) - middle), edge)


def _merged(made: Scene) -> Scene:
    """Give the second cell to the first; the others move up."""
    labels, nuclei = (np.where(a > 1, a - 1, a) for a in (made.labels, made.nuclei))
    return Scene(made.light, labels, nuclei)
