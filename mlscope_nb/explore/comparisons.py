"""Comparisons: many features of two classes at once, tested over the units of independence as the design allows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from mlscope_nb.cells import Cells
from mlscope_nb.explore.extremes import drawn_in
from mlscope_nb.study.blocks import Blocks, blocks
from mlscope_nb.study.intervals import MIN_UNITS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BLOCK_VALUES = 4_000_000
"""Numbers that are worked on at a time: what bounds the memory."""


class Fit(NamedTuple):
    """Differences (second class minus first), standard errors, degrees of freedom, and units of the rarer side."""

    difference: Floats
    error: Floats
    freedom: Floats
    fewest: NDArray[np.int64]


def compare(
    cells: Cells, table: pd.DataFrame, second: pd.Series, *, level: float = 0.95, clip: float | None = None
) -> pd.DataFrame:
    """Compare the features of two classes of cells over units, as `study.difference_interval` does for one of them.

    Parameters
    ----------
    cells : Cells
        With a declared unit; plates are compared within themselves where the design has them.
    table : DataFrame (N, P)
        Features.
    second : Series (N,)
        True and False for the two classes (the difference is True minus False); missing for cells of neither.
    level : float
        Confidence level.
    clip : float, optional
        Draw in cells that are farther than this many robust deviations from the median of their unit (`extremes`).

    Returns
    -------
    DataFrame
        By feature: effect (the difference in standard deviations of cells within a class, and within a batch where
        batches are compared), low, high, p_value, n_units (of the class with fewer), mean_group, mean_reference.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCCDDEEFF")}, index=[f"c{i}" for i in range(12)])
    >>> table = pd.DataFrame({"area": [1.0, 3, 2, 4, 1, 3, 5, 7, 6, 8, 5, 7]}, index=obs.index)
    >>> second = pd.Series(np.arange(12) > 5, obs.index)
    >>> compare(Cells(obs, unit="well"), table, second).round(3).loc["area", ["effect", "p_value"]].tolist()
    [3.618, 0.001]
    """
    found = blocks(cells, labels=second.astype(object).rename("group"))
    values = table.to_numpy()
    batch = pd.factorize(cells.batches_of)[0] if cells.design.batch else np.zeros(len(values), np.intp)
    width = max(1, BLOCK_VALUES // max(1, len(values)))
    blocks_of = (values[:, i : i + width] for i in range(0, values.shape[1], width))
    parts = [_compared(found, _finite(block, found, batch, clip), level) for block in blocks_of]
    return pd.concat(parts).set_axis(table.columns, axis=0)


def _finite(numbers: NDArray[Any], found: Blocks, batch: NDArray[np.intp], clip: float | None) -> Floats:
    """Return the numbers of labelled cells, others and infinite ones as NaN, those far from their unit drawn in."""
    values = np.array(numbers, np.float64)
    values[~np.isfinite(values) | (found.of_cell < 0)[:, None]] = np.nan
    if clip is None:
        return values
    return drawn_in(values, found.of_cell * (int(found.unit_of_cell.max()) + 1) + found.unit_of_cell, batch, clip)


def _compared(found: Blocks, values: Floats, level: float) -> pd.DataFrame:
    known = np.isfinite(values) & (found.of_cell >= 0)[:, None]
    means = item_means(found, np.where(known, values, 0.0), known)
    fit = over_units(found, means)
    spread = _spread_of_cells(found, values, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(fit.error > 0, fit.difference / fit.error, np.nan)
        p = 2 * special.stdtr(fit.freedom, -np.abs(t))
        effect, error = fit.difference / spread, fit.error / spread
    half = special.stdtrit(fit.freedom, (1 + level) / 2) * error
    tested = (fit.fewest >= MIN_UNITS) & np.isfinite(t)
    group = found.code == found.classes.index(True)
    return pd.DataFrame({
        "effect": np.where(spread > 0, effect, np.nan),
        "low": np.where(tested, effect - half, np.nan),
        "high": np.where(tested, effect + half, np.nan),
        "p_value": np.where(tested, p, np.nan),
        "n_units": fit.fewest,
        "mean_group": _mean(means[group]),
        "mean_reference": _mean(means[~group]),
    })  # fmt: skip


def item_means(found: Blocks, values: Floats, known: Bools) -> Floats:
    """Return the mean of each item (rows) and feature: cells to units, units to the item; NaN where no cell has one."""
    of_cell, n_units = found.of_cell, int(found.unit_of_cell.max()) + 1
    rows = np.flatnonzero(of_cell >= 0)
    pairs, of_pair = np.unique(of_cell[rows] * n_units + found.unit_of_cell[rows], return_inverse=True)
    sums = _summed(values[rows], of_pair, len(pairs))
    numbers = _summed(known[rows].astype(float), of_pair, len(pairs))
    with np.errstate(invalid="ignore", divide="ignore"):
        in_unit = sums / numbers
        have = numbers > 0
        total = _summed(np.where(have, in_unit, 0.0), pairs // n_units, len(found.code))
        means: Floats = total / _summed(have.astype(float), pairs // n_units, len(found.code))
    return means


def over_units(found: Blocks, means: Floats) -> Fit:
    """Return the difference of the classes for each column of item means, as the design of the blocks says."""
    n = means.shape[1]
    fit = Fit(np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int64))
    group = found.code == (found.classes.index(True) if True in found.classes else -1)
    # Columns that lack the same items are one regression; nearly always that is all of them.
    patterns, of_column = np.unique(np.isfinite(means), axis=1, return_inverse=True)
    for k in range(patterns.shape[1]):
        columns, rows = np.flatnonzero(of_column.ravel() == k), patterns[:, k]
        x, stratum = group[rows], found.stratum[rows]
        if not len(x) or x.all() or not x.any():
            continue
        y = means[np.ix_(rows, columns)]
        paired = found.scheme == "classes within unit"
        part = _welch(y, x) if found.scheme in ("units", "batches") else _within(y, x, stratum, paired)
        for whole, piece in zip(fit, part, strict=True):
            whole[columns] = piece
    return fit


def _welch(y: Floats, x: Bools) -> Fit:
    a, b = y[~x], y[x]
    fewest = np.full(y.shape[1], min(len(a), len(b)))
    difference = b.mean(axis=0) - a.mean(axis=0)
    if fewest[0] < MIN_UNITS:
        nothing = np.full(y.shape[1], np.nan)
        return Fit(difference, nothing, nothing, fewest)
    parts = a.var(axis=0, ddof=1) / len(a), b.var(axis=0, ddof=1) / len(b)
    bottom = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    total = parts[0] + parts[1]
    freedom = np.divide(total**2, bottom, out=np.full(len(total), float(len(y) - 2)), where=bottom > 0)
    return Fit(difference, np.sqrt(total), freedom, fewest)


def _within(y: Floats, x: Bools, stratum: NDArray[np.intp], paired: bool) -> Fit:
    both = np.array(
        [0 < x[stratum == s].mean() < 1 if (stratum == s).any() else False for s in range(stratum.max() + 1)]
    )
    rows = both[stratum]
    y, group, codes = y[rows], x[rows].astype(float), pd.factorize(stratum[rows])[0]
    nothing, n_strata = np.full(y.shape[1], np.nan), int(both.sum())
    fewest = np.full(y.shape[1], n_strata if paired else int(min(group.sum(), (1 - group).sum())))
    if not len(y):
        return Fit(nothing, nothing, nothing, fewest)
    sizes = np.bincount(codes)
    inside = y - (_summed(y, codes, n_strata) / sizes[:, None])[codes]
    regressor = group - (np.bincount(codes, group) / sizes)[codes]
    difference = regressor @ inside / (regressor @ regressor)
    freedom = len(y) - n_strata - 1
    if freedom < 1:
        return Fit(difference, nothing, nothing, fewest)
    rest = ((inside - regressor[:, None] * difference) ** 2).sum(axis=0)
    error = np.sqrt(rest / freedom / (regressor @ regressor))
    return Fit(difference, error, np.full(y.shape[1], float(freedom)), fewest)


def _spread_of_cells(found: Blocks, values: Floats, known: Bools) -> Floats:
    """Return the standard deviation (divisor N) of cells within a class, and within a batch where batches are compared.

    With N as the divisor, copying every cell changes nothing.
    """
    rows = found.of_cell >= 0
    item = found.of_cell[rows]
    part = found.code[item]
    if found.scheme == "units within batch":
        part = part + len(found.classes) * found.stratum[item]
    part, n_parts = pd.factorize(part)[0], len(np.unique(part))
    x, have = np.where(known, values, 0.0)[rows], known[rows].astype(float)
    n = _summed(have, part, n_parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.nan_to_num(_summed(x, part, n_parts) / n)
        rest = np.where(known[rows], x - middle[part], 0.0)
        spread: Floats = np.sqrt((rest**2).sum(axis=0) / n.sum(axis=0))
    return np.where(spread > 1e-12 * np.abs(x).max(axis=0, initial=0.0), spread, 0.0)


def _summed(values: Floats, codes: NDArray[np.intp], n: int) -> Floats:
    from scipy.sparse import csr_array

    by_code = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(n, len(codes)))
    summed: Floats = by_code @ values
    return summed


def _mean(values: Floats) -> Floats:
    n = np.isfinite(values).sum(axis=0)
    return np.divide(np.nansum(values, axis=0), n, out=np.full(values.shape[1], np.nan), where=n > 0)
