"""A threshold dragged over the histogram of a score, with the gallery of what it would leave out."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.curate import cutoff
from mlscope_nb.curate.cutoff import Side
from mlscope_nb.curate.filter_bias import FilterBias, filter_bias
from mlscope_nb.views import _cutwords as words
from mlscope_nb.views._crops import COLUMNS, Crops
from mlscope_nb.views._cutgallery import NEAREST, WORST, CutGallery, Show
from mlscope_nb.views._cutvalues import bars, checked
from mlscope_nb.views._widget import script
from mlscope_nb.views.selection import Selection

_CURVE = 300
_REST_S = 0.4


class ThresholdView(CutGallery):
    """What `tune_threshold` returns: a threshold, what it would leave out, and the gallery of those cells."""

    _esm = script("common.js", "crops.js", "gallery.js", "threshold_plots.js", "thresholds.js")
    _css = script("style.css", "field.css", "thresholds.css")
    _score = traitlets.Dict().tag(sync=True)
    _cut = traitlets.Dict().tag(sync=True)
    _columns: Any = traitlets.List().tag(sync=True)
    _compared = traitlets.Dict().tag(sync=True)
    _differs = traitlets.Unicode().tag(sync=True)

    def __init__(self, cells: Cells, scores: pd.DataFrame, truth: np.ndarray | None, **traits: Any) -> None:
        self.scores, self._truth = scores, truth
        self._parts = cutoff.parts_of(cells)
        self._show: Show = "left_out"
        self._bias: FilterBias | None = None
        self._turn = self._weighing = 0
        self._crops: Crops | None = traits.pop("crops")
        self._column, self._threshold = "", math.nan
        self._side: Side = "above"
        super().__init__(cells, _columns=[{"value": c, "label": c} for c in scores.columns], **traits)
        self._flags, self._values = np.zeros(len(cells), bool), np.zeros(len(cells))
        self._open_gallery(WORST)

    # --- for Python -----------------------------------------------------------------------------------------

    @property
    def threshold(self) -> float:
        """Cells strictly beyond it would be left out; in units of the score."""
        return self._threshold

    @property
    def column(self) -> str:
        """The score that is judged."""
        return self._column

    @property
    def side(self) -> Side:
        """On which side of the threshold cells are left out: "below" or "above"."""
        return self._side

    @property
    def flags(self) -> pd.Series:
        """True for cells that would be left out, one value for each cell."""
        return pd.Series(self._flags.copy(), index=self.cells.ids, name=self._column)

    @property
    def selected(self) -> pd.Index:
        """Ids of the cells that would be left out, in the order of the cells."""
        return self.cells.ids[self._flags]

    @property
    def precision(self) -> float:
        """Share of the cells left out that are truly faulty; NaN where none is left out."""
        return cutoff.precision_recall(self._flags, self._known_truth())[0]

    @property
    def recall(self) -> float:
        """Share of the truly faulty cells that are left out; NaN where none is faulty."""
        return cutoff.precision_recall(self._flags, self._known_truth())[1]

    @property
    def bias(self) -> FilterBias:
        """Whether a class or plate loses more than the rest: `ms.curate.filter_bias` of the present flags."""
        if self._bias is None:
            self._bias = filter_bias(self.flags.rename("flagged"), self.cells)
        return self._bias

    @property
    def code(self) -> str:
        """The line of code that flags the same cells."""
        sign = "<" if self._side == "below" else ">"
        return f"flags = scores[{json.dumps(self._column, ensure_ascii=False)}] {sign} {self._threshold!r}"

    def set(
        self,
        *,
        threshold: float | None = None,
        column: str | None = None,
        side: Side | None = None,
        show: Show | None = None,
    ) -> Self:
        """Move the threshold, choose another score (which begins at its usual threshold), or its side.

        Parameters
        ----------
        threshold : float, optional
            In units of the score.
        column : str, optional
            A column of the scores.
        side : "below" or "above", optional
            Where cells are left out.
        show : "left_out", "kept", "wrong" or "missed", optional
            Which cells the gallery shows: those left out (the default), those that stay, and with a truth those that
            are left out though they are fine, and those that are faulty and stay.
        """
        if show is not None:
            self._show = self._checked_show(show)
        if column is not None and column not in self.scores:
            raise KeyError(f"No score '{column}'. Scores: {some(self.scores.columns, 20)}.")
        if side not in (None, "below", "above"):
            raise ValueError(f"side={side!r}, expected 'below' or 'above'.")
        number = None if threshold is None else checked(threshold)
        name = self._column if column is None else column
        turned = side or (self._side if name == self._column else cutoff.usual_side(name))
        if (name, turned) != (self._column, self._side):
            self._open_score(name, turned)
            # A turned side keeps its threshold; another score has another scale.
            if column is not None or number is not None:
                self._threshold = self._usual if number is None else number
        elif number is not None:
            self._threshold = number
        self._judge()
        return self

    def sort(self, by: str) -> Self:
        """Order the gallery: "worst", "nearest" (to the threshold), "random", "table", or as in `ms.views.gallery`."""
        if by not in (WORST, NEAREST):
            return super().sort(by)
        self._sort, self._start = by, 0
        self._draw_page()
        return self

    # --- one score, one threshold ---------------------------------------------------------------------------

    def _open_score(self, column: str, side: Side) -> None:
        """Draw the histogram of another score, or of the same with its other side."""
        self._column, self._side = column, side
        self._values = self.scores[column].to_numpy(float)
        plates = cutoff.usual_thresholds(self.scores, self.cells, column, side)
        self._axis = cutoff.axis_of(self._values, column, plates)
        first = cutoff.first_threshold(self._values, plates, side)
        grid = self._axis.grid()
        # Where the slider can stand too, so that the first step of a drag is one step.
        self._usual = min(grid, key=lambda v: abs(v - first)) if not len(plates) else float(f"{first:.4g}")
        drawn = self._axis.place(self._values[np.isfinite(self._values)])
        known = np.isfinite(self._values)
        self._score = {
            "column": column,
            "side": side,
            "unit": words.unit_of(column),
            "grid": grid,
            "bars": bars(drawn),
            "faulty": [] if self._truth is None else bars(drawn[self._truth[known]]),
            "ticks": [{"at": float(self._axis.place(v)), "text": words.number(v)} for v in self._axis.ticks()],
            "usual": sorted({round(float(self._axis.place(v)), 4) for v in plates}),
            "start": self._usual,
            "curve": self._curve(),
        }

    def _curve(self) -> dict[str, Any] | None:
        if self._truth is None or not self._truth.any():
            return None
        precision, recall, area = cutoff.precision_recall_curve(self._values, self._truth, self._side)
        points = cutoff.thinned(recall, precision, _CURVE).round(4).tolist()
        return {"points": points, "area": f"{area:.2f}", "chance": float(self._truth.mean())}

    def _judge(self) -> None:
        """Take the cells beyond the threshold; what needs longer follows when the threshold rests."""
        self._flags = cutoff.beyond(self._values, self._threshold, self._side)
        self._bias, self._start = None, 0
        # This view draws itself below; the others hear of the selection.
        self.selection.slide_rows(np.flatnonzero(self._flags))
        self._differs = ""
        with self.hold_sync():
            self._draw_page()
            self._cut = self._report()
        self._weigh_later()

    def _report(self) -> dict[str, Any]:
        n, n_out = len(self.cells), int(self._flags.sum())
        where = words.condition(self._column, self._side, self._threshold)
        first = words.left_out(n_out, n, int((~np.isfinite(self._values)).sum()), where)
        lines, point = words.losing({k: p.extremes(self._flags) for k, p in self._parts.items()}, self._unit()), None
        if self._truth is not None:
            precision, recall = cutoff.precision_recall(self._flags, self._truth)
            hits = int((self._flags & self._truth).sum())
            lines.insert(0, words.graded(n_out, hits, int(self._truth.sum()), precision, recall))
            point = None if math.isnan(precision) or math.isnan(recall) else [recall, precision]
        return {
            "turn": self._turn,
            "threshold": self._threshold,
            "text": words.number(self._threshold),
            "place": float(self._axis.place(self._threshold)),
            "first": first,
            "lines": lines,
            "point": point,
            "code": self.code,
        }

    def _unit(self) -> tuple[str, ...]:
        return tuple(self.cells.design.unit or ())

    def _weigh_later(self) -> None:
        """Compare classes and plates once the threshold has rested, so that a drag is never held up."""
        self._weighing += 1
        if not self.cells.design.unit or not self._parts or not self._flags.any():
            self._compared = {"text": self._no_comparison(), "warning": False}
            return
        self._compared = {"text": "", "warning": False}
        mine = self._weighing
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_later(_REST_S, lambda: self._weigh(loop, mine))

    def _weigh(self, loop: asyncio.AbstractEventLoop, mine: int) -> None:
        if mine != self._weighing:
            return
        flags = self.flags.rename("flagged")
        work = loop.run_in_executor(None, filter_bias, flags, self.cells)
        work.add_done_callback(lambda done: self._weighed(done.result(), mine))

    def _weighed(self, found: FilterBias, mine: int) -> None:
        if mine == self._weighing:
            self._bias = found
            self._compared = {"text": words.compared(found), "warning": bool(found.warnings)}

    def _no_comparison(self) -> str:
        if not self._flags.any():
            return ""
        return (
            "Classes and plates are compared where a unit, and a label or a batch, are declared: cells.with_design(…)."
        )

    def _known_truth(self) -> np.ndarray:
        if self._truth is None:
            raise ValueError("No truth was given, so precision and recall are not known: tune_threshold(…, truth=…).")
        return self._truth

    # --- what the others do ---------------------------------------------------------------------------------

    def _selection_changed(self, selection: Selection) -> None:
        super()._selection_changed(selection)
        same = np.array_equal(selection.flags, self._flags)
        differs = "" if same else f"Another selection was made elsewhere ({len(selection):,} cells, ringed below)."
        if (differs or self._differs) and self._page:
            self._differs = differs
            rows = np.asarray(self._page["rows"], dtype=int)
            self._page = {**self._page, "rings": bool(differs), "chosen": selection.flags[rows].tolist()}

    # --- from the browser -----------------------------------------------------------------------------------

    def _on_threshold(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._turn = int(content["turn"])
        self.set(threshold=float(content["value"]))

    def _on_score(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.set(column=str(content["column"]))

    def _on_side(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.set(side="below" if content["side"] == "below" else "above")

    def _on_show(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._show, self._start = self._checked_show(content["what"]), 0
        self._draw_page()

    def _on_agree(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.select_rows(np.flatnonzero(self._flags))

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        rows = self._in_order()[:30]
        pictures = (
            [] if self._crops is None or not len(rows) else [_pictures.sheet(self._crops.pictures(rows), COLUMNS)]
        )
        return " ".join([self._cut["first"], *self._cut["lines"], self.code]), pictures
