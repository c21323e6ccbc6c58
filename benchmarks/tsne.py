"""Maps beside each other on the same tables: t-SNE and UMAP of mlscope, openTSNE, umap-learn; each with its defaults.

5,000 cells × 128 standardised features of eight groups (as in umap.py), a table for each seed, each map in a process of
its own, in turn. Seconds are of the call alone, its compilation included, imports not. Trustworthiness, and how many of
a cell's 15 nearest neighbours in the table are among its 15 nearest on the map, by one function for all
(`ms.explore.trust`, which agrees with scikit-learn).

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/tsne.py [seeds] [cells]          (needs `make peers`)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
# The folder of this file would come first: `import umap` would find umap.py.
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "benchmarks")]

from benchmarks.umap import cells  # noqa: E402
from studies import _peers  # noqa: E402

WHO = ("mlscope tsne", "openTSNE", "mlscope umap", "umap-learn")


def child(who: str, table: str, target: str, seed: str) -> None:
    """Map a table in this process; what was spent is printed."""
    from mlscope_nb import explore

    values = np.load(table, allow_pickle=False)
    if who == "umap-learn":
        import umap

        map_it = umap.UMAP(random_state=int(seed)).fit_transform
    else:
        method = {"mlscope tsne": explore.tsne, "mlscope umap": explore.umap}[who]

        def map_it(numbers: np.ndarray) -> np.ndarray:
            return method(pd.DataFrame(numbers), seed=int(seed)).to_numpy()

    wall, busy = time.perf_counter(), time.process_time()
    places = map_it(values)
    spent = {"seconds": time.perf_counter() - wall, "processor seconds": time.process_time() - busy}
    np.save(target, np.asarray(places, dtype=np.float64))
    print(json.dumps(spent))


def one(who: str, values: np.ndarray, seed: int, folder: Path) -> dict[str, float]:
    """Figures of one map."""
    table, target = folder / "table.npy", folder / "map.npy"
    np.save(table, values)
    files = [str(table), str(target), str(seed)]
    if who == "openTSNE":
        command = [str(_peers.needed()), str(ROOT / "benchmarks" / "_tsne_peers.py"), *files]
    else:
        command = [sys.executable, "-W", "ignore", __file__, "child", who, *files]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout.splitlines()[-1]), **kept(values, np.load(target, allow_pickle=False))}


def kept(values: np.ndarray, places: np.ndarray) -> dict[str, float]:
    """What a map keeps of the table."""
    from mlscope_nb.explore import trust

    found = trust(pd.DataFrame(values), pd.DataFrame(places, columns=["x", "y"]), k=15)
    return {"trustworthiness": found.trustworthiness, "neighbours kept": found.knn_recall}


def main(n_seeds: int = 5, n: int = 5000) -> None:
    from studies._record import record

    _peers.needed()
    rows: dict[str, list[dict[str, float]]] = {who: [] for who in WHO}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(n_seeds):
            values = cells(n, seed)
            for who, found in rows.items():
                found.append(one(who, values, seed, Path(folder)))
            print(seed, {who: found[-1] for who, found in rows.items()}, flush=True)
            # After each seed, so that what is finished stands when the run is interrupted.
            record("tsne", {"what": f"{n:,} cells × 128 features, {seed + 1} tables", **told(rows)})


def told(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Figures of all seeds so far."""
    figures: dict[str, Any] = {
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "peers": _peers.versions("openTSNE"),
    }
    for who, found in rows.items():
        table = pd.DataFrame(found)
        figures[who] = {name: [round(float(v), 4) for v in table[name]] for name in table}
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
