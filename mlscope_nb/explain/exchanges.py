"""Exchanges: which cells are asked, and whose pixels they get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.explained import crops_at_once
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.network import Network, probabilities

Codes = NDArray[np.intp]
SURE = 1e-6
"""Probabilities closer to 0 or 1 than this count as this far."""
TARGETS = 2
"""Classes that each cell is turned into, where there are many."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The cells that are asked about, and what the network says of them as they are.

    Parameters
    ----------
    cells : Cells
        In the order of their ids.
    crops : tensor (N, C, side, side)
        As the network reads them.
    label, said : int arrays (N,)
        Given and predicted class.
    logits : array (N, K)
        Log odds of each class.
    """

    cells: Cells
    crops: Tensor
    label: Codes
    said: Codes
    logits: Floats


def log_odds(network: Network, crops: Tensor) -> Floats:
    """Return the log odds (N, K) of each class, of probabilities as `predict_proba` gives them."""
    network.model.eval()
    device = next(network.model.parameters()).device
    with usable_threads(), torch.inference_mode():
        parts = [probabilities(network.model, p.to(device)).cpu() for p in crops.split(crops_at_once(network))]
    p = torch.cat(parts).double().clamp(SURE, 1 - SURE).numpy()
    return np.asarray(np.log(p) - np.log1p(-p))


def asked(network: Network, cells: Cells, n_cells: int | None, seed: int) -> Asked:
    """Choose cells of all classes and units alike, and ask the network.

    Raises
    ------
    ValueError
        No images or label, or cells of fewer than two of the network's classes.
    """
    if cells.images is None:
        raise ValueError(
            "These cells have no images, only tables. Counterfactuals are pictures: read cells with images."
        )
    if cells.design.label is None:
        raise ValueError("No label is declared, so classes cannot be exchanged. Name it: cells.with_design(label=…).")
    codes = pd.Index(network.classes, dtype=object).get_indexer(pd.Index(cells.labels, dtype=object))
    if len(np.unique(codes[codes >= 0])) < 2:
        raise ValueError(
            f"{count(len(np.unique(codes[codes >= 0])), 'class', 'classes')} of the network's {some(network.classes)} "
            "among these cells. Two are needed at least, to put what is in one into the other."
        )
    chosen = _spread(cells, codes, n_cells, seed)
    parts: list[Tensor] = []
    ids: list[Any] = []
    for part_ids, crops in network.inputs(cells):
        here = np.flatnonzero(part_ids.isin(chosen))
        parts.append(crops[torch.from_numpy(here)])
        ids.extend(part_ids[here])
    order = np.argsort(np.array(ids, dtype=str), kind="stable")
    mine = cells.subset([ids[k] for k in order])
    pictures = torch.cat(parts)[torch.from_numpy(order)]
    found = log_odds(network, pictures)
    return Asked(mine, pictures, codes[cells.ids.get_indexer(mine.ids)], found.argmax(axis=1), found)


def _spread(cells: Cells, codes: Codes, n: int | None, seed: int) -> pd.Index:
    """Return ids of cells of known classes: as many of each class, units in turn; the order of rows does not matter."""
    known = np.flatnonzero(codes >= 0)
    if n is None or n >= len(known):
        return cells.ids[known]
    rows = known[np.argsort(cells.ids[known].to_numpy(dtype=str), kind="stable")]
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    frame = pd.DataFrame({"row": rows, "code": codes[rows], "unit": units_of(cells).to_numpy()[rows]})
    frame["turn"] = frame.groupby(["code", "unit"]).cumcount()
    frame["place"] = frame.sort_values("turn", kind="stable").groupby("code").cumcount()
    return cells.ids[frame.sort_values("place", kind="stable")["row"].to_numpy()[:n]]


def units_of(cells: Cells) -> pd.Series:
    """Return the unit of each cell; each cell by itself where none is declared."""
    return cells.units if cells.design.unit else pd.Series(cells.ids, index=cells.ids, name="cell")


def pairs(found: Asked, target: Any, classes: tuple[Any, ...], seed: int) -> pd.DataFrame:
    """Return who gets whose pixels: rows of cells, the class to turn into, a donor of that class and one of their own.

    Donors are of the same batch, and cells that the network takes for what they are (where there are none, any cell of
    the class): others would not show what it goes by. Cells that are taken for the target already are not asked.

    Raises
    ------
    ValueError, KeyError
        No such class, or no cell can get anything.
    """
    if target is not None and target not in classes:
        raise KeyError(f"No class {target!r}. Classes: {some(classes)}.")
    batch = pd.factorize(found.cells.batches_of)[0] if found.cells.design.batch else np.zeros(len(found.label), np.intp)
    rng = np.random.default_rng([seed, 1])
    rows = []
    present = np.unique(found.label)
    for row, own in enumerate(found.label):
        others = [k for k in np.roll(present, -row % len(present)) if k != own]
        wanted = others[:TARGETS] if target is None else [k for k in others if classes[k] == target]
        mine = _donor(found, batch, row, own, rng)
        for k in wanted:
            donor = _donor(found, batch, row, k, rng)
            if found.said[row] != k and donor >= 0 and mine >= 0:
                rows.append((row, k, donor, mine))
    if not rows:
        raise ValueError(
            "No cell could get pixels of another class: in each batch there have to be two classes at least, and "
            "cells that the network does not take for the other class already."
        )
    return pd.DataFrame(rows, columns=["row", "target", "donor", "own_donor"])


def other_donors(found: Asked, rows: Codes, seed: int) -> Codes:
    """Return for each row a cell of its batch, of another class and known for what it is; -1 for none."""
    batch = pd.factorize(found.cells.batches_of)[0] if found.cells.design.batch else np.zeros(len(found.label), np.intp)
    rng = np.random.default_rng([seed, 2])
    chosen = []
    for row in rows:
        able = np.flatnonzero((batch == batch[row]) & (found.label != found.label[row]) & (found.label == found.said))
        chosen.append(int(rng.choice(able)) if len(able) else -1)
    return np.array(chosen, np.intp)


def _donor(found: Asked, batch: NDArray[Any], row: int, code: int, rng: np.random.Generator) -> int:
    of_class = (batch == batch[row]) & (found.label == code) & (np.arange(len(batch)) != row)
    able = np.flatnonzero(of_class & (found.said == code))
    able = able if len(able) else np.flatnonzero(of_class)
    return int(rng.choice(able)) if len(able) else -1
