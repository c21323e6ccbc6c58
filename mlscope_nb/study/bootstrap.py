"""Bootstrap over units: whole units are drawn again with all their cells, never single cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.study.intervals import MIN_UNITS, Interval, check_level, of_share, same, too_few, unit_word
from mlscope_nb.study.units import paired, unit_means

Method = Literal["auto", "studentized", "t", "bca", "percentile"]
Statistic = Literal["mean", "median"] | Callable[..., float]
MIN_STUDENTIZED = 6
"""From this number of units the studentized bootstrap holds its level (``studies/RESULTS.md``)."""


class Draws(NamedTuple):
    """The statistic of the data, of each bootstrap draw, and of the data without each unit in turn."""

    estimate: float
    drawn: np.ndarray
    without: Callable[[], np.ndarray]


def bootstrap_interval(
    values: str | pd.Series | np.ndarray | pd.DataFrame,
    units: Cells | pd.Series | np.ndarray | None = None,
    statistic: Statistic = "mean",
    *,
    method: Method = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    bounds: tuple[float, float] | None = None,
    target: str | None = None,
    seed: int = 0,
) -> Interval:
    """Return an interval for any statistic from drawing whole units again.

    One number per cell is first averaged in its unit, and the statistic is that of the unit means. A table
    is not averaged: the statistic gets all rows of the units drawn, as a score of predictions needs it.

    "auto" is chosen by measured coverage: for the mean the studentized bootstrap from 6 units on, otherwise
    Student's t with the bootstrap's standard error. "percentile" and "bca" are there to compare; with few
    units they are too narrow (95 % intervals over 6 units hold the mean about 87 % of the time).

    Parameters
    ----------
    values : Series or array (N,), DataFrame (N rows) or str
        One number per cell, a table with one row per cell, or the name of a feature or obs column.
    units : Cells, Series or array (N,), optional
        The unit of each cell. None: each row is a unit.
    statistic : "mean", "median" or function
        A function of the array of unit means, or of the table, that returns one number.
    method : str
        How ends are set, see above. "studentized" is for the mean only.
    level : float
        Confidence level.
    n_resamples : int
        Bootstrap draws.
    bounds : (low, high), optional
        Limits of what is possible (0 and 1 for an accuracy): ends beyond are set to them. Where every unit has
        the mean 0, or 1, of bounds (0, 1), nothing scatters, and the ends are Clopper and Pearson's.
    target : str, optional
        What is estimated, for the record.
    seed : int
        Seed of the draws. The order of rows does not matter.

    Raises
    ------
    ValueError
        Values and units do not fit, or an option is not possible.

    References
    ----------
    Hesterberg (2015) What Teachers Should Know About the Bootstrap, The American Statistician 69:371.

    Examples
    --------
    >>> means = np.array([4.1, 5.0, 4.4, 4.9, 5.2, 4.6])
    >>> print(bootstrap_interval(means, statistic="median"))
    4.8 (95 % interval over 6 units: 4.1 to 5.4)
    """
    check_level(level)
    _check_options(method, statistic, n_resamples)
    word, name = unit_word(units), target or _name(statistic)
    rng = np.random.default_rng(seed)
    if isinstance(values, pd.DataFrame):
        n, draws, note = _of_tables(values, units, statistic, n_resamples, rng)
    else:
        means = unit_means(values, units).sort_index().to_numpy()
        n, draws, note = len(means), _of_means(means, statistic, n_resamples, rng), same(means, word)
    chosen = _choose(method, statistic, n, isinstance(values, pd.DataFrame))
    if n < MIN_UNITS:
        return too_few(draws.estimate if n else math.nan, level, n, name, chosen, word)
    unknown = Interval(draws.estimate, math.nan, math.nan, level, n, name, chosen, word)
    if chosen == "studentized" and n < MIN_STUDENTIZED:
        note = f"the studentized bootstrap needs at least {MIN_STUDENTIZED} units, {n} found; use method='t'"
        return replace(unknown, note=note)
    if chosen == "studentized":
        low, high = _studentized(means, level, n_resamples, rng)
    else:
        usable = draws._replace(drawn=draws.drawn[np.isfinite(draws.drawn)])
        note = _lost(len(usable.drawn), n_resamples) or note
        if 2 * len(usable.drawn) < n_resamples or not math.isfinite(draws.estimate):
            return replace(unknown, note=note or "not a number")
        low, high = {"t": _t, "percentile": _percentile, "bca": _bca}[chosen](usable, level, n)
    if bounds == (0.0, 1.0) and statistic == "mean" and draws.estimate in (0.0, 1.0):
        low, high = of_share(Interval(draws.estimate, low, high, level, n, "", ""))
    elif bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(draws.estimate, low, high, level, n, name, f"bootstrap ({chosen})", word, note)


def _name(statistic: Statistic) -> str:
    return statistic if isinstance(statistic, str) else str(getattr(statistic, "__name__", "statistic"))


def _check_options(method: str, statistic: Statistic, n_resamples: int) -> None:
    methods = ("auto", "studentized", "t", "bca", "percentile")
    if method not in methods:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(methods)}.")
    if not callable(statistic) and statistic not in ("mean", "median"):
        raise ValueError(f"statistic is {statistic!r}, expected 'mean', 'median' or a function.")
    if method == "studentized" and statistic != "mean":
        raise ValueError("method 'studentized' is for statistic='mean'. Use method='t' for others.")
    if n_resamples < 100:
        raise ValueError(f"n_resamples is {n_resamples}, expected at least 100.")


def _choose(method: Method, statistic: Statistic, n: int, table: bool) -> str:
    if method != "auto":
        return method
    return "studentized" if statistic == "mean" and n >= MIN_STUDENTIZED and not table else "t"


def _of_means(means: np.ndarray, statistic: Statistic, n_resamples: int, rng: np.random.Generator) -> Draws:
    def of(rows: np.ndarray) -> np.ndarray:
        if not callable(statistic):
            return (np.mean if statistic == "mean" else np.median)(rows, axis=-1)
        return np.array([float(statistic(row)) for row in rows])

    n = len(means)
    if n == 0:
        return Draws(math.nan, np.array([]), lambda: np.array([]))
    drawn = of(means[rng.integers(0, n, (n_resamples, n))]) if n >= MIN_UNITS else np.array([])
    return Draws(float(of(means[None])[0]), drawn, lambda: of(np.array([np.delete(means, i) for i in range(n)])))


def _of_tables(
    table: pd.DataFrame,
    units: Cells | pd.Series | np.ndarray | None,
    statistic: Statistic,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[int, Draws, str]:
    if not callable(statistic):
        raise ValueError(
            f"statistic is {statistic!r} but the values are a table. Give a function of it, or one column."
        )
    rows = pd.Series(np.arange(len(table)), index=table.index)
    keys = paired(rows, units)[1] if units is not None else pd.Series(table.index.astype(str), index=table.index)
    place = paired(rows, units)[0].astype(int).to_numpy() if units is not None else rows.to_numpy()
    members = [
        place[where] for _, where in sorted(keys.reset_index(drop=True).groupby(keys.to_numpy()).indices.items())
    ]
    n = len(members)

    def of(chosen: np.ndarray) -> float:
        return float(statistic(table.iloc[np.concatenate([members[i] for i in chosen])]))

    if n == 0:
        return 0, Draws(math.nan, np.array([]), lambda: np.array([])), ""
    drawn = rng.integers(0, n, (n_resamples, n)) if n >= MIN_UNITS else np.empty((0, n), int)
    without = [np.delete(np.arange(n), i) for i in range(n)]
    return (
        n,
        Draws(of(np.arange(n)), np.array([of(d) for d in drawn]), lambda: np.array([of(w) for w in without])),
        "",
    )


def _studentized(means: np.ndarray, level: float, n_resamples: int, rng: np.random.Generator) -> tuple[float, float]:
    n = len(means)
    spread = float(means.std(ddof=1))
    if spread <= 1e-12 * max(1.0, float(np.abs(means).max())):
        return float(means.mean()), float(means.mean())
    rows = means[rng.integers(0, n, (n_resamples, n))]
    spreads, shifts = rows.std(axis=1, ddof=1), rows.mean(axis=1) - means.mean()
    one_value = spreads <= 1e-9 * spread
    ratios = np.where(one_value, np.sign(shifts) * 1e6, shifts / np.where(one_value, 1.0, spreads))
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(means.mean() - high * spread), float(means.mean() - low * spread)


def _t(draws: Draws, level: float, n: int) -> tuple[float, float]:
    from scipy.stats import t

    error = float(draws.drawn.std(ddof=1)) * math.sqrt(n / (n - 1))
    half = float(t.ppf((1 + level) / 2, n - 1)) * error
    return draws.estimate - half, draws.estimate + half


def _percentile(draws: Draws, level: float, n: int) -> tuple[float, float]:
    low, high = np.quantile(draws.drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _bca(draws: Draws, level: float, n: int) -> tuple[float, float]:
    from scipy.stats import norm

    tolerance = 1e-9 * float(np.abs(draws.drawn).max())
    below = (
        np.mean(draws.drawn < draws.estimate - tolerance)
        + np.mean(np.abs(draws.drawn - draws.estimate) <= tolerance) / 2
    )
    size = len(draws.drawn)
    bias = norm.ppf(np.clip(below, 1 / size, 1 - 1 / size))
    without = draws.without()
    pull = without.mean() - without
    bottom = 6 * float((pull**2).sum()) ** 1.5
    skew = float((pull**3).sum()) / bottom if bottom > 0 else 0.0
    ends = norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(draws.drawn, norm.cdf(bias + (bias + ends) / (1 - skew * (bias + ends))))
    return float(low), float(high)


def _lost(usable: int, asked: int) -> str:
    lost = asked - usable
    if lost <= asked / 100:
        return ""
    return f"{count(lost, 'draw')} of {asked:,} left out: no number (a class is missing, perhaps)"
