"""Calibration: what a model's probabilities are worth on plates that it knows and on new ones, and what mends them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.calibrators import Calibrator, Method, Temperature, calibrated, fit_calibrator
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.feature_model import Learner, train_model
from mlscope_nb.predict.held_out_probabilities import NOTHING, Held, corrected, figures, reliable
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.reliabilities import BINS
from mlscope_nb.predict.scale import Normalize, with_usable_controls
from mlscope_nb.predict.tables import Features
from mlscope_nb.predict.validation import cross_validate
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.units import noun, plural

FEWEST_BATCHES = 3
"""One to test on, and two to calibrate on that the model does not know in turn."""


@dataclass(frozen=True, eq=False)
class Calibration(Result):
    """Corrected probabilities, and how much the correction is worth where.

    Parameters
    ----------
    method : str
        "temperature" or "isotonic".
    calibrated_on : str
        What `apply` was fitted on ("held-out plates", "held-out wells"); "nothing" where that is not shown to help,
        so that `apply` leaves probabilities as they are.
    table : DataFrame
        One row for each way to calibrate (second level of the index) and where it was tested (first level): ece
        (expected calibration error), overconfidence (mean confidence minus accuracy), log_loss, each with _low and
        _high; log_loss_change against no calibration (below 0 is better) with its paired interval and standard error
        (_error); accuracy; temperature (mean over the parts); n_cells, n_units.
    reliability : DataFrame
        Confidence and accuracy in steps of confidence for each of these rows, as `reliability` returns them.
    calibrator : Temperature or Isotonic
        What `apply` uses, fitted on all held-out probabilities; a temperature of 1 where nothing is corrected.
    classes : Index
        In order.
    model : FeatureClassifier, optional
        Trained on all cells; none where evaluations or a function were given.
    notes, history : tuple
        What a reader has to know; what was done.
    """

    method: Method
    calibrated_on: str
    table: pd.DataFrame
    reliability: pd.DataFrame
    calibrator: Calibrator
    classes: pd.Index
    model: Any = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    history: tuple[dict[str, Any], ...] = ()

    @property
    def temperature(self) -> float | None:
        """The number that log probabilities are divided by: above 1, the model was too sure; None for curves."""
        return self.calibrator.value if isinstance(self.calibrator, Temperature) else None

    def apply(self, probabilities: pd.DataFrame | Evaluation) -> pd.DataFrame:
        """Return probabilities of other cells, corrected.

        Raises
        ------
        ValueError
            Other classes than those calibrated.
        """
        table = probabilities.probabilities if isinstance(probabilities, Evaluation) else probabilities
        return calibrated(self.calibrator, table, self.classes)

    def predict_proba(self, cells: Cells) -> pd.DataFrame:
        """Return corrected probabilities of new cells, by the model trained on all cells.

        Raises
        ------
        ValueError
            There is no model, for evaluations or a function were given.
        """
        if self.model is None:
            raise ValueError("There is no model here, for its evaluations were given: use .apply(probabilities).")
        return self.apply(self.model.predict_proba(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return figures and settings as plain values; not the model."""
        table = {f"{where}, calibrated on {how}": row.to_dict() for where, how, row in self._rows()}
        names = {"method": self.method, "calibrated_on": self.calibrated_on, "temperature": self.temperature}
        return {**names, "table": table, "notes": list(self.notes), "history": list(self.history)}

    def __str__(self) -> str:
        lines = []
        for tested in dict.fromkeys(where for where, _, _ in self._rows()):
            parts = [f"{_with(row, 'ece')} calibrated on {how}" for where, how, row in self._rows() if where == tested]
            lines.append(f"Calibration error on {tested}: {', '.join(parts)}.")
        return "\n".join([*lines, *self._advice(), *self.notes])

    def _advice(self) -> Iterator[str]:
        for where, how, row in self._rows():
            if how != NOTHING:
                yield f"Calibrating on {how} {_verdict(row)} on {where} (log loss {_with(row, 'log_loss_change')})."
        if self.calibrated_on != NOTHING:
            yield f"Probabilities from here are calibrated on {self.calibrated_on}."
            return
        where, how, row = self._rows()[-1]
        error = row["log_loss_change_error"]
        enough = f"does not fall by more than its standard error ({number(error, error)})"
        shown = enough if np.isfinite(error) else "cannot be compared with so few groups"
        yield f"Probabilities from here stay as they are: calibrated on {how}, log loss on {where} {shown}."

    def _rows(self) -> list[tuple[str, str, pd.Series]]:
        return [(str(key[0]), str(key[1]), self.table.loc[key]) for key in self.table.index]

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines())
        return lines + self.table.round(3).to_html(border=0, escape=True, na_rep="")


def calibrate(
    cells: Cells,
    model: ModelName | Any | Learner = "logistic",
    normalize: Normalize = None,
    *,
    method: Method = "temperature",
    features: Features = None,
    same: Evaluation | None = None,
    new: Evaluation | None = None,
    always: bool = False,
    n_bins: int = BINS,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Calibration:
    """Calibrate probabilities on held-out units, and say what that is worth on the same plates and on new ones.

    A model is surer of a plate that it knows. Calibrated on wells of plates that it was trained on, it learns to trust
    itself, and is then too sure of a new plate. So both are measured: cells of held-out units, predicted by models that
    know their plates, and cells of held-out plates. Each is corrected by what was found on the *other* units or plates,
    never on itself. What `apply` uses is fitted on held-out plates where there are three or more, and only where it
    helps those of other plates by more than one standard error over plates. Else nothing is corrected: with few plates
    one odd plate decides the temperature, and the next plate is not that one.

    Parameters
    ----------
    cells : Cells
        With labels, a declared unit and features; and a batch, if anything is to be said about new ones.
    model, normalize, features
        As in `cross_validate`.
    method : {"temperature", "isotonic"}
        One number for all classes, or a curve for each (from 1,000 cells on).
    same, new : Evaluation, optional
        What ``cross_validate(cells, …)`` and ``cross_validate(cells, …, by="batch")`` returned, so that nothing is
        trained again.
    always : bool
        Correct even where held-out groups do not show that it helps.
    n_bins : int
        Steps of the calibration error.
    level : float
        Confidence level of intervals over units and over batches.
    seed : int
        Of splits and models.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    Calibration
        ``.table``, ``.reliability``, ``.temperature``, ``.apply(probabilities)``, ``.predict_proba(cells)``.

    Raises
    ------
    ValueError
        No label, unit or features, or too few cells for the method.

    Notes
    -----
    The models of other plates were trained with the plate that is tested: its labels reach its own correction through
    them only, which for one number over all plates is next to nothing.

    Held-out plates are predicted by models that know one plate less than the final one, and models of fewer plates are
    surer of new plates than they may be: with three or four plates a temperature above 1 is somewhat too high. What is
    left over on new plates is measured in ``studies/predict_calibration.py``.

    References
    ----------
    Guo et al. 2017, ICML; Ovadia et al. 2019, NeurIPS, on calibration that does not survive a shift.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(4) for w in range(6) for _ in range(9)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> table = pd.DataFrame({"area": (obs["drug"] == "b") * 2 + rng.normal(size=len(obs))})
    >>> found = calibrate(Cells(obs, features=table, label="drug", unit="well", batch="plate"))
    >>> found.table.index.tolist()[2:]
    [('new plates', 'nothing'), ('new plates', 'held-out wells'), ('new plates', 'held-out plates')]
    >>> found.calibrated_on, 0.3 < found.temperature < 3
    ('held-out plates', True)
    """
    check_level(level)
    given = same is not None or new is not None
    judged = partial(cross_validate, cells, model, normalize=normalize, features=features, baselines=False, seed=seed)
    same = judged(progress=progress) if same is None else same
    enough = bool(cells.design.batch) and cells.batches_of[cells.labels.notna()].nunique() >= FEWEST_BATCHES
    if new is None and enough:
        new = judged(by="batch", progress=progress)
    known = Held.of(same, cells)
    unseen = None if new is None else Held.of(new, cells)
    words = _words(cells, known, unseen)
    ways = dict(corrected(known, unseen, words, method))
    table = pd.DataFrame({key: figures(way, n_bins, level) for key, way in ways.items()}).T
    best = known if unseen is None else unseen
    helps = always or _helps(table.loc[[(words[-2], words[-1])]].iloc[0])
    step = _align.step("calibrate", method=method, model=same.model, n_bins=n_bins, always=always, seed=seed)
    return Calibration(
        method=method,
        calibrated_on=words[-1] if helps else NOTHING,
        table=table.astype({"n_cells": int, "n_units": int}),
        reliability=pd.concat({key: reliable(way, cells, n_bins, level) for key, way in ways.items()}),
        calibrator=fit_calibrator(best.values, best.truth, method) if helps else Temperature(1.0),
        classes=best.classes,
        model=None if given or _is_function(model) else _trained(cells, model, normalize, features, seed),
        notes=() if unseen is not None else (_unsaid(cells),),
        history=(*same.history, *(() if new is None else new.history), step),
    )


def _words(cells: Cells, known: Held, unseen: Held | None) -> list[str]:
    """Return the words for: known batches, held-out units, new batches, held-out batches."""
    units = f"held-out {plural(known.word)}"
    if not cells.design.batch:
        return [f"new {plural(known.word)}", units]
    several = plural(noun(cells.design.batch))
    return [f"same {several}", units, *([] if unseen is None else [f"new {several}", f"held-out {several}"])]


def _helps(row: pd.Series) -> bool:
    """Whether what is fitted on other groups makes the log loss fall by more than one standard error over groups."""
    return bool(row["log_loss_change"] < -row["log_loss_change_error"])


def _unsaid(cells: Cells) -> str:
    if not cells.design.batch:
        return "No batch is declared, so nothing is known about new ones: a model is surer of a plate than it may be."
    n, word = cells.batches_of.nunique(), noun(cells.design.batch)
    return (
        f"Nothing is known about new {plural(word)}: that takes {FEWEST_BATCHES} at least, found "
        f"{count(int(n), word, plural(word))} ({some(sorted(set(cells.batches_of)))})."
    )


def _is_function(model: Any) -> bool:
    return callable(model) and not hasattr(model, "get_params")


def _trained(cells: Cells, model: Any, normalize: Normalize, features: Features, seed: int) -> Any:
    whole, _ = with_usable_controls(cells.with_images(None), normalize, [])
    return train_model(whole, model, normalize, features=features, seed=seed)


def _with(row: pd.Series, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    estimate = number(row[name], high - low)
    return estimate if not np.isfinite(low) else f"{estimate} ({number(low, high - low)} to {number(high, high - low)})"


def _verdict(row: pd.Series) -> str:
    if not np.isfinite(row["log_loss_change_low"]):
        return "changes what cannot be told with so few groups"
    if row["log_loss_change_high"] < 0:
        return "helps"
    return "hurts" if row["log_loss_change_low"] > 0 else "makes no difference that could be told"
