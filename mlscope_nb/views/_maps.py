"""Maps a view can show at once, and those that are still being computed."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells

COMPUTED = ("umap", "pca")
MANY = 100_000
"""Of more cells than these some are drawn at random for UMAP, and the others are placed on their map."""
_RECENT: OrderedDict[str, pd.DataFrame] = OrderedDict()
_KEPT = 4


def in_background(work: Callable[[], Any], done: Callable[[Future[Any]], None]) -> Future[Any]:
    """Run `work` in a thread; `done` gets the finished future, in the kernel's own thread if it has a loop."""
    future: Future[Any] = Future()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to the one who asked, who shows it
            future.set_exception(error)
        if loop is None:
            done(future)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(done, future)

    threading.Thread(target=run, name="mlscope-map", daemon=True).start()
    return future


def compute(cells: Cells, name: str, seed: int) -> pd.DataFrame:
    """Return a map of the features, remembered so that running a cell again does not compute it again."""
    from mlscope_nb import explore

    key = _key(cells, name, seed)
    if key not in _RECENT:
        drawn = sample_of(cells)
        options = {} if drawn is None else {"sample": drawn}
        apart = explore.umap_apart
        _RECENT[key] = apart(cells, seed=seed, **options) if name == "umap" else explore.pca(cells, seed=seed)
        while len(_RECENT) > _KEPT:
            _RECENT.popitem(last=False)
    return _RECENT[key]


def sample_of(cells: Cells) -> int | None:
    """Return how many cells are drawn for UMAP, or None where all are mapped."""
    from mlscope_nb.explore.sample_maps import SAMPLE

    return SAMPLE if len(cells) > MANY else None


def is_ready(cells: Cells, name: str, seed: int) -> bool:
    """Whether a map need not be computed."""
    return name in cells.embeddings or _key(cells, name, seed) in _RECENT


def _key(cells: Cells, name: str, seed: int) -> str:
    numbers = cells.table()
    digest = hashlib.sha256(np.ascontiguousarray(numbers.to_numpy()).tobytes())
    digest.update("\n".join([*cells.ids, *numbers.columns]).encode())
    return f"{name} {seed} {digest.hexdigest()}"
