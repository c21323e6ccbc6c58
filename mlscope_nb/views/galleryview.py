"""The gallery: crops of cells on a canvas, linked to the selection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._align import positions
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.views._crops import COLUMNS, Contrast, Crops, Mode
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._linked import LinkedView
from mlscope_nb.views._order import ATYPICAL, CENTRE, TABLE, TYPICAL, arranged, choices
from mlscope_nb.views._widget import script
from mlscope_nb.views.selection import Selection


class CropView(LinkedView):
    """A view with a gallery: pages of crops in a chosen order, one found cell, and the shared selection."""

    _page = traitlets.Dict().tag(sync=True)
    _sheet = traitlets.CBytes().tag(sync=True)
    _room = traitlets.Int(30).tag(sync=True)
    _tile = traitlets.Int(72).tag(sync=True)
    _height = traitlets.Int(440).tag(sync=True)
    _wide_rows = traitlets.Int(0).tag(sync=True)
    _sort = traitlets.Unicode(TABLE).tag(sync=True)
    _sort_options: Any = traitlets.List().tag(sync=True)
    _crops: Crops | None

    def _open_gallery(self, sort: str) -> None:
        """Begin to show pages; called once the rest of the view is there."""
        self._start = 0
        self._arranged: tuple[tuple[Any, ...], np.ndarray] | None = None
        self._sort_options = self._every_order()
        self.sort(sort)
        self.observe(lambda _: self._draw_page(), "_room")

    def sort(self, by: str) -> Self:
        """Order the gallery: "table", "typical", "atypical", "centre" (nearest to the selection), "random" or a column.

        A minus turns a column round: ``"-area"`` shows the largest first.
        """
        arranged(self.cells, np.arange(min(1, len(self.cells))), by, self.selection.rows)
        if by in (TYPICAL, ATYPICAL, CENTRE) and self.cells.features is None:
            raise ValueError(
                "These cells have no features to compare them by. Measure them: "
                "cells = cells.with_features(ms.features.measure(cells))."
            )
        self._sort, self._start = by, 0
        self._draw_page()
        return self

    def channels(self, *names: str, contrast: Contrast | None = None, mode: Mode | None = None) -> Self:
        """Change which channels the crops show, or their contrast.

        Parameters
        ----------
        names : str
            Channels that are on; those that are on now if none is named.
        contrast : mapping, optional
            Channel to (black, full colour) in grey values.
        mode : "set" or "crop", optional
            Contrast found over all cells (they can be compared) or for each crop (they cannot).
        """
        if self._crops is None:
            raise ValueError("These cells have no images, only tables. Read them with images to see them.")
        self._crops.change(channels=names or None, contrast=contrast, mode=mode)
        self.send({"kind": "forget"})
        self._draw_page()
        return self

    def page(self, by: int) -> Self:
        """Turn `by` pages of the gallery forwards, or backwards when negative."""
        total = len(self._shown())
        last = max(0, (total - 1) // self._room * self._room)
        self._start = int(np.clip(self._start + by * self._room, 0, last))
        self._draw_page()
        return self

    @property
    def shown(self) -> pd.Index:
        """Ids of the cells on this page of the gallery."""
        return self.cells.ids[self._page_rows()]

    def _shown(self) -> np.ndarray:
        """Return positions of all cells that the gallery pages through, not yet in order."""
        return np.arange(len(self.cells))

    def _title(self, n: int) -> dict[str, Any]:
        """Return what stands above `n` crops, and whether chosen ones among them get a ring."""
        return {"title": count(n, "cell"), "rings": True}

    def _marks(self, rows: np.ndarray) -> list[str]:
        """Return a colour for each crop, or "" for none."""
        return [""] * len(rows)

    def _names(self, rows: np.ndarray) -> list[str]:
        """Return what is said when the mouse rests on a crop."""
        return [str(i) for i in self.cells.ids[rows]]

    def _sortable(self) -> list[dict[str, str]]:
        """Columns that the gallery can be sorted by."""
        tables = [self.cells.obs] if self.cells.features is None else [self.cells.obs, self.cells.features]
        return [{"value": str(c), "label": str(c)} for table in tables for c in table.columns]

    def _every_order(self) -> list[dict[str, Any]]:
        return choices(self.cells, self._sortable())

    def _in_order(self) -> np.ndarray:
        rows = self._shown()
        if self._sort == TABLE:
            return rows
        chosen = self.selection.rows if self._sort == CENTRE else rows[:0]
        key = (self._sort, rows.tobytes(), chosen.tobytes())
        if self._arranged is None or self._arranged[0] != key:
            self._arranged = (key, arranged(self.cells, rows, self._sort, chosen))
        return self._arranged[1]

    def _page_rows(self) -> np.ndarray:
        return self._in_order()[self._start : self._start + self._room]

    def _draw_page(self) -> None:
        if self._crops is None:
            words = {"title": "These cells have no images", "rows": [], "marks": [], "chosen": [], "total": 0}
            self._page = words
            return
        total = len(self._shown())
        if self._start >= max(total, 1):
            self._start = 0
        rows = self._page_rows()
        last = self._start + len(rows)
        page = {
            **self._title(total),
            **self._crops.legend(),
            "start": self._start,
            "total": total,
            "where": f"{self._start + 1:,}–{last:,} of {total:,}" if total else "",
            "size": self._crops.size,
            "columns": COLUMNS,
            "rows": rows.tolist(),
            "ids": self.cells.ids[rows].tolist(),
            "names": self._names(rows),
            "marks": self._marks(rows),
            "chosen": self.selection.flags[rows].tolist(),
        }
        sheet = self._crops.sheet(rows)
        # Page and picture in one message, so that the browser never shows one with the other's words.
        with self.hold_sync():
            self._page, self._sheet = page, sheet

    def _move(self, by: int) -> None:
        """Point at the next cell of the gallery, turning the page where it ends."""
        order = self._in_order()
        if not len(order):
            return
        at = np.flatnonzero(order == self._found)
        place = self._start if not len(at) else int(np.clip(at[0] + by, 0, len(order) - 1))
        self._start = place // self._room * self._room
        self.selection.find(self.cells.ids[order[place]])
        self._draw_page()

    def _on_page(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.page(int(content["by"]))

    def _on_move(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._move(int(content["by"]))

    def _on_sort(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.sort(str(content["by"]))

    def _on_channel(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """A switch or a slider of a channel was moved, or the contrast set back."""
        if self._crops is None:
            return
        name, shown = str(content.get("name", "")), self._crops.shown
        if content.get("mode") in ("set", "crop"):
            self.channels(mode=content["mode"])
        elif "on" in content:
            on = [c for c in self._crops.channels if (c in shown if c != name else content["on"])]
            self.channels(*(on or shown))
        elif content["low"] < content["high"]:
            self.channels(contrast={name: (float(content["low"]), float(content["high"]))})


class Gallery(CropView):
    """Crops of chosen cells; a click finds a cell on the map, shift and click adds it to the selection."""

    _esm = script("common.js", "crops.js", "gallery.js", "gallery_view.js")

    def __init__(
        self, cells: Cells, rows: np.ndarray, crops: Crops, title: str | None, *, sort: str, **traits: Any
    ) -> None:
        self._rows, self._given_title, self._crops = rows, title, crops
        super().__init__(cells, **traits)
        self._open_gallery(sort)
        self._selection_changed(self.selection)

    def _shown(self) -> np.ndarray:
        return self._rows

    def _title(self, n: int) -> dict[str, Any]:
        return {"title": self._given_title or count(n, "cell"), "rings": True}

    def _selection_changed(self, selection: Selection) -> None:
        super()._selection_changed(selection)
        if self._sort == CENTRE:
            self._draw_page()
            return
        rows = np.asarray(self._page["rows"], dtype=int)
        self._page = {**self._page, "chosen": selection.flags[rows].tolist()}

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        rows = self._in_order()[:30]
        pictures = [] if self._crops is None else [_pictures.sheet(self._crops.pictures(rows), COLUMNS)]
        return f"Gallery of {count(len(self._rows), 'cell')}.", pictures


def gallery(
    cells: Cells,
    ids: Iterable[str] | pd.Series | None = None,
    *,
    channels: Sequence[str] | None = None,
    colours: Mapping[str, str] | None = None,
    contrast: Contrast | None = None,
    size: int = 72,
    rows: int = 5,
    title: str | None = None,
    sort: str = TABLE,
) -> Gallery:
    """Show crops of cells, page by page, with the same contrast for each.

    A click on a crop finds the cell on every map of these cells; shift and click adds it to the selection.

    Parameters
    ----------
    cells : Cells
        With images.
    ids : iterable of str or boolean Series, optional
        Which cells, in this order; all by default.
    channels : sequence of str, optional
        Which channels; all by default.
    colours : mapping, optional
        Channel to "#rrggbb"; colours that colour-blind readers tell apart by default.
    contrast : mapping, optional
        Channel to (black, full colour) in grey values; percentiles of the whole set by default.
    size : int
        Side of a crop in screen pixels.
    rows : int
        Rows of crops on a page.
    title : str, optional
        Above the crops.
    sort : str
        "table" (as given), "typical", "atypical", "random" or a column ("-area": the largest first).

    Raises
    ------
    TypeError
        Not Cells but fields or a table.
    ValueError
        The cells have no images.
    KeyError
        An id or a channel is not known.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame(index=["a", "b"]), np.zeros((2, 1, 8, 8), "uint8"), channels=["DNA"])
    >>> gallery(cells, ["b"]).shown.tolist()
    ['b']
    """
    refuse_other_than_cells(cells)
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to see them.")
    if not (16 <= size <= 400 and 1 <= rows <= 50):
        raise ValueError(f"size={size} and rows={rows}, expected 16 to 400 pixels and 1 to 50 rows.")
    chosen = np.arange(len(cells)) if ids is None else positions(_listed(ids), cells.ids)
    crops = Crops(cells, channels=channels, colours=colours, contrast=contrast)
    return Gallery(cells, chosen, crops, title, sort=sort, _tile=size, _height=rows * (size + 10), _room=rows * 10)


def _listed(ids: Iterable[str] | pd.Series) -> Any:
    return ids if isinstance(ids, str | pd.Series) else list(ids)
