"""Spread: how the cells of each cluster are spread over units and batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.explore.partitions import NOISE
from mlscope_nb.study.intervals import t_interval
from mlscope_nb.study.units import noun

MOSTLY = 0.8
"""A cluster is mostly one batch or unit when it holds this share of it, and at least twice its share of all cells."""


def spread(x: Cells | pd.DataFrame, labels: pd.Series, stability: pd.Series | None = None) -> pd.DataFrame:
    """Return for each cluster its size, stability, share in the mean unit with interval, and where it comes from.

    Columns: n, share, stability; with units share_of_unit, low, high (95 % over units), n_units, most_of (the unit with
    most of its cells) and most_share; with batches batch and batch_share; note (a warning in words, or "").
    """
    n_groups = int(labels.max()) + 1
    table = pd.DataFrame(index=pd.RangeIndex(n_groups, name="cluster"))
    table["n"] = [int((labels == k).sum()) for k in table.index]
    table["share"] = table["n"] / len(labels)
    table["stability"] = math.nan if stability is None else stability.to_numpy()
    table["note"] = ""
    if not isinstance(x, Cells):
        return table
    if x.design.unit:
        table = _over_units(x, labels, table)
    if x.design.batch:
        table = _over(x.batches_of, labels, table, ("batch", "batch_share"), noun(x.design.batch))
    return table


def by_group(keys: pd.Series, labels: pd.Series) -> pd.DataFrame:
    """Return which share of the cells of each unit or batch (rows) each cluster holds (columns)."""
    table = pd.crosstab(keys.to_numpy(), labels.to_numpy(), normalize="index")
    table.index.name, table.columns.name = str(keys.name), "cluster"
    return table.rename(columns={NOISE: "none"})


def _over_units(x: Cells, labels: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    units = x.units
    intervals = [t_interval((labels == k).astype(float), units) for k in table.index]
    table["share_of_unit"] = [i.estimate for i in intervals]
    table["low"] = [max(i.low, 0.0) for i in intervals]
    table["high"] = [min(i.high, 1.0) for i in intervals]
    table["n_units"] = [int(units[labels == k].nunique()) for k in table.index]
    return _over(units, labels, table, ("most_of", "most_share"), noun(x.design.unit))


def _over(keys: pd.Series, labels: pd.Series, table: pd.DataFrame, names: tuple[str, str], word: str) -> pd.DataFrame:
    """Add where most cells of each cluster come from, and a note where that is nearly all of them."""
    usual = keys.value_counts(normalize=True)
    most: list[Any] = []
    for k in table.index:
        shares = keys[labels == k].value_counts(normalize=True)
        most.append((shares.index[0], float(shares.iloc[0])))
        if shares.iloc[0] >= max(MOSTLY, 2 * usual[shares.index[0]]):
            table.loc[k, "note"] = (
                f"Cluster {k} is mostly one {word}: {percent(shares.iloc[0])} of its {table.loc[k, 'n']:,} cells are "
                f"of {word} {shares.index[0]}. That is a difference of the {word} until another one shows it too."
            )
    table[names[0]], table[names[1]] = [m[0] for m in most], np.array([m[1] for m in most])
    return table
