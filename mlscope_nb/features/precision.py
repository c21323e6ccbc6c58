"""Mean average precision: do replicates find each other before they find anything else?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats

Pairs = NDArray[np.bool_]


def average_precision(values: Floats, positive: Pairs, negative: Pairs) -> pd.DataFrame:
    """Return for each profile how early its positives come when all others are ranked by cosine similarity.

    Parameters
    ----------
    values : array (N, P)
        Profiles without gaps.
    positive, negative : arrays of bool (N, N)
        Which others a profile should find, and which it should not; all others are passed over.

    Returns
    -------
    DataFrame (N)
        ``average_precision`` (NaN without positives), ``n_positive`` and ``n_total`` (positives and negatives).

    References
    ----------
    Kalinin et al. 2025, Nature Communications 16:5181 (copairs). Of two that are equally similar the positive comes
    first, as there.

    Examples
    --------
    >>> profiles = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> same = np.array([[False, True, False], [True, False, False], [False, False, False]])
    >>> average_precision(profiles, same, ~same & ~np.eye(3, dtype=bool))["average_precision"].tolist()
    [1.0, 1.0, nan]
    """
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, length, out=np.zeros_like(values), where=length > 0)
    similar = unit @ unit.T
    rows = [_precision(similar[i], positive[i], negative[i]) for i in range(len(values))]
    return pd.DataFrame(rows, columns=["average_precision", "n_positive", "n_total"])


def null_precision(n_positive: int, n_total: int, size: int, seed: int) -> Floats:
    """Return average precisions of random rankings, shape (size,)."""
    places = np.argsort(np.random.default_rng([seed, n_positive, n_total]).random((size, n_total)), axis=1)
    ranks = np.sort(places[:, :n_positive], axis=1) + 1
    result: Floats = (np.arange(1, n_positive + 1) / ranks).mean(axis=1)
    return result


def mean_precision(found: pd.DataFrame, group: pd.Series, *, n_null: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Return the mean of the average precisions of each group, with what random rankings give.

    Parameters
    ----------
    found : DataFrame (N)
        From `average_precision`.
    group : Series (N)
        The group of each profile, in the same order.
    n_null : int
        Random rankings.
    seed : int
        Seed.

    Returns
    -------
    DataFrame
        One row per group: ``mean_average_precision``, ``null`` (the mean of random rankings), ``p_value``, ``n``.

    References
    ----------
    As in copairs: profiles of a group with as many positives and negatives share their random rankings.
    """
    found = found.reset_index(drop=True).assign(group=group.to_numpy())
    found = found[found["n_positive"] > 0]
    nulls = {
        (m, t): null_precision(m, t, n_null, seed)
        for m, t in {*zip(found["n_positive"], found["n_total"], strict=True)}
    }
    rows = {}
    for name, part in found.groupby("group", sort=True):
        observed = float(part["average_precision"].mean())
        drawn = np.mean([nulls[m, t] for m, t in zip(part["n_positive"], part["n_total"], strict=True)], axis=0)
        # A random ranking that is as good counts against it: with few replicates the best value is easily reached.
        p = (int((drawn >= observed - 1e-9).sum()) + 1) / (n_null + 1)
        rows[name] = {"mean_average_precision": observed, "null": float(drawn.mean()), "p_value": p, "n": len(part)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean_average_precision", "null", "p_value", "n"])


def _precision(similar: Floats, positive: Pairs, negative: Pairs) -> tuple[float, int, int]:
    which = np.concatenate([np.flatnonzero(positive), np.flatnonzero(negative)])
    n = int(positive.sum())
    if n == 0 or len(which) == n:
        return float("nan"), n, len(which)
    order = np.argsort(1 - similar[which], kind="stable")
    ranks = np.sort(np.argsort(order)[:n]) + 1
    return float((np.arange(1, n + 1) / ranks).mean()), n, len(which)
