"""Intervals over units: an estimate, how far it can be trusted, and over how many independent units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.blocks import Blocks, Within, blocks, ordered
from mlscope_nb.study.units import noun, paired, plural, unit_means

MIN_UNITS = 3
"""Below this number of units (in each group, for a difference) no interval is given."""


@dataclass(frozen=True)
class Interval(Result):
    """An estimate with the interval over the units behind it.

    Parameters
    ----------
    estimate, low, high : float
        In the units of what was measured; low and high are NaN where there are too few units to say.
    level : float
        How often such intervals hold the truth, as 0.95.
    n_units : int
        Independent units that the interval rests on.
    target : str
        What is estimated.
    method : str
        How the interval was made.
    unit : str
        The word for one unit.
    note : str
        Why there is no interval, or what else a reader has to know.

    Examples
    --------
    >>> print(Interval(0.712, 0.62, 0.79, 0.95, 12, "accuracy", "t", unit="well"))
    0.71 (95 % interval over 12 wells: 0.62 to 0.79)
    """

    estimate: float
    low: float
    high: float
    level: float
    n_units: int
    target: str
    method: str
    unit: str = "unit"
    note: str = ""

    @property
    def known(self) -> bool:
        """True where there are enough units for an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def excludes(self, value: float = 0.0) -> bool:
        """Return True when the value lies outside the interval; False where there is none."""
        return self.known and not self.low <= value <= self.high

    def __str__(self) -> str:
        width = self.high - self.low
        estimate = number(self.estimate, width)
        if not self.known:
            return f"{estimate} (no interval: {self.note})"
        over = count(self.n_units, self.unit, plural(self.unit))
        ends = f"{number(self.low, width)} to {number(self.high, width)}"
        return f"{estimate} ({self.level * 100:g} % interval over {over}: {ends})"


def t_interval(
    values: str | pd.Series | np.ndarray,
    units: Cells | pd.Series | np.ndarray | None = None,
    *,
    level: float = 0.95,
    target: str = "mean",
) -> Interval:
    """Return the mean over units with Student's t interval: one number per unit, n - 1 degrees of freedom.

    Exact where unit means are normal; how well it holds for skewed ones is measured in
    ``studies/RESULTS.md``.

    Parameters
    ----------
    values : Series or array (N,), or str
        One number per cell, or the name of a feature or obs column of `units`.
    units : Cells, Series or array (N,), optional
        The unit of each cell. None: the values are one per unit.
    level : float
        Confidence level.
    target : str
        What is estimated, for the record.

    Raises
    ------
    ValueError
        Values and units do not fit, a value is infinite, or level is not between 0 and 1.

    Examples
    --------
    >>> print(t_interval(np.array([1.0, 2.0, 2.0, 3.0, 2.0]), np.array(list("AABCD"))))
    2.1 (95 % interval over 4 units: 1.1 to 3.1)
    """
    check_level(level)
    means = unit_means(values, units).to_numpy()
    n, word = len(means), unit_word(units)
    estimate = float(means.mean()) if n else math.nan
    if n < MIN_UNITS:
        return too_few(estimate, level, n, target, "t", word)
    half = _t_quantile(level, n - 1) * float(means.std(ddof=1)) / math.sqrt(n)
    return Interval(estimate, estimate - half, estimate + half, level, n, target, "t", word, same(means, word))


def difference_interval(
    values: str | pd.Series | np.ndarray,
    cells: Cells,
    *,
    between: Sequence[Any] | None = None,
    within: Within = "design",
    level: float = 0.95,
) -> Interval:
    """Return the difference of two classes (second minus first) with a t interval that follows the design.

    Units are compared within their batch where batches hold both classes, each unit with itself where
    labels vary within units, whole batches where each batch holds one class, and otherwise all units
    (Welch). Within batches and within units it is least squares with one level per batch or unit, which for
    pairs is the paired t interval.

    Parameters
    ----------
    values : Series or array (N,), or str
        One number per cell, or the name of a feature or obs column.
    cells : Cells
        Cells with a declared unit and label.
    between : two classes, optional
        Which classes, first and second; needed when there are more than two.
    within : "design", "batch" or None
        As in `blocks`: None ignores the batch.
    level : float
        Confidence level.

    Raises
    ------
    ValueError
        There are not two classes, or no unit or label is declared.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCDEF"), "drug": list("xxxyyy")}, index=list("abcdef"))
    >>> cells = Cells(obs, unit="well", label="drug")
    >>> print(difference_interval(np.array([1.0, 2.0, 3.0, 5.0, 6.0, 7.0]), cells))
    4.0 (95 % interval over 6 wells: 1.7 to 6.3)
    """
    check_level(level)
    first, second = _two_classes(cells.labels, between)
    numbers, _ = paired(values, cells)
    labels = cells.labels
    labels = labels.where(labels.isin([first, second]) & numbers.notna())
    target = f"difference {second} - {first}"
    if labels.notna().sum() == 0:
        return too_few(math.nan, level, 0, target, "t", noun(cells.design.unit))
    found = blocks(cells, labels=labels, within=within)
    if len(found.classes) < 2:
        note = f"no value in any cell of {first if second in found.classes else second}"
        return Interval(math.nan, math.nan, math.nan, level, 0, target, "t", found.item, note)
    return _difference(found, found.means(numbers), found.classes.index(second), level, target)


def too_few(estimate: float, level: float, n: int, target: str, method: str, word: str, each: str = "") -> Interval:
    """Return an estimate without an interval, and say why."""
    note = f"too few units to say, {count(n, word, plural(word))}{each} found, at least {MIN_UNITS}{each} needed"
    return Interval(estimate, math.nan, math.nan, level, n, target, method, word, note)


def same(means: np.ndarray, word: str) -> str:
    """Return a warning when all units have one value, for then the interval has no width."""
    if len(means) and np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())):
        return f"All {plural(word)} have the same value: an interval without width is not certainty."
    return ""


def all_alike_end(n: float, level: float) -> float:
    """Return how small a mean between 0 and 1 may be when each of `n` units showed exactly 1.

    The units do not scatter, so no spread tells how sure one is. But a unit that shows 1 does so with a probability
    that is at most the mean, so that all of `n` do with at most its n-th power, whatever else units may be. It is the
    exact end of Clopper and Pearson (1934, Biometrika 26:404) with one trial for each unit; with 0 throughout, 1 minus
    this is the upper end.

    Examples
    --------
    >>> [round(all_alike_end(n, 0.95), 2) for n in (3, 6, 12, 24)]
    [0.29, 0.54, 0.74, 0.86]
    """
    return float(((1 - level) / 2) ** (1 / n))


def of_share(found: Interval, n: int | None = None) -> tuple[float, float]:
    """Return the ends of an interval of a share, 0 to 1; the exact ones where every unit shows 0, or 1.

    Parameters
    ----------
    found : Interval
        Of values between 0 and 1.
    n : int, optional
        Units that showed a value; default: those of the interval.

    Examples
    --------
    >>> of_share(t_interval(np.array([1.0, 1.0, 1.0, 1.0])))
    (0.397..., 1.0)
    """
    n = found.n_units if n is None else n
    if not found.known:
        return found.low, found.high
    if found.estimate == 1:
        return all_alike_end(n, found.level), 1.0
    if found.estimate == 0:
        return 0.0, 1 - all_alike_end(n, found.level)
    return max(0.0, min(1.0, found.low)), max(0.0, min(1.0, found.high))


def check_level(level: float) -> None:
    """Raise when the level is not between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1, such as 0.95.")


def unit_word(units: Any) -> str:
    """Return the word for one unit that fits what was given as units."""
    if isinstance(units, Cells):
        return noun(units.design.unit)
    return noun((units.name,)) if isinstance(units, pd.Series) and isinstance(units.name, str) else "unit"


def _difference(found: Blocks, means: np.ndarray, second: int, level: float, target: str) -> Interval:
    group, stratum = found.code == second, found.stratum
    if found.scheme in ("units", "batches"):
        return _welch(means[~group], means[group], level, target, found)
    both = np.array([0 < group[stratum == s].mean() < 1 for s in range(stratum.max() + 1)])[stratum]
    return _within(means[both], group[both].astype(float), pd.factorize(stratum[both])[0], level, target, found)


def _welch(a: np.ndarray, b: np.ndarray, level: float, target: str, found: Blocks) -> Interval:
    estimate = float(b.mean() - a.mean())
    if min(len(a), len(b)) < MIN_UNITS:
        return too_few(estimate, level, min(len(a), len(b)), target, "Welch t", found.item, " in a class")
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    bottom = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    freedom = sum(parts) ** 2 / bottom if bottom > 0 else len(a) + len(b) - 2
    half = _t_quantile(level, freedom) * math.sqrt(sum(parts))
    n, note = len(a) + len(b), found.note or same(np.concatenate([a - a.mean(), b - b.mean()]), found.item)
    return Interval(estimate, estimate - half, estimate + half, level, n, target, "Welch t", found.item, note)


def _within(y: np.ndarray, x: np.ndarray, stratum: np.ndarray, level: float, target: str, found: Blocks) -> Interval:
    paired_units = found.scheme == "classes within unit"
    method = "paired t within units" if paired_units else "t within batches"
    if not len(y):
        return too_few(math.nan, level, 0, target, method, found.item, " with both classes" if paired_units else "")
    sizes = np.bincount(stratum)
    y_in = y - (np.bincount(stratum, y) / sizes)[stratum]
    x_in = x - (np.bincount(stratum, x) / sizes)[stratum]
    estimate = float((x_in @ y_in) / (x_in @ x_in))
    n = len(sizes) if paired_units else len(y)
    fewest = n if paired_units else int(min(x.sum(), (1 - x).sum()))
    freedom = len(y) - len(sizes) - 1
    if fewest < MIN_UNITS:
        each = " with both classes" if paired_units else " in a class, in batches with both"
        return too_few(estimate, level, fewest, target, method, found.item, each)
    rest = y_in - estimate * x_in
    half = _t_quantile(level, freedom) * math.sqrt(float(rest @ rest) / freedom / float(x_in @ x_in))
    return Interval(estimate, estimate - half, estimate + half, level, n, target, method, found.item, found.note)


def _two_classes(labels: pd.Series, between: Sequence[Any] | None) -> tuple[Any, Any]:
    found = ordered(labels)
    if not found:
        raise ValueError(f"No cell has a label in '{labels.name}', so there are no two classes to compare.")
    if between is None and len(found) != 2:
        raise ValueError(f"{count(len(found), 'class', 'classes')} found: {some(found)}. Name two: between=(…, …).")
    chosen = found if between is None else list(between)
    if isinstance(between, str) or len(chosen) != 2 or chosen[0] == chosen[1]:
        raise ValueError(f"between is {between!r}, expected two different classes of: {some(found)}.")
    unknown = [c for c in chosen if c not in found]
    if unknown:
        raise ValueError(f"No cell is labelled {some(unknown)}. Classes: {some(found)}.")
    return chosen[0], chosen[1]


def _t_quantile(level: float, freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, freedom))
