"""How often groups are found where there are none, and where they are planted; how well clusters match the truth.

Nulls: 300 cells × 20 features (normal; correlated; heavy tails by feature or of all together; skewed),
and simulated studies without phenotypes (strength 0, all else default, faults of 2 % each included, nothing curated):
6 plates × 8 wells × 15 cells, shape and intensity features as measured, plates declared. Planted: the same design with
default doses, and "full strength" as strength 2, penetrance 1, with all families of features and 16 wells × 20 cells;
the same at strength 1. "Told the treatments" is the ceiling: a shrunk linear discriminant that knows them, plates left
out in turn.

.venv/bin/python studies/explore_structure.py tables [n_each] [first_seed]
.venv/bin/python studies/explore_structure.py simulated [n_simulated] [n_full] [first_seed]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy.stats import beta  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.metrics import adjusted_rand_score  # noqa: E402

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import Truth, simulate  # noqa: E402
from mlscope_nb.explore import cluster, partition_stability  # noqa: E402
from mlscope_nb.explore.held_out_scores import RIDGE, batch_codes, on_scale  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from studies._record import record  # noqa: E402

N_CELLS, N_FEATURES = 300, 20
SMALL = (6, 8, 15)
FULL = (6, 16, 20)


def mixed(rng: np.random.Generator) -> np.ndarray:
    factors = rng.normal(size=(N_CELLS, 6)) @ rng.normal(size=(6, N_FEATURES))
    return factors + 0.5 * rng.normal(size=(N_CELLS, N_FEATURES))


GENERATORS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda rng: rng.normal(size=(N_CELLS, N_FEATURES)),
    "correlated": mixed,
    "heavy tails": lambda rng: rng.standard_t(3, size=(N_CELLS, N_FEATURES)),
    "heavy tails together": lambda rng: mixed(rng) / np.sqrt(rng.chisquare(3, size=(N_CELLS, 1)) / 3),
    "skewed": lambda rng: np.exp(0.4 * mixed(rng)),
}


def judged(x: Cells | pd.DataFrame) -> dict[str, float]:
    """Return the answer of `structure` and the number of clusters, from the one default call of `cluster`."""
    found = cluster(x, n_bootstrap=0)
    assert found.structure is not None  # noqa: S101
    return {"p": found.structure.p_value, "clusters": found.n_clusters}


def simulated(seed: int, **doses: float) -> Cells:
    cells, _ = simulate(*SMALL, seed=seed, **doses)
    return cells.with_features(measure(cells))


def full(seed: int, strength: float) -> dict[str, float]:
    """Return how well clusters match planted phenotypes at penetrance 1, and how steady those are."""
    cells, truth = simulate(*FULL, seed=seed, strength=strength, penetrance=1)
    cells = cells.with_features(measure(cells, "all"))
    return {**matched(cells, truth), **told(cells, truth), **ranked(cells, truth, seed)}


def told(cells: Cells, truth: Truth) -> dict[str, float]:
    """Return how well classes match planted phenotypes when the treatments of the other plates are known."""
    values, plate = on_scale(cells), batch_codes(cells)
    treatment = cells.obs["treatment"].to_numpy()
    found = np.empty(len(values), object)
    for k in range(plate.max() + 1):
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=RIDGE)
        found[plate == k] = model.fit(values[plate != k], treatment[plate != k]).predict(values[plate == k])
    return {"ARI, told the treatments": adjusted_rand_score(truth.obs["phenotype"], found.astype(str))}


def matched(cells: Cells, truth: Truth) -> dict[str, float]:
    found = cluster(cells)
    phenotype = truth.obs["phenotype"]
    sound = truth.obs["fault"] == "none"
    return {
        "clusters": found.n_clusters,
        "ARI, all cells": adjusted_rand_score(phenotype, found.labels),
        "ARI, cells without fault": adjusted_rand_score(phenotype[sound], found.labels[sound]),
        "stability": found.stability,
    }


def ranked(cells: Cells, truth: Truth, seed: int) -> dict[str, float]:
    phenotype = truth.obs["phenotype"]
    mixed_up = pd.Series(np.random.default_rng(seed).permutation(phenotype.to_numpy()), phenotype.index)
    return {
        "stability of planted groups": partition_stability(cells, phenotype).estimate,
        "stability of random groups": partition_stability(cells, mixed_up).estimate,
    }


def rate(rows: list[dict[str, float]]) -> dict[str, object]:
    """Return how often groups were found, with the exact 95 % interval."""
    n, hits = len(rows), sum(row["p"] <= 0.05 for row in rows)
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return {
        "studies": n,
        "more than one group": hits / n,
        "95 % interval": [low, high],
        "one cluster": float(np.mean([row["clusters"] == 1 for row in rows])),
        "p-values": [round(row["p"], 3) for row in rows],
    }


WHAT = "defaults of cluster and structure; 99 nulls, level 5 %"


def tables(n: int = 60, first: int = 2000) -> None:
    figures: dict[str, object] = {"what": WHAT}
    for name, draw in GENERATORS.items():
        drawn = (pd.DataFrame(draw(np.random.default_rng(first + s))) for s in range(n))
        figures[f"null, {name}"] = rate([judged(values) for values in drawn])
        print(name, figures[f"null, {name}"], flush=True)
        record("explore_structure_tables", figures)


def simulations(n_simulated: int = 60, n_full: int = 10, first: int = 2000) -> None:
    figures: dict[str, object] = {"what": WHAT}
    for name, doses in {"null, simulated without phenotypes": {"strength": 0.0}, "default study": {}}.items():
        rows = []
        for s in range(n_simulated):
            rows.append(judged(simulated(first + s, **doses)))
            figures[name] = rate(rows)
            record("explore_structure", figures)
        print(name, figures[name], flush=True)
    for strength in (2, 1):
        rows = []
        for s in range(n_full):
            rows.append(full(first + s, strength))
            table = pd.DataFrame(rows)
            figures[f"strength {strength}, penetrance 1, all features"] = {c: list(table[c].round(3)) for c in table}
            record("explore_structure", figures)
            print(strength, first + s, rows[-1], flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    {"tables": tables, "simulated": simulations}[sys.argv[1]](*map(int, sys.argv[2:]))
