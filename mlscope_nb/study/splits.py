"""Splits into training and test cells that keep units whole."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result
from mlscope_nb.study.blocks import ordered
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
    """What a split needs to know of the cells: group, unit and label of each, and the words for them."""

    frame: pd.DataFrame
    by: str
    stratify: bool
    note: str


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
    return _split(_layout(cells, by, stratify), n_splits, seed)


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
    layout = _layout(cells, by, True)
    names = np.unique(layout.frame["group"])
    if len(names) < 2:
        raise ValueError(_too_few_groups(layout, names, 2))
    return [_as_split(layout, (layout.frame["group"] == name).to_numpy()) for name in names]


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
    layout = _layout(cells, by, stratify)
    result = []
    for outer in _split(layout, n_splits, seed):
        inside = layout._replace(frame=layout.frame.loc[outer.train_ids])
        result.append(Nested(outer, _split(inside, n_inner, seed)))
    return result


def check_split(cells: Cells, splits: Split | Iterable[Split | tuple[Iterable[str], Iterable[str]]]) -> None:
    """Raise when a split shares cells or units between training and test, or names cells that are not there.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit.
    splits : Split or several
        Also pairs of train and test ids from elsewhere.

    Raises
    ------
    ValueError
        A unit straddles, a cell stands on both sides, a side is empty, or an id is unknown.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCD")}, index=list("abcd"))
    >>> cells = Cells(obs, unit="well")
    >>> check_split(cells, split(cells, n_splits=2))
    """
    units = cells.units
    for number, part in enumerate([splits] if isinstance(splits, Split) else splits):
        train, test = (pd.Index(list(ids), dtype=object) for ids in part)
        where = f"Split {number}"
        if not len(train) or not len(test):
            raise ValueError(f"{where} has no cells to {'train' if not len(train) else 'test'} on.")
        unknown = train.append(test).difference(units.index)
        if len(unknown):
            raise ValueError(f"{where} names cells that are not there: {some(unknown)}.")
        twice = train.intersection(test)
        if len(twice):
            raise ValueError(f"{where} trains and tests on {count(len(twice), 'same cell')}: {some(twice)}.")
        shared = np.intersect1d(units[train], units[test])
        if len(shared):
            raise ValueError(
                f"{where} has cells of {count(len(shared), 'unit')} in training and test: {some(shared)}. "
                "The score would be about cells of known units. Split with ms.study.split(cells)."
            )


def _layout(cells: Cells, by: Columns, stratify: bool) -> _Layout:
    names, note = columns_of(cells, by), ""
    units = cells.units if cells.design.unit else None
    if by == CELL:
        group, word, note = pd.Series(cells.ids, index=cells.ids), CELL, "Random split over cells."
    else:
        group, word = groups(cells, by), noun(names)
    if units is None:
        note = f"{note} No unit is declared: each {word} is taken to be independent.".strip()
        units = group
    frame = pd.DataFrame({"group": group, "unit": units}, index=cells.ids)
    if by != CELL:
        _refuse_cut_units(frame, word)
    has_label = cells.design.label is not None
    labels = cells.labels if has_label else pd.Series(np.nan, index=cells.ids)
    usable = has_label and (not pd.api.types.is_float_dtype(labels) or labels.nunique() <= MANY_CLASSES)
    frame["label"] = labels if usable else np.nan
    return _Layout(frame, word, bool(stratify and usable and labels.notna().any()), note)


def _refuse_cut_units(frame: pd.DataFrame, word: str) -> None:
    spread = frame.groupby("unit")["group"].nunique()
    cut = spread.index[spread > 1]
    if len(cut):
        raise ValueError(
            f"{count(len(cut), 'unit')} in more than one {word}: {some(cut)}. Holding out a {word} leaves "
            f"part of such a unit in training. If each {word} has other units of that name, declare several "
            f"columns (unit=('{word}', …)); otherwise hold out something that keeps units whole."
        )


def _split(layout: _Layout, n_splits: int, seed: int) -> list[Split]:
    frame = layout.frame
    usable = frame[frame["label"].notna()] if layout.stratify else frame
    names = np.unique(usable["group"])
    if len(names) < n_splits:
        raise ValueError(_too_few_groups(layout, names, n_splits))
    part = _parts(layout, n_splits, seed).reindex(frame["group"]).to_numpy()
    return [_as_split(layout, part == k) for k in range(n_splits)]


def _parts(layout: _Layout, n_splits: int, seed: int) -> pd.Series:
    """Number of the part in which each group is tested."""
    frame = layout.frame
    labels = frame["label"] if layout.stratify else pd.Series(np.nan, index=frame.index)
    codes = pd.Index(ordered(labels), dtype=object).get_indexer(pd.Index(labels, dtype=object))
    rows = pd.DataFrame({"group": frame["group"], "unit": frame["unit"], "code": codes})
    labelled = rows[rows["code"] >= 0]
    if (labelled.groupby("group")["code"].nunique() > 1).any():
        found = _balanced(labelled, n_splits, seed)
        if found is not None:
            rest = rows[~rows["group"].isin(found.index)]
            return pd.concat([found, _dealt(rest, n_splits, seed)])
    return _dealt(rows, n_splits, seed)


def _dealt(rows: pd.DataFrame, n_splits: int, seed: int) -> pd.Series:
    """Deal groups to parts like cards: one class after the other, groups without a label last."""
    code = rows["code"].where(rows["code"] >= 0, rows["code"].max() + 1)
    main = rows.assign(code=code).groupby("group", sort=True)["code"].min()
    order = np.random.default_rng(seed).permutation(len(main))
    dealt = main.iloc[order].sort_values(kind="stable")
    return pd.Series(np.arange(len(dealt)) % n_splits, index=dealt.index)


def _balanced(labelled: pd.DataFrame, n_splits: int, seed: int) -> pd.Series | None:
    """Parts of groups that hold several classes each, or None where they cannot be balanced."""
    from sklearn.model_selection import StratifiedGroupKFold

    constant = (labelled.groupby("unit")["code"].nunique() == 1).all()
    rows = labelled.drop_duplicates(["group", "unit"]) if constant else labelled
    if rows["code"].value_counts().max() < n_splits:
        return None
    keys = rows["group"].to_numpy()
    with warnings.catch_warnings():
        # A class with fewer members than parts is said in the note of each split instead.
        warnings.filterwarnings("ignore", message="The least populated class")
        shuffled = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed).split(keys, rows["code"], keys)
        parts = [pd.Series(k, index=np.unique(keys[test])) for k, (_, test) in enumerate(shuffled)]
    return pd.concat(parts) if all(len(part) for part in parts) else None


def _as_split(layout: _Layout, test: np.ndarray) -> Split:
    frame = layout.frame
    names = () if layout.by == CELL else tuple(str(name) for name in np.unique(frame["group"][test]))
    notes = [
        layout.note,
        _shared_units(frame, test) if layout.by == CELL else "",
        _missing_classes(frame["label"], test),
    ]
    return Split(frame.index[~test], frame.index[test], layout.by, names, " ".join(note for note in notes if note))


def _shared_units(frame: pd.DataFrame, test: np.ndarray) -> str:
    tested = np.unique(frame["unit"][test])
    shared = np.intersect1d(tested, frame["unit"][~test])
    if not len(shared):
        return ""
    return (
        f"{len(shared):,} of the {count(len(tested), 'unit')} tested on are also trained on: "
        "the score is about new cells of known units, not about new units."
    )


def _missing_classes(labels: pd.Series, test: np.ndarray) -> str:
    if not labels.notna().any():
        return ""
    trained, tested = set(labels[~test].dropna()), set(labels[test].dropna())
    classes = ordered(labels)
    if len(classes) == 1:
        return f"Only one class: {some(classes)}."
    unlearned, untested = [c for c in classes if c not in trained], [c for c in classes if c not in tested]
    notes = []
    if unlearned:
        notes.append(f"Only the held-out part has {some(unlearned)}: a model cannot learn it.")
    if untested and len(tested):
        notes.append(f"No {some(untested)} to test on.")
    return " ".join(notes)


def _too_few_groups(layout: _Layout, names: np.ndarray, wanted: int) -> str:
    labelled = "with labelled cells " if layout.stratify else ""
    groups_found = count(len(names), layout.by, plural(layout.by))
    found = f"{groups_found} {labelled}found ({some(names)}), {wanted} parts asked for."
    if len(names) < 2:
        return f"{found} One {layout.by} cannot be both trained and tested on: data from more are needed."
    return f"{found} Each part needs at least one: use n_splits={len(names)} or fewer."
