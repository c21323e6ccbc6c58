"""Layout: a value of each well where it lies on its plate, and whether the place matters."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns, as_columns, keys
from mlscope_nb._words import count, no_column, some
from mlscope_nb.cells import Cells
from mlscope_nb.curate.positions import POOLED, at_rim, position_effects
from mlscope_nb.curate.wells import FORMATS, is_well, parse_wells, plate_shape, row_name
from mlscope_nb.study._result import Result, number, plain
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.units import finite, unit_means

N_CELLS = "n_cells"
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Layout(Result):
    """A value of each well at its place, and the effects of the place.

    Parameters
    ----------
    value : str
        What is shown: a column of obs or features, or "n_cells".
    wells : DataFrame
        One row per well: plate, well, row, column (from 1), value (mean of its cells), n_cells, edge.
    effects : DataFrame
        One row per plate and effect, "all plates" first: estimate with interval, in SDs of wells, p-value, p-value for
        many tests (Holm), wells, note.
    shape : (int, int)
        Rows and columns of the plate.
    level : float
        Of the intervals.
    notes : tuple of str
        What was allowed for, and what a reader has to know.
    """

    value: str
    wells: pd.DataFrame
    effects: pd.DataFrame
    shape: tuple[int, int]
    level: float
    notes: tuple[str, ...]

    @property
    def plates(self) -> list[str]:
        """Names of the plates, in the order in which they appear."""
        return list(self.wells["plate"].unique())

    @property
    def findings(self) -> list[str]:
        """The effects that are significant after correction for many tests, in words."""
        return [_finding(row, self) for row in self.effects[self.effects["p_adjusted"] <= ALPHA].itertuples()]

    def grid(self, plate: str | None = None) -> pd.DataFrame:
        """Return the heat map of one plate: rows A, B … by columns 1, 2 …, NaN where there is no well.

        Raises
        ------
        KeyError
            There is no such plate, or several and none was named.
        """
        names = self.plates
        if plate is None and len(names) == 1:
            plate = names[0]
        if plate not in names:
            raise KeyError(f"No plate {plate!r}. Plates: {some(names, 20)}.")
        part = self.wells[self.wells["plate"] == plate]
        table = part.pivot(index="row", columns="column", values="value")
        table = table.reindex(index=range(1, self.shape[0] + 1), columns=range(1, self.shape[1] + 1))
        return table.rename(index=row_name)

    def to_dict(self) -> dict[str, Any]:
        """Return wells and effects as plain numbers and text, one record each."""
        tables = {name: getattr(self, name).to_dict(orient="records") for name in ("wells", "effects")}
        rest = {"value": self.value, "shape": list(self.shape), "level": self.level, "notes": list(self.notes)}
        return {**rest, **{k: [plain(row) for row in rows] for k, rows in tables.items()}, "findings": self.findings}

    def __str__(self) -> str:
        rows, columns = self.shape
        on = count(len(self.plates), "plate")
        head = f"{self.value} in {count(len(self.wells), 'well')} on {on} of {rows} × {columns}."
        tests = int(self.effects["p_value"].notna().sum())
        none = (
            f"No effect of the place is significant ({count(tests, 'test')}, Holm); small ones may be there all the "
            "same: see the intervals in .effects."
        )
        return "\n".join([head, *(self.findings or [none if tests else "Nothing could be tested."]), *self.notes])

    def _repr_html_(self) -> str:
        shown = self.effects.drop(columns=["note"]).to_html(
            index=False, float_format="{:.3g}".format, na_rep="–", border=0
        )
        return shown + "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines())


def layout(
    cells: Cells,
    value: str = N_CELLS,
    *,
    well: str | None = None,
    plate: Columns = None,
    shape: tuple[int, int] | int | None = None,
    allow_for_treatment: bool = True,
    level: float = 0.95,
) -> Layout:
    """Lay a value of each well out as on the plate, and test effects of edge, rows and columns over wells.

    The mean of each well counts once, however many cells it has: copies of cells change nothing. Effects are tested
    for each plate and for all together.

    Parameters
    ----------
    cells : Cells
    value : str
        A column of features or obs, or "n_cells": cells per well as a share of the plate's mean (1 is average).
    well : str, optional
        The column with the names of wells (A01 … AF48). Default: the column "well" or "Metadata_Well", or that of the
        declared unit, where it holds such names.
    plate : str or several, optional
        The columns that name the plate. Default: the declared batch, or the rest of the unit.
    shape : (rows, columns) or number of wells, optional
        Of the plate. Default: the smallest usual one that holds all wells.
    allow_for_treatment : bool
        Compare wells of one treatment (or label), where it is declared, is the same in each well and is repeated.
    level : float
        Of the intervals.

    Raises
    ------
    ValueError, KeyError
        A name is none of a well, no column holds wells, there is no such value, or wells lie outside of the plate.

    Examples
    --------
    >>> names = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)]
    >>> area = np.random.default_rng(0).normal(100, 10, 96)
    >>> obs = pd.DataFrame({"well": names, "area": area}, index=names)
    >>> found = layout(Cells(obs, unit="well"), "area")
    >>> found.grid().shape, found.findings
    ((8, 12), [])
    """
    check_level(level)
    column = _well_column(cells, well)
    wells, key = _wells(cells, column, _plates(cells, plate, column))
    wells = wells.assign(value=_values(cells, wells, key, value))
    size = _shape(shape, wells)
    notes = [f"Plate of {size[0]} × {size[1]} wells{' (inferred; set it with shape=…)' if shape is None else ''}."]
    treatment, note = (
        _treatment(cells, wells, key) if allow_for_treatment else (None, "Treatments are not allowed for.")
    )
    tested = wells if treatment is None else wells.assign(treatment=treatment)
    effects = position_effects(tested, size, level)
    shown = wells.drop(columns=["key"]).assign(edge=at_rim(wells, size))
    words = "Holm's correction holds within the tests of all plates together, and within those of single plates."
    return Layout(value, shown, effects, size, level, (*notes, note, words))


def _well_column(cells: Cells, well: str | None) -> str:
    obs = cells.obs
    if well is not None:
        if well not in obs.columns:
            raise KeyError(no_column(well, obs.columns, "Name the column that holds the wells: well=…"))
        return well
    usual = [c for c in obs.columns if c.removeprefix("Metadata_").lower() in ("well", "well_id", "wellname")]
    # A plate named P1 reads like a well, so that a column called "well" comes first.
    tried = list(dict.fromkeys([*usual, *(c for c in cells.design.unit if c not in cells.design.batch)]))
    found = next((c for c in tried if all(is_well(v) for v in obs[c].unique())), None)
    if found is None and tried:
        named = next((c for c in tried if c in usual), tried[-1])
        parse_wells(obs[named].unique())  # says which names are of no well
    if found is None:
        raise ValueError(f"No column holds wells. Columns: {some(obs.columns, 20)}. Name it: well=…")
    return found


def _plates(cells: Cells, plate: Columns, well: str) -> pd.Series:
    columns = as_columns(plate) or cells.design.batch or tuple(c for c in cells.design.unit if c != well)
    obs = cells.obs
    for name in columns:
        if name not in obs.columns:
            raise KeyError(no_column(name, obs.columns, "Name the column that holds the plates: plate=…"))
    return keys(obs, columns) if columns else pd.Series("plate", index=cells.ids)


def _wells(cells: Cells, column: str, plates: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Return one row per plate and well, in the order in which they appear, and the key of the well of each cell."""
    if not len(cells):
        raise ValueError("There are no cells, expected at least one in a well.")
    names = cells.obs[column]
    if names.isna().any():
        raise ValueError(f"{count(int(names.isna().sum()), 'cell')} without a well in '{column}'. Fill it in.")
    different = names.unique()
    places = parse_wells(different).set_axis(different)
    per_cell = pd.DataFrame({"plate": plates.astype(str), "well": names.astype(str)}, index=cells.ids)
    per_cell["row"], per_cell["column"] = (places.loc[names, axis].to_numpy() for axis in ("row", "column"))
    per_cell["well"] = [f"{row_name(r)}{c:02d}" for r, c in zip(per_cell["row"], per_cell["column"], strict=True)]
    key = keys(per_cell, ("plate", "well"))
    wells = per_cell.assign(key=key).drop_duplicates("key").reset_index(drop=True)
    return wells.assign(n_cells=key.value_counts().loc[wells["key"]].to_numpy()), key


def _values(cells: Cells, wells: pd.DataFrame, key: pd.Series, value: str) -> np.ndarray:
    have = [*cells.obs.columns, *(cells.features.columns if cells.features is not None else [])]
    if value == N_CELLS and value not in have:
        # As a share of the plate's mean, so that copies of all cells change nothing.
        return (wells["n_cells"] / wells.groupby("plate")["n_cells"].transform("mean")).to_numpy()
    if value not in have:
        raise KeyError(f"No value '{value}' in obs or features, nor is it 'n_cells'. There are: {some(have, 20)}.")
    means = unit_means(finite(cells.table(value)[value]), key)
    return means.reindex(wells["key"]).to_numpy()


def _shape(shape: tuple[int, int] | int | None, wells: pd.DataFrame) -> tuple[int, int]:
    if isinstance(shape, int):
        known = {r * c: (r, c) for r, c in FORMATS}
        if shape not in known:
            raise ValueError(f"shape is {shape}, expected a number of wells of: {some(known, 20)}; or (rows, columns).")
        shape = known[shape]
    size = plate_shape(wells) if shape is None else (int(shape[0]), int(shape[1]))
    outside = wells.loc[(wells["row"] > size[0]) | (wells["column"] > size[1]), "well"]
    if len(outside):
        raise ValueError(f"Wells outside of a plate of {size[0]} × {size[1]}: {some(outside.unique())}. Set shape=….")
    return size


def _treatment(cells: Cells, wells: pd.DataFrame, key: pd.Series) -> tuple[np.ndarray | None, str]:
    """Return the treatment of each well where wells of one treatment can be compared, and what was done in words."""
    name = cells.design.treatment or cells.design.label
    if name is None:
        return None, "No treatment or label is declared: all wells are taken as alike."
    given = cells.obs[name]
    grouped = given.astype(str).where(given.notna(), "(none)").groupby(key.to_numpy())
    if (grouped.nunique() > 1).any():
        return None, f"'{name}' differs within wells and is not allowed for."
    treatment = grouped.first().loc[wells["key"]].to_numpy()
    if len(np.unique(treatment)) > len(wells) / 2:
        return None, f"Too few wells share a '{name}' to allow for it: all wells are taken as alike."
    return treatment, f"Wells are compared with others of the same '{name}'."


def _finding(row: Any, found: Layout) -> str:
    where = "All plates" if row.plate == POOLED else str(row.plate)
    width = row.high - row.low
    estimate, low, high = (number(x, width) for x in (row.estimate, row.low, row.high))
    ends = f"{found.level * 100:g} % interval {low} to {high}"
    p = f"p {'= ' + format(row.p_adjusted, '.2g') if row.p_adjusted >= 1e-4 else '< 0.0001'} after Holm's correction"
    if not math.isfinite(row.in_sd):
        lines = "rows" if row.effect.startswith("row") else "columns"
        return f"{where}: {lines} differ beyond edge and trend, {estimate} of the variance left ({ends}; {p})."
    what = {
        "edge": "wells at the rim differ from the others by",
        "row trend": "from the first to the last row it changes by",
        "column trend": "from the first to the last column it changes by",
    }[row.effect]
    return f"{where}: {what} {estimate} ({row.in_sd:+.1f} SD of wells; {ends}; {p})."
