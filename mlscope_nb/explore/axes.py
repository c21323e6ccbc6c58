"""Phenotype axes: cells in order from one group to another, and whether units follow a dose along it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._align import aligned, positions, step, text_index
from mlscope_nb._words import count, no_column, some
from mlscope_nb.cells import Cells
from mlscope_nb.explore.held_out_scores import Bools, Codes, Floats, batch_codes, cell_worth, held_out_scores
from mlscope_nb.explore.memberships import rows_of_group
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.blocks import blocks
from mlscope_nb.study.units import finite, plural

ENOUGH = 10
"""Different cells of a group that a fold or a plate must have for its own median to be trusted."""


def phenotype_axis(cells: Cells, start: Any, end: Any, *, seed: int = 0) -> pd.Series:
    """Place every cell on the axis that leads from one group to another: 0 is the middle of the start, 1 of the end.

    Each cell is placed by a model that saw neither its unit nor (where batches allow it) its plate, so that its place
    is not learned by heart; each plate's own start group is put at 0 where it has enough cells of it. Cells of neither
    group are placed too.

    Parameters
    ----------
    cells : Cells
        With features; a declared unit, batch and control are made use of.
    start, end : group or ids
        Names of groups (of the label, else of the treatment), or ids (or True and False for each cell) as a lasso
        gives them.
    seed : int
        Seed of the folds.

    Returns
    -------
    Series (N,)
        The place of each cell, by id in input order. ``attrs["held_out"]`` says what was held out, ``attrs["note"]``
        what a reader has to know.

    Raises
    ------
    ValueError
        A group has fewer than two cells, a cell is in both, or no feature varies.
    KeyError
        No such group or id.

    References
    ----------
    Jones et al. 2009, PNAS 106:1826 (scoring cells along a learned phenotype). Here every place is held out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> strength = np.repeat([0, 0.5, 1.0], 40)
    >>> obs = pd.DataFrame({"well": np.arange(120) % 12, "drug": np.repeat(["none", "some", "much"], 40)})
    >>> table = pd.DataFrame(rng.normal(size=(120, 5)) + 3 * strength[:, None])
    >>> axis = phenotype_axis(Cells(obs, features=table, unit="well", label="drug"), "none", "much")
    >>> axis.groupby(obs["drug"].to_numpy()).median().round(1)[["none", "much"]].tolist()
    [0.0, 1.0]
    >>> bool(0.2 < axis[40:80].median() < 0.8)
    True
    """
    first, last = (rows_of_group(cells, g, role).to_numpy(bool) for g, role in ((start, "start"), (end, "end")))
    if (first & last).any():
        raise ValueError(f"{count(int((first & last).sum()), 'cell')} in both start and end. An axis needs two groups.")
    found = held_out_scores(cells, first, last, seed=seed)
    if found.note:
        warnings.warn(found.note, UserWarning, stacklevel=2)
    counts = cell_worth(cells)
    values = _from_zero_to_one(found.values, found.fold, first, last, counts)
    values = _from_zero_to_one(values, batch_codes(cells), first, last, counts, shift_only=True)
    result = pd.Series(values, index=cells.ids, name="axis")
    done = step("phenotype_axis", n_start=int(first.sum()), n_end=int(last.sum()), held_out=found.held_out, seed=seed)
    result.attrs = {"held_out": found.held_out, "note": found.note, "history": [done]}
    return result


def _from_zero_to_one(
    values: Floats, part: Codes, first: Bools, last: Bools, counts: Floats, *, shift_only: bool = False
) -> Floats:
    """Put the median of the start at 0 and that of the end at 1, within each part that has enough cells of both.

    Each fold has a model of its own, with an offset and a scale of its own; a plate may have an offset left.
    """
    result = values.copy()
    for k in range(int(part.max()) + 1):
        rows = part == k
        zero, one = (
            float(np.median(values[rows & group] if round(counts[rows & group].sum()) >= ENOUGH else values[group]))
            for group in (first, last)
        )
        if shift_only:
            result[rows] = values[rows] - zero
        elif one > zero:
            result[rows] = (values[rows] - zero) / (one - zero)
    return result


def along(axis: pd.Series, n: int = 12, *, ids: Any = None, trim: float = 0.01) -> pd.Index:
    """Return the ids of cells at even steps from one end of an axis to the other: the order of a montage.

    Parameters
    ----------
    axis : Series (N,)
        Any number per cell, such as from `phenotype_axis`.
    n : int
        How many cells; fewer where there are not as many.
    ids : ids, optional
        Choose among these cells only (or those with True of one True or False for each cell).
    trim : float
        Share of cells left out at either end: what lies far out there is often damaged.

    Returns
    -------
    Index
        Cell ids in the order of the axis.

    Raises
    ------
    ValueError
        n is below 2, trim is not from 0 to below 0.5, or no cell has a value.
    KeyError
        An id is not known.

    Examples
    --------
    >>> along(pd.Series([0.0, 9, 1, 2, 8, 5], index=list("abcdef")), 3, trim=0).tolist()
    ['a', 'f', 'b']
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
        raise ValueError(f"n is {n!r}, expected how many cells to show: 2 or more.")
    if not 0 <= trim < 0.5:
        raise ValueError(f"trim is {trim}, expected a share from 0 to below 0.5.")
    chosen_from = axis if ids is None else axis.iloc[positions(ids, text_index(axis.index, "cell_id"))]
    known = chosen_from.dropna().sort_values(kind="stable")
    if known.empty:
        raise ValueError("No cell has a place on this axis: all values are missing. Give cells with values.")
    low, high = known.quantile([trim, 1 - trim])
    inside = known[(known >= low) & (known <= high)]
    values, free = inside.to_numpy(), np.ones(len(inside), bool)
    chosen = []
    for target in np.linspace(values[0], values[-1], min(int(n), len(values))):
        k = int(np.argmin(np.where(free, np.abs(values - target), np.inf)))
        free[k] = False
        chosen.append(k)
    return inside.index[np.sort(chosen)]


@dataclass(frozen=True)
class Trend(Result):
    """Whether units go up or down with the steps of a dose or of time.

    Parameters
    ----------
    slope : float
        Change of the units' means for one step of the dose (0 to 1, 1 to 2, …), compared within batches.
    p_value : float
        Share of exchanges of doses between units (within batches) that give as large a slope, up or down.
    n_units, n_doses, n_permutations : int
        What it rests on.
    column, unit : str
        The column with the doses, and the word for one unit.
    """

    slope: float
    p_value: float
    n_units: int
    n_doses: int
    n_permutations: int
    column: str
    unit: str = "unit"

    def __str__(self) -> str:
        over = f"{count(self.n_units, self.unit, plural(self.unit))}, {self.n_doses} values of {self.column}"
        return f"{number(self.slope, abs(self.slope))} per step of {self.column} (p = {self.p_value:.3g}, over {over})"


def dose_trend(
    cells: Cells, values: str | pd.Series, column: str, *, n_permutations: int = 1999, seed: int = 0
) -> Trend:
    """Test whether something goes up or down with dose or time, over units.

    Parameters
    ----------
    cells : Cells
        With a declared unit; those that the question is about (such as one treatment and the controls).
    values : Series (N,) or str
        One number per cell, such as a `phenotype_axis`, or the name of a feature.
    column : str
        Column of obs with numbers that order the doses or times; only their order counts.
    n_permutations : int
        Exchanges of doses between units.
    seed : int
        Seed of the exchanges.

    Raises
    ------
    KeyError
        There is no such column.
    ValueError
        The column holds fewer than two doses, or no numbers, fewer than two doses have cells with a value, a value is
        infinite, or no unit is declared.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCDEFGHI"), "dose": [0.0, 0, 0, 1, 1, 1, 9, 9, 9]})
    >>> cells = Cells(obs, unit="well")
    >>> print(dose_trend(cells, pd.Series([1.0, 2, 1, 3, 2, 3, 5, 4, 5], cells.ids), "dose"))
    1.7 per step of dose (p = 0.0025, over 9 wells, 3 values of dose)
    """
    obs = cells.obs
    if column not in obs.columns:
        raise KeyError(no_column(column, obs.columns, "Name the column with the doses."))
    if not pd.api.types.is_numeric_dtype(obs[column]) or obs[column].nunique() < 2:
        raise ValueError(f"'{column}' does not hold two or more different numbers, so that there is no order in it.")
    given = cells.table(values) if isinstance(values, str) else aligned(values.rename("values"), cells.ids, "values")
    numbers = finite(given.iloc[:, 0])
    doses = obs[column].where(numbers.notna().to_numpy())
    if doses.nunique() < 2:
        raise ValueError(_no_trend(values, column, numbers, doses))
    found = blocks(cells, labels=doses)
    means = found.means(numbers.fillna(0.0))
    sizes = np.bincount(found.stratum)
    means = means - (np.bincount(found.stratum, means) / sizes)[found.stratum]
    code = found.code - (np.bincount(found.stratum, found.code) / sizes)[found.stratum]
    observed = float(code @ means)
    drawn = found.codes(n_permutations, np.random.default_rng(seed)) @ means
    p = (1 + int((np.abs(drawn) >= abs(observed) - 1e-9).sum())) / (n_permutations + 1)
    slope = observed / float(code @ code) if code.any() else float("nan")
    return Trend(slope, p, len(means), len(found.classes), n_permutations, column, found.item)


def _no_trend(values: str | pd.Series, column: str, numbers: pd.Series, doses: pd.Series) -> str:
    """Say why there is no trend: the doses at which no cell has a value."""
    what = f"'{values}'" if isinstance(values, str) else "values"
    lost, n = int(numbers.isna().sum()), len(numbers)
    left = "no cell" if lost == n else f"only cells with {column} = {some(doses.dropna().unique())}"
    return (
        f"{lost:,} of {count(n, 'value')} in {what} missing: {left} can be compared, expected cells of two or more "
        f"values of '{column}' with a number each. Measure the others, or give another feature or phenotype_axis."
    )
