"""Matrix: a table of numbers as coloured squares with the numbers in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.views import _bokeh
from mlscope_nb.views._inks import viridis
from mlscope_nb.views._sentences import kept_apart
from mlscope_nb.views.colours import CONTEXT

if TYPE_CHECKING:
    from holoviews import Overlay

_STEPS, _LETTERS, _MOST = 64, 18, 40


def matrix(
    table: pd.DataFrame,
    *,
    label: str = "",
    title: str = "",
    limits: tuple[float, float] | None = None,
    digits: int = 2,
    width: int | None = None,
) -> Overlay:
    """Draw a table of numbers as squares from dark (low) to yellow (high), with each number written in its square.

    Parameters
    ----------
    table : DataFrame
        Numbers: of ``ms.predict.transfer``, of clusters over plates, of anything. Missing values are grey.
    label : str
        What the numbers are.
    title : str
        Above the plot.
    limits : (low, high), optional
        Values at the ends of the colours; give two plots the same ones to compare them.
    digits : int
        Written behind the point.
    width : int, optional
        Of the plot, in screen pixels. Default: as the number of columns asks for.

    Returns
    -------
    holoviews.Overlay
        Change it with ``.opts(…)``.

    Raises
    ------
    TypeError, ValueError
        Columns that hold no numbers, no rows, or more than 40 rows or columns.

    Examples
    --------
    >>> drawn = matrix(pd.DataFrame({"P1": [0.9, 0.6], "P2": [0.5, 0.8]}, index=["P1", "P2"]), label="accuracy")
    >>> [type(part).__name__ for part in drawn]
    ['HeatMap', 'Labels']
    """
    hv = _bokeh.holoviews()
    _check(table)
    rows, columns = (_names(axis) for axis in (table.index, table.columns))
    values = table.to_numpy(np.float64)
    known = values[np.isfinite(values)]
    low, high = limits or ((float(known.min()), float(known.max())) if len(known) else (0.0, 1.0))
    low, high = (low, high) if low < high else (low - 0.5, high + 0.5)
    long = pd.DataFrame([(c, r, values[i, j]) for i, r in enumerate(rows) for j, c in enumerate(columns)])
    long.columns = ["column", "row", "value"]
    axes = [hv.Dimension("column", values=columns), hv.Dimension("row", values=rows)]
    squares = hv.HeatMap(long, axes, [hv.Dimension("value", label=label or "value")])
    bright = {True: "#000000", False: "#ffffff"}
    long["text"] = [f"{v:.{digits}f}" if np.isfinite(v) else "" for v in long["value"]]
    long["ink"] = [bright[bool(not np.isfinite(v) or v > (low + high) / 2)] for v in long["value"]]
    words = hv.Labels(long, axes, ["text", "ink"]).opts(text_color="ink", text_font_size="13px")
    return (squares.opts(**_look(table, label, title, (low, high), width, rows, columns)) * words).opts(
        shared_axes=False
    )


def _check(table: pd.DataFrame) -> None:
    wrong = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
    if wrong:
        raise TypeError(f"{some(wrong)} hold no numbers. Leave these columns out: table.drop(columns=…).")
    if not 0 < len(table) <= _MOST or not 0 < table.shape[1] <= _MOST:
        raise ValueError(f"The table is {len(table)} × {table.shape[1]}, expected 1 to {_MOST} rows and columns.")


def _names(axis: pd.Index) -> list[str]:
    words = [" · ".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in axis]
    return list(kept_apart(words, _LETTERS).values())


def _look(
    table: pd.DataFrame,
    label: str,
    title: str,
    limits: tuple[float, float],
    width: int | None,
    rows: list[str],
    columns: list[str],
) -> dict[str, Any]:
    widest = max(len(n) for n in rows)
    side = width or int(np.clip(52 * len(columns) + 8 * widest + 130, 300, 1000))
    turned = {"xrotation": 40} if 8 * max(len(n) for n in columns) > 52 else {}
    return turned | {
        "width": side,
        "height": int(np.clip(34 * len(rows) + 110, 180, 1000)),
        "cmap": viridis(_STEPS),
        "clim": limits,
        "clipping_colors": {"NaN": CONTEXT},
        "colorbar": True,
        "clabel": label,
        "colorbar_opts": {"title": label, "title_standoff": 12},
        "tools": ["hover"],
        "invert_yaxis": True,
        "xaxis": "top",
        "xlabel": str(table.columns.name or ""),
        "ylabel": str(table.index.names[-1] or ""),
        "line_color": "white",
        "toolbar": None,
        "hooks": [_bokeh.tidy],
        "title": title,
        "fontsize": {"title": "15px", "ticks": "13px", "labels": "14px"},
    }
