"""A thousand simulated fields through segment → crop → measure → embed → map; killed, and gone on with.

    .venv/bin/python benchmarks/pipeline.py [fields] [folder]

Files are drawn first and do not count: 125 fields of about 110 cells in eight orientations each (an eighth of `fields`
where fewer are asked for), one in a hundred cut short. Then, each in fresh processes with one thread a worker:
20 fields with one worker; 150 fields (of fewer than 500, three in ten) with two; the same while a worker is killed
(SIGKILL) at a random point, and while the main process is, and called again. What a killed run comes to is compared
with the run that was left alone, byte for byte: the table sorted by id, the numbers of the network, and the crops. Then
all other fields with two workers, and a map.

On a machine that does other things the clock says nothing of the code. So the throughput is given twice: by the clock,
and as the product of what it is made of: processor seconds a field with one worker over those with two, and the share
of the time in which the two workers had a field to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tifffile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import mlscope_nb as ms  # noqa: E402
from studies._record import record  # noqa: E402

SEED, CELLS, SIDE, TURNS, BAD_EVERY, ALONE, KILLED = 12, 130, 800, 8, 100, 20, 150
RUN = """
import json, os, resource, sys, time, warnings
import mlscope_nb as ms
from mlscope_nb.pipeline import crews
busy, plain = [], crews.in_processes
def watched(*arguments):
    for outcome in plain(*arguments):
        busy.append(outcome.seconds)
        yield outcome
if __name__ == "__main__":
    crews.in_processes = watched
    warnings.simplefilter("ignore")
    files, store, workers = open(sys.argv[1]).read().split("\\n"), sys.argv[2], int(sys.argv[3])
    read = {"channels": ["DNA", "actin", "mito"], "pixel_size_um": 0.5}
    began = time.perf_counter()
    cells = ms.pipeline.run(files, store, read=read, embed_pretrained=True, workers=workers,
                            features="measured", progress=False)
    wall = time.perf_counter() - began
    used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"cells": len(cells), "wall": wall, "used": used, "busy": sum(busy)}))
"""
MAP = """
import json, sys, time, warnings
import mlscope_nb as ms
warnings.simplefilter("ignore")
times = [time.perf_counter()]
cells = ms.pipeline.load(sys.argv[1], features="measured"); times.append(time.perf_counter())
placed = ms.explore.sampled_map(cells, progress=False); times.append(time.perf_counter())
trust = ms.explore.trust(cells, placed); times.append(time.perf_counter())
cells = cells.with_embedding("umap", placed); times.append(time.perf_counter())
w = ms.views.explore(cells, autosave=False); times.append(time.perf_counter())
opened, mapped, _, _, shown = (b - a for a, b in zip(times, times[1:]))
print(json.dumps({"opened": opened, "mapped": mapped, "trust": str(trust), "workbench": shown}))
"""


def draw(folder: Path, n: int) -> list[str]:
    """Write `n` fields as TIFFs, each drawn one turned and mirrored; one in a hundred is cut short."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"f{i:04d}.tif" for i in range(n)]
    if all(f.is_file() for f in files):
        return [str(f) for f in files]
    per = 25
    for plate in range(-(-n // (TURNS * per))):
        drawn, _ = ms.datasets.simulate_fields(1, per, CELLS, seed=SEED + plate, field_size=SIDE)
        for k, image in enumerate(drawn.images):
            for turn in range(TURNS):
                i = (plate * per + k) * TURNS + turn
                if i < n:
                    turned = np.rot90(image[:, ::-1] if turn > 3 else image, turn % 4, axes=(1, 2))
                    tifffile.imwrite(files[i], np.ascontiguousarray(turned), photometric="minisblack")
    for file in files[BAD_EVERY // 2 :: BAD_EVERY]:
        with open(file, "r+b") as out:
            out.truncate(file.stat().st_size // 2)
    return [str(f) for f in files]


class Peak:
    """The most memory that a process and its children held together, in MB (shared pages counted once each)."""

    def __init__(self, pid: int) -> None:
        self.mb, self._pid, self._stop = 0.0, pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            try:
                main = psutil.Process(self._pid)
                family = [main, *main.children(recursive=True)]
                self.mb = max(self.mb, sum(p.memory_full_info().pss for p in family) / 1e6)
            except psutil.Error:
                continue


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code in a fresh process with one thread for each library."""
    script = Path(tempfile.mkdtemp()) / "script.py"
    script.write_text(code, encoding="utf-8")
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    environment = {**os.environ, **one, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(script), *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[dict[str, Any], float]:
    """Return what the process printed, and its peak of memory in MB."""
    with Peak(process.pid) as peak:
        said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"A run ended with {process.returncode}.")
    return json.loads(said), peak.mb


def listed(folder: Path, files: list[str], name: str) -> str:
    path = folder / f"{name}.txt"
    path.write_text("\n".join(files), encoding="utf-8")
    return str(path)


def tables(store: Path) -> list[float]:
    """When each field was finished."""
    return sorted(f.stat().st_mtime for f in (store / "tables").glob("*.parquet"))


def digest(store: Path, fields: set[str]) -> str:
    """Return a hash of the table sorted by id, of the network's numbers, and of the crops of some fields."""
    whole = ms.pipeline.load(store, features="measured")
    mine = whole.subset(sorted(whole.ids[whole.obs["field_id"].isin(fields)]))
    found = hashlib.sha256("\n".join(mine.ids).encode())
    found.update(mine.obs.drop(columns="file").to_csv(float_format="%.17g").encode())
    found.update("\n".join(mine.features.columns).encode() + np.ascontiguousarray(mine.features.to_numpy()).tobytes())
    for kind in ("embedded", "crops"):
        for name in sorted(fields):
            found.update(next((store / kind).glob(f"{name}-*.npy"), Path(os.devnull)).read_bytes())
    return found.hexdigest()


def killed(
    folder: Path, few: list[str], expected: str, names: set[str], rng: random.Random, victim: str
) -> dict[str, Any]:
    """Kill a worker or the main process at a random point, let it come to an end, and compare."""
    store, after = folder / victim, rng.randrange(len(few) // 10, len(few) * 9 // 10)
    shutil.rmtree(store, ignore_errors=True)
    process = start(RUN, listed(folder, few, "few"), str(store), "2")
    while len(tables(store)) < after:
        time.sleep(0.02)
    if victim == "worker":
        workers = [c for c in psutil.Process(process.pid).children() if "spawn_main" in " ".join(c.cmdline())]
        os.kill(rng.choice(workers).pid, signal.SIGKILL)
        at = len(tables(store))
        finish(process)
    else:
        process.kill()
        process.communicate()
        time.sleep(2)
        at = len(tables(store))
        finish(start(RUN, listed(folder, few, "few"), str(store), "2"))
    figures = {"of fields": len(few), "after fields": at, "same bytes": digest(store, names) == expected}
    print(victim, figures, flush=True)
    return figures


def alone(folder: Path, files: list[str]) -> dict[str, float]:
    """Seconds a field with one worker: by the clock, and of the processor without the start."""
    for name in ("one", "alone"):
        shutil.rmtree(folder / name, ignore_errors=True)
    begun, _ = finish(start(RUN, listed(folder, files[:1], "one"), str(folder / "one"), "1"))
    first, _ = finish(start(RUN, listed(folder, files[:ALONE], "alone"), str(folder / "alone"), "1"))
    times = tables(folder / "alone")
    return {
        "clock": (times[-1] - times[0]) / (len(times) - 1),
        "processor": (first["used"] - begun["used"]) / (ALONE - 1),
    }


def together(folder: Path, files: list[str], good: set[str], single: dict[str, float]) -> dict[str, Any]:
    """Do the fields that are not in the store yet with two workers."""
    store = folder / "all"
    before = len(tables(store)) + len(ms.pipeline.problems(store))
    seen, mb = finish(start(RUN, listed(folder, files, "all"), str(store), "2"))
    n = len(files) - before
    states = ms.pipeline.status(store)["state"]
    both = {"clock": seen["wall"] / n, "processor": seen["used"] / n, "busy": seen["busy"] / 2 / seen["wall"]}
    return {
        "fields": len(files),
        "of these timed": n,
        "cells": seen["cells"],
        "seconds of the timed": round(seen["wall"]),
        "seconds a field, by the clock": round(both["clock"], 3),
        "throughput over 2 × one worker, by the clock (wanted: 0.85)": round(single["clock"] / both["clock"] / 2, 2),
        "processor seconds a field (with the start)": round(both["processor"], 3),
        "share of the time in which the workers had a field": round(both["busy"], 3),
        "throughput over 2 × one worker, as their product (wanted: 0.85)": round(
            single["processor"] / both["processor"] * both["busy"], 2
        ),
        "peak MB of all processes (wanted: 4,000)": round(mb),
        "fields cut short": len(files) - len(good),
        "fields listed as failed": int((states == "failed").sum()),
        "all others done": bool((states[sorted(good)] == "done").all()),
    }


def measure(n: int, folder: Path) -> dict[str, Any]:
    """Run everything; figures by name."""
    files = draw(folder / f"fields{n}", n)
    good = {Path(f).stem for i, f in enumerate(files) if i % BAD_EVERY != BAD_EVERY // 2}
    figures: dict[str, Any] = {"load of the machine before": round(psutil.getloadavg()[0], 1)}
    single = alone(folder, files)
    figures["one worker, seconds a field"] = {k: round(v, 3) for k, v in single.items()}
    print(figures, flush=True)

    few, rng = files[: min(KILLED, n * 3 // 10)], random.Random(SEED)
    names = {Path(f).stem for f in few} & good
    shutil.rmtree(folder / "all", ignore_errors=True)
    finish(start(RUN, listed(folder, few, "few"), str(folder / "all"), "2"))
    expected = digest(folder / "all", names)
    figures["a worker killed"] = killed(folder, few, expected, names, rng, "worker")
    figures["main process killed"] = killed(folder, few, expected, names, rng, "main")

    figures["two workers"] = together(folder, files, good, single)
    figures["the first fields are as before"] = digest(folder / "all", names) == expected
    print(figures, flush=True)

    seen, mb = finish(start(MAP, str(folder / "all")))
    figures["map"] = {
        "opening the store, s": round(seen["opened"], 1),
        "map of 20,000, the others placed, s": round(seen["mapped"]),
        "workbench, s": round(seen["workbench"], 1),
        "peak MB": round(mb),
        "trust": seen["trust"],
    }
    return figures


if __name__ == "__main__":
    given = sys.argv[1:]
    number = int(given[0]) if given else 1000
    place = Path(given[1]) if len(given) > 1 else Path(tempfile.mkdtemp())
    found = measure(number, place)
    print(json.dumps(found, indent=1))
    record("pipeline" if number >= 1000 else f"pipeline_{number}", found)
