"""Folds: what is held out, how often, and what a reader of the score has to know about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.complete_blocks import complete_blocks, split_blocks
from mlscope_nb.study.split_checks import check_split
from mlscope_nb.study.splits import CELL, MANY_CLASSES, Split, split
from mlscope_nb.study.units import columns_of, groups, noun, plural

MOST_SPLITS = 10
EACH_UP_TO = 12
"""Up to so many groups each is held out by itself, as in leaving one plate out."""
RARE = 2


@dataclass(frozen=True, eq=False)
class Folds:
    """Splits of labelled cells, and the groups that intervals rest on.

    Parameters
    ----------
    splits : list of Split
        Training and test cells.
    group : Series
        What is held out as a whole, for each cell: the well, the plate; the unit where cells are split at random.
    by : str
        The word for what is held out ("well", "plate", "cell").
    word : str
        The word for one group of the interval.
    large : bool
        Whether a group is a batch that is new to the model, or holds several units.
    notes : tuple of str
        What a reader has to know.
    """

    splits: list[Split]
    group: pd.Series
    by: str
    word: str
    large: bool
    notes: tuple[str, ...]

    @property
    def target(self) -> str:
        """What the score is about, in words."""
        if self.by == CELL:
            return "new cells of the same " + (plural(self.word) if self.word != CELL else "study")
        return f"new {plural(self.by)}"


def make_folds(
    cells: Cells,
    by: Columns = None,
    n_splits: int | None = None,
    seed: int = 0,
    splits: Iterable[Split] | None = None,
) -> Folds:
    """Return the splits for judging a model, with units kept whole unless ``by="cell"`` asks for the opposite.

    Parameters
    ----------
    cells : Cells
        With a declared label, and a unit unless `by` is given.
    by : str or several, optional
        What is held out; default: the unit.
    n_splits : int, optional
        Number of parts. Default: every group by itself up to 12, otherwise 10; 5 for a random split over cells. Units
        of a batch are held out in complete blocks, all classes at once, where there are enough of them.
    seed : int
        Seed.
    splits : sequence of Split, optional
        Splits of one's own.

    Raises
    ------
    ValueError
        No label or unit, one class, classes that stand in one group each, too few groups, or splits that train on
        what they test on or test a cell twice.
    """
    labels = _labels(cells)
    word = CELL if by == CELL else word_of(cells, columns_of(cells, by))
    if by is None and not cells.design.unit:
        raise ValueError(
            "No unit of independence is declared: cells of one well resemble each other whatever their label, so whole "
            "units have to be held out. Name its column: cells.with_design(unit=…); or accept a random split, which "
            "flatters, by name: by='cell'."
        )
    held = pd.Series(cells.ids, index=cells.ids) if by == CELL else groups(cells, by)
    lonely = _lonely(labels, held, word)
    if splits is not None:
        made = list(splits)
        _check(cells, held, made)
    else:
        made = _made(cells, by, labels, held, n_splits, seed)
    new = _new_batches(cells, made)
    counted, counted_word = held, word
    if by == CELL and cells.design.unit:
        counted, counted_word = cells.units, word_of(cells, cells.design.unit)
    notes = [*lonely, *_unlearned(labels, made, lonely), *_about(cells, labels, held, by == CELL, new)]
    several = bool(cells.design.unit) and cells.units.groupby(counted).nunique().max() > 1
    return Folds(made, counted, word, counted_word, new or several, tuple(dict.fromkeys(n for n in notes if n)))


def _made(
    cells: Cells, by: Columns, labels: pd.Series, held: pd.Series, n_splits: int | None, seed: int
) -> list[Split]:
    """Return splits of units in complete blocks where there are enough of them, otherwise group by group."""
    block = complete_blocks(cells, seed) if by is None else None
    if block is not None and (n_splits or 2) <= block.nunique():
        return split_blocks(cells, block, _number(labels, block, False, n_splits), seed)
    return split(cells, by=by, n_splits=_number(labels, held, by == CELL, n_splits), seed=seed)


def _check(cells: Cells, held: pd.Series, made: list[Split]) -> None:
    """Refuse splits that train on units or groups that they test on, and those that test a cell more than once."""
    if not made:
        raise ValueError("splits is empty: give one split or more, or leave it out.")
    group = pd.DataFrame({"group": held.to_numpy()}, index=cells.ids)
    check_split(Cells(group, unit="group"), made)
    if cells.design.unit and not held.equals(pd.Series(cells.ids, index=cells.ids)):
        check_split(cells, made)
    tested = pd.Index(np.concatenate([part.test_ids for part in made]), dtype=object)
    twice = tested[tested.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{count(len(twice), 'cell')} tested in more than one split: {some(twice)}. An evaluation has one "
            "prediction for each cell: call cross_validate once for each repetition."
        )


def _labels(cells: Cells) -> pd.Series:
    if cells.design.label is None:
        raise ValueError("No label is declared, so there is nothing to predict. Name it: cells.with_design(label=…).")
    labels = cells.labels
    if pd.api.types.is_float_dtype(labels) and labels.nunique() > MANY_CLASSES:
        raise ValueError(
            f"The label '{cells.design.label}' holds {labels.nunique():,} different numbers: a measurement, not a "
            "class. Cut it into classes first (pandas.cut)."
        )
    classes = ordered(labels)
    if len(classes) < 2:
        found = f"Only one class: {some(classes)}" if classes else f"No cell has a label in '{cells.design.label}'"
        raise ValueError(f"{found}. There is nothing to tell apart: two classes are needed at least.")
    return labels


def word_of(cells: Cells, columns: tuple[str, ...]) -> str:
    """Return the word for one group: a well that is named by plate and well is a well."""
    inner = [c for c in columns if c not in cells.design.batch]
    return noun((inner[0],)) if len(inner) == 1 else noun(columns)


def _unlearned(labels: pd.Series, made: list[Split], lonely: list[str]) -> list[str]:
    """Say which classes some part could not be taught, where that is not the data's fault alone."""
    if lonely:
        return []
    lacking = {c for part in made for c in set(labels[part.test_ids].dropna()) - set(labels[part.train_ids].dropna())}
    if not lacking:
        return []
    return [f"In some fold only the held-out part has {some(sorted(map(str, lacking)))}: use more parts (n_splits=…)."]


def _lonely(labels: pd.Series, held: pd.Series, word: str) -> list[str]:
    """Say which classes stand in one group only; refuse when no two classes are left to learn."""
    known = labels.notna()
    n_groups = held[known].groupby(labels[known], observed=True).nunique()
    alone = list(n_groups.index[n_groups < RARE])
    if not alone or held[known].nunique() < RARE:
        return []
    if len(n_groups) - len(alone) < RARE:
        raise ValueError(
            f"{count(len(alone), 'class stands', 'classes stand')} in one {word} only: {some(alone)}. With that {word} "
            f"held out, no other shows what such cells look like, so the label cannot be told from the {word}. Hold "
            f"out something else (by=…), or add {plural(word)} that hold several classes."
        )
    return [
        f"Only one {word} has {some(alone)}: with it held out the model cannot learn "
        f"{'that class' if len(alone) == 1 else 'those classes'}, which counts as 0 in the score."
    ]


def _number(labels: pd.Series, held: pd.Series, cells_alone: bool, n_splits: int | None) -> int:
    if n_splits is not None:
        return n_splits
    if cells_alone:
        return 5
    n = held[labels.notna()].nunique()
    return max(2, n if n <= EACH_UP_TO else MOST_SPLITS)


def _new_batches(cells: Cells, made: list[Split]) -> bool:
    """Whether no test cell comes from a batch that was trained on."""
    if not cells.design.batch:
        return False
    batch = cells.batches_of
    return all(set(batch[part.train_ids]).isdisjoint(batch[part.test_ids]) for part in made)


def _about(cells: Cells, labels: pd.Series, held: pd.Series, cells_alone: bool, new: bool) -> list[str]:
    notes = []
    if not cells.design.unit and not cells_alone:
        notes.append("No unit of independence is declared: what is held out is taken to be independent.")
    missing = int(labels.isna().sum())
    if missing:
        notes.append(f"{count(missing, 'cell')} without a label took no part.")
    if not cells.design.batch or new:
        return notes
    word, several = noun(cells.design.batch), plural(noun(cells.design.batch))
    batch = cells.batches_of
    known = labels.notna()
    per_batch = labels[known].groupby(batch[known], observed=True).nunique()
    if len(per_batch) == 1:
        notes.append(f"There is one {word} only: nothing is known about other {several}.")
    elif (per_batch == 1).all():
        notes.append(
            f"Each {word} holds one class (label nests in batch): a model that knows the {word} knows the label, so "
            f"this score may be about {several} and not about the classes."
        )
    elif not cells_alone and not np.array_equal(pd.factorize(held)[0], pd.factorize(batch)[0]):
        notes.append(f"Training saw the same {several}: for new ones use by='batch'.")
    return notes
