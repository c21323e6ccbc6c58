"""Which nucleus belongs to which cell: CellProfiler's tables joined by image and parent, one row per cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.cellprofiler_export import IMAGE, KEYS, OBJECT, SET, USUAL

NONE = 0


class Joined(NamedTuple):
    """One row per cell: the columns of all tables, the number of the object of each, and what was left out."""

    table: pd.DataFrame
    numbers: pd.DataFrame
    main: str
    remarks: list[str]


def join_objects(objects: Mapping[str, pd.DataFrame], main: str | None = None) -> Joined:
    """Join tables of objects to one row per cell.

    From the cells outwards: a table is joined where its objects are parents of ones that are joined already, or are
    their children, at most one each. Where no column names parents, objects of the same numbers are joined.

    Parameters
    ----------
    objects : dict of DataFrames
        As `read_export` returns them: columns ``export, ImageNumber, ObjectNumber, Cells_…``.
    main : str, optional
        The object that is one row; default Cells, else Nuclei, else the first.

    Returns
    -------
    Joined

    Raises
    ------
    ValueError
        There is no such object, or it has no rows.

    Examples
    --------
    >>> keys = pd.DataFrame({"export": [""] * 2, "ImageNumber": [1, 1], "ObjectNumber": [1, 2]})
    >>> tables = {"Cells": keys.assign(Cells_Parent_Nuclei=[2, 1]), "Nuclei": keys.assign(Nuclei_Area=[7.0, 9.0])}
    >>> join_objects(tables).table["Nuclei_Area"].tolist()
    [9.0, 7.0]
    """
    name = _main(objects, main)
    rows = {name: np.arange(len(objects[name]))}
    remarks: list[str] = []
    many: dict[str, str] = {}
    while True:
        step = _next(objects, rows, name, many)
        if step is None:
            break
        rows[step[0]] = step[1]
    for other in objects:
        if other not in rows:
            same = None if other in many else _same_numbers(objects, name, other)
            if same is None:
                remarks.append(many.get(other) or _unlinked(other, name, objects))
            else:
                rows[other] = same
                remarks.append(
                    f"'{other}' was joined by its numbers, because no Parent column says to which '{name}' it belongs"
                )
    remarks += [r for other in rows if other != name for r in _without(objects, rows[other], other, name)]
    return Joined(_table(objects, rows, name), _numbers(objects, rows), name, remarks)


def _main(objects: Mapping[str, pd.DataFrame], wanted: str | None) -> str:
    name = wanted or next((u for u in USUAL if u in objects), next(iter(objects)))
    if name not in objects:
        raise ValueError(f"There is no table of '{name}'. Objects: {some(objects, 20)}. Name one: cell_object=…")
    if not len(objects[name]):
        others = some((n for n, t in objects.items() if len(t)), 8)
        raise ValueError(
            f"The table of '{name}' has no rows, expected one per cell. "
            + (
                f"Tables with rows: {others}; name one: cell_object=…"
                if others
                else "No object was found in any image."
            )
        )
    return name


def _next(
    objects: Mapping[str, pd.DataFrame], rows: Mapping[str, np.ndarray], main: str, many: dict[str, str]
) -> tuple[str, np.ndarray] | None:
    """Find a table that can be joined now: its name, and for every cell its row (-1 where it has none)."""
    for known, known_rows in rows.items():
        for other, table in objects.items():
            if other in rows or other in many:
                continue
            to_parent = f"{known}_Parent_{other}"
            if to_parent in objects[known].columns:
                return other, _rows_of_parents(objects[known], known_rows, to_parent, table)
            to_child = f"{other}_Parent_{known}"
            if to_child in table.columns:
                found = _rows_of_children(objects[known], known_rows, table, to_child)
                if isinstance(found, int):
                    many[other] = (
                        f"'{other}' was left out: {count(found, repr(known), f'of {known!r}')} have several of it; how "
                        f"many is in {known}_Children_{other}_Count"
                    )
                    continue
                return other, found
    return None


def _rows_of_parents(known: pd.DataFrame, known_rows: np.ndarray, column: str, parents: pd.DataFrame) -> np.ndarray:
    wanted = _keys(known, pd.to_numeric(known[column], errors="coerce"))
    found = _index(parents).get_indexer(wanted)
    return np.where(known_rows < 0, -1, found[known_rows])


def _rows_of_children(
    known: pd.DataFrame, known_rows: np.ndarray, children: pd.DataFrame, column: str
) -> np.ndarray | int:
    """Return the row of the child of every cell, or how many parents have several."""
    parents = _keys(children, pd.to_numeric(children[column], errors="coerce"))
    real = np.flatnonzero(parents.get_level_values(2) != NONE)
    several = parents[real].duplicated()
    if several.any():
        return int(parents[real][several].nunique())
    found = parents[real].get_indexer(_index(known))
    found = np.where(found < 0, -1, real[found]) if len(real) else np.full(len(known), -1)
    return np.where(known_rows < 0, -1, found[known_rows])


def _same_numbers(objects: Mapping[str, pd.DataFrame], main: str, other: str) -> np.ndarray | None:
    """Return the rows with the numbers of the cells, where no column of either table names a parent and all fit."""
    ends = tuple(f"_Parent_{name}" for name in objects)
    parents = [c for name in (main, other) for c in objects[name].columns if str(c).endswith(ends)]
    if parents or len(objects[main]) != len(objects[other]):
        return None
    found = _index(objects[other]).get_indexer(_index(objects[main]))
    return None if (found < 0).any() else found


def _unlinked(other: str, main: str, objects: Mapping[str, pd.DataFrame]) -> str:
    n = count(len(objects[other]), "object")
    return f"'{other}' ({n}) was left out: no Parent column says to which '{main}' each belongs"


def _without(objects: Mapping[str, pd.DataFrame], rows: np.ndarray, other: str, main: str) -> list[str]:
    lonely = len(objects[other]) - len(np.unique(rows[rows >= 0]))
    missing = int((rows < 0).sum())
    remarks = []
    if lonely:
        remarks.append(f"{lonely:,} of {len(objects[other]):,} '{other}' belong to no '{main}' and were left out")
    if missing:
        remarks.append(f"{missing:,} of {len(rows):,} '{main}' have no '{other}'; its features are missing there")
    return remarks


def _index(table: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table[KEYS])


def _keys(table: pd.DataFrame, numbers: pd.Series) -> pd.MultiIndex:
    whole = numbers.where(np.isfinite(numbers), NONE).astype(np.int64)
    return pd.MultiIndex.from_arrays([table[SET], table[IMAGE], whole], names=KEYS)


def _table(objects: Mapping[str, pd.DataFrame], rows: Mapping[str, np.ndarray], main: str) -> pd.DataFrame:
    parts = [objects[main].reset_index(drop=True)]
    for other, chosen in rows.items():
        if other != main:
            rest = objects[other].drop(columns=KEYS)
            rest = rest.drop(columns=[c for c in rest.columns if c in objects[main].columns])
            parts.append(_taken(rest, chosen))
    joined = pd.concat(parts, axis=1)
    return joined.loc[:, ~joined.columns.duplicated()]


def _taken(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    if not len(table):
        return pd.DataFrame(np.nan, index=range(len(rows)), columns=table.columns)
    if (rows >= 0).all():
        return table.iloc[rows].reset_index(drop=True)
    return table.reset_index(drop=True).reindex(pd.Index(np.where(rows < 0, len(table), rows))).reset_index(drop=True)


def _numbers(objects: Mapping[str, pd.DataFrame], rows: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the number of each joined object, 0 where a cell has none."""
    found = {}
    for name, chosen in rows.items():
        numbers = objects[name][OBJECT].to_numpy()
        found[name] = np.where(chosen < 0, NONE, numbers[chosen] if len(numbers) else NONE)
    return pd.DataFrame(found)
