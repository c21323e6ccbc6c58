"""Composition: how often each class is given to the other cells of a unit, as far as units differ in that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

STRENGTHS = np.r_[np.logspace(-1, 4, 26), np.inf]
"""Cells that the overall composition counts for beside those of the unit; infinite: units do not differ."""


def log_shares_of_others(labels: Codes, unit: Codes, n_classes: int) -> tuple[Floats, float]:
    """Return the logarithm of each class's share among the other cells of a cell's unit, and how far units are alike.

    The shares are drawn to those of all cells; how strongly is chosen so that the label of each cell is as probable
    as can be, given those of the others in its unit. Units that are mixed at random then tell nothing.

    Parameters
    ----------
    labels, unit : int array (N,)
        Numbers of the given label and of the unit of each cell.
    n_classes : int
        Number of classes.

    Examples
    --------
    >>> labels = np.array([0] * 9 + [1] + [1] * 9 + [0])
    >>> log_shares, strength = log_shares_of_others(labels, np.repeat([0, 1], 10), 2)
    >>> bool(log_shares[9, 0] > log_shares[9, 1])
    True
    """
    n_given = np.bincount(labels, minlength=n_classes).astype(float)
    overall: Floats = (n_given + 0.5) / (len(labels) + 0.5 * n_classes)
    counts = np.zeros((int(unit.max()) + 1, n_classes))
    np.add.at(counts, (unit, labels), 1)
    others = counts[unit]
    others[np.arange(len(labels)), labels] -= 1
    given = np.arange(len(labels)), labels
    likely = [np.log(_shares(others, overall, s)[given]).sum() for s in STRENGTHS]
    # Of two that explain the labels alike, the one that leans less on units.
    best = float(STRENGTHS[len(likely) - 1 - int(np.argmax(likely[::-1]))])
    return np.log(_shares(others, overall, best)), best


def _shares(others: Floats, overall: Floats, strength: float) -> Floats:
    if np.isinf(strength):
        return np.broadcast_to(overall, others.shape).copy()
    return np.asarray((others + strength * overall) / (others.sum(axis=1, keepdims=True) + strength))
