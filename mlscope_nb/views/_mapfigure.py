"""What HoloViews has no option for on a map: grey context, entries of the legend, the name above a colour bar."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlscope_nb.views import _bokeh
from mlscope_nb.views.colours import CONTEXT

LEGEND_ENTRIES = 16


def finish(plot: Any, element: Any) -> None:
    """Finish the figure of a map; a hook of HoloViews."""
    from bokeh.models import BoxSelectTool, LassoSelectTool

    figure = plot.state
    _grey_context(figure)
    _bokeh.tidy(plot, element)
    _name_above(figure, element)
    for tool in figure.tools:
        if isinstance(tool, LassoSelectTool | BoxSelectTool):
            tool.continuous = False
    for legend in figure.legend:
        legend.title_text_font_style = "bold"
        legend.border_line_color = None
        legend.location = "top_left"
        legend.margin, legend.padding, legend.spacing = 10, 0, 2
        legend.items = _entries(legend, element)
        if len(legend.items) > LEGEND_ENTRIES:
            legend.title = f"{legend.title} ({len(legend.items)}, first {LEGEND_ENTRIES} named)"
            legend.items = legend.items[:LEGEND_ENTRIES]


def _entries(legend: Any, element: Any) -> list[Any]:
    """Name the categories in the order of their colours; Bokeh would take the order in which they are drawn."""
    from bokeh.models.annotations import LegendItem

    values = pd.Series(element.dimension_values("colour", flat=True), dtype=object).astype(str)
    first = values.drop_duplicates()
    order = {str(name): i for i, name in enumerate(element.opts.get("style").kwargs["cmap"])}
    rows = sorted(first.index, key=lambda row: order.get(first[row], len(order)))
    renderers = legend.items[0].renderers
    return [LegendItem(label={"value": first[row]}, renderers=renderers, index=int(row)) for row in rows]


def _grey_context(figure: Any) -> None:
    """Turn points grey that are not chosen; HoloViews would keep the colour that a column gave them."""
    for renderer in figure.renderers:
        glyph = getattr(renderer, "nonselection_glyph", None)
        if glyph is not None and hasattr(glyph, "fill_color"):
            glyph.update(fill_color=CONTEXT, line_color=None, fill_alpha=0.45, hatch_color=CONTEXT)


def _name_above(figure: Any, element: Any) -> None:
    """Write the name of a colour bar level above it rather than turned beside it."""
    from bokeh.models.annotations import ColorBar, Title

    bars = [part for part in figure.right if isinstance(part, ColorBar)]
    for bar in bars:
        bar.title = None
    if bars:
        name = element.get_dimension("colour").label
        figure.add_layout(Title(text=name, align="right", text_font_size="13px"), "above")
