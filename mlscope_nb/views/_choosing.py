"""Choosing cells from Python: the same calls in every view that is linked to a selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import pandas as pd

from mlscope_nb.views.selection import Ids, Selection


class Choosing:
    """What a mouse does in a view, as calls: each changes the one selection of all views of the same cells."""

    _linked: Callable[[], Selection]
    """Every view's own: returns the selection that it shares."""

    @property
    def selected(self) -> pd.Index:
        """Ids of the chosen cells, in the order of the cells."""
        return self._linked().selected

    def select(self, ids: Ids) -> Self:
        """Choose exactly these cells (ids, or a boolean Series over all cells)."""
        self._linked().select(ids)
        return self

    def add(self, ids: Ids) -> Self:
        """Choose these cells too (what shift and a lasso does)."""
        self._linked().add(ids)
        return self

    def remove(self, ids: Ids) -> Self:
        """Leave these cells out (what Alt and a lasso does)."""
        self._linked().remove(ids)
        return self

    def toggle(self, ids: Ids) -> Self:
        """Add the ones that are not chosen and remove the ones that are (what shift and a click does)."""
        self._linked().toggle(ids)
        return self

    def invert(self) -> Self:
        """Choose all other cells."""
        self._linked().invert()
        return self

    def clear(self) -> Self:
        """Choose nothing."""
        self._linked().clear()
        return self

    def undo(self) -> str | None:
        """Take back the last selection or label; returns its name, or None when there is none."""
        return self._linked().undo()

    def redo(self) -> str | None:
        """Put back what was taken back last; returns its name, or None when there is none."""
        return self._linked().redo()
