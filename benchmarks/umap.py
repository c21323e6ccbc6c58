"""UMAP: ours against umap-learn's default call, each in a process of its own, one after the other.

"cold": the first map of 5,000 × 128 in a fresh kernel, imports, neighbours and compilation included, and the first of
all after installation, when nothing is in numba's cache. "trust": the same tables, five seeds; and `trust` itself on
100,000 cells × 50 in a fresh process, with its peak memory, imports and table included. "warm": 50,000 × 128 after a
small map has compiled everything. Seconds are of the clock; seconds of the processor stand beside them, because they do
not depend on what else the machine does.

.venv/bin/python benchmarks/umap.py [cold] [trust] [warm]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

ROUNDS, SEEDS, K = 3, 5, 15


def cells(n: int, seed: int) -> np.ndarray:
    """Cells of eight groups, some large and some small, on 12 factors that 128 features share, standardised."""
    rng = np.random.default_rng(seed)
    group = rng.choice(8, n, p=np.arange(1, 9) / 36)
    factors = rng.normal(size=(n, 12)) + 3 * rng.normal(size=(8, 12))[group]
    values = factors @ rng.normal(size=(12, 128)) + 2 * rng.normal(size=(n, 128))
    return (values - values.mean(axis=0)) / values.std(axis=0)


def mapped(who: str, values: np.ndarray, seed: int | None = 0) -> np.ndarray:
    if who == "umap-learn":
        import umap

        return np.asarray(umap.UMAP(random_state=seed).fit_transform(values))
    from mlscope_nb.explore import umap as ours

    return ours(pd.DataFrame(values), seed=seed).to_numpy()


def child(who: str, n: int, warm: bool, seed: int | None) -> dict[str, float]:
    """What one process measures."""
    if who == "trust":
        return measured_trust(n, 50)
    values = cells(n, 0)
    if warm:
        # more than 4,096 cells: below that umap-learn does without the search that has to be compiled
        mapped(who, cells(5000, 1), seed)
    wall, cpu = time.perf_counter(), time.process_time()
    mapped(who, values, seed)
    return {"seconds": time.perf_counter() - wall, "processor seconds": time.process_time() - cpu}


def measured_trust(n: int, columns: int) -> dict[str, float]:
    """What one process measures of `trust`: time of the call, and the most memory that the process ever held."""
    from mlscope_nb.explore import pca
    from mlscope_nb.explore import trust as ours

    table = pd.DataFrame(cells(n, 0)[:, :columns])
    places = pca(table)
    wall, cpu = time.perf_counter(), time.process_time()
    found = ours(table, places, scale="standardize")
    spent = {"seconds": time.perf_counter() - wall, "processor seconds": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**spent, "peak MB": peak, "cells compared with all": found.n_compared}


def run(who: str, n: int, *, warm: bool = False, seed: int | None = 0, cache: str | None = None) -> dict[str, float]:
    environment = {**os.environ, "TQDM_DISABLE": "1", **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    command = [sys.executable, "-W", "ignore", __file__, "child", json.dumps([who, n, warm, seed])]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def cold() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        first = run("mlscope", 5000, cache=cache)
        rounds = [(run("umap-learn", 5000), run("mlscope", 5000, cache=cache)) for _ in range(ROUNDS)]
    return {**compared(rounds), "mlscope, first run after installation": rounded(first)}


def warm() -> dict[str, Any]:
    rounds = [(run("umap-learn", 50_000, warm=True), run("mlscope", 50_000, warm=True))]
    return {**compared(rounds), "mlscope, all cores (seed=None)": rounded(run("mlscope", 50_000, warm=True, seed=None))}


def trust() -> dict[str, Any]:
    from sklearn.manifold import trustworthiness

    scores: dict[str, list[float]] = {"umap-learn": [], "mlscope": []}
    for seed in range(SEEDS):
        values = cells(5000, seed)
        for who, found in scores.items():
            found.append(float(trustworthiness(values, mapped(who, values, seed), n_neighbors=K)))
    worst = min(b - a for a, b in zip(*scores.values(), strict=True))
    figures: dict[str, Any] = {f"trustworthiness, {who}": x for who, x in scores.items()}
    return {**figures, "least difference": worst, "trust of 100,000 × 50": rounded(run("trust", 100_000))}


def compared(rounds: list[tuple[dict[str, float], dict[str, float]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in rounds[0][0]:
        theirs, ours = ([r[i][kind] for r in rounds] for i in (0, 1))
        found[f"umap-learn, {kind}"] = [round(x, 1) for x in theirs]
        found[f"mlscope, {kind}"] = [round(x, 1) for x in ours]
        found[f"ratio of medians, {kind}"] = round(float(np.median(ours) / np.median(theirs)), 3)
    return found


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in figures.items()}


def main(parts: list[str]) -> None:
    from studies._record import record

    for part in parts or ["cold", "trust", "warm"]:
        figures = {"cold": cold, "trust": trust, "warm": warm}[part]()
        record(f"umap_{part}", {"threads of BLAS": os.environ.get("OMP_NUM_THREADS", "all"), **figures})
        print(part, json.dumps(figures, indent=2))


if __name__ == "__main__":
    # The folder of this file would come first: `import umap` would find this file.
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != ROOT / "benchmarks"]
    if sys.argv[1:2] == ["child"]:
        print(json.dumps(child(*json.loads(sys.argv[2]))))
    else:
        main(sys.argv[1:])
