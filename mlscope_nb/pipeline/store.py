"""The store: a folder with what each field became, the settings it was made with, and what is known of the fields."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlscope_nb._files import replacing, write_text
from mlscope_nb._store import _json
from mlscope_nb._tables import from_parquet, to_parquet
from mlscope_nb._words import count
from mlscope_nb.pipeline.parts import Part, make_folders
from mlscope_nb.pipeline.recipe import Recipe
from mlscope_nb.pipeline.sources import Kind, Listed

FORMAT, VERSION = "mlscope pipeline", 1
ABOUT, STUDY, FIELDS = "pipeline.json", "study.json", "fields.parquet"
LEFT_OVER_S = 3600


@dataclass(frozen=True)
class Store:
    """A folder of results, as it is opened.

    Parameters
    ----------
    folder : Path
    recipe : Recipe
    kind : Kind
    """

    folder: Path
    recipe: Recipe
    kind: Kind

    @classmethod
    def prepare(cls, folder: Path, recipe: Recipe, fields: Listed) -> Store:
        """Make the store, or go on with one that was made with the same settings.

        Raises
        ------
        ValueError
            It was made with other settings, the folder holds something else, or no field can be read.
        """
        if (folder / ABOUT).is_file():
            store = cls.open(folder)
            _refuse_other_settings(store, recipe, fields)
        else:
            store = cls._made(folder, recipe, fields)
        make_folders(folder)
        _sweep(folder)
        _write_study(folder, fields)
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a store.

        Raises
        ------
        FileNotFoundError, ValueError
            There is none, or it cannot be read.
        """
        about = _read_json(folder / ABOUT)
        if about.get("format") != FORMAT or about.get("version") != VERSION:
            raise ValueError(
                f"'{folder}' holds {about.get('format')!r} of version {about.get('version')}, expected {FORMAT!r} "
                f"of version {VERSION}. It was made by another version of mlscope."
            )
        kind = about["kind"]
        found = Kind(tuple(kind["channels"]), kind["dtype"], kind["pixel_size_um"])
        settings = dict(about["settings"])
        return cls(folder.resolve(), Recipe(reading=settings.pop("read", {}), options=settings), found)

    @classmethod
    def _made(cls, folder: Path, recipe: Recipe, fields: Listed) -> Store:
        if folder.exists() and (not folder.is_dir() or any(f for f in folder.iterdir() if f.suffix != ".part")):
            raise ValueError(f"'{folder}' is not a store of mlscope and not empty. Name another folder.")
        kind = fields.kind()
        if kind is None:
            raise ValueError(f"None of {count(len(fields.sources), 'field')} can be read. Look at one of the files.")
        from mlscope_nb import __version__

        folder.mkdir(parents=True, exist_ok=True)
        about = {"format": FORMAT, "version": VERSION, "mlscope": __version__}
        write_text(folder / ABOUT, _json({**about, "settings": recipe.settings, "kind": asdict(kind)}))
        return cls(folder.resolve(), recipe, kind)

    def part(self, field_id: str) -> Part:
        """Return the files of one field."""
        return Part(self.folder, field_id)

    def obs(self) -> pd.DataFrame:
        """Return what is known about the fields."""
        return from_parquet((self.folder / FIELDS).read_bytes())

    def study(self) -> dict[str, Any]:
        """Return design, history and problems of the fields as they were listed last."""
        return _read_json(self.folder / STUDY)


def status(path: str | Path) -> pd.DataFrame:
    """Return what became of each field, without reading it.

    Parameters
    ----------
    path : path
        A folder written by `run`.

    Returns
    -------
    DataFrame
        One row per field: ``state`` ("done", "empty", "failed" or "to do"), ``n_cells``, ``step`` and ``error`` where
        it failed.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no store, or it cannot be read.
    """
    store = Store.open(Path(path))
    ids = store.obs().index
    return pd.DataFrame([_state(store, str(name)) for name in ids], index=ids)


def problems(path: str | Path) -> pd.DataFrame:
    """List the fields that failed and the files that were left out, each with its reason.

    Parameters
    ----------
    path : path
        A folder written by `run`.

    Returns
    -------
    DataFrame
        Columns field, step (what was being done), error, details (the last calls, for a bug report).

    Raises
    ------
    FileNotFoundError, ValueError
        There is no store, or it cannot be read.
    """
    store = Store.open(Path(path))
    rows = [
        {"field": p.get("file", ""), "step": "listing", "error": p.get("problem", ""), "details": ""}
        for p in store.study()["problems"]
    ]
    for name in store.obs().index:
        part = store.part(str(name))
        told = None if part.is_done(store.recipe) else part.failure()
        if told is not None:
            rows.append({"field": name, **{k: told[k] for k in ("step", "error", "details")}})
    return pd.DataFrame(rows, columns=["field", "step", "error", "details"])


def _state(store: Store, field_id: str) -> dict[str, Any]:
    part = store.part(field_id)
    if part.is_done(store.recipe):
        n = part.n_cells() or 0
        return {"state": "done" if n else "empty", "n_cells": n, "step": "", "error": ""}
    told = part.failure()
    if told is not None:
        return {"state": "failed", "n_cells": 0, "step": told["step"], "error": told["error"]}
    return {"state": "to do", "n_cells": 0, "step": "", "error": ""}


def _refuse_other_settings(store: Store, recipe: Recipe, fields: Listed) -> None:
    named = next((s.channels for s in fields.sources if s.channels is not None), store.kind.channels)
    if named != store.kind.channels:
        raise ValueError(
            f"'{store.folder}' was made from fields with the channels {list(store.kind.channels)}, these have "
            f"{list(named)}. Name another store."
        )
    before, now = store.recipe.settings, recipe.settings
    if before == now:
        return
    steps = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    told = "; ".join(f"{s}: was {_words(before.get(s))}, now {_words(now.get(s))}" for s in steps)
    raise ValueError(
        f"'{store.folder}' was made with other settings ({told}). One store holds one kind of results: "
        "give the same settings, or name another store."
    )


def _words(options: Mapping[str, Any] | None) -> str:
    return "left out" if options is None else f"{dict(options)}" if options else "as it is by default"


def _write_study(folder: Path, fields: Listed) -> None:
    """Write what is known of the fields anew: a corrected layout needs no picture to be computed again."""
    content = to_parquet(fields.obs, "fields")
    with replacing(folder / FIELDS) as file:
        file.write_bytes(content)
    study = {"design": fields.design.to_dict(), "history": fields.history, "problems": fields.problems}
    write_text(folder / STUDY, _json(study))


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed long ago left half written."""
    for file in [*folder.glob(".*.part"), *folder.glob("*/.*.part")]:
        if time.time() - file.stat().st_mtime > LEFT_OVER_S:
            file.unlink(missing_ok=True)


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no store '{file.parent}'. Make it with ms.pipeline.run(fields, store='{file.parent}')."
        )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"'{file}' is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"'{file}' holds a {type(found).__name__}, expected a description")
    return found
