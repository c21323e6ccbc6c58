"""The gallery: crops of cells on a canvas, linked to the selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb._align import positions
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.views._crops import COLUMNS, Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._widget import View, script
from mlscope_nb.views.selection import Selection, selection_of


class CropView(View):
    """A view with a gallery: pages of crops, one found cell, and the shared selection."""

    _page = traitlets.Dict().tag(sync=True)
    _sheet = traitlets.CBytes().tag(sync=True)
    _room = traitlets.Int(30).tag(sync=True)
    _tile = traitlets.Int(72).tag(sync=True)
    _height = traitlets.Int(440).tag(sync=True)
    _wide_rows = traitlets.Int(0).tag(sync=True)
    _found = traitlets.Int(-1).tag(sync=True)

    _stop: Callable[[], None] | None = None

    def __init__(self, cells: Cells, crops: Crops | None, **traits: Any) -> None:
        super().__init__(**traits)
        self.cells = cells
        self.selection: Selection = selection_of(cells)
        self._crops = crops
        self._start = 0
        self._stop = self.selection.observe(self._selection_changed)
        self.observe(lambda _: self._draw_page(), "_room")

    def find(self, cell_id: str) -> None:
        """Mark one cell in every view: on its crop and on the map."""
        self.selection.find(cell_id)

    def page(self, by: int) -> None:
        """Turn `by` pages of the gallery forwards, or backwards when negative."""
        total = len(self._shown())
        last = max(0, (total - 1) // self._room * self._room)
        self._start = int(np.clip(self._start + by * self._room, 0, last))
        self._draw_page()

    @property
    def shown(self) -> pd.Index:
        """Ids of the cells on this page of the gallery."""
        return self.cells.ids[self._page_rows()]

    def close(self) -> None:
        """End the view; the selection and the labels stay."""
        if self._stop is not None:
            self._stop()
        super().close()

    def _shown(self) -> np.ndarray:
        """Return positions of all cells that the gallery pages through."""
        raise NotImplementedError

    def _title(self, n: int) -> dict[str, Any]:
        raise NotImplementedError

    def _marks(self, rows: np.ndarray) -> list[str]:
        """Return a colour for each crop, or "" for none."""
        return [""] * len(rows)

    def _page_rows(self) -> np.ndarray:
        return self._shown()[self._start : self._start + self._room]

    def _draw_page(self) -> None:
        if self._crops is None:
            words = {"title": "These cells have no images", "rows": [], "marks": [], "chosen": [], "total": 0}
            self._page = words
            return
        shown = self._shown()
        if self._start >= max(len(shown), 1):
            self._start = 0
        rows = self._page_rows()
        last = self._start + len(rows)
        page = {
            **self._title(len(shown)),
            **self._crops.legend(),
            "start": self._start,
            "total": len(shown),
            "where": f"{self._start + 1:,}–{last:,} of {len(shown):,}" if len(shown) else "",
            "size": self._crops.size,
            "columns": COLUMNS,
            "rows": rows.tolist(),
            "ids": self.cells.ids[rows].tolist(),
            "marks": self._marks(rows),
            "chosen": self.selection.mask.to_numpy()[rows].tolist(),
        }
        sheet = self._crops.sheet(rows)
        # Page and picture in one message, so that the browser never shows one with the other's words.
        with self.hold_sync():
            self._page, self._sheet = page, sheet

    def _selection_changed(self, selection: Selection) -> None:
        found = selection.found
        self._found = -1 if found is None else int(self.cells.ids.get_indexer(pd.Index([found]))[0])

    def _on_page(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.page(int(content["by"]))

    def _on_find(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.find(self.cells.ids[int(content["row"])])

    def _on_toggle(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.toggle([self.cells.ids[int(content["row"])]])


class Gallery(CropView):
    """Crops of chosen cells; a click finds a cell on the map, shift and click adds it to the selection."""

    _esm = script("common.js", "gallery.js", "gallery_view.js")

    def __init__(self, cells: Cells, rows: np.ndarray, crops: Crops, title: str | None, **traits: Any) -> None:
        self._rows, self._given_title = rows, title
        super().__init__(cells, crops, **traits)
        self._draw_page()

    def _shown(self) -> np.ndarray:
        return self._rows

    def _title(self, n: int) -> dict[str, Any]:
        return {"title": self._given_title or count(n, "cell"), "rings": True}

    def _selection_changed(self, selection: Selection) -> None:
        super()._selection_changed(selection)
        rows = np.asarray(self._page["rows"], dtype=int)
        self._page = {**self._page, "chosen": selection.mask.to_numpy()[rows].tolist()}

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        from mlscope_nb._pictures import sheet

        pictures = [] if self._crops is None else [sheet(self._crops.pictures(self._rows[:30]), COLUMNS)]
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
    return Gallery(cells, chosen, crops, title, _tile=size, _height=rows * (size + 10), _room=rows * 10)


def _listed(ids: Iterable[str] | pd.Series) -> Any:
    return ids if isinstance(ids, str | pd.Series) else list(ids)
