"""Confident learning: which cells a model is sure belong to another class than the given one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

LOWEST_THRESHOLD = 2e-6
TOLERANCE = 1e-6
NEVER = 2.0
"""A threshold that no probability reaches: that of a class that no cell is labelled with."""


class ConfidentJoint(NamedTuple):
    """How many cells with one label are surely of one class.

    ``counts`` (K, K) are the cells that are surely of a class (column) by given label (row), ``calibrated`` the same
    brought to the number of cells with each label, ``sure_of`` (N,) the class that a cell is surely of, or -1.
    """

    thresholds: Floats
    counts: NDArray[np.intp]
    calibrated: NDArray[np.intp]
    sure_of: Codes


def confident_joint(labels: Codes, probabilities: Floats) -> ConfidentJoint:
    """Count cells that are surely of one class and labelled with another.

    Sure means: the probability reaches the mean that cells labelled with that class have. Of several such classes the
    most probable one counts.

    Parameters
    ----------
    labels : int array (N,)
        Given labels, from 0.
    probabilities : array (N, K)
        Of each class, by a model that was not trained on the cell.

    References
    ----------
    Northcutt, Jiang & Chuang 2021, Journal of Artificial Intelligence Research 70:1373; the same numbers as
    cleanlab's ``compute_confident_joint``.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    >>> confident_joint(np.array([0, 0, 0, 1, 1]), p).counts.tolist()
    [[2, 1], [0, 1]]
    """
    n_classes = probabilities.shape[1]
    thresholds = confident_thresholds(labels, probabilities)
    reached = probabilities >= thresholds - TOLERANCE
    best = np.where(reached.sum(axis=1) > 1, probabilities.argmax(axis=1), reached.argmax(axis=1))
    sure = np.where(reached.any(axis=1), best, -1)
    counts = np.zeros((n_classes, n_classes), dtype=np.intp)
    np.add.at(counts, (labels[sure >= 0], sure[sure >= 0]), 1)
    # At least one cell of each class is taken to be right, as cleanlab does: no class may vanish.
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    return ConfidentJoint(thresholds, counts, _calibrated(counts, np.bincount(labels, minlength=n_classes)), sure)


def confident_thresholds(labels: Codes, probabilities: Floats) -> Floats:
    """Return for each class the mean probability that the cells labelled with it have."""
    classes = range(probabilities.shape[1])
    means = [probabilities[labels == k, k].mean() if (labels == k).any() else NEVER for k in classes]
    return np.maximum(means, LOWEST_THRESHOLD)


def confident_errors(labels: Codes, probabilities: Floats, joint: ConfidentJoint) -> NDArray[np.bool_]:
    """Return True for cells that are surely of another class, which is also their most probable one."""
    leaning = probabilities.copy()
    leaning[np.arange(len(labels)), labels] += TOLERANCE
    found: NDArray[np.bool_] = (joint.sure_of >= 0) & (joint.sure_of != labels) & (leaning.argmax(axis=1) != labels)
    return found


def _calibrated(counts: NDArray[np.intp], n_labelled: NDArray[np.intp]) -> NDArray[np.intp]:
    """Scale the rows to the number of cells with each label, in whole cells."""
    scaled = (counts.T / counts.sum(axis=1) * n_labelled).T
    scaled = scaled / scaled.sum() * n_labelled.sum()
    return np.array([_whole(row) for row in scaled], dtype=np.intp)


def _whole(row: Floats) -> Floats:
    """Round to whole numbers with the same sum: what is farthest from its rounded value gives way first."""
    rounded = row.round()
    missing = int(np.round(row.sum()) - rounded.sum())
    step = 1 if missing > 0 else -1
    order = np.argsort(row - rounded)[::-step]
    rounded[order[: abs(missing)]] += step
    return rounded
