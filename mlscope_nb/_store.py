"""Cells on disk: one zip file with Parquet tables, chunked zarr images and a JSON description; nothing is pickled."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._design import check
from mlscope_nb._files import replacing
from mlscope_nb._lazy import read_rows
from mlscope_nb._tables import from_parquet, to_parquet
from mlscope_nb._words import some
from mlscope_nb.cells import Cells

FORMAT, VERSION = "mlscope cells", 1
ABOUT = "mlscope.json"
# What the description has to hold, and as what.
PARTS = {"channels": list, "design": dict, "history": list, "arrays": list}
CHUNK_BYTES = 4_000_000


def save(cells: Cells, path: str | Path) -> Path:
    """Write cells to one file; an existing file is replaced only when everything is written.

    Parameters
    ----------
    cells : Cells
    path : path
        The file to write, by custom with the ending ``.mlscope``.

    Raises
    ------
    OSError
        The folder cannot be written or the disk is full; an older file is left as it was.
    ValueError
        A column of obs holds what would come back as something else (lists, mixed kinds, complex numbers).
    """
    from mlscope_nb._archive import contents

    target = Path(path)
    tables = {"obs": cells.obs, **({} if cells.features is None else {"features": cells.features})}
    tables |= {f"embeddings/{name}": table for name, table in cells.embeddings.items()}
    parquet = {name: to_parquet(table, name) for name, table in tables.items()}
    about = _about(cells)
    _json(about)  # what cannot be described is refused before anything is written
    with replacing(target) as part:
        _write_arrays(part, _arrays(cells))
        with zipfile.ZipFile(part, "a") as archive:
            for name, content in parquet.items():
                archive.writestr(f"tables/{name}.parquet", content)
            archive.writestr(ABOUT, _json({**about, "contents": contents([*archive.namelist(), ABOUT])}))
    return target


def load(path: str | Path) -> Cells:
    """Read cells written by `save`; images and masks stay on disk until they are needed.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not of mlscope, damaged, or of a newer version; a damaged image may be found only when it is read.
    """
    from mlscope_nb._archive import DAMAGE

    # Resolved, because the arrays are read later, when the working folder may be another.
    file = Path(path).resolve()
    if not file.exists():
        raise FileNotFoundError(f"There is no file '{file}'. Save cells first with cells.save('{file.name}').")
    try:
        with zipfile.ZipFile(file) as archive:
            about = _read_about(archive)
            tables = {n: from_parquet(archive.read(n)) for n in archive.namelist() if n.startswith("tables/")}
        return _cells(tables, _read_arrays(file, about), about)
    except (*DAMAGE, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{file}' cannot be read as cells saved by mlscope: {error}. It may be damaged.") from error


def _cells(tables: dict[str, pd.DataFrame], arrays: dict[str, Any], about: dict[str, Any]) -> Cells:
    embeddings = {n[len("tables/embeddings/") : -len(".parquet")]: t for n, t in tables.items() if "embeddings/" in n}
    roles = dict(about["design"])
    control = roles.pop("control", None)
    made = Cells(
        tables["tables/obs.parquet"],
        arrays.pop("images", None),
        masks=arrays.pop("masks", None),
        compartments={name.removeprefix("compartments/"): array for name, array in arrays.items()},
        features=tables.get("tables/features.parquet"),
        embeddings=embeddings,
        channels=about["channels"],
        pixel_size_um=about["pixel_size_um"],
        history=about["history"],
        **roles,
    )
    return as_declared(made, control)


def as_declared(cells: Cells, control: Any) -> Cells:
    """Return cells that were saved with the controls that they declared: a subset need not hold any of them."""
    if control is None:
        return cells
    design = replace(cells.design, control=control)
    check(cells.obs, design)
    return cells._copy(design=design)


def _about(cells: Cells) -> dict[str, Any]:
    from mlscope_nb import __version__

    return {
        "format": FORMAT,
        "version": VERSION,
        "mlscope": __version__,
        "channels": list(cells.channels),
        "pixel_size_um": cells.pixel_size_um,
        "design": cells.design.to_dict(),
        "history": list(cells.history),
        "arrays": list(_arrays(cells)),
    }


def _read_about(archive: zipfile.ZipFile) -> dict[str, Any]:
    from mlscope_nb._archive import contents

    about: dict[str, Any] = json.loads(archive.read(ABOUT))
    if not isinstance(about, dict):
        raise ValueError(f"its description is a {type(about).__name__}")
    if about.get("format") != FORMAT:
        raise ValueError(f"it holds {about.get('format')!r}, expected {FORMAT!r}")
    if about.get("version") != VERSION:
        raise ValueError(f"it has version {about.get('version')}, this mlscope reads {VERSION}: update mlscope")
    missing = [name for name, kind in PARTS.items() if not isinstance(about.get(name), kind)]
    if missing:
        raise ValueError(f"its description holds no proper {some(missing)}")
    if about.get("contents", contents(archive.namelist())) != contents(archive.namelist()):
        raise ValueError("pieces of it are missing or have other names than were written")
    return about


def _arrays(cells: Cells) -> dict[str, Any]:
    found = {"images": cells.images, "masks": cells.masks}
    found |= {f"compartments/{name}": array for name, array in cells.compartments.items()}
    return {name: array for name, array in found.items() if array is not None}


def _write_arrays(part: Path, arrays: dict[str, Any]) -> None:
    import zarr
    from zarr.storage import ZipStore

    if not arrays:
        return
    with ZipStore(part, mode="w") as store:
        for name, array in arrays.items():
            rows = max(1, CHUNK_BYTES // max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize))
            chunks = (max(1, min(rows, array.shape[0])), *(max(1, s) for s in array.shape[1:]))
            out = zarr.create_array(store, name=name, shape=array.shape, chunks=chunks, dtype=array.dtype)
            for start in range(0, array.shape[0], chunks[0]):
                piece = slice(start, start + chunks[0])
                out[piece] = read_rows(array, piece)


def _read_arrays(file: Path, about: dict[str, Any]) -> dict[str, Any]:
    import zarr

    from mlscope_nb._archive import CheckedStore

    if not about["arrays"]:
        return {}
    store = CheckedStore(file, mode="r")
    return {name: zarr.open_array(store, path=name, mode="r") for name in about["arrays"]}


def _json(about: dict[str, Any]) -> str:
    return json.dumps(about, ensure_ascii=False, indent=1, default=_plain)


def _plain(value: object) -> object:
    """Turn numpy numbers, tuples of them and paths into what JSON knows."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset | tuple | pd.Index):
        return list(value)
    return str(value)
