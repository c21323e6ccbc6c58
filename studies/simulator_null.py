"""With all doses 0 and labels that mean nothing, nothing can be learned: for labels of wells and of plates.

.venv/bin/python studies/simulator_null.py [n_seeds]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sklearn.metrics import balanced_accuracy_score  # noqa: E402

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from studies._record import record  # noqa: E402
from studies._reference import features, predictions  # noqa: E402

PLATES, WELLS, CELLS_PER_WELL = 6, 8, 20


def accuracies(cells: Cells, seed: int) -> dict[str, float]:
    """Balanced accuracy of labels drawn for wells and for plates, with those units left out together."""
    table, obs = features(cells), cells.obs
    rng = np.random.default_rng(seed)
    wells = cells.units
    of_well = {
        well: label
        for _, names in wells.groupby(obs["plate"])
        for well, label in zip(rng.permutation(names.unique()), ["a", "b"] * (WELLS // 2), strict=True)
    }
    of_plate = dict(zip(rng.permutation(obs["plate"].unique()), ["a", "b"] * (PLATES // 2), strict=True))
    by_well, by_plate = wells.map(of_well), obs["plate"].map(of_plate)
    pairs = [(a, b) for a in of_plate for b in of_plate if of_plate[a] == "a" and of_plate[b] == "b"]
    return {
        "labels of wells, plates left out": score(table, by_well, obs["plate"]),
        "labels of wells, wells left out": score(table, by_well, wells, n_splits=5),
        "labels of plates, a pair of plates left out": float(
            np.mean([pair_score(table, by_plate, obs["plate"], p) for p in pairs])
        ),
    }


def score(table: pd.DataFrame, labels: pd.Series, groups: pd.Series, n_splits: int | None = None) -> float:
    return float(balanced_accuracy_score(labels, predictions(table, labels, groups, n_splits)))


def pair_score(table: pd.DataFrame, labels: pd.Series, plates: pd.Series, pair: tuple[str, str]) -> float:
    """Learn on the other plates, so that both classes are on both sides of the split."""
    from studies._reference import model

    test = plates.isin(pair)
    fitted = model().fit(table[~test], labels[~test])  # type: ignore[attr-defined]
    return float(balanced_accuracy_score(labels[test], fitted.predict(table[test])))


def main(n_seeds: int = 20) -> None:
    rows = []
    for seed in range(n_seeds):
        cells, _ = simulate(PLATES, WELLS, CELLS_PER_WELL, seed=seed, doses="none")
        rows.append(accuracies(cells, seed))
        print(seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
    results = pd.DataFrame(rows)
    figures = {}
    for name, values in results.items():
        error = float(values.std() / np.sqrt(n_seeds))
        figures[name] = {
            "mean": round(float(values.mean()), 4),
            "standard error": round(error, 4),
            "standard errors from chance (0.5), wanted below 2": round(abs(float(values.mean()) - 0.5) / error, 2),
        }
    what = f"all doses 0, {PLATES} plates × {WELLS} wells × {CELLS_PER_WELL} cells, two classes drawn at random"
    record("simulator_null", {"what": what, "seeds": n_seeds, **figures})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
