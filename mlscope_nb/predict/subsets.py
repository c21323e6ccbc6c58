"""Subsets: smaller studies inside a study, made of whole units, each holding the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.study.splits import Split
from mlscope_nb.study.units import plural

SMALLEST_SHARE = 1 / 8
STEPS = 6
FEWEST_STEPS = 3


def nested_order(table: pd.DataFrame, rng: np.random.Generator) -> list[Any]:
    """Return units in an order of which every beginning is a smaller study of the same kind.

    The first units hold one of each class; after that each class has its share, and in each class one unit of every
    batch comes before a second one of any.

    Parameters
    ----------
    table : DataFrame (units)
        ``label`` and ``batch`` of each unit.
    rng : Generator
        What is drawn.

    Examples
    --------
    >>> wells = pd.DataFrame({"label": list("xyxyxy"), "batch": list("112233")}, index=list("abcdef"))
    >>> order = nested_order(wells, np.random.default_rng(0))
    >>> [sorted(wells.loc[order[:n], "label"]) for n in (2, 4)]
    [['x', 'y'], ['x', 'x', 'y', 'y']]
    """
    shuffled = table.iloc[rng.permutation(len(table))]
    batches = rng.permutation(shuffled["batch"].unique())
    place = pd.Series(rng.random(len(batches)), index=batches)
    keys = np.empty(len(shuffled))
    for rows in shuffled.groupby("label", observed=True).indices.values():
        of_batch = shuffled["batch"].iloc[rows]
        again = of_batch.groupby(of_batch.to_numpy()).cumcount().to_numpy()
        # Classes begin with different batches, so that small studies are spread over them too.
        turn = (of_batch.map(place).to_numpy() + rng.random()) % 1
        rank = np.argsort(np.lexsort((turn, again)))
        keys[rows] = np.where(rank == 0, -1.0, (rank + rng.random()) / len(rows))
    return list(shuffled.index[np.argsort(keys, kind="stable")])


def orders(
    units: pd.Series, labels: pd.Series, batch: pd.Series, parts: Sequence[Split], rng: np.random.Generator
) -> list[list[Any]]:
    """Return the training units of each split in nested order; units without a labelled cell take no part.

    A unit with several classes counts as one of its rarest class, so that small studies hold it.
    """
    known = labels.notna()
    frequency = labels.map(labels.value_counts())
    table = pd.DataFrame({"label": labels.astype(object), "batch": batch, "unit": units, "frequency": frequency})[known]
    # Ties by name, so that the order of the cells does not matter.
    table = table.assign(name=table["label"].astype(str)).sort_values(["frequency", "name"], kind="stable")
    found = []
    for part in parts:
        mine = table[table.index.isin(part.train_ids)].groupby("unit", sort=True).first()
        found.append(nested_order(mine, rng))
    return found


def complete_from(order: Sequence[Any], units: pd.Series, labels: pd.Series) -> int:
    """Return how many of the first units hold all classes that the whole order holds."""
    places = pd.Series(np.arange(len(order)), index=list(order))
    mine = units.isin(places.index) & labels.notna()
    return int(units[mine].map(places).groupby(labels[mine], observed=True).min().max()) + 1


def default_sizes(smallest: int, largest: int, word: str) -> list[int]:
    """Return numbers of units to train on, each about half as much again as the one before.

    Raises
    ------
    ValueError
        Too few units for a curve.

    Examples
    --------
    >>> default_sizes(7, 80, "well")
    [10, 15, 23, 35, 53, 80]
    """
    first = max(smallest, 2, round(largest * SMALLEST_SHARE))
    sizes = np.unique(np.geomspace(first, max(largest, first), STEPS).round().astype(int)).tolist()
    if largest < first or len(sizes) < FEWEST_STEPS:
        raise ValueError(
            f"{count(largest, word, plural(word))} to train on, of which {first} are the fewest that hold all classes: "
            f"too few for a curve. At least {FEWEST_STEPS} sizes are needed: add {plural(word)}, or leave rare classes "
            "out."
        )
    return sizes


def beginning(part: Split, order: Sequence[Any], n: int, units: pd.Series) -> Split:
    """Return the split with the first `n` units of an order to train on."""
    mine = units[part.train_ids].isin(set(order[:n])).to_numpy()
    return Split(part.train_ids[mine], part.test_ids, part.by, part.held_out, part.note)
