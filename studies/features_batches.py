"""What normalisation does to plate and biology on simulated plates, and whether embeddings add to classical features.

Plate: balanced accuracy of the plate from control wells that took no part in fitting, minus its permuted null, before
and after. Probe: a logistic regression leaving plates out, for classical, pretrained and both together.

.venv/bin/python studies/features_batches.py [n_seeds] [n_workers] [wells_per_plate] [cells_per_well]
"""

from __future__ import annotations

import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import (  # noqa: E402
    Normalizer,
    batch_report,
    embed_pretrained,
    measure,
    select,
)
from mlscope_nb.features.batch_figures import LABEL, MIXING, PROBE, REPLICATES  # noqa: E402
from studies._features import fused_probes, keep  # noqa: E402

ON_CONTROLS = ("standardize", "tvn", "ruv", "combat")
ON_ALL = ("standardize", "tvn")
METHODS = {
    **{name: Normalizer(name) for name in ON_CONTROLS},
    **{f"{name}, whole plates": Normalizer(name, control="all") for name in ON_ALL},
}
N_PLATES = 6


def of_seed(seed: int, wells: int, cells_per_well: int) -> dict[str, float]:
    """Return all figures of one simulated study."""
    cells, _ = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    row = reports(select(cells.with_features(measure(cells))), seed)
    classical = select(cells.with_features(measure(cells, "all"))).features
    row["plate before, all families"] = plate(cells.with_features(classical), seed)
    deep, random = (embed_pretrained(cells, weights=w, cache=False) for w in ("pretrained", "random"))
    tables = {"classical": classical, "pretrained": deep, "random twin": random}
    sets = {name: [name] for name in tables}
    sets |= {"both": ["classical", "pretrained"], "classical and random twin": ["classical", "random twin"]}
    row |= {f"probe {name}": score for name, score in fused_probes(cells, tables, sets).items()}
    row["gain of both"] = row["probe both"] - max(row["probe classical"], row["probe pretrained"])
    row["gain with the random twin"] = row["probe classical and random twin"] - row["probe classical"]
    return row


def plate(cells: Cells, seed: int) -> float:
    """Return how well the plate is read from held-out controls as they are, minus its null."""
    row = batch_report(cells, Normalizer(), seed=seed, n_permutations=20).table.loc[PROBE]
    return float(row["before"] - row["null"])


def reports(classical: Cells, seed: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for method, normalizer in METHODS.items():
        table = batch_report(classical, normalizer, n_permutations=30, seed=seed).table
        null = table.loc[PROBE, "null"]
        row["plate before"] = table.loc[PROBE, "before"] - null
        row[f"plate after {method}"] = table.loc[PROBE, "after"] - null
        for name, figure in (("iLISI", MIXING), ("mAP", REPLICATES), ("label", LABEL)):
            row[f"{name} before"] = table.loc[figure, "before"]
            row[f"{name} after {method}"] = table.loc[figure, "after"]
    return row


def quietly(size: tuple[int, int, int]) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        row = of_seed(*size)
    print(size[0], {k: round(v, 3) for k, v in row.items()}, flush=True)
    return row


def main(n_seeds: int = 10, n_workers: int = 1, wells: int = 16, cells_per_well: int = 40) -> None:
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, default doses, mean over seeds"
    rows = []
    with ProcessPoolExecutor(n_workers) as pool:
        for row in pool.map(quietly, [(seed, wells, cells_per_well) for seed in range(n_seeds)]):
            rows.append(row)
            keep("features_batches", what, rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
