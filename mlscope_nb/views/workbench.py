"""The workbench: map, gallery, labels and Python over one selection."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb import explore as _explore
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.views._autosave import Autosave
from mlscope_nb.views._choices import with_choice
from mlscope_nb.views._crops import COLUMNS
from mlscope_nb.views._order import ATYPICAL, CENTRE, NAMED, RANDOM, TABLE, TYPICAL
from mlscope_nb.views._sentences import describe_selection, one_sided, origins_of, shortened
from mlscope_nb.views._takehome import TakeHome
from mlscope_nb.views._widget import script
from mlscope_nb.views.besideview import BesideView
from mlscope_nb.views.galleryview import CropView
from mlscope_nb.views.labelling import Labelling
from mlscope_nb.views.map import SHOWN, Embedding, column_of
from mlscope_nb.views.mapview import MapView
from mlscope_nb.views.page import page_html, page_note, write_page
from mlscope_nb.views.selection import Selection

_PAGE_FEATURES = 12
_MAP = ("points.js", "raster.js", "maptools.js", "map.js")
SCRIPTS = ("common.js", *_MAP, "crops.js", "gallery.js", "beside.js", "labelling.js", "workbench.js")


class Workbench(BesideView, MapView, CropView, Labelling, TakeHome):
    """What `explore` returns: a linked map and gallery whose selection and labels are at hand in Python."""

    _esm = script(*SCRIPTS, "workbench_main.js")
    _words = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        cells: Cells,
        embedding: Embedding,
        colour: str | None,
        *,
        autosave: Autosave,
        label: str | None,
        keys: Iterable[str],
        sort: str,
        **options: Any,
    ) -> None:
        self._open_labels(cells, label, autosave)
        self._show = "selected"
        self._similar = np.array([], int)
        self._n_seen = len(self.annotations)
        self._start, self._ready = 0, False
        self._building = self._toggling = False
        self._origins = origins_of(cells)
        self._inked: tuple[pd.Series, dict[str, str]] | None = None
        super().__init__(cells, embedding, colour, **options)
        self._open_beside()
        self._remember_labels(keys)
        self._open_gallery(sort)
        self._ready = True
        self._selection_changed(self.selection)
        # Last, so that the first picture does not share the processor with it.
        self.finish(embedding)

    def similar(self, ids: str | Iterable[str] | None = None) -> Self:
        """Show all cells in the gallery, those first that are most like these (default: the one pointed at)."""
        found = self.selection.found
        wanted = ids if ids is not None else [found] if found is not None else list(self.selected)
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        if not wanted:
            raise ValueError("No cell to compare with. Click a crop or select cells first.")
        away = _explore.distance_to(self.cells, wanted).to_numpy()
        self._similar, self._show = np.argsort(away, kind="stable"), "similar"
        self.sort(TABLE)
        return self

    def to_html(
        self,
        path: str | Path,
        *,
        columns: Iterable[str] | None = None,
        thumbnail_px: int = 32,
        title: str | None = None,
    ) -> Path:
        """Write one HTML file in which map, crops and distributions are linked, without kernel and network.

        Parameters
        ----------
        path : path
            A file that ends with .html.
        columns : iterable of str, optional
            Columns to colour by; by default those of obs and the first 12 features.
        thumbnail_px : int
            Side of the pictures, 8 to 96; 1,000 pictures of 32 take about 0.2 MB.
        title : str, optional
            Above the map.
        """
        if not 8 <= thumbnail_px <= 96:
            raise ValueError(f"thumbnail_px={thumbnail_px}, expected 8 to 96.")
        return write_page(path, self._page_text(columns, thumbnail_px, title))

    def _whole(self) -> str:
        return self.wait()._page_text(None, 32, None)

    def _page_text(self, columns: Iterable[str] | None, thumbnail_px: int, title: str | None) -> str:
        every = [c["value"] for c in self._column_choices]
        named = [columns] if isinstance(columns, str) else columns
        wanted = list(dict.fromkeys(named)) if named is not None else self._first_columns()
        given = [self._labels()] if self._labels().notna().any() and self.label not in wanted else []
        return page_html(
            title or f"{count(len(self.cells), 'cell')}",
            {name: self._mapset.axes(name) for name in self._mapset.at_hand(self._map)},
            [*given, *(self._column_named(c) for c in wanted)],
            map_name=self._map,
            colour=self._colour,
            beside=self._beside,
            design=[n for n in (self.cells.design.label, *(self.cells.design.batch or ())) if n],
            origins=[origin.name for origin in self._origins],
            crops=self._crops,
            thumbnail_px=thumbnail_px,
            note=page_note(len(wanted), max(len(every), len(wanted)), self.cells.fingerprint),
        )

    def show(
        self, *, embedding: str | None = None, colour: str | None = None, hide: Iterable[str] | None = None
    ) -> Self:
        """Change the map, what it is coloured by ("" for one colour) or which categories are hidden."""
        super().show(embedding=embedding, colour=colour, hide=hide)
        if colour:
            self._beside = colour
            self._draw_panel()
        return self

    # --- what follows the selection -------------------------------------------------------------------------

    def _selection_changed(self, selection: Selection) -> None:
        before = self._selected
        super()._selection_changed(selection)
        if not self._ready:
            return
        # All cells stay in view while a selection is built from their crops, and where that was asked for.
        if self._selected != before and (self._show != "all" or (self._building and not self._toggling)):
            self._start, self._show, self._building = 0, "selected", False
        self._draw_page()
        self._soon("tell", self._follow)

    def _follow(self) -> None:
        """Renew what may come a moment after the pictures."""
        # Labels may have been given in another view of the same cells.
        if len(self.annotations) != self._n_seen:
            self._n_seen = len(self.annotations)
            self._forget_bins()
            if self._colour == self.label:
                self._draw_colours()
        self._tell()
        self._draw_panel()

    def _shown(self) -> np.ndarray:
        if self._show == "similar":
            return self._similar
        if self._show == "all" or not len(self.selection):
            return np.arange(len(self.cells))
        return self.selection.rows

    def _title(self, n: int) -> dict[str, Any]:
        every = self._show != "selected" or not len(self.selection)
        kinds = {"selected": "show selected", "all": "show all"}
        if self._show == "similar":
            kinds["similar"] = "most alike first"
        title = f"All {count(n, 'cell')}" if every else f"{count(n, 'selected cell')}"
        return {
            "title": "Most alike first" if self._show == "similar" else title,
            "rings": every,
            "choices": [{"value": value, "label": text} for value, text in kinds.items()],
            "show": self._show,
            "similar": self.cells.features is not None,
        }

    def _marks(self, rows: np.ndarray) -> list[str]:
        labels = self._labels()
        if self._inked is None or self._inked[0] is not labels:
            self._inked = (labels, self._palette(labels) or {})
        palette = self._inked[1]
        return [palette.get(str(v), "") if isinstance(v, str) or v == v else "" for v in labels.iloc[rows]]

    def _names(self, rows: np.ndarray) -> list[str]:
        return [""] * len(rows) if self._blind else super()._names(rows)

    def _sortable(self) -> list[dict[str, str]]:
        return self._column_choices

    def _about(self, row: int) -> list[str]:
        if not self._blind:
            return super()._about(row)
        given = self._labels().iloc[row]
        return [str(given)] if given == given else ["no label"]

    def _column(self) -> pd.Series | None:
        return self._column_named(self._colour) if self._colour else None

    def _column_named(self, name: str) -> pd.Series:
        return self._labels() if self._is_given_here(name) else column_of(self.cells, name)

    def _is_given_here(self, colour: str) -> bool:
        return colour == self.label

    def _colour_choices(self) -> list[dict[str, str]]:
        here = [{"value": "", "label": "(nothing)"}, {"value": self.label, "label": f"{self.label} (given here)"}]
        return here if self._blind else here + self._column_choices

    def _beside_choices(self) -> list[dict[str, str]]:
        given = {"value": self.label, "label": f"{self.label} (given here)"}
        return with_choice([given, *self._column_choices], self._beside)

    def _first_columns(self) -> list[str]:
        obs = [c["value"] for c in self._column_choices if c["group"] != "features"]
        features = [c["value"] for c in self._column_choices if c["group"] == "features"]
        shown = [c for c in (self._colour, self._beside) if c in features]
        return list(dict.fromkeys([*obs, *shown, *features[:_PAGE_FEATURES]]))

    def _tell(self) -> None:
        if not self._ready:
            return
        rows = self.selection.rows
        plain = f"{len(rows):,} of {count(len(self.cells), 'cell')} selected."
        self._words = {
            "title": f"{shortened(SHOWN.get(self._map, self._map))} map of {count(len(self.cells), 'cell')}",
            "state": self._state,
            "busy": self._waiting is not None,
            "one_sided": "" if self._blind else one_sided(self._origins, rows),
            "summary": plain if self._blind else describe_selection(self.cells, rows, self._labels()),
            "note": " ".join(self._notes),
            "warning": self._warning,
            "can_undo": self.selection.can_undo,
            "can_redo": self.selection.can_redo,
            "n_selected": len(self.selection),
        }

    def _say(self, text: str, *, warning: bool = False) -> None:
        self._notes, self._warning = [text], warning
        self._tell()

    # --- what the browser asks for --------------------------------------------------------------------------

    def _on_toggle(self, content: dict[str, Any], buffers: list[Any]) -> None:
        # A selection is being built from images: they must not turn into the one cell just chosen.
        if not len(self.selection) and self._show != "all":
            self._show, self._building = "all", True
        self._toggling = True
        try:
            super()._on_toggle(content, buffers)
        finally:
            self._toggling = False

    def _on_show(self, content: dict[str, Any], buffers: list[Any]) -> None:
        what = content["what"]
        self._show, self._start, self._building = (what if what in ("all", "similar") else "selected"), 0, False
        self._draw_page()

    def _on_similar(self, content: dict[str, Any], buffers: list[Any]) -> None:
        try:
            self.similar()
        except ValueError as error:
            self._say(f"{error}", warning=True)

    def _blind_changed(self) -> None:
        seen = (self._colour, self._sort, self._beside)
        if self._blind:
            named = [RANDOM] if self.cells.features is None else [RANDOM, TYPICAL, ATYPICAL, CENTRE]
            self._sort_options = [{"value": n, "label": NAMED[n]} for n in named]
            # What was said before can name a plate.
            self._notes, self._warning = [], False
            self._before_blind = seen
            self.show(colour=self.label if self._colour == self.label else "").sort(RANDOM)
        else:
            colour, sort, beside = self._before_blind
            self._sort_options = self._every_order()
            self.show(colour=colour).sort(sort)
            self._beside = beside
        self.send({"kind": "forget"})
        self._colour_options = with_choice(self._colour_choices(), self._colour)
        self._tell()
        self._draw_panel()

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        text, pictures = super()._saved()
        if self._crops is not None:
            crops = self._crops.pictures(self._in_order()[:20])
            pictures.append(_pictures.sheet(crops[:, :64, :64], COLUMNS // 2))
        return text, pictures
