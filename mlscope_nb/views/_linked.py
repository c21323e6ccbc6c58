"""A view of cells that follows the one selection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb.cells import Cells
from mlscope_nb.views._choosing import Choosing
from mlscope_nb.views._widget import View
from mlscope_nb.views.selection import Selection, selection_of

_PAUSE = 0.03


class LinkedView(Choosing, View):
    """Holds the cells and their shared selection; `_selection_changed` is called after each change of it.

    A view that is shown nowhere any more (its cell was run again) sleeps: it would only slow the others down. It hears
    what it missed when it is shown again. Without a browser a view never sleeps.
    """

    _found = traitlets.Int(-1).tag(sync=True)
    _stop: Callable[[], None] | None = None

    def __init__(self, cells: Cells, *, selection: Selection | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self.cells = cells
        self.selection = selection_of(cells) if selection is None else selection
        self._waiting_for: dict[str, asyncio.TimerHandle] = {}
        self._places: set[str] = set()
        self._sleeps = self._missed = False
        self._stop = self.selection.observe(self._heard)

    def _linked(self) -> Selection:
        return self.selection

    def find(self, cell_id: str) -> None:
        """Mark one cell in every view: on its crop, on the map and in its field."""
        self.selection.find(cell_id)

    def close(self) -> None:
        """End the view; the selection and the labels stay."""
        if self._stop is not None:
            self._stop()
        super().close()

    def _heard(self, selection: Selection) -> None:
        self._missed = self._sleeps
        if not self._sleeps:
            self._selection_changed(selection)

    def _on_opened(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._places.add(str(content["place"]))
        self._sleeps = False
        if self._missed:
            self._heard(self.selection)

    def _on_shut(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._places.discard(str(content["place"]))
        self._sleeps = not self._places

    def _selection_changed(self, selection: Selection) -> None:
        found = selection.found
        self._found = -1 if found is None else int(self.cells.ids.get_indexer(pd.Index([found]))[0])

    def _bits(self) -> bytes:
        """The selection as one bit for each cell, the first in the lowest bit."""
        return np.packbits(self.selection.flags, bitorder="little").tobytes()

    def _soon(self, name: str, work: Callable[[], None]) -> None:
        """Do this once, a moment later, so that the pictures reach the browser first; at once without a kernel."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            work()
            return
        waiting = self._waiting_for.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting_for[name] = loop.call_later(_PAUSE, work)

    def _on_find(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.find(self.cells.ids[int(content["row"])])

    def _on_toggle(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.toggle([self.cells.ids[int(content["row"])]])

    def _on_selected(self, content: dict[str, Any], buffers: list[Any]) -> None:
        bits = np.unpackbits(np.frombuffer(buffers[0], np.uint8), count=len(self.cells), bitorder="little")
        self.selection.select_rows(np.flatnonzero(bits))

    def _on_invert(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.invert()

    def _on_clear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.clear()
