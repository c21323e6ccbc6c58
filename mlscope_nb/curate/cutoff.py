"""One threshold on one score: which cells it takes, from which classes and plates, and how often it is right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.cells import Cells
from mlscope_nb.curate.flags import quality_thresholds
from mlscope_nb.curate.thresholds import RULES
from mlscope_nb.study import Interval, t_interval

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Side = Literal["below", "above"]
ANY = "any_fault"
# What is worse when it is low, beside the scores that have a rule.
_LOW = ("focus_", "illumination", "signal_to_noise")
# A score without a rule begins with this share of the cells beyond the threshold.
_FIRST = 0.01
_STEPS = 400


def usual_side(column: str) -> Side:
    """Return the side of a threshold on which faults lie, as `flag_quality` has it.

    Examples
    --------
    >>> usual_side("focus"), usual_side("debris"), usual_side("focus_DNA")
    ('below', 'above', 'below')
    """
    rule = RULES.get(column)
    if rule is not None:
        return "above" if rule.high else "below"
    return "below" if column.startswith(_LOW) else "above"


def usual_thresholds(scores: pd.DataFrame, cells: Cells, column: str, side: Side) -> pd.Series:
    """Return the threshold that `flag_quality` has on each plate; empty where it has none on this side."""
    if column == ANY:
        return pd.Series({"all": 1.0}) if side == "above" else pd.Series(dtype=float)
    if column not in RULES:
        return pd.Series(dtype=float)
    table = quality_thresholds(scores[[column]], cells).set_index("plate")
    found = table["low" if side == "below" else "high"]
    return found[np.isfinite(found)]


def first_threshold(values: Floats, usual: pd.Series, side: Side) -> float:
    """Return where to begin: the median of the plates' own thresholds, or the most extreme hundredth of the cells."""
    if len(usual):
        return float(usual.median())
    known = values[np.isfinite(values)]
    return float(np.quantile(known, _FIRST if side == "below" else 1 - _FIRST)) if len(known) else 0.0


def beyond(values: Floats, threshold: float, side: Side) -> Flags:
    """Return True for values strictly beyond the threshold; a value that is not known is never beyond.

    Examples
    --------
    >>> beyond(np.array([0.1, 0.2, np.nan]), 0.2, "below").tolist()
    [True, False, False]
    """
    out: Flags = values < threshold if side == "below" else values > threshold
    return out


@dataclass(frozen=True)
class Axis:
    """The scale on which a score is drawn and a threshold moved, from 0 to 1.

    Parameters
    ----------
    low, high : float
        Ends, in units of the score.
    log : bool
        Equal ratios are equally far apart.
    """

    low: float
    high: float
    log: bool

    def place(self, values: Floats | float) -> Floats:
        """Return where values lie, 0 at the left and 1 at the right end; those beyond the ends at the ends."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        out: Floats = np.clip((self._scaled(values) - low) / (high - low), 0, 1)
        return out

    def grid(self) -> list[float]:
        """Return the positions of a slider, rounded so that they are short to write, rising."""
        at = np.linspace(self._scaled(self.low), self._scaled(self.high), _STEPS + 1)
        if self.log:
            rounded = [float(f"{math.exp(v):.4g}") for v in at]
        else:
            digits = max(0, 1 - math.floor(math.log10((self.high - self.low) / _STEPS)))
            rounded = [round(float(v), digits) for v in at]
        # the ends stay exact, so that Home and End take none or all
        return [self.low, *rounded[1:-1], self.high]

    def ticks(self) -> list[float]:
        """Return up to about eight round numbers within the ends."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1, 2, 5), (1, 3), (1,)):
                found = [s * 10.0**k for k in decades for s in steps if self.low <= s * 10.0**k <= self.high]
                if len(found) <= 8:
                    break
            if len(found) > 2:
                return found[:: 1 + len(found) // 9]
        width = self.high - self.low
        size = 10.0 ** math.floor(math.log10(width / 5))
        step = next(m * size for m in (1, 2, 5, 10) if width / (m * size) <= 7)
        return [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    def _scaled(self, values: Floats | float) -> Floats:
        x = np.asarray(values, dtype=float)
        out: Floats = np.log(np.maximum(x, self.low)) if self.log else x
        return out


def axis_of(values: Floats, column: str, usual: pd.Series) -> Axis:
    """Return the axis for these values and thresholds, a little wider; ratios for scores that are ratios."""
    known = values[np.isfinite(values)]
    known = np.r_[known, usual.to_numpy(float)] if len(known) else known
    log = column == ANY or column.startswith("focus_") or (column in RULES and RULES[column].scale == "log")
    positive = known[known > 0]
    if log and len(positive) and positive.max() > positive.min():
        return Axis(float(positive.min()) * 0.99, float(positive.max()) * 1.01, True)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    margin = 0.01 * (high - low) or max(abs(low), 1.0) / 2
    return Axis(low - margin, high + margin, False)


@dataclass(frozen=True)
class Loss:
    """How much of one class or plate a threshold takes: the mean share over its units."""

    name: str
    n_cells: int
    n_taken: int
    share: Interval


class Parts:
    """The classes or the plates of a set of cells, counted again and again for other flags.

    Parameters
    ----------
    groups : Series (N,)
        The class or plate of each cell; missing ones are left out.
    units : Series (N,) or None
        The unit of each cell; without units there are no intervals.
    """

    def __init__(self, groups: pd.Series, units: pd.Series | None) -> None:
        code, names = pd.factorize(groups)
        self.names = [str(name) for name in names]
        self._known = code >= 0
        unit = np.zeros(len(code), np.int64) if units is None else pd.factorize(units)[0].astype(np.int64)
        n_units = int(unit.max(initial=0)) + 1
        # one number for each unit within each group
        present, self._pair = np.unique((code * n_units + unit)[self._known], return_inverse=True)
        self._size = np.bincount(self._pair, minlength=len(present)).astype(float)
        self._group = present // n_units

    def extremes(self, flags: Flags) -> tuple[Loss, Loss] | None:
        """Return the group that loses most and the one that loses least; None where all lose the same."""
        taken = np.bincount(self._pair, flags[self._known].astype(float), minlength=len(self._size))
        share = taken / np.maximum(self._size, 1)
        n_units = np.bincount(self._group, minlength=len(self.names))
        mean = np.bincount(self._group, share, minlength=len(self.names)) / np.maximum(n_units, 1)
        if not len(mean) or mean.max() - mean.min() < 1e-12:
            return None
        most, least = (self._loss(int(i), share, taken) for i in (mean.argmax(), mean.argmin()))
        return most, least

    def _loss(self, group: int, share: Floats, taken: NDArray[np.number]) -> Loss:
        here = self._group == group
        n = int(self._size[here].sum())
        return Loss(self.names[group], n, round(float(taken[here].sum())), t_interval(share[here]))


def parts_of(cells: Cells) -> dict[str, Parts]:
    """Return the classes (label, or treatment) and the plates (batch) of cells, where they are declared."""
    units = cells.units if cells.design.unit else None
    name = cells.design.label or cells.design.treatment
    parts = {} if name is None else {"class": Parts(cells.obs[name], units)}
    return parts | ({"plate": Parts(cells.batches_of, units)} if cells.design.batch else {})


def precision_recall(flags: Flags, truth: Flags) -> tuple[float, float]:
    """Return the share of taken cells that are faulty, and of faulty cells that are taken; NaN for none.

    Examples
    --------
    >>> precision_recall(np.array([True, True, False]), np.array([True, False, False]))
    (0.5, 1.0)
    """
    hit, taken, faulty = int((flags & truth).sum()), int(flags.sum()), int(truth.sum())
    return hit / taken if taken else math.nan, hit / faulty if faulty else math.nan


def precision_recall_curve(values: Floats, truth: Flags, side: Side) -> tuple[Floats, Floats, float]:
    """Return precision and recall at every threshold that takes anything, strictest first, and average precision.

    Cells with one value are taken together; cells without a value are never taken. Agrees with
    scikit-learn's ``precision_recall_curve`` and ``average_precision_score`` where all values are known.
    """
    known = np.isfinite(values)
    badness = (-values if side == "below" else values)[known]
    order = np.argsort(-badness, kind="stable")
    hits = np.cumsum(truth[known][order])
    last = np.r_[np.diff(badness[order]) != 0, True] if len(order) else np.zeros(0, bool)
    taken = np.arange(1, len(order) + 1)
    precision, recall = (hits / np.maximum(taken, 1))[last], (hits / max(int(truth.sum()), 1))[last]
    area = float(np.sum(np.diff(np.r_[0.0, recall]) * precision))
    return precision, recall, area if truth.any() else math.nan


def thinned(x: np.ndarray, y: np.ndarray, most: int) -> np.ndarray:
    """Return points (n, 2) of a line, at most so many, evenly along it so that its corners stay.

    Examples
    --------
    >>> thinned(np.linspace(0, 1, 500), np.zeros(500), 3).round(1).tolist()
    [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    """
    way = np.r_[0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))][: len(x)]
    rows = np.unique(np.searchsorted(way, np.linspace(0, way[-1] if len(way) else 0.0, most)))[: len(way)]
    return np.column_stack([x[rows], y[rows]])
