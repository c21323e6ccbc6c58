"""Agreement: do two people, or one person twice, give cells the same labels?"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._align import text_index
from mlscope_nb._words import count, percent, some
from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.intervals import MIN_UNITS, check_level
from mlscope_nb.study.label_files import read_label_file
from mlscope_nb.study.units import noun, plural

Labels = pd.Series | str | Path


@dataclass(frozen=True, eq=False)
class Agreement(Result):
    """How well two sets of labels agree on the cells that both of them name.

    Parameters
    ----------
    n : int
        Cells labelled in both.
    only_a, only_b : int
        Cells labelled in one of them alone, which do not count.
    observed : float
        Share of the n cells with the same label.
    kappa : float
        Cohen's kappa: 1 is full agreement, 0 what chance would give; NaN where it is not defined.
    low, high : float
        Interval of kappa over units, NaN where there is none.
    level : float
        Confidence level.
    n_units : int
        Units that the interval rests on.
    unit : str
        The word for one unit.
    confusion : DataFrame
        Cells by label in the first (rows) and in the second (columns).
    differ : DataFrame
        The cells on which they differ, by id, with both labels: ``w.select(found.differ.index)`` shows them.
    note : str
        Why there is no kappa or no interval, or nothing.
    """

    n: int
    only_a: int
    only_b: int
    observed: float
    kappa: float
    low: float
    high: float
    level: float
    n_units: int
    unit: str
    confusion: pd.DataFrame
    differ: pd.DataFrame
    note: str = ""

    def __str__(self) -> str:
        same = self.n - len(self.differ)
        parts = [
            f"{same:,} of {count(self.n, 'cell')} have the same label in both ({percent(self.observed)})",
            self._kappa(),
        ]
        one = self.only_a + self.only_b
        left = f". {count(one, 'cell is', 'cells are')} labelled in one only, and not counted" if one else ""
        return "; ".join(parts) + left + (f". {self.note}" if self.note else "")

    def _kappa(self) -> str:
        if not math.isfinite(self.kappa):
            return "kappa is not defined"
        if not math.isfinite(self.low):
            return f"Cohen's kappa is {number(self.kappa, 0.1)} (no interval)"
        over = count(self.n_units, self.unit, plural(self.unit))
        ends = f"{number(self.low, 0.1)} to {number(self.high, 0.1)}"
        return f"Cohen's kappa is {number(self.kappa, 0.1)} ({self.level * 100:g} % interval over {over}: {ends})"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.confusion.to_html(escape=True, border=0)}"


def agreement(
    a: Labels, b: Labels, cells: Cells | None = None, *, column: str | None = None, level: float = 0.95
) -> Agreement:
    """Compare two sets of labels cell by cell: agreement, Cohen's kappa, and the cells on which they differ.

    Labels are compared as text (``1``, ``1.0`` and ``"1"`` are one label). The interval is the jackknife over units:
    kappa without each unit in turn, with Student's t; copying every cell changes nothing.

    Parameters
    ----------
    a, b : Series by cell id, or path
        Labels, as ``w.labels`` gives them, or files of the workbench (CSV or ``.jsonl``). Missing means not labelled.
    cells : Cells, optional
        The cells that were labelled, with a declared unit: needed for the interval, and to refuse unknown ids.
    column : str, optional
        Which column of labels to read from files that hold several.
    level : float
        Confidence level.

    Returns
    -------
    Agreement
        With ``kappa``, ``low``, ``high``, ``observed``, ``confusion``, ``differ``.

    Raises
    ------
    ValueError
        No cell is labelled in both, or an id stands twice.
    KeyError
        An id is not among the cells.

    References
    ----------
    Cohen (1960) Educational and Psychological Measurement 20:37; equal to scikit-learn's ``cohen_kappa_score``.

    Examples
    --------
    >>> first = pd.Series({"a": "round", "b": "long", "c": "round", "d": None})
    >>> second = pd.Series({"a": "round", "b": "long", "c": "long", "d": "long"})
    >>> found = agreement(first, second)
    >>> round(found.kappa, 2), found.differ.index.tolist()
    (0.4, ['c'])
    """
    check_level(level)
    first, second = _labels(a, "first", cells, column), _labels(b, "second", cells, column)
    both = first.index.intersection(second.index, sort=False)
    if not len(both):
        raise ValueError(
            f"No cell is labelled in both: {count(len(first), 'cell')} in the first, {count(len(second), 'cell')} in "
            "the second. Two people have to label the same cells."
        )
    one, two = first[both], second[both]
    classes = sorted({*one, *two})
    codes = [pd.Categorical(x, categories=classes).codes.astype(int) for x in (one, two)]
    keys = None if cells is None or not cells.design.unit else cells.units[both]
    kappa, low, high, n_units, note = _kappa_over_units(codes[0], codes[1], len(classes), keys, level)
    table = np.zeros((len(classes), len(classes)), int)
    np.add.at(table, (codes[0], codes[1]), 1)
    differ = (one != two).to_numpy()
    return Agreement(
        n=len(both),
        only_a=len(first) - len(both),
        only_b=len(second) - len(both),
        observed=float((~differ).mean()),
        kappa=kappa,
        low=low,
        high=high,
        level=level,
        n_units=n_units,
        unit="unit" if cells is None or not cells.design.unit else noun(cells.design.unit),
        confusion=pd.DataFrame(table, index=pd.Index(classes, name="first"), columns=pd.Index(classes, name="second")),
        differ=pd.DataFrame({"first": one[differ], "second": two[differ]}, index=both[differ]),
        note=note,
    )


def _labels(given: Labels, which: str, cells: Cells | None, column: str | None) -> pd.Series:
    series = read_label_file(given, column) if isinstance(given, str | Path) else given
    if not isinstance(series, pd.Series):
        raise TypeError(
            f"The {which} labels are a {type(given).__name__}, expected a Series by cell id (w.labels) or a file."
        )
    series = series.set_axis(text_index(series.index, "cell_id"))
    twice = series.index[series.index.duplicated()].unique()
    if len(twice):
        raise ValueError(f"{count(len(twice), 'id')} twice in the {which} labels: {some(twice)}. One label per cell.")
    series = series[series.notna()]
    if cells is not None:
        unknown = series.index.difference(cells.ids, sort=False)
        if len(unknown):
            raise KeyError(
                f"{count(len(unknown), 'labelled id')} of the {which} labels not among these "
                f"{count(len(cells), 'cell')}: {some(unknown)}. Give the cells that were labelled."
            )
    return pd.Series([_text(value) for value in series], index=series.index, dtype=object)


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _kappa_over_units(
    one: np.ndarray, two: np.ndarray, n_classes: int, keys: pd.Series | None, level: float
) -> tuple[float, float, float, int, str]:
    """Return kappa, its interval, the number of units, and why something is missing."""
    units = np.zeros(len(one), int) if keys is None else pd.factorize(keys)[0]
    n_units = int(units.max()) + 1
    counts = _counts(one, two, units, n_units, n_classes)
    total = [part.sum(axis=0) for part in counts]
    kappa = float(_kappa(*total))
    if keys is None:
        note = "No interval: give the cells with a declared unit, agreement(a, b, cells)."
        return kappa, math.nan, math.nan, 0, note if math.isfinite(kappa) else _one_label(one)
    if not math.isfinite(kappa):
        return kappa, math.nan, math.nan, n_units, _one_label(one)
    without = _kappa(*(whole - part for whole, part in zip(total, counts, strict=True)))
    if n_units < MIN_UNITS or not np.isfinite(without).all():
        few = f"{n_units} found, at least {MIN_UNITS} needed" if n_units < MIN_UNITS else "one holds all of a class"
        return kappa, math.nan, math.nan, n_units, f"No interval: too few units to say, {few}."
    from scipy.stats import t

    error = math.sqrt((n_units - 1) / n_units * float(((without - without.mean()) ** 2).sum()))
    half = float(t.ppf((1 + level) / 2, n_units - 1)) * error
    note = "All units agree alike: an interval without width is not certainty." if half <= 1e-12 else ""
    return kappa, max(kappa - half, -1.0), min(kappa + half, 1.0), n_units, note


def _counts(one: np.ndarray, two: np.ndarray, units: np.ndarray, n_units: int, n_classes: int) -> list[np.ndarray]:
    """Return for each unit how many cells agree (units,), and how many have each label in the first and the second."""
    agreed = np.bincount(units, one == two, minlength=n_units)
    of_label = [np.zeros((n_units, n_classes)) for _ in range(2)]
    for table, codes in zip(of_label, (one, two), strict=True):
        np.add.at(table, (units, codes), 1)
    return [agreed, *of_label]


def _kappa(agreed: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa from counts; NaN where there are no cells, or chance would agree on everything."""
    with np.errstate(invalid="ignore", divide="ignore"):
        n = first.sum(axis=-1)
        by_chance = (first * second).sum(axis=-1) / n
        return np.where(by_chance < n, (agreed - by_chance) / (n - by_chance), np.nan)


def _one_label(codes: np.ndarray) -> str:
    return (
        f"Both gave all {count(len(codes), 'cell')} one and the same label, so chance alone would agree as well: "
        "kappa needs cells of two classes."
    )
