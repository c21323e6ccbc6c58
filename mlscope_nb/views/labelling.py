"""Labels given in a view: to the selection or by keys, with one history, kept on disk as they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb._files import replacing
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.views._autosave import Autosave, open_log, read_labels, restored
from mlscope_nb.views._linked import LinkedView
from mlscope_nb.views._sentences import shortened
from mlscope_nb.views.selection import Action

MOST_KEYS = 9


class Labelling(LinkedView):
    """A view in which cells get labels; `label` names their column."""

    _keys: Any = traitlets.List().tag(sync=True)
    _blind = traitlets.Bool(False).tag(sync=True)
    label: str

    def _open_labels(self, cells: Cells, label: str | None, autosave: Autosave) -> None:
        """Find the labels of an earlier session; called before the view is there."""
        self.annotations, self._notes = open_log(cells, autosave)
        if label is None:
            # Cells that took over the labels given here (with_obs) are labelled further under the same name.
            taken = "label" in cells.obs.columns and "label" not in self.annotations.columns
            label = "my_label" if taken else "label"
        self.label = label
        self._notes += restored(self.annotations, cells, label)
        self._warning = any(word in note for note in self._notes for word in ("cannot", "could not", "other data"))
        self._known: tuple[int, pd.Series] | None = None

    def _remember_labels(self, keys: Iterable[str]) -> None:
        """Let undo reach the labels of an earlier session, and offer their names on the number keys."""
        log = self.annotations
        standing = [e for e in log.standing if e.column == self.label]
        if len(standing) == len(log.standing):
            undo, redo = self._kept(log.undo), self._kept(log.redo)
            self.selection.remember(Action(f"label {e.value}", undo, redo) for e in standing)
        named = [str(e.value) for e in standing if e.value is not None]
        self._keys = list(dict.fromkeys([*keys, *named]))[:MOST_KEYS]

    @property
    def labels(self) -> pd.Series:
        """The label of every cell, NaN where none was given: ``cells.with_obs(w.labels)`` keeps them."""
        return self._labels().copy()

    @property
    def label_keys(self) -> list[str]:
        """The labels on the number keys 1 to 9, in order."""
        return list(self._keys)

    def assign(self, name: str | float | bool | None, *, reason: str = "") -> Self:
        """Give the chosen cells a label; None takes their label away.

        Raises
        ------
        ValueError
            No cells are chosen, or the label is not text, a finite number, a truth value or None.
        OSError
            The label could not be written to disk. It holds, and is written with the next one.
        """
        self._assign(self.selected, name, reason)
        return self

    def save(self, path: str | Path) -> Path:
        """Write the labels of the labelled cells as a CSV table with columns cell_id and the label's name."""
        target = Path(path).expanduser()
        with replacing(target) as part:
            self._labels().dropna().to_csv(part, index_label="cell_id", encoding="utf-8")
        return target

    def load(self, path: str | Path) -> Self:
        """Take over the labels of a file: a CSV written by `save`, or the log of an earlier session.

        One step of the history; labels of cells that the file does not name stay.

        Raises
        ------
        FileNotFoundError, ValueError
            There is no such file, or it names cells that are not here.
        """
        source = Path(path).expanduser()
        found = read_labels(source, self.cells, self.label).dropna()
        before = len(self.annotations.standing)
        try:
            for value, cells in found.groupby(found.map(lambda v: (type(v).__name__, v)), sort=False):
                self.annotations.add(list(cells.index), self.label, value[1], f"from {source.name}")
        finally:
            n = len(self.annotations.standing) - before
            if n:
                self.selection.record(Action("load", self._kept_times("undo", n), self._kept_times("redo", n)))
        self._say(f"{count(len(found), 'label')} taken over from {source.name}.")
        return self

    def blind(self, on: bool = True) -> Self:
        """Hide plates, classes, names and colours, so that they cannot sway whoever labels; the order is mixed."""
        if bool(on) != self._blind:
            self._blind = bool(on)
            self._blind_changed()
        return self

    # --- within ---------------------------------------------------------------------------------------------

    def _labels(self) -> pd.Series:
        if self._known is None or self._known[0] != len(self.annotations):
            values = self.annotations.column(self.label, self.cells.ids)
            self._known = (len(self.annotations), values.where(values.notna(), np.nan))
        return self._known[1]

    def _assign(self, ids: Iterable[str], name: str | float | bool | None, reason: str = "") -> None:
        log, before = self.annotations, len(self.annotations)
        try:
            log.add(ids, self.label, name, reason)
        finally:
            # Also when the disk refused: the label is kept in memory, so it must be possible to take it back.
            # Not when the label itself was refused: taking back would remove the one before it.
            if len(log) > before:
                self._keys = list(dict.fromkeys([*self._keys, *([] if name is None else [str(name)])]))[:MOST_KEYS]
                self.selection.record(Action(f"label {name}", self._kept(log.undo), self._kept(log.redo)))

    def _kept(self, step: Callable[[], Any]) -> Callable[[], None]:
        """Take back or put back a label; when the disk refuses, it is done all the same and said."""

        def run() -> None:
            try:
                step()
            except OSError as error:
                self._say(f"Not saved yet: {error}", warning=True)

        return run

    def _kept_times(self, step: str, n: int) -> Callable[[], None]:
        once = self._kept(getattr(self.annotations, step))

        def run() -> None:
            for _ in range(n):
                once()

        return run

    def _where_saved(self) -> str:
        path = self.annotations.path
        return "" if path is None else f", saved in {path.parent.name}/{path.name}"

    def _give(self, ids: Iterable[str], text: str | None) -> bool:
        """Label cells and say so, or say why not."""
        ids = list(ids)
        try:
            self._assign(ids, text)
        except (ValueError, OSError) as error:
            self._say(f"{error}", warning=True)
            return False
        done = "unlabelled" if text is None else f"labelled “{shortened(text)}”"
        self._say(f"{count(len(ids), 'cell')} {done}{self._where_saved()}.")
        return True

    def _on_assign(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._give(self.selected, str(content["text"]))

    def _on_key(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """A number key: label the cell that is pointed at and go to the next."""
        number = int(content["key"])
        found = self.selection.found
        if number > len(self._keys):
            self._say(f"Key {number} has no label yet. Type a name and press “Label selection” once.", warning=True)
        elif found is None:
            self._say("No cell is marked. Click a crop, or press an arrow key.", warning=True)
        elif self._give([found], None if number == 0 else str(self._keys[number - 1])):
            self._move(1)

    def _on_undo(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.undo()

    def _on_redo(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.redo()

    def _on_blind(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.blind(bool(content["on"]))

    # What a view has to do in its own way; one without gallery or words has nothing to do.

    def _blind_changed(self) -> None:
        """Show or hide what could sway the one who labels."""

    def _move(self, by: int) -> None:
        """Point at another cell of the gallery."""

    def _say(self, text: str, *, warning: bool = False) -> None:
        """Show a sentence to the user."""
