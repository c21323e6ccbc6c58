"""Thresholds: from where on a score is unusual on its plate, by robust statistics of the plate's controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._design import keys
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

Floats = NDArray[np.floating]
Scale = Literal["linear", "log"]
MAD_TO_SD = 1.4826
# Robust standard deviations from the median: of normal values, 3 in ten million lie beyond 5.
REACH = 5.0
# Fewer controls than this say little about a spread; then all cells of the plate stand for them.
MIN_REFERENCE = 30
_TINY = 1e-9


@dataclass(frozen=True)
class Rule:
    """How one score is judged.

    Parameters
    ----------
    low, high : str
        What it means when the score is below or above its threshold; empty where that is no fault.
    scale : "linear" or "log"
        On which scale deviations count; "log" for scores that are ratios of brightness or area.
    least : float
        Smallest deviation from the plate's median that is worth a flag: in the score's own units, or a factor ("log").
    floor : float
        A score up to this value is never flagged as too high.
    always : float
        A score beyond this value is flagged however usual it is on its plate.
    """

    low: str = ""
    high: str = ""
    scale: Scale = "linear"
    least: float = 0.0
    floor: float = 0.0
    always: float = math.inf


# From the most particular to the most general: the first that holds is a flag's main reason.
RULES: dict[str, Rule] = {
    # Rose (1948): a thing is seen from about 5 standard deviations of the noise on; 1 / (1 + 5). Where it is less
    # than a tenth of one, there is nothing
    "empty": Rule(high="nothing there: the light inside is that of the background", floor=1 / 6, always=1 / 1.1),
    "saturation": Rule(
        high="overexposed: pixels at the end of the scale, or much nearer to it", scale="log", least=2.0, always=0.05
    ),
    "focus": Rule(low="out of focus: fine detail is missing", scale="log", least=1.25),
    # in diameters of the cell; where the field ends is known, it is 1
    "cut": Rule(high="cut by the edge of the picture", floor=0.5, always=0.75),
    "touching": Rule(high="several objects in one mask, or in contact", least=0.25),
    "debris": Rule(high="something bright where other cells have nothing, not in all channels", least=1.0),
    "size": Rule(low="much smaller than others of its plate", high="much larger than others of its plate", least=1.0),
    "signal_to_noise": Rule(low="hardly rises above the noise", scale="log", least=2.0),
    "background": Rule(low="background darker than elsewhere", high="background brighter than elsewhere", least=0.5),
    # five standard deviations of single pixels across the picture
    "background_gradient": Rule(high="background rises across the picture", least=5.0),
}


def plates_of(data: Cells | Fields) -> pd.Series:
    """Return the declared batch of each row as text, or one name for all."""
    columns = data.design.batch
    return keys(data.obs, columns) if columns else pd.Series("all", index=data.ids)


def controls_or_all(cells: Cells) -> pd.Series:
    """Return True for controls, or for every cell where no control is declared or none is left."""
    everyone = pd.Series(True, index=cells.ids)
    if cells.design.control is None:
        return everyone
    try:
        return cells.controls
    except ValueError:
        # a subset may have lost its controls; thresholds then come from all cells, and their table says so
        return everyone


def limits(scores: pd.DataFrame, groups: pd.Series, reference: pd.Series) -> pd.DataFrame:
    """Return the threshold of each score on each plate.

    A threshold lies 5 robust standard deviations from the median, on that side's own spread (half-sample median
    absolute deviation, so that a skewed score gets no more flags than a symmetric one), and never nearer than what is
    worth a flag.

    Parameters
    ----------
    scores : DataFrame
        As from `score_quality`.
    groups : Series of text
        The plate of each row.
    reference : Series of bool
        Rows from which thresholds are learned.

    Returns
    -------
    DataFrame
        One row per plate and score: ``plate``, ``score``, ``middle``, ``low``, ``high``, ``n``, ``learned_from``.
    """
    rows = []
    for plate in pd.unique(groups):
        here = groups == plate
        chosen = here & reference
        use, source = (chosen, "controls") if chosen.sum() >= MIN_REFERENCE else (here, "all")
        if not reference.any() or reference.all():
            source = "all"
        for name in [n for n in RULES if n in scores]:
            values = scores.loc[use, name].to_numpy(float)
            values = values[np.isfinite(values)]
            middle, low, high = _limit(values, RULES[name])
            rows.append((plate, name, middle, low, high, len(values), source))
    return pd.DataFrame(rows, columns=["plate", "score", "middle", "low", "high", "n", "learned_from"])


def changed(found: pd.DataFrame, given: Mapping[str, float | Sequence[float] | None]) -> pd.DataFrame:
    """Return thresholds with those given by name in their place, on every plate.

    Raises
    ------
    KeyError, ValueError
        No such score, or not a number (a pair for scores with two sides, None for no flag).
    """
    table = found.copy()
    for name, value in given.items():
        if name not in set(table["score"]):
            raise KeyError(
                f"No score '{name}' to set a threshold for. There are: {some(pd.unique(table['score']), 20)}."
            )
        rows = table["score"] == name
        low, high = _given(name, value)
        table.loc[rows, "low"], table.loc[rows, "high"] = low, high
        table.loc[rows, "learned_from"] = "given"
    return table


def evidence(scores: pd.DataFrame, groups: pd.Series, found: pd.DataFrame) -> pd.DataFrame:
    """Return for each score how far each row is on the way from the plate's median (0) to the threshold (1)."""
    out = {}
    for name, rows in found.groupby("score", sort=False):
        at = groups.map(dict(zip(rows["plate"], range(len(rows)), strict=True))).to_numpy()
        middle, low, high = (rows[k].to_numpy(float)[at] for k in ("middle", "low", "high"))
        x, scale = scores[str(name)].to_numpy(float), RULES[str(name)].scale
        x, middle, low, high = (_scaled(v, scale) for v in (x, middle, low, high))
        out[name] = np.fmax(_way(middle - x, middle - low), _way(x - middle, high - middle))
    return pd.DataFrame(out, index=scores.index)


def _way(gone: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(whole > 0, gone / whole, np.where(gone > np.minimum(whole, 0), 2.0, 0.0))
    return np.where(np.isfinite(whole) & np.isfinite(gone), np.maximum(part, 0), 0.0)


def _limit(values: Floats, rule: Rule) -> tuple[float, float, float]:
    """Return median and thresholds; infinite where that side is no fault or nothing is known."""
    if not len(values):
        return math.nan, -math.inf, math.inf
    if rule.scale == "log" and np.median(values) <= _TINY:
        return float(np.median(values)), -math.inf, rule.always
    x = _scaled(values, rule.scale)
    middle = float(np.median(x))
    least = math.log(rule.least) if rule.scale == "log" else rule.least
    reach = [max(REACH * _spread(side), least) for side in (middle - x[x <= middle], x[x >= middle] - middle)]
    low = middle - reach[0] if rule.low else -math.inf
    high = middle + reach[1] if rule.high else math.inf
    if rule.scale == "log":
        middle, low, high = math.exp(middle), math.exp(low), math.exp(high) if high < 700 else math.inf
    return middle, low if rule.low else -math.inf, min(max(high, rule.floor), rule.always)


def _spread(away: Floats) -> float:
    """Return the robust standard deviation of one side; where half of it is one value, from the outer twentieth.

    What more than one cell in twenty shows is then usual, and what fewer show does not move the threshold.
    """
    if not len(away):
        return 0.0
    half = float(np.median(away))
    # 0.95 of the half-normal distribution lies within 1.96 standard deviations, 0.5 within 0.67
    return MAD_TO_SD * half if half > 0 else float(np.quantile(away, 0.95)) / 1.96


def _scaled(values: Floats, scale: Scale) -> Floats:
    if scale == "linear":
        return values
    out: Floats = np.log(np.maximum(values, _TINY))
    return out


def _given(name: str, value: float | Sequence[float] | None) -> tuple[float, float]:
    rule = RULES[name]
    if value is None:
        return -math.inf, math.inf
    both = bool(rule.low and rule.high)
    numbers = list(np.atleast_1d(np.asarray(value, dtype=float)))
    if len(numbers) != (2 if both else 1) or np.isnan(numbers).any() or (both and numbers[0] > numbers[1]):
        raise ValueError(
            f"The threshold for '{name}' is {value!r}, expected "
            f"{'two numbers (lowest, highest) that are fine' if both else 'one number'}, or None for no flag."
        )
    if both:
        return numbers[0], numbers[1]
    return (numbers[0], math.inf) if rule.low else (-math.inf, numbers[0])
