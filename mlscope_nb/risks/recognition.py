"""Recognition: how well a small table alone tells each class from the others, against exchanged labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.features.probes import prepared
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.simple import encoded
from mlscope_nb.risks.means import means_of
from mlscope_nb.risks.trial import Codes, Trial

PENALTY = 0.03
"""Of the ridge regression, relative to the number of items: directions with less variance than that are not trusted."""
MOST_CURVED = 16
"""Tables with more columns than this are read by straight lines alone."""
AT_A_TIME = 64
TIES = 9
"""Digits, relative to the largest score, to which scores are compared."""


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a table says of each class.

    Parameters
    ----------
    table : DataFrame
        One row per class: ``auroc`` of its cells among others of the same stratum, held out; ``low`` and ``high`` over
        items; ``p_value`` corrected for all classes (largest statistic); ``smallest_p``; ``n_items``.
    n_exchanges : int
        Exchanged labels looked at.
    """

    table: pd.DataFrame
    n_exchanges: int


def recognise(table: pd.DataFrame, made: Trial) -> Recognition:
    """Return how well each class is told from the others by a table, with whole items held out.

    A ridge regression is fitted to indicators of the classes, on values centred within each stratum (batch); each item
    counts once, however many cells it has. The same is done for exchanged labels: the statistic is the correlation of
    held-out means of items with their class, in standard deviations of its own null, and the p-value that of the
    largest over all classes (Westfall & Young 1993).

    Parameters
    ----------
    table : DataFrame (N, P)
        Numbers or names for each cell of the trial, gaps allowed.
    made : Trial
        From `trial`.
    """
    item = made.items
    values = numbers(table, item, made.stratum)
    if not values.shape[1]:
        values = np.zeros((len(values), 1))
    null, scores = _statistics(values, made)
    z = (null - null[1:].mean(axis=0)) / np.maximum(null[1:].std(axis=0), 1e-9)
    return Recognition(_table(z, scores, made), len(made.codes) - 1)


def numbers(table: pd.DataFrame, item: Codes, stratum: Codes) -> Floats:
    """Return a table as numbers, centred on the mean of the items of each stratum."""
    plain = [c for c in table.columns if pd.api.types.is_numeric_dtype(table[c])]
    centred = pd.DataFrame(
        _centred(table[plain].to_numpy(np.float64), item, stratum), index=table.index, columns=pd.Index(plain)
    )
    if len(table.columns) > MOST_CURVED:
        return prepared(centred.to_numpy(), centred.to_numpy()[:0])[0]
    whole = encoded(pd.concat([centred, table.drop(columns=plain)], axis=1))
    return prepared(_centred(whole, item, stratum), whole[:0])[0]


def _centred(values: Floats, item: Codes, stratum: Codes) -> Floats:
    middle = means_of(means_of(values, item, len(stratum)), stratum, int(stratum.max()) + 1)
    return np.asarray(values - middle[stratum[item]])


def _statistics(values: Floats, made: Trial) -> tuple[Floats, Floats]:
    """Return the statistic of each exchange and class (1 + n, K), and the held-out scores of cells (N, K)."""
    item, codes = made.items, made.codes
    n_items, n_classes = codes.shape[1], len(made.found.classes)
    size = np.bincount(item, minlength=n_items)
    mean = means_of(values, item, n_items)
    scores = np.zeros((len(values), n_classes))
    held = np.zeros((len(codes), n_items, n_classes))
    for fold in np.unique(made.fold):
        train, test = made.fold != fold, made.fold == fold
        if not train.any():
            continue
        rows = train[item]
        weighted = values[rows] / size[item[rows]][:, None]
        square = weighted.T @ values[rows] + PENALTY * train.sum() * np.eye(values.shape[1])
        # Targets are the same for all cells of an item, so that means of items say all that is needed of them.
        solve = np.linalg.solve(square, mean[train].T)
        for start in range(0, len(codes), AT_A_TIME):
            part = codes[start : start + AT_A_TIME, train][:, :, None] == np.arange(n_classes)
            target = part.transpose(1, 0, 2).astype(float)
            target -= target.mean(axis=0)
            slope = solve @ target.reshape(int(train.sum()), -1)
            found = (mean[test] @ slope).reshape(int(test.sum()), -1, n_classes)
            held[start : start + AT_A_TIME, test] = found.transpose(1, 0, 2)
            if start == 0:
                cells = test[item]
                scores[cells] = values[cells] @ slope.reshape(len(slope), -1, n_classes)[:, 0]
    return _correlations(held, codes, made.stratum), scores


def _correlations(held: Floats, codes: Codes, stratum: Codes) -> Floats:
    """Return how the held-out score of items goes with their class within strata, for each exchange (1 + n, K)."""
    n_strata = int(stratum.max()) + 1
    member = np.zeros((n_strata, len(stratum)))
    member[stratum, np.arange(len(stratum))] = 1
    share = member / member.sum(axis=1, keepdims=True)
    result = np.zeros((len(codes), held.shape[2]))
    for k in range(held.shape[2]):
        score = held[:, :, k] - (held[:, :, k] @ share.T)[:, stratum]
        target = (codes == k).astype(float)
        target -= (target @ share.T)[:, stratum]
        length = np.sqrt((score**2).sum(axis=1) * (target**2).sum(axis=1))
        result[:, k] = np.divide((score * target).sum(axis=1), length, out=np.zeros(len(codes)), where=length > 1e-12)
    return result


def _table(z: Floats, scores: Floats, made: Trial) -> pd.DataFrame:
    rows = []
    largest = z[1:].max(axis=1)
    for k, name in enumerate(made.names):
        reached = int((largest >= z[0, k] - 1e-9).sum())
        p = reached / len(largest) if made.exact else (reached + 1) / (len(largest) + 1)
        rows.append({"class": name, **area(scores[:, k], made, k), "p_value": p, "smallest_p": made.smallest_p(k)})
    return pd.DataFrame(rows).set_index("class")


def area(score: Floats, made: Trial, k: int) -> dict[str, Any]:
    """Return the area under the ROC curve of class `k` within strata, with its 95 % interval over items.

    References
    ----------
    Obuchowski 1997, Biometrics 53:567 (clustered data); DeLong et al. 1988, Biometrics 44:837.
    """
    item, code = made.items, np.asarray(made.found.code)
    # Sums in another order differ in the last digits: scores of cells that read alike are ties.
    score = np.round(score / max(float(np.abs(score).max()), 1e-300), TIES)
    mine = code[item] == k
    placed = np.full(len(score), np.nan)
    for s in np.unique(made.stratum):
        here = made.stratum[item] == s
        own, rest = np.flatnonzero(here & mine), np.flatnonzero(here & ~mine)
        if len(own) and len(rest):
            placed[own], placed[rest] = _placements(score[own], score[rest])
    of_item = means_of(placed[:, None], item, len(code))[:, 0]
    sides = [of_item[(code == k) & ~np.isnan(of_item)], of_item[(code != k) & ~np.isnan(of_item)]]
    if not len(sides[0]):
        return {"auroc": math.nan, "low": math.nan, "high": math.nan, "n_items": 0}
    estimate = float(sides[0].mean())
    half = _half_width(sides)
    return {
        "auroc": estimate, "low": max(estimate - half, 0.0), "high": min(estimate + half, 1.0),
        "n_items": len(sides[0]),
    }  # fmt: skip


def _placements(own: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """Return the share of the others below each cell of the class, and of the class above each of the others."""

    def below(a: Floats, b: Floats) -> Floats:
        ranked = np.sort(b)
        found: Floats = (np.searchsorted(ranked, a, "left") + np.searchsorted(ranked, a, "right")) / (2 * len(b))
        return found

    return below(own, rest), 1 - below(rest, own)


def _half_width(sides: list[Floats]) -> float:
    from scipy.special import stdtrit

    fewest = min(map(len, sides))
    if fewest < 2:
        return math.nan
    variance = sum(float(side.var(ddof=1)) / len(side) for side in sides)
    return float(stdtrit(fewest - 1, 0.975)) * math.sqrt(variance)
