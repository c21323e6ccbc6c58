"""Wrong labels, swapped wells and outliers: how many are found, beside what an oracle finds.

Gaussian classes whose posterior is known, 8 % of labels wrong, units that mix classes: precision at the true number
and AUROC, beside an oracle that ranks by the true posterior. Simulated cells (ms.features.measure as it is by default):
8 % of cells with a wrong label of their own, beside a model of the same kind that is told the true labels; 4 of 96
wells swapped; planted faults (12 % of cells) by each method of find_outliers.

.venv/bin/python studies/curate_labels.py [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import multivariate_normal
from sklearn.metrics import average_precision_score, roc_auc_score

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.curate import find_label_errors, find_outliers, suspected_swaps  # noqa: E402
from mlscope_nb.curate.discriminant import posterior  # noqa: E402
from mlscope_nb.curate.held_out import evidence, folds, given_labels, settings  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.datasets.simulator.plan import make_plan  # noqa: E402
from mlscope_nb.datasets.simulator.study import asked  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from studies._record import record  # noqa: E402

NOISE = 0.08
METHODS = ("knn", "isolation_forest", "lof")
SIZES = {"n_plates": 6, "wells_per_plate": 16, "cells_per_well": 40}
GAUSSIAN = {
    "4 classes, 8 features, one covariance": {"k": 4, "p": 8, "apart": 2.5},
    "4 classes, 8 features, each its covariance": {"k": 4, "p": 8, "apart": 2.5, "own": True},
    "7 classes, 200 features": {"k": 7, "p": 200, "apart": 4.0},
    "2 classes, 8 features": {"k": 2, "p": 8, "apart": 2.5},
    "4 classes, 600 cells": {"k": 4, "p": 8, "apart": 2.5, "n": 600},
}


def gaussian(seed: int, *, k: int, p: int, apart: float, own: bool = False, n: int = 3000, noise: float = NOISE):
    """Cells of k Gaussian classes in 40 units, the true posterior of each class, and which labels are wrong."""
    rng = np.random.default_rng(seed)
    shares, centres = rng.dirichlet(np.full(k, 8.0)), rng.normal(size=(k, p)) * apart / np.sqrt(2 * p)
    covariances = []
    for number in range(k):
        if own or number == 0:
            root = rng.normal(size=(p, p))
            one = root @ root.T / p + 0.5 * np.eye(p)
        covariances.append(one / np.diag(one).mean())
    true = rng.choice(k, n, p=shares)
    x = np.stack([rng.multivariate_normal(centres[c], covariances[c], method="cholesky") for c in true])
    classes = zip(centres, covariances, shares, strict=True)
    log = np.stack([multivariate_normal(m, c).logpdf(x) + np.log(s) for m, c, s in classes], axis=1)
    wrong = rng.random(n) < noise
    given = np.where(wrong, (true + rng.integers(1, k, n)) % k, true)
    obs = pd.DataFrame({"unit": rng.integers(0, 40, n).astype(str), "label": [f"class {g}" for g in given]})
    cells = Cells(obs, features=pd.DataFrame(x).add_prefix("feature_"), label="label", unit="unit")
    return cells, posterior(log, np.zeros(k))[np.arange(n), given], wrong


def found(scores: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """AUROC and precision at the true number, of scores that are low where labels are wrong."""
    lowest = np.argsort(scores, kind="stable")[: wrong.sum()]
    return {"AUROC": float(roc_auc_score(wrong, -scores)), "precision": float(wrong[lowest].mean())}


def graded(errors: pd.DataFrame, oracle: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    ours, best, flagged = found(errors["score"].to_numpy(), wrong), found(oracle, wrong), errors["flagged"].to_numpy()
    row = {**ours, "oracle AUROC": best["AUROC"], "oracle precision": best["precision"]}
    row["precision / oracle"] = ours["precision"] / best["precision"]
    row["estimated noise rate"] = errors.attrs["noise_rate"]
    row["flagged"] = flagged.mean()
    if flagged.any():
        row["precision of flagged"] = float(wrong[flagged].mean())
        row["expected precision of flagged"] = errors.attrs["expected_precision"]
    return row


def told_the_truth(cells: Cells, true: pd.Series, given: pd.Series) -> np.ndarray:
    """What the same kind of model, trained on true labels, says of the given label: a stand-in for an oracle."""
    right = cells.with_obs(true.rename("true")).with_design(label="true")
    labels = given_labels(right)
    made, _ = folds(right, labels, by=None, n_splits=None, normalize="robust", seed=0)
    k = len(labels.classes)
    said = posterior(*evidence(made, labels.codes, k, np.ones(len(right)), settings(made, labels.codes, k)))
    return said[np.arange(len(right)), pd.Index(labels.classes).get_indexer(given)]


def own_labels(cells: Cells, true: pd.Series, seed: int) -> dict[str, dict[str, float]]:
    """Grades where 8 % of cells have a wrong label of their own; same pictures, other labels."""
    plan = make_plan(asked(SIZES, seed, 1, 64, "default", "micronucleus", {"mislabels": NOISE}))
    given = pd.Series([cell.given for cell in plan.cells], index=cells.ids, name="label")
    told, wrong = cells.with_obs(given), (given != true).to_numpy()
    oracle = told_the_truth(told, true, given)
    clean = find_label_errors(cells.with_obs(true.rename("label")), given_per="cell")
    alone, units = find_label_errors(told, composition=False), find_label_errors(told)
    return {
        "own labels, features alone": graded(alone, oracle, wrong),
        "own labels, by default": graded(units, oracle, wrong),
        "no wrong label, judged cell by cell": {"flagged": clean["flagged"].mean()},
    }


def swapped(cells: Cells, truth: pd.DataFrame) -> dict[str, float]:
    """How many of 4 swapped wells are among the worst 5, and whether the right label is suggested."""
    errors = find_label_errors(cells)
    wells = suspected_swaps(errors)
    is_swapped = truth["swapped_well"].groupby(cells.units).first().reindex(wells.index)
    true = truth["label"].groupby(cells.units).first().reindex(wells.index)
    treated = (truth["label"] != "DMSO") & (truth["fault"] == "none")
    return {
        "in the worst 5": int(is_swapped.head(5).sum()),
        "at least 3 in the worst 5": float(is_swapped.head(5).sum() >= 3),
        "flagged wells": int(wells["flagged"].sum()),
        "flagged and swapped": int((wells["flagged"] & is_swapped).sum()),
        "right label suggested": float((wells["suggested"] == true)[is_swapped].mean()),
        "non-responders among atypical treated": float((~truth["responder"])[treated & errors["atypical"]].mean()),
        "non-responders among treated": float((~truth["responder"])[treated].mean()),
    }


def outliers(cells: Cells, truth: pd.DataFrame) -> dict[str, dict[str, float]]:
    faulty = (truth["fault"] != "none").to_numpy()
    rows = {}
    for method in METHODS:
        table = find_outliers(cells, method)
        scores, flagged = table["score"].to_numpy(), table["flagged"].to_numpy()
        rows[f"faults by {method}"] = {
            "AUROC": float(roc_auc_score(faulty, scores)),
            "AP": float(average_precision_score(faulty, scores)),
            "prevalence": faulty.mean(),
            "flagged": flagged.mean(),
            "flagged of cells without a fault": flagged[~faulty].mean(),
        }
        for fault in sorted(set(truth["fault"]) - {"none"}):
            is_this = (truth["fault"] == fault).to_numpy()
            counted = is_this | ~faulty
            rows[f"faults by {method}"][f"AUROC {fault}"] = float(roc_auc_score(is_this[counted], scores[counted]))
    return rows


def clustered(seed: int) -> dict[str, float]:
    """AUROC of each method where 5 % of 2,000 cells are alike and far from all others."""
    rng = np.random.default_rng(seed)
    odd = np.arange(2000) < 100
    values = rng.normal(size=(2000, 10)) * np.where(odd, 0.3, 1.0)[:, None] + np.where(odd, 4.0, 0.0)[:, None]
    cells = Cells(pd.DataFrame(index=range(2000)), features=pd.DataFrame(values).add_prefix("feature_"))
    return {m: float(roc_auc_score(odd, find_outliers(cells, m)["score"])) for m in METHODS}


def main(first: int = 2000, n_seeds: int = 10) -> None:
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(first, first + n_seeds):
        made: dict[str, dict[str, float]] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for name, options in GAUSSIAN.items():
                cells, oracle, wrong = gaussian(seed, **options)
                made[f"Gaussian, {name}"] = graded(find_label_errors(cells), oracle, wrong)
            made["100 of 2,000 Gaussian cells in one heap, AUROC"] = clustered(seed)
            cells, truth = simulate(**SIZES, seed=seed, swapped_wells=4)
            cells = cells.with_features(measure(cells, progress=False))
            made["simulated, 4 of 96 wells swapped"] = swapped(cells, truth.obs)
            made |= {f"simulated, {k}": v for k, v in own_labels(cells, truth.obs["label"], seed).items()}
            made |= {f"simulated, {k}": v for k, v in outliers(cells, truth.obs).items()}
        for name, row in made.items():
            rows.setdefault(name, []).append(row)
        print(seed, {k: {a: round(float(b), 3) for a, b in v.items()} for k, v in made.items()}, flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        figures: dict[str, Any] = {"seeds": f"{first} to {seed}", "wrong labels planted": NOISE}
        for name, listed in rows.items():
            table = pd.DataFrame(listed)
            for column in table:
                known = table[column].dropna()
                ends = {"mean": known.mean(), "least": known.min(), "most": known.max()}
                figures.setdefault(name, {})[column] = ends
        record("curate_labels", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
