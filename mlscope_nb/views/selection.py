"""The selection: which cells are chosen, shared by every view of the same cells, with one history."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._align import positions, refuse_duplicates, text_index
from mlscope_nb._words import count

if TYPE_CHECKING:
    from mlscope_nb.cells import Cells

Observer = Callable[["Selection"], None]
Ids = Iterable[str] | pd.Series | str


@dataclass(frozen=True)
class Action:
    """Something done that can be taken back: a selection, or a label given in a view."""

    name: str
    undo: Callable[[], Any]
    redo: Callable[[], Any]


class Selection:
    """A set of chosen cell ids out of known ones; always listed in the order of the cells.

    Parameters
    ----------
    ids : iterable of str
        All cells that can be chosen.

    Examples
    --------
    >>> selection = Selection(["a", "b", "c"])
    >>> selection.select(["c", "a"]).selected.tolist()
    ['a', 'c']
    >>> selection.invert().selected.tolist()
    ['b']
    >>> selection.undo()
    'invert'
    >>> selection.selected.tolist()
    ['a', 'c']
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = text_index(pd.Index(list(ids), dtype=object), "cell_id")
        refuse_duplicates(self.ids, "cell_id")
        self._mask = np.zeros(len(self.ids), bool)
        self._observers: list[Observer] = []
        self._done: list[Action] = []
        self._undone: list[Action] = []
        self._found: str | None = None
        self._slid: tuple[Action, np.ndarray] | None = None

    def __len__(self) -> int:
        return int(self._mask.sum())

    def __contains__(self, cell_id: object) -> bool:
        row = self.ids.get_indexer(pd.Index([str(cell_id)], dtype=object))[0]
        return bool(row >= 0 and self._mask[row])

    @property
    def selected(self) -> pd.Index:
        """The chosen ids, in the order of the cells."""
        return self.ids[self._mask]

    @property
    def rows(self) -> np.ndarray:
        """Positions of the chosen cells among all."""
        return np.flatnonzero(self._mask)

    @property
    def flags(self) -> np.ndarray:
        """True for chosen cells, by position; read only."""
        view = self._mask.view()
        view.flags.writeable = False
        return view

    @property
    def mask(self) -> pd.Series:
        """True for chosen cells, one value for each cell."""
        return pd.Series(self._mask.copy(), index=self.ids, name="selected")

    def select(self, ids: Ids) -> Selection:
        """Choose exactly these cells (ids, or a boolean Series over all cells)."""
        return self._set(self._flags(ids), "select")

    def add(self, ids: Ids) -> Selection:
        """Choose these cells too."""
        return self._set(self._mask | self._flags(ids), "add")

    def remove(self, ids: Ids) -> Selection:
        """Leave these cells out."""
        return self._set(self._mask & ~self._flags(ids), "remove")

    def toggle(self, ids: Ids) -> Selection:
        """Add the ones that are not chosen and remove the ones that are."""
        return self._set(self._mask ^ self._flags(ids), "toggle")

    def invert(self) -> Selection:
        """Choose all other cells."""
        return self._set(~self._mask, "invert")

    def clear(self) -> Selection:
        """Choose nothing."""
        return self._set(np.zeros_like(self._mask), "clear")

    def select_rows(self, rows: np.ndarray) -> Selection:
        """Choose the cells at these positions (what a plot reports)."""
        flags = np.zeros_like(self._mask)
        flags[rows] = True
        return self._set(flags, "select")

    def slide_rows(self, rows: np.ndarray) -> Selection:
        """Choose the cells at these positions while something is dragged: one drag is one step of the history."""
        flags = np.zeros_like(self._mask)
        flags[rows] = True
        if np.array_equal(flags, self._mask):
            return self
        before = self._mask
        if self._slid is not None and self._done and self._done[-1] is self._slid[0]:
            self._done.pop()
            before = self._slid[1]
        self._set(flags, "threshold", before)
        self._slid = (self._done[-1], before)
        return self

    @property
    def found(self) -> str | None:
        """The one cell that is pointed at, if any; no part of the history."""
        return self._found

    def find(self, cell_id: str | None) -> Selection:
        """Point at one cell in every view, chosen or not; None points at nothing."""
        if cell_id is not None:
            cell_id = self.ids[positions([cell_id], self.ids)[0]]
        if cell_id != self._found:
            self._found = cell_id
            self._tell()
        return self

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to put back."""
        return bool(self._undone)

    def record(self, action: Action) -> None:
        """Add something done elsewhere (a label) to the one history."""
        self._done.append(action)
        self._undone.clear()
        self._tell()

    def remember(self, actions: Iterable[Action]) -> None:
        """Begin the history with what was done in an earlier session; nothing happens if there is a history."""
        if not self._done and not self._undone:
            self._done.extend(actions)

    def undo(self) -> str | None:
        """Take back the last action; returns its name, or None when there is none."""
        return self._step(self._done, self._undone, "undo")

    def redo(self) -> str | None:
        """Put back what was taken back last; returns its name, or None when there is none."""
        return self._step(self._undone, self._done, "redo")

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer(selection)` after each change; the returned function ends it."""
        self._observers.append(observer)

        def stop() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return stop

    def __repr__(self) -> str:
        return f"Selection of {len(self):,} of {count(len(self.ids), 'cell')}"

    def _flags(self, ids: Ids) -> np.ndarray:
        flags = np.zeros_like(self._mask)
        wanted = ids if isinstance(ids, str | pd.Series) else list(dict.fromkeys(ids))
        if isinstance(wanted, pd.Series) and not pd.api.types.is_bool_dtype(wanted):
            wanted = list(dict.fromkeys(wanted))
        flags[positions(wanted, self.ids)] = True
        return flags

    def _set(self, flags: np.ndarray, name: str, since: np.ndarray | None = None) -> Selection:
        if not np.array_equal(flags, self._mask):
            before = self._mask if since is None else since
            self._done.append(Action(name, lambda: self._put(before), lambda: self._put(flags)))
            self._undone.clear()
            self._put(flags)
            self._tell()
        return self

    def _put(self, flags: np.ndarray) -> None:
        self._mask = flags

    def _step(self, source: list[Action], target: list[Action], what: str) -> str | None:
        if not source:
            return None
        action = source[-1]
        getattr(action, what)()
        # Moved only now: what could not be taken back (the disk refused) stays where it was.
        target.append(source.pop())
        self._tell()
        return action.name

    def _tell(self) -> None:
        for observer in list(self._observers):
            observer(self)


_SHARED: weakref.WeakValueDictionary[str, Selection] = weakref.WeakValueDictionary()


def selection_of(cells: Cells) -> Selection:
    """Return the one selection of these cells: the same object for each view while one of them lives."""
    key = cells.fingerprint
    shared = _SHARED.get(key)
    if shared is None or not shared.ids.equals(cells.ids):
        shared = Selection(cells.ids)
        _SHARED[key] = shared
    return shared
