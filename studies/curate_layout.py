"""Are the tests of plate layout honest, and what do they find? False positives and power over studies.

    python studies/curate_layout.py

Null studies: wells differ (normal or lognormal), treatments lie at random or controls in two columns, the place does
not matter. Power: the simulator's own wells at default doses (`edge_wells=1`: staining 10 % stronger at the rim;
staining of wells differs by 6 %), with 40 cells a well whose staining differs by 30 %; and the same at other doses. The
simulator also draws whole studies for `simulate`: a few, measured on their pixels, stand beside. Seeds from 2000.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb.cells import Cells
from mlscope_nb.curate.layout import layout
from mlscope_nb.datasets import simulate
from mlscope_nb.datasets.simulator.doses import resolve
from mlscope_nb.datasets.simulator.layout import wells as simulated_wells
from studies._record import record

N_STUDIES, N_DRAWN = 200, 3
EFFECTS = ("edge", "row trend", "column trend", "row pattern", "column pattern")
Draw = Callable[[np.random.Generator, int], np.ndarray]
SCATTER: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed (lognormal, sd of log 0.7)": lambda rng, n: rng.lognormal(0, 0.7, n),
}


def null_study(rng: np.random.Generator, draw: Draw, n_plates: int, rows: int, columns: int, fixed: bool) -> Cells:
    """Return one row per well; treatments at random places, or controls in the outer two columns."""
    table = []
    for p in range(n_plates):
        drug = rng.permutation(np.arange(rows * columns) % 7).reshape(rows, columns)
        if fixed:
            drug = 1 + drug % 6
            drug[:, [0, -1]] = 0
        value = draw(rng, rows * columns).reshape(rows, columns) + 0.8 * drug + 2 * rng.normal()
        for r in range(rows):
            for c in range(columns):
                name = f"{chr(65 + r)}{c + 1:02d}"
                table.append((f"p{p}", name, f"d{drug[r, c]}", value[r, c], f"p{p}-{name}"))
    obs = pd.DataFrame(table, columns=["plate", "well", "drug", "value", "cell_id"])
    return Cells(obs, unit=("plate", "well"), batch="plate", label="drug")


def false_positives() -> dict[str, Any]:
    designs = {"6 plates of 16 wells": (6, 4, 4), "1 plate of 96 wells": (1, 8, 12), "2 plates of 96": (2, 8, 12)}
    figures: dict[str, Any] = {}
    for name, (plates, rows, columns) in designs.items():
        for scatter, draw in SCATTER.items():
            for fixed in (False, True) if columns > 4 else (False,):
                rng = np.random.default_rng(2000)
                hits = dict.fromkeys((*EFFECTS, "any, after Holm"), 0)
                for _ in range(N_STUDIES):
                    effects = layout(null_study(rng, draw, plates, rows, columns, fixed), "value").effects
                    first = effects[effects["plate"] == effects["plate"].iloc[0]].set_index("effect")
                    for effect in EFFECTS:
                        hits[effect] += int(first.loc[effect, "p_value"] <= 0.05)
                    hits["any, after Holm"] += int((first["p_adjusted"] <= 0.05).any())
                where = "controls in the outer columns" if fixed else "treatments at random"
                figures[f"{name}; {scatter} wells; {where}"] = {k: share(v, N_STUDIES) for k, v in hits.items()}
    return figures


def of_simulator(seed: int, n_plates: int, n_wells: int, **dose: float) -> Cells:
    """Return one row per well: the mean staining of 40 cells, as the simulator's layout makes it."""
    doses = resolve("default", 1, dose)
    rng = np.random.default_rng([seed, 1])
    made = simulated_wells(seed, n_plates, n_wells, doses, "micronucleus")
    obs = pd.DataFrame({"plate": [w.plate_name for w in made], "well": [w.name for w in made]})
    obs["drug"] = [w.treatment for w in made]
    obs["staining"] = [w.gain[0] * rng.lognormal(0, 0.3, 40).mean() for w in made]
    obs.index = pd.Index([f"{w.plate_name}-{w.name}" for w in made])
    return Cells(obs, unit=("plate", "well"), batch="plate", label="drug")


def power() -> dict[str, Any]:
    cases: dict[str, tuple[int, int, dict[str, float]]] = {
        "edge at default dose, 6 plates of 16 wells": (6, 16, {}),
        "edge at default dose, 1 plate of 96 wells": (1, 96, {}),
        "edge at half the dose, 1 plate of 96 wells": (1, 96, {"edge_wells": 0.5}),
        "no edge (dose 0), 1 plate of 96 wells": (1, 96, {"edge_wells": 0}),
        "gradient along columns (dose 0.5: 15 %), 1 plate of 96 wells": (1, 96, {"layout_gradient": 0.5}),
    }
    figures: dict[str, Any] = {}
    for name, (n_plates, n_wells, dose) in cases.items():
        effect = "column trend" if "gradient" in name else "edge"
        rows = []
        for k in range(200):
            effects = layout(of_simulator(2000 + k, n_plates, n_wells, **dose), "staining").effects
            rows.append(effects[effects["effect"] == effect].iloc[0])
        table = pd.DataFrame(rows)
        figures[name] = {
            "p at most 0.05": share(int((table["p_value"] <= 0.05).sum()), len(table)),
            "after Holm": share(int((table["p_adjusted"] <= 0.05).sum()), len(table)),
            "estimate, mean": float(table["estimate"].mean()),
        }
    return figures


def drawn() -> dict[str, Any]:
    """Whole studies of 6 plates × 16 wells × 20 cells, drawn and measured: median of the DNA channel's mean."""
    found = []
    for k in range(N_DRAWN):
        cells, _ = simulate(6, 16, 20, seed=2000 + k)
        bright = [b.images[i, 0][b.masks[i] == 1].mean() for b in cells.batches() for i in range(len(b.ids))]
        logs = pd.DataFrame({"log_dna": np.log(bright)}, index=cells.ids)
        found.append(layout(cells.with_features(logs), "log_dna").effects.iloc[0])
    return {
        "edge, log of mean DNA stain": [f"{r.estimate:.3f} ({r.low:.3f} to {r.high:.3f})" for r in found],
        "p at most 0.05": share(sum(r.p_value <= 0.05 for r in found), N_DRAWN),
    }


def share(hits: int, n: int) -> str:
    """A share with its standard error."""
    rate = hits / n
    return f"{rate:.3f} ± {np.sqrt(rate * (1 - rate) / n):.3f} ({hits} of {n})"


def main() -> None:
    figures = {
        "null studies with p at most 0.05": false_positives(),
        "power": power(),
        "simulate(), measured on pixels": drawn(),
    }
    print(figures)
    print(record("curate_layout", figures))


if __name__ == "__main__":
    main()
