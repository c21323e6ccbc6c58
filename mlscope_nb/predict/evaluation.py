"""Evaluation: how well labels were predicted, for what, against what, and which cells were taken for which."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.predict.intervals import EXACT, contributions, counts, difference
from mlscope_nb.study._result import Result, number, plain
from mlscope_nb.study.intervals import Interval
from mlscope_nb.study.units import plural

CONFUSION_SHOWN = 25


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Result):
    """How well a model predicts the label of cells that it was not trained on.

    Parameters
    ----------
    model : str
        What was trained.
    by : str
        What was held out ("well", "plate", "cell").
    balanced_accuracy : float
        Mean recall of the classes, over all held-out predictions.
    interval : Interval
        Of the balanced accuracy; ``.target`` says what it is about.
    macro_f1, auprc : float
        Mean F1 and mean average precision (area under precision and recall) of the classes.
    chance : float
        The balanced accuracy of guessing, one by the number of classes.
    predictions : DataFrame
        One row per tested cell: given, predicted, probability (of the predicted class), group, fold.
    probabilities : DataFrame
        One row per tested cell, one column per class.
    confusion : DataFrame
        Cells by given (rows) and predicted class (columns).
    per_class : DataFrame
        recall, precision, f1, average_precision, n_cells, n_groups of each class.
    baselines : DataFrame
        balanced_accuracy, low, high of what a model has to beat, and gain: how much this one is better, with its
        interval (gain_low, gain_high).
    unit : str
        The word for what the interval rests on.
    n_units : int
        How many.
    tables : dict
        Features by origin: one model each.
    notes : tuple of str
        What a reader has to know.
    history : tuple of dict
        What was done, with all settings.
    """

    model: str
    by: str
    balanced_accuracy: float
    interval: Interval
    macro_f1: float
    auprc: float
    chance: float
    predictions: pd.DataFrame
    probabilities: pd.DataFrame
    confusion: pd.DataFrame
    per_class: pd.DataFrame
    baselines: pd.DataFrame
    unit: str
    n_units: int
    tables: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    history: tuple[dict[str, Any], ...] = ()

    def cells_of(self, given: Any, predicted: Any) -> pd.Index:
        """Return the ids of the cells of one class that were taken for another (or the same).

        Parameters
        ----------
        given, predicted
            Classes, as they stand in `confusion`.

        Raises
        ------
        KeyError
            No such class.
        """
        unknown = [c for c in (given, predicted) if c not in self.confusion.index]
        if unknown:
            raise KeyError(f"No class {some(unknown)}. There are: {some(self.confusion.index, 20)}.")
        rows = (self.predictions["given"] == given) & (self.predictions["predicted"] == predicted)
        return pd.Index(self.predictions.index[rows])

    def against(self, other: Evaluation) -> Interval:
        """Return how much better this model is than another one on the same cells, with a paired interval.

        Raises
        ------
        ValueError
            Other cells, other labels or other groups were tested.
        """
        same = self.predictions.index.equals(other.predictions.index)
        if not (same and all(self.predictions[c].equals(other.predictions[c]) for c in ("given", "group"))):
            raise ValueError(
                "The two evaluations tested other cells, labels or groups. Compare models on the same cells: "
                "cross_validate(cells, …, by=…) with the same by and n_splits."
            )
        what = f"balanced accuracy, {self.model} minus {other.model}"
        return difference(_values(self), _values(other), self.interval.level, what, self.unit)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single cells as plain numbers and text, ready for JSON."""
        names = ("model", "by", "balanced_accuracy", "macro_f1", "auprc", "chance", "unit", "n_units", "notes")
        tables = {n: plain(getattr(self, n)) for n in ("confusion", "per_class", "baselines", "tables")}
        found = {name: plain(getattr(self, name)) for name in names}
        return {**found, "interval": self.interval.to_dict(), **tables, "history": plain(list(self.history))}

    def __str__(self) -> str:
        said = [self._headline(), self._reading(), self._beside(), *self.notes]
        return "\n".join(line for line in said if line)

    def _headline(self) -> str:
        n = count(len(self.predictions), "cell")
        classes = count(len(self.confusion), "class", "classes")
        return f"Balanced accuracy of '{self.model}' on {self._target()}: {self.interval} ({n}, {classes})."

    def _target(self) -> str:
        return self.interval.target.removeprefix("balanced accuracy on ")

    def _reading(self) -> str:
        if self.by == "cell":
            held = plural(self.unit) if self.unit != "cell" else "units"
            return (
                f"Random split over cells: cells of the same {held} stand in training and test, so this is not what "
                "the model does on new ones."
            )
        if not self.interval.known:
            return ""
        low, guess = self.interval.low, f"guessing ({number(self.chance, 0.1)})"
        alike = f"{self.interval.note}." if self.interval.method == EXACT else ""
        if low > self.chance:
            return f"That is better than {guess}. {alike}".rstrip()
        return alike or f"That cannot be told from {guess}."

    def _beside(self) -> str:
        if self.baselines.empty:
            return ""
        found = self.baselines["balanced_accuracy"].dropna()
        words = ", ".join(f"{name} {number(v, 0.1)}" for name, v in found.items())
        # The model has to be better than what never looked at the cell, beyond what the groups differ anyway.
        low = self.baselines["gain_low"].where(self.baselines["gain_low"].notna(), self.baselines["gain"])
        rivals = self.baselines.index[(low <= 0) & (self.baselines["balanced_accuracy"] > self.chance)]
        warning = f" Not clearly better than {some(rivals)} alone: the label may be told without the cell."
        return f"Beside it: {words}.{warning if len(rivals) else ''}"

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines())
        shown = self.baselines.round(3).to_html(border=0, escape=True, na_rep="") if len(self.baselines) else ""
        table = self.confusion
        if len(table) > CONFUSION_SHOWN:
            return f"{lines}{shown}"
        return f"{lines}{shown}<p>Cells by given class (rows) and predicted class (columns):</p>" + table.to_html(
            border=0, escape=True
        )


def _values(evaluation: Evaluation) -> np.ndarray:
    return group_values(evaluation.predictions, list(evaluation.confusion.index))


def group_values(predictions: pd.DataFrame, classes: list[Any]) -> np.ndarray:
    """Return the contribution of each group to the balanced accuracy, in order of their names."""
    index = pd.Index(classes, dtype=object)
    truth = index.get_indexer(pd.Index(predictions["given"], dtype=object))
    right = (predictions["given"] == predictions["predicted"]).to_numpy(np.float64)
    return contributions(*counts(truth, right, predictions["group"]))
