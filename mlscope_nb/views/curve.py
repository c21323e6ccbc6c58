"""Learning curve as a HoloViews element: what was measured, the fitted curve, and what it foresees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.views import _bokeh
from mlscope_nb.views.colours import PALETTE

if TYPE_CHECKING:
    from holoviews import Overlay

_NEEDED = ("n_units", "kind", "balanced_accuracy", "curve", "low", "high")


def learning_curve(found: pd.DataFrame, *, unit: str = "wells", width: int = 640, height: int = 340) -> Overlay:
    """Draw a learning curve: points were measured, the band is the interval, the open circles are foreseen.

    Parameters
    ----------
    found : DataFrame
        From ``ms.predict.learning_curve``.
    unit : str
        The word for what is counted.
    width, height : int
        Of the plot, in screen pixels.

    Returns
    -------
    holoviews.Overlay
        Change it with ``.opts(…)``.

    Raises
    ------
    KeyError
        The table is another one.

    Examples
    --------
    >>> table = pd.DataFrame({"n_units": [4, 8, 16], "kind": ["measured", "measured", "foreseen"]})
    >>> table["balanced_accuracy"] = table["curve"] = [0.5, 0.6, 0.65]
    >>> table["low"], table["high"] = table["curve"] - 0.05, table["curve"] + 0.05
    >>> [type(part).__name__ for part in learning_curve(table)]
    ['Area', 'Curve', 'Scatter', 'Scatter']
    """
    missing = [c for c in _NEEDED if c not in found.columns]
    if missing:
        raise KeyError(f"Columns missing: {some(missing)}. Give what ms.predict.learning_curve(cells) returns.")
    hv = _bokeh.holoviews()
    table = found.sort_values("n_units")
    x, y = hv.Dimension("n_units", label=f"{unit} to train on"), hv.Dimension("score", label="balanced accuracy")
    band = hv.Area((table["n_units"], table["low"], table["high"]), x, [y, "high"])
    line = hv.Curve((table["n_units"], table["curve"]), x, y)
    parts = [band.opts(color=PALETTE[0], alpha=0.18, line_alpha=0), line.opts(color=PALETTE[0], line_width=2)]
    for kind, ink in (("measured", PALETTE[0]), ("foreseen", "white")):
        some_rows = table[table["kind"] == kind]
        dots = hv.Scatter((some_rows["n_units"], some_rows["balanced_accuracy"]), x, y, label=kind)
        parts.append(dots.opts(color=ink, line_color=PALETTE[0], line_width=2, size=10, tools=["hover"]))
    look = {"logx": True, "width": width, "height": height, "toolbar": None, "legend_position": "bottom_right"}
    ticks = [(int(n), f"{int(n)}") for n in table["n_units"]]
    words = {"fontsize": {"labels": "14px", "ticks": "13px", "legend": "13px"}, "hooks": [_bokeh.tidy]}
    ends = (0.85 * float(table["n_units"].min()), 1.15 * float(table["n_units"].max()))
    return hv.Overlay(parts).opts(**look, **words, xticks=ticks, xlim=ends, shared_axes=False)
