"""Coverage: how often prediction sets hold the class that was given, for each plate and over its units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.given_probabilities import codes_of
from mlscope_nb.study.intervals import check_level, of_share, t_interval

ALL = "all"


def coverage(sets: pd.DataFrame, labels: pd.Series, cells: Cells, *, level: float = 0.95) -> pd.DataFrame:
    """Return how often sets hold the given class, for each batch and for all cells.

    Every unit counts as one, as in `conformal`, so that a figure may differ from the share of cells.

    Parameters
    ----------
    sets : DataFrame of bool
        From ``Conformal.sets``.
    labels : Series
        The given class of each cell, by id; cells without one are left out.
    cells : Cells
        Where each cell stands: its unit and batch, as far as declared.
    level : float
        Confidence level of the intervals (Student's t over units).

    Returns
    -------
    DataFrame (one row per batch, and "all")
        coverage, low, high (NaN for fewer than 3 units), lowest and highest unit, mean_size of the sets, share of
        empty and of single sets, n_cells, n_units.

    Raises
    ------
    ValueError
        Sets of other cells, no label, or labels that no set can hold.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": list("1122"), "drug": list("xxyy")}, index=list("abcd"))
    >>> sets = pd.DataFrame({"x": [True, True, True, False], "y": [False, True, False, True]}, index=obs.index)
    >>> found = coverage(sets, obs["drug"], Cells(obs, batch="plate"))
    >>> found["coverage"].to_dict()
    {'1': 1.0, '2': 0.5, 'all': 0.75}
    """
    check_level(level)
    missing = sets.index.difference(cells.ids, sort=False).union(sets.index.difference(labels.index, sort=False))
    if len(missing):
        raise ValueError(
            f"{count(len(missing), 'set')} of cells that are not here or have no label: {some(missing)}. "
            "Give the cells that the sets were made for."
        )
    given = labels.loc[sets.index].dropna()
    if not len(given):
        raise ValueError("No cell with a set has a label, so there is nothing to compare it with. Give labelled cells.")
    chosen, mine = cells.subset(given.index), sets.loc[given.index].to_numpy(bool)
    held = mine[np.arange(len(given)), codes_of(given, sets.columns)]
    table = pd.DataFrame({"held": held.astype(float), "size": mine.sum(axis=1)}, index=given.index)
    table["unit"] = chosen.units if chosen.design.unit else given.index.astype(str)
    rows: dict[Any, dict[str, float]] = {}
    if chosen.design.batch:
        rows = {batch: _row(part, level) for batch, part in table.groupby(chosen.batches_of, sort=True)}
    rows[ALL] = _row(table, level)
    found = pd.DataFrame.from_dict(rows, orient="index").astype({"n_cells": int, "n_units": int})
    found.attrs["history"] = [_align.step("coverage", level=level)]
    return found


def _row(table: pd.DataFrame, level: float) -> dict[str, float]:
    units = table.groupby("unit")["held"].mean()
    interval = t_interval(units.to_numpy(), level=level, target="coverage")
    low, high = of_share(interval)
    return {
        "coverage": interval.estimate,
        "low": low,
        "high": high,
        "lowest": float(units.min()),
        "highest": float(units.max()),
        "mean_size": float(table["size"].mean()),
        "empty": float((table["size"] == 0).mean()),
        "single": float((table["size"] == 1).mean()),
        "n_cells": len(table),
        "n_units": len(units),
    }
