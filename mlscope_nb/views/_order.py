"""In which order a gallery shows its cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import explore
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.views.colours import categories

TABLE, RANDOM, TYPICAL, ATYPICAL, CENTRE = "table", "random", "typical", "atypical", "centre"
NAMED = {
    TABLE: "as in the table",
    TYPICAL: "typical first",
    ATYPICAL: "atypical first",
    CENTRE: "nearest to the selection",
    RANDOM: "mixed",
}


def arranged(cells: Cells, rows: np.ndarray, by: str, chosen: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return these positions in another order.

    Parameters
    ----------
    cells : Cells
    rows : int array
        Positions of the cells that are shown.
    by : str
        A name in ``NAMED``, or a column ("-area" for the largest first). Missing values come last.
    chosen : int array
        Positions of the selected cells.

    Raises
    ------
    KeyError
        No such column.
    ValueError
        The order needs features and there are none.
    """
    if by == TABLE or not len(rows):
        return rows
    if by == RANDOM:
        return np.random.default_rng(seed).permutation(rows)
    if by in (TYPICAL, ATYPICAL, CENTRE):
        around = chosen if by == CENTRE and len(chosen) else rows
        away = explore.distance_to(cells, cells.ids[around]).to_numpy()[rows]
        return rows[_stable(-away if by == ATYPICAL else away)]
    column, falling = _column(cells, by)
    numbers = _numbers(column.iloc[rows])
    return rows[_stable(-numbers if falling else numbers)]


def choices(cells: Cells, columns: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the orders that these cells allow, for a list to choose from."""
    named = [TABLE, RANDOM] if cells.features is None else list(NAMED)
    plain = [{"value": name, "label": NAMED[name]} for name in named]
    ways = (("", "↑"), ("-", "↓"))
    return plain + [
        {**c, "value": sign + c["value"], "label": f"{c['label']} {w}"} for c in columns for sign, w in ways
    ]


def _numbers(values: pd.Series) -> np.ndarray:
    """Return numbers that sort as the values do: texts as a reader would ("p2" before "p10"), NaN where missing."""
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(dtype=float, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.rank(method="dense").to_numpy(dtype=float)
    place = {name: i for i, name in enumerate(categories(values)[0])}
    codes, kinds = pd.factorize(values)
    return np.array([*(place[str(v)] for v in kinds), np.nan])[codes]


def _column(cells: Cells, by: str) -> tuple[pd.Series, bool]:
    """Return the column to sort by and whether its largest come first."""
    tables = [table for table in (cells.obs, cells.features) if table is not None]
    for name, falling in ((by, False), (by.removeprefix("-"), True)):
        for table in tables:
            if name in table.columns:
                return table[name], falling
    name = by.removeprefix("-")
    raise KeyError(f"No column '{name}' to sort by. Columns: {some(cells.obs.columns, 20)}; or {some(NAMED)}.")


def _stable(values: np.ndarray) -> np.ndarray:
    return np.argsort(values, kind="stable")
