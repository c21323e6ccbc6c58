"""Intervals of a score: over what was held out as a whole, for what they are about."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats
from mlscope_nb.study.bootstrap import bootstrap_interval
from mlscope_nb.study.intervals import MIN_UNITS, Interval, same, t_interval, too_few
from mlscope_nb.study.units import plural

Codes = NDArray[np.intp]
NAME = "balanced accuracy"
N_RESAMPLES = 1000
EXACT = "exact (Clopper-Pearson over groups)"
SHARED = {"t": 4.0, "bootstrap (t)": 8.0}
"""How much variance training adds, times the number of groups: over batches and over units."""


def score_interval(
    truth: Codes,
    correct: NDArray[Any],
    group: pd.Series,
    *,
    large: bool,
    word: str,
    target: str,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the balanced accuracy of held-out predictions with its interval over whole groups.

    Over batches it is Student's t: each batch contributes one number, which for batches that hold all classes equally
    often is its own balanced accuracy. Over units within batches whole units are drawn again (bootstrap, with
    Student's t for as many units). Only the groups count, never the cells in them: copies of cells change nothing.

    The folds share most of their training cells, so their errors go together and an interval from the spread between
    groups alone is too narrow. What training adds is of the order of one by the number of groups (near the best rule
    the score changes only in second order), and never more than Nadeau & Bengio's correction; widths grow by it.

    Where everything is right, or wrong, groups do not scatter and none of this tells how sure the score is. Then the
    end is exact, that of Clopper & Pearson with one trial for each group (`end_of_classes`), however many
    cells it holds.

    Parameters
    ----------
    truth : int array (N,)
        Class of each tested cell.
    correct : array (N,)
        1 where the prediction is right, 0 where it is not.
    group : Series (N,)
        What is drawn as a whole.
    large : bool
        Whether groups are batches, or hold several units.
    word, target : str
        The word for a group; what the score is about ("new plates").
    level : float
        Confidence level.
    seed : int
        Of the bootstrap.

    References
    ----------
    Cochran 1977, Sampling Techniques, on the linearised variance of a ratio; Nadeau & Bengio 2003, Machine Learning
    52:239; Clopper & Pearson 1934, Biometrika 26:404; how often such intervals hold the truth stands in
    ``studies/RESULTS.md``.

    Examples
    --------
    >>> truth, right = np.tile([0, 1], 6), np.array([1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0.0])
    >>> plates = pd.Series(list("AABBCCDDEEFF"))
    >>> print(score_interval(truth, right, plates, large=True, word="plate", target="new plates"))
    0.75 (95 % interval over 6 plates: 0.38 to 1.00)
    """
    given, right = counts(truth, correct, group)
    what, n = f"{NAME} on {target}", len(given)
    estimate = _balanced(given.sum(axis=0), right.sum(axis=0))
    method = "t" if large else "bootstrap (t)"
    if n < MIN_UNITS:
        return too_few(estimate, level, n, what, method, word)
    if estimate in (0.0, 1.0):
        return _all_alike(estimate, given, level, what, word)
    values = contributions(given, right)
    if large:
        return _widened(t_interval(values, level=level, target=what), estimate, method, word)
    table = pd.DataFrame(np.hstack([given, right]))
    found = bootstrap_interval(
        table,
        statistic=lambda drawn: _of_rows(drawn.to_numpy()),
        method="t",
        level=level,
        n_resamples=N_RESAMPLES,
        target=what,
        seed=seed,
    )
    return _widened(replace(found, note=found.note or same(values, word)), estimate, method, word)


def counts(truth: Codes, correct: NDArray[Any], group: pd.Series) -> tuple[Floats, Floats]:
    """Return tested and rightly predicted cells by group (rows, in order of their names) and class (columns)."""
    rows, names = pd.factorize(group, sort=True)
    shape = (len(names), int(truth.max(initial=0)) + 1)
    given, right = np.zeros(shape), np.zeros(shape)
    np.add.at(given, (rows, truth), 1.0)
    np.add.at(right, (rows, truth), correct)
    return given, right


def contributions(given: Floats, right: Floats) -> Floats:
    """Return one number per group, whose mean is the balanced accuracy and whose spread is what its error follows.

    For groups with the same number of cells of every class it is the balanced accuracy of each group.
    """
    total = given.sum(axis=0)
    tested = total > 0
    recall = right.sum(axis=0)[tested] / total[tested]
    off = (right[:, tested] - recall * given[:, tested]) / total[tested]
    return np.asarray(recall.mean() + len(given) * off.mean(axis=1))


def end_of_classes(given: Floats, level: float) -> float:
    """Return the least balanced accuracy of which all groups, in all their classes, may come out right by chance.

    Parameters
    ----------
    given : array (groups, classes)
        Tested cells.
    level : float
        Confidence level.

    Returns
    -------
    float
        The smallest mean of recalls under which a perfect score is still as likely as the level asks. A group is one
        trial, shared by the classes it holds; a class with few groups is the one that may be bad unseen.

    Examples
    --------
    >>> plates, wells = np.ones((4, 2)), np.array([[9, 0], [9, 0], [0, 9], [0, 9]])
    >>> round(end_of_classes(plates, 0.95), 2), round(end_of_classes(wells, 0.95), 2)
    (0.4, 0.4)
    >>> round(end_of_classes(np.array([[9, 0], *[[0, 9]] * 9]), 0.95), 2)
    0.48
    """
    held = given > 0
    trials = (held / np.maximum(held.sum(axis=1, keepdims=True), 1)).sum(axis=0)
    trials = np.sort(trials[trials > 0])
    # Most groups first: a class of which so many came out right is at 1 where the least mean is reached.
    for n_open in range(len(trials), 0, -1):
        few = trials[:n_open]
        factor = math.exp((math.log((1 - level) / 2) - float((few * np.log(few)).sum())) / float(few.sum()))
        if factor * few[-1] <= 1:
            break
    return float((factor * few.sum() + len(trials) - n_open) / len(trials))


def _all_alike(estimate: float, given: Floats, level: float, what: str, word: str) -> Interval:
    n, end = len(given), end_of_classes(given, level)
    low, high = (end, 1.0) if estimate else (0.0, 1 - end)
    note = (
        f"All {n:,} {plural(word)} came out {'right' if estimate else 'wrong'}: the interval is what so many "
        f"{plural(word)} can show, however many cells they hold"
    )
    return Interval(estimate, low, high, level, n, what, EXACT, word, note)


def _widened(found: Interval, estimate: float, method: str, word: str) -> Interval:
    """Return the interval widened by what training on shared cells adds, within what a score can be."""
    n = found.n_units
    factor = math.sqrt(1 + min(SHARED[method] / n, n / (n - 1)))
    low, high = (max(0.0, min(1.0, estimate + factor * (end - found.estimate))) for end in (found.low, found.high))
    note = found.note.replace("units", plural(word))
    return replace(found, estimate=estimate, low=low, high=high, method=method, unit=word, note=note)


def _of_rows(rows: Floats) -> float:
    k = rows.shape[1] // 2
    total = rows.sum(axis=0)
    return _balanced(total[:k], total[k:])


def _balanced(given: Floats, right: Floats) -> float:
    tested = given > 0
    return float((right[tested] / given[tested]).mean()) if tested.any() else math.nan


def difference(a: Floats, b: Floats, level: float, what: str, word: str) -> Interval:
    """Return the mean of paired differences of contributions of the same groups, with Student's t interval."""
    return replace(t_interval(np.asarray(a - b, dtype=float), level=level, target=what), unit=word)


def standard_error(found: Interval) -> float:
    """Return the standard error behind a Student's t interval over groups; NaN where there are too few for one."""
    from scipy.stats import t

    if not found.known:
        return math.nan
    return float((found.high - found.low) / 2 / t.ppf((1 + found.level) / 2, found.n_units - 1))
