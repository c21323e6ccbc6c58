"""Blocks: which groups of cells carry a label together, and which of them could have exchanged it.

One table rules every comparison of classes, so that an interval and a permutation test ask the same question:

* labels are constant in each unit, no batch declared: units are exchanged among all units;
* … and some batch holds several classes: units are exchanged within their batch;
* … and every batch holds one class: the batch is what carries the label, and whole batches are exchanged;
* labels vary within units: the classes present in a unit are exchanged within that unit (with two classes:
  the sign of the unit's difference is flipped).

Cells are never exchanged one by one, since cells of a unit are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, prod
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study.units import noun

Within = Literal["design", "batch"] | None
Scheme = Literal["units", "units within batch", "batches", "classes within unit"]


@dataclass(frozen=True)
class Blocks:
    """Items that carry one label each, and the strata within which labels may be exchanged.

    Parameters
    ----------
    items : DataFrame
        One row per item, ordered by key: columns code (class number) and stratum.
    of_cell : int array (N,)
        Row of `items` for each cell, -1 for cells without a label.
    units : Series
        Unit of each cell.
    labels : Series
        Label of each cell, as given.
    classes : list
        The classes, in the order of their numbers.
    scheme : str
        What is exchanged.
    item : str
        The word for what is independent ("well").
    note : str
        What a reader has to know about the choice, or nothing.
    """

    items: pd.DataFrame
    of_cell: np.ndarray
    units: pd.Series
    labels: pd.Series
    classes: list[Any]
    scheme: Scheme
    item: str
    note: str = ""

    @property
    def n_possible(self) -> int:
        """How many different ways there are to give the labels to the items."""
        return prod(_arrangements(codes) for codes in self._strata())

    def codes(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` random exchanges as class numbers, shape (n, items)."""
        stratum = pd.factorize(self.items["stratum"])[0]
        order = np.argsort(stratum, kind="stable")
        drawn = np.argsort(rng.random((n, len(order))) + stratum[order], axis=1)
        result = np.empty((n, len(order)), dtype=int)
        result[:, order] = self.items["code"].to_numpy()[order][drawn]
        return result

    def all_codes(self) -> np.ndarray:
        """Return every different exchange as class numbers, shape (n_possible, items)."""
        rows = [np.flatnonzero(self.items["stratum"] == s) for s in pd.unique(self.items["stratum"])]
        ways = [list(_ways(codes)) for codes in self._strata()]
        result = np.empty((self.n_possible, len(self.items)), dtype=int)
        for i, chosen in enumerate(product(*ways)):
            for where, codes in zip(rows, chosen, strict=True):
                result[i, where] = codes
        return result

    def series(self, codes: np.ndarray) -> pd.Series:
        """Return the labels of the cells when the items carry these class numbers."""
        first = np.array([np.flatnonzero(self.labels.to_numpy() == value)[0] for value in self.classes])
        rows = np.arange(len(self.labels))
        known = self.of_cell >= 0
        rows[known] = first[codes[self.of_cell[known]]]
        return pd.Series(self.labels.array.take(rows), index=self.labels.index, name=self.labels.name)

    def means(self, values: pd.Series) -> np.ndarray:
        """Return the mean of each item: cells to units, units to the item."""
        known = self.of_cell >= 0
        frame = pd.DataFrame(
            {"item": self.of_cell, "unit": self.units.to_numpy(), "value": values.to_numpy()}
        )[known]
        return frame.groupby(["item", "unit"])["value"].mean().groupby("item").mean().to_numpy()

    def _strata(self) -> list[np.ndarray]:
        return [part.to_numpy() for _, part in self.items.groupby("stratum", sort=False)["code"]]


def blocks(cells: Cells, *, labels: pd.Series | None = None, within: Within = "design") -> Blocks:
    """Find what carries the label and what may be exchanged, from the declared design.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit, and a label unless `labels` is given.
    labels : Series, optional
        Other labels by cell id; cells with NaN take no part.
    within : "design", "batch" or None
        "design" follows the declared batch (see above), "batch" insists on it, None ignores it.

    Raises
    ------
    ValueError
        No unit, label or (for "batch") batch is declared, no cell has a label, or a unit spans batches.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABB"), "drug": ["x", "x", "y", "y"]}, index=list("abcd"))
    >>> found = blocks(Cells(obs, unit="well", label="drug"))
    >>> found.scheme, found.n_possible
    ('units', 2)
    """
    if within not in ("design", "batch", None):
        raise ValueError(f"within is {within!r}, expected 'design', 'batch' or None.")
    given = cells.labels if labels is None else labels.reindex(cells.ids)
    units = cells.units
    known = given.notna().to_numpy()
    if not known.any():
        raise ValueError(
            f"No cell has a label in '{given.name}'. Label some cells, or declare another column."
        )
    frame = pd.DataFrame({"unit": units.to_numpy(), "label": given.to_numpy()}, index=cells.ids)[known]
    if within == "batch" or (within == "design" and cells.design.batch):
        frame["batch"] = cells.batches_of[known]
    scheme, note = _scheme(frame, within)
    columns = {"classes within unit": ["unit", "label"], "batches": ["batch"]}.get(scheme, ["unit"])
    strata = {"classes within unit": "unit", "units within batch": "batch"}.get(scheme)
    word = noun(cells.design.batch if scheme == "batches" else cells.design.unit)
    classes = ordered(frame["label"])
    items, of_labelled = _items(frame, columns, strata, classes)
    of_cell = np.full(len(cells), -1)
    of_cell[known] = of_labelled
    return Blocks(items, of_cell, units, given, classes, scheme, word, note)


def ordered(values: pd.Series) -> list[Any]:
    """Return the different values in order; values that cannot be compared are ordered as text."""
    found = list(pd.unique(values.dropna()))
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)


def _scheme(frame: pd.DataFrame, within: Within) -> tuple[Scheme, str]:
    if (frame.groupby("unit")["label"].nunique() > 1).any():
        return "classes within unit", "Labels vary within units: each unit is compared with itself."
    if "batch" not in frame:
        return "units", ""
    spanning = frame.groupby("unit")["batch"].nunique()
    spanning = spanning[spanning > 1]
    if len(spanning):
        found = f"{count(len(spanning), 'unit')} in more than one batch: {some(spanning.index)}."
        if within == "batch":
            raise ValueError(
                f"{found} Labels cannot be kept within batches. Declare units that lie in one batch each."
            )
        return "units", f"{found} The batch is not taken into account."
    several = frame.groupby("batch")["label"].nunique() > 1
    if several.any() or within == "batch":
        left_out = int((~several).sum())
        note = (
            f"{left_out} of {len(several)} batches hold one class only and tell nothing here."
            if left_out
            else ""
        )
        return "units within batch", note
    return (
        "batches",
        f"Each batch holds one class: {frame['batch'].nunique()} batches are compared, not their units.",
    )


def _items(
    frame: pd.DataFrame, columns: list[str], stratum: str | None, classes: list[Any]
) -> tuple[pd.DataFrame, np.ndarray]:
    item = frame.groupby(columns, sort=True, observed=True).ngroup().to_numpy()
    first = frame.iloc[np.unique(item, return_index=True)[1]]
    strata = np.full(len(first), "all", dtype=object) if stratum is None else first[stratum].to_numpy()
    return pd.DataFrame({"code": _codes(first, classes), "stratum": strata}), item


def _codes(frame: pd.DataFrame, classes: list[Any]) -> np.ndarray:
    return pd.Index(classes, dtype=object).get_indexer(pd.Index(frame["label"], dtype=object))


def _arrangements(codes: np.ndarray) -> int:
    ways, left = 1, len(codes)
    for size in np.bincount(codes):
        ways *= comb(left, int(size))
        left -= int(size)
    return ways


def _ways(codes: np.ndarray) -> Iterator[np.ndarray]:
    values, sizes = np.unique(codes, return_counts=True)

    def place(free: tuple[int, ...], k: int) -> Iterator[dict[int, int]]:
        if k == len(values):
            yield {}
            return
        for chosen in combinations(free, int(sizes[k])):
            rest = tuple(i for i in free if i not in chosen)
            for others in place(rest, k + 1):
                yield {**dict.fromkeys(chosen, int(values[k])), **others}

    for placed in place(tuple(range(len(codes))), 0):
        yield np.array([placed[i] for i in range(len(codes))])
