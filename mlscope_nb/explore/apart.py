"""UMAP in a process of its own, so that the notebook stays quick while it is computed and compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.sample_maps import sampled_map

NUMBERS, POINTS, HISTORY = "numbers.npy", "points.npy", "history.json"


def umap_apart(cells_or_table: Cells | pd.DataFrame, seed: int = 0, *, sample: int | None = None) -> pd.DataFrame:
    """Compute the same map as `umap` in another process; call it from a thread to go on meanwhile.

    The process has a low priority and ends with the one that started it.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    seed : int
        Same seed, same map.
    sample : int, optional
        Map so many cells drawn at random and place the others on it, as `sampled_map` does.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id, with ``attrs["history"]``.

    Raises
    ------
    ValueError
        As in `umap`.
    RuntimeError
        The process failed; the message ends with its last words.

    Examples
    --------
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)))
    >>> umap_apart(numbers).shape
    (30, 2)
    """
    numbers = table(cells_or_table)
    with tempfile.TemporaryDirectory(prefix="mlscope-umap-") as folder:
        np.save(Path(folder) / NUMBERS, numbers.to_numpy(), allow_pickle=False)
        _run(folder, seed, len(numbers) if sample is None else sample)
        points = np.load(Path(folder) / POINTS, allow_pickle=False)
        history = json.loads((Path(folder) / HISTORY).read_text(encoding="utf-8"))
    result = pd.DataFrame(points, index=numbers.index, columns=["x", "y"])
    result.attrs["history"] = history
    return result


def _run(folder: str, seed: int, sample: int) -> None:
    command = [sys.executable, "-m", "mlscope_nb.explore.apart", folder, str(seed), str(sample)]
    package = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    # The open standard input is the life line: when this process ends, however it ends, the other reads its end.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
    ) as process:
        said = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
    if process.returncode:
        words = said.strip().splitlines()
        kind, _, refused = words[-1].partition(": ") if words else ("", "", "")
        if kind == "ValueError":
            raise ValueError(refused)
        raise RuntimeError(words[-1] if words else f"the process ended with code {process.returncode}")


def main(folder: str, seed: int, sample: int) -> None:
    """Read the numbers, write the map."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(10)
    numbers = np.load(Path(folder) / NUMBERS, allow_pickle=False)
    result = sampled_map(pd.DataFrame(numbers), seed=seed, sample=max(sample, 10), progress=False)
    np.save(Path(folder) / POINTS, result.to_numpy(), allow_pickle=False)
    (Path(folder) / HISTORY).write_text(json.dumps(result.attrs["history"]), encoding="utf-8")


def _end_with_parent() -> None:
    # not sys.stdin, whose lock would be held when the interpreter shuts down
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
