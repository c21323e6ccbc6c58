"""Scores: how good predictions are, by numbers in which every class counts the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats

Codes = NDArray[np.intp]


def confusion(truth: Codes, predicted: Codes, classes: list[Any]) -> pd.DataFrame:
    """Return cells by given (rows) and predicted class (columns).

    Parameters
    ----------
    truth, predicted : int arrays (N,)
        Numbers of classes.
    classes : list
        Their names.

    Examples
    --------
    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ["x", "y"]).to_numpy().tolist()
    [[1, 1], [0, 1]]
    """
    table = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(table, (truth, predicted), 1)
    names = pd.Index(classes, dtype=object)
    return pd.DataFrame(table, index=names.rename("given"), columns=names.rename("predicted"))


def per_class(table: pd.DataFrame, truth: Codes, probabilities: Floats) -> pd.DataFrame:
    """Return recall, precision, F1 and average precision (the area under precision and recall) of each class.

    Parameters
    ----------
    table : DataFrame (K, K)
        From `confusion`.
    truth : int array (N,)
        Numbers of classes.
    probabilities : array (N, K)
        Of the same cells.

    Returns
    -------
    DataFrame (K rows)
        recall, precision, f1 (0 where a class is never predicted), average_precision, n_cells. Classes without a
        tested cell get NaN.

    References
    ----------
    Equal to scikit-learn's ``recall_score``, ``precision_score``, ``f1_score`` and ``average_precision_score``.
    """
    from sklearn.metrics import average_precision_score

    counts = table.to_numpy()
    hits, given, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    tested = given > 0
    nothing = np.full(len(counts), np.nan)
    recall = np.divide(hits, given, out=nothing.copy(), where=tested)
    precision = np.where(tested, np.divide(hits, said, out=np.zeros(len(counts)), where=said > 0), np.nan)
    f1 = np.where(tested, 2 * hits / np.maximum(given + said, 1), np.nan)
    area = nothing.copy()
    for k in np.flatnonzero(tested):
        mine = truth == k
        area[k] = average_precision_score(mine, probabilities[:, k]) if not mine.all() else 1.0
    columns = {"recall": recall, "precision": precision, "f1": f1, "average_precision": area, "n_cells": given}
    return pd.DataFrame(columns, index=table.index.rename("class"))


def balanced_accuracy(table: pd.DataFrame | NDArray[Any]) -> float:
    """Return the mean recall of the classes that were tested.

    Equal to scikit-learn's ``balanced_accuracy_score``.

    Examples
    --------
    >>> balanced_accuracy(np.array([[3, 1], [0, 2]]))
    0.875
    """
    counts = np.asarray(table)
    given = counts.sum(axis=1)
    tested = given > 0
    return float((np.diag(counts)[tested] / given[tested]).mean()) if tested.any() else float("nan")
