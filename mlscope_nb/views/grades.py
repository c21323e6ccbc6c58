"""Grades of maps as a HoloViews element: each method with its interval, above the maps that know no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.views.estimates import drawn_rows

if TYPE_CHECKING:
    from holoviews import Overlay

Grade = Literal["pointing", "mass", "top", "above_trivial"]
_WORDS = {
    "pointing": "how often the strongest pixel lies in the cue",
    "mass": "share of the map's strength that lies in the cue",
    "top": "of as many strongest pixels as the cue has, the share in it",
    "above_trivial": "pointing, minus that of the best trivial map (0: no better)",
}
_GUESSING = " (dashed: guessing)"


def grades(
    table: pd.DataFrame,
    value: Grade = "pointing",
    *,
    limits: tuple[float, float] | None = None,
    width: int = 640,
) -> Overlay:
    """Draw how right maps are about the cue, with intervals over units: methods in blue, trivial maps below in grey.

    Parameters
    ----------
    table : DataFrame
        From ``ms.explain.grade``.
    value : {"pointing", "mass", "top", "above_trivial"}
        Which grade; the dashed line is guessing (the share of the area that the cue has), or no difference.
    limits : (low, high), optional
        Ends of the axis. Default: 0 to 1, and as wide as needed for a difference.
    width : int
        Of the plot, in screen pixels.

    Returns
    -------
    holoviews.Overlay
        Change it with ``.opts(…)``. A row without an interval is a point alone.

    Raises
    ------
    KeyError
        No such grade, or the table is another one.

    Examples
    --------
    >>> found = {"kind": ["method", "trivial"], "pointing": [0.7, 0.2], "pointing_low": [0.6, 0.1]}
    >>> table = pd.DataFrame(found | {"pointing_high": [0.8, 0.3], "chance": 0.02}, index=["gradcam", "edges"])
    >>> [type(part).__name__ for part in grades(table)]
    ['VLine', 'Segments', 'Scatter', 'Segments', 'Scatter']
    """
    if value not in _WORDS:
        raise KeyError(f"There is no grade '{value}'. Grades: {some(_WORDS)}.")
    columns = [value, f"{value}_low", f"{value}_high"]
    missing = [c for c in ("kind", "chance", *columns) if c not in table.columns]
    if missing or not len(table):
        raise KeyError(f"Columns missing: {some(missing) or 'rows too'}. Give what ms.explain.grade(maps, …) returns.")
    trivial = (table["kind"] == "trivial").to_numpy()
    difference = value == "above_trivial"
    rows = table[columns].astype(float).set_axis(["estimate", "low", "high"], axis=1)
    rows.index = [f"{name} (trivial)" if plain else name for name, plain in zip(table.index, trivial, strict=True)]
    return drawn_rows(
        rows,
        line=0.0 if difference else float(table["chance"].iloc[0]),
        label=_WORDS[value] + ("" if difference else _GUESSING),
        limits=limits or (None if difference else (-0.03, 1.03)),
        width=width,
        quiet=trivial.tolist(),
    )
