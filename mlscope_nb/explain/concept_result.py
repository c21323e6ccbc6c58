"""What tests of concepts find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.study._result import Result, number


@dataclass(frozen=True, eq=False, repr=False)
class Concepts(Result):
    """Whether concepts speak for classes, more than random lassos do.

    Parameters
    ----------
    table : DataFrame
        One row per concept and class (target): effect (how much more the concept's cells hold of what raises the score
        of the class than other cells of their units, in deviations of all cells), low, high, n_cells, n_units;
        p_random (share of random lassos with as large an effect), p_adjusted (Holm, over all rows); significant (both
        the adjusted p-value and the interval over units say so); tcav (share of cells of the class whose score grows
        along the concept's direction) and tcav_random (the same for random lassos); note.
    layer : str
        The layer that was looked at.
    n_random : int
        How many random lassos.
    level : float
        Confidence level.
    """

    table: pd.DataFrame
    layer: str
    n_random: int
    level: float

    def __str__(self) -> str:
        return "\n".join(self._line(row) for _, row in self.table.iterrows())

    def _line(self, row: pd.Series) -> str:
        who = f"'{row['concept']}' ({count(int(row['n_cells']), 'cell')}) and '{row['target']}'"
        if not np.isfinite(row["low"]):
            return f"{who}: {number(row['effect'])} deviations, and no interval: {row['note']}."
        width = row["high"] - row["low"]
        ends = f"{number(row['low'], width)} to {number(row['high'], width)}"
        said = f"{number(row['effect'], width)} deviations ({self.level * 100:g} % interval over units: {ends})"
        if not row["significant"]:
            return f"{who}: no more than random lassos show: {said}, p = {row['p_adjusted']:.2g}."
        way = "speaks for" if row["effect"] > 0 else "speaks against"
        return f"{who}: the concept {way} the class: {said}, p = {row['p_adjusted']:.2g} among random lassos."


def judged(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return the table with p-values adjusted for all rows, and what is significant."""
    p = table["p_random"].to_numpy(np.float64)
    order = np.argsort(p, kind="stable")
    holm = np.empty(len(p))
    holm[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    apart = (table["low"] > 0) | (table["high"] < 0)
    found = table.assign(p_adjusted=holm, significant=apart & (holm <= 1 - level + 1e-12))
    columns = [
        "concept", "target", "effect", "low", "high", "p_random", "p_adjusted", "significant", "tcav", "tcav_random",
        "n_cells", "n_units", "note",
    ]  # fmt: skip
    return found[columns]
