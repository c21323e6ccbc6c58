"""How far each classical feature agrees with cp_measure, on simulated and on real cells.

cp_measure lives in an environment of its own (pip install cp_measure); its interpreter is named:

    MLSCOPE_PEERS=…/bin/python .venv/bin/python studies/feature_agreement.py [cells per set]

Wanted for at least 90 % of the shared columns: Pearson ≥ 0.999, a median relative difference ≤ 1e-3, and no cell that
only one of both can measure. Columns that miss it are listed with their figures; then the worst of each category.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import mlscope_nb as ms  # noqa: E402
from studies._record import record  # noqa: E402

SCALES = {"uint8": 255.0, "uint16": 65535.0}
# Features in grey levels: cp_measure gets images from 0 to 1
IN_LEVELS = re.compile(
    r"Intensity_(Integrated|Mean|Std|Min|Max|LowerQ|Median|UpperQ|MAD).*Intensity|.*ZernikeMagnitude"
)


def chosen(cells: ms.Cells, n: int) -> ms.Cells:
    """Cells spread over the whole set, none with an empty mask."""
    filled = np.flatnonzero((cells.masks == 1).any((1, 2)))
    return cells.subset(cells.ids[filled[np.unique(np.linspace(0, len(filled) - 1, n).astype(int))]])


def peer_values(cells: ms.Cells, masks: np.ndarray) -> pd.DataFrame:
    scale = SCALES[str(cells.images.dtype)]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "crops.npz", Path(folder) / "values.npz"
        np.savez(source, images=cells.images / scale, masks=masks, channels=np.array(cells.channels))
        script = ROOT / "studies" / "_feature_peers.py"
        subprocess.run([os.environ["MLSCOPE_PEERS"], str(script), str(source), str(target)], check=True)
        with np.load(target) as found:
            table = pd.DataFrame({k: found[k] for k in found.files if k != "version"}, index=cells.ids)
            table.attrs["version"] = str(found["version"])
    for name in table.columns:
        if IN_LEVELS.match(name):
            table[name] *= scale
    return table


def compare(ours: pd.Series, theirs: pd.Series) -> dict[str, float | int | str]:
    """Pearson, median relative difference, and how many cells only one of both can measure."""
    a, b = ours.to_numpy(), theirs.to_numpy()
    one = int((np.isfinite(a) != np.isfinite(b)).sum())
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return {"pearson": "no values", "relative": "no values", "only one": one}
    a, b = a[both], b[both]
    size = np.maximum(np.abs(a), np.abs(b))
    relative = np.where(size > 0, np.abs(a - b) / np.where(size > 0, size, 1), 0.0)
    return {"pearson": pearson(a, b), "relative": float(np.median(relative)), "only one": one}


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation; 1 where both are constant and equal to 1e-9."""
    tiny = 1e-9 * max(np.abs(a).max(), np.abs(b).max(), 1e-12)
    if np.ptp(a) <= tiny or np.ptp(b) <= tiny:
        return 1.0 if np.abs(a - b).max() <= tiny else 0.0
    return float(np.corrcoef(a, b)[0, 1])


def agrees(figures: dict) -> bool:
    return (
        isinstance(figures["pearson"], float)
        and figures["pearson"] >= 0.999
        and figures["relative"] <= 1e-3
        and figures["only one"] == 0
    )


def study(cells: ms.Cells, part: str, masks: np.ndarray) -> tuple[dict, dict]:
    filled = (masks == 1).any((1, 2))
    cells, masks = cells.subset(cells.ids[filled]), masks[filled]
    here = ms.Cells(cells.obs, cells.images, masks=masks, channels=cells.channels)
    ours = ms.features.measure(here, "all", objects=part)
    theirs = peer_values(cells, masks)
    columns = {f"{part}_{name}": compare(ours[f"{part}_{name}"], theirs[name])
               for name in theirs.columns if f"{part}_{name}" in ours.columns}  # fmt: skip
    missed = {name: figures for name, figures in columns.items() if not agrees(figures)}
    only = [name for name in theirs.columns if f"{part}_{name}" not in ours.columns]
    summary = {
        "cells": len(cells),
        "shared columns": len(columns),
        "agree": f"{len(columns) - len(missed)} ({100 - 100 * len(missed) / len(columns):.1f} %)",
        "columns of cp_measure that we do not have": ", ".join(only) or "none",
        "missed": {k: f"Pearson {_short(v['pearson'])}, median relative {_short(v['relative'])}, "
                      f"measured by one alone {v['only one']}" for k, v in missed.items()} or "none",
        "cp_measure": theirs.attrs["version"],
    }  # fmt: skip
    return summary, columns


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def by_category(columns: dict) -> dict[str, str]:
    """The lowest correlation and the highest difference among the columns of each category."""
    found = {}
    for category in dict.fromkeys(name.split("_")[1] for name in columns):
        figures = [
            v for name, v in columns.items() if name.split("_")[1] == category and isinstance(v["pearson"], float)
        ]
        pearson_, relative = min(v["pearson"] for v in figures), max(v["relative"] for v in figures)
        found[category] = f"{len(figures)} columns, Pearson from {pearson_:.9f}, median relative up to {relative:.1e}"
    return found


def main(n: int = 60) -> None:
    simulated, _ = ms.datasets.simulate(n_plates=1, wells_per_plate=8, cells_per_well=40)
    figures = {}
    for name, cells in (("simulated", chosen(simulated, n)), ("fly", chosen(ms.datasets.load("fly"), n))):
        parts = {"Cells": cells.masks, **{k.capitalize(): v for k, v in cells.compartments.items()}}
        for part, masks in parts.items():
            summary, columns = study(cells, part, np.asarray(masks))
            figures[f"{name}, {part}"] = summary | {"worst": by_category(columns)}
            print(name, part, summary["agree"], flush=True)
    record("feature_agreement", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
