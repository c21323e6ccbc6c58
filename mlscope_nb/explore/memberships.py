"""Membership: which group each cell belongs to, however the groups are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mlscope_nb._align import aligned, positions, text_index
from mlscope_nb._words import count, no_column, some
from mlscope_nb.cells import Cells

ROLES = ("label", "treatment", "control", "unit", "batch")
CHOSEN, OTHERS = "chosen", "others"


def members(cells: Cells | pd.DataFrame, groups: Any) -> pd.Series:
    """Return the group of each cell; missing for cells of no group.

    Parameters
    ----------
    cells : Cells or DataFrame (N, P)
        The cells.
    groups : str, Series, clustering, dict or ids
        The name of a column of obs (or "label", "treatment", "control", "unit", "batch" for what is declared); a Series
        with one value per cell, as the labels of a clustering or the clustering itself; ``{name: ids}``; or ids
        (or True and False for each cell), which make two groups, "chosen" and "others".

    Raises
    ------
    KeyError
        There is no such column or id.
    ValueError
        A cell is given to two groups, or no cell to any.

    Examples
    --------
    >>> numbers = pd.DataFrame({"area": [1.0, 2, 9]}, index=list("abc"))
    >>> members(numbers, {"small": ["a", "b"], "large": ["c"]}).to_dict()
    {'a': 'small', 'b': 'small', 'c': 'large'}
    >>> members(numbers, ["c"]).tolist()
    ['others', 'others', 'chosen']
    """
    ids = cells.ids if isinstance(cells, Cells) else text_index(cells.index, "cell_id")
    groups = getattr(groups, "labels", groups) if not isinstance(groups, str | Mapping | pd.Series) else groups
    if isinstance(groups, str) and isinstance(cells, Cells) and _is_column(cells, groups):
        found = _of_column(cells, groups)
    elif isinstance(groups, Mapping):
        found = _of_names(groups, ids)
    elif isinstance(groups, pd.Series) and not pd.api.types.is_bool_dtype(groups):
        found = aligned(groups.rename("group"), ids, "the groups")["group"]
    elif isinstance(groups, str) and not ids.isin([groups]).any():
        columns = cells.obs.columns if isinstance(cells, Cells) else pd.Index([])
        raise KeyError(no_column(groups, columns, "Name a column, or give a Series or ids."))
    else:
        found = pd.Series(OTHERS, index=ids, dtype=object)
        found.iloc[positions(groups, ids)] = CHOSEN
    if found.isna().all():
        raise ValueError(f"None of {count(len(found), 'cell')} belongs to a group. Give each group its cells.")
    return found.rename("group")


def rows_of_group(cells: Cells, given: Any, role: str) -> pd.Series:
    """Return True for the cells meant by the name of a group (of the label, else of the treatment) or by ids.

    Raises
    ------
    KeyError, ValueError
        No such group or id, or no cell.
    """
    obs, names = cells.obs, [n for n in (cells.design.label, cells.design.treatment) if n is not None]
    if pd.api.types.is_scalar(given):
        for name in names:
            of_group = (obs[name] == given).fillna(False).astype(bool)
            if of_group.any():
                return of_group
        if str(given) not in cells.ids:
            have = sorted({str(v) for name in names for v in obs[name].dropna().unique()})
            raise KeyError(f"No group and no cell is called '{given}' ({role}). Groups: {some(have, 12) or 'none'}.")
    chosen = pd.Series(False, index=cells.ids)
    chosen.iloc[positions(given, cells.ids)] = True
    if not chosen.any():
        raise ValueError(f"No cell is given as {role}. Name a group, or give ids.")
    return chosen


def _is_column(cells: Cells, name: str) -> bool:
    return name in cells.obs.columns or name in ROLES


def _of_column(cells: Cells, name: str) -> pd.Series:
    obs = cells.obs
    if name in obs.columns:
        return obs[name]
    if name == "label":
        return cells.labels
    if name == "control":
        return cells.controls.map({True: "control", False: "treated"})
    if name == "treatment":
        if cells.design.treatment is None:
            raise ValueError("No treatment is declared. Name its column: cells.with_design(treatment=…).")
        return obs[cells.design.treatment]
    return cells.units if name == "unit" else cells.batches_of


def _of_names(groups: Mapping[Any, Any], ids: pd.Index) -> pd.Series:
    found = pd.Series(None, index=ids, dtype=object)
    for name, of_group in groups.items():
        rows = positions(of_group, ids)
        twice = found.iloc[rows].notna().to_numpy()
        if twice.any():
            raise ValueError(
                f"{count(int(twice.sum()), 'cell')} of '{name}' stand in another group too: {some(ids[rows][twice])}. "
                "Give each cell one group."
            )
        found.iloc[rows] = name
    return found
