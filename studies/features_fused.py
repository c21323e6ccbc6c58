"""Do embeddings of a pretrained network add to classical features, and does the same network untrained?

A logistic regression leaving plates out, one model per table of numbers, for classical, pretrained and both together.

.venv/bin/python studies/features_fused.py [n_seeds] [n_workers] [wells_per_plate] [cells_per_well]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import (  # noqa: E402
    embed_pretrained,
    measure,
    select,
)
from studies._features import N_PLATES, fused_probes, run_seeds  # noqa: E402


def of_seed(seed: int, wells: int, cells_per_well: int) -> dict[str, float]:
    """Return all figures of one simulated study."""
    cells, _ = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    row: dict[str, float] = {}
    classical = select(cells.with_features(measure(cells, "all"))).features
    deep, random = (embed_pretrained(cells, weights=w, cache=False) for w in ("pretrained", "random"))
    tables = {"classical": classical, "pretrained": deep, "random twin": random}
    sets = {name: [name] for name in tables}
    sets |= {"both": ["classical", "pretrained"], "classical and random twin": ["classical", "random twin"]}
    row |= {f"probe {name}": score for name, score in fused_probes(cells, tables, sets).items()}
    row["gain of both"] = row["probe both"] - max(row["probe classical"], row["probe pretrained"])
    row["gain with the random twin"] = row["probe classical and random twin"] - row["probe classical"]
    return row


def main(n_seeds: int = 10, n_workers: int = 1, wells: int = 16, cells_per_well: int = 40) -> None:
    run_seeds("features_fused", of_seed, n_seeds, n_workers, wells, cells_per_well)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
