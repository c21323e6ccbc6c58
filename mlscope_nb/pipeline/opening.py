"""Opening a store: its tables in memory, its crops where they lie."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._store import as_declared
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.io.crops import WRITTEN
from mlscope_nb.pipeline.parts import NAMES
from mlscope_nb.pipeline.store import Store, status
from mlscope_nb.pipeline.stored_crops import StoredCrops, open_records

ALL_UP_TO_MB = 500

Features = Literal["all", "measured", "embedded"]


def load(path: str | Path, *, features: Features | None = None) -> Cells:
    """Open the cells of a store: crops stay on disk until they are read, tables are in memory.

    Parameters
    ----------
    path : path
        A folder written by `run`, finished or not.
    features : "all", "measured" or "embedded", optional
        Which numbers to take into memory. Default: all where they take less than 500 MB, else those that were measured,
        and a warning says so.

    Returns
    -------
    Cells
        In the order of the fields; ``obs`` holds what `ms.io.crop` writes and what is known about the fields. The last
        step of ``history`` counts fields that failed, are empty, or are not done yet.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no store, no field in it is done, a file is damaged, or the numbers asked for were never made.

    Examples
    --------
    >>> load("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: There is no store 'nowhere'. Make it with ms.pipeline.run(fields, store='nowhere').
    """
    store = Store.open(Path(path))
    known = store.obs()
    states = status(path)
    done = states.index[states["n_cells"] > 0]
    _tell_missing(path, states)
    if not len(done):
        raise ValueError(f"No field in '{path}' has cells yet: {_said(states)}. See ms.pipeline.problems('{path}').")
    tables = [store.part(str(name)).read_table() for name in done]
    counts = [len(table) for table in tables]
    table = pd.concat(tables)
    roles = store.study()["design"]
    control = roles.pop("control", None)
    arrays = _arrays(store, list(map(str, done)), counts)
    made = Cells(
        table[list(WRITTEN)].join(known, on="field_id"),
        arrays.pop("images"),
        masks=arrays.pop("masks"),
        compartments={name.removeprefix("of "): array for name, array in arrays.items()},
        features=_features(store, table, list(map(str, done)), features),
        channels=store.kind.channels,
        pixel_size_um=store.kind.pixel_size_um,
        history=[*store.study()["history"], *_steps(store, states)],
        **roles,
    )
    return as_declared(made, control)


def _tell_missing(path: str | Path, states: pd.DataFrame) -> None:
    missing = states[states["state"].isin(["failed", "to do"])]
    if len(missing):
        named = [f"{name}: {row['error'] or 'not done yet'}" for name, row in missing.head(10).iterrows()]
        more = f"; and {len(missing) - 10:,} more" if len(missing) > 10 else ""
        warnings.warn(
            f"{count(len(missing), 'field')} of {len(states):,} without results: {'; '.join(named)}{more}. "
            f"ms.pipeline.problems('{path}') lists all of them; run(…, retry=True) tries them again.",
            UserWarning,
            stacklevel=4,
        )


def _said(states: pd.DataFrame) -> str:
    counts = states["state"].value_counts()
    return ", ".join(f"{n:,} {state}" for state, n in counts.items())


def _steps(store: Store, states: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the steps as history, each with its options, and what became of the fields."""
    counts = {str(state): int(n) for state, n in states["state"].value_counts().items()}
    steps = [{"step": name, **options} for name, options in store.recipe.options.items()]
    return [*steps, {"step": "pipeline", "store": str(store.folder), "fields": counts}]


def _arrays(store: Store, done: list[str], counts: list[int]) -> dict[str, Any]:
    files = [store.part(name).crops for name in done]
    kind = open_records(files[0], counts[0]).dtype
    fields: Mapping[str, Any] = kind.fields or {}
    return {
        str(name): StoredCrops(files, counts, str(name), what[0].base, what[0].shape) for name, what in fields.items()
    }


def _features(store: Store, table: pd.DataFrame, done: list[str], wanted: Features | None) -> pd.DataFrame | None:
    measured = table.drop(columns=list(WRITTEN))
    made = [name for name, there in (("measured", measured.shape[1] > 0), ("embedded", store.recipe.embeds)) if there]
    if wanted not in (None, "all", *made):
        raise ValueError(f"features is {wanted!r}, but there are {some(made) or 'none'} in this store, or 'all'.")
    names: list[str] = json.loads((store.folder / NAMES).read_text(encoding="utf-8")) if "embedded" in made else []
    mb = len(table) * 8 * (measured.shape[1] + len(names)) / 1e6
    if wanted is None and len(made) == 2 and mb > ALL_UP_TO_MB:
        warnings.warn(
            f"All numbers would take {mb:,.0f} MB, so those of the network were left on disk. "
            "Take them with ms.pipeline.load(…, features='embedded') or 'all'.",
            UserWarning,
            stacklevel=3,
        )
        wanted = "measured"
    if not made:
        return None
    if wanted == "measured" or made == ["measured"]:
        return measured
    embedded = pd.DataFrame(_embedded(store, done, len(table), len(names)), index=table.index, columns=names)
    return embedded if wanted == "embedded" or made == ["embedded"] else measured.join(embedded)


def _embedded(store: Store, done: list[str], n: int, width: int) -> NDArray[np.float32]:
    result, row = np.empty((n, width), np.float32), 0
    for name in done:
        file = store.part(name).embedded
        try:
            found = np.load(file, mmap_mode="r", allow_pickle=False)
            result[row : row + len(found)] = found
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"'{file}' cannot be read: {error}. Delete it and run again.") from error
        row += len(found)
    return result
