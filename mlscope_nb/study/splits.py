"""Splits into training and test cells that keep units whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study._parts import parts
from mlscope_nb.study._result import Result
from mlscope_nb.study.blocks import different, ordered
from mlscope_nb.study.units import columns_of, groups, noun, plural

CELL = "cell"
"""The name by which a random split over cells has to be asked for."""
MANY_CLASSES = 20


@dataclass(frozen=True, eq=False)
class Split(Result):
    """Cells to train on and cells to test on, and what the test says something about.

    ``train_ids, test_ids = split`` works too.

    Parameters
    ----------
    train_ids, test_ids : Index
        Cell ids, in the order of the cells.
    by : str
        What is held out ("well", "plate", "cell").
    held_out : tuple of str
        The groups that are tested on; nothing for a random split over cells.
    note : str
        What a reader of the score has to know, or nothing.
    """

    train_ids: pd.Index
    test_ids: pd.Index
    by: str = "unit"
    held_out: tuple[str, ...] = ()
    note: str = ""

    def __iter__(self) -> Iterator[pd.Index]:
        yield self.train_ids
        yield self.test_ids

    def __str__(self) -> str:
        out = (
            f", {count(len(self.held_out), self.by, plural(self.by))} held out ({some(self.held_out)})"
            if self.held_out
            else ""
        )
        train, test = count(len(self.train_ids), "cell"), count(len(self.test_ids), "cell")
        text = f"{train} to train on, {test} to test on{out}"
        return f"{text}. {self.note}" if self.note else text


class Nested(NamedTuple):
    """An outer split, and splits of its training cells for choosing between models."""

    outer: Split
    inner: list[Split]


class _Layout(NamedTuple):
    """What a split needs to know of the cells: numbers of the group, unit and class of each, and their names."""

    ids: pd.Index
    group: np.ndarray
    unit: np.ndarray
    label: np.ndarray
    names: pd.Index
    classes: list[Any]
    by: str
    note: str

    def only(self, rows: np.ndarray) -> _Layout:
        """The layout of some of the cells."""
        return self._replace(ids=self.ids[rows], group=self.group[rows], unit=self.unit[rows], label=self.label[rows])


def split(cells: Cells, by: Columns = None, n_splits: int = 5, seed: int = 0, *, stratify: bool = True) -> list[Split]:
    """Split cells into parts that each are the test once, with units kept whole.

    Groups are balanced by number of units (not of cells), for each class when a label is declared. Cells
    without a label go with their unit and do not count for the balance. Numbers with more than 20 values
    are not classes and are not balanced.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit.
    by : str or several, optional
        What is held out: columns of `obs`, "batch", or the unit (default). Has to hold whole units.
        ``by="cell"`` is a random split over cells: it has to be asked for by name, and says so in the note.
    n_splits : int
        Number of parts.
    seed : int
        Seed; the order of rows does not matter.
    stratify : bool
        Spread each class over the parts.

    Raises
    ------
    KeyError, ValueError
        No unit is declared, no such column, fewer groups than parts, or `by` cuts units.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCCDD")}, index=list("abcdefgh"))
    >>> parts = split(Cells(obs, unit="well"), n_splits=2)
    >>> [list(part.held_out) for part in parts]
    [['B', 'C'], ['A', 'D']]
    """
    if n_splits < 2:
        raise ValueError(f"n_splits is {n_splits}, expected at least 2: one part to train on, one to test on.")
    return _split(_layout(cells, by), n_splits, seed, stratify)


def leave_one_out(cells: Cells, by: Columns = "batch") -> list[Split]:
    """Hold out each batch (or each group of `by`) once: how well a model travels to a new one.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit, and a batch unless `by` names columns.
    by : str or several
        What is held out; has to hold whole units.

    Raises
    ------
    KeyError, ValueError
        As in `split`, and when there is one group only.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCD"), "plate": ["p1", "p1", "p2", "p2"]}, index=list("abcd"))
    >>> [part.held_out for part in leave_one_out(Cells(obs, unit="well", batch="plate"))]
    [('p1',), ('p2',)]
    """
    if by == CELL:
        raise ValueError("leave_one_out(by='cell') would train on the units that it tests on. Use split(by='cell').")
    layout = _layout(cells, by)
    if len(layout.names) < 2:
        raise ValueError(_too_few_groups(layout, np.unique(layout.group), 2))
    return [_as_split(layout, layout.group == number) for number in range(len(layout.names))]


def nested(
    cells: Cells,
    by: Columns = None,
    n_splits: int = 5,
    n_inner: int = 4,
    seed: int = 0,
    *,
    stratify: bool = True,
) -> list[Nested]:
    """Split twice: the outer parts test, the inner ones choose between models without seeing the outer test.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit.
    by : str or several, optional
        What is held out in both.
    n_splits, n_inner : int
        Number of outer and of inner parts.
    seed : int
        Seed.
    stratify : bool
        Spread each class over the parts.

    Raises
    ------
    KeyError, ValueError
        As in `split`, for the outer or the inner parts.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCDEF")}, index=list("abcdef"))
    >>> parts = nested(Cells(obs, unit="well"), n_splits=3, n_inner=2)
    >>> len(parts), len(parts[0].inner), len(parts[0].outer.train_ids)
    (3, 2, 4)
    """
    if min(n_splits, n_inner) < 2:
        raise ValueError(f"n_splits is {n_splits} and n_inner {n_inner}, expected at least 2 each.")
    layout = _layout(cells, by)
    result = []
    for outer in _split(layout, n_splits, seed, stratify):
        inside = layout.only(layout.ids.isin(outer.train_ids))
        result.append(Nested(outer, _split(inside, n_inner, seed, stratify)))
    return result


def _layout(cells: Cells, by: Columns) -> _Layout:
    if not len(cells):
        raise ValueError("There are no cells to split. Did the selection before match any?")
    note = ""
    if by == CELL:
        keys, word, note = pd.Series(cells.ids), CELL, "Random split over cells."
    else:
        keys, word = groups(cells, by), noun(columns_of(cells, by))
    group, names = pd.factorize(keys, sort=True)
    if cells.design.unit:
        unit, unit_names = pd.factorize(cells.units, sort=True)
        if by != CELL:
            _refuse_cut_units(unit, group, unit_names, word)
    else:
        unit = group
        note = f"{note} No unit is declared: each {word} is taken to be independent.".strip()
    label, classes = _classes(cells)
    return _Layout(cells.ids, group, unit, label, pd.Index(names), classes, word, note)


def _classes(cells: Cells) -> tuple[np.ndarray, list[Any]]:
    """Class number of each cell, -1 without a label; numbers with many values are no classes."""
    labels = cells.labels if cells.design.label is not None else None
    if labels is None or (pd.api.types.is_float_dtype(labels) and labels.nunique() > MANY_CLASSES):
        return np.full(len(cells), -1), []
    classes = ordered(labels)
    return pd.Index(classes, dtype=object).get_indexer(pd.Index(labels, dtype=object)), classes


def _refuse_cut_units(unit: np.ndarray, group: np.ndarray, names: pd.Index, word: str) -> None:
    cut = names[np.flatnonzero(different(unit, group) > 1)]
    if len(cut):
        raise ValueError(
            f"{count(len(cut), 'unit')} in more than one {word}: {some(cut)}. Holding out a {word} leaves "
            f"part of such a unit in training. If each {word} has other units of that name, declare several "
            f"columns (unit=('{word}', …)); otherwise hold out something that keeps units whole."
        )


def _split(layout: _Layout, n_splits: int, seed: int, stratify: bool) -> list[Split]:
    stratify = stratify and bool((layout.label >= 0).any())
    label = layout.label if stratify else np.full(len(layout.ids), -1)
    usable = np.unique(layout.group[label >= 0] if stratify else layout.group)
    if len(usable) < n_splits:
        raise ValueError(_too_few_groups(layout, usable, n_splits, "with labelled cells " if stratify else ""))
    part = parts(layout.group, layout.unit, label, n_splits, seed)
    return [_as_split(layout, part == k) for k in range(n_splits)]


def _as_split(layout: _Layout, test: np.ndarray) -> Split:
    held_out = () if layout.by == CELL else tuple(map(str, layout.names[np.unique(layout.group[test])]))
    notes = [
        layout.note,
        _shared_units(layout.unit, test) if layout.by == CELL else "",
        _missing_classes(layout, test),
    ]
    text = " ".join(note for note in notes if note)
    return Split(layout.ids[~test], layout.ids[test], layout.by, held_out, text)


def _shared_units(unit: np.ndarray, test: np.ndarray) -> str:
    tested = np.unique(unit[test])
    shared = np.intersect1d(tested, unit[~test])
    if not len(shared):
        return ""
    return (
        f"{len(shared):,} of the {count(len(tested), 'unit')} tested on are also trained on: "
        "the score is about new cells of known units, not about new units."
    )


def _missing_classes(layout: _Layout, test: np.ndarray) -> str:
    known = layout.label >= 0
    present, trained, tested = (set(np.unique(layout.label[rows])) for rows in (known, known & ~test, known & test))
    if len(present) < 2:
        return f"Only one class: {some(layout.classes[k] for k in present)}." if present else ""
    unlearned, untested = ([layout.classes[k] for k in sorted(present - side)] for side in (trained, tested))
    notes = []
    if unlearned:
        notes.append(f"Only the held-out part has {some(unlearned)}: a model cannot learn it.")
    if untested and tested:
        notes.append(f"No {some(untested)} to test on.")
    return " ".join(notes)


def _too_few_groups(layout: _Layout, usable: np.ndarray, wanted: int, which: str = "") -> str:
    number = count(len(usable), layout.by, plural(layout.by))
    found = f"{number} {which}found ({some(layout.names[usable])}), {wanted} parts asked for."
    if len(usable) < 2:
        return f"{found} One {layout.by} cannot be both trained and tested on: data from more are needed."
    return f"{found} Each part needs at least one: use n_splits={len(usable)} or fewer."
