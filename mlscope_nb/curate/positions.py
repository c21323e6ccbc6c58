"""Positions: does it matter where on the plate a well lies? Edge, trends and stripes, tested over wells."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mlscope_nb.study.intervals import MIN_UNITS

POOLED = "all plates"
COLUMNS = ["plate", "effect", "estimate", "low", "high", "in_sd", "p_value", "p_adjusted", "n_wells", "note"]
_TRENDS = ("edge", "row trend", "column trend")
_PATTERNS = {"row pattern": "row", "column pattern": "column"}


def position_effects(wells: pd.DataFrame, shape: tuple[int, int], level: float = 0.95) -> pd.DataFrame:
    """Test edge, row and column effects by least squares over wells, for each plate and for all together.

    One model holds them side by side, so that each is what the others do not explain: the difference of wells at the
    rim from the others, the change from the first to the last row and column, and, beyond these, whether any row or
    column differs from its neighbours. Plates (and treatments, where given) have a level each.

    Parameters
    ----------
    wells : DataFrame
        One row per well: ``plate``, ``row``, ``column``, ``value``, and ``treatment`` where it is to be allowed for.
    shape : (rows, columns)
        Of the plate; says which wells are at the rim.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per plate and effect: `COLUMNS`. A trend is in units of the value, a pattern is the share of the
        variance left by the rest (partial R²) with Steiger's interval. ``p_adjusted`` is Holm's, over the plates' tests
        and over those of all plates together, apart.

    Examples
    --------
    >>> rows, columns = np.divmod(np.arange(96), 12)
    >>> rim = np.isin(rows, [0, 7]) | np.isin(columns, [0, 11])
    >>> value = np.random.default_rng(0).normal(rim * 2.0, 1)
    >>> wells = pd.DataFrame({"plate": "p", "row": rows + 1, "column": columns + 1, "value": value})
    >>> found = position_effects(wells, (8, 12)).set_index("effect")
    >>> bool(found.loc["edge", "low"] < 2 < found.loc["edge", "high"]), bool(found.loc["edge", "p_adjusted"] < 0.01)
    (True, True)
    """
    known = wells[wells["value"].notna()]
    plates = list(known["plate"].unique())
    single = [row for name in plates for row in _tests(known[known["plate"] == name], str(name), shape, level)]
    pooled = list(_tests(known, POOLED, shape, level)) if len(plates) > 1 else []
    found = [pd.DataFrame(rows, columns=COLUMNS) for rows in (pooled, single) if rows]
    for table in found:
        table["p_adjusted"] = holm(table["p_value"].to_numpy(float))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def at_rim(wells: pd.DataFrame, shape: tuple[int, int]) -> np.ndarray:
    """Return True for wells at the rim of the plate."""
    rim = wells["row"].isin([1, shape[0]]) | wells["column"].isin([1, shape[1]])
    return np.asarray(rim)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values for many tests at once: a single false alarm among them is as rare as the level says.

    References
    ----------
    Holm 1979, Scand J Stat 6:65.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def _tests(wells: pd.DataFrame, name: str, shape: tuple[int, int], level: float) -> Iterator[tuple[object, ...]]:
    y = wells["value"].to_numpy(float)
    trends = {"edge": at_rim(wells, shape).astype(float)}
    for axis, length in zip(("row", "column"), shape, strict=True):
        trends[f"{axis} trend"] = (wells[axis].to_numpy(float) - 1) / max(length - 1, 1)
    base = np.column_stack([_levels(wells[c]) for c in ("plate", "treatment") if c in wells])
    for effect in _TRENDS:
        others = np.column_stack([base, *(trends[e] for e in _TRENDS if e != effect)])
        yield (name, effect, *_trend(y, trends[effect], others, level))
    all_trends = np.column_stack([base, *trends.values()])
    for effect, axis in _PATTERNS.items():
        yield (name, effect, *_pattern(y, _levels(wells[axis]), all_trends, level))


def _levels(column: pd.Series) -> np.ndarray:
    codes = pd.factorize(column.astype(str), sort=True)[0]
    found: np.ndarray = np.eye(codes.max() + 1)[codes]
    return found


def _trend(y: np.ndarray, x: np.ndarray, others: np.ndarray, level: float) -> tuple[object, ...]:
    """Return estimate, low, high, in_sd, p, adjusted p (later), wells and note of one slope."""
    from scipy.special import stdtr, stdtrit

    n = len(y)
    own, rest = _left(x, others), _left(y, others)
    if float(own @ own) <= 1e-9 * n:
        return (*_nothing(), n, "cannot be told here: all wells lie alike, or as treatments and plates do")
    estimate = float(own @ rest / (own @ own))
    freedom = n - int(np.linalg.matrix_rank(np.column_stack([others, x])))
    if freedom < MIN_UNITS:
        return (estimate, *_nothing()[1:], n, f"too few wells to say, {n}")
    left = rest - estimate * own
    scatter = math.sqrt(max(float(left @ left), 0.0) / freedom)
    if scatter <= 1e-12 * max(1.0, float(np.abs(y).max())):
        return (estimate, *_nothing()[1:], n, "the wells do not scatter: an interval without width is not certainty")
    error = scatter / math.sqrt(float(own @ own))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(estimate) / error))
    return estimate, estimate - half, estimate + half, estimate / scatter, p_value, math.nan, n, ""


def _pattern(y: np.ndarray, levels: np.ndarray, others: np.ndarray, level: float) -> tuple[object, ...]:
    """Return the same of any difference between rows or columns that the trends do not explain (F test)."""
    from scipy.special import fdtrc

    n, before = len(y), int(np.linalg.matrix_rank(others))
    together = np.column_stack([others, levels])
    rank = int(np.linalg.matrix_rank(together))
    more, freedom = rank - before, n - rank
    if more < 1:
        return (*_nothing(), n, "cannot be told here: too few rows or columns, or they lie as treatments do")
    if freedom < MIN_UNITS:
        return (*_nothing(), n, f"too few wells to say, {n}")
    small, large = _left(y, together), _left(y, others)
    within, between = float(small @ small), float(large @ large - small @ small)
    if within <= 1e-24 * max(1.0, float(y @ y)):
        return (*_nothing(), n, "the wells do not scatter: an interval without width is not certainty")
    ratio = between / more / (within / freedom)
    low, high = _explained(ratio, more, freedom, n, level)
    return between / (between + within), low, high, math.nan, float(fdtrc(more, freedom, ratio)), math.nan, n, ""


def _explained(ratio: float, more: int, freedom: int, n: int, level: float) -> tuple[float, float]:
    """Return the interval of partial R² by inverting the noncentral F distribution (Steiger 2004)."""
    from scipy.special import ncfdtrinc

    shares = (1 + level) / 2, (1 - level) / 2
    # 0 where even no effect at all would rarely give a ratio as small
    low, high = (max(float(ncfdtrinc(more, freedom, share, ratio)), 0.0) for share in shares)
    return low / (low + n), high / (high + n)


def _left(y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return what the other columns leave of y."""
    found: np.ndarray = y - others @ np.linalg.lstsq(others, y, rcond=1e-10)[0]
    return found


def _nothing() -> tuple[float, ...]:
    return (math.nan,) * 6
