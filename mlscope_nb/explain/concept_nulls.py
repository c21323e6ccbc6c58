"""Concepts: whether what chosen cells have in common moves a network towards a class, more than random choices do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.concept_result import Concepts, judged
from mlscope_nb.explain.explained import crops_at_once
from mlscope_nb.explain.gradcam import chosen_layer
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.network import Network
from mlscope_nb.study.intervals import Interval, check_level, difference_interval
from mlscope_nb.study.permutations import permutation_test

FEWEST = 5
"""Cells of a concept, and cells beside it."""
LABEL = "in concept"


@dataclass(frozen=True, eq=False)
class Inside:
    """What a layer holds of each cell.

    Parameters
    ----------
    held : array (N, 2 D)
        Mean of each map, then by how much its strongest place exceeds that.
    slopes : dict of arrays (N, 2 D)
        By class: how its score changes when a map gets brighter everywhere, and how much more its strongest place
        counts than others do. Behind the last layer of the small network `held` times these is the score.
    code : int array (N,)
        The class of each cell, given or, without labels, predicted; -1 for none that the network knows.
    """

    held: Floats
    slopes: dict[Any, Floats]
    code: NDArray[np.intp]


def concepts(
    network: Network,
    cells: Cells,
    chosen: Any,
    *,
    target: Any = None,
    layer: str | None = None,
    n_random: int = 499,
    level: float = 0.95,
    seed: int = 0,
) -> Concepts:
    """Test whether what lassoed cells have in common speaks for a class, inside of the network.

    A concept is shown by examples: cells chosen in the workbench. Its direction is how a layer (the mean of each map,
    and its strongest place, for a small thing hardly moves a mean) differs between these cells and the other cells of
    the same units (so that what wells and plates differ in is no concept; where whole units are chosen, units of the
    same batch are compared). A class uses the concept when its score grows along that direction. Any choice of cells
    gives some direction, so the effect is compared with random lassos of as many cells from the same units, and its
    interval is over units.

    Parameters
    ----------
    network : Network
        From `train_network`.
    cells : Cells
        With images and a unit; the chosen cells and others, best of units that the network has not seen.
    chosen : ids, or dict
        The lassoed cells; or several concepts, ``{name: ids}``.
    target : optional
        The class. Default: each class.
    layer : str, optional
        Which layer (``ms.explain.layers(network)`` lists some). Default: the deepest, where things have names rather
        than edges; places do not matter here.
    n_random : int
        How many random lassos.
    level : float
        Confidence level, and what a p-value has to fall below (1 - level, over all concepts and classes asked).
    seed : int
        Of the random lassos; the order of rows does not matter.

    Returns
    -------
    Concepts
        ``.table`` by concept and class: effect, low, high, p_random, p_adjusted, significant, tcav and more.

    Raises
    ------
    ValueError, KeyError
        No images or unit, too few cells chosen or left, no such class, layer or id.

    References
    ----------
    Kim et al. 2018, arXiv 1711.11279 (TCAV, and why random concepts are needed); Pahde et al. 2025, arXiv 2202.03482
    (directions as differences of means: those of classifiers turn towards noise).

    Examples
    --------
    >>> from mlscope_nb.predict import train_network
    >>> pixels = np.random.default_rng(0).integers(0, 4000, (48, 1, 16, 16), dtype=np.uint16)
    >>> obs = pd.DataFrame({"well": list("ABCDEF") * 8, "drug": list("xyxyxy") * 8}, index=[f"c{i}" for i in range(48)])
    >>> cells = Cells(obs, pixels, channels=["DNA"], label="drug", unit="well")
    >>> found = concepts(train_network(cells, epochs=1, width=4), cells, cells.ids[:12], target="y", n_random=19)
    >>> found.table[["concept", "target", "n_cells", "n_units"]].values.tolist()
    [['concept', 'y', 12, 6]]
    """
    check_level(level)
    if n_random < 19:
        raise ValueError(f"n_random is {n_random}, expected 19 or more: fewer random lassos allow no p-value of 0.05.")
    if not cells.design.unit:
        raise ValueError("No unit of independence is declared. Name its column: cells.with_design(unit=…).")
    named = _named(cells, chosen)
    wanted = tuple(network.classes) if target is None else (target,)
    unknown = [c for c in wanted if c not in network.classes]
    if unknown:
        raise KeyError(f"No class {some(unknown)}. Classes: {some(network.classes)}.")
    at = chosen_layer(network, layer, usual="deepest")
    ordered = cells.subset(np.sort(cells.ids.to_numpy(dtype=str)))
    inside = _inside(network, ordered, at, wanted)
    rows = []
    for name, ids in named.items():
        member = ordered.ids.isin(ids)
        table = ordered.with_images(None).with_obs(pd.Series(member, ordered.ids, name=LABEL)).with_design(label=LABEL)
        draws = _random_lassos(member, pd.factorize(ordered.units)[0], n_random, seed)
        rows += [
            {
                "concept": name,
                "target": c,
                **_tested(table, member, inside, c, network.classes.index(c), draws, level, seed),
            }
            for c in wanted
        ]
    step = _align.step("concepts", layer=at, n_random=n_random, concepts=list(named), seed=seed)
    found = judged(pd.DataFrame(rows), level)
    found.attrs = {"history": [step]}
    return Concepts(found, at, n_random, level)


def _named(cells: Cells, chosen: Any) -> dict[str, pd.Index]:
    several = chosen if isinstance(chosen, Mapping) else {"concept": chosen}
    found = {str(name): cells.ids[_align.positions(ids, cells.ids)] for name, ids in several.items()}
    for name, ids in found.items():
        if len(ids) < FEWEST or len(cells) - len(ids) < FEWEST:
            raise ValueError(
                f"{count(len(ids), 'cell')} in '{name}' of {len(cells):,}, expected at least {FEWEST}, and as many "
                "others: what cells have in common does not show in fewer."
            )
    return found


def _inside(network: Network, cells: Cells, layer: str, classes: tuple[Any, ...]) -> Inside:
    """Run all cells once; keep what the layer holds, and how the score of each class depends on it."""
    held: list[Floats] = []
    said: list[NDArray[np.intp]] = []
    slopes: dict[Any, list[Floats]] = {c: [] for c in classes}
    with usable_threads():
        for _, crops in network.inputs(cells, crops_at_once(network)):
            maps, scores = _layer(network, crops, layer)
            top = maps.detach().flatten(2).argmax(dim=2, keepdim=True)
            held.append(_by_map(_held(maps.detach(), top), len(crops)))
            said.append(scores.argmax(dim=1).cpu().numpy().astype(np.intp))
            for c in classes:
                score = (scores[:, network.classes.index(c)] - scores.mean(dim=1)).sum()
                (slope,) = torch.autograd.grad(score, maps, retain_graph=True)
                slopes[c].append(_by_map(_slopes(slope, top), len(crops)))
    code = np.concatenate(said)
    if cells.design.label:
        code = pd.Index(network.classes, dtype=object).get_indexer(pd.Index(cells.labels, dtype=object))
    lacking = [c for c in classes if not (code == network.classes.index(c)).any()]
    if lacking:
        raise ValueError(f"No cell of the class {some(lacking)}, whose score could be asked. Give cells of it too.")
    return Inside(np.concatenate(held), {c: np.concatenate(s) for c, s in slopes.items()}, code)


def _layer(network: Network, crops: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """Return the output of a layer, ready for gradients, and the scores."""
    kept: list[Tensor] = []

    def keep(_layer: object, _inputs: object, output: Tensor) -> Tensor:
        # A leaf of its own: layers before it need no gradients.
        kept.append(output.detach().requires_grad_(True))
        return kept[-1]

    network.model.eval()
    device = next(network.model.parameters()).device
    handle = network.model.get_submodule(layer).register_forward_hook(keep)
    try:
        scores = network.model(crops.to(device))
    finally:
        handle.remove()
    return kept[-1], scores


def _held(maps: Tensor, top: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of each map, and by how much its strongest place exceeds it."""
    mean = maps.mean(dim=(2, 3))
    return mean, maps.flatten(2).gather(2, top)[:, :, 0] - mean


def _slopes(slope: Tensor, top: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slope of a map as a whole, and that of its strongest place beyond the mean of the other places."""
    whole, peak = slope.sum(dim=(2, 3)), slope.flatten(2).gather(2, top)[:, :, 0]
    return whole, peak - (whole - peak) / max(1, slope.shape[2] * slope.shape[3] - 1)


def _by_map(parts: tuple[Tensor, Tensor], n: int) -> Floats:
    """Return two numbers per map side by side (n, 2 D); maps of channels kept apart side by side."""
    return np.concatenate([part.detach().cpu().double().reshape(n, -1).numpy() for part in parts], axis=1)


def _random_lassos(member: NDArray[np.bool_], unit: NDArray[np.intp], n: int, seed: int) -> NDArray[np.bool_] | None:
    """Return lassos (n, N) with as many cells of each unit; None where the concept holds whole units only."""
    inside = np.bincount(unit, member)
    sizes = np.bincount(unit)
    if not ((inside > 0) & (inside < sizes)).any():
        return None
    rng = np.random.default_rng(seed)
    drawn = np.zeros((n, len(member)), bool)
    for row in drawn:
        order = np.lexsort((rng.random(len(member)), unit))
        place = np.arange(len(member)) - np.concatenate([[0], np.cumsum(sizes)[:-1]])[unit[order]]
        row[order] = place < inside[unit[order]]
    return drawn


def _tested(
    table: Cells, member: NDArray[np.bool_], inside: Inside, target: Any, code: int, draws: NDArray[np.bool_] | None,
    level: float, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return effect, interval, p-value and TCAV scores of one concept and class."""
    unit = pd.factorize(table.units)[0]
    of_class = inside.code == code
    free = of_class & ~member
    slopes = inside.slopes[target][free if free.any() else of_class]
    # Where the network is sure its score is flat: how steep it is on the way is the mean over the cells of all classes.
    known = [inside.code == k for k in np.unique(inside.code[inside.code >= 0])]
    steep = np.mean([inside.slopes[target][rows].mean(axis=0) for rows in known], axis=0)
    # What each cell's maps add to the score, were it as steep everywhere.
    speaks = inside.held @ steep
    spread = float(speaks.std()) or 1.0
    found: Interval = difference_interval(
        pd.Series(speaks / spread, table.ids), table, between=(False, True), level=level
    )
    row = {"effect": found.estimate, "low": found.low, "high": found.high, "n_cells": int(member.sum()),
           "n_units": found.n_units, "note": found.note}  # fmt: skip
    direction = _contrast(inside.held, member, unit)
    row["tcav"] = float(((slopes @ direction) > 0).mean())
    if draws is None:
        test = permutation_test(pd.Series(speaks / spread, table.ids), table, seed=seed)
        return {**row, "p_random": test.p_value, "tcav_random": np.nan}
    several = np.stack([_contrast(inside.held, draw, unit) for draw in draws])
    effects = several @ steep
    here = abs(float(direction @ steep))
    row["p_random"] = (1 + int((np.abs(effects) >= here * (1 - 1e-9)).sum())) / (1 + len(draws))
    return {**row, "tcav_random": float(((slopes @ several.T) > 0).mean())}


def _contrast(values: Floats, member: NDArray[np.bool_], unit: NDArray[np.intp]) -> Floats:
    """Return how chosen cells differ from the others of their units (D,), each unit counting the same.

    Where no unit holds both, means of units are compared.
    """
    n = int(unit.max()) + 1
    sums = np.zeros((2 * n, values.shape[1]))
    np.add.at(sums, unit + n * member, values)
    sizes = np.bincount(unit + n * member, minlength=2 * n)
    means = sums / np.maximum(sizes, 1)[:, None]
    both = (sizes[:n] > 0) & (sizes[n:] > 0)
    if both.any():
        return np.asarray((means[n:][both] - means[:n][both]).mean(axis=0))
    return np.asarray(means[n:][sizes[n:] > 0].mean(axis=0) - means[:n][sizes[:n] > 0].mean(axis=0))
