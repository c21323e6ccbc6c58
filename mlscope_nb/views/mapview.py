"""A map of cells: which one is drawn in which colours, and maps that are still being computed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.views import _maps
from mlscope_nb.views._choices import OWN, n_kinds, with_choice
from mlscope_nb.views._crops import Crops
from mlscope_nb.views._inks import inks_of
from mlscope_nb.views._linked import LinkedView
from mlscope_nb.views._mapset import MapSet
from mlscope_nb.views._region import inside
from mlscope_nb.views._sentences import shortened
from mlscope_nb.views._snapshot import snapshot
from mlscope_nb.views._widget import script
from mlscope_nb.views.colours import CONTEXT, MISSING, PALETTE, CategoryColours, as_text, is_continuous
from mlscope_nb.views.map import Embedding, column_of
from mlscope_nb.views.selection import Selection

MOST_CATEGORIES = 60
# As many as the wells of a plate: what has more kinds is offered once it was named in Python.
MOST_OFFERED = 384


class MapView(LinkedView):
    """A map whose points can be drawn around; the selection stays when the map, its colours or its part change."""

    _esm = script("common.js", "points.js", "raster.js", "maptools.js", "map.js", "map_view.js")
    _points = traitlets.CBytes().tag(sync=True)
    _frame = traitlets.Dict().tag(sync=True)
    _codes = traitlets.CBytes().tag(sync=True)
    _inks = traitlets.Dict().tag(sync=True)
    _hidden: Any = traitlets.List().tag(sync=True)
    _selected = traitlets.CBytes().tag(sync=True)
    _map_options: Any = traitlets.List().tag(sync=True)
    _map = traitlets.Unicode().tag(sync=True)
    _colour_options: Any = traitlets.List().tag(sync=True)
    _colour = traitlets.Unicode().tag(sync=True)
    _map_height = traitlets.Int(400).tag(sync=True)

    def __init__(
        self,
        cells: Cells,
        embedding: Embedding,
        colour: str | None,
        *,
        colours: Mapping[str, str] | None = None,
        crops: Crops | None = None,
        seed: int = 0,
        name: str = "",
        selection: Selection | None = None,
        **traits: Any,
    ) -> None:
        self._state, self._name = "", name
        self._palettes: dict[str, CategoryColours] = {}
        self._given = dict(colours or {})
        self._mapset = MapSet(cells, seed)
        self._waiting: Future[pd.DataFrame] | None = None
        self._lock = threading.Lock()
        self._crops = crops
        first = self._mapset.first(embedding)
        super().__init__(cells, selection=selection, _map=first, _colour=colour or "", **traits)
        self._colour_options = with_choice(self._colour_choices(), self._colour)
        self._map_options = self._mapset.choices()
        self._draw_map()
        self._draw_colours()
        self._selected = self._bits()

    @property
    def embeddings(self) -> dict[str, pd.DataFrame]:
        """The maps at hand by name, those computed here included."""
        return self._mapset.tables()

    @property
    def coordinates(self) -> pd.DataFrame:
        """Where each cell lies on the map that is shown: columns x and y."""
        return self._mapset.axes(self._map).points.set_axis(["x", "y"], axis=1)

    def show(
        self, *, embedding: str | None = None, colour: str | None = None, hide: Iterable[str] | None = None
    ) -> Self:
        """Change the map, what it is coloured by ("" for one colour) or which categories are hidden."""
        before = (self._map, self._colour)
        if colour is not None:
            if colour and not self._is_given_here(colour):
                column_of(self.cells, colour)
            self._colour_options = with_choice(self._colour_options, colour)
            self._colour = colour
        if embedding is not None:
            self._change_map(embedding)
        if self._map != before[0]:
            self._draw_map()
        if self._colour != before[1]:
            self._hidden = []
            self._draw_colours()
        if hide is not None:
            self._hidden = self._known_categories(hide)
        self._tell()
        return self

    def select_region(self, corners: Iterable[tuple[float, float]]) -> Self:
        """Choose the cells inside a closed line on the map that is shown, as the lasso does.

        Parameters
        ----------
        corners : iterable of (x, y)
            At least three corners, in the coordinates of the map.
        """
        line = np.asarray(list(corners), float)
        if line.ndim != 2 or line.shape[1] != 2 or len(line) < 3 or not np.isfinite(line).all():
            raise ValueError(f"The line has shape {line.shape}, expected at least three corners (x, y).")
        within = inside(self.coordinates.to_numpy(), line)
        if self._hidden:
            names = [entry["name"] for entry in self._inks["entries"]]
            codes = [i for i, name in enumerate(names) if name in self._hidden]
            within &= ~np.isin(np.frombuffer(self._codes, np.uint8), codes)
        self.selection.select_rows(np.flatnonzero(within))
        return self

    def finish(self, embedding: Embedding) -> Self:
        """Begin to compute the map that was asked for, if another one stands in for it."""
        if self._map == "pca" and isinstance(embedding, str) and embedding == "umap":
            self._compute_umap()
            self._tell()
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the map that is being computed is drawn; `timeout` in seconds."""
        waiting = self._waiting
        if waiting is not None:
            waiting.exception(timeout)
            self._map_ready(waiting)
        with self._lock:
            return self

    # --- which map ------------------------------------------------------------------------------------------

    def _change_map(self, name: str) -> None:
        known = {choice["value"] for choice in self._map_options}
        if name not in known:
            raise KeyError(f"No map '{name}'. There are: {some(known)}.")
        if self._mapset.needs_computing(name):
            if name == "umap":
                self._compute_umap()
                return
            self._mapset.compute(name)
        self._map, self._state = name, "" if self._waiting is None else self._state

    def _compute_umap(self) -> None:
        if self._waiting is None:
            maps, drawn = self._mapset, _maps.sample_of(self.cells)
            of = "" if drawn is None else f" of {drawn:,} cells drawn at random, to place the others on"
            self._state = f"Computing UMAP{of} … the map shown is PCA. Your selection will stay."
            self._waiting = _maps.in_background(lambda: maps.compute("umap"), self._map_ready)

    def _map_ready(self, future: Future[pd.DataFrame]) -> None:
        # Held to the end: without a kernel's loop the thread and `wait` can both come here.
        with self._lock:
            if future is not self._waiting:
                return
            self._waiting, self._state = None, ""
            error = future.exception()
            if error is not None:
                self._say(f"UMAP could not be computed, the map is PCA: {error}", warning=True)
            else:
                self._map = "umap"
                self._draw_map()
                drawn = _maps.sample_of(self.cells)
                if drawn is not None:
                    self._say(f"UMAP of {drawn:,} cells drawn at random; each of the others lies beside its nearest.")
            self._tell()

    # --- what the browser is told ---------------------------------------------------------------------------

    def _draw_map(self) -> None:
        axes = self._mapset.axes(self._map)
        points = np.ascontiguousarray(axes.points.to_numpy(dtype=float).T)
        nowhere = int((~np.isfinite(points).all(axis=0)).sum())
        with self.hold_sync():
            self._points = points.tobytes()
            self._frame = {
                "key": self._map,
                "name": f"{shortened(self._name or axes.title)} map of {count(len(self.cells), 'cell')}",
                "x_label": axes.x_label,
                "y_label": axes.y_label,
                "nowhere": nowhere,
            }

    def _draw_colours(self) -> None:
        column = self._column()
        with self.hold_sync():
            self._codes, self._inks = inks_of(column, self._palette(column), len(self.cells))

    def _column(self) -> pd.Series | None:
        return column_of(self.cells, self._colour) if self._colour else None

    def _is_given_here(self, colour: str) -> bool:
        """Whether a column is one of labels that are given in this view."""
        return False

    def _known_categories(self, names: Iterable[str]) -> list[str]:
        wanted = [names] if isinstance(names, str) else [str(n) for n in names]
        known = [entry["name"] for entry in self._inks.get("entries", ())]
        unknown = [n for n in wanted if n not in known]
        if unknown:
            raise KeyError(f"No category {some(unknown)} to hide. There are: {some(known, 20) or 'none'}.")
        return wanted

    def _palette(self, column: pd.Series | None) -> dict[str, str] | None:
        if column is None or is_continuous(column):
            return None
        name = str(column.name)
        return self._palettes.setdefault(name, CategoryColours(self._given)).of(column)

    def _colour_choices(self) -> list[dict[str, str]]:
        return [{"value": "", "label": "(nothing)"}, *self._column_choices]

    @cached_property
    def _column_choices(self) -> list[dict[str, str]]:
        """Columns that can be drawn: numbers, and texts of not too many kinds."""
        obs = self.cells.obs
        usable = [str(c) for c in obs if is_continuous(obs[c]) or n_kinds(obs[c]) <= MOST_OFFERED]
        choices = [{"value": c, "label": c, "group": OWN} for c in usable if not self._is_given_here(c)]
        features = [] if self.cells.features is None else list(self.cells.features.columns)
        return choices + [{"value": c, "label": c, "group": "features"} for c in features]

    def _selection_changed(self, selection: Selection) -> None:
        super()._selection_changed(selection)
        self._selected = self._bits()

    def _on_map(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.show(embedding=str(content["name"]))

    def _on_colour(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.show(colour=str(content["name"]))

    def _on_hover(self, content: dict[str, Any], buffers: list[Any]) -> None:
        row = int(content["row"])
        picture = [] if self._crops is None else [_pictures.webp(self._crops.pictures(np.array([row]))[0])]
        self.send({"kind": "hover", "row": row, "lines": self._about(row)}, buffers=picture)

    def _about(self, row: int) -> list[str]:
        """What is said about a cell when the mouse rests on it."""
        lines, column = [str(self.cells.ids[row])], self._column()
        if column is not None:
            shown = as_text(column.iloc[[row]]).iloc[0]
            if is_continuous(column) and pd.notna(column.iloc[row]):
                shown = shown if pd.api.types.is_integer_dtype(column) else f"{column.iloc[row]:.4g}"
            lines.append(f"{column.name}: {shown}")
        return [line if len(line) <= 200 else line[:199] + "…" for line in lines]

    def _map_picture(self) -> np.ndarray:
        """A small still picture of the map as it is."""
        column = self._column()
        palette = self._palette(column)
        inks = np.full(len(self.cells), PALETTE[0], dtype=object)
        if palette is not None and column is not None:
            inks = as_text(column).map(palette).fillna(MISSING).to_numpy()
        if len(self.selection):
            inks = np.where(self.selection.flags, inks, CONTEXT)
        return snapshot(self._mapset.axes(self._map).points.to_numpy(), list(inks))

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        return f"Map of {count(len(self.cells), 'cell')}, {len(self.selection):,} selected.", [self._map_picture()]

    def _tell(self) -> None:
        """Say what changed."""

    def _say(self, text: str, *, warning: bool = False) -> None:
        """Show a sentence to the user."""
