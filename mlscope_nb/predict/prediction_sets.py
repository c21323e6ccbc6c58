"""Prediction sets: all classes a cell may be of, with a stated share of cells whose class is among them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.given_probabilities import (
    Codes,
    Source,
    checked,
    labelled,
    probabilities_of,
    unit_weights,
    units_of,
)
from mlscope_nb.study._result import Result
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.splits import CELL
from mlscope_nb.study.units import plural

Method = Literal["lac", "aps"]
ROUNDING = 1e-9
POOLED = (
    "Held-out probabilities of several models (one per fold) calibrate these sets; for one model trained on all cells "
    "the promise is approximate. For an exact one, calibrate with cells that its training never saw."
)


@dataclass(frozen=True, eq=False)
class Conformal(Result):
    """Calibrated thresholds that turn probabilities into sets of classes.

    Parameters
    ----------
    method : str
        "lac" or "aps".
    level : float
        The promised share of cells whose set holds their class, over new units like those of the calibration.
    thresholds : Series
        The largest score that stays in the set, for each class.
    n_units : Series
        Units that each class's threshold rests on.
    unit : str
        The word for what counted as one.
    by_class : bool
        Whether each class has a threshold, and the promise, of its own.
    model : Classifier, optional
        The model that was calibrated.
    notes : tuple of str
        What a reader has to know.
    history : tuple of dict
        What was done, with all settings.
    """

    method: Method
    level: float
    thresholds: pd.Series
    n_units: pd.Series
    unit: str
    by_class: bool
    model: Any = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    history: tuple[dict[str, Any], ...] = ()

    def sets(self, given: pd.DataFrame | Evaluation | Cells) -> pd.DataFrame:
        """Return which classes each cell may be of: True or False, one row per cell, one column per class.

        Parameters
        ----------
        given : DataFrame, Evaluation or Cells
            Probabilities; or cells, where a model was calibrated.

        Raises
        ------
        ValueError
            Other classes than those calibrated, no probabilities, or cells without a model.
        """
        if isinstance(given, Cells):
            if self.model is None:
                raise ValueError("No model was calibrated, only probabilities: give the probabilities of these cells.")
            table = probabilities_of(self.model, given)
        else:
            table = checked(given.probabilities if isinstance(given, Evaluation) else given)
        classes = self.thresholds.index
        if set(table.columns) != set(classes):
            raise ValueError(f"Found the classes {some(table.columns)}, expected those calibrated: {some(classes)}.")
        values = scores(table[list(classes)].to_numpy(np.float64), self.method)
        found = pd.DataFrame(values <= self.thresholds.to_numpy(np.float64), table.index, classes)
        found.attrs["history"] = [*self.history]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return thresholds and settings as plain values; not the model."""
        tables = {name: {str(k): v for k, v in getattr(self, name).items()} for name in ("thresholds", "n_units")}
        plain = {name: getattr(self, name) for name in ("method", "level", "unit", "by_class")}
        return {**plain, **tables, "notes": list(self.notes), "history": list(self.history)}

    def __str__(self) -> str:
        n = int(self.n_units.min())
        each = "of each class" if self.by_class else "of all"
        over = f"{count(n, self.unit, plural(self.unit))}{' or more for each class' if self.by_class else ''}"
        line = f"Sets that hold the class {each} in {self.level * 100:g} % of cells of new {plural(self.unit)}"
        return "\n".join([f"{line} like those of the calibration ({over}).", *self.notes])


def conformal(
    source: Source,
    cells: Cells,
    *,
    method: Method = "lac",
    by_class: bool = False,
    level: float = 0.9,
    by: Columns = None,
) -> Conformal:
    """Calibrate sets of classes that hold the right one for a stated share of the cells of new units.

    Every unit counts as one, whatever its number of cells: the threshold is the quantile of the scores of all
    calibration cells, each weighted by one by the number of cells in its unit, with one unit more whose score is
    infinite. That keeps the promise for a cell of a new unit when units are exchangeable, as cells of one well are
    not among others. New plates are like the calibration only where plates are what counts (``by="batch"``).

    Parameters
    ----------
    source : DataFrame, Evaluation or model
        Probabilities of the calibration cells, which the model must not have seen in training; or the model.
    cells : Cells
        The calibration cells, with labels and a declared unit.
    method : {"lac", "aps"}
        "lac": a class stays when it is probable enough; the smallest sets. "aps": the most probable classes until
        their sum is reached; sets grow where the model hesitates, and keep more than promised where there are few
        classes. Empty sets are possible with both.
    by_class : bool
        A threshold for each class (Mondrian), so that the promise holds for each one and not only on average.
    level : float
        The share promised.
    by : str or several, optional
        What counts as one: default the unit; "batch" for new plates; "cell" takes cells as independent (the ordinary
        split conformal method), which wells forbid.

    Returns
    -------
    Conformal
        ``.sets(probabilities)``, ``.thresholds``; judge it on other cells with `coverage`.

    Raises
    ------
    ValueError
        Too few units for the level, no label or unit, or numbers that are no probabilities.

    References
    ----------
    Lee, Barber & Willett 2023, arXiv:2306.06342 (hierarchical conformal prediction); Dunn, Wasserman & Ramdas 2022,
    JASA 118:2491; Sadinle et al. 2019, JASA 114:223 (LAC); Romano et al. 2020, NeurIPS (APS, here without
    randomisation). With ``by="cell"`` equal to MAPIE's sets and, where (n + 1)(1 - level)
    is not whole, to crepes' (which then keeps one score more).

    Examples
    --------
    >>> obs = pd.DataFrame({"well": [f"w{i}" for i in range(9)], "drug": "x"}, index=list("abcdefghi"))
    >>> p = np.linspace(0.5, 0.9, 9)
    >>> given = pd.DataFrame({"x": p, "y": 1 - p}, index=obs.index)
    >>> found = conformal(given, Cells(obs, label="drug", unit="well"))
    >>> round(float(found.thresholds["x"]), 2), found.sets(given).loc["a"].tolist()
    (0.5, [True, True])
    """
    check_level(level)
    if method not in get_args(Method):
        raise ValueError(f"method is '{method}', expected one of {some(get_args(Method))}.")
    known, table, truth = labelled(source, cells)
    units, word = units_of(known, by)
    own = scores(table.to_numpy(np.float64), method)[np.arange(len(truth)), truth]
    parts = _parts(truth, table.shape[1], by_class)
    counted = np.array([units[rows].nunique() for rows in parts])
    _refuse_few(counted, table.columns, word, level, by_class)
    limits = np.array([_threshold(own[rows], units[rows], level) for rows in parts])
    shape = table.shape[1] // len(parts)
    held = list(by) if by is not None and not isinstance(by, str) else by
    return Conformal(
        method=method,
        level=level,
        thresholds=pd.Series(np.repeat(limits, shape), index=table.columns, name="threshold"),
        n_units=pd.Series(np.repeat(counted, shape), index=table.columns, name="n_units"),
        unit=word,
        by_class=by_class,
        model=source if not isinstance(source, pd.DataFrame | Evaluation) else None,
        notes=_notes(source, known, word),
        history=(_align.step("conformal", method=method, by_class=by_class, level=level, by=held or word),),
    )


def scores(values: Floats, method: Method) -> Floats:
    """Return how badly each class fits each cell, from 0 to 1.

    Parameters
    ----------
    values : array (N, K)
        Probabilities.
    method : {"lac", "aps"}
        "lac": one minus the probability. "aps": the sum of probabilities of all classes at least as probable.

    Examples
    --------
    >>> scores(np.array([[0.5, 0.125, 0.375]]), "aps").tolist()
    [[0.5, 1.0, 0.875]]
    """
    if method == "lac":
        return np.asarray(1 - values)
    order = np.argsort(values, axis=1, kind="stable")
    rising = np.take_along_axis(values, order, axis=1)
    # Counted from the least probable class, so that the whole is exactly 1 for every cell.
    left = 1 - (np.cumsum(rising, axis=1) - rising)
    found = np.empty_like(left)
    np.put_along_axis(found, order, left, axis=1)
    return found


def units_needed(level: float) -> int:
    """Return how many units a level takes: with n exchangeable ones no more than n / (n + 1) can be promised.

    Examples
    --------
    >>> units_needed(0.9), units_needed(0.95), units_needed(0.5)
    (9, 19, 1)
    """
    return math.ceil(level / (1 - level) - ROUNDING)


def _parts(truth: Codes, n_classes: int, by_class: bool) -> list[Any]:
    return [truth == k for k in range(n_classes)] if by_class else [np.ones(len(truth), dtype=bool)]


def _threshold(values: Floats, units: pd.Series, level: float) -> float:
    """Return the quantile of scores in which each unit weighs one, and one unit more is infinite."""
    weights, n = unit_weights(units)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, level * (n + 1) - ROUNDING * (n + 1)))
    return float(values[order][min(place, len(values) - 1)])


def _refuse_few(counted: Codes, classes: pd.Index, word: str, level: float, by_class: bool) -> None:
    needed = units_needed(level)
    few = np.flatnonzero(counted < needed)
    if not len(few):
        return
    n = int(counted[few].min())
    of = f" of the class {some(classes[few])}" if by_class else ""
    best = f"{math.floor(100 * n / (n + 1))} %" if n else "nothing"
    raise ValueError(
        f"{count(n, word, plural(word))}{of}: a level of {level:g} takes {needed} at least, and with {n} no more than "
        f"{best} can be promised. Lower the level, add {plural(word)}"
        + (", or give all classes one threshold (by_class=False)." if by_class else ".")
    )


def _notes(source: Source, cells: Cells, word: str) -> tuple[str, ...]:
    notes = [POOLED] if isinstance(source, Evaluation) else []
    if word == CELL:
        notes.append("Cells were taken as independent: for cells of new units the promise does not hold.")
    elif cells.design.batch and units_of(cells, "batch")[1] != word:
        notes.append(f"The promise is about new {plural(word)} of batches like these, not about a new batch.")
    return tuple(notes)
