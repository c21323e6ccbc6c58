"""Damaged and hostile tables: every reader ends in a result or in an error that names the file, and in time.

Each file is read in a process of its own kind, so that a crash or a hang would be seen and counted. Run it as

    .venv/bin/python studies/io_fuzz_tables.py [mutations of each kind, default 400]
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import mlscope_nb as ms  # noqa: E402
from studies import _table_files as files  # noqa: E402

LIMIT_S = 30
MEMORY_BYTES = 6 * 2**30
SEED = 20_000
Reader = Callable[[Path], Any]
Case = tuple[str, Path, Path, bytes]
"""The kind, the file to write, what is read (the file or its folder), and what is written into it."""


def sources(folder: Path) -> dict[str, tuple[Path, Path, Reader]]:
    """Write one good file of each kind: the file to damage, what is read, and the reader."""
    analysis = folder / "analysis"
    files.write_analysis(analysis, n_cells=3)
    files.write_combined(analysis, folder / "combined")
    found: dict[str, tuple[Path, Path, Reader]] = {}
    for name in ("Cells", "Nuclei", "Image"):
        found[f"CellProfiler {name}.csv"] = (analysis / f"{name}.csv", analysis, ms.io.read_cellprofiler)
    found["CellProfiler combined.csv"] = (folder / "combined" / "object.csv", folder / "combined", _without_images)
    found["CellProfiler image.tif"] = (analysis / "image1_DNA.tif", analysis, ms.io.read_cellprofiler)
    for kind in ("per_table", "per_object", "cytominer"):
        file = folder / f"{kind}.sqlite"
        files.write_database(analysis, file, kind)
        found[f"SQLite {kind}"] = (file, file, ms.io.read_cellprofiler)
    return found | _profiles(folder)


def _profiles(folder: Path) -> dict[str, tuple[Path, Path, Reader]]:
    table, carta, deep = files.profiles_table(), folder / "in_carta.csv", folder / "deep"
    table.to_parquet(folder / "cells.parquet")
    table.to_csv(folder / "cells.csv.gz", index=False)
    files.in_carta_table().to_csv(carta, index=False)
    files.write_deepprofiler(deep)
    site = deep / "outputs" / "run" / "features" / "SQ1" / "A01" / "1.npz"
    cells = ms.io.read_cellprofiler(folder / "analysis", size=16)
    h5ad = folder / "cells.h5ad"
    cells.with_embedding("umap", pd.DataFrame(0.0, index=cells.ids, columns=["x", "y"])).to_anndata().write_h5ad(h5ad)
    own = ms.io.write_profiles(cells, folder / "own.parquet")
    return {
        "Parquet": (folder / "cells.parquet", folder / "cells.parquet", ms.io.read_profiles),
        "Parquet of mlscope": (own, own, ms.io.read_profiles),
        "csv.gz": (folder / "cells.csv.gz", folder / "cells.csv.gz", ms.io.read_profiles),
        "In-Carta": (carta, carta, ms.io.read_profiles),
        "DeepProfiler npz": (site, site, ms.io.read_profiles),
        "h5ad": (h5ad, h5ad, ms.io.read_h5ad),
    }


def _without_images(path: Path) -> Any:
    return ms.io.read_cellprofiler(path, images=False)


def hostile(folder: Path) -> Iterator[tuple[str, Path, Path, Reader]]:
    """Write files that are made to harm: the kind, the file, what is read, and the reader."""
    for i, (name, content) in enumerate(files.odd_csv()):
        for reader, file in ((ms.io.read_cellprofiler, f"odd{i}/Cells.csv"), (ms.io.read_profiles, f"odd{i}/t.csv")):
            target = folder / file
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
            yield f"CSV: {name}", target, target, reader
    for i, (name, content) in enumerate(files.hostile_npz()):
        target = folder / f"hostile{i}.npz"
        target.write_bytes(content)
        yield f"npz: {name}", target, target, ms.io.read_profiles
    bomb = folder / "bomb.csv.gz"
    bomb.write_bytes(files.gzip_bomb())
    yield "gzip bomb", bomb, bomb, ms.io.read_profiles
    for name, target in files.hostile_databases(folder):
        yield f"SQLite: {name}", target, target, ms.io.read_cellprofiler
    for name, target in files.hostile_parquet(folder):
        yield f"Parquet: {name}", target, target, ms.io.read_profiles


def outcome(reader: Reader, source: Path, file: Path) -> str:
    """Read, and say how it ended: "read", "refused", or what is wrong with that."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = reader(source)
            if made.images is not None:
                next(made.batches(64))
        return "read"
    except (ValueError, OSError) as error:
        named = file.name in str(error) or str(source) in str(error)
        return "refused" if named else f"unnamed: {type(error).__name__}: {str(error)[:200]}"
    except Exception as error:  # noqa: BLE001 – what this study is there to find
        return f"other: {type(error).__name__}: {str(error)[:200]}"


def _work(pipe: Connection, folder: Path, kinds: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # files of its own: an earlier worker may have ended in the middle of one
    folder = Path(tempfile.mkdtemp(dir=folder))
    made = sources(folder)
    good = {kind: made[kind][0].read_bytes() for kind in kinds}
    pipe.send("ready")
    while (job := pipe.recv()) is not None:
        kind, seed = job
        file, source, reader = made[kind]
        file.write_bytes(files.damaged(good[kind], np.random.default_rng(seed)))
        before = listing(folder)
        start = time.perf_counter()
        result = outcome(reader, source, file)
        if listing(folder) != before:
            result = "wrote a file"
        pipe.send((result, time.perf_counter() - start))
        file.write_bytes(good[kind])


def listing(folder: Path) -> set[str]:
    """Return all names in a folder and around it."""
    return {str(p) for p in folder.rglob("*")} | {str(p) for p in folder.parent.iterdir()}


class Worker:
    """A process that reads damaged files; one that crashes or hangs is seen, ended and replaced."""

    def __init__(self, folder: Path, kinds: list[str]) -> None:
        self.folder, self.kinds = folder, kinds
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, self.folder, self.kinds), daemon=True)
        self.process.start()
        other.close()
        self.pipe.recv()

    def read(self, kind: str, seed: int) -> tuple[str, float]:
        """Damage a file of this kind by this seed and read it."""
        self.pipe.send((kind, seed))
        start = time.perf_counter()
        try:
            if self.pipe.poll(LIMIT_S):
                found: tuple[str, float] = self.pipe.recv()
                return found
            result = "hung"
        except EOFError:
            result = "crashed"
        self.close()
        self._start()
        return result, time.perf_counter() - start

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def main(n: int) -> dict[str, Any]:
    """Run the study and return its figures."""
    figures: dict[str, Any] = {"limit of time in s": LIMIT_S, "mutations of each kind": n}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "fuzz"
        folder.mkdir()
        named = Path(place) / "named"
        named.mkdir()
        kinds = list(sources(named))
        worker = Worker(folder, kinds)
        for k, kind in enumerate(kinds):
            ends = [worker.read(kind, SEED + 10_000 * k + i) for i in range(n)]
            figures[kind] = _counted(ends)
            print(kind, figures[kind], flush=True)
        worker.close()
        figures["hostile"] = _hostile(Path(place) / "hostile")
    return figures


def _counted(ends: list[tuple[str, float]]) -> dict[str, Any]:
    counts = Counter(end.split(":")[0] for end, _ in ends)
    wrong = sorted({end for end, _ in ends if end not in ("read", "refused")})[:5]
    found: dict[str, Any] = {"read": counts["read"], "refused by name": counts["refused"]}
    found["other ends"] = len(ends) - counts["read"] - counts["refused"]
    found["slowest in s"] = round(max(seconds for _, seconds in ends), 2)
    return {**found, **({"which": "; ".join(wrong)} if wrong else {})}


def _hostile(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    ends = []
    for name, file, source, reader in hostile(folder):
        before, start = listing(folder), time.perf_counter()
        end = outcome(reader, source, file)
        end = end if listing(folder) == before else "wrote a file"
        ends.append((end if end in ("read", "refused") else f"{end} ({name})", time.perf_counter() - start))
        print(name, reader.__name__, ends[-1], flush=True)
    return _counted(ends)


if __name__ == "__main__":
    from studies._record import record

    record("io_fuzz_tables", main(int(sys.argv[1]) if len(sys.argv) > 1 else 400))
