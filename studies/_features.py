"""What studies of features share: how much of the label a table of numbers holds, plates left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from mlscope_nb import Cells
from mlscope_nb.features.probes import log_probabilities, logistic_probe
from mlscope_nb.study import leave_one_out
from mlscope_nb.study.intervals import t_interval
from studies._record import record


def probe(cells: Cells) -> float:
    """Return the balanced accuracy of a logistic regression that leaves out each plate in turn."""
    folds = [
        (cells.ids.get_indexer(part.train_ids), cells.ids.get_indexer(part.test_ids)) for part in leave_one_out(cells)
    ]
    labels = cells.labels.astype(str).to_numpy(object)
    found = logistic_probe(cells.table().to_numpy(np.float64), labels, folds)
    return float(balanced_accuracy_score(labels.astype(str), found.astype(str)))


def fused_probes(
    cells: Cells, tables: Mapping[str, pd.DataFrame], sets: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Return the balanced accuracy of each set of tables: one model per table, plates left out in turn.

    The log probabilities of the tables of a set are added, as `fused_predictions` does; each table is read once.
    """
    labels = cells.labels.astype(str)
    values = {name: table.loc[cells.ids].to_numpy(np.float64) for name, table in tables.items()}
    found = {name: np.full(len(cells), None, dtype=object) for name in sets}
    for part in leave_one_out(cells):
        train, test = cells.ids.get_indexer(part.train_ids), cells.ids.get_indexer(part.test_ids)
        known = labels.to_numpy(object)[train]
        each = {name: log_probabilities(v[train], known, v[test]) for name, v in values.items()}
        for name, members in sets.items():
            found[name][test] = sum(each[m] for m in members).idxmax(axis=1).to_numpy(object)
    return {name: float(balanced_accuracy_score(labels, guess.astype(str))) for name, guess in found.items()}


def keep(name: str, what: str, rows: Sequence[dict[str, float]]) -> None:
    """Record the means over the seeds so far, with intervals: a study that is stopped keeps its seeds."""
    figures: dict[str, object] = {"what": what, "seeds": len(rows)}
    for column, values in pd.DataFrame(list(rows)).items():
        interval = t_interval(np.asarray(values))
        ends = [interval.low, interval.high] if interval.known else "too few seeds"
        figures[str(column)] = {"mean": interval.estimate, "95 % interval": ends}
    record(name, figures)
