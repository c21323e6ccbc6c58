"""Probes: what a simple model can still read from features, with whole units kept apart."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats

Rows = NDArray[np.intp]
Codes = NDArray[np.intp]
PENALTIES = np.logspace(0, 5, 6)
COMPONENTS, PENALTY = 200, 0.03


def linear_probe(values: Floats, codes: Codes, folds: list[tuple[Rows, Rows]]) -> Codes:
    """Return held-out predictions of one or many labellings of the same rows.

    A ridge regression on indicator columns, its penalty chosen by leave-one-out error within the training rows, for
    each labelling by itself: the labels exchanged for a null get the same treatment as the true ones.

    Parameters
    ----------
    values : array (N, P)
        Features; gaps take the training median.
    codes : int array (N, R)
        R labellings, numbers from 0.
    folds : list of (train rows, test rows)
        The test parts hold each row once at most; rows that are never tested get -1.

    Returns
    -------
    int array (N, R)

    Examples
    --------
    >>> x = np.r_[np.zeros(6), np.ones(6)][:, None] + np.linspace(0, 0.1, 12)[:, None]
    >>> y = np.repeat([0, 1], 6)[:, None]
    >>> even, odd = np.arange(0, 12, 2), np.arange(1, 12, 2)
    >>> linear_probe(x, y, [(even, odd), (odd, even)])[:, 0].tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """
    n_classes = int(codes.max()) + 1
    found = np.full(codes.shape, -1)
    for train, test in folds:
        x, new = prepared(values[train], values[test])
        left, strength, right = np.linalg.svd(x, full_matrices=False)
        target = (codes[train][:, :, None] == np.arange(n_classes)).astype(float)
        mean = target.mean(axis=0)
        flat = (target - mean).reshape(len(train), -1)
        inside, shrink = left.T @ flat, strength**2 / (strength**2 + PENALTIES[:, None])
        # Leave-one-out residuals of a ridge regression follow from its hat matrix; 1 / n is for the mean.
        hat = (left**2) @ shrink.T + 1 / len(train)
        errors = np.stack([
            (((flat - left @ (s[:, None] * inside)) / (1 - h)[:, None]) ** 2).sum(axis=0).reshape(-1, n_classes).sum(1)
            for s, h in zip(shrink, np.minimum(hat, 1 - 1e-9).T, strict=True)
        ])  # fmt: skip
        best = np.repeat(shrink[errors.argmin(axis=0)], n_classes, axis=0)
        ratio = np.divide(best, strength, out=np.zeros_like(best), where=strength > 1e-12 * strength.max(initial=1))
        scores = (new @ right.T) @ (ratio.T * inside)
        found[test] = (scores.reshape(len(test), -1, n_classes) + mean).argmax(axis=2)
    return found


def logistic_probe(values: Floats, labels: NDArray[np.object_], folds: list[tuple[Rows, Rows]]) -> NDArray[np.object_]:
    """Return held-out predictions of a logistic regression in which every class counts the same.

    Parameters
    ----------
    values : array (N, P)
        Features; gaps take the training median.
    labels : array of str (N,)
        What is predicted.
    folds : list of (train rows, test rows)
        As in `linear_probe`.
    """
    found = np.full(len(labels), None, dtype=object)
    for train, test in folds:
        found[test] = logistic_predictions(values[train], labels[train], values[test])
    return found


def logistic_predictions(train: Floats, labels: NDArray[np.object_], test: Floats) -> NDArray[np.object_]:
    """Return the predictions for test rows of a logistic regression on training rows."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    x, new = prepared(train, test)
    # Thousands of small products: threads would wait for each other most of the time.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A probe that has not quite converged ranks classes as one that has.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(class_weight="balanced", max_iter=300).fit(x, labels.astype(str))
    return np.asarray(model.predict(new), dtype=object)


def log_probabilities(train: Floats, labels: NDArray[np.object_], test: Floats) -> pd.DataFrame:
    """Return the log probability of each class (columns) for the test rows, as one table alone has it.

    Parameters
    ----------
    train, test : array (N, P)
        The table.
    labels : array of str (N,)
        Of the training rows.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    x, unseen = prepared(train, test)
    axes = PCA(min(COMPONENTS, *x.shape), whiten=True, random_state=0).fit(x)
    model = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=300)
    with threadpool_limits(1):
        model.fit(axes.transform(x), labels.astype(str))
    return pd.DataFrame(model.predict_log_proba(axes.transform(unseen)), columns=model.classes_)


def prepared(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Return both standardised by the training rows, gaps filled with their medians, constant columns left out."""
    gaps = np.isnan(train)
    known = ~gaps.all(axis=0)
    train, test = train[:, known], test[:, known]
    if gaps.any() or np.isnan(test).any():
        middle = np.nanmedian(train, axis=0)
        train, test = np.where(np.isnan(train), middle, train), np.where(np.isnan(test), middle, test)
    centre, spread = train.mean(axis=0), train.std(axis=0)
    varies = spread > 1e-12 * np.maximum(1, np.abs(centre))
    scale = [(part[:, varies] - centre[varies]) / spread[varies] for part in (train, test)]
    # Beyond ten deviations a value says no more: one wild cell must not decide where a plate lies.
    return np.clip(scale[0], -10, 10), np.clip(scale[1], -10, 10)


def exchanged(codes: Codes, unit: NDArray[np.object_], fold: Codes, n: int, seed: int) -> Codes:
    """Return `n` labellings (N, n) with the codes exchanged between whole units of the same fold."""
    table = pd.DataFrame({"unit": unit, "fold": fold, "code": codes}).drop_duplicates("unit").set_index("unit")
    table = table.sort_index()
    rng = np.random.default_rng(seed)
    drawn = np.empty((len(table), n), dtype=np.intp)
    for _, rows in table.reset_index().groupby("fold").groups.items():
        place = np.asarray(rows)
        for k in range(n):
            drawn[place, k] = rng.permutation(table["code"].to_numpy()[place])
    result: Codes = drawn[table.index.get_indexer(pd.Index(unit))]
    return result
