"""Baselines: what a model has to beat, from the same folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import no_column
from mlscope_nb.cells import Cells
from mlscope_nb.predict.folds import Folds
from mlscope_nb.predict.intervals import difference, score_interval
from mlscope_nb.predict.runs import Run, constant, linear
from mlscope_nb.predict.simple import encoded, readings
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import Interval

MAJORITY, PERMUTED, ANNOTATOR = "majority", "permuted labels", "second annotator"
Judge = Callable[[Run, pd.Series], tuple[Interval, NDArray[np.float64]]]


def judge(folds: Folds, classes: Sequence[Any], level: float, seed: int) -> Judge:
    """Return a function from a run and its labels to the interval of its score and what each group adds to it."""
    from mlscope_nb.predict.evaluation import group_values

    def judged(run: Run, labels: pd.Series) -> tuple[Interval, NDArray[np.float64]]:
        table = predictions(run, labels, folds, classes)
        truth = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(table["given"], dtype=object))
        right = (table["given"] == table["predicted"]).to_numpy(np.float64)
        words = {"word": folds.word, "target": folds.target}
        found = score_interval(truth, right, table["group"], large=folds.large, level=level, seed=seed, **words)
        return found, group_values(table, list(classes))

    return judged


def predictions(run: Run, labels: pd.Series, folds: Folds, classes: Sequence[Any]) -> pd.DataFrame:
    """Return one row per tested cell: given, predicted, probability, group, fold."""
    tested = run.fold >= 0
    best = run.probabilities[tested].argmax(axis=1)
    frame = {
        "given": labels[tested].astype(object),
        "predicted": np.asarray(list(classes), dtype=object)[best],
        "probability": run.probabilities[tested].max(axis=1),
        "group": folds.group[tested],
        "fold": run.fold[tested],
    }
    return pd.DataFrame(frame, index=labels.index[tested])


def baselines(
    cells: Cells,
    folds: Folds,
    classes: Sequence[Any],
    judged: Judge,
    mine: NDArray[np.float64],
    permuted: Sequence[tuple[Run, pd.Series]],
    *,
    annotator: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the score of each baseline, and how much the model is better than it.

    Parameters
    ----------
    cells : Cells
        With images where background pixels shall be read.
    folds : Folds
        Those of the model.
    classes : sequence
        The classes.
    judged : function
        From `judge`.
    mine : array (groups,)
        What each group adds to the model's score.
    permuted : sequence of (Run, Series)
        The same model, trained and tested on labels exchanged between units.
    annotator : str, optional
        Column with another person's labels of the same cells.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        balanced_accuracy, low, high; gain, gain_low, gain_high (NaN for permuted labels and annotators).

    Raises
    ------
    KeyError
        No such column.
    """
    labels, splits = cells.labels, folds.splits
    runs = {MAJORITY: constant(cells, splits, labels, classes)}
    for name, table in readings(cells).items():
        runs[name] = linear(encoded(table), splits, cells.ids, labels, classes)
    rows: dict[str, dict[str, float]] = {}
    for name, run in runs.items():
        found, values = judged(run, labels)
        gain = difference(mine, values, level, "gain", folds.word)
        rows[name] = {
            **_row(found), "gain": gain.estimate, "gain_low": gain.low, "gain_high": gain.high,
        }  # fmt: skip
    if permuted:
        rows[PERMUTED] = _permuted([judged(run, given)[0].estimate for run, given in permuted])
    if annotator is not None:
        rows[ANNOTATOR] = _row(judged(*_second(cells, annotator, classes))[0])
    columns = ["balanced_accuracy", "low", "high", "gain", "gain_low", "gain_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("baseline")


def _row(found: Interval) -> dict[str, float]:
    return {"balanced_accuracy": found.estimate, "low": found.low, "high": found.high}


def _permuted(scores: list[float]) -> dict[str, float]:
    """Return the mean over the exchanges, and the lowest and highest of them: no interval, but how far they go."""
    return {"balanced_accuracy": float(np.mean(scores)), "low": min(scores), "high": max(scores)}


def _second(cells: Cells, column: str, classes: Sequence[Any]) -> tuple[Run, pd.Series]:
    """Return the labels of another person as a run, and the given ones where both have a label."""
    obs = cells.obs
    if column not in obs:
        raise KeyError(no_column(column, obs.columns, "Name the column with the other person's labels: annotator=…"))
    other, given = obs[column], cells.labels
    both = (other.notna() & given.notna()).to_numpy()
    known = list(classes) + [c for c in ordered(other) if c not in set(classes)]
    codes = pd.Index(known, dtype=object).get_indexer(pd.Index(other, dtype=object))
    said = np.zeros((len(obs), len(known)))
    said[np.arange(len(obs)), codes] = 1.0
    # A class that only the other one uses is no right answer: it goes to a class that is not the given one.
    wrong = codes >= len(classes)
    truth = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(given, dtype=object))
    said[wrong, (truth[wrong] + 1) % len(classes)] = 1.0
    return Run(said[:, : len(classes)], np.where(both, 0, -1)), given
