"""Judging a model that is trained already, on cells that it has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.baselines import judge, predictions
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.folds import Folds, word_of
from mlscope_nb.predict.given_probabilities import Source, labelled, units_of
from mlscope_nb.predict.runs import Run
from mlscope_nb.predict.validation import scores_of
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.splits import CELL
from mlscope_nb.study.units import columns_of


def evaluate(source: Source, cells: Cells, by: Columns = None, *, level: float = 0.95, seed: int = 0) -> Evaluation:
    """Judge a model that is trained already, on cells that it has not seen.

    `cross_validate` judges a way of training; this judges one trained model: a network that was loaded, or one that was
    trained on last month's plates.

    Parameters
    ----------
    source : model, DataFrame or Evaluation
        Something with ``predict_proba(cells)``, or the probabilities of the cells.
    cells : Cells
        With a label and a unit. Cells of units that the model has learned from are refused, where it knows its units.
    by : str or several, optional
        What the interval rests on: columns of `obs`, "batch", or the unit (default).
    level : float
        Confidence level.
    seed : int
        Of the interval.

    Returns
    -------
    Evaluation
        As of `cross_validate`, without baselines.

    Raises
    ------
    ValueError, TypeError
        No label or unit, a label that the model does not know, cells that it has learned from, or no model.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCDEF") * 4, "drug": list("xyxyxy") * 4}, index=[f"c{i}" for i in range(24)])
    >>> cells = Cells(obs, features=pd.DataFrame({"f": range(24)}, index=obs.index), label="drug", unit="well")
    >>> said = pd.DataFrame({"x": 0.8, "y": 0.2}, index=cells.ids)
    >>> evaluate(said, cells).balanced_accuracy
    0.5
    """
    check_level(level)
    _refuse_seen(source, cells)
    known, table, _ = labelled(source, cells)
    group, word = units_of(known, by)
    word = word if by == CELL else word_of(known, columns_of(known, by))
    several = bool(known.design.unit) and known.units.groupby(group.to_numpy()).nunique().max() > 1
    folds = Folds([], group, word, word, several, ())
    run = Run(table.to_numpy(np.float64), np.zeros(len(known), int))
    classes = list(table.columns)
    interval, _ = judge(folds, classes, level, seed)(run, known.labels)
    found = predictions(run, known.labels, folds, classes)
    name = source.model if isinstance(source, Evaluation) else type(source).__name__
    step = _align.step("evaluate", model=name, by=word, seed=seed)
    return Evaluation(
        model=name, by=word, interval=interval, predictions=found, probabilities=table,
        baselines=pd.DataFrame(), unit=word, n_units=interval.n_units, history=(*known.history, step),
        chance=1 / len(classes), **scores_of(found, run.probabilities, classes),
    )  # fmt: skip


def _refuse_seen(source: Source, cells: Cells) -> None:
    seen = {*getattr(source, "units", ()), *getattr(source, "held_out", ())}
    if not seen or not cells.design.unit:
        return
    both = [u for u in pd.unique(cells.units) if u in seen]
    if both:
        raise ValueError(
            f"{count(len(both), 'unit')} of these cells taught the model: {some(both)}. Judge it on others: "
            "cells.subset(network.unseen(cells)); or judge the way of training with cross_validate."
        )
