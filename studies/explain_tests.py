"""Explanations of models of features, against the answer key: importance, and walks along a decision.

What a phenotype truly changes is measured: the same cells, simulated without it, subtracted cell by cell, in
deviations of all cells; 0.8 or more is planted (a large effect, Cohen 1988), less than 0.2 is not changed.
importance: a logistic regression of measured features, controls against one treatment; does the first block hold a
planted feature, is the feature that it is told by a planted one with its sign, and do copies of features leave all
ranks as they are? walks: cells drawn along the decision of the same kind of model; does the feature that the phenotype
is named for change in the planted direction, and every feature that the phenotype does not change less? Every seed is
kept. Networks: explain_grades.py (maps, concepts) and explain_shortcuts.py.

.venv/bin/python studies/explain_tests.py [importance|walks] [first_seed] [n_seeds] [wells] [cells_per_well]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.explain import importance, traverse  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from mlscope_nb.predict import train_model  # noqa: E402
from studies._record import record  # noqa: E402

N_PLATES = 6
PLANTED = {"elongated": ("Cells_AreaShape_Eccentricity", 1), "lobed": ("Nuclei_AreaShape_FormFactor", -1)}
"""The feature that a treatment is named for, and which way it goes."""
LARGE, SMALL = 0.8, 0.2
Row = dict[str, float | str | bool]


def measured(seed: int, wells: int, cells_per_well: int) -> dict[str, tuple[Cells, pd.Series]]:
    """Measured cells of the controls and one treatment, for each treatment, and what it truly changes by feature."""
    whole, truth = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    bare, _ = simulate(N_PLATES, wells, cells_per_well, seed=seed, strength=0)
    chosen = whole.subset(whole.labels.isin(["DMSO", *PLANTED]).to_numpy())
    table = measure(chosen, progress=False)
    responding = truth.obs.loc[chosen.ids]
    shown = chosen.ids[(responding["responder"] & responding["phenotype"].isin(PLANTED)).to_numpy()]
    change = table.loc[shown] - measure(bare.subset(shown), progress=False)
    found = {}
    for treatment in PLANTED:
        cells = chosen.subset(chosen.labels.isin(["DMSO", treatment]).to_numpy())
        own = change.loc[shown.intersection(cells.ids)]
        spread = table.loc[cells.ids].std()
        by_well = own.groupby(cells.units.loc[own.index]).mean().mean()
        found[treatment] = (cells.with_features(table.loc[cells.ids]), (by_well / spread)[spread > 0].dropna())
    return found


def with_copies(cells: Cells, seed: int) -> Cells:
    """The same features, five of them there again in other units."""
    table = cells.features
    names = np.random.default_rng(seed).choice(table.columns, 5, replace=False)
    again = pd.DataFrame({f"{name}_again": 3 - 2 * table[name] for name in names})
    return cells.with_features(pd.concat([table, again], axis=1))


def of_importance(seed: int, wells: int, cells_per_well: int) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for treatment, (cells, true) in measured(seed, wells, cells_per_well).items():
        name, _ = PLANTED[treatment]
        found = importance(cells, progress=False)
        copied = importance(with_copies(cells, seed), progress=False)
        first = found.blocks.iloc[0]
        largest = true.reindex(list(first["features"])).abs().max()
        towards = 1 if first["class"] == treatment else -1
        told = float(true.get(first["feature"], 0.0))
        rows[f"importance, {treatment}"] = {
            "first block holds a planted feature": bool(largest >= LARGE),
            "blocks that hold one": float(
                sum(true.reindex(list(f)).abs().max() >= LARGE for f in found.blocks.features)
            ),
            "blocks": float(len(found.blocks)),
            "told by a planted feature, sign right": bool(abs(told) >= LARGE and first["sign"] * towards * told > 0),
            "told by": str(first["feature"]),
            "true change of that": told,
            f"rank of the block of {name}": float(found.blocks.loc[found.features.loc[name, "block"], "rank"]),
            "importance": first["importance"],
            "low": first["low"],
            "ranks with copies of features the same": found.blocks["rank"].equals(copied.blocks["rank"]),
        }
    return rows


def of_walks(seed: int, wells: int, cells_per_well: int) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for treatment, (cells, true) in measured(seed, wells, cells_per_well).items():
        name, sign = PLANTED[treatment]
        found = traverse(train_model(cells), cells, target=treatment, seed=seed)
        change = found.features["change"]
        both = change.index.intersection(true.index)
        others = change[both][true[both].abs() < SMALL].abs()
        rows[f"walk, {treatment}"] = {
            "planted direction": bool(change[name] * sign > 0),
            "interval does not hold 0": bool(found.features.loc[name, "low"] * found.features.loc[name, "high"] > 0),
            "others change less": bool(abs(change[name]) > others.max()),
            "change": change[name],
            "true change": true[name],
            "largest other": others.max(),
            "which other": str(others.idxmax()),
            "median other": others.median(),
            "others": float(len(others)),
            "rank correlation with true changes": float(change[both].corr(true[both], method="spearman")),
            "decision in what is drawn": found.decision,
            "variance drawn": found.explained,
        }
    return rows


PARTS: dict[str, Callable[[int, int, int], dict[str, Row]]] = {
    "importance": of_importance, "walks": of_walks,
}  # fmt: skip


def main(part: str, first: int = 2000, n_seeds: int = 10, wells: int = 16, cells_per_well: int = 20) -> None:
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, default doses"
    kept: dict[str, list[Row]] = {}
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            rows = PARTS[part](seed, wells, cells_per_well)
        for name, row in rows.items():
            kept.setdefault(name, []).append(row)
            print(seed, name, {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        figures: dict[str, object] = {"what": what, "seeds": f"{first} to {seed}"}
        record(f"explain_{part}", figures | {name: summed(listed) for name, listed in kept.items()})


def summed(rows: list[Row]) -> dict[str, object]:
    """How many seeds say yes, means and ends of numbers, and words as they come."""
    found: dict[str, object] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if all(isinstance(v, bool | np.bool_) for v in values):
            found[name] = f"{sum(map(bool, values))} of {len(values)}"
        elif any(isinstance(v, str) for v in values):
            found[name] = [str(v) for v in values]
        else:
            found[name] = {"mean": float(np.mean(values)), "each": [float(v) for v in values]}
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] not in PARTS:
        sys.exit(f"There is no part '{sys.argv[1]}'. Parts: {', '.join(PARTS)}; all without an argument.")
    for one in sys.argv[1:2] or PARTS:
        main(one, *map(int, sys.argv[2:]))
