"""The map side of a workbench: which map is drawn in which colours, and maps that are still being computed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.views import _bokeh, _maps
from mlscope_nb.views._crops import Crops
from mlscope_nb.views._snapshot import snapshot
from mlscope_nb.views.colours import CONTEXT, MISSING, PALETTE, CategoryColours, as_text, is_continuous
from mlscope_nb.views.galleryview import CropView
from mlscope_nb.views.map import Embedding, axes_of, column_of, scatter

MOST_CATEGORIES = 60
SHOWN = {"umap": "UMAP", "pca": "PCA", "tsne": "t-SNE"}
_OWN = "your columns"


class MapView(CropView):
    """A gallery with a map beside it; `label` names the column of labels that can be given here."""

    _figure = traitlets.Unicode().tag(sync=True)
    _selected = traitlets.CBytes().tag(sync=True)
    _map_options: Any = traitlets.List().tag(sync=True)
    _map = traitlets.Unicode().tag(sync=True)
    _colour_options: Any = traitlets.List().tag(sync=True)
    _colour = traitlets.Unicode().tag(sync=True)
    label: str

    def __init__(
        self,
        cells: Cells,
        embedding: Embedding,
        colour: str | None,
        *,
        colours: Mapping[str, str] | None,
        crops: Crops | None,
        seed: int,
        **traits: Any,
    ) -> None:
        self._seed, self._state = seed, ""
        self._given = dict(colours or {})
        self._palettes: dict[str, CategoryColours] = {}
        self._own_maps: dict[str, Embedding] = {}
        self._waiting: Future[pd.DataFrame] | None = None
        self._lock = threading.Lock()
        first = self._first_map(cells, embedding)
        super().__init__(cells, crops, _bokeh=_bokeh.library()[0], _map=first, _colour=colour or "", **traits)
        self._colour_options, self._map_options = self._colour_choices(), self._map_choices()

    @property
    def labels(self) -> pd.Series:
        """The label of every cell, NaN where none was given."""
        raise NotImplementedError

    @property
    def embeddings(self) -> dict[str, pd.DataFrame]:
        """The maps at hand by name, those computed here included."""
        computed = [n for n in _maps.COMPUTED if self._has(n)]
        return {**{n: _maps.compute(self.cells, n, self._seed) for n in computed}, **self.cells.embeddings}

    def show(self, *, embedding: str | None = None, colour: str | None = None) -> Self:
        """Change the map or what it is coloured by ("" for one colour); the selection stays."""
        before = (self._map, self._colour)
        if colour is not None:
            if colour and colour != self.label:
                column_of(self.cells, colour)
            self._colour = colour
        if embedding is not None:
            self._change_map(embedding)
        if (self._map, self._colour) != before:
            self._draw_map()
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

    def _first_map(self, cells: Cells, embedding: Embedding) -> str:
        """Return the name of the map to begin with; PCA stands in for a UMAP that is not there yet."""
        if not isinstance(embedding, str):
            name = "chosen" if isinstance(embedding, pd.DataFrame) else " and ".join(embedding)
            axes_of(cells, embedding)
            self._own_maps[name] = embedding
            return name
        if embedding in cells.embeddings:
            return embedding
        if embedding not in _maps.COMPUTED:
            axes_of(cells, embedding)
        if _maps.is_ready(cells, embedding, self._seed):
            return embedding
        _maps.compute(cells, "pca", self._seed)
        return "pca"

    def _has(self, name: str) -> bool:
        return self.cells.features is not None and _maps.is_ready(self.cells, name, self._seed)

    def _change_map(self, name: str) -> None:
        known = {choice["value"] for choice in self._map_options}
        if name not in known:
            raise KeyError(f"No map '{name}'. There are: {some(known)}.")
        if name in _maps.COMPUTED and name not in self.cells.embeddings and not self._has(name):
            if name == "umap":
                self._compute_umap()
                return
            _maps.compute(self.cells, name, self._seed)
        self._map, self._state = name, "" if self._waiting is None else self._state

    def _compute_umap(self) -> None:
        if self._waiting is None:
            self._state = "Computing UMAP … the map shown is PCA. Your selection will stay."
            cells, seed = self.cells, self._seed
            self._waiting = _maps.in_background(lambda: _maps.compute(cells, "umap", seed), self._map_ready)

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
            self._tell()

    def _points(self) -> Embedding:
        if self._map in self._own_maps:
            return self._own_maps[self._map]
        if self._map in self.cells.embeddings:
            return self._map
        return _maps.compute(self.cells, self._map, self._seed).rename_axis(index="cell_id")

    def _draw_map(self) -> None:
        column = self._column()
        element = scatter(
            self._with_map(),
            self._map if self._map in self._named_maps() else self._points(),
            column,
            colours=self._palette(column),
            thumbnails=False,
            title="",
        )
        self._figure = _bokeh.to_json(_prepared(_bokeh.figure_of(element), self._map))

    def _named_maps(self) -> set[str]:
        return {*self.cells.embeddings, *(n for n in _maps.COMPUTED if self._has(n))}

    def _with_map(self) -> Cells:
        points = self._points()
        if isinstance(points, pd.DataFrame) and self._map not in self._own_maps:
            return self.cells.with_embedding(self._map, points)
        return self.cells

    def _column(self) -> pd.Series | None:
        if not self._colour:
            return None
        return self.labels if self._colour == self.label else column_of(self.cells, self._colour)

    def _palette(self, column: pd.Series | None) -> dict[str, str] | None:
        if column is None or is_continuous(column):
            return None
        name = str(column.name)
        return self._palettes.setdefault(name, CategoryColours(self._given)).of(column)

    def _map_choices(self) -> list[dict[str, str]]:
        names = [*self._own_maps, *self.cells.embeddings]
        if self.cells.features is not None:
            names += [n for n in _maps.COMPUTED if n not in names]
        return [{"value": n, "label": SHOWN.get(n, n)} for n in names]

    def _colour_choices(self) -> list[dict[str, str]]:
        obs = self.cells.obs
        usable = [str(c) for c in obs if is_continuous(obs[c]) or obs[c].nunique() <= MOST_CATEGORIES]
        choices = [
            {"value": "", "label": "(nothing)"},
            {"value": self.label, "label": f"{self.label} (given here)"},
        ]
        choices += [{"value": c, "label": c, "group": _OWN} for c in usable if c != self.label]
        features = [] if self.cells.features is None else list(self.cells.features.columns)
        return choices + [{"value": c, "label": c, "group": "features"} for c in features]

    def _on_map(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.show(embedding=str(content["name"]))

    def _on_colour(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.show(colour=str(content["name"]))

    def _on_hover(self, content: dict[str, Any], buffers: list[Any]) -> None:
        row = int(content["row"])
        lines = [self.cells.ids[row]]
        column = self._column()
        if column is not None:
            value = column.iloc[row]
            shown = f"{value:.4g}" if is_continuous(column) else as_text(column.iloc[[row]]).iloc[0]
            lines.append(f"{column.name}: {shown}")
        picture = [] if self._crops is None else [_pictures.webp(self._crops.pictures(np.array([row]))[0])]
        self.send({"kind": "hover", "row": row, "lines": lines}, buffers=picture)

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        points = axes_of(self.cells, self._points()).points.to_numpy()
        column = self._column()
        palette = self._palette(column)
        inks = np.full(len(self.cells), PALETTE[0], dtype=object)
        if palette is not None and column is not None:
            inks = as_text(column).map(palette).fillna(MISSING).to_numpy()
        if len(self.selection):
            inks = np.where(self.selection.mask, inks, CONTEXT)
        pictures = [snapshot(points, list(inks))]
        if self._crops is not None:
            pictures.append(_pictures.sheet(self._crops.pictures(self._shown()[:20])[:, :64, :64], 5))
        return f"Map of {count(len(self.cells), 'cell')}, {len(self.selection):,} selected.", pictures

    def _tell(self) -> None:
        """Say what changed."""
        raise NotImplementedError

    def _say(self, text: str, *, warning: bool = False) -> None:
        """Show a sentence to the user."""
        raise NotImplementedError


def _prepared(figure: Any, name: str) -> Any:
    """Give the figure what the browser side needs: named sources, room to grow, no tooltips of its own."""
    from bokeh.models import ColumnDataSource, HoverTool
    from bokeh.models.renderers import GlyphRenderer

    renderer = next(r for r in figure.renderers if isinstance(r, GlyphRenderer))
    renderer.data_source.name = "cells"
    found = ColumnDataSource({"x": [], "y": []}, name="found")
    figure.scatter("x", "y", source=found, size=18, fill_color=None, line_color="#000000", line_width=5)
    figure.scatter("x", "y", source=found, size=18, fill_color=None, line_color="#ff7f0e", line_width=2.5)
    for tool in figure.tools:
        if isinstance(tool, HoverTool):
            tool.update(tooltips=None, renderers=[renderer])
    figure.update(sizing_mode="stretch_both", width=None, height=None, tags=[name])
    return figure
