"""Active learning against labelling at random: what asking is worth, over fresh simulated studies.

Simulated studies (4 plates × 16 wells × 20 cells), features as ms.features.measure gives them by default. In each seed
whole wells and a plate are locked away three times, 16 cells are labelled, and 10 more in each of 12 rounds. The gain
over random is paired within a repetition, averaged in a seed, with Student's t interval over seeds. Once with the seven
classes as they are (a quarter of the wells are controls), once with one class rare (1 of its wells in 4 kept).

.venv/bin/python studies/predict_active.py [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from mlscope_nb.predict import active_learning  # noqa: E402
from mlscope_nb.study import t_interval  # noqa: E402
from studies._record import record  # noqa: E402

SIZES = {"n_plates": 4, "wells_per_plate": 16, "cells_per_well": 20}
ROUNDS = {"start": 16, "per_round": 10, "rounds": 12, "n_repeats": 3}
STRATEGIES = ("uncertainty", "margin", "diverse")


def played(cells: Cells, seed: int) -> pd.DataFrame:
    """Mean score of each strategy, test and number of labels over the repetitions, and its gain over random."""
    began = time.process_time()
    runs = active_learning(cells, STRATEGIES, **ROUNDS, seed=seed, progress=False).attrs["runs"]
    keys = ["strategy", "test", "n_labelled"]
    table = runs.groupby(keys)["balanced_accuracy"].mean().unstack("strategy")
    gains = table[list(STRATEGIES)].sub(table["random"], axis=0).add_prefix("gain of ")
    gains["random"] = table["random"]
    gains["CPU seconds per round"] = (time.process_time() - began) / len(runs) * runs["test"].nunique()
    return gains


def summary(tables: list[pd.DataFrame]) -> dict[str, Any]:
    """Gains after each third of the rounds, and their mean over all rounds, with intervals over seeds."""
    whole = pd.concat(tables, keys=range(len(tables)), names=["seed"])
    figures: dict[str, Any] = {"CPU seconds per round": float(whole["CPU seconds per round"].mean())}
    labels = sorted(set(whole.index.get_level_values("n_labelled")))
    shown = {f"{n} labels": [n] for n in (labels[4], labels[8], labels[12])} | {"mean of all rounds": labels[1:]}
    for test in ("new wells", "new plates"):
        for name, kept in shown.items():
            part = whole.xs(test, level="test").loc[(slice(None), kept), :].groupby("seed").mean()
            row = {"random": float(part["random"].mean())}
            for strategy in STRATEGIES:
                found = t_interval(part[f"gain of {strategy}"].to_numpy())
                row[f"gain of {strategy}"] = {"mean": found.estimate, "low": found.low, "high": found.high}
            figures[f"{test}, {name}"] = row
    return figures


def without_most(cells: Cells, label: str) -> Cells:
    """The study with one well in four of a class kept, and every other class whole."""
    wells = sorted(set(cells.units[cells.labels == label]))
    return cells.subset(~cells.units.isin([w for i, w in enumerate(wells) if i % 4]))


def main(first: int = 2000, n_seeds: int = 10) -> None:
    rows: dict[str, list[pd.DataFrame]] = {"classes as they are": [], "lobed rare": []}
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            cells, _ = simulate(**SIZES, seed=seed)
            cells = cells.with_features(measure(cells, progress=False))
            rows["classes as they are"].append(played(cells, seed))
            rows["lobed rare"].append(played(without_most(cells, "lobed"), seed))
        last = {k: v[-1].groupby("test").mean().round(3).to_dict("index") for k, v in rows.items()}
        print(seed, last, flush=True)
        if len(rows["lobed rare"]) > 2:
            # After each seed, so that what is finished stands when the run is interrupted.
            figures = {k: summary(v) for k, v in rows.items()}
            record("predict_active", {"seeds": f"{first} to {seed}", **figures})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
