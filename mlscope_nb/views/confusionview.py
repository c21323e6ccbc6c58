"""Confusion matrix: which class was taken for which, and the cells behind each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._words import count, percent, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict import Evaluation
from mlscope_nb.views._crops import COLUMNS, Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._order import TABLE
from mlscope_nb.views._widget import script
from mlscope_nb.views.galleryview import CropView
from mlscope_nb.views.selection import Selection

_NO_ONE = "Click a number to see the cells behind it."


class ConfusionView(CropView):
    """What `confusion` returns: a matrix of given and predicted classes beside the crops of the chosen cells."""

    _esm = script("common.js", "crops.js", "gallery.js", "confusion.js")
    _matrix = traitlets.Dict().tag(sync=True)
    _pressed = traitlets.List(traitlets.Int()).tag(sync=True)
    _summary = traitlets.Unicode().tag(sync=True)

    def __init__(self, cells: Cells, evaluation: Evaluation, crops: Crops | None, **traits: Any) -> None:
        self.evaluation, self._crops = evaluation, crops
        self._classes = list(evaluation.confusion.index)
        super().__init__(cells, **traits)
        self._matrix = self._figures()
        self._open_gallery(TABLE)
        self._selection_changed(self.selection)

    def show(self, given: Any, predicted: Any) -> Self:
        """Choose the cells of one class that were taken for another (or rightly for their own), in every view.

        Raises
        ------
        KeyError
            No such class.
        """
        self.select(self.evaluation.cells_of(given, predicted))
        return self

    def _figures(self) -> dict[str, Any]:
        table = self.evaluation.confusion
        target = self.evaluation.interval.target.removeprefix("balanced accuracy on ")
        sizes = table.sum(axis=1).to_numpy(np.float64)
        shares = table.to_numpy(np.float64) / np.maximum(sizes, 1)[:, None]
        return {
            "classes": [str(c) for c in self._classes],
            "counts": table.to_numpy().tolist(),
            "shares": shares.round(4).tolist(),
            "title": f"{self.evaluation.model} on {target}",
        }

    def _shown(self) -> np.ndarray:
        return self.selection.rows if len(self.selection) else np.arange(0)

    def _title(self, n: int) -> dict[str, Any]:
        return {"title": count(n, "selected cell") if n else "No cell selected", "rings": False}

    def _names(self, rows: np.ndarray) -> list[str]:
        found = self.evaluation.predictions.reindex(self.cells.ids[rows])
        words = zip(found.index, found["given"], found["predicted"], found["probability"], strict=True)
        return [f"{i}: {g}, predicted {p} ({q:.2f})" if pd.notna(q) else f"{i}: not tested" for i, g, p, q in words]

    def _selection_changed(self, selection: Selection) -> None:
        super()._selection_changed(selection)
        self._start = 0
        chosen = selection.selected
        self._pressed = self._place_of(chosen)
        self._summary = self._words(chosen)
        self._draw_page()

    def _place_of(self, chosen: pd.Index) -> list[int]:
        """Return row and column of the number that these cells are, or nothing where they are no single one."""
        found = self.evaluation.predictions.reindex(chosen)
        pairs = found[["given", "predicted"]].drop_duplicates()
        if len(pairs) != 1 or pairs.isna().to_numpy().any():
            return []
        given, predicted = pairs.iloc[0]
        if len(self.evaluation.cells_of(given, predicted)) != len(chosen):
            return []
        return [self._classes.index(given), self._classes.index(predicted)]

    def _words(self, chosen: pd.Index) -> str:
        if not len(chosen):
            return _NO_ONE
        if not self._pressed:
            return f"{count(len(chosen), 'cell')} selected, of several numbers."
        given, predicted = (self._classes[k] for k in self._pressed)
        share = self._matrix["shares"][self._pressed[0]][self._pressed[1]]
        fate = "recognised" if given == predicted else f"taken for {predicted}"
        return f"{count(len(chosen), 'cell')} of class {given} {fate}: {percent(share)} of this class."

    def _on_pick(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.show(self._classes[int(content["given"])], self._classes[int(content["predicted"])])

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        rows = self._in_order()[:30]
        pictures = (
            [] if self._crops is None or not len(rows) else [_pictures.sheet(self._crops.pictures(rows), COLUMNS)]
        )
        table = self.evaluation.confusion
        right = int(np.trace(table.to_numpy()))
        return f"{right:,} of {count(int(table.to_numpy().sum()), 'cell')} recognised.", pictures


def confusion(
    cells: Cells,
    evaluation: Evaluation,
    *,
    channels: Sequence[str] | None = None,
    colours: Mapping[str, str] | None = None,
    contrast: Contrast | None = None,
    size: int = 64,
    rows: int = 5,
) -> ConfusionView:
    """Show which class was taken for which; a click on a number shows its cells, and selects them in every view.

    Parameters
    ----------
    cells : Cells
        Those that were tested, with their images.
    evaluation : Evaluation
        From ``ms.predict.cross_validate``.
    channels : sequence of str, optional
        Which channels the crops show; all by default.
    colours : mapping, optional
        Channel to "#rrggbb".
    contrast : mapping, optional
        Channel to (black, full colour) in grey values.
    size, rows : int
        Side of a crop in screen pixels, and rows of crops on a page.

    Raises
    ------
    TypeError
        Not Cells, or not an Evaluation.
    KeyError
        A tested cell is not among these cells.

    Examples
    --------
    >>> from mlscope_nb.predict import cross_validate
    >>> obs = pd.DataFrame({"drug": list("xxxyyy") * 2}, index=[f"c{i}" for i in range(12)])
    >>> table = pd.DataFrame({"area": [1.0, 2, 3, 7, 8, 9] * 2}, index=obs.index)
    >>> cells = Cells(obs, features=table, label="drug")
    >>> found = cross_validate(cells, by="cell", n_splits=2, baselines=False)
    >>> confusion(cells, found).show("x", "x").selected.size
    6
    """
    refuse_other_than_cells(cells)
    if not isinstance(evaluation, Evaluation):
        raise TypeError(
            f"evaluation is a {type(evaluation).__name__}, expected what ms.predict.cross_validate(cells) returns."
        )
    unknown = evaluation.predictions.index.difference(cells.ids)
    if len(unknown):
        raise KeyError(
            f"{count(len(unknown), 'tested cell')} not among these {len(cells):,} cells: {some(unknown)}. Give the "
            "cells that were evaluated."
        )
    crops = None
    if cells.images is not None:
        crops = Crops(cells, channels=channels, colours=colours, contrast=contrast)
    return ConfusionView(cells, evaluation, crops, _tile=size, _height=rows * (size + 10), _room=rows * 6)
