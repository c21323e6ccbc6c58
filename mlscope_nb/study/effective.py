"""Effective n: how many independent cells the cells of a few units are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.intervals import unit_word
from mlscope_nb.study.units import paired, plural


@dataclass(frozen=True)
class EffectiveN(Result):
    """How alike the cells of a unit are, and what that leaves of their number.

    Parameters
    ----------
    n_cells, n_units : int
        Cells with a value, and their units.
    icc : float
        Intraclass correlation: share of the variance that lies between units (negative by chance when it is
        small).
    design_effect : float
        By how much the variance of the mean over cells exceeds that of independent cells.
    n_effective : float
        ``n_cells / design_effect``.
    unit : str
        The word for one unit.
    note : str
        Why it is not known, or nothing.

    Examples
    --------
    >>> print(EffectiveN(1200, 6, 0.66, 133.3, 9.0, "well"))
    1,200 cells in 6 wells are worth about 9 independent ones (intraclass correlation 0.66)
    """

    n_cells: int
    n_units: int
    icc: float
    design_effect: float
    n_effective: float
    unit: str = "unit"
    note: str = ""

    def __str__(self) -> str:
        where = f"{count(self.n_cells, 'cell')} in {count(self.n_units, self.unit, plural(self.unit))}"
        if not math.isfinite(self.n_effective):
            return f"{where}: what they are worth is not known, {self.note}"
        worth = f"are worth about {self.n_effective:,.0f} independent ones"
        return f"{where} {worth} (intraclass correlation {number(self.icc)})"


def effective_n(values: str | pd.Series | np.ndarray, units: Cells | pd.Series | np.ndarray) -> EffectiveN:
    """Return the effective number of cells for one measurement, from how alike the cells of a unit are.

    The intraclass correlation is the analysis of variance estimate for units of unequal size; a negative
    one counts as 0. The design effect is Kish's, ``1 + (sum(n_i^2) / sum(n_i) - 1) * icc``. Copies of cells
    raise the intraclass correlation and not the effective number (exactly so for units of equal size, where
    cells of a unit are more alike than others at all).

    Parameters
    ----------
    values : Series or array (N,), or str
        One number per cell, or the name of a feature or obs column of the cells.
    units : Cells, Series or array (N,)
        The unit of each cell.

    Raises
    ------
    ValueError
        Values and units do not fit, or a value is infinite.

    References
    ----------
    Donner & Koval (1980) Biometrics 36:19; Kish (1965) Survey Sampling.

    Examples
    --------
    >>> print(effective_n(np.array([1.0, 1.2, 3.0, 3.1, 5.0, 5.3]), np.array(list("AABBCC"))))
    6 cells in 3 units are worth about 3 independent ones (intraclass correlation 0.99)
    """
    numbers, keys = paired(values, units)
    known = numbers.notna().to_numpy()
    grouped = numbers[known].groupby(keys[known].to_numpy())
    sizes, means = grouped.size().to_numpy(), grouped.mean().to_numpy()
    n, k, word = int(sizes.sum()), len(sizes), unit_word(units)
    if k < 2 or n == k:
        note = "for there are fewer than two units" if k < 2 else "for each has one cell: they are the units"
        return EffectiveN(n, k, math.nan, math.nan, float(n) if k >= 2 else math.nan, word, note)
    total = float(((numbers[known] - numbers[known].mean()) ** 2).sum())
    between = float(sizes @ (means - (sizes @ means) / n) ** 2)
    icc = _icc(between / (k - 1), max(total - between, 0.0) / (n - k), float(n - (sizes @ sizes) / n) / (k - 1))
    if not math.isfinite(icc):
        return EffectiveN(n, k, math.nan, math.nan, math.nan, word, "for all cells have the same value")
    effect = 1 + ((sizes @ sizes) / n - 1) * max(icc, 0.0)
    return EffectiveN(n, k, icc, float(effect), float(n / effect), word)


def _icc(between: float, within: float, size: float) -> float:
    bottom = between + (size - 1) * within
    return (between - within) / bottom if bottom > 0 else math.nan
