"""How near are penetrance and phenotype axes to the truth, in default studies, for two tables of features?

python studies/explore_axes.py              # 3 studies, seeds 2000 and up
python studies/explore_axes.py --seeds 1 --families default
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb.datasets import simulate
from mlscope_nb.explore import penetrance, phenotype_axis
from mlscope_nb.features import measure
from studies._record import record

FIRST_SEED = 2000
NEAR = 0.10


def one_study(seed: int, families: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return errors of penetrance by well, and rank correlations of axes with true strength by treatment."""
    cells, truth = simulate(seed=seed)
    cells = cells.with_features(measure(cells, None if families == "default" else "all", progress=False))
    found = penetrance(cells)
    true = truth.obs["responder"].groupby(cells.units.to_numpy()).mean()[found.index]
    wells = pd.DataFrame({
        "treatment": found["treatment"],
        "near": (found["fraction"] - true).abs() <= NEAR,
        "error": found["fraction"] - true,
        "held": (found["low"] <= true + 1e-9) & (true <= found["high"] + 1e-9),
    })  # fmt: skip
    treated = cells.obs["treatment"]
    rows = []
    for drug in found["treatment"].unique():
        axis = phenotype_axis(cells, "DMSO", drug)
        both, own = treated.isin(["DMSO", drug]).to_numpy(), (treated == drug).to_numpy()
        strength = truth.obs["strength"]
        rows.append({
            "treatment": drug,
            "treated and controls": spearmanr(axis[both], strength[both])[0],
            "treated": spearmanr(axis[own], strength[own])[0],
        })  # fmt: skip
    return wells.assign(seed=seed), pd.DataFrame(rows).assign(seed=seed)


def figures(wells: pd.DataFrame, axes: pd.DataFrame) -> dict[str, object]:
    by_drug = wells.groupby("treatment")
    return {
        "penetrance, share of wells within 0.10": float(wells["near"].mean()),
        "penetrance, within 0.10 by seed": wells.groupby("seed")["near"].mean().tolist(),
        "penetrance, within 0.10 by treatment": by_drug["near"].mean().to_dict(),
        "penetrance, mean error by treatment": by_drug["error"].mean().to_dict(),
        "penetrance, 95 % intervals that hold the truth": float(wells["held"].mean()),
        "axis, Spearman with strength, treated cells and controls": axes.groupby("treatment")["treated and controls"]
        .mean()
        .to_dict(),
        "axis, Spearman with strength, treated cells": axes.groupby("treatment")["treated"].mean().to_dict(),
    }


def main(n_seeds: int, families: list[str]) -> None:
    result: dict[str, object] = {"seeds": list(range(FIRST_SEED, FIRST_SEED + n_seeds))}
    for family in families:
        wells, axes = [], []
        for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
            w, a = one_study(seed, family)
            wells.append(w)
            axes.append(a)
            result[f"features: {family}"] = {"studies": len(wells), **figures(pd.concat(wells), pd.concat(axes))}
            record("explore_axes", result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--families", nargs="+", default=["default", "all"], choices=["default", "all"])
    asked = parser.parse_args()
    main(asked.seeds, asked.families)
