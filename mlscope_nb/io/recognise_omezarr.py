"""OME-Zarr stores, as `recognise` sees them: what they hold, read from their descriptions alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.io.listing import Problem
from mlscope_nb.io.ngff import attributes, image_level, inner_folder
from mlscope_nb.io.ngff_groups import images_of, label_names
from mlscope_nb.io.omezarr_layout import NOTES
from mlscope_nb.io.recognition import Recognition, needs_of
from mlscope_nb.io.stacks import PROJECTIONS


def describe(place: Path, stores: Sequence[Path]) -> Recognition:
    """Say what OME-Zarr stores hold, for `recognise`: the first one is looked at closely."""
    written = _written(place, stores)
    if written is not None:
        return written
    problems: list[Problem] = []
    facts: dict[str, Any] = {}
    needs: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for store in stores:
        try:
            rows += [{"file": f"{store}/{p}".rstrip("/"), "recognised": "missing" not in parts, **parts}
                     for p, parts in images_of(store)]  # fmt: skip
        except (ValueError, OSError) as error:
            problems.append({"file": str(store), "problem": str(error)})
    problems += [{"file": r["file"], "problem": str(r["missing"])} for r in rows if "missing" in r]
    try:
        facts, needs = _first_facts(stores[0])
    except (ValueError, OSError) as error:
        problems.append({"file": str(stores[0]), "problem": str(error)})
    files = pd.DataFrame(rows) if rows else pd.DataFrame({"file": [], "recognised": []})
    plate = "well" in files
    what = f"OME-Zarr, {'plate' if plate else 'image'}: {count(len(files), 'image')} in {count(len(stores), 'store')}"
    columns = tuple(str(c) for c in files if c not in ("recognised", "missing"))
    options: dict[str, Any] = {}
    if plate:
        several = files["plate"].nunique() > 1
        options = {"unit": ["plate", "well"] if several else "well", **({"batch": "plate"} if several else {})}
    choices: dict[str, tuple[Any, ...]] = {
        "labels": (*facts.get("labels", ()), False), "channels": (), "level": tuple(range(facts.get("levels", 1))),
        "projection": PROJECTIONS, "frame": (), "pixel_size_um": (), "metadata": (),
        **dict.fromkeys(("unit", "batch", "label", "treatment", "control"), columns),
    }  # fmt: skip
    source: str | list[str] = stores[0].as_posix() if len(stores) == 1 else [s.as_posix() for s in stores]
    reader = "read_omezarr" if files["recognised"].any() else None
    facts = {"fields": len(files), **facts}
    return Recognition(
        place, "omezarr", what, reader, "Fields", source, options, choices, needs, files, facts, columns,
        problems=tuple(problems),
    )  # fmt: skip


def _written(place: Path, stores: Sequence[Path]) -> Recognition | None:
    """Recognise what `write_omezarr` wrote: it comes back as it was, so that there is nothing to choose."""
    try:
        notes = attributes(stores[0]).get(NOTES) if len(stores) == 1 else None
    except (ValueError, OSError):
        return None
    if not isinstance(notes, dict) or notes.get("kind") not in ("fields", "cells"):
        return None
    kind = str(notes["kind"])
    gives: Literal["Fields", "Cells"] = "Fields" if kind == "fields" else "Cells"
    channels = notes.get("channels")
    facts = {
        "channels": list(map(str, channels)) if isinstance(channels, list) else [],
        "pixel_size_um": notes.get("pixel_size_um"),
        "labels": ["masks"] if notes.get("masks") else [],
    }
    if kind == "fields" and isinstance(notes.get("paths"), list):
        facts["fields"] = len(notes["paths"])
    choices: dict[str, tuple[Any, ...]] = {"labels": (True, False), "channels": (), "pixel_size_um": (), "level": ()}
    what = f"OME-Zarr, {kind} that mlscope wrote"
    return Recognition(
        place, "omezarr", what, "read_omezarr", gives, stores[0].as_posix(), choices=choices, facts=facts
    )


def _first_facts(store: Path) -> tuple[dict[str, Any], dict[str, str]]:
    path = next((p for p, parts in images_of(store) if "missing" not in parts), None)
    if path is None:
        raise ValueError(f"none of the images of '{store}' is there")
    folder = inner_folder(store, path)
    image = image_level(store, path, 0)
    sizes = dict(zip(image.axes, image.shape, strict=True))
    about = attributes(folder)
    facts = {
        "sizes": [f"{sizes['Y']} × {sizes['X']}"],
        "dtypes": [image.dtype.name],
        "axes": {a: n for a, n in sizes.items() if a not in "YX" and n > 1},
        "channels": list(image.channels or ()),
        "pixel_size_um": image.pixel_size_um,
        "labels": label_names(folder),
        "levels": len(about["multiscales"][0]["datasets"]),
        "version": str(about.get("version", about["multiscales"][0].get("version", "0.4"))),
    }
    return facts, needs_of(sizes)
