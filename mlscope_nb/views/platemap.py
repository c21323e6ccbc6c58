"""Plate map: a value of each well at its place on the plate, as a HoloViews element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb.curate.layout import N_CELLS, Layout
from mlscope_nb.curate.wells import row_name
from mlscope_nb.views import _bokeh
from mlscope_nb.views._inks import viridis
from mlscope_nb.views.colours import CONTEXT

if TYPE_CHECKING:
    from holoviews import HeatMap
    from holoviews import Layout as Plots

_STEPS = 64


def plate_map(
    layout: Layout,
    plate: str | None = None,
    *,
    limits: tuple[float, float] | None = None,
    width: int | None = None,
) -> HeatMap | Plots:
    """Draw the wells of a plate in colours from dark (low) to yellow (high); wells without a value are grey.

    Parameters
    ----------
    layout : Layout
        From ``ms.curate.layout``.
    plate : str, optional
        Which plate. Default: all of them, two beside each other, in the same colours.
    limits : (low, high), optional
        Values at the ends of the colours. Default: the smallest and largest of all plates.
    width : int, optional
        Of one plate, in screen pixels. Default: as the number of columns asks for.

    Returns
    -------
    holoviews.HeatMap, or holoviews.Layout of several
        Change it with ``.opts(…)``. The value of a well is shown where the pointer is.

    Raises
    ------
    TypeError
        Something other than a layout.
    KeyError
        There is no such plate.

    Examples
    --------
    >>> from mlscope_nb.cells import Cells
    >>> from mlscope_nb.curate.layout import layout
    >>> obs = pd.DataFrame({"well": ["A01", "B02"], "area": [1.0, 2.0]}, index=["a", "b"])
    >>> plate_map(layout(Cells(obs, unit="well"), "area")).label
    'plate'
    """
    _refuse_other(layout)
    hv = _bokeh.holoviews()
    known = layout.wells["value"].dropna()
    ends = limits or ((float(known.min()), float(known.max())) if len(known) else (0.0, 1.0))
    names = layout.plates if plate is None else [plate]
    drawn = [_drawn(hv, layout, name, ends, width) for name in names]
    return drawn[0] if len(drawn) == 1 else hv.Layout(drawn).cols(2).opts(toolbar=None)


def value_words(layout: Layout) -> str:
    """Return what the colours mean, with its unit where it has one."""
    return "cells in well / mean of plate" if layout.value == N_CELLS else f"{layout.value} (mean of well)"


def _refuse_other(given: Any) -> None:
    if not isinstance(given, Layout):
        found = type(given).__name__
        raise TypeError(f"Expected a layout, found {found}. Make one: ms.curate.layout(cells, 'n_cells').")


def _drawn(hv: Any, layout: Layout, plate: str, limits: tuple[float, float], width: int | None) -> Any:
    rows, columns = layout.shape
    table = _wells(layout, plate)
    words = value_words(layout)
    element = hv.HeatMap(
        table,
        kdims=[
            hv.Dimension("column", values=[str(c) for c in range(1, columns + 1)]),
            hv.Dimension("row", values=[row_name(r) for r in range(1, rows + 1)]),
        ],
        vdims=[hv.Dimension("value", label=words), hv.Dimension("n_cells", label="cells")],
        label=plate,
    )
    side = width or int(np.clip(columns * 34 + 150, 320, 900))
    return element.opts(
        width=side,
        height=int(np.clip((side - 150) * rows / columns + 90, 200, 900)),
        cmap=viridis(_STEPS),
        clim=limits if limits[0] < limits[1] else (limits[0] - 0.5, limits[0] + 0.5),
        clipping_colors={"NaN": CONTEXT},
        colorbar=True,
        clabel=words,
        colorbar_opts={"title": words},
        tools=["hover"],
        invert_yaxis=True,
        xaxis="top",
        xlabel="",
        ylabel="",
        line_color="white",
        line_width=1,
        toolbar=None,
        hooks=[_bokeh.tidy],
        title=plate,
        fontsize={"title": "15px", "ticks": "13px", "clabel": "13px"},
    )


def _wells(layout: Layout, plate: str) -> pd.DataFrame:
    """Return one row for each place of the plate, with the value and the number of cells of its well."""
    rows, columns = layout.shape
    grid = layout.grid(plate).to_numpy(float)
    counts = layout.wells[layout.wells["plate"] == plate].set_index(["row", "column"])["n_cells"]
    return pd.DataFrame(
        [
            (str(column), row_name(row), float(grid[row - 1, column - 1]), int(counts.get((row, column), 0)))
            for row in range(1, rows + 1)
            for column in range(1, columns + 1)
        ],
        columns=["column", "row", "value", "n_cells"],
    )
