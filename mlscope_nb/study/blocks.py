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
from functools import cached_property
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


@dataclass(frozen=True, eq=False)
class Blocks:
    """Items that carry one label each, and the strata within which labels may be exchanged.

    Parameters
    ----------
    code : int array (items,)
        Class number of each item; items are ordered by their key.
    stratum : int array (items,)
        Stratum of each item.
    of_cell : int array (N,)
        Item of each cell, -1 for cells without a label.
    unit_of_cell : int array (N,)
        Number of the unit of each cell.
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

    code: np.ndarray
    stratum: np.ndarray
    of_cell: np.ndarray
    unit_of_cell: np.ndarray
    labels: pd.Series
    classes: list[Any]
    scheme: Scheme
    item: str
    note: str = ""

    @property
    def n_possible(self) -> int:
        """How many different ways there are to give the labels to the items."""
        return prod(_arrangements(self.code[rows]) for rows in self._strata())

    def codes(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` random exchanges as class numbers, shape (n, items)."""
        order = np.argsort(self.stratum, kind="stable")
        # Sorting random numbers between s and s + 1 shuffles within each stratum s, for all strata at once.
        drawn = np.argsort(rng.random((n, len(order))) + self.stratum[order], axis=1)
        result = np.empty((n, len(order)), dtype=int)
        result[:, order] = self.code[order][drawn]
        return result

    def all_codes(self) -> np.ndarray:
        """Return every different exchange as class numbers, shape (n_possible, items)."""
        strata = self._strata()
        result = np.empty((self.n_possible, len(self.code)), dtype=int)
        for i, chosen in enumerate(product(*(list(_ways(self.code[rows])) for rows in strata))):
            for rows, codes in zip(strata, chosen, strict=True):
                result[i, rows] = codes
        return result

    def series(self, codes: np.ndarray) -> pd.Series:
        """Return the labels of the cells when the items carry these class numbers."""
        rows = np.arange(len(self.labels))
        known = self.of_cell >= 0
        rows[known] = self._examples[codes[self.of_cell[known]]]
        return self.labels.iloc[rows].set_axis(self.labels.index)

    def means(self, values: pd.Series) -> np.ndarray:
        """Return the mean of each item: cells to units, units to the item."""
        known = self.of_cell >= 0
        n_units = int(self.unit_of_cell.max()) + 1
        pairs, of_pair = np.unique(self.of_cell[known] * n_units + self.unit_of_cell[known], return_inverse=True)
        in_unit = np.bincount(of_pair, values.to_numpy()[known]) / np.bincount(of_pair)
        return np.bincount(pairs // n_units, in_unit) / np.bincount(pairs // n_units)

    @cached_property
    def _examples(self) -> np.ndarray:
        """Row of the first cell of each class, from which labels of the right type are taken."""
        known = np.flatnonzero(self.of_cell >= 0)
        return known[np.unique(self.code[self.of_cell[known]], return_index=True)[1]]

    def _strata(self) -> list[np.ndarray]:
        return [np.flatnonzero(self.stratum == s) for s in range(int(self.stratum.max()) + 1)]


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
        raise ValueError(f"No cell has a label in '{given.name}'. Label some cells, or declare another column.")
    classes = ordered(given)
    label = pd.Index(classes, dtype=object).get_indexer(pd.Index(given, dtype=object))
    unit, unit_names = pd.factorize(units, sort=True)
    follows = within == "batch" or (within == "design" and bool(cells.design.batch))
    batch = pd.factorize(cells.batches_of, sort=True)[0] if follows else None
    parts = {"unit": unit[known], "label": label[known]} | ({} if batch is None else {"batch": batch[known]})
    scheme, note = _scheme(parts, within, unit_names)
    key = {"classes within unit": unit * len(classes) + label, "batches": batch}.get(scheme, unit)
    first, of_labelled = np.unique(key[known], return_index=True, return_inverse=True)[1:]
    inside = {"classes within unit": "unit", "units within batch": "batch"}.get(scheme)
    stratum = np.unique(parts[inside][first], return_inverse=True)[1] if inside else np.zeros(len(first), int)
    of_cell = np.full(len(cells), -1)
    of_cell[known] = of_labelled
    word = noun(cells.design.batch if scheme == "batches" else cells.design.unit)
    return Blocks(parts["label"][first], stratum, of_cell, unit, given, classes, scheme, word, note)


def ordered(values: pd.Series) -> list[Any]:
    """Return the different values in order; values that cannot be compared are ordered as text."""
    found = list(pd.unique(values.dropna()))
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)


def _scheme(parts: dict[str, np.ndarray], within: Within, unit_names: pd.Index) -> tuple[Scheme, str]:
    if (different(parts["unit"], parts["label"]) > 1).any():
        return "classes within unit", "Labels vary within units: each unit is compared with itself."
    if "batch" not in parts:
        return "units", ""
    spanning = unit_names[np.flatnonzero(different(parts["unit"], parts["batch"]) > 1)]
    if len(spanning):
        found = f"{count(len(spanning), 'unit')} in more than one batch: {some(spanning)}."
        if within == "batch":
            raise ValueError(f"{found} Labels cannot be kept within batches. Declare units that lie in one batch each.")
        return "units", f"{found} The batch is not taken into account."
    classes_in = different(parts["batch"], parts["label"])
    classes_in = classes_in[classes_in > 0]
    if (classes_in > 1).any() or within == "batch":
        left_out = int((classes_in == 1).sum())
        note = f"{left_out} of {len(classes_in)} batches hold one class only and tell nothing here." if left_out else ""
        return "units within batch", note
    return "batches", f"Each batch holds one class: {len(classes_in)} batches are compared, not their units."


def different(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how many different values stand in each group, by group number."""
    size = int(values.max()) + 1
    return np.bincount(np.unique(groups * size + values) // size)


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
