"""Notes of mlscope in an OME-Zarr store: what the format has no words for, so that what comes back is what was written.

Other tools see one more attribute, ``mlscope``, and one more group of that name. It holds the table `obs` as the bytes
of a Parquet file in an array of uint8, because OME-Zarr has no tables.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._store import _plain
from mlscope_nb._tables import from_parquet, to_parquet
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields
from mlscope_nb.io.omezarr_layout import NOTES

if TYPE_CHECKING:
    import zarr

VERSION = 1
MASKS = "masks"
_PATH = re.compile(r"|[\w.-]+(/[\w.-]+)*", re.ASCII)
_PARTS = {
    "channels": list, "design": dict, "history": list, "paths": list, "compartments": list, "features": list,
    "embeddings": dict,
}  # fmt: skip


@dataclass(frozen=True)
class Notes:
    """What mlscope wrote beside the images.

    Parameters
    ----------
    kind : {"fields", "cells"}
        What was written: whole fields, one image each, or crops of cells, all along the axis t of one image.
    obs : DataFrame
        One row for each field or cell, indexed by its id, with its types.
    paths : tuple of str
        Where the image of each field lies ("" is the store itself); for cells one path.
    channels, pixel_size_um, design, history
        As in `Fields` and `Cells`; the design as a dictionary.
    masks : bool
        Whether the label image "masks" holds the masks.
    compartments : tuple of str
        Names of the other label images.
    features : tuple of str
        Names of the features, none where there are none.
    embeddings : dict
        Name of each map to the names of its columns.
    """

    kind: Literal["fields", "cells"]
    obs: pd.DataFrame
    paths: tuple[str, ...]
    channels: tuple[str, ...]
    pixel_size_um: float | None
    design: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    masks: bool
    compartments: tuple[str, ...]
    features: tuple[str, ...] = ()
    embeddings: dict[str, tuple[str, ...]] = field(default_factory=dict)


def notes_of(source: Cells | Fields, paths: tuple[str, ...]) -> Notes:
    """Return the notes for cells or fields whose images go to these paths."""
    numbers = source.features if isinstance(source, Cells) else None
    maps = source.embeddings if isinstance(source, Cells) else {}
    return Notes(
        "cells" if isinstance(source, Cells) else "fields",
        source.obs,
        paths,
        source.channels,
        source.pixel_size_um,
        source.design.to_dict(),
        tuple(source.history),
        source.masks is not None,
        tuple(source.compartments),
        () if numbers is None else tuple(numbers.columns),
        {name: tuple(points.columns) for name, points in maps.items()},
    )


def write_notes(root: zarr.Group, notes: Notes) -> None:
    """Write the notes into the group of the store.

    Raises
    ------
    ValueError
        A column of obs holds what would come back as something else.
    """
    table = np.frombuffer(to_parquet(notes.obs, "obs"), np.uint8)
    about = {name: value for name, value in vars(notes).items() if name != "obs"}
    text = json.dumps({"version": VERSION, **about}, default=_plain)
    root.attrs[NOTES] = json.loads(text)
    root.create_group(NOTES).create_array("obs", data=table)


def read_notes(root: zarr.Group) -> Notes | None:
    """Return the notes of a store, or None where mlscope wrote none.

    Raises
    ------
    ValueError
        They are damaged, or of a newer version.
    """
    if NOTES not in root.attrs:
        return None
    about = _checked(root.attrs[NOTES])
    obs = _table(root)
    paths = tuple(map(str, about["paths"]))
    if len(paths) != (len(obs) if about["kind"] == "fields" else 1):
        raise ValueError(f"the notes of mlscope name {len(paths)} images for {len(obs)} rows of obs")
    outside = [path for path in paths if not _PATH.fullmatch(path) or ".." in path]
    if outside:
        raise ValueError(f"the notes of mlscope name images that no store of mlscope has: {some(outside)}")
    return Notes(
        about["kind"],
        obs,
        paths,
        tuple(map(str, about["channels"])),
        about.get("pixel_size_um"),
        about["design"],
        tuple(about["history"]),
        bool(about.get("masks")),
        tuple(map(str, about["compartments"])),
        tuple(map(str, about["features"])),
        {str(name): tuple(map(str, columns)) for name, columns in about["embeddings"].items()},
    )


def _checked(about: Any) -> dict[str, Any]:
    version = about.get("version") if isinstance(about, dict) else None
    if version != VERSION:
        raise ValueError(f"the notes of mlscope have version {version!r}, this mlscope reads {VERSION}: update mlscope")
    found = {"features": [], "embeddings": {}, **about}  # older stores kept none
    wrong = [name for name, kind in _PARTS.items() if not isinstance(found.get(name), kind)]
    if wrong or found.get("kind") not in ("fields", "cells"):
        raise ValueError(f"the notes of mlscope hold no proper {', '.join(wrong) or 'kind'}")
    return found


def _table(root: zarr.Group) -> pd.DataFrame:
    import zarr
    from pyarrow import ArrowException

    found = root.get(f"{NOTES}/obs")
    if not isinstance(found, zarr.Array) or found.dtype != np.uint8 or found.ndim != 1:
        raise ValueError(f"the table '{NOTES}/obs' of mlscope is missing or no row of bytes")
    try:
        return from_parquet(np.asarray(found[:]).tobytes())
    except ArrowException as error:
        raise ValueError(f"the table '{NOTES}/obs' of mlscope is damaged: {error}") from error
