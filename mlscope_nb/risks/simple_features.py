"""Simple features: small tables that could give the label away without anybody looking at the cell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.predict.simple import readings
from mlscope_nb.risks.surroundings import Surroundings, alike, allowed_for, surroundings

PLACE = ("y_px", "x_px", "at_edge")
ORDER = re.compile(r"(^|_)(acqui\w*|order|time(stamp)?|datetime|date|frame|seq(uence)?|scan_?(no|number|index))(_|$)")
COUNTS = re.compile(r"(^|_)(cell_?counts?|n_?cells|number_of_cells|count_cells|confluenc[ey])(_|$)")
TECHNICAL = re.compile(
    r"(^|_)(plate|batch|montage|slide|day|run|experiment|operator|microscope|scanner|instrument|camera|objective|session|"
    r"site|cent(er|re)|hospital|lab|staining|lot|exposure|folder|section|position|field|tile|passage)(_|$)"
)

INSIDE = re.compile(r"(^|_)(field|tile|position|site|section|frame|seq(uence)?|order)(_|$)")
"""What lies inside of a well or slide, so that one class is all that it could hold: no batch."""

Weight = Literal["red", "amber"]


@dataclass(frozen=True, eq=False)
class Simple:
    """One table that should say nothing of the label, or only what is easily said.

    Parameters
    ----------
    check : str
        Its name.
    weight : {"red", "amber"}
        How bad it is when the label can be read from it.
    table : DataFrame or None
        A row per cell; None where it cannot be had.
    why : str
        What the table holds, or why it cannot be had.
    allowed : DataFrame, optional
        The table with the cell itself allowed for; what is said of a class has to be said by both.
    commonest : DataFrame, optional
        What most of the rim shows, where what is the cell was guessed; without replicates this has to say it too, for
        the end of a long cell can be mistaken for its surroundings.
    """

    check: str
    weight: Weight
    table: pd.DataFrame | None
    why: str
    allowed: pd.DataFrame | None = None
    commonest: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Read:
    """What was read from the cells once, for several checks.

    Parameters
    ----------
    known : dict of DataFrames
        From `predict.simple.readings`: area, intensity, density, metadata, …
    around : Surroundings or None
        Rim, background and the cell itself; None without images.
    """

    known: dict[str, pd.DataFrame]
    around: Surroundings | None


def read(cells: Cells, *, progress: bool = True) -> Read:
    """Return what the checks read from cells, one pass over the pictures each."""
    return Read(readings(cells), None if cells.images is None else surroundings(cells, progress=progress))


def simple_features(cells: Cells, found: Read) -> list[Simple]:
    """Return the tables from which a label should not be told (red), or need not be told by a model (amber).

    Parameters
    ----------
    cells : Cells
        With any of images, masks, features and columns that say where and when.
    found : Read
        From `read`.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABB"), "y_px": [1.0, 9.0, 5.0, 7.0]}, index=list("abcd"))
    >>> cells = Cells(obs, unit="well")
    >>> [s.check for s in simple_features(cells, read(cells)) if s.table is not None]
    ['position in the field']
    """
    known = found.known
    return [
        *_around(cells, found.around),
        _simple("position in the field", "red", _columns(cells, PLACE), "its place (y_px and x_px)",
                "no columns y_px and x_px"),
        _simple("acquisition order", "red", _order(cells), "when it was taken", "no column says when a cell was taken"),
        _simple("metadata", "red", _metadata(cells, known), "where it lay on the plate, and other columns of the "
                "acquisition", "no wells and no other columns of the acquisition"),
        _simple("cell count", "amber", _count(cells, known), "the number of cells of its unit",
                "every unit has as many rows, and no column counts cells"),
        _size(known, found.around),
        _simple("intensity", "amber", known.get("intensity"), "mean brightness", "no images, and none was measured"),
        _simple("density", "amber", known.get("density"), "how many neighbours it has",
                "no masks of neighbours, no fields"),
    ]  # fmt: skip


def technical_columns(cells: Cells) -> list[str]:
    """Return the columns of obs that speak of how pictures were taken, by their names, and are not declared as such."""
    design = cells.design
    declared = {design.label, design.treatment, *design.unit, *design.batch}
    if isinstance(design.control, Mapping):
        declared |= set(design.control)
    found = []
    for name in cells.obs.columns:
        plain = _plain(name)
        if name not in declared and (TECHNICAL.search(plain) or ORDER.search(plain)):
            found.append(name)
    return found


def batch_columns(cells: Cells) -> list[str]:
    """Return the columns that may be a batch nobody declared, by their names: technical ones that hold several units.

    Examples
    --------
    >>> obs = pd.DataFrame({"slide": list("ppqq"), "field": list("rstu")}, index=list("abcd"))
    >>> batch_columns(Cells(obs))
    ['slide']
    """
    names = [c for c in technical_columns(cells) if not INSIDE.search(_plain(c)) and cells.obs[c].notna().all()]
    if not cells.design.unit or cells.units.nunique() == len(cells):
        return names
    units = cells.units
    return [c for c in names if units.groupby(cells.obs[c].astype(str)).nunique().median() > 1]


def _plain(name: object) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name).removeprefix("Metadata_")).lower()


def _simple(check: str, weight: Weight, table: pd.DataFrame | None, has: str, lacks: str) -> Simple:
    varies = table is not None and bool((table.nunique(dropna=False) > 1).any())
    return Simple(check, weight, table if varies else None, has if varies else lacks)


def _around(cells: Cells, found: Surroundings | None) -> list[Simple]:
    if found is None:
        return [_simple(check, "red", None, "", "no images") for check in ("border pixels", "background")]
    border, background = found.border, found.background
    guess = " (guessed, for there are no masks)" if found.guessed else ""
    group = alike(cells)
    listed = (
        ("border pixels", border, f"the rim of the crop where no cell is{guess}", "cells cover the rim"),
        ("background", background, f"what lies around the cells{guess}", "cells cover everything"),
    )
    return [
        replace(
            _simple(check, "red", table, *words),
            allowed=allowed_for(table, found.cell, group),
            commonest=found.commonest if found.guessed else None,
        )
        for check, table, *words in listed
    ]


def _size(known: dict[str, pd.DataFrame], around: Surroundings | None) -> Simple:
    if "area" in known or around is None:
        return _simple(
            "size", "amber", known.get("area"), "the area of the cell", "no images, and no area was measured"
        )
    return _simple("size", "amber", around.cell.iloc[:, :1], "the area of the guessed cell", "no cell was found")


def _columns(cells: Cells, names: tuple[str, ...]) -> pd.DataFrame | None:
    obs = cells.obs
    found = {
        c: pd.to_numeric(obs[c], errors="coerce").astype(float)
        for c in names
        if c in obs.columns and c != cells.design.label
    }
    return pd.DataFrame(found, index=cells.ids) if {"y_px", "x_px"} & set(found) else None


def _order(cells: Cells) -> pd.DataFrame | None:
    found = {}
    for name in cells.obs.columns:
        plain = str(name).removeprefix("Metadata_").lower()
        if name in (cells.design.label, cells.design.treatment) or not ORDER.search(plain):
            continue
        column = cells.obs[name]
        if not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_datetime64_any_dtype(column):
            column = pd.to_datetime(column, errors="coerce", format="ISO8601")
        if column.notna().any():
            found[name] = column.rank()
    return pd.DataFrame(found, index=cells.ids) if found else None


def _metadata(cells: Cells, known: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    table = known.get("metadata")
    wells = [] if table is None else [c for c in ("well row", "well column") if c in table]
    parts = [] if table is None or not wells else [table[wells]]
    names = [c for c in technical_columns(cells) if not ORDER.search(str(c).lower()) and _repeats(cells, c)]
    if names:
        parts.append(cells.obs[names].astype(str).add_prefix("column "))
    return pd.concat(parts, axis=1) if parts else None


def _repeats(cells: Cells, name: str) -> bool:
    """Whether a column is about the acquisition of several units, and not a name of the unit or the cell itself."""
    values = cells.obs[name]
    if not cells.design.unit:
        return 1 < values.nunique() <= len(cells) / 4
    units = cells.units
    return bool(
        values.nunique() > 1 and values.nunique() < units.nunique() and values.groupby(units).nunique().max() == 1
    )


def _count(cells: Cells, known: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    obs = cells.obs
    names = [c for c in obs.columns if COUNTS.search(str(c).removeprefix("Metadata_").lower())]
    numeric = [c for c in names if pd.api.types.is_numeric_dtype(obs[c]) and c != cells.design.label]
    parts: list[pd.DataFrame] = []
    if numeric:
        parts.append(pd.DataFrame(np.log1p(obs[numeric].to_numpy(np.float64).clip(0)), cells.ids, numeric))
    if "cell count" in known:
        parts.append(known["cell count"])
    return pd.concat(parts, axis=1) if parts else None
