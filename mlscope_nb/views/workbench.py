"""The workbench: map, gallery, labels and Python over one selection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._files import replacing
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.views import _bokeh, _maps
from mlscope_nb.views._autosave import Autosave, open_log, restored
from mlscope_nb.views._crops import Contrast, Crops
from mlscope_nb.views._sentences import describe_selection
from mlscope_nb.views._snapshot import snapshot
from mlscope_nb.views._widget import script
from mlscope_nb.views.colours import CONTEXT, MISSING, PALETTE, CategoryColours, as_text, is_continuous
from mlscope_nb.views.galleryview import CropView
from mlscope_nb.views.map import Embedding, axes_of, column_of, scatter
from mlscope_nb.views.selection import Action, Ids, Selection

_MOST_CATEGORIES = 60
_OWN = "your columns"
_SHOWN = {"umap": "UMAP", "pca": "PCA", "tsne": "t-SNE"}


class Workbench(CropView):
    """What `explore` returns: a linked map and gallery whose selection and labels are at hand in Python."""

    _esm = script("common.js", "bokeh.js", "map.js", "gallery.js", "workbench.js")
    _figure = traitlets.Unicode().tag(sync=True)
    _selected = traitlets.CBytes().tag(sync=True)
    _map_options: Any = traitlets.List().tag(sync=True)
    _map = traitlets.Unicode().tag(sync=True)
    _colour_options: Any = traitlets.List().tag(sync=True)
    _colour = traitlets.Unicode().tag(sync=True)
    _words = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        cells: Cells,
        embedding: Embedding,
        colour: str | None,
        *,
        autosave: Autosave,
        label: str,
        colours: Mapping[str, str] | None,
        crops: Crops | None,
        seed: int,
        **traits: Any,
    ) -> None:
        self.label, self._seed = label, seed
        self.annotations, self._notes = open_log(cells, autosave)
        self._notes += restored(self.annotations, cells, label)
        self._warning = any("cannot" in note or "could not" in note for note in self._notes)
        self._given = dict(colours or {})
        self._palettes: dict[str, CategoryColours] = {}
        self._own_maps: dict[str, Embedding] = {}
        self._waiting: Future[pd.DataFrame] | None = None
        self._lock = threading.Lock()
        self._show: Literal["selected", "all"] = "selected"
        self._state = ""
        self._n_seen = len(self.annotations)
        first = self._first_map(cells, embedding)
        super().__init__(cells, crops, _bokeh=_bokeh.library()[0], _map=first, _colour=colour or "", **traits)
        self._colour_options, self._map_options = self._colour_choices(), self._map_choices()
        self._draw_map()
        self._selection_changed(self.selection)
        # Last, so that the first picture does not share the processor with it.
        if first == "pca" and isinstance(embedding, str) and embedding == "umap":
            self._compute_umap()
            self._tell()

    @property
    def selected(self) -> pd.Index:
        """Ids of the chosen cells, in the order of the cells."""
        return self.selection.selected

    @property
    def labels(self) -> pd.Series:
        """The label of every cell, NaN where none was given: ``cells.with_obs(w.labels)`` keeps them."""
        values = self.annotations.column(self.label, self.cells.ids)
        return values.where(values.notna(), np.nan)

    @property
    def embeddings(self) -> dict[str, pd.DataFrame]:
        """The maps at hand by name, those computed here included."""
        computed = [n for n in _maps.COMPUTED if self._has(n)]
        return {**{n: _maps.compute(self.cells, n, self._seed) for n in computed}, **self.cells.embeddings}

    def select(self, ids: Ids) -> Workbench:
        """Choose exactly these cells (ids, or a boolean Series over all cells)."""
        self.selection.select(ids)
        return self

    def assign(self, name: str | float | bool | None, *, reason: str = "") -> Workbench:
        """Give the chosen cells a label; None takes their label away.

        Raises
        ------
        ValueError
            No cells are chosen.
        OSError
            The label could not be written to disk. It holds, and is written with the next one.
        """
        try:
            self.annotations.add(self.selected, self.label, name, reason)
        finally:
            # Also when the disk refused: the label is kept in memory, so it must be possible to take it back.
            if len(self.selected):
                log = self.annotations
                self.selection.record(Action(f"label {name}", self._kept(log.undo), self._kept(log.redo)))
        return self

    def undo(self) -> str | None:
        """Take back the last selection or label; returns its name, or None when there is none."""
        return self.selection.undo()

    def redo(self) -> str | None:
        """Put back what was taken back last; returns its name, or None when there is none."""
        return self.selection.redo()

    def save(self, path: str | Path) -> Path:
        """Write the labels of the labelled cells as a CSV table with columns cell_id and the label's name."""
        target = Path(path).expanduser()
        with replacing(target) as part:
            self.labels.dropna().to_csv(part, index_label="cell_id", encoding="utf-8")
        return target

    def show(self, *, embedding: str | None = None, colour: str | None = None) -> Workbench:
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

    def wait(self, timeout: float | None = None) -> Workbench:
        """Wait until the map that is being computed is drawn; `timeout` in seconds."""
        waiting = self._waiting
        if waiting is not None:
            waiting.exception(timeout)
            self._map_ready(waiting)
        with self._lock:
            return self

    # --- what is drawn -------------------------------------------------------------------------------------

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
        return [{"value": n, "label": _SHOWN.get(n, n)} for n in names]

    def _colour_choices(self) -> list[dict[str, str]]:
        obs = self.cells.obs
        usable = [str(c) for c in obs if is_continuous(obs[c]) or obs[c].nunique() <= _MOST_CATEGORIES]
        choices = [
            {"value": "", "label": "(nothing)"},
            {"value": self.label, "label": f"{self.label} (given here)"},
        ]
        choices += [{"value": c, "label": c, "group": _OWN} for c in usable if c != self.label]
        features = [] if self.cells.features is None else list(self.cells.features.columns)
        return choices + [{"value": c, "label": c, "group": "features"} for c in features]

    # --- what follows the selection ------------------------------------------------------------------------

    def _selection_changed(self, selection: Selection) -> None:
        rows = selection.rows.astype(np.int32).tobytes()
        if rows != self._selected:
            self._selected = rows
            self._start = 0 if self._show == "selected" else self._start
        super()._selection_changed(selection)
        self._draw_page()
        self._tell()
        # Labels may have been given in another view of the same cells.
        if len(self.annotations) != self._n_seen:
            self._n_seen = len(self.annotations)
            if self._colour == self.label:
                self._draw_map()

    def _shown(self) -> np.ndarray:
        if self._show == "all" or not len(self.selection):
            return np.arange(len(self.cells))
        return self.selection.rows

    def _title(self, n: int) -> dict[str, Any]:
        every = self._show == "all" or not len(self.selection)
        return {
            "title": f"All {count(n, 'cell')}" if every else f"{count(n, 'selected cell')}",
            "rings": every,
            "choices": [{"value": "selected", "label": "show selected"}, {"value": "all", "label": "show all"}],
            "show": self._show,
        }

    def _marks(self, rows: np.ndarray) -> list[str]:
        labels = self.labels
        palette = self._palette(labels) or {}
        return [palette.get(str(v), "") if isinstance(v, str) or v == v else "" for v in labels.iloc[rows]]

    def _tell(self) -> None:
        self._words = {
            "title": f"{_SHOWN.get(self._map, self._map)} map of {count(len(self.cells), 'cell')}",
            "state": self._state,
            "busy": self._waiting is not None,
            "summary": describe_selection(self.cells, self.selected, self.labels),
            "note": " ".join(self._notes),
            "warning": self._warning,
            "can_undo": self.selection.can_undo,
            "can_redo": self.selection.can_redo,
            "n_selected": len(self.selection),
        }

    def _kept(self, step: Callable[[], Any]) -> Callable[[], None]:
        """Let a step of the log stand when the disk refuses it: it is in memory, and written with the next one."""

        def run() -> None:
            try:
                step()
            except OSError as error:
                self._say(f"Not saved yet: {error}", warning=True)

        return run

    def _say(self, text: str, *, warning: bool = False) -> None:
        self._notes, self._warning = [text], warning
        self._tell()

    # --- what the browser asks for --------------------------------------------------------------------------

    def _on_selected(self, content: dict[str, Any], buffers: list[Any]) -> None:
        rows = np.frombuffer(buffers[0], dtype=np.int32)
        self.selection.select_rows(rows[(rows >= 0) & (rows < len(self.cells))])

    def _on_toggle(self, content: dict[str, Any], buffers: list[Any]) -> None:
        # A selection is being built from images: they must not turn into the one cell just chosen.
        if not len(self.selection):
            self._show = "all"
        super()._on_toggle(content, buffers)

    def _on_show(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._show, self._start = ("all" if content["what"] == "all" else "selected"), 0
        self._draw_page()

    def _on_assign(self, content: dict[str, Any], buffers: list[Any]) -> None:
        n = len(self.selection)
        try:
            self.assign(str(content["text"]))
        except (ValueError, OSError) as error:
            self._say(f"{error}", warning=True)
            return
        kept = (
            ""
            if self.annotations.path is None
            else f", saved in {self.annotations.path.parent.name}/{self.annotations.path.name}"
        )
        self._say(f"{count(n, 'cell')} labelled “{content['text']}”{kept}.")

    def _on_invert(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.invert()

    def _on_clear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.selection.clear()

    def _on_undo(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.undo()

    def _on_redo(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.redo()

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


def explore(
    cells: Cells,
    embedding: Embedding = "umap",
    autosave: Autosave = None,
    *,
    colour: str | None = None,
    label: str = "label",
    colours: Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
    channel_colours: Mapping[str, str] | None = None,
    contrast: Contrast | None = None,
    select: Iterable[str] | pd.Series | None = None,
    seed: int = 0,
) -> Workbench:
    """Open a map and a gallery over the same cells: draw around points, see the cells, name them.

    Every view of the same cells shares one selection. Labels are written to disk as they are given.

    Parameters
    ----------
    cells : Cells
        With features or maps; images are shown if there are any.
    embedding : str, DataFrame or pair of str
        A map by name, a table with columns x and y, or two columns. A UMAP that is not there yet is computed
        while PCA is shown.
    autosave : path or False, optional
        File of the labels; by default ``mlscope_work`` beside the notebook. False keeps them in memory only.
    colour : str, optional
        Column of obs or features; the declared label or batch by default, "" for one colour.
    label : str
        Name of the column of the labels given here.
    colours : mapping, optional
        Category to "#rrggbb".
    channels, channel_colours, contrast
        As `channels`, `colours` and `contrast` of `gallery`.
    select : iterable of str or boolean Series, optional
        Cells to begin with.
    seed : int
        For maps computed here.

    Returns
    -------
    Workbench
        With ``selected``, ``labels``, ``select(ids)``, ``assign(name)``, ``undo()``, ``redo()``, ``save(path)``.

    Raises
    ------
    ValueError, KeyError
        There is nothing to draw a map from, or a name is not known.

    Examples
    --------
    >>> obs = pd.DataFrame({"x": [0.0, 1, 2], "y": [1.0, 0, 1]}, index=list("abc"))
    >>> w = explore(Cells(obs), ("x", "y"), autosave=False)
    >>> w.select(["c", "a"]).assign("round").labels.tolist()
    ['round', nan, 'round']
    """
    if not isinstance(cells, Cells):
        raise TypeError(f"Expected Cells, found {type(cells).__name__}. Make them: ms.Cells(obs, images, …).")
    if not str(label).strip():
        raise ValueError("The column of the labels has no name. Name it, for example label='phenotype'.")
    if not len(cells):
        raise ValueError("There are no cells to show: 0 rows.")
    crops = None
    if cells.images is not None:
        crops = Crops(cells, channels=channels, colours=channel_colours, contrast=contrast)
    workbench = Workbench(
        cells,
        embedding,
        _first_colour(cells) if colour is None else colour,
        autosave=autosave,
        label=label,
        colours=colours,
        crops=crops,
        seed=seed,
        _wide_rows=3,
        _height=400,
    )
    if select is not None:
        workbench.select(select if isinstance(select, str | pd.Series) else list(select))
    return workbench


def _first_colour(cells: Cells) -> str:
    named = [cells.design.label, *cells.design.batch, *cells.design.unit]
    return next((n for n in named if n is not None and cells.obs[n].nunique() <= _MOST_CATEGORIES), "")
