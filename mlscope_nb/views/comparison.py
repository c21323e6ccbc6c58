"""Two maps of the same cells side by side, with one selection: before and after, one method and another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.views._choosing import Choosing
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._widget import View, script
from mlscope_nb.views.colours import category_colours, is_continuous
from mlscope_nb.views.map import SHOWN, Embedding, column_of
from mlscope_nb.views.mapview import MapView
from mlscope_nb.views.selection import Selection, selection_of


class Comparison(Choosing, View):
    """What `compare` returns: two maps, `left` and `right`; what is drawn around on one is chosen on both."""

    _esm = script("common.js", "points.js", "raster.js", "maptools.js", "map.js", "comparison.js")
    _left = traitlets.Unicode().tag(sync=True)
    _right = traitlets.Unicode().tag(sync=True)
    _summary = traitlets.Unicode().tag(sync=True)

    def __init__(self, left: MapView, right: MapView) -> None:
        self.left, self.right, self.selection = left, right, left.selection
        super().__init__(_left=f"IPY_MODEL_{left.model_id}", _right=f"IPY_MODEL_{right.model_id}")
        self._stop = self.selection.observe(self._selection_changed)
        self._selection_changed(self.selection)

    def _linked(self) -> Selection:
        return self.selection

    def show(self, *, colour: str) -> Comparison:
        """Colour both maps by a column ("" for one colour)."""
        self.left.show(colour=colour)
        self.right.show(colour=colour)
        return self

    def close(self) -> None:
        """End the view; the selection stays."""
        self._stop()
        self.left.close()
        self.right.close()
        super().close()

    def _selection_changed(self, selection: Selection) -> None:
        n = f"{len(selection):,} of {count(len(selection.ids), 'cell')} selected"
        self._summary = f"{n}." if len(selection) else f"Draw around points on one map to see them on the other. {n}."

    def _on_undo(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.undo()

    def _on_redo(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.redo()

    def _on_invert(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.invert()

    def _on_clear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.clear()

    def _saved(self) -> tuple[str, list[Any]]:
        text, first = self.left._saved()
        return text, [*first, *self.right._saved()[1]]


def compare(
    a: Cells,
    b: Cells | None = None,
    *,
    embedding: Embedding | list[Embedding] = "umap",
    colour: str | None = None,
    colours: Mapping[str, str] | None = None,
    names: tuple[str, str] | None = None,
    seed: int = 0,
) -> Comparison:
    """Draw two maps of the same cells with one selection: raw and normalised, classical and pretrained features.

    Parameters
    ----------
    a, b : Cells
        The same cells, with other features or maps. Without `b` two maps of `a` are drawn.
    embedding : str, or list of two
        A map for both sides, or ``["pca", "umap"]``.
    colour : str, optional
        Column for both; the declared batch or label by default.
    colours : mapping, optional
        Category to "#rrggbb".
    names : pair of str, optional
        Above the maps.
    seed : int
        For maps computed here.

    Raises
    ------
    TypeError
        Not Cells.
    ValueError
        The two do not hold the same cells, or one map is compared with itself.

    Examples
    --------
    >>> import pandas as pd
    >>> obs = pd.DataFrame({"x": [0.0, 1, 2], "y": [1.0, 0, 1], "z": [3.0, 1, 2]}, index=list("abc"))
    >>> both = compare(Cells(obs), embedding=[("x", "y"), ("x", "z")])
    >>> both.left.selection.select(["b"]) is both.right.selection
    True
    """
    for given in (a, b):
        if given is not None:
            refuse_other_than_cells(given)
    ways = list(embedding) if isinstance(embedding, list) else [embedding, embedding]
    if b is None and isinstance(ways[0], str) and ways[0] == ways[1]:
        raise ValueError("One map is compared with itself. Give two: compare(cells, embedding=['pca', 'umap']).")
    other = a if b is None else b
    _refuse_other_cells(a, other)
    shared = selection_of(a)
    first = colour if colour is not None else next(iter([*(a.design.batch or ()), *_label(a)]), "")
    settled = _settled(a, first, colours or {})
    names = names or _titles(ways, b is None)
    left, right = (
        MapView(c, way, first, colours=settled, seed=seed, name=name, selection=shared, _map_height=340)
        for c, way, name in zip((a, other), ways, names, strict=True)
    )
    for view, way in ((left, ways[0]), (right, ways[1])):
        view.finish(way)
    return Comparison(left, right)


def _refuse_other_cells(a: Cells, b: Cells) -> None:
    if not a.ids.equals(b.ids):
        missing, extra = a.ids.difference(b.ids), b.ids.difference(a.ids)
        found = f"only in the first: {some(missing) or 'none'}; only in the second: {some(extra) or 'none'}"
        hint = "Give both the same cells in one order: a.subset(ids), b.subset(ids)."
        raise ValueError(f"The two hold {len(a):,} and {len(b):,} cells that are not the same ({found}). {hint}")


def _label(cells: Cells) -> tuple[str, ...]:
    return () if cells.design.label is None else (cells.design.label,)


def _settled(cells: Cells, colour: str, given: Mapping[str, str]) -> dict[str, str]:
    """Give categories one colour on both maps; those that were asked for first."""
    column = column_of(cells, colour) if colour else None
    return dict(given) if column is None or is_continuous(column) else {**category_colours(column, given), **given}


def _titles(ways: list[Any], one_set: bool) -> tuple[str, str]:
    if one_set:
        shown = [SHOWN.get(w, w) if isinstance(w, str) else "chosen" for w in ways]
        return shown[0], shown[1]
    return "first", "second"
