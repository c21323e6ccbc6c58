"""Stopping: which units decide when a network has learned enough, and when training ends."""

from __future__ import annotations

import warnings

import numpy as np

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.network_training import Training
from mlscope_nb.study.splits import split

PARTS = 8
"""One part in so many decides when to stop."""
UNITS_OF_A_CLASS = 3
"""One unit to decide when to stop, and two to learn from: fewer, and nothing is held out."""
LEAST_EPOCHS = 5
OVERTIME = 1.2
"""How far training may run over the time that was given, before it stops with what it has."""


def held_out(cells: Cells, stop_early: bool, seed: int) -> tuple[np.ndarray, list[str]]:
    """Return which cells decide when to stop, in whole units, and why there are none."""
    none = np.zeros(len(cells), bool)
    if not stop_early:
        return none, []
    if not cells.design.unit:
        return none, _fixed("no unit of independence is declared")
    n_units = cells.units.groupby(cells.labels, observed=True).nunique()
    fewest = int(n_units.min())
    if fewest < UNITS_OF_A_CLASS:
        few = n_units.index[n_units < UNITS_OF_A_CLASS]
        return none, _fixed(f"fewer than {UNITS_OF_A_CLASS} units have {some(few)}")
    part = split(cells, n_splits=min(PARTS, fewest), seed=seed)[0]
    if set(cells.labels[part.train_ids]) != set(cells.labels):
        return none, _fixed("some class would be lost")
    return cells.ids.isin(part.test_ids), []


def _fixed(reason: str) -> list[str]:
    """Warn that nothing decides when to stop; return the words."""
    text = f"No units were put aside, for {reason}: all epochs are trained, and nothing says whether fewer are better."
    warnings.warn(text, UserWarning, stacklevel=4)
    return [text]


def ended(run: Training, passed: float | None) -> str:
    """Say why training ends before all epochs; nothing where it goes on."""
    settings = run.settings
    patience = settings["patience"] or max(LEAST_EPOCHS, settings["epochs"] // 3)
    if run.done == settings["epochs"]:
        return ""
    if run.waited >= patience:
        return f"Stopped after {count(run.done, 'epoch')}: no better since epoch {run.best_epoch}."
    if passed is not None and settings["seconds"] is not None and passed > OVERTIME * settings["seconds"]:
        return f"Time was over after {count(run.done, 'epoch')} of {settings['epochs']}, for they took ever longer."
    return ""
