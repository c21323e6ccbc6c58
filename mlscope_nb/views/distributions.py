"""Distribution of a column as a HoloViews element: all cells, and chosen ones beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._align import positions
from mlscope_nb.cells import Cells
from mlscope_nb.views import _bokeh
from mlscope_nb.views._beside import distribution
from mlscope_nb.views._sentences import kept_apart, shortened
from mlscope_nb.views.colours import PALETTE, category_colours, is_continuous
from mlscope_nb.views.map import column_of

if TYPE_CHECKING:
    from holoviews import Overlay

_GREY = "#949494"
_LETTERS = 20


def histogram(
    cells: Cells | pd.DataFrame,
    column: str,
    ids: Iterable[str] | pd.Series | None = None,
    *,
    colours: Mapping[str, str] | None = None,
    width: int = 480,
    height: int = 260,
) -> Overlay:
    """Draw which share of the cells has which value; chosen cells against all.

    Parameters
    ----------
    cells : Cells or DataFrame
        One row per cell.
    column : str
        Of obs or features: numbers in at most 30 bins (the ends hold what lies beyond), texts as bars.
    ids : iterable of str or boolean Series, optional
        Chosen cells, drawn in colour over all cells in grey.
    colours : mapping, optional
        Category to "#rrggbb".
    width, height : int
        Of the plot, in screen pixels.

    Returns
    -------
    holoviews.Overlay
        Change it with ``.opts(…)``, or put it beside another with ``+``.

    Raises
    ------
    KeyError
        No such column, or an id is not known.

    Examples
    --------
    >>> table = pd.DataFrame({"plate": ["p1", "p2", "p1"]}, index=list("abc"))
    >>> [type(part).__name__ for part in histogram(table, "plate", ["a"])]
    ['Bars', 'Bars']
    """
    hv = _bokeh.holoviews()
    values = column_of(cells, column)
    palette = None if is_continuous(values) else category_colours(values, colours)
    made = distribution(values, palette)
    rows = None if ids is None else positions(ids if isinstance(ids, str | pd.Series) else list(ids), values.index)
    parts = [("all cells", made.shares(), _GREY)]
    if rows is not None and len(rows):
        inks: Any = PALETTE[0] if made.edges else list(made.colours)
        parts.append((f"{len(rows):,} selected", made.shares(rows), inks))
    draw = _numbers if made.edges else _kinds
    drawn = [draw(hv, made, np.asarray(shares) * 100, label, ink, i) for i, (label, shares, ink) in enumerate(parts)]
    # Names that would run into each other are turned.
    longest = max((len(name) for name in kept_apart(made.names, _LETTERS).values()), default=0)
    turned = {} if made.edges or longest * 8 * len(made.names) < width - 100 else {"xrotation": 40}
    look = turned | {"width": width, "height": height, "show_legend": bool(made.edges), "legend_position": "top_right"}
    words = {"ylabel": "share of cells (%)", "fontsize": {"labels": "14px", "ticks": "13px", "legend": "13px"}}
    # Each plot keeps an axis of its own when two stand side by side.
    return hv.Overlay(drawn).opts(**look, **words, axiswise=True, shared_axes=False)


def _numbers(hv: Any, made: Any, shares: np.ndarray, label: str, ink: Any, over: int) -> Any:
    look = {"fill_color": ink, "line_color": None, "fill_alpha": 0.75 if over else 1.0}
    dimension = hv.Dimension("value", label=shortened(made.name))
    element = hv.Histogram((np.asarray(made.edges), shares), kdims=[dimension], vdims=["share"], label=label)
    return element.opts(**look, xlabel=shortened(made.name), tools=["hover"], hooks=[_bokeh.tidy])


def _kinds(hv: Any, made: Any, shares: np.ndarray, label: str, ink: Any, over: int) -> Any:
    names = list(kept_apart(made.names, _LETTERS).values())
    table = pd.DataFrame({"kind": names, "share": shares, "ink": ink if over else _GREY})
    element = hv.Bars(table, kdims=["kind"], vdims=["share", "ink"], label=label)
    look = {"color": "ink", "line_color": None, "bar_width": 0.5 if over else 0.85}
    return element.opts(**look, xlabel=shortened(made.name), tools=["hover"], hooks=[_bokeh.tidy])
