"""A table of pictures as a view: cells are chosen by their names, and the whole table stays in a saved notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import traitlets

from mlscope_nb.cells import Cells
from mlscope_nb.views._choosing import Choosing
from mlscope_nb.views._picturetable import PictureTable, page_of
from mlscope_nb.views._widget import View
from mlscope_nb.views.page import write_page
from mlscope_nb.views.selection import Selection, selection_of


class PictureView(Choosing, View):
    """What `maps` and `walk` have in common."""

    _scripts: ClassVar[tuple[str, ...]]
    _data = traitlets.Dict().tag(sync=True)
    _chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, cells: Cells, table: PictureTable, still: PictureTable | None = None, **more: Any) -> None:
        self.cells, self._table, self._still = cells, table, still or table
        self.selection = selection_of(cells)
        super().__init__(_data={"table": table.plain(), **more})
        self._stop = self.selection.observe(self._selection_changed)
        self._selection_changed(self.selection)

    def to_html(self, path: str | Path) -> Path:
        """Write the view as one page that works without a kernel and without a network.

        Returns
        -------
        Path
            The file.
        """
        return write_page(path, self._whole() or "")

    def close(self) -> None:
        """End the view; the selection stays."""
        self._stop()
        super().close()

    def _linked(self) -> Selection:
        return self.selection

    def _selection_changed(self, selection: Selection) -> None:
        named = {head.cell_id for head in (*self._table.rows, *self._table.columns) if head.cell_id}
        self._chosen = [str(i) for i in selection.selected if i in named]

    def _on_pick(self, content: dict[str, Any], buffers: list[Any]) -> None:
        change = self.toggle if content.get("add") else self.select
        change([str(content["id"])])

    def _whole(self) -> str | None:
        return page_of(dict(self._data), self._still.html(), *self._scripts)

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        return f"{self._still.title}.", []

    def _markup(self) -> str:
        return self._still.html()
