"""Units of independence: the key of every cell, and one number per unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns, as_columns, keys
from mlscope_nb._words import count, no_column, some
from mlscope_nb.cells import Cells

ROLES = ("unit", "batch")


def groups(cells: Cells, by: Columns = None) -> pd.Series:
    """Return the group of each cell as text: the unit, or what `by` names.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit, or any cells when `by` names columns.
    by : str or several, optional
        Columns of `obs`; "unit" and "batch" mean the declared ones where no column has that name.

    Raises
    ------
    KeyError, ValueError
        No such column, a cell without a value in it, or nothing declared.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": ["p1", "p1"], "well": ["A01", "A02"]}, index=["a", "b"])
    >>> groups(Cells(obs, unit=("plate", "well"))).tolist()
    ['p1 · A01', 'p1 · A02']
    """
    names = columns_of(cells, by)
    if not names:
        return cells.batches_of if by == "batch" else cells.units
    obs = cells.obs
    for name in names:
        if name not in obs.columns:
            raise KeyError(no_column(name, obs.columns, "Name the column whose groups are to be held out."))
        missing = obs.index[obs[name].isna()]
        if len(missing):
            raise ValueError(
                f"{count(len(missing), 'cell')} without a value in column '{name}': {some(missing)}. "
                "Every cell needs its group: fill the column in, or leave these cells out."
            )
    return keys(obs, names)


def columns_of(cells: Cells, by: Columns) -> tuple[str, ...]:
    """Return the columns that `by` names; nothing when the role it means is not declared."""
    if by is None:
        return cells.design.unit
    if isinstance(by, str) and by in ROLES and by not in cells.obs.columns:
        return cells.design.unit if by == "unit" else cells.design.batch
    return as_columns(by)


def unit_means(values: str | pd.Series | np.ndarray, units: Cells | pd.Series | np.ndarray | None = None) -> pd.Series:
    """Return the mean of the cells of each unit, ordered by unit: the numbers that are independent.

    Every unit then counts once, however many cells it has. Cells without a value (NaN) are left out, and so
    is a unit in which no cell has one.

    Parameters
    ----------
    values : Series or array (N,), or str
        One number per cell; a name is looked up in the features and obs of the cells.
    units : Cells, Series or array (N,), optional
        The unit of each cell. None: the values are already one per unit.

    Raises
    ------
    ValueError
        Lengths or ids differ, or a value is infinite.

    Examples
    --------
    >>> unit_means(np.array([1.0, 3.0, 5.0]), np.array(["A01", "A01", "A02"])).to_dict()
    {'A01': 2.0, 'A02': 5.0}
    """
    if units is None:
        numbers = finite(pd.Series(values) if not isinstance(values, str) else _needs_cells(values))
        return numbers.dropna().rename("mean")
    numbers, unit_keys = paired(values, units)
    known = numbers.notna().to_numpy()
    return numbers[known].groupby(unit_keys[known].to_numpy(), sort=True).mean().rename("mean")


def paired(values: str | pd.Series | np.ndarray, units: Cells | pd.Series | np.ndarray) -> tuple[pd.Series, pd.Series]:
    """Return values and unit keys of the same cells in the same order."""
    if isinstance(units, Cells):
        unit_keys = units.units
        series = units.table(values)[values] if isinstance(values, str) else values
    else:
        unit_keys = units if isinstance(units, pd.Series) else pd.Series(np.asarray(units))
        series = _needs_cells(values) if isinstance(values, str) else values
    if unit_keys.isna().any():
        raise ValueError(f"{count(int(unit_keys.isna().sum()), 'cell')} without a unit. Every cell needs its unit.")
    return finite(_same_rows(series, unit_keys)), unit_keys.astype(str)


def noun(columns: tuple[str, ...]) -> str:
    """Return the word for one unit: 'well' for the column Metadata_Well, 'unit' for several columns."""
    if len(columns) != 1:
        return "unit"
    return columns[0].removeprefix("Metadata_").removesuffix("_id").replace("_", " ").lower() or "unit"


def plural(word: str) -> str:
    """Return the plural of a noun that names a unit.

    Examples
    --------
    >>> plural("well"), plural("batch"), plural("biopsy")
    ('wells', 'batches', 'biopsies')
    """
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def finite(values: pd.Series) -> pd.Series:
    """Return the values as floats; infinite ones are refused."""
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        raise ValueError(f"The values hold {values.dtype}, expected one number per cell.")
    numbers = values.astype(float)
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        raise ValueError(
            f"{count(int(infinite.sum()), 'value')} infinite, at {some(numbers.index[infinite])}. "
            "Make them NaN to leave these cells out, or correct what divides by zero."
        )
    return numbers


def _same_rows(values: Any, unit_keys: pd.Series) -> pd.Series:
    if (
        isinstance(values, pd.Series)
        and isinstance(unit_keys.index, pd.Index)
        and not values.index.equals(unit_keys.index)
    ):
        if not (values.index.is_unique and unit_keys.index.is_unique) or len(values) != len(unit_keys):
            raise ValueError(f"{len(values):,} values and {len(unit_keys):,} units, expected the same unique ids.")
        missing = unit_keys.index.difference(values.index, sort=False)
        if len(missing):
            raise ValueError(f"No value for {count(len(missing), 'cell')}: {some(missing)}. Give one value per cell.")
        return values.reindex(unit_keys.index)
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values), index=None)
    if len(series) != len(unit_keys):
        raise ValueError(f"{len(series):,} values for {len(unit_keys):,} cells, expected one value per cell.")
    return series.set_axis(unit_keys.index)


def _needs_cells(name: str) -> pd.Series:
    raise ValueError(
        f"The values are a name ('{name}') but there are no cells to look it up in. Give cells as the units."
    )
