"""Swaps: whole units, and whole batches, whose given label does not fit what their cells look like."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from scipy.stats import binom

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
LEAST_RATE = 0.5
"""Units expected to be wrong where none is seen: the rate is then still not known to be zero."""
GUESSED = 0.1
"""How often, at most, labels without meaning may be taken for labels that show in the cells."""


def unit_scores(evidence: Floats, labels: Codes, unit: Codes) -> tuple[Floats, Codes]:
    """Return for each unit the probability that its label is right, and the class that its cells fit best.

    The cells of a unit are averaged, not summed: they are no independent witnesses. What their mean is worth, and how
    many labels are wrong, are the two numbers under which the given labels of all units are most likely.

    Parameters
    ----------
    evidence : array (N, K)
        Log likelihood of each class for each cell, by a model that did not see its unit.
    labels, unit : int array (N,)
        Numbers of the given label and of the unit of each cell; labels do not differ within a unit.

    Returns
    -------
    (scores, best) : array (U,), int array (U,)

    Examples
    --------
    >>> wells, right = np.arange(8).repeat(3), np.tile([0, 0, 0, 1, 1, 1], 4)
    >>> given = np.r_[right[:-3], [0, 0, 0]]
    >>> scores, best = unit_scores(np.log(np.where(np.arange(2) == right[:, None], 0.8, 0.2)), given, wells)
    >>> int(scores.argmin()), int(best[7])
    (7, 1)
    """
    n_classes, n_units = evidence.shape[1], int(unit.max()) + 1
    sizes = np.bincount(unit, minlength=n_units)
    sums = [np.bincount(unit, weights=column, minlength=n_units) for column in evidence.T]
    mean = np.stack(sums, axis=1) / sizes[:, None]
    given = np.zeros(n_units, dtype=np.intp)
    given[unit] = labels
    shares = (np.bincount(given, minlength=n_classes) + 0.5) / (n_units + 0.5 * n_classes)
    own = np.arange(n_units), given

    def right(theta: Floats) -> tuple[Floats, Floats]:
        rate = LEAST_RATE / n_units + (0.5 - LEAST_RATE / n_units) * expit(theta[1])
        fits = np.exp(log_softmax(np.exp(theta[0]) * mean + np.log(shares), axis=1)[own])
        return (1 - rate) * fits, rate / (n_classes - 1) * (1 - fits)

    def loss(theta: Floats) -> float:
        return float(-np.log(np.maximum(sum(right(theta)), 1e-300)).sum())

    starts = [np.array([slope, rate]) for slope in (0.0, 2.0) for rate in (-4.0, -1.0)]
    fitted = min((minimize(loss, start, method="Nelder-Mead") for start in starts), key=lambda found: found.fun)
    yes, no = right(fitted.x)
    scores = np.clip(yes / np.maximum(yes + no, 1e-300), 0, 1)
    return scores, np.asarray((mean + np.log(shares) / np.exp(fitted.x[0])).argmax(axis=1))


def recognised(best: Codes, given: Codes) -> bool:
    """Return whether units look like their labels more often than if these were dealt out at random.

    Where they do not, what the model finds is no sign that a label is wrong.

    Parameters
    ----------
    best, given : int array (U,)
        Number of the class that each unit looks like, and of its label.

    Examples
    --------
    >>> given = np.arange(12) % 2
    >>> recognised(given, given), recognised(np.roll(given, 3) * given, given)
    (True, False)
    """
    n, n_classes = len(given), int(max(best.max(), given.max())) + 1
    shares = [np.bincount(codes, minlength=n_classes) / n for codes in (best, given)]
    return bool(binom.sf(int((best == given).sum()) - 1, n, float(shares[0] @ shares[1])) <= GUESSED)


def unit_table(names: pd.Index, batch: pd.Series, found: pd.DataFrame) -> pd.DataFrame:
    """Return one row per unit, the most suspect first: batch, given, suggested, score, flagged, n_cells, n_atypical."""
    units = found.groupby(names.to_numpy(), sort=True)
    table = units[["given", "suggested", "score", "flagged"]].first()
    table.insert(0, "batch", batch.groupby(names.to_numpy()).first())
    table["n_cells"], table["n_atypical"] = units.size(), units["atypical"].sum()
    table = table.sort_values("score", kind="stable")
    table.insert(4, "rank", np.arange(1, len(table) + 1))
    return table.rename_axis(index="unit")


def suspected_swaps(errors: pd.DataFrame, *, of: Literal["unit", "batch"] = "unit") -> pd.DataFrame:
    """List units, or whole batches, whose labels may have been mixed up, the most suspect first.

    Parameters
    ----------
    errors : DataFrame
        Of `find_label_errors`, where labels were given per unit.
    of : {"unit", "batch"}
        "unit": wells (donors, images); "batch": plates, with the number of units expected to be wrong in each.

    Returns
    -------
    DataFrame
        Units: batch, given, suggested, score (probability that the label is right), rank, flagged, n_cells,
        n_atypical. Batches: n_units, n_flagged, expected_wrong, share_wrong, flagged (more than half of the units).

    Raises
    ------
    ValueError
        The labels were given cell by cell, or the table is not one of `find_label_errors`.

    Examples
    --------
    >>> errors = pd.DataFrame()
    >>> errors.attrs["units"] = [{"unit": "A01", "batch": "P1", "given": "x", "score": 0.1, "flagged": True}]
    >>> suspected_swaps(errors, of="batch")["expected_wrong"].tolist()
    [0.9]
    """
    if of not in ("unit", "batch"):
        raise ValueError(f"of is {of!r}, expected 'unit' or 'batch'.")
    if not errors.attrs.get("units"):
        raise ValueError(
            "No table of units here: these labels differ within units, so single cells were judged; or the table is "
            "not what ms.curate.find_label_errors(cells) returned (a copy may have lost its attrs)."
        )
    table = pd.DataFrame(errors.attrs["units"]).set_index("unit")
    if of == "unit":
        return table
    grouped = table.assign(wrong=1 - table["score"]).groupby("batch", sort=True)
    batches = pd.DataFrame({"n_units": grouped.size(), "n_flagged": grouped["flagged"].sum()})
    batches["expected_wrong"] = grouped["wrong"].sum()
    batches["share_wrong"] = batches["expected_wrong"] / batches["n_units"]
    batches["flagged"] = batches["share_wrong"] > 0.5
    return batches.sort_values("share_wrong", ascending=False, kind="stable")
