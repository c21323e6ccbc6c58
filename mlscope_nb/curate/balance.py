"""Balance and coverage: how many cells and units stand behind each class on each plate, and what they cannot say."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result, plain
from mlscope_nb.study.replication import Replication, describe
from mlscope_nb.study.units import plural

UNEQUAL = 3.0
"""Counts are very unequal from a factor of three: 75 % accuracy then takes no knowledge but which class is larger."""
ALL = "all"


@dataclass(frozen=True, eq=False)
class Balance(Result):
    """Cells and units by class and batch, with warnings in words.

    Parameters
    ----------
    cells, units : DataFrame
        Cells, and units with at least one such cell, by class (rows) and batch (columns; "all" where none is declared).
    per_unit : DataFrame
        One row per class, batch and unit: ``n_cells``.
    replication : Replication
        What the design can tell apart, from ``ms.study.describe``.
    warnings : tuple of str
        What speaks against comparing these classes as they are.
    """

    cells: pd.DataFrame
    units: pd.DataFrame
    per_unit: pd.DataFrame
    replication: Replication
    warnings: tuple[str, ...]

    @property
    def missing(self) -> list[tuple[Any, Any]]:
        """Pairs of class and batch without a cell."""
        return [(c, b) for c in self.cells.index for b in self.cells.columns if not self.cells.loc[c, b]]

    def to_dict(self) -> dict[str, Any]:
        """Return tables, relation of label and batch, and warnings as plain numbers and text."""
        return {
            "cells": plain(self.cells),
            "units": plain(self.units),
            "per_unit": [plain(row) for row in self.per_unit.to_dict(orient="records")],
            "replication": self.replication.to_dict(),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        found = self.replication
        head = f"{count(found.n_cells, 'cell')} in {count(found.n_units, found.unit, plural(found.unit))}"
        crossed = "" if found.relation == "not declared" else f"; label and batch: {found.relation}"
        said = [f"Warning: {w}" for w in self.warnings] or ["Nothing speaks against comparing these classes."]
        return "\n".join([f"{head}{crossed}.", *said])

    def _repr_html_(self) -> str:
        several = plural(self.replication.unit)
        both = self.cells.astype(str) + " in " + self.units.astype(str)
        both = both.where(self.cells > 0, "–")
        words = [f"<b>{html.escape(w)}</b>" for w in self.warnings] or [html.escape(str(self).splitlines()[-1])]
        head = f"<p>Cells in {html.escape(several)}, by class and batch:</p>"
        return head + both.to_html(border=0) + "".join(f"<p>{w}</p>" for w in words)


def balance(cells: Cells) -> Balance:
    """Count cells and units of each class on each plate, and say what the design cannot tell apart.

    Parameters
    ----------
    cells : Cells
        With a declared unit; label and batch where there are any.

    Returns
    -------
    Balance
        ``.cells`` and ``.units`` by class and batch, ``.per_unit``, ``.warnings``.

    Raises
    ------
    ValueError
        No unit is declared.

    Examples
    --------
    >>> rows = [("p1", "A1", "x"), ("p1", "A2", "y"), ("p2", "B1", "x"), ("p2", "B2", "x")]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=list("abcd"))
    >>> found = balance(Cells(obs, unit="well", batch="plate", label="drug"))
    >>> found.units.to_numpy().tolist(), found.missing
    ([[1, 2], [1, 0]], [('y', 'p2')])
    """
    found = describe(cells)
    per_unit = _per_unit(cells)
    table = per_unit.pivot_table(
        index="label", columns="batch", values="n_cells", aggfunc="sum", fill_value=0, observed=True
    )
    counts = table.reindex(index=found.table.index, columns=found.table.columns, fill_value=0).astype(int)
    words = [*found.findings, *_lonely(counts, found), *_unequal_classes(counts), *_unequal_units(per_unit, found)]
    return Balance(counts, found.table, per_unit, found, tuple(words))


def _per_unit(cells: Cells) -> pd.DataFrame:
    frame = pd.DataFrame({"unit": cells.units})
    frame["label"] = cells.labels if cells.design.label is not None else ALL
    frame["batch"] = cells.batches_of if cells.design.batch else ALL
    labelled = frame[frame["label"].notna()]
    grouped = labelled.groupby(["label", "batch", "unit"], observed=True, sort=True)
    return grouped.size().rename("n_cells").reset_index()


def _lonely(counts: pd.DataFrame, found: Replication) -> list[str]:
    """Name the classes that only one of several batches holds; a nested design has said so already."""
    if counts.shape[1] < 2 or found.relation in ("nested", "not declared"):
        return []
    held = (counts > 0).sum(axis=1)
    lonely = list(held.index[held == 1])
    if not lonely:
        return []
    return [
        f"In one batch only: {some(lonely)}. What sets such a class apart may be its batch; leave it out of "
        "comparisons across batches, or repeat it."
    ]


def _unequal_classes(counts: pd.DataFrame) -> list[str]:
    totals = counts.sum(axis=1)
    totals = totals[totals > 0]
    if len(totals) < 2 or totals.max() < UNEQUAL * totals.min():
        return []
    most, least = totals.idxmax(), totals.idxmin()
    return [
        f"Very unequal classes: '{most}' has {totals.max():,} cells and '{least}' {totals.min():,}. Judge a model by "
        "balanced accuracy, for plain accuracy is high for one that knows the largest class alone."
    ]


def _unequal_units(per_unit: pd.DataFrame, found: Replication) -> list[str]:
    if found.n_units < 2 or found.n_cells == found.n_units:
        return []
    several, words = plural(found.unit), []
    sizes = per_unit.groupby("unit")["n_cells"].sum()
    typical = float(sizes.median())
    sparse, full = sizes.index[sizes * UNEQUAL <= typical], sizes.index[sizes >= UNEQUAL * typical]
    for much, names in (("a third of", sparse), ("three times", full)):
        if len(names):
            end = "or fewer" if names is sparse else "or more"
            these = count(len(names), found.unit, several)
            words.append(f"{these} with {much} the usual {typical:,.0f} cells {end}: {some(names)}.")
    by_class = per_unit.groupby("label", observed=True)["n_cells"].median()
    if len(by_class) > 1 and by_class.max() >= 2 * by_class.min():
        words.append(
            f"Cells per {found.unit} differ between classes: {by_class.max():,.0f} in '{by_class.idxmax()}' and "
            f"{by_class.min():,.0f} in '{by_class.idxmin()}' (medians). Density alone can then tell them apart."
        )
    return words
