"""What lies under the microscope for one crop: the cell, its neighbours, and what a fault adds."""

from __future__ import annotations

import math

import numpy as np

from mlscope_nb.datasets.simulator.bodies import CELL_RADIUS, Draws, Traits, make_body, natural_traits
from mlscope_nb.datasets.simulator.faults import Fault, debris
from mlscope_nb.datasets.simulator.phenotypes import changed, without_cue
from mlscope_nb.datasets.simulator.plan import CellPlan, Plan
from mlscope_nb.datasets.simulator.scene import Layer, Scene, compose, draw
from mlscope_nb.datasets.simulator.streams import stream
from mlscope_nb.datasets.simulator.texture import neighbour_waves, tile_of, waves

PAD = 8  # pixels around a crop, so that light from outside reaches into it


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
    layer = draw(make_body(traits, draws), texture, centre, edge)
    if layer is None:
        raise ValueError(f"A cell at {centre} does not lie on a canvas of {edge} pixels.")
    return layer


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
    """Draw the cells around, of which none shows a phenotype."""
    if not cell.n_neighbours:
        return []
    rng = stream(plan.study.seed, "neighbour", *cell.address)
    layers = []
    for k in range(cell.n_neighbours):
        turn, far, tile = rng.random(3)
        distance = CELL_RADIUS * (1.75 + 1.9 * math.sqrt(far))
        angle = 2 * math.pi * (turn + k) / cell.n_neighbours
        place = (centre[0] + distance * math.sin(angle), centre[1] + distance * math.cos(angle))
        draws = Draws.of(rng)
        traits = natural_traits(draws, _well_scale(plan, cell), plan.study.doses.distractors)
        if all(-1.4 * traits.radius < p < edge + 1.4 * traits.radius for p in place):
            layers.append(_stranger(plan, traits, draws, tile, place, edge))
    return [layer for layer in layers if layer is not None]


def _second(plan: Plan, cell: CellPlan, fault: Fault, centre: tuple[float, float], edge: int) -> list[Layer]:
    """Draw the second cell that the segmentation took for a part of the first."""
    rng = stream(plan.study.seed, "fault", *cell.address, 2)
    draws = Draws.of(rng)
    scale = _well_scale(plan, cell) * fault.second_radius
    traits = natural_traits(draws, scale, plan.study.doses.distractors)
    distance = 0.85 * (CELL_RADIUS + traits.radius)
    angle = 2 * math.pi * fault.second_turn
    place = (centre[0] + distance * math.sin(angle), centre[1] + distance * math.cos(angle))
    layer = _stranger(plan, traits, draws, fault.second_turn, place, edge)
    return [] if layer is None else [layer]


def _stranger(
    plan: Plan, traits: Traits, draws: Draws, tile: float, place: tuple[float, float], edge: int
) -> Layer | None:
    return draw(make_body(traits, draws), neighbour_waves(plan.study.seed, tile_of(tile), edge), place, edge)


def _merged(made: Scene) -> Scene:
    """Give the second cell to the first; the others move up."""
    labels, nuclei = (np.where(a > 1, a - 1, a) for a in (made.labels, made.nuclei))
    return Scene(made.light, labels, nuclei)
