"""A thousand simulated fields through segment → crop → measure → embed → map; killed, and gone on with.

    .venv/bin/python benchmarks/pipeline.py [fields] [folder]

Files are drawn first and do not count: 125 fields of about 110 cells in eight orientations each (an eighth of `fields`
where fewer are asked for), one in a hundred cut short. Then, each in fresh processes with one thread a worker:
20 fields with one worker; all fields with two; 200 fields while a worker is killed (SIGKILL) at a random point; 200
fields while the main process is killed at a random point, and a second call. What a killed run comes to is compared
with the same fields of the run that was left alone, byte for byte: the table sorted by id, the numbers of the network,
and the crops.

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

SEED, CELLS, SIDE, TURNS, BAD_EVERY, ALONE, KILLED = 12, 130, 800, 8, 100, 20, 200
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
    cells = ms.pipeline.run(files, store, read=read, embed_pretrained=True, workers=workers, features="measured",
                            progress=False)
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


def kill_a_worker(process: subprocess.Popen[str], store: Path, after: int) -> int:
    """Wait until so many fields are done, then end one of the workers; return how many were done."""
    while len(tables(store)) < after:
        time.sleep(0.02)
    workers = [c for c in psutil.Process(process.pid).children() if "spawn_main" in " ".join(c.cmdline())]
    os.kill(random.choice(workers).pid, signal.SIGKILL)
    return len(tables(store))


def measure(n: int, folder: Path) -> dict[str, Any]:
    """Run everything; figures by name."""
    files = draw(folder / f"fields{n}", n)
    good = {Path(f).stem for i, f in enumerate(files) if i % BAD_EVERY != BAD_EVERY // 2}
    for name in ("one", "alone", "all", "worker", "main"):
        shutil.rmtree(folder / name, ignore_errors=True)
    figures: dict[str, Any] = {"load of the machine before": round(psutil.getloadavg()[0], 1)}

    begun, _ = finish(start(RUN, listed(folder, files[:1], "one"), str(folder / "one"), "1"))
    first, _ = finish(start(RUN, listed(folder, files[:ALONE], "alone"), str(folder / "alone"), "1"))
    times = tables(folder / "alone")
    each = (times[-1] - times[0]) / (len(times) - 1)
    figures["one worker, seconds a field"] = round(each, 2)
    apart = (first["used"] - begun["used"]) / (ALONE - 1)
    print(figures, first, flush=True)

    both, mb = finish(start(RUN, listed(folder, files, "all"), str(folder / "all"), "2"))
    times = tables(folder / "all")
    steady = (times[-1] - times[0]) / (len(times) - 1)
    listed_bad = ms.pipeline.problems(folder / "all")
    figures["two workers"] = {
        "fields": n,
        "cells": both["cells"],
        "seconds in all": round(both["wall"]),
        "seconds a field": round(steady, 2),
        "throughput over 2 × one worker, by the clock (wanted: 0.85)": round(each / steady / 2, 2),
        "processor seconds a field, one worker": round(apart, 3),
        "processor seconds a field, two workers (with their start)": round(both["used"] / n, 3),
        "share of the time in which the workers had a field": round(both["busy"] / 2 / both["wall"], 3),
        "throughput over 2 × one worker, as their product (wanted: 0.85)": round(
            apart / both["used"] * n * both["busy"] / 2 / both["wall"], 2
        ),
        "peak MB of all processes (wanted: 4,000)": round(mb),
        "fields listed as failed": len(listed_bad),
        "fields cut short": n - len(good),
        "all others done": int((ms.pipeline.status(folder / "all")["state"] != "failed").sum()) == len(good),
    }
    print(figures, flush=True)

    few, names = files[:KILLED], {Path(f).stem for f in files[:KILLED]} & good
    expected = digest(folder / "all", names)
    rng = random.Random(SEED)
    process = start(RUN, listed(folder, few, "few"), str(folder / "worker"), "2")
    at = kill_a_worker(process, folder / "worker", rng.randrange(len(few) // 10, len(few) * 9 // 10))
    finish(process)
    figures["a worker killed"] = {
        "of fields": len(few), "after fields": at, "same bytes": digest(folder / "worker", names) == expected
    }  # fmt: skip
    print(figures, flush=True)

    process = start(RUN, listed(folder, few, "few"), str(folder / "main"), "2")
    after = rng.randrange(len(few) // 10, len(few) * 9 // 10)
    while len(tables(folder / "main")) < after:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    time.sleep(2)
    before = len(tables(folder / "main"))
    finish(start(RUN, listed(folder, few, "few"), str(folder / "main"), "2"))
    figures["main process killed"] = {
        "of fields": len(few), "after fields": before, "same bytes": digest(folder / "main", names) == expected
    }  # fmt: skip
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
