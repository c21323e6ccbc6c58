"""Held-out probabilities: corrected by what turned out on other units or batches, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.calibrators import Method, Temperature, fit_calibrator, log_losses
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.given_probabilities import Codes, labelled
from mlscope_nb.predict.intervals import standard_error
from mlscope_nb.predict.reliabilities import intervals, only_tested, ratio_interval, reliability
from mlscope_nb.study.intervals import Interval

NOTHING = "nothing"


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out probabilities of cells, and in which part and group each was tested."""

    values: Floats
    truth: Codes
    part: Codes
    group: pd.Series
    batch: np.ndarray
    classes: pd.Index
    word: str

    @classmethod
    def of(cls, found: Evaluation, cells: Cells) -> Held:
        """Return those of an evaluation of these cells."""
        mine, table, truth = labelled(found, only_tested(found, cells))
        rows = found.predictions.loc[mine.ids]
        batch = mine.batches_of.to_numpy() if mine.design.batch else np.zeros(len(mine))
        part = rows["fold"].to_numpy(np.intp)
        return cls(table.to_numpy(np.float64), truth, part, rows["group"], batch, table.columns, found.unit)


Way = tuple[Floats, Held, float]
"""Corrected probabilities, what they were before, and the mean temperature (1 for none, NaN for curves)."""


def corrected(known: Held, unseen: Held | None, words: list[str], method: Method) -> Iterator[tuple[Any, Way]]:
    """Return where it was tested and what it was calibrated on, with the corrected probabilities."""
    yield (words[0], NOTHING), (known.values, known, 1.0)
    rest = [(known, known.part != k, known.part == k) for k in np.unique(known.part)]
    yield (words[0], words[1]), _by_others(known, rest, method)
    if unseen is None:
        return
    yield (words[2], NOTHING), (unseen.values, unseen, 1.0)
    parts = [(unseen.part == k, np.unique(unseen.batch[unseen.part == k])) for k in np.unique(unseen.part)]
    by_units = [(known, ~np.isin(known.batch, held), rows) for rows, held in parts]
    yield (words[2], words[1]), _by_others(unseen, by_units, method)
    yield (words[2], words[3]), _by_others(unseen, [(unseen, ~rows, rows) for rows, _ in parts], method)


def _by_others(held: Held, parts: list[tuple[Held, Any, Any]], method: Method) -> Way:
    values, temperatures = held.values.copy(), []
    for source, fitted_on, rows in parts:
        order = source.classes.get_indexer(held.classes)
        column = np.argsort(order)
        found = fit_calibrator(source.values[fitted_on][:, order], column[source.truth[fitted_on]], method)
        values[rows] = found.apply(held.values[rows])
        temperatures.append(found.value if isinstance(found, Temperature) else np.nan)
    return values, held, float(np.mean(temperatures))


def figures(way: Way, n_bins: int, level: float) -> dict[str, float]:
    """Return what corrected probabilities are worth, with intervals over held-out groups."""
    values, held, temperature = way
    found = intervals(values, held.truth, held.group, n_bins=n_bins, level=level, word=held.word)
    change = log_losses(values, held.truth) - log_losses(held.values, held.truth)
    found["log_loss_change"] = ratio_interval(change, held.group, level, held.word, "change")
    flat = {f"{k}{end}": v for k, i in found.items() for end, v in _ends(i)}
    flat["log_loss_change_error"] = standard_error(found["log_loss_change"])
    right = float((values.argmax(axis=1) == held.truth).mean())
    more = {"accuracy": right, "temperature": temperature}
    return {**flat, **more, "n_cells": len(values), "n_units": found["ece"].n_units}


def _ends(found: Interval) -> Iterator[tuple[str, float]]:
    yield from (("", found.estimate), ("_low", found.low), ("_high", found.high))


def reliable(way: Way, cells: Cells, n_bins: int, level: float) -> pd.DataFrame:
    """Return confidence and accuracy of corrected probabilities in steps of confidence."""
    values, held, _ = way
    table = pd.DataFrame(values, held.group.index, held.classes)
    mine = cells.subset(held.group.index).with_obs(held.group.rename("held_out_group"))
    return reliability(table, mine, by="held_out_group", n_bins=n_bins, level=level)
