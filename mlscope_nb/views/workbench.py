"""The workbench: map, gallery, labels and Python over one selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb._files import replacing
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.views._autosave import Autosave, open_log, restored
from mlscope_nb.views._crops import Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._sentences import describe_selection
from mlscope_nb.views._widget import script
from mlscope_nb.views.map import Embedding
from mlscope_nb.views.mapview import MOST_CATEGORIES, SHOWN, MapView
from mlscope_nb.views.selection import Action, Ids, Selection


class Workbench(MapView):
    """What `explore` returns: a linked map and gallery whose selection and labels are at hand in Python."""

    _esm = script("common.js", "bokeh.js", "map.js", "gallery.js", "workbench.js")
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
        self.label = label
        self.annotations, self._notes = open_log(cells, autosave)
        self._notes += restored(self.annotations, cells, label)
        self._warning = any("cannot" in note or "could not" in note for note in self._notes)
        self._show: Literal["selected", "all"] = "selected"
        self._n_seen = len(self.annotations)
        super().__init__(cells, embedding, colour, colours=colours, crops=crops, seed=seed, **traits)
        self._draw_map()
        self._selection_changed(self.selection)
        # Last, so that the first picture does not share the processor with it.
        if self._map == "pca" and isinstance(embedding, str) and embedding == "umap":
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

    def select(self, ids: Ids) -> Workbench:
        """Choose exactly these cells (ids, or a boolean Series over all cells)."""
        self.selection.select(ids)
        return self

    def assign(self, name: str | float | bool | None, *, reason: str = "") -> Workbench:
        """Give the chosen cells a label; None takes their label away.

        Raises
        ------
        ValueError
            No cells are chosen, or the label is not text, a finite number, a truth value or None.
        OSError
            The label could not be written to disk. It holds, and is written with the next one.
        """
        log, before = self.annotations, len(self.annotations)
        try:
            log.add(self.selected, self.label, name, reason)
        finally:
            # Also when the disk refused: the label is kept in memory, so it must be possible to take it back.
            # Not when the label itself was refused: taking back would remove the one before it.
            if len(log) > before:
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
            "title": f"{SHOWN.get(self._map, self._map)} map of {count(len(self.cells), 'cell')}",
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
    TypeError
        Not Cells but fields or a table.
    ValueError, KeyError
        There is nothing to draw a map from, or a name is not known.

    Examples
    --------
    >>> obs = pd.DataFrame({"x": [0.0, 1, 2], "y": [1.0, 0, 1]}, index=list("abc"))
    >>> w = explore(Cells(obs), ("x", "y"), autosave=False)
    >>> w.select(["c", "a"]).assign("round").labels.tolist()
    ['round', nan, 'round']
    """
    refuse_other_than_cells(cells)
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
    return next((n for n in named if n is not None and cells.obs[n].nunique() <= MOST_CATEGORIES), "")
