"""Held-out evidence: what a model that never saw a unit says of its cells, everything fitted inside the fold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.curate.discriminant import Setting, best_setting, components, fit
from mlscope_nb.features.normalization import Method, Normalizer
from mlscope_nb.features.reference import batch_of
from mlscope_nb.study.splits import CELL, MANY_CLASSES, split
from mlscope_nb.study.units import columns_of, groups, noun, plural

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
DEFAULT_SPLITS = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of one split, and their features as components that the training cells decide."""

    train: Codes
    test: Codes
    train_values: Floats
    test_values: Floats


@dataclass(frozen=True, eq=False)
class Given:
    """The given labels: names of the classes, and the number of each cell's (-1 where it has none)."""

    classes: list[Any]
    codes: Codes

    @property
    def known(self) -> NDArray[np.bool_]:
        """True for cells with a label."""
        return np.asarray(self.codes >= 0)


def given_labels(cells: Cells) -> Given:
    """Return the declared labels as classes.

    Raises
    ------
    ValueError
        No label is declared, there is one class only, or the labels are measurements.
    """
    if cells.design.label is None:
        raise ValueError("No label is declared, so none can be wrong. Name its column: cells.with_design(label=…).")
    labels = cells.labels
    if pd.api.types.is_float_dtype(labels) and labels.nunique() > MANY_CLASSES:
        raise ValueError(
            f"The label '{cells.design.label}' holds {labels.nunique():,} different numbers: a measurement, not a "
            "class. Cut it into classes first (pandas.cut)."
        )
    codes, classes = pd.factorize(labels.astype(object), sort=False)
    order = np.argsort([str(c) for c in classes], kind="stable")
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    if len(classes) < 2:
        found = f"Only one class: {some(classes)}" if len(classes) else f"No cell has a label in '{labels.name}'"
        raise ValueError(f"{found}. To find a wrong label there have to be two classes at least.")
    return Given([classes[i] for i in order], np.where(codes >= 0, rank[codes], -1).astype(np.intp))


def folds(
    cells: Cells, given: Given, *, by: Columns, n_splits: int | None, normalize: Method | None, seed: int
) -> tuple[list[Fold], list[str]]:
    """Return the splits with features normalised inside each, and what a reader has to know.

    Raises
    ------
    ValueError
        No unit, no features, or a class in too few groups to be learned when one is held out.
    """
    table = cells.table()
    if not table.shape[1]:
        raise ValueError("These cells have a table of features without columns. Measure them: ms.features.measure.")
    infinite = np.isinf(table.to_numpy()).any(axis=0)
    if infinite.any():
        raise ValueError(f"Infinite values in {some(table.columns[infinite])}. Make them NaN, or leave these out.")
    empty = table.columns[table.isna().all()]
    n = _number_of_splits(cells, given, by, n_splits)
    labelled = cells.subset(cells.ids[given.known])
    notes = [f"left out, for no cell has a value: {some(empty)}"] if len(empty) else []
    made, said = [], []
    for part in split(labelled, by=by, n_splits=n, seed=seed):
        train, test = cells.subset(part.train_ids), cells.subset(part.test_ids)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            values, note = normalised(train, test, normalize)
        notes += [note, *(str(w.message) for w in caught)]
        said.append(part.note)
        rows = cells.ids.get_indexer(part.train_ids), cells.ids.get_indexer(part.test_ids)
        made.append(Fold(*rows, *components(*values)))
    return made, _once(notes + said)


def settings(made: list[Fold], codes: Codes, n_classes: int) -> list[Setting]:
    """Return the setting of the model for each fold, chosen among its training units."""
    chosen = []
    for number, fold in enumerate(made):
        # What the next fold tests is here a part of training: whole units to choose by.
        kept_out = np.isin(fold.train, made[(number + 1) % len(made)].test)
        chosen.append(best_setting(fold.train_values, codes[fold.train], n_classes, kept_out))
    return chosen


def evidence(
    made: list[Fold], codes: Codes, n_classes: int, weights: Floats, chosen: list[Setting]
) -> tuple[Floats, Floats]:
    """Return held-out log likelihoods (N, K) and the log shares (N, K) of the classes in each training part."""
    found = np.full((len(codes), n_classes), np.nan)
    shares = np.full((len(codes), n_classes), np.nan)
    for fold, setting in zip(made, chosen, strict=True):
        model = fit(fold.train_values, codes[fold.train], n_classes, weights[fold.train], setting)
        found[fold.test], shares[fold.test] = model.evidence(fold.test_values), model.log_shares
    return found, shares


def normalised(train: Cells, test: Cells, method: Method | None) -> tuple[tuple[Floats, Floats], str]:
    """Return features of both on the scale of the training controls of each batch, and what was compared with.

    Controls that the label itself defines, or that are missing from a batch, would tell cells something about their
    label, or nothing: then each batch is compared with all of its cells. No label is ever looked at.
    """
    if method is None:
        return (_values(train), _values(test)), "not normalised"
    if train.design.batch and _controls_serve(train, test):
        fitted = Normalizer(method).fit(train)
        return (_values(fitted.transform(train)), _values(fitted.transform(test))), "normalised to controls"
    train, test = train.with_design(control=None), test.with_design(control=None)
    fitted = Normalizer(method).fit(train)
    new = ~np.isin(batch_of(test)[0], batch_of(train)[0])
    values = np.empty((len(test), train.table().shape[1]))
    if not new.all():
        values[~new] = _values(fitted.transform(test.subset(~new)))
    if new.any():
        values[new] = _values(Normalizer(method).fit(test.subset(new)).transform(test.subset(new)))
    return (_values(fitted.transform(train)), values), "normalised to all cells of each batch"


def _controls_serve(train: Cells, test: Cells) -> bool:
    """Whether each batch has controls to be normalised to, which are not defined by the label."""
    design = train.design
    named = (design.control,) if isinstance(design.control, str) else tuple(design.control or ())
    if not named or design.label in named:
        return False
    batches = [batch_of(cells)[0] for cells in (train, test)]
    with_controls = [set(batch[_is_control(cells)]) for batch, cells in zip(batches, (train, test), strict=True)]
    fitted = set(batches[0])
    return fitted <= with_controls[0] and set(batches[1]) - fitted <= with_controls[1]


def _is_control(cells: Cells) -> NDArray[np.bool_]:
    # cells.controls refuses cells among which no control is, and a held-out part may well hold none.
    control, obs = cells.design.control, cells.obs
    if isinstance(control, str):
        return obs[control].fillna(False).to_numpy(bool)
    rows = np.ones(len(obs), bool)
    for name, wanted in (control or {}).items():
        rows &= obs[name].isin([wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted))
    return rows


def _number_of_splits(cells: Cells, given: Given, by: Columns, n_splits: int | None) -> int:
    """Return how many parts there can be with every class in training each time."""
    if by is None and not cells.design.unit:
        raise ValueError(
            "No unit is declared: the cells of one well resemble each other whatever their label, so whole units have "
            "to be held out. Name its column: cells.with_design(unit=…), or accept a random split with by='cell'."
        )
    keys = pd.Series(cells.ids) if by == CELL else groups(cells, by).reset_index(drop=True)
    word = CELL if by == CELL else noun(columns_of(cells, by))
    known = given.known
    per_class = keys[known].groupby(given.codes[known]).nunique()
    rarest = int(np.argmin(per_class.to_numpy()))
    fewest, name = int(per_class.iloc[rarest]), given.classes[int(per_class.index[rarest])]
    stands = f"The label '{name}' stands in {count(fewest, word, plural(word))} only"
    if fewest < 2:
        raise ValueError(
            f"{stands}: with it held out, no other shows what such cells look like. Leave its cells out "
            "(cells.where), join it with another class, or correct it if it is misspelt."
        )
    if n_splits is not None and n_splits > fewest:
        raise ValueError(f"{stands}, {n_splits} parts asked for. Use n_splits={fewest} or fewer, or leave it out.")
    if n_splits is not None and n_splits < 2:
        raise ValueError(f"n_splits is {n_splits}, expected at least 2: one part to train on, one to test on.")
    return n_splits or min(DEFAULT_SPLITS, fewest)


def _values(cells: Cells) -> Floats:
    return cells.table().to_numpy(np.float64)


def _once(notes: list[str]) -> list[str]:
    return [note for note in dict.fromkeys(notes) if note]
