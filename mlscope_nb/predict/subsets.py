"""Subsets: the units of a study dealt to smaller studies of the same kind, none of them to two."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd


def unit_table(units: pd.Series, labels: pd.Series, batch: pd.Series) -> pd.DataFrame:
    """Return label and batch of each unit that has a labelled cell.

    A unit with several classes counts as one of its rarest class, so that small studies hold it.

    Examples
    --------
    >>> ids = list("wxyz")
    >>> wells = pd.Series(["A01", "A01", "A02", "A03"], ids)
    >>> found = unit_table(wells, pd.Series(["a", "b", "a", None], ids), pd.Series("p1", ids))
    >>> found["label"].to_dict()
    {'A01': 'b', 'A02': 'a'}
    """
    known = labels.notna()
    table = pd.DataFrame({"unit": units, "label": labels.astype(object), "batch": batch})[known]
    # Ties by name, so that the order of the cells does not matter. Units count, never the cells in them.
    n_units = table.groupby("label", observed=True)["unit"].nunique()
    table = table.assign(frequency=table["label"].map(n_units), name=table["label"].astype(str))
    return (
        table.sort_values(["frequency", "name"], kind="stable").groupby("unit", sort=True)[["label", "batch"]].first()
    )


def on_a_circle(table: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Return a place in [0, 1) for each unit, so that every arc of a circle holds a smaller study of the same kind.

    Each class is spread evenly over the circle, one of its units in every batch before a second one in any; classes
    begin with different batches, so that an arc has its share of every batch too.

    Parameters
    ----------
    table : DataFrame (units)
        ``label`` and ``batch`` of each unit.
    rng : Generator
        What is drawn.

    Examples
    --------
    >>> wells = pd.DataFrame({"label": list("xyxyxyxy"), "batch": list("11223344")}, index=list("abcdefgh"))
    >>> place = on_a_circle(wells, np.random.default_rng(0))
    >>> sorted(wells.loc[place < 0.5, "label"])
    ['x', 'x', 'y', 'y']
    """
    shuffled = table.iloc[rng.permutation(len(table))]
    batches = rng.permutation(shuffled["batch"].unique())
    turn = pd.Series(np.arange(len(batches)) / len(batches), index=batches)
    classes = list(shuffled.groupby("label", observed=True, sort=True).indices.values())
    first, start = (_spread(len(classes), rng) for _ in range(2))
    place = np.empty(len(shuffled))
    for rows, begins, from_batch in zip(classes, first, start, strict=True):
        batch = shuffled["batch"].iloc[rows]
        again = batch.groupby(batch.to_numpy()).cumcount().to_numpy()
        order = np.lexsort(((batch.map(turn).to_numpy() + from_batch) % 1, again))
        place[rows[order]] = (np.arange(len(rows)) + begins) / len(rows) % 1
    return pd.Series(place, shuffled.index).reindex(table.index)


def arcs(place: pd.Series, share: float) -> list[list[Hashable]]:
    """Return the units on as many arcs of a length as cover the circle: without overlap where the share is 1/2, 1/3, …

    Examples
    --------
    >>> arcs(pd.Series([0.0, 0.25, 0.5, 0.75], list("abcd")), 0.5)
    [['a', 'b'], ['c', 'd']]
    """
    n = math.ceil(1 / share - 1e-9)
    return [place.index[((place - k / n) % 1 < share - 1e-12).to_numpy()].tolist() for k in range(n)]


def _spread(n: int, rng: np.random.Generator) -> Any:
    """Return n numbers in [0, 1) in random order, one in each n-th part."""
    return (rng.permutation(n) + rng.random(n)) / n
