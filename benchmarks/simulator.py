"""Seconds and megabytes of the default simulated study (3,840 cells), in fresh processes on one core.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/simulator.py [runs]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from studies._record import record  # noqa: E402

ONE = """
import json, resource, time
import mlscope_nb as ms
wall, cpu = time.perf_counter(), time.process_time()
cells, truth = ms.datasets.{call}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def measure(call: str, runs: int) -> dict[str, float | str]:
    """Medians over fresh processes, each held to one core; the fastest is what the least disturbed core needs."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = []
    for _ in range(runs):
        command = [sys.executable, "-c", ONE.format(call=call)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
        print(call, [round(v, 1) for v in found[-1]], flush=True)
    wall, cpu, memory = np.median(found, axis=0)
    return {
        "wall seconds": round(float(wall), 1),
        "processor seconds": round(float(cpu), 1),
        "processor seconds of the fastest run": round(float(np.min(found, axis=0)[1]), 1),
        "peak MB of the process": round(float(memory), 0),
    }


def main(runs: int = 5) -> None:
    before = psutil.getloadavg()[0]
    figures = {
        "runs": runs,
        "processes waiting for the machine's cores before the start": round(before, 1),
        "simulate(), 3,840 cells (wanted: 12 s, 400 MB)": measure("simulate()", runs),
        "simulate_fields(), 96 fields": measure("simulate_fields()", max(1, runs // 2)),
    }
    record("simulator_cost", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
