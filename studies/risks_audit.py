"""What the audit finds when one thing is planted at a time, and what it says of clean studies.

    python studies/risks_audit.py [simulator|small|other] [seeds] [seeds of clean studies]

Two simulators: that of the project (6 plates × 16 wells × 40 cells; small: 4 plates × 16 wells × 20 cells) and
`_other_simulator` (4 plates × 24 wells × 20 cells). Seeds from 2000. "found": a finding at the level named, with the
planted subject; every red of a clean study and every check with an amber in it is counted. Each seed is written down as
it comes; a run goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb.cells import Cells
from mlscope_nb.datasets import simulate
from mlscope_nb.risks import audit
from studies._other_simulator import Plan, study, swapped_wells
from studies._record import record, write_atomically

RESULTS = Path(__file__).resolve().parent / "results"
FIRST = 2000
Found = Callable[[pd.DataFrame, set[str]], bool]
Made = tuple[Cells, set[str]]


def has(check: str, level: str, subject: str | None = None) -> Found:
    """A question to findings: is there one of this check, level and subject (default: one of the planted ones)?"""

    def asked(findings: pd.DataFrame, planted: set[str]) -> bool:
        rows = findings[(findings["check"] == check) & (findings["level"] == level)]
        wanted = planted if subject is None else {subject}
        return bool(len(rows)) if not wanted else any(s in wanted for s in rows["subject"])

    return asked


def clean(findings: pd.DataFrame, planted: set[str]) -> bool:
    return bool((findings["level"] != "red").all())


TIED = "micronucleus"
SMALL = {"n_plates": 4, "cells_per_well": 20}
PROJECT: dict[str, tuple[dict[str, Any], Found]] = {
    "clean (default doses)": ({}, clean),
    "clean, no phenotype": ({"strength": 0}, clean),
    "shortcut in the background": ({"shortcut": 0.9}, has("background", "red", TIED)),
    "class nested in plate": ({"nested": True}, has("class and batch", "red", TIED)),
    "duplicates across units": ({"leaked": 0.05}, has("duplicates", "red")),
    "swapped wells": ({"swapped_wells": 4}, has("swapped units", "amber")),
    "layout gradient": ({"layout_gradient": 1}, has("layout", "amber", "all plates")),
    "size alone": ({"class_size": 1}, has("size", "amber", TIED)),
    "position in the field": ({"position": 1}, has("position in the field", "red", TIED)),
}
OTHER: dict[str, tuple[Plan, Found]] = {
    "clean": (Plan(), clean),
    "shortcut: a mark in the background": (Plan(mark=0.9), has("background", "red", "drugC")),
    "shortcut: a brighter background": (Plan(haze=0.15), has("background", "red", "drugC")),
    "class nested in plate": (Plan(nested=True), has("class and batch", "red", "drugC")),
    "duplicates across units": (Plan(copies=0.03), has("duplicates", "red")),
    "swapped wells": (Plan(swapped=1), has("swapped units", "amber")),
    "layout gradient": (Plan(gradient=0.4), has("layout", "amber", "all plates")),
    "size alone": (Plan(size=0.12), has("size", "amber", "drugC")),
    "position in the field": (Plan(place=1), has("position in the field", "red", "drugC")),
}


def of_project(seed: int, doses: dict[str, Any]) -> Made:
    given = {k: v for k, v in doses.items() if k != "nested"}
    cells, truth = simulate(seed=seed, **given)
    if doses.get("nested"):
        obs = cells.obs
        cells = cells.subset(cells.ids[((obs["label"] != TIED) | (obs["plate"] == "P1")).to_numpy()])
    if not doses.get("swapped_wells"):
        return cells, set()
    moved = truth.obs["swapped_well"].astype(bool)
    return cells, set(cells.units[moved[cells.ids].to_numpy()])


def of_small(seed: int, doses: dict[str, Any]) -> Made:
    return of_project(seed, {**doses, **SMALL})


def of_other(seed: int, plan: Plan) -> Made:
    return study(seed, plan), swapped_wells(seed, plan) if plan.swapped else set()


def judged(made: Made, found: Found) -> dict[str, Any]:
    cells, planted = made
    start = time.process_time()
    findings = audit(cells, progress=False).findings
    return {
        "found": found(findings, planted),
        "red": [f"{r.check}: {r.subject}"[:80] for r in findings[findings["level"] == "red"].itertuples()],
        "amber checks": sorted(set(findings.loc[findings["level"] == "amber", "check"])),
        "amber": [f"{r.check}: {r.subject}"[:80] for r in findings[findings["level"] == "amber"].itertuples()],
        "cpu_s": round(time.process_time() - start, 1),
    }


def summary(seeds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = list(seeds.values())
    ambers = pd.Series([c for row in rows for c in row["amber checks"]], dtype=object).value_counts()
    return {
        "found (clean: no red)": f"{sum(r['found'] for r in rows)} of {len(rows)}",
        "studies with a red": f"{sum(bool(r['red']) for r in rows)} of {len(rows)}",
        "amber by check": ", ".join(f"{c} {n} of {len(rows)}" for c, n in ambers.items()) or "none",
        "seconds of CPU, median": float(pd.Series([r["cpu_s"] for r in rows]).median()),
        "seeds": f"{min(seeds)} to {max(seeds)}",
    }


def main() -> None:
    which = sys.argv[1] if len(sys.argv) > 1 else "simulator"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    n_clean = int(sys.argv[3]) if len(sys.argv) > 3 else n
    name = f"risks_audit_{which}"
    kinds = {"simulator": (PROJECT, of_project), "small": (PROJECT, of_small), "other": (OTHER, of_other)}
    designs, make = kinds[which]
    raw = RESULTS / f"{name}_seeds.txt"
    known: dict[str, dict[str, Any]] = json.loads(raw.read_text(encoding="utf-8")) if raw.exists() else {}
    for seed in range(FIRST, FIRST + max(n, n_clean)):
        for design, (plan, found) in designs.items():
            seeds = known.setdefault(design, {})
            wanted = seed < FIRST + (n_clean if found is clean else n)
            if wanted and str(seed) not in seeds:
                seeds[str(seed)] = judged(make(seed, plan), found)  # type: ignore[operator]
                print(design, seed, seeds[str(seed)], flush=True)
        record(name, {design: summary(seeds) for design, seeds in known.items() if seeds})
        write_atomically(raw, json.dumps(known, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
