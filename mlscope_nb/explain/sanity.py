"""Sanity checks: does a map change when the network forgets, and stay when nothing that matters has changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._options import check_positive
from mlscope_nb.cells import Cells
from mlscope_nb.explain.attribution import Maps, maps_of
from mlscope_nb.explain.explained import chosen_ids, turned
from mlscope_nb.explain.likeness_of_maps import likeness
from mlscope_nb.explain.mapping import Mapper, Method
from mlscope_nb.explain.randomised import cascade
from mlscope_nb.predict.network import Network
from mlscope_nb.study.bootstrap import bootstrap_interval
from mlscope_nb.study.permutations import permute_labels

HALF = 0.5
"""Of what is special to a cell's map: more than this is left, or less."""
FEWEST, PAIRS, LEAST = 2, 5, 1e-6
SHIFT = 0.25
"""Of the way from background (0) to the bright end (1) that the irrelevant constant is."""
TEXT = (
    "A map that shows what a network has learned has to change when its weights are mixed up: one that stays the "
    "same is drawn from the picture, as an edge detector would draw it (Adebayo et al. 2018, arXiv 1810.03292). "
    "Passing proves little. A map of noise passes best of all, and mixing up from the answer downwards leaves the "
    "first layers as they were, so that what was bright inside of the network stays bright: maps can differ only "
    "so far (Binder et al. 2022, arXiv 2211.12486). Where the cell is the only thing in the crop, a network "
    "without knowledge looks at it as well, so that maps stay alike for the task's sake and not for the method's "
    "(Yona & Greenfeld 2021, arXiv 2110.14297). And a map can follow the weights and still point to the wrong "
    "place: only an answer key tells that (grade). So likeness stands beside that of maps of two different cells, "
    "which have nothing in common but the crop."
)


def sanity_check(
    network: Network,
    cells: Cells,
    method: Method = "gradient",
    *,
    target: Any = None,
    train: Callable[[Cells], Network] | None = None,
    stages: int = 5,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Return how alike maps stay when they should change, and when they should not.

    Should change: **weights** mixed up part by part, from the answer down to the first layer; **labels** exchanged
    between units before training (only with `train`, for it trains once more). Should stay: a constant added to every
    pixel of all channels, in a network that takes it off again (**shift**); the crop **turned** by a quarter, with the
    map turned back.

    Parameters
    ----------
    network : Network
        From `train_network`.
    cells : Cells
        A few dozen, of several units; controls of plates that are new to the network have to be among them.
    method : str
        As in `attribute`.
    target : optional
        The class in question, as in `attribute`. Default: the class that the intact network predicts.
    train : function of Cells, optional
        Trains the same kind of network, such as ``functools.partial(train_network, epochs=5)``; it gets `cells` with
        exchanged labels.
    stages : int
        How many steps the weights are mixed up in.
    level : float
        Confidence level.
    seed : int
        Of the exchanges.
    **options
        Further options of `attribute` (baseline, views, layer, …).

    Returns
    -------
    DataFrame
        One row per check: `check`, `what`, `should` ("change" or "stay"); `spearman`, `ssim` and `signed` (see
        `likeness`), each with `_low` and `_high` over units; `between_cells`, the rank correlation of maps of two
        different cells; `kept`, which share of what is special to a cell's map is still there (1: all of it, 0: no more
        alike than two cells), with `_low` and `_high`; `n_cells`, `n_units`, `verdict`. ``.attrs["text"]`` holds what
        such checks can and cannot show.

    Raises
    ------
    ValueError
        Fewer than two cells, or as in `attribute`.

    References
    ----------
    Adebayo et al. 2018, arXiv 1810.03292; Kindermans et al. 2017, arXiv 1711.00867 (shifts); their critics are named in
    ``.attrs["text"]``.

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.predict import train_network
    >>> cells, _ = simulate(1, 8, 2)
    >>> found = sanity_check(train_network(cells, epochs=1, width=4), cells, stages=2)
    >>> found["check"].tolist()
    ['weights', 'weights', 'shift', 'turn']
    """
    check_positive({"stages": stages}, whole=["stages"])
    ids = chosen_ids(cells, options.pop("ids", None))
    if len(ids) < FEWEST:
        raise ValueError(f"{len(ids)} cells to look at, expected {FEWEST} at least: a few dozen of several units.")
    asked = network.predict(cells).loc[ids] if target is None else target
    place: dict[str, Any] = {
        "target": asked,
        "ids": ids,
        **{k: options.pop(k) for k in ("baseline", "reference") if k in options},
    }
    mapper = Mapper(method, **options)
    side, units = network.pixels.window, cells.subset(ids).units if cells.design.unit else None
    original = _inside(maps_of(network, cells, mapper, **place), side)
    between = _between(original, ids, units)
    rows = []
    for check, what, should, maps in _changed(network, cells, mapper, place, train, stages, seed):
        alike = likeness(original, _inside(maps, side))
        rows.append({"check": check, "what": what, "should": should, **_row(alike, between, units, level, seed)})
    result = pd.DataFrame(rows)
    result["verdict"] = [_verdict(row) for _, row in result.iterrows()]
    result.attrs["text"] = TEXT
    result.attrs["history"] = [_align.step("sanity_check", method=method, stages=stages, n_cells=len(ids), seed=seed)]
    return result


def _changed(
    network: Network,
    cells: Cells,
    mapper: Mapper,
    place: dict[str, Any],
    train: Callable[[Cells], Network] | None,
    stages: int,
    seed: int,
) -> Iterator[tuple[str, str, str, Maps]]:
    """Yield check, what was changed, what the map should do, and the maps after it."""
    for name, forgetful in cascade(network, stages, seed):
        yield "weights", f"down to {name}", "change", maps_of(forgetful, cells, mapper, **place)
    if train is not None:
        exchanged = next(iter(permute_labels(cells, 1, seed=seed))).rename("label exchanged")
        other = train(cells.with_obs(exchanged).with_design(label="label exchanged"))
        yield "labels", "exchanged between units", "change", maps_of(other, cells, mapper, **place)
    shifted = maps_of(_shifted(network), cells, mapper, **place, altered=lambda crops: crops + SHIFT)
    yield "shift", "a constant added", "stay", shifted
    turns = maps_of(network, cells, mapper, **place, altered=lambda crops: turned(crops, 1))
    side, found = network.pixels.window, np.zeros_like(turns)
    top, left = ((n - side) // 2 for n in network.pixels.shape)
    square = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
    found[square] = np.rot90(turns[square], -1, (2, 3))
    yield "turn", "a quarter", "stay", found


def _shifted(network: Network) -> Network:
    """Return a network that takes a constant off before it looks: of brighter pictures it says what it said before."""
    model = copy.deepcopy(network.model)
    model.register_forward_pre_hook(lambda _model, given: (given[0] - SHIFT, *given[1:]))
    return replace(network, model=model)


def _inside(maps: Maps, side: int) -> Maps:
    """Return what maps (N, 1, Y, X) say inside the window, (N, side, side): outside of it all are 0 and alike."""
    top, left = ((n - side) // 2 for n in maps.shape[2:])
    return maps[:, 0, top : top + side, left : left + side]


def _between(maps: Maps, ids: pd.Index, units: pd.Series | None) -> float:
    """Return the mean rank correlation of maps of two cells, of two units where there are several."""
    order = np.argsort(ids.to_numpy(dtype=str), kind="stable")
    names = np.arange(len(ids)).astype(str) if units is None or units.nunique() < FEWEST else units.to_numpy(dtype=str)
    found = []
    for step in range(1, len(ids)):
        other = np.roll(order, -step)
        apart = names[order] != names[other]
        if apart.any():
            found.append(likeness(maps[order[apart]], maps[other[apart]])["spearman"])
        if len(found) == PAIRS:
            break
    return float(np.concatenate(found).mean())


def _row(
    alike: dict[str, NDArray[np.float64]], between: float, units: pd.Series | None, level: float, seed: int
) -> dict[str, Any]:
    kept = (alike["spearman"] - between) / max(1 - between, LEAST)
    row: dict[str, Any] = {}
    for name, values in {**alike, "kept": kept}.items():
        low = high = np.nan
        mean, n_units = float(values.mean()), 0
        if units is not None:
            found = bootstrap_interval(values, units.to_numpy(), method="t", level=level, seed=seed)
            mean, low, high, n_units = found.estimate, found.low, found.high, found.n_units
        row[name], row[f"{name}_low"], row[f"{name}_high"], row["n_units"] = mean, low, high, n_units
    return {**row, "between_cells": between, "n_cells": len(kept)}


def _verdict(row: pd.Series) -> str:
    if not np.isfinite(row["kept_low"]):
        return "no interval: too few units to say"
    much, little = row["kept_low"] > HALF, row["kept_high"] < HALF
    if row["should"] == "change":
        return "stays: drawn from the picture" if much else "changes, as it should" if little else "undecided"
    return "stays, as it should" if much else "changes, though nothing has" if little else "undecided"
