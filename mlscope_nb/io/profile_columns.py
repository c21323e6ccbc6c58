"""A table of profiles taken apart: what describes each row, what was measured, and what the row is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io import in_carta
from mlscope_nb.io.measured_columns import as_numbers, is_place, short_names

METADATA = "Metadata_"
INDEX = "__index_level_"
OF_THE_IMAGE = ("Image_", "FileName_", "PathName_")
# Names that describe a row in tables without Metadata_, in lower case.
DESCRIBING = frozenset((
    "cell_id", "cell", "id", "barcode", "plate", "plate_id", "well", "well_position", "site", "field", "field_id",
    "fov", "row", "column", "col", "replicate", "batch", "experiment", "imagenumber", "objectnumber", "tablenumber",
    "image_number", "object_number", "treatment", "compound", "drug", "concentration", "dose", "label", "class",
    "condition", "donor", "patient", "time", "timepoint", "day", "control_type", "split", "x_px", "y_px",
))  # fmt: skip
IDS = ("cell_id", "CellID", "Cell_ID", "cell", "barcode")
SURELY_IDS = IDS[:3]
NUMBERS = (*IDS, "ImageNumber", "ObjectNumber", "TableNumber")
# From the finest to the coarsest: the first that names every row once becomes the id.
NAMING = (
    ("TableNumber", "ImageNumber", "ObjectNumber"),
    ("export", "ImageNumber", "ObjectNumber"),
    ("Plate", "Well", "Site", "ImageNumber", "ObjectNumber"),
    ("Plate", "Well", "FOV", "Z", "T", "ObjectNumber"),
    ("Plate", "Well", "Site", "ObjectNumber"),
    ("ImageNumber", "ObjectNumber"),
    ("Plate", "Well", "Site"),
    ("Plate", "Well"),
    ("Well",),
)
FIELDS = (("TableNumber", "ImageNumber"), ("ImageNumber",), ("Plate", "Well", "Site"), ("Plate", "Well", "FOV"))
PART_OF_FIELD = "ObjectNumber"


class Profiles(NamedTuple):
    """Rows with unique ids: what describes them, what was measured, and what there is to say."""

    obs: pd.DataFrame
    features: pd.DataFrame
    remarks: list[str]


def is_described(name: str) -> bool:
    """Whether a column describes its row, by its name.

    Examples
    --------
    >>> is_described("Metadata_Well"), is_described("Well"), is_described("Cells_AreaShape_Area")
    (True, True, False)
    """
    return name.startswith((METADATA, *OF_THE_IMAGE)) or name.lower() in DESCRIBING or name in in_carta.DESCRIBING


def take_apart(table: pd.DataFrame, positions: bool) -> Profiles:
    """Split a table by the conventions of pycytominer, CytoTable and In-Carta.

    Parameters
    ----------
    table : DataFrame
        Columns with ``Metadata_`` or ``Image_`` in front describe; where none has it, columns of known names do. What
        is text describes too. All others are features.
    positions : bool
        Keep numbers and places of objects as features; else they go to ``obs``.

    Raises
    ------
    ValueError
        A column stands twice, the column of ids names a row twice, or nothing was measured.
    """
    table = _plain_names(table)
    carta = in_carta.is_in_carta(table.columns)
    describes = _describing(table.columns, carta)
    described = [c for c in table.columns if describes(c)]
    places = [c for c in table.columns if not positions and not describes(c) and is_place(c)]
    rest = table.drop(columns=[*described, *places])
    features, text, remarks = as_numbers(rest)
    if not features.shape[1]:
        raise ValueError(
            f"no column of the table is a measurement; columns: {some(table.columns, 12)}. Expected numbers such as "
            "Cells_AreaShape_Area beside Metadata_ columns"
        )
    told = table[[*described, *text.columns]]
    obs = in_carta.described(table) if carta else told.set_axis(short_names(list(told.columns)), axis=1)
    obs = pd.concat([obs, table[[c for c in places if c not in obs.columns]]], axis=1)
    obs = _with_centres(obs, table)
    ids, said = _ids(obs)
    obs = _with_fields(obs.drop(columns=[c for c in ("cell_id",) if c in obs.columns]))
    return Profiles(obs.set_axis(ids, axis=0), features.set_axis(ids, axis=0), [*remarks, *said])


def _plain_names(table: pd.DataFrame) -> pd.DataFrame:
    names = [str(c) for c in table.columns]
    twice = pd.Index(names)[pd.Index(names).duplicated()].unique()
    if len(twice):
        raise ValueError(f"columns stand twice: {some(twice)}. Rename them")
    return table.set_axis(names, axis=1).reset_index(drop=True)


def _describing(columns: pd.Index, carta: bool) -> Callable[[str], bool]:
    """Return what tells by its name whether a column of this table describes."""
    if carta:
        return lambda name: name in in_carta.DESCRIBING
    if any(c.startswith(METADATA) for c in columns):
        return lambda name: name.startswith((METADATA, *OF_THE_IMAGE)) or name in NUMBERS
    return lambda name: is_described(name) or name.startswith(INDEX)


def _with_centres(obs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add the centre of each object in pixels, from nuclei where they have one."""
    if "x_px" in obs.columns:
        return obs
    for front in ("", METADATA):
        for name in ("Nuclei_", "Cells_", "Cytoplasm_", ""):
            for kind in ("Location_Center", "AreaShape_Center"):
                pair = [f"{front}{name}{kind}_{axis}" for axis in "YX"]
                if set(pair) <= set(table.columns):
                    numbers = {
                        k: pd.to_numeric(table[c], errors="coerce") for k, c in zip(("y_px", "x_px"), pair, strict=True)
                    }
                    return obs.assign(**numbers)
    return obs


def _ids(obs: pd.DataFrame) -> tuple[pd.Index, list[str]]:
    """Return ids, and what there is to say of them.

    They are the column of ids, else the first group of columns that names every row once, else numbers.
    """
    for name in (*IDS, *(c for c in obs.columns if str(c).startswith(INDEX))):
        if name in obs.columns and _is_name(obs[name]):
            return pd.Index(obs[name].astype(str), dtype=object), []
        if name in obs.columns and name in SURELY_IDS:
            _refuse(obs[name].astype(object))
    tried = [names for names in NAMING if set(names) <= set(obs.columns) and obs[list(names)].notna().all(axis=None)]
    for names in tried:
        if not obs.duplicated(list(names)).any():
            return pd.Index(_joined(obs, names), dtype=object), []
    numbered = pd.Index([f"row{i:07d}" for i in range(len(obs))], dtype=object)
    if not tried:
        return numbered, []
    twice = int(obs.duplicated(list(tried[0]), keep=False).sum())
    return numbered, [
        f"{count(twice, 'row')} share their {', '.join(tried[0])} with another, so that rows were numbered"
    ]


def _refuse(ids: pd.Series) -> None:
    twice = ids[ids.duplicated(keep=False) | ids.isna()]
    rows = f"{count(len(twice), 'row')} more than once or not at all ({some(twice.unique(), 3)})"
    raise ValueError(f"column '{ids.name}' names {rows}. Give each row its own id, or drop the column")


def _is_name(column: pd.Series) -> bool:
    return bool(column.notna().all() and not column.astype(str).duplicated().any())


def _joined(obs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    parts: list[Any] = [obs[n].map(_word) for n in names]
    return ["/".join(row) for row in zip(*parts, strict=True)]


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def _with_fields(obs: pd.DataFrame) -> pd.DataFrame:
    if "field_id" in obs.columns or PART_OF_FIELD not in obs.columns:
        return obs
    for names in FIELDS:
        if set(names) <= set(obs.columns) and obs[list(names)].notna().all(axis=None):
            return obs.assign(field_id=_joined(obs, names))
    return obs
