"""Each pitfall over its doses: does the damage follow the dose, does the control stay flat, does the remedy help.

For every scenario of ms.risks.scenarios(), every usual dose and 10 seeds: Spearman's correlation of damage and dose
(all runs together, and the least of the seeds); the control at the largest dose minus that at none, with its 95 %
interval over seeds; the share of the damage at the largest dose, beyond that at none, that the remedy takes away;
CPU seconds.

.venv/bin/python studies/risks_scenarios.py [first_seed] [n_seeds] [names …]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, t

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.risks.laboratory import run, scenarios  # noqa: E402
from studies._record import record  # noqa: E402

NAME = "risks_scenarios"
TESTING = ("pseudo_replication", "double_dipping")


def measured(name: str, doses: tuple[float, ...], seeds: range) -> pd.DataFrame:
    """One row per seed and dose; the first run, which imports and compiles, is not timed."""
    run(name, doses[0], seed=seeds[0])
    rows = []
    for seed in seeds:
        for dose in doses:
            start = time.process_time()
            lesson = run(name, dose, seed=seed)
            seconds = time.process_time() - start
            values = {k: getattr(lesson, k).value for k in ("damage", "mitigated", "control")}
            rows.append({"seed": seed, "dose": dose, **values, "seconds": seconds})
    return pd.DataFrame(rows)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Student's interval of the mean over seeds."""
    if len(values) < 2:
        return float("-inf"), float("inf")
    wide = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - wide), float(values.mean() + wide)


def judged(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """The figures of one scenario."""
    none, most = (table[table["dose"] == d].set_index("seed") for d in (table["dose"].min(), table["dose"].max()))
    change = (most["control"] - none["control"]).to_numpy()
    low, high = interval(change)
    gained, damage = most["damage"] - most["mitigated"], most["damage"] - none["damage"]
    restored = float(gained.mean() / damage.mean())
    each = [float(spearmanr(g["dose"], g["damage"])[0]) for _, g in table.groupby("seed")]
    rho = float(spearmanr(table["dose"], table["damage"])[0])
    flat = bool(low <= 0 <= high)
    passed = rho >= 0.8 and flat and restored >= 0.5
    if name in TESTING:
        passed = passed and most["damage"].min() >= 0.4 and most["mitigated"].mean() <= 0.07
    means = table.groupby("dose")[["damage", "mitigated", "control"]].mean()
    return {
        "Spearman of damage and dose": rho,
        "least Spearman of one seed": min(each),
        "damage by dose": [round(v, 3) for v in means["damage"]],
        "mitigated by dose": [round(v, 3) for v in means["mitigated"]],
        "control by dose": [round(v, 3) for v in means["control"]],
        "control, largest dose minus none": float(change.mean()),
        "control, 95 % interval": f"{low:.3f} to {high:.3f}",
        "control is flat": flat,
        "restored": restored,
        "mitigated at the largest dose, most of the seeds": float(most["mitigated"].max()),
        "CPU seconds of a run": float(table["seconds"].mean()),
        "CPU seconds of a run, most": float(table["seconds"].max()),
        "all that was asked for": bool(passed),
    }


def earlier() -> dict[str, Any]:
    """What is written down already, so that single scenarios can be measured again."""
    path = Path(__file__).resolve().parent / "results" / f"{NAME}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["figures"]) if path.exists() else {}


def main(first: int = 2000, n_seeds: int = 10, *names: str) -> None:
    listed, figures = scenarios(), earlier() if names else {}
    for name in names or listed.index:
        table = measured(name, listed.loc[name, "doses"], range(first, first + n_seeds))
        figures[name] = {"seeds": f"{first} to {first + n_seeds - 1}", **judged(table, name)}
        print(name, figures[name], flush=True)
        # After each one, so that what is finished stands when the run is interrupted.
        record(NAME, figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
