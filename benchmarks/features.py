"""Seconds per 1,000 two-channel cells of 64 × 64 pixels for all classical features, beside cp_measure and scikit-image.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/features.py [cells for peers] [runs]          (needs `make peers`)

Every figure is a fresh process. Peers measure fewer cells, since theirs is a time per cell. They use one core whatever
the machine has, so on 2 cores their time on one is compared with ours on two; both on one core stand beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import mlscope_nb as ms  # noqa: E402
from studies import _peers  # noqa: E402
from studies._record import record  # noqa: E402

CELLS = 1000
ONE = """
import json, resource, sys, time
import numpy as np, pandas as pd
import mlscope_nb as ms
path, copies, families, workers = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
with np.load(path) as file:
    images, masks = (np.concatenate([file[name]] * copies) for name in ("images", "masks"))
n = len(images)
obs = pd.DataFrame({"field_id": np.arange(n) // 40, "y_px": np.arange(n) % 40 * 50.0, "x_px": 1.0})
obs.index = [f"c{i}" for i in range(n)]
cells = ms.Cells(obs, images, masks=masks, channels=["DNA", "actin"])
ms.features.measure(cells.subset(cells.ids[:2]), families, workers=1, progress=False)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, busy = time.perf_counter(), time.process_time()
table = ms.features.measure(cells, families, workers=workers, progress=False)
seconds, busy = time.perf_counter() - start, time.process_time() - busy
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds / n * 1000, busy / n * 1000, peak / 1024, table.shape[1]]))
"""


def ours(path: Path, families: list[str] | str | None, *, workers: int, copies: int = 1) -> list[float]:
    """Seconds and processor seconds per 1,000 cells, peak MB of the process, number of features."""
    command = [sys.executable, "-c", ONE, str(path), str(copies), json.dumps(families), str(workers)]
    return json.loads(run(command))


def peer(path: Path, name: str) -> list[float]:
    """Seconds and processor seconds per 1,000 cells."""
    script = ROOT / "benchmarks" / "_feature_peers.py"
    return json.loads(run([str(_peers.needed().absolute()), str(script), str(path), name]))


def run(command: list[str]) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def main(n_peer: int = 100, runs: int = 3) -> None:
    _peers.needed()
    waiting = psutil.getloadavg()[0]
    cells, _ = ms.datasets.simulate(n_plates=1, wells_per_plate=25, cells_per_well=40)
    with tempfile.TemporaryDirectory() as folder:
        path, few = Path(folder) / "cells.npz", Path(folder) / "few.npz"
        np.savez(path, images=cells.images[:CELLS, :2], masks=cells.masks[:CELLS])
        np.savez(few, images=cells.images[:n_peer, :2], masks=cells.masks[:n_peer])
        families = [f for f in ms.features.families() if f not in ("neighbours", "location")]
        same = ["shape", "moments", "intensity"]
        timed = {
            "all families, 1 core": lambda: ours(path, families, workers=1)[:2],
            "all families, 2 cores": lambda: ours(path, families, workers=2)[:2],
            "shape, moments, intensity, 1 core": lambda: ours(path, same, workers=1)[:2],
            "shape, moments, intensity, 2 cores": lambda: ours(path, same, workers=2)[:2],
            "default families, 1 core": lambda: ours(path, None, workers=1)[:2],
            "cp_measure, 1 core": lambda: peer(few, "cp_measure"),
            "regionprops_table, 1 core": lambda: peer(few, "regionprops"),
        }
        found: dict[str, list[list[float]]] = {name: [] for name in timed}
        for _ in range(runs):
            # in turn, so that a busy spell of the machine meets all of them
            for name, measure in timed.items():
                found[name].append(measure())
            print({name: np.round(values[-1], 2).tolist() for name, values in found.items()}, flush=True)
        peak = ours(path, "all", workers=2, copies=20)
    wall, busy = ({name: float(np.median([v[k] for v in values])) for name, values in found.items()} for k in (0, 1))
    record("features", {
        "runs": runs,
        "peers": _peers.versions("cp_measure", "scikit-image"),
        "processes waiting for the machine's cores before the start": round(waiting, 1),
        "seconds per 1,000 cells": {name: round(value, 2) for name, value in wall.items()},
        "processor seconds per 1,000 cells": {name: round(value, 2) for name, value in busy.items()},
        "processor seconds per 1,000 cells, each run": {n: [round(v[1], 2) for v in all] for n, all in found.items()},
        "cp_measure over ours, 1 core each": ratio(wall, busy, "cp_measure, 1 core", "all families, 1 core"),
        "cp_measure (which uses one core) over ours, on 2 cores (wanted: 15)":
            ratio(wall, busy, "cp_measure, 1 core", "all families, 2 cores"),
        "regionprops_table over ours, 1 core each":
            ratio(wall, busy, "regionprops_table, 1 core", "shape, moments, intensity, 1 core"),
        "regionprops_table (which uses one core) over ours, on 2 cores (wanted: 3)":
            ratio(wall, busy, "regionprops_table, 1 core", "shape, moments, intensity, 2 cores"),
        "20,000 cells": {
            "peak MB of the process, images included (wanted: 1,500)": round(peak[2]),
            "features": peak[3],
            "processor seconds per 1,000 cells": round(peak[1], 2),
        },
        "GPU": "none on this machine; measure runs on the processor",
    })  # fmt: skip


def ratio(wall: dict[str, float], busy: dict[str, float], slow: str, fast: str) -> str:
    """How many times faster, by the clock and by processor time (which other processes on the machine disturb less)."""
    return f"{wall[slow] / wall[fast]:.1f} by the clock, {busy[slow] / busy[fast]:.1f} by processor time"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
