"""Reliability: whether cells that a model is 80 % sure of are right in 80 % of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.calibrators import log_losses
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.given_probabilities import Codes, Source, labelled, units_of
from mlscope_nb.study.intervals import MIN_UNITS, Interval, check_level, t_interval, too_few

BINS = 10


def reliability(
    source: Source, cells: Cells, *, by: Columns = None, n_bins: int = BINS, level: float = 0.95
) -> pd.DataFrame:
    """Return how often predictions are right beside how sure they were, in steps of sureness.

    Parameters
    ----------
    source : DataFrame, Evaluation or model
        Probabilities of cells that the model was not trained on; or the model.
    cells : Cells
        With labels; cells without one, or that an Evaluation did not test, are left out.
    by : str or several, optional
        What is independent. Default: what an Evaluation held out, otherwise the unit; "cell" takes cells as
        independent, which wells forbid.
    n_bins : int
        Steps of equal width from 0 to 1.
    level : float
        Confidence level of the intervals, Student's t of a ratio over whole units.

    Returns
    -------
    DataFrame (one row per step that holds a cell)
        from, to, confidence (mean probability of the predicted class), accuracy, low, high (NaN for fewer than 3
        units), n_cells, n_units. In ``attrs``: "expected_calibration_error" and "overconfidence" (confidence minus
        accuracy), each an `Interval`.

    Raises
    ------
    ValueError
        No labels, no unit, or numbers that are no probabilities.

    References
    ----------
    Guo et al. 2017, ICML, for the error: the mean distance of confidence and accuracy over steps, by cells. It is
    never below 0, so that a few hundred cells of a perfectly calibrated model give some 0.02; overconfidence is not
    biased in this way.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCCDD"), "drug": list("xyxyxyxy")}, index=list("abcdefgh"))
    >>> said = pd.DataFrame({"x": [0.8, 0.4] * 4, "y": [0.2, 0.6] * 4}, index=obs.index)
    >>> found = reliability(said, Cells(obs, label="drug", unit="well"))
    >>> found[["confidence", "accuracy"]].to_numpy().round(2).tolist()
    [[0.6, 1.0], [0.8, 1.0]]
    >>> round(found.attrs["overconfidence"].estimate, 2)
    -0.3
    """
    check_level(level)
    if n_bins < 2:
        raise ValueError(f"n_bins is {n_bins}, expected 2 at least.")
    known, table, truth = labelled(source, only_tested(source, cells))
    units, word = units_of(known, by)
    if isinstance(source, Evaluation) and by is None:
        units, word = source.predictions.loc[known.ids, "group"], source.unit
    sure, right = _surest(table.to_numpy(np.float64), truth)
    step = _steps(sure, n_bins)
    rows = [_row(sure, right, units, step == k, (k / n_bins, (k + 1) / n_bins), level, word) for k in np.unique(step)]
    found = pd.DataFrame(rows)
    overs = intervals(table.to_numpy(np.float64), truth, units, n_bins=n_bins, level=level, word=word)
    names = {"expected_calibration_error": "ece", "overconfidence": "overconfidence"}
    found.attrs = {name: overs[key] for name, key in names.items()}
    found.attrs["history"] = [_align.step("reliability", n_bins=n_bins, by=word, level=level)]
    return found


def only_tested(source: Any, cells: Cells) -> Cells:
    """Return the cells that an Evaluation tested; all of them for any other source."""
    if not isinstance(source, Evaluation):
        return cells
    return cells.subset(cells.ids[cells.ids.isin(source.probabilities.index)])


def intervals(
    probabilities: Floats,
    truth: Codes,
    units: pd.Series,
    *,
    n_bins: int = BINS,
    level: float = 0.95,
    word: str = "unit",
) -> dict[str, Interval]:
    """Return the expected calibration error, the overconfidence and the log loss with intervals over whole units."""
    sure, right = _surest(probabilities, truth)
    step = _steps(sure, n_bins)
    off = sure - right
    sign = np.sign(np.bincount(step, off, minlength=n_bins))[step]
    parts = {"ece": sign * off, "overconfidence": off, "log_loss": log_losses(probabilities, truth)}
    found = {name: ratio_interval(values, units, level, word, name) for name, values in parts.items()}
    # What is never below 0 has no interval there.
    return {k: i if k == "overconfidence" else replace(i, low=float(np.maximum(i.low, 0))) for k, i in found.items()}


def ratio_interval(values: Floats, units: pd.Series, level: float, word: str, target: str) -> Interval:
    """Return the mean of numbers of cells, with Student's t interval over units by what each adds to the mean."""
    code, names = pd.factorize(units.to_numpy())
    total, n = np.bincount(code, values), np.bincount(code).astype(float)
    mean = float(values.mean())
    if len(names) < MIN_UNITS:
        return too_few(mean, level, len(names), target, "t", word)
    found = t_interval(mean + (total - mean * n) / n.mean(), level=level, target=target)
    return Interval(mean, found.low, found.high, level, len(names), target, "t", word, found.note)


def _surest(probabilities: Floats, truth: Codes) -> tuple[Floats, Floats]:
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == truth).astype(np.float64)


def _steps(sure: Floats, n_bins: int) -> Codes:
    # A step holds its upper end, as in the literature; what lies a rounding error above 1 belongs to the last one.
    return np.clip(np.ceil(sure * n_bins - 1e-9).astype(np.intp) - 1, 0, n_bins - 1)


def _row(
    sure: Floats,
    right: Floats,
    units: pd.Series,
    rows: NDArray[np.bool_],
    ends: tuple[float, float],
    level: float,
    word: str,
) -> dict[str, float]:
    found = ratio_interval(right[rows], units[rows], level, word, "accuracy")
    return {
        "from": ends[0],
        "to": ends[1],
        "confidence": float(sure[rows].mean()),
        "accuracy": found.estimate,
        "low": float(np.clip(found.low, 0, 1)),
        "high": float(np.clip(found.high, 0, 1)),
        "n_cells": int(rows.sum()),
        "n_units": found.n_units,
    }
