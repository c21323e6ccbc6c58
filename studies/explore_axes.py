"""How near are penetrance and phenotype axes to the truth, in default studies, for two tables of features?

Two ceilings stand beside the axes. "Oracle": ridge regression on the true strength with the numbers that the axis has,
plates left out in turn: what a line through these features can reach at all. "Perfect order": a score in the order of
the true strength that breaks ties at random; all controls have strength 0, so that it stays well below 1.

python studies/explore_axes.py              # 3 studies, seeds 2000 and up
python studies/explore_axes.py --seeds 1 --families default
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb import Cells
from mlscope_nb.datasets import simulate
from mlscope_nb.explore import penetrance, phenotype_axis
from mlscope_nb.explore.held_out_scores import RIDGE, batch_codes, on_scale
from mlscope_nb.features import measure
from studies._record import record

FIRST_SEED = 2000
NEAR = 0.10


def oracle(cells: Cells, strength: pd.Series, rows: np.ndarray) -> np.ndarray:
    """Return the strength that ridge regression predicts for the chosen cells, each plate by the others."""
    values, plate, known = on_scale(cells)[rows], batch_codes(cells)[rows], strength.to_numpy()[rows]
    found = np.empty(len(values))
    for k in range(plate.max() + 1):
        train = plate != k
        middle, mean = values[train].mean(axis=0), known[train].mean()
        x = values[train] - middle
        penalty = RIDGE * float((x**2).sum() / x.shape[1]) * np.eye(x.shape[1])
        found[~train] = (values[~train] - middle) @ np.linalg.solve(x.T @ x + penalty, x.T @ (known[train] - mean))
    return found


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
    rows, strength = [], truth.obs["strength"]
    in_order = strength + 1e-6 * np.random.default_rng(seed).random(len(strength))
    for drug in found["treatment"].unique():
        axis = phenotype_axis(cells, "DMSO", drug)
        both, own = treated.isin(["DMSO", drug]).to_numpy(), (treated == drug).to_numpy()
        reached = pd.Series(oracle(cells, strength, both), cells.ids[both])
        rows.append({
            "treatment": drug,
            "treated and controls": spearmanr(axis[both], strength[both])[0],
            "treated": spearmanr(axis[own], strength[own])[0],
            "oracle, treated and controls": spearmanr(reached, strength[both])[0],
            "oracle, treated": spearmanr(reached[cells.ids[own]], strength[own])[0],
            "perfect order, treated and controls": spearmanr(in_order[both], strength[both])[0],
        })  # fmt: skip
    return wells.assign(seed=seed), pd.DataFrame(rows).assign(seed=seed)


def figures(wells: pd.DataFrame, axes: pd.DataFrame) -> dict[str, object]:
    by_drug, scores = wells.groupby("treatment"), axes.drop(columns="seed").groupby("treatment").mean()
    return {
        "penetrance, share of wells within 0.10": float(wells["near"].mean()),
        "penetrance, within 0.10 by seed": wells.groupby("seed")["near"].mean().tolist(),
        "penetrance, within 0.10 by treatment": by_drug["near"].mean().to_dict(),
        "penetrance, mean error by treatment": by_drug["error"].mean().to_dict(),
        "penetrance, 95 % intervals that hold the truth": float(wells["held"].mean()),
        "axis, Spearman with strength, treated cells and controls, by study": axes.pivot_table(
            index="treatment", columns="seed", values="treated and controls"
        ).T.to_dict("list"),
        **{f"axis, Spearman with strength, {of}": scores[of].to_dict() for of in scores},
        "axis, Spearman with strength, mean of treatments": scores.mean().to_dict(),
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
