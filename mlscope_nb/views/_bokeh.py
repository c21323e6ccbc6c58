"""HoloViews and Bokeh without a network: loaded when first needed, BokehJS handed over by the kernel."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

_written: list[bool] = []  # whether this kernel has given BokehJS to its page


@cache
def holoviews() -> Any:
    """Return HoloViews with its Bokeh side ready, without writing megabytes of script into the notebook."""
    import holoviews as hv
    import holoviews.plotting.bokeh  # registers the renderer

    if not hv.Store.loaded_backends() or hv.Store.current_backend != "bokeh":
        hv.Store.set_current_backend("bokeh")
    _show_elements()
    return hv


def figure_of(element: Any) -> Any:
    """Return the Bokeh figure of a HoloViews element."""
    return holoviews().render(element, backend="bokeh")


def to_json(figure: Any) -> str:
    """Return a Bokeh figure as the JSON that BokehJS draws."""
    from bokeh.embed import json_item

    return json.dumps(json_item(figure), separators=(",", ":"))


def tidy(plot: Any, element: Any) -> None:
    """Write names upright and leave out the logo: a hook for what HoloViews has no option for."""
    from bokeh.models.annotations import ColorBar

    figure = plot.state
    figure.toolbar.logo = None
    for axis in figure.axis:
        axis.axis_label_text_font_style = "normal"
        axis.minor_tick_line_color = None
    for part in figure.right:
        if isinstance(part, ColorBar):
            part.title_text_font_style = "normal"


@cache
def library() -> tuple[str, bytes]:
    """Return the version of BokehJS and its code, compressed with gzip."""
    import bokeh
    from bokeh.settings import settings

    folder = Path(settings.bokehjs_path())
    return bokeh.__version__, gzip.compress((folder / "js" / "bokeh.min.js").read_bytes(), 6)


def on_a_page(figure: Any) -> str:
    """Return markup that draws a Bokeh figure on a page without a kernel; the first brings BokehJS along."""
    item = to_json(figure).replace("</", "<\\/")
    place = f"mlscope-plot-{uuid4().hex}"
    draw = f"Bokeh.embed.embed_item({item}, {place!r})"
    return f'<div id="{place}" role="img"></div>{_script_once()}<script>{draw}</script>'


def _script_once() -> str:
    if _written:
        return ""
    _written.append(True)
    return f"<script>{gzip.decompress(library()[1]).decode('utf-8')}</script>"


def _show_elements() -> None:
    """Let notebooks draw HoloViews elements through our own widget, unless ``hv.extension`` was chosen."""
    import sys

    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    from holoviews.core import Dimensioned
    from holoviews.ipython import notebook_extension

    def draw(element: Any) -> Any:
        if notebook_extension._loaded:
            return element._repr_mimebundle_()
        from mlscope_nb.views._widget import FigureView, for_a_site

        if for_a_site():
            return {"text/html": on_a_page(figure_of(element)), "text/plain": "A plot."}
        return FigureView(element)._repr_mimebundle_()

    shell.display_formatter.mimebundle_formatter.for_type(Dimensioned, draw)
