"""Runs: a model trained once per fold, and what it says of the cells that were held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.predict.models import log_probabilities
from mlscope_nb.study.splits import Split

PENALTY = 1e-3
"""Of the squared weights, for each training cell: enough to be defined, too little to matter."""
Labelling = pd.Series
"""A label for each cell by its id; NaN where there is none."""


@dataclass(eq=False)
class Run:
    """Held-out probabilities of one labelling.

    Parameters
    ----------
    probabilities : array (N, K)
        NaN for cells that were not tested.
    fold : int array (N,)
        The split in which each cell was tested, -1 for none.
    notes : list of str
        What was said while training.
    """

    probabilities: Floats
    fold: np.ndarray
    notes: list[str] = field(default_factory=list)


def run(
    cells: Cells,
    learner: Learner | FeatureLearner,
    splits: Sequence[Split],
    labellings: Sequence[Labelling],
    classes: Sequence[Any],
    *,
    progress: bool = True,
) -> list[Run]:
    """Return the held-out probabilities of one labelling or several of the same cells.

    What looks at features alone is done once per fold, for all labellings.

    Parameters
    ----------
    cells : Cells
        All cells.
    learner : function
        Trains on cells.
    splits : sequence of Split
        What to train and to test on.
    labellings : sequence of Series
        The labels, and exchanged ones.
    classes : sequence
        Columns of the probabilities.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Raises
    ------
    TypeError, ValueError
        A classifier gives something else than probabilities for every cell and class that it knows.
    """
    made = [Run(np.full((len(cells), len(classes)), np.nan), np.full(len(cells), -1)) for _ in labellings]
    bar = tqdm(splits, desc="Folds", leave=False, disable=not progress, delay=2)
    for number, part in enumerate(bar):
        train, test = cells.subset(part.train_ids), cells.subset(part.test_ids)
        rows = cells.ids.get_indexer(part.test_ids)
        say, notes = _trained(learner, train, test)
        made[0].notes += notes
        for one, labels in zip(made, labellings, strict=True):
            tested = rows[labels[part.test_ids].notna().to_numpy()]
            found = say(labels).reindex(columns=list(classes), fill_value=0.0)
            one.probabilities[tested] = found.loc[cells.ids[tested]].to_numpy(np.float64)
            one.fold[tested] = number
    return made


def _trained(
    learner: Learner | FeatureLearner, train: Cells, test: Cells
) -> tuple[Callable[[Labelling], pd.DataFrame], list[str]]:
    """Return a function from labels of the training cells to probabilities of the test cells."""
    if isinstance(learner, FeatureLearner):
        prepared = learner.prepared(train)
        ready = prepared.ready(test)

        def of_features(labels: Labelling) -> pd.DataFrame:
            model = prepared.fitted(labels)
            return pd.DataFrame(model.of(ready), index=test.ids, columns=pd.Index(model.classes, dtype=object))

        return of_features, list(prepared.notes)

    name = train.design.label or "label"

    def of_cells(labels: Labelling) -> pd.DataFrame:
        given = labels[train.ids].rename(name)
        shown = train.with_obs(given).subset(given.notna().to_numpy())
        model = learner(shown)
        if getattr(model, "interrupted", False):
            # A network keeps what it has when it is stopped by hand; an evaluation has to stop with it.
            raise KeyboardInterrupt("Stopped by hand while a network was trained.")
        return _checked(model.predict_proba(test), test)

    return of_cells, []


def _checked(found: Any, cells: Cells) -> pd.DataFrame:
    if not isinstance(found, pd.DataFrame):
        raise TypeError(
            f"The model's predict_proba gave a {type(found).__name__}, expected a DataFrame with one row for each cell "
            "id and one column for each class."
        )
    missing = cells.ids.difference(found.index)
    if len(missing):
        raise ValueError(
            f"The model's predict_proba said nothing about {count(len(missing), 'cell')}: {some(missing)}, "
            "expected a row for each."
        )
    values = found.loc[cells.ids]
    if not np.isfinite(values.to_numpy(np.float64)).all():
        raise ValueError("The model's predict_proba gave NaN or infinite values, expected numbers from 0 to 1.")
    return values


def constant(cells: Cells, splits: Sequence[Split], labels: Labelling, classes: Sequence[Any]) -> Run:
    """Return the run of a model that always says the commonest class of its training cells."""
    made = Run(np.full((len(cells), len(classes)), np.nan), np.full(len(cells), -1))
    for number, part in enumerate(splits):
        shares = labels[part.train_ids].value_counts().reindex(list(classes), fill_value=0)
        rows = cells.ids.get_indexer(part.test_ids)
        tested = rows[labels[part.test_ids].notna().to_numpy()]
        made.probabilities[tested] = (np.arange(len(classes)) == int(shares.to_numpy().argmax())).astype(float)
        made.fold[tested] = number
    return made


def linear(values: Floats, splits: Sequence[Split], ids: pd.Index, labels: Labelling, classes: Sequence[Any]) -> Run:
    """Return the run of a ridge classifier in which every class counts the same: quick, for a few columns."""
    from sklearn.linear_model import RidgeClassifier

    made = Run(np.full((len(ids), len(classes)), np.nan), np.full(len(ids), -1))
    codes = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(labels, dtype=object))
    for number, (train, test) in enumerate(_rows(splits, ids, codes)):
        known = np.unique(codes[train])
        made.probabilities[test], made.fold[test] = 0.0, number
        if len(known) < 2:
            made.probabilities[test, known] = 1.0
            continue
        model = RidgeClassifier(alpha=PENALTY * len(train), class_weight="balanced").fit(values[train], codes[train])
        made.probabilities[np.ix_(test, known)] = np.exp(log_probabilities(model, values[test]))
    return made


def _rows(splits: Sequence[Split], ids: pd.Index, codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for part in splits:
        train, test = (ids.get_indexer(i) for i in (part.train_ids, part.test_ids))
        yield train[codes[train] >= 0], test[codes[test] >= 0]
