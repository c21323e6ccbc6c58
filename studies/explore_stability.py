"""Does bootstrapped stability rank planted phenotypes above random groups of the same sizes? Default studies.

.venv/bin/python studies/explore_stability.py [n_seeds] [first_seed]
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.explore import cluster, partition_stability  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from studies._record import record  # noqa: E402


def of_seed(seed: int) -> dict[str, float]:
    """Return the stability of planted phenotypes, of the same labels mixed up, and of the clusters that are found."""
    cells, truth = simulate(6, 16, 20, seed=seed)
    cells = cells.with_features(measure(cells, progress=False))
    planted = truth.obs["phenotype"]
    mixed = pd.Series(np.random.default_rng(seed).permutation(planted.to_numpy()), planted.index)
    return {
        "planted": partition_stability(cells, planted).estimate,
        "random": partition_stability(cells, mixed).estimate,
        "found": cluster(cells).stability,
    }


def main(n_seeds: int = 10, first: int = 2000) -> None:
    warnings.simplefilter("ignore", UserWarning)
    rows = []
    for seed in range(first, first + n_seeds):
        rows.append(of_seed(seed))
        table = pd.DataFrame(rows)
        figures: dict[str, object] = {column: table[column].round(3).tolist() for column in table}
        figures["seeds"] = len(table)
        figures["planted above random, seeds"] = int((table["planted"] > table["random"]).sum())
        figures["what"] = "6 plates × 16 wells × 20 cells, default doses, shape and intensity; adjusted Rand index"
        record("explore_stability", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
