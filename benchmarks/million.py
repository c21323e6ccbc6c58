"""A table of a million cells: a map of a sample with the others placed on it, and the workbench over it in JupyterLab.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/million.py [n_cells] [runs] [n_features]

The table is of 12 groups, correlated features and skewed noise. The map is made in a process of its own, then a real
JupyterLab opens the workbench on it, and lassos are drawn with the mouse; each is checked against the polygon.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from benchmarks import lasso  # noqa: E402
from benchmarks._browser import FLAGS, SlowLine, lab  # noqa: E402
from mlscope_nb.doctor import find_chromium  # noqa: E402
from studies._record import record  # noqa: E402

MAP = """
import json, resource, sys, time
import numpy as np, pandas as pd
import mlscope_nb as ms
table = pd.read_parquet(sys.argv[1])
began = time.perf_counter(), time.process_time()
placed = ms.explore.sampled_map(table, progress=False)
spent = time.perf_counter() - began[0], time.process_time() - began[1]
mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
placed.to_parquet(sys.argv[2])
trust = ms.explore.trust(table, placed, scale="standardize", sample=1000)
of_sample = placed.attrs["history"][-1]["n_sample"]
few, ways = table.iloc[:100_000], {}
for place in ("neighbours", "umap"):
    began = time.process_time()
    xy = ms.explore.sampled_map(few, place=place, progress=False)
    used = time.process_time() - began
    kept = ms.explore.trust(few, xy, scale="standardize", sample=1000)
    ways[place] = {"processor seconds": round(used), "neighbours kept, %": round(100 * kept.knn_recall, 2),
                   "trustworthiness": round(kept.trustworthiness, 3), "continuity": round(kept.continuity, 3)}
said = {"wall": spent[0], "used": spent[1], "mb": mb, "trust": str(trust), "sample": of_sample, "ways": ways}
print(json.dumps(said))
"""
MAKE = """
import numpy as np, pandas as pd, json, os, sys, time
import mlscope_nb as ms
rng = np.random.default_rng(1)
n, side = {n}, {side}
place = pd.read_parquet("map.parquet")
table, ids = pd.read_parquet("table.parquet"), place.index
few = (rng.uniform(0, 200, (512, 24, 24))).astype(np.uint8)
images = few[np.arange(n) % 512, None]
obs = pd.DataFrame({{"plate": rng.choice(["p1", "p2", "p3"], n), "well": rng.integers(0, 60, n).astype(str)}}, ids)
cells = ms.Cells(obs, images, channels=["DNA"], features=table, embeddings={{"umap": place}},
                 unit=["plate", "well"], batch="plate")
"""


def numbers(n: int, p: int) -> pd.DataFrame:
    """A table of `n` cells and `p` features."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(12, p))
    mixing = rng.normal(size=(10, p)) * 0.4
    values = centres[rng.integers(0, 12, n)] + rng.normal(size=(n, 10)) @ mixing + rng.gamma(2, 0.3, size=(n, p))
    names = [f"Cells_Feature_{i:02d}" for i in range(p)]
    return pd.DataFrame(values.astype(np.float32), np.char.add("c", np.arange(n).astype(str)), names)


def measure(n: int, runs: int, p: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp())
    numbers(n, p).to_parquet(folder / "table.parquet")
    command = [sys.executable, "-c", MAP, str(folder / "table.parquet"), str(folder / "map.parquet")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    figures: dict[str, Any] = {
        "cells": n,
        "features": p,
        "map": {
            "cells of the sample": made["sample"],
            "seconds": round(made["wall"]),
            "processor seconds": round(made["used"]),
            "peak MB": round(made["mb"]),
            "trust": made["trust"],
            "of the first 100,000, the others placed by …": made["ways"],
        },
    }
    print(figures, flush=True)
    placed = pd.read_parquet(folder / "map.parquet")
    lasso.MAKE = MAKE
    lasso.points = lambda rng, n: (placed["x"].to_numpy(), placed["y"].to_numpy())
    with lab(folder) as (port, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        seen = lasso.ours(page, folder, SlowLine(port), n, runs)
        browser.close()
    figures["workbench (wanted: drawn in 10 s, no lasso inexact)"] = seen
    shutil.rmtree(folder)
    return figures


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:]]
    count, turns, width = [*given, *(1_000_000, 5, 48)[len(given) :]]
    found = measure(count, turns, width)
    print(json.dumps(found, indent=1))
    if count >= 1_000_000:
        record("million", found)
