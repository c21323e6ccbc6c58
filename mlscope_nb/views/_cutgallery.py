"""The gallery of a threshold: which cells it shows, in which order, and what marks them."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from mlscope_nb._words import some
from mlscope_nb.curate.cutoff import Axis, Side
from mlscope_nb.views import _cutwords as words
from mlscope_nb.views._crops import Crops
from mlscope_nb.views._order import RANDOM, TABLE
from mlscope_nb.views.galleryview import CropView

WORST, NEAREST = "worst", "nearest"
ORDERS = {WORST: "worst first", NEAREST: "nearest to the threshold", RANDOM: "mixed", TABLE: "as in the table"}
Show = Literal["left_out", "kept", "wrong", "missed"]
_FAULTY = "#0072b2"


class CutGallery(CropView):
    """Crops of cells on one side of a threshold; `ThresholdView` sets score, threshold and flags."""

    _flags: np.ndarray
    _values: np.ndarray
    _truth: np.ndarray | None
    _axis: Axis
    _show: Show
    _column: str
    _threshold: float
    _side: Side
    _crops: Crops | None

    def _kinds(self) -> dict[Show, str]:
        kinds: dict[Show, str] = {"left_out": "left out", "kept": "that stay"}
        graded: dict[Show, str] = {"wrong": "left out, but fine", "missed": "faulty, but stay"}
        return kinds if self._truth is None else kinds | graded

    def _checked_show(self, what: Show) -> Show:
        if what not in self._kinds():
            raise ValueError(f"show={what!r}, expected one of {some(self._kinds())} (the last two need a truth).")
        return what

    def _shown(self) -> np.ndarray:
        truth = np.zeros(len(self._flags), bool) if self._truth is None else self._truth
        which = {
            "left_out": self._flags,
            "kept": ~self._flags,
            "wrong": self._flags & ~truth,
            "missed": ~self._flags & truth,
        }
        return np.flatnonzero(which[self._show])

    def _title(self, n: int) -> dict[str, Any]:
        blue = "" if self._truth is None else " · blue bar: truly faulty"
        kinds = [{"value": value, "label": f"cells {text}"} for value, text in self._kinds().items()]
        title = f"{n:,} {'cell' if n == 1 else 'cells'}{blue}"
        return {"title": title, "rings": bool(self._differs), "choices": kinds, "show": self._show}

    def _every_order(self) -> list[dict[str, Any]]:
        return [{"value": value, "label": text} for value, text in ORDERS.items()]

    def _in_order(self) -> np.ndarray:
        if self._sort not in (WORST, NEAREST):
            return super()._in_order()
        rows = self._shown()
        values = self._values[rows]
        if self._sort == NEAREST:
            key = np.abs(self._axis.place(values) - self._axis.place(self._threshold))
        else:
            key = values if self._side == "below" else -values
        return rows[np.argsort(key, kind="stable")]

    def _names(self, rows: np.ndarray) -> list[str]:
        values = [words.number(v) if math.isfinite(v) else "not known" for v in self._values[rows]]
        columns = [n for n in (self.cells.design.label, *(self.cells.design.batch or ())) if n]
        obs = self.cells.obs[columns].iloc[rows].astype(str).to_numpy(object)
        every = zip(self.cells.ids[rows], values, obs, strict=True)
        return [" · ".join([str(i), f"{self._column} {v}", *o]) for i, v, o in every]

    def _marks(self, rows: np.ndarray) -> list[str]:
        if self._truth is None:
            return super()._marks(rows)
        return [_FAULTY if faulty else "" for faulty in self._truth[rows]]
