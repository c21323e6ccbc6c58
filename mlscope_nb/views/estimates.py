"""Estimates with their intervals, one below the other: which model, which split, which treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.predict import Evaluation
from mlscope_nb.study.intervals import Interval
from mlscope_nb.views import _bokeh
from mlscope_nb.views._sentences import kept_apart
from mlscope_nb.views.colours import PALETTE

if TYPE_CHECKING:
    from holoviews import Overlay

_LETTERS = 40
_GREY = "#767676"


def estimates(
    rows: Evaluation | Mapping[str, Evaluation | Interval] | pd.DataFrame,
    *,
    value: str | None = None,
    chance: float | None = None,
    label: str = "",
    limits: tuple[float, float] | None = None,
    width: int = 640,
) -> Overlay:
    """Draw estimates as points and their intervals as lines, one row each, in the order given.

    Parameters
    ----------
    rows : Evaluation, mapping or DataFrame
        One evaluation, drawn above its baselines; names to evaluations or intervals; or a table with columns low and
        high, names as index.
    value : str, optional
        Column of a table that holds the estimates; its first column of numbers by default.
    chance : float, optional
        Where a dashed line is drawn: guessing, or no effect. Default: that of the evaluations, where all have the same.
    label : str
        Below the axis: what is estimated.
    limits : (low, high), optional
        Ends of the axis.
    width : int
        Of the plot, in screen pixels.

    Returns
    -------
    holoviews.Overlay
        Change it with ``.opts(…)``. A row without an interval is a point alone.

    Raises
    ------
    TypeError, ValueError, KeyError
        Something that is no estimate, nothing to draw, or a column that is missing.

    Examples
    --------
    >>> found = {"score": [0.7, 0.5], "low": [0.6, 0.4], "high": [0.8, 0.6]}
    >>> table = pd.DataFrame(found, index=["model", "area alone"])
    >>> [type(part).__name__ for part in estimates(table, chance=0.5)]
    ['VLine', 'Segments', 'Scatter']
    """
    table = _table(rows, value)
    words = label or table.attrs.get("label", "")
    line = table.attrs.get("chance") if chance is None else chance
    return drawn_rows(table, line=line, label=words, limits=limits, width=width)


def drawn_rows(
    table: pd.DataFrame,
    *,
    line: float | None,
    label: str,
    limits: tuple[float, float] | None,
    width: int,
    quiet: Sequence[bool] | None = None,
) -> Overlay:
    """Draw a table with columns estimate, low and high; rows that are `quiet` are grey squares, for comparison only."""
    hv = _bokeh.holoviews()
    names = list(kept_apart([str(n) for n in table.index], _LETTERS).values())
    at = np.arange(len(table))[::-1].astype(float)
    known = np.isfinite(table["low"].to_numpy()) & np.isfinite(table["high"].to_numpy())
    lines = pd.DataFrame({"x": table["low"], "y": at, "x1": table["high"], "y1": at})
    points = pd.DataFrame({"x": table["estimate"].to_numpy(), "y": at, "name": names})
    points["interval"] = [_interval_words(*ends) for ends in zip(table["low"], table["high"], strict=True)]
    beside = np.zeros(len(table), bool) if quiet is None else np.asarray(quiet, bool)
    parts = [] if line is None else [hv.VLine(line).opts(color=_GREY, line_dash="dashed", line_width=1.5)]
    for rows, ink, marker in ((~beside, PALETTE[0], "circle"), (beside, _GREY, "square")):
        if rows.any():
            ends = hv.Segments(lines[rows & known], ["x", "y", "x1", "y1"])
            dots = hv.Scatter(points[rows], ["x"], [hv.Dimension("y", label="row"), "name", "interval"])
            parts.append(ends.opts(color=ink, line_width=4, alpha=0.55))
            parts.append(dots.opts(color=ink, marker=marker, size=11, tools=["hover"], line_color="white"))
    ticks = list(zip(at.tolist(), names, strict=True))
    look: dict[str, Any] = {"width": width, "height": 90 + 34 * len(table), "yticks": ticks, "ylabel": ""}
    look |= {"xlabel": label, "ylim": (-0.6, len(table) - 0.4), "toolbar": None, "shared_axes": False}
    look |= {"fontsize": {"labels": "14px", "ticks": "14px"}, "hooks": [_bokeh.tidy]}
    return hv.Overlay(parts).opts(**look, xlim=limits or _room(table, line))


def _room(table: pd.DataFrame, line: float | None) -> tuple[float, float]:
    """Return ends of the axis with everything between them, guessing too: a score has to be seen beside it."""
    values = np.append(table.to_numpy(float).ravel(), [] if line is None else [line])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _table(rows: Any, value: str | None) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return _from_table(rows, value)
    if not isinstance(rows, Evaluation):
        return _from_mapping(rows)
    own = _from_mapping({rows.model: rows})
    if rows.baselines.empty:
        return own
    table = pd.concat([own, _from_table(rows.baselines, "balanced_accuracy")])
    table.attrs = dict(own.attrs)
    return table


def _interval_words(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}" if np.isfinite(low) and np.isfinite(high) else "no interval"


def _from_mapping(rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row for each evaluation or interval, with what they are about in ``.attrs``."""
    if not rows:
        raise ValueError("There is nothing to draw: give names and evaluations, as {'new plates': evaluation}.")
    wrong = [n for n, found in rows.items() if not isinstance(found, Evaluation | Interval)]
    if wrong:
        kind = type(rows[wrong[0]]).__name__
        raise TypeError(
            f"{some(wrong)}: a {kind}, expected an Interval, or an Evaluation of ms.predict.cross_validate."
        )
    intervals = {n: found.interval if isinstance(found, Evaluation) else found for n, found in rows.items()}
    table = pd.DataFrame({n: [i.estimate, i.low, i.high] for n, i in intervals.items()}, ["estimate", "low", "high"]).T
    evaluations = [found for found in rows.values() if isinstance(found, Evaluation)]
    chances = {found.chance for found in evaluations}
    if len(evaluations) == len(rows):
        chance = chances.pop() if len(chances) == 1 else None
        dashed = "" if chance is None else "; dashed: guessing"
        table.attrs |= {"label": f"balanced accuracy (1 is always right{dashed})", "chance": chance}
    return table


def _from_table(rows: pd.DataFrame, value: str | None) -> pd.DataFrame:
    if not len(rows):
        raise ValueError("The table has no rows: there is nothing to draw.")
    numbers = [c for c in rows.select_dtypes("number").columns if c not in ("low", "high")]
    name = value if value is not None else next(iter(numbers), None)
    missing = [c for c in (name, "low", "high") if c not in rows.columns]
    if name is None or missing:
        raise KeyError(
            f"Columns missing: {some([m for m in missing if m]) or 'one with estimates'}. There are: "
            f"{some(rows.columns, 20)}. The table needs estimates (value=…), low and high."
        )
    table = rows[[name, "low", "high"]].astype(float).set_axis(["estimate", "low", "high"], axis=1)
    table.attrs = {"label": str(name).replace("_", " ")}
    return table
