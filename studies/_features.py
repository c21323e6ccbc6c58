"""What studies of features share: seeds in turn, and how much of the label a table holds, plates left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from mlscope_nb import Cells
from mlscope_nb.features.probes import log_probabilities, logistic_probe
from mlscope_nb.study import leave_one_out
from mlscope_nb.study.intervals import t_interval
from studies._record import record

N_PLATES = 6

OfSeed = Callable[[int, int, int], dict[str, float]]
"""Seed, wells per plate and cells per well → figures of one simulated study."""


def run_seeds(
    name: str,
    of_seed: OfSeed,
    n_seeds: int,
    n_workers: int,
    wells: int,
    cells_per_well: int,
    peers: Mapping[str, str] | None = None,
) -> None:
    """Record the figures of the seeds from 0 on, after each of them: a study that is stopped keeps its seeds."""
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, default doses, mean over seeds"
    rows = []
    with ProcessPoolExecutor(n_workers) as pool:
        for row in pool.map(partial(_quietly, of_seed, wells, cells_per_well), range(n_seeds)):
            rows.append(row)
            keep(name, what, rows, peers)


def _quietly(of_seed: OfSeed, wells: int, cells_per_well: int, seed: int) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        row = of_seed(seed, wells, cells_per_well)
    print(seed, {k: round(v, 3) for k, v in row.items()}, flush=True)
    return row


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

    The log probabilities of the tables of a set are added: one model on all columns would drown a few dozen measured
    features in thousands of columns of a network. Each table is read once.
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


def keep(name: str, what: str, rows: Sequence[dict[str, float]], peers: Mapping[str, str] | None = None) -> None:
    """Record the means over the seeds so far, with intervals: a study that is stopped keeps its seeds."""
    figures: dict[str, object] = {"what": what, "seeds": len(rows), **({"peers": dict(peers)} if peers else {})}
    for column, values in pd.DataFrame(list(rows)).items():
        interval = t_interval(np.asarray(values))
        ends = [interval.low, interval.high] if interval.known else "too few seeds"
        figures[str(column)] = {"mean": interval.estimate, "95 % interval": ends}
    record(name, figures)
