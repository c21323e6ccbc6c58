"""Novelty: which faults and which unknown phenotypes are found, with a classifier's sureness beside.

Default studies of the simulator (6 plates × 16 wells × 40 cells), features as ms.features.measure gives them by
default. Faults: AUROC of the cells with each fault against those without any.
Unknown phenotypes: each class is left out of the reference in turn; AUROC of its responding cells against the cells
without a fault of all other classes, by features alone. Beside both: 1 minus the probability of the likeliest class.

.venv/bin/python studies/predict_novelty.py [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from mlscope_nb.predict import novelty  # noqa: E402
from studies._record import record  # noqa: E402

METHODS = ("knn", "mahalanobis")


def auroc(odd: np.ndarray, usual: np.ndarray, score: pd.Series) -> float:
    """AUROC of odd against usual cells; all others are left out."""
    counted = odd | usual
    return float(roc_auc_score(odd[counted], score.to_numpy()[counted]))


def sureness(table: pd.DataFrame) -> pd.Series:
    """1 minus the probability of the likeliest class."""
    return 1 - table["max_probability"].astype(float)


def faults(cells: Cells, truth: pd.DataFrame) -> dict[str, dict[str, float]]:
    """AUROC of each planted fault, by each method and by the classifier's sureness."""
    fault = truth["fault"].to_numpy()
    tables = {method: novelty(cells, method=method, model=None) for method in METHODS}
    features_alone = novelty(cells, pictures=False)
    scores = {f"novelty, {m}": t["novelty"] for m, t in tables.items()}
    scores |= {"novelty, knn, features alone": features_alone["novelty"], "sureness": sureness(features_alone)}
    flagged = tables["knn"]["flagged"].to_numpy()
    rows: dict[str, dict[str, float]] = {
        "flagged by default": {
            "of cells with a fault": flagged[fault != "none"].mean(),
            "of cells without": flagged[fault == "none"].mean(),
        }
    }
    for name, score in scores.items():
        rows[f"faults by {name}"] = {
            f: auroc(fault == f, fault == "none", score) for f in sorted(set(fault) - {"none"})
        }
    return rows


def phenotypes(cells: Cells, truth: pd.DataFrame) -> dict[str, dict[str, float]]:
    """AUROC of each class when it is unknown."""
    rows: dict[str, dict[str, float]] = {}
    whole = (truth["fault"] == "none").to_numpy()
    for name in sorted(set(truth["label"]) - {"DMSO"}):
        here = (truth["label"] == name).to_numpy()
        reference = pd.Series(~here, cells.ids)
        odd, usual = here & truth["responder"].to_numpy() & whole, ~here & whole
        for method in METHODS:
            model = "logistic" if method == METHODS[0] else None
            table = novelty(cells, reference, method, pictures=False, model=model)
            rows.setdefault(f"unknown phenotype by novelty, {method}", {})[name] = auroc(odd, usual, table["novelty"])
            if model is not None:
                rows.setdefault("unknown phenotype by sureness", {})[name] = auroc(odd, usual, sureness(table))
    return rows


def summary(listed: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    table = pd.DataFrame(listed)
    return {c: {"mean": table[c].mean(), "least": table[c].min(), "most": table[c].max()} for c in table}


def main(first: int = 2000, n_seeds: int = 3) -> None:
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            cells, truth = simulate(seed=seed)
            cells = cells.with_features(measure(cells, progress=False))
            made = {**faults(cells, truth.obs), **phenotypes(cells, truth.obs)}
        for name, row in made.items():
            rows.setdefault(name, []).append(row)
        print(seed, {k: {a: round(float(b), 3) for a, b in v.items()} for k, v in made.items()}, flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        figures: dict[str, Any] = {"seeds": f"{first} to {seed}", **{k: summary(v) for k, v in rows.items()}}
        record("predict_novelty", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
