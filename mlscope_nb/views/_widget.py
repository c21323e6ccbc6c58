"""What all views have in common: scripts, messages from the browser, what a saved notebook shows."""

from __future__ import annotations

import html
import os
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from mlscope_nb import _pictures
from mlscope_nb.views import _bokeh

DOCS = "MLSCOPE_DOCS"
"""Set while a site is built from notebooks: views that can are written whole, so that they work there."""
_STATIC = Path(__file__).parent / "static"
_BY_HAND: ContextVar[bool] = ContextVar("by_hand", default=False)
# Written once per output: the saved picture hides behind the live view, and a lost view behind the picture.
_STYLE = """<style>
.jp-OutputArea-child:has(.mlscope-saved):has(+ .jp-OutputArea-child .mlscope) { display: none; }
.jp-OutputArea-child:has(.mlscope-saved)
  + .jp-OutputArea-child:has(.jp-OutputArea-output.jupyter-widgets:not(:has(*))) { display: none; }
</style>"""


def script(*names: str) -> str:
    """Join files of the static folder into one module."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


def for_a_site() -> bool:
    """Say whether notebooks are run to become pages of a site."""
    return bool(os.environ.get(DOCS))


def by_hand() -> bool:
    """Say whether what happens now was asked for in a view (a click, a key) and not from Python."""
    return _BY_HAND.get()


class View(anywidget.AnyWidget):
    """A widget whose browser side sends ``{"kind": …}``, answered by the method ``_on_<kind>``."""

    _css = script("style.css")
    _bokeh = traitlets.Unicode().tag(sync=True)
    # With its own name the browser side finds the model that knows whether the kernel is still there.
    _own_id = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._own_id = self.model_id or ""
        self.on_msg(self._received)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the browser sends, unless a later state was set here that it had not heard of: then that one stays.

        A message can wait for seconds while a cell runs. States that count their `turn` are raised by one each time
        Python sets them; the browser sends the turn it knows along with its own changes.
        """
        late = {k: getattr(self, k) for k, v in sync_data.items() if _turn(v) < _turn(getattr(self, k, None))}
        super().set_state({**sync_data, **late})

    def _received(self, _: Any, content: dict[str, Any], buffers: list[Any]) -> None:
        answer = getattr(self, f"_on_{content.get('kind')}", None)
        if answer is not None:
            mark = _BY_HAND.set(True)
            try:
                answer(content, buffers)
            finally:
                _BY_HAND.reset(mark)

    def _on_library(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.send({"kind": "library"}, buffers=[_bokeh.library()[1]])

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        """Return a line of text and pictures for a notebook that is read without its kernel."""
        return "", []

    def _markup(self) -> str:
        """Return what a saved notebook shows below that line and those pictures, as markup that is safe."""
        return ""

    def _whole(self) -> str | None:
        """Return the view as a page that works without a kernel, if there is one."""
        return None

    def _ipython_display_(self) -> None:
        from IPython.display import display

        text, pictures = self._saved()
        page = self._whole() if for_a_site() else None
        if page is not None:
            display({"text/html": framed(page, text), "text/plain": text}, raw=True)
            return
        display({"text/html": saved_html(text, pictures, self._markup()), "text/plain": text}, raw=True)
        bundle = self._repr_mimebundle_()
        if bundle is not None:
            data = {**bundle[0], "text/plain": f"{text} Run this cell again to use it."}
            display(data, metadata=bundle[1], raw=True)


def _turn(state: Any) -> int:
    return int(state.get("turn", 0)) if isinstance(state, dict) else 0


class FigureView(View):
    """Any HoloViews element or Bokeh figure, drawn without a network."""

    _esm = script("common.js", "bokeh.js", "figure_view.js")
    _figure = traitlets.Unicode().tag(sync=True)

    def __init__(self, element: Any) -> None:
        super().__init__(_figure=_bokeh.to_json(_bokeh.figure_of(element)), _bokeh=_bokeh.library()[0])

    def __repr__(self) -> str:
        return "A plot. Run this cell again to see it."  # what stands there where no kernel runs


def framed(page: str, text: str) -> str:
    """Return a whole page as a part of another one, as high as what it holds."""
    look = "width:100%;height:860px;border:0"
    fit = "new ResizeObserver(([e])=>{this.style.height=e.target.offsetHeight+28+'px'})"
    fit += ".observe(this.contentDocument.body)"
    more = f'title="{html.escape(text)}" style="{look}" onload="{fit}"'
    return f'<iframe srcdoc="{html.escape(page)}" {more}></iframe>'


def saved_html(text: str, pictures: list[np.ndarray], markup: str = "") -> str:
    """Return the picture and note that stay in a saved notebook, and markup that belongs to them."""
    style = "max-width:48%;margin-right:8px;vertical-align:top"
    more = f'alt="{html.escape(text)}" style="{style}"'
    images = "".join(f'<img src="{_pictures.webp_data_uri(p)}" {more}>' for p in pictures)
    what = "This is a saved picture: run" if pictures else "Run"
    note = f"{html.escape(text)} {what} this cell again to use it."
    return f'{_STYLE}<div class="mlscope-saved"><p style="font-size:14px">{note}</p>{images}{markup}</div>'
