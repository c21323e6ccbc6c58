"""What distinguishes chosen cells from all others: effect sizes, with intervals over the unit of independence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._align import positions
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.units import noun, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csc_array

BLOCK_VALUES = 2_000_000
"""Numbers that are worked on at a time: what bounds the memory."""


class Groups(NamedTuple):
    """Which unit each cell belongs to and whether it is chosen, and the matrix that sums cells by both."""

    chosen: NDArray[np.bool_]
    n_units: int
    sums: csc_array  # (2 * n_units, N): first the units' other cells, then their chosen ones


def distinguish(
    cells: Cells, ids: Any, *, columns: str | Sequence[str] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Rank features by how much the chosen cells differ from all others.

    There are no p-values: a group that was chosen by looking differs because it was chosen. The interval is the
    jackknife over units (the effect without each unit in turn, the pooled deviation included), with Student's t for
    as many units as hold cells of the rarer side; copying every cell changes nothing.

    Parameters
    ----------
    cells : Cells
        With features (or columns named) and a declared unit; without a unit there are effects and no intervals.
    ids : ids, or boolean Series or array (N,)
        The chosen cells.
    columns : str or several, optional
        Columns of features and obs; all features by default.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        One row per feature, the largest effect first: effect (difference of the means, chosen minus others, in pooled
        standard deviations of cells, divisor N), low, high, n_units (units with chosen cells or units with others,
        the fewer), mean_selected, mean_others. Cells without a value are left out of that feature. In ``attrs``:
        "history"; "constant" and "empty", the features left out; "reason", why intervals are missing, or "".

    Raises
    ------
    ValueError
        No cells or all cells are chosen, or there are no features.
    KeyError
        An id or a column is not known.

    References
    ----------
    Cohen (1988) Statistical Power Analysis, for the effect; Efron & Stein (1981) Annals of Statistics 9:586, for the
    jackknife, which held the level better than linearisation where units are few or the effect is large.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCC")}, index=list("abcdef"))
    >>> area = pd.DataFrame({"area": [1.0, 5, 2, 6, 3, 8]}, index=obs.index)
    >>> distinguish(Cells(obs, features=area, unit="well"), ["b", "d", "f"]).round(2).loc["area", "effect"]
    np.float64(4.11)
    """
    check_level(level)
    table = cells.table([columns] if isinstance(columns, str) else columns)
    groups = _groups(cells, ids)
    values = table.to_numpy()
    width = max(1, BLOCK_VALUES // max(1, len(values)))
    parts = [_effects(values[:, i : i + width], groups) for i in range(0, values.shape[1], width)]
    if not parts:
        raise ValueError("There are no features to compare. Measure them: ms.features.measure(cells).")
    found = pd.DataFrame({name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, index=table.columns)
    declared = bool(cells.design.unit)
    return _ranked(_with_interval(found, level, declared), groups, level, noun(cells.design.unit) if declared else "")


def _groups(cells: Cells, ids: Any) -> Groups:
    from scipy.sparse import csc_array

    n = len(cells)
    chosen = np.zeros(n, bool)
    chosen[positions(ids, cells.ids)] = True
    if not chosen.any():
        raise ValueError("No cells are chosen: there is nothing to compare. Select cells first.")
    if chosen.all():
        raise ValueError(f"All {count(n, 'cell')} are chosen: there are no others to compare with.")
    codes = _unit_codes(cells)
    n_units = int(codes.max()) + 1
    sums = csc_array((np.ones(n), codes + chosen * n_units, np.arange(n + 1)), shape=(2 * n_units, n))
    return Groups(chosen, n_units, sums)


def _unit_codes(cells: Cells) -> NDArray[np.int64]:
    """Return a number for the unit of each cell, as `cells.units` has it but without a text for each of them."""
    obs = cells.obs
    # Without a unit every sum is that of one group, which gives means and deviations and no interval.
    codes = np.zeros(len(obs), np.int64)
    for column in cells.design.unit:
        of_cell, values = pd.factorize(obs[column])
        of_value, texts = pd.factorize(pd.Index(values).astype(str))
        codes = pd.factorize(codes * len(texts) + of_value[of_cell])[0]
    return codes


def _effects(values: NDArray[Any], groups: Groups) -> dict[str, NDArray[Any]]:
    """Return means, effects and their standard errors of a few features at once, one entry per feature."""
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    gaps = not known.all()
    filled = np.where(known, values, 0.0) if gaps else values
    largest = np.abs(filled).max(axis=0)
    centre = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    rest = np.where(known, filled - centre, 0.0) if gaps else filled - centre
    n = _by_group(known.astype(float) if gaps else np.ones((len(values), 1)), groups)  # (2, units, features or 1)
    sums, total = _by_group(rest, groups), n.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.sum(axis=1) / total
        rest -= means[groups.chosen.astype(int)]
        if gaps:
            rest[~known] = 0
        squares = _by_group(rest**2, groups)
        constant = np.abs(rest).max(axis=0) <= 1e-12 * largest
        spread = np.where(constant, 0.0, np.sqrt(squares.sum(axis=(0, 1)) / total.sum(axis=0)))
        difference = means[1] - means[0]
        difference[np.abs(difference) <= 1e-12 * largest] = 0.0
        effect = difference / spread
    error = _jackknife(difference, _by_group(rest, groups), squares, n)
    width = values.shape[1]
    return {
        "effect": effect,
        "error": np.where(spread > 0, error, np.nan),
        "n_units": np.broadcast_to((n > 0).sum(axis=1).min(axis=0), width),
        "mean_selected": means[1] + centre,
        "mean_others": means[0] + centre,
        "empty": np.broadcast_to(total.sum(axis=0) == 0, width),
    }


def _jackknife(
    difference: NDArray[np.float64], sums: NDArray[np.float64], squares: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the standard error of the effect: computed again without each unit in turn, from the sums of units."""
    with np.errstate(invalid="ignore", divide="ignore"):
        left = n.sum(axis=1, keepdims=True) - n
        moved = (sums.sum(axis=1, keepdims=True) - sums) / left  # how far each group's mean moves
        rest = squares.sum(axis=1, keepdims=True) - squares - left * moved**2
        variance = np.maximum(rest.sum(axis=0), 0) / left.sum(axis=0)
        without = (difference + moved[1] - moved[0]) / np.sqrt(variance)
        present = np.broadcast_to(n.sum(axis=0) > 0, without.shape)
        units = present.sum(axis=0)
        centre = np.where(present, without, 0).sum(axis=0) / units
        spread = (np.where(present, without - centre, 0) ** 2).sum(axis=0)
        error: NDArray[np.float64] = np.sqrt((units - 1) / units * spread)
    return error


def _by_group(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Return sums over the cells of each unit: (others or chosen, unit, feature)."""
    summed: NDArray[np.float64] = (groups.sums @ values).reshape(2, groups.n_units, -1)
    return summed


def _with_interval(found: pd.DataFrame, level: float, declared: bool) -> pd.DataFrame:
    from scipy.special import stdtrit

    freedom = found["n_units"].to_numpy() - 1
    known = (freedom >= 1) & np.isfinite(found["error"].to_numpy()) & declared
    half = np.full(len(found), np.nan)
    half[known] = stdtrit(freedom[known], (1 + level) / 2) * found["error"].to_numpy()[known]
    return found.assign(low=found["effect"] - half, high=found["effect"] + half, n_units=found["n_units"] * declared)


def _ranked(found: pd.DataFrame, groups: Groups, level: float, unit: str) -> pd.DataFrame:
    # 0 / 0 is a feature with one value; without a value on one side the means are missing too, and that is no constant.
    same = found["effect"].isna() & found["mean_selected"].notna() & found["mean_others"].notna()
    kept = found[~same & ~found["empty"]]
    order = np.argsort(-kept["effect"].abs().to_numpy(), kind="stable")
    names = ["effect", "low", "high", "n_units", "mean_selected", "mean_others"]
    result = kept.iloc[order][names].rename_axis(index="feature")
    n = int(groups.chosen.sum())
    step = {"step": "distinguish", "n_selected": n, "n_others": len(groups.chosen) - n, "level": level, "unit": unit}
    result.attrs = {
        "history": [step],
        "constant": list(map(str, found.index[same])),
        "empty": list(map(str, found.index[found["empty"]])),
        "reason": _reason(result, unit),
    }
    return result


def _reason(result: pd.DataFrame, unit: str) -> str:
    """Say why intervals are missing; nothing when all are there."""
    if not unit:
        return "No interval: no unit of independence is declared. Declare it: cells.with_design(unit=…)."
    missing = result[result["low"].isna()]
    if missing.empty:
        return ""
    if (missing["n_units"] < 2).all():
        few = f"the chosen cells or the others come from fewer than two {plural(unit)}"
        where = "" if len(missing) == len(result) else f" for {count(len(missing), 'feature')}"
        return f"No interval{where}: {few}, so it cannot be told apart from a difference between {plural(unit)}."
    return (
        f"No interval for {count(len(missing), 'feature')}: too few {plural(unit)}, or no variation within both groups."
    )
