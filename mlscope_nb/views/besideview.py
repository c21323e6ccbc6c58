"""What stands beside the map: a distribution that can be brushed, what is different, where the cells come from."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb.views._beside import Distribution, differences, distribution, sources
from mlscope_nb.views._choices import with_choice
from mlscope_nb.views.map import column_of
from mlscope_nb.views.mapview import MapView

Tab = Literal["distribution", "differences", "sources", ""]
TABS = ("distribution", "differences", "sources", "")
_MOST_LETTERS = 200


class BesideView(MapView):
    """A map with one of three panels below it."""

    _tab = traitlets.Unicode("distribution").tag(sync=True)
    _panel = traitlets.Dict().tag(sync=True)
    _blind: Any
    _ready = False

    def _open_beside(self) -> None:
        """Begin with the column that the map is coloured by."""
        self._bins: Distribution | None = None
        self._beside = self._colour or next((c["value"] for c in self._column_choices), "")
        self.observe(lambda _: self._draw_panel(), "_tab")

    def beside(self, tab: Tab | None = None, *, column: str | None = None) -> Self:
        """Choose what stands below the map: "distribution" (of `column`), "differences", "sources" or nothing ("")."""
        if tab is not None and tab not in TABS:
            raise ValueError(f"tab='{tab}', expected one of {', '.join(repr(t) for t in TABS)}.")
        if column is not None:
            if not self._is_given_here(column):
                column_of(self.cells, column)
            self._beside, tab = column, "distribution" if tab is None else tab
        if tab is not None:
            self._tab = tab
        self._draw_panel()
        return self

    def _column_named(self, name: str) -> pd.Series:
        """Return a column of the cells, or the labels given here."""
        return column_of(self.cells, name)

    def _forget_bins(self) -> None:
        self._bins = None

    def _draw_panel(self) -> None:
        if not self._ready:
            return
        tab, rows = self._tab, self.selection.rows
        if not tab or self._blind:
            self._panel = {"tab": ""}
        elif tab == "differences":
            self._panel = {"tab": tab, **differences(self.cells, self.selected)}
        elif tab == "sources":
            self._panel = {"tab": tab, **sources(self.cells, rows, self._palette)}
        elif self._beside:
            made = self._sorted_into_bins(self._beside)
            self._panel = {"tab": tab, "parts": [made.to_dict(rows)], "options": self._beside_choices()}

    def _beside_choices(self) -> list[dict[str, str]]:
        """Return the columns to choose from, the one that is shown among them."""
        return with_choice(self._column_choices, self._beside)

    def _sorted_into_bins(self, name: str) -> Distribution:
        if self._bins is None or self._bins.name != name:
            column = self._column_named(name)
            self._bins = distribution(column, self._palette(column))
        return self._bins

    def _on_column(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.beside(column=str(content["name"]))

    def _on_brush(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Bins were dragged over: choose their cells, or add them."""
        made = self._sorted_into_bins(str(content["column"]))
        first, last = sorted((int(content["first"]), int(content["last"])))
        rows = made.rows(first, last)
        kept = self.selection.rows if content.get("add") else rows[:0]
        self.selection.select_rows(np.union1d(kept, rows))
        # Labels given here are no column of the cells yet; a condition cannot name them.
        query = "" if self._is_given_here(made.name) or content.get("add") else made.query(first, last)
        if 0 < len(query) <= _MOST_LETTERS:
            self._say(f"The same in Python: w.select(cells.where({query!r}).ids)")
