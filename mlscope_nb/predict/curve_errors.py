"""Errors of a learning curve: what the scores of a study and of smaller ones inside it vary by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.effective_units import unevenness
from mlscope_nb.predict.evaluation import group_values
from mlscope_nb.predict.intervals import SHARED
from mlscope_nb.predict.power_law import Measured
from mlscope_nb.predict.smaller_studies import Study
from mlscope_nb.predict.subsets import unit_table
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.splits import Split

Plan = dict[int, list[list[list[Split]]]]
"""For each size, for each way to deal the units, for each smaller study: its splits."""
EVEN = 1e-9
"""Unevenness that rounding leaves."""
Scores = dict[int, list[list[pd.DataFrame]]]
"""For each size, for each way to deal the units, for each smaller study: its predictions."""


def measured_of(scores: Scores, study: Study, plan: Plan) -> Measured:
    """Return the scores with what they vary by.

    Which units there are moves all sizes together. Its part through the tests is seen in how tested units differ
    within their class: wells to come have the classes that are there. Its part through training is taken as in
    `score_interval` where all units are both trained and tested on; where the tests are locked it is seen in how
    smaller studies differ that share no training unit. Where classes lie unevenly over the batches, the whole is one
    way to deal units among many: smaller studies say how much that matters, more of it the more uneven they are.

    Parameters
    ----------
    scores : dict
        Predictions of every study.
    study : Study
        What the smaller ones are part of.
    plan : dict
        Their splits.
    """
    sizes = sorted(scores)
    draws = max(len(dealt) for dealt in scores.values())
    values = {n: np.array([_values(pd.concat(parts), study) for parts in scores[n]]) for n in sizes}
    # The whole can be dealt in one way only.
    means = np.array([np.resize(values[n].mean(axis=1), draws) for n in sizes])
    covariance, freedom = _within_classes(np.array([values[n].mean(axis=0) for n in sizes]), study, scores[sizes[-1]])
    n_tested = values[sizes[-1]].shape[1]
    none = np.zeros_like(covariance)
    luck = _luck(means, sizes, study, plan)
    at = np.array(sizes, float)
    if study.grows:
        units = covariance / n_tested * (1 + SHARED["bootstrap (t)"] / n_tested)
        return Measured(at, means, units, none, freedom, luck)
    # Parts that share no unit differ by one through their number times what one unit makes.
    each = [n * np.var([_values(t, study).mean() for t in parts], ddof=1) for n in sizes[:-1] for parts in scores[n]]
    return Measured(at, means, none + np.mean(each) / at[-1], covariance / n_tested, freedom, luck)


def _luck(means: Floats, sizes: list[int], study: Study, plan: Plan) -> float:
    """Return the variance of the score of the whole from how unevenly its classes lie on the batches."""
    whole = unevenness(study, plan[sizes[-1]][0])
    if whole < EVEN:
        return 0.0
    found = []
    for n, row in zip(sizes[:-1], means[:-1], strict=True):
        smaller = unevenness(study, [splits for dealt in plan[n] for splits in dealt])
        # The mean of so many smaller studies, dealt anew each time, varies less than each of them.
        found.append(len(plan[n][0]) * row.var(ddof=1) * min(whole / max(smaller, EVEN), 1.0))
    return float(np.mean(found))


def _values(table: pd.DataFrame, study: Study) -> Floats:
    """Return what each tested unit adds to the balanced accuracy, whose mean that is."""
    return group_values(table.assign(group=study.units[table.index].to_numpy()), ordered(table["given"]))


def _within_classes(values: Floats, study: Study, whole: list[list[pd.DataFrame]]) -> tuple[Floats, float]:
    """Return the covariance (S, S) of values (S, units) within classes, and its degrees of freedom."""
    tested = whole[0][0].index
    table = unit_table(study.units[tested], study.cells.labels[tested], pd.Series("", index=tested))
    codes, classes = pd.factorize(table["label"])
    freedom = values.shape[1] - len(classes)
    mean = np.array([values[:, codes == k].mean(axis=1) for k in range(len(classes))]).T
    off = values - mean[:, codes]
    return off @ off.T / max(freedom, 1), float(freedom)
