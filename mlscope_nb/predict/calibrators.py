"""Calibrators: probabilities corrected by what turned out, with one number for all or a curve for each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax

from mlscope_nb._words import count, some
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.given_probabilities import Codes

Method = Literal["temperature", "isotonic"]
ENOUGH = 1000
"""Cells that a curve for each class takes: with fewer it follows chance (scikit-learn's guide says the same)."""
SMALLEST = 1e-12
BOUNDS = (-5.0, 5.0)
"""Of the logarithm of the temperature."""


@dataclass(frozen=True, eq=False)
class Temperature:
    """One number that all log probabilities are divided by: above 1 the model was too sure, below 1 not sure enough.

    Parameters
    ----------
    value : float
        The temperature.

    Examples
    --------
    >>> Temperature(2.0).apply(np.array([[0.9, 0.1]])).round(3).tolist()
    [[0.75, 0.25]]
    """

    value: float

    def apply(self, probabilities: Floats) -> Floats:
        """Return probabilities (N, K) at this temperature; at 1 the same numbers."""
        if self.value == 1:
            return np.array(probabilities, dtype=np.float64)
        return np.asarray(softmax(_logs(probabilities) / self.value, axis=1))


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A rising curve from said to true probability for each class; the results are brought to sum to 1.

    Parameters
    ----------
    curves : tuple
        scikit-learn's ``IsotonicRegression``, one per class.
    """

    curves: tuple[Any, ...]

    def apply(self, probabilities: Floats) -> Floats:
        """Return probabilities (N, K) by these curves; equal ones where all curves say 0."""
        found = np.column_stack([c.predict(p) for c, p in zip(self.curves, probabilities.T, strict=True)])
        total = found.sum(axis=1, keepdims=True)
        return np.asarray(np.where(total > 0, found / np.where(total > 0, total, 1), 1 / found.shape[1]))


Calibrator = Temperature | Isotonic


def fit_calibrator(probabilities: Floats, truth: Codes, method: Method) -> Calibrator:
    """Return what turns these probabilities into the shares in which classes came true.

    Parameters
    ----------
    probabilities : array (N, K)
        Of cells that the model was not trained on.
    truth : int array (N,)
        Number of each cell's class.
    method : {"temperature", "isotonic"}
        One number, or a curve per class.

    Raises
    ------
    ValueError
        No such method, or too few cells for curves.

    References
    ----------
    Guo et al. 2017, ICML (temperature scaling); Zadrozny & Elkan 2002, KDD (isotonic). Equal to scikit-learn's
    ``CalibratedClassifierCV`` over a frozen model.

    Examples
    --------
    >>> said = np.tile([0.9, 0.1], (10, 1))
    >>> softer = fit_calibrator(said, np.array([0] * 7 + [1] * 3), "temperature")
    >>> softer.apply(said)[0].round(2).tolist()
    [0.7, 0.3]
    """
    if method == "temperature":
        return Temperature(_temperature(_logs(probabilities), truth))
    if method != "isotonic":
        raise ValueError(f"method is {method!r}, expected 'temperature' or 'isotonic'.")
    if len(truth) < ENOUGH:
        raise ValueError(
            f"{count(len(truth), 'cell')} to calibrate with: a curve for each class takes {ENOUGH:,} at least, with "
            "fewer it follows chance. Use method='temperature', which is one number."
        )
    from sklearn.isotonic import IsotonicRegression

    curves = [
        IsotonicRegression(out_of_bounds="clip").fit(probabilities[:, k], truth == k)
        for k in range(probabilities.shape[1])
    ]
    return Isotonic(tuple(curves))


def calibrated(calibrator: Calibrator, table: pd.DataFrame, classes: pd.Index) -> pd.DataFrame:
    """Return a table of probabilities corrected, with the classes in the order that was calibrated.

    Raises
    ------
    ValueError
        Other classes than those calibrated.
    """
    if set(table.columns) != set(classes):
        raise ValueError(f"Found the classes {some(table.columns)}, expected those calibrated: {some(classes)}.")
    return pd.DataFrame(calibrator.apply(table[list(classes)].to_numpy(np.float64)), table.index, classes)


def log_losses(probabilities: Floats, truth: Codes) -> Floats:
    """Return minus the log probability of each cell's class: the score that only honest probabilities make small."""
    return np.asarray(-_logs(probabilities)[np.arange(len(truth)), truth])


def _logs(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.clip(probabilities, SMALLEST, None)))


def _temperature(logs: Floats, truth: Codes) -> float:
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        said = log_softmax(logs / np.exp(log_temperature), axis=1)
        return -float(said[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=BOUNDS, method="bounded", options={"xatol": 1e-6}).x))
