"""What normalisation does to plate and biology on simulated plates.

Plate: balanced accuracy of the plate from control wells that took no part in fitting, minus its permuted null, before
and after; beside it the neighbours of controls, replicates of treatments on other plates, and the label in plates left
out. Harmony (harmonypy) moves all cells at once and cannot be fitted without the wells that are probed: it has seen
them. ComBat is mlscope's own.

.venv/bin/python studies/features_batches.py [n_seeds] [n_workers] [wells_per_plate] [cells_per_well]
(needs `make peers`)
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import (  # noqa: E402
    Normalizer,
    batch_report,
    measure,
    select,
)
from mlscope_nb.features.batch_figures import LABEL, MIXING, PROBE, REPLICATES  # noqa: E402
from studies import _peers  # noqa: E402
from studies._features import N_PLATES, run_seeds  # noqa: E402

ON_CONTROLS = ("standardize", "tvn", "combat")
ON_ALL = ("tvn",)
METHODS = {
    **{name: Normalizer(name) for name in ON_CONTROLS},
    **{f"{name}, whole plates": Normalizer(name, control="all") for name in ON_ALL},
}


def of_seed(seed: int, wells: int, cells_per_well: int) -> dict[str, float]:
    """Return all figures of one simulated study."""
    cells, _ = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    return reports(select(cells.with_features(measure(cells))), seed)


def reports(classical: Cells, seed: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for method, after in [*METHODS.items(), ("harmony", by_harmony(classical, seed))]:
        table = batch_report(classical, after, n_permutations=30, seed=seed).table
        null = table.loc[PROBE, "null"]
        row["plate before"] = table.loc[PROBE, "before"] - null
        row[f"plate after {method}"] = table.loc[PROBE, "after"] - null
        for name, figure in (("iLISI", MIXING), ("mAP", REPLICATES), ("label", LABEL)):
            row[f"{name} before"] = table.loc[figure, "before"]
            row[f"{name} after {method}"] = table.loc[figure, "after"]
    for name in ("plate", "iLISI", "mAP", "label"):
        row[f"{name}, tvn of whole plates less harmony"] = (
            row[f"{name} after tvn, whole plates"] - row[f"{name} after harmony"]
        )
    return row


def by_harmony(cells: Cells, seed: int) -> Cells:
    """Return the cells with corrected features, of which nothing says how they were made."""
    _peers.borrow("harmonypy")
    moved = Normalizer("harmony", seed=seed).fit(cells).transform(cells).table()
    return cells.with_features(pd.DataFrame(moved.to_numpy(), moved.index, moved.columns))


def main(n_seeds: int = 10, n_workers: int = 1, wells: int = 16, cells_per_well: int = 40) -> None:
    peers = _peers.versions("harmonypy")
    run_seeds("features_batches", of_seed, n_seeds, n_workers, wells, cells_per_well, peers)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
