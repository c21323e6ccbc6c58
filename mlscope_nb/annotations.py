"""The annotation log: every label and every keep-or-drop decision, in order, never overwritten."""

from __future__ import annotations

import getpass
import json
import math
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._files import append_lines, made_folder
from mlscope_nb._words import count, some

VERSION = 1
Value = str | float | int | bool | None
Action = Literal["assign", "undo", "redo"]


@dataclass(frozen=True)
class Entry:
    """One line of the log: who gave which cells which value, when and why.

    ``action`` is "assign", or "undo" / "redo" of the entry named in ``of``.
    """

    column: str
    value: Value
    cell_ids: tuple[str, ...]
    reason: str = ""
    who: str = ""
    action: Action = "assign"
    of: str = ""
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    entry_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return {**asdict(self), "cell_ids": list(self.cell_ids)}

    def __str__(self) -> str:
        if self.action != "assign":
            return f"{self.action} of {self.column} = {self.value}"
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.column} = {self.value} for {count(len(self.cell_ids), 'cell')}{why}"


class AnnotationLog:
    """Labels and decisions about cells, kept as they were made; on disk each is one line of JSON.

    Parameters
    ----------
    path : path, optional
        File that receives each entry at once. An existing log is read and continued. None keeps it in memory.
    who : str, optional
        Name written beside each entry; the user name of the system by default.
    fingerprint : str, optional
        ``cells.fingerprint`` of the data that are annotated.

    Attributes
    ----------
    damaged : list of str
        Lines of an existing file that could not be read (a line half written when the computer stopped). Where that is
        the first line, the file is continued all the same, with a new first line.

    Raises
    ------
    ValueError
        The file belongs to other data, is of a newer version or is no annotation log.

    Examples
    --------
    >>> log = AnnotationLog(who="ada")
    >>> log.add(["c1", "c2"], "phenotype", "round").value
    'round'
    >>> log.column("phenotype", ["c1", "c2", "c3"]).tolist()
    ['round', 'round', None]
    """

    def __init__(
        self, path: str | Path | None = None, *, who: str | None = None, fingerprint: str | None = None
    ) -> None:
        self.path = None if path is None else Path(path)
        self.who = user_name() if who is None else who
        self.fingerprint = fingerprint
        self.damaged: list[str] = []
        self._entries: list[Entry] = []
        self._unwritten: list[Entry] = []
        self._headless = False
        if self.path is not None and self.path.exists() and self.path.stat().st_size:
            self._read(self.path)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> pd.DataFrame:
        """All entries in order, one row each, undone ones included."""
        names = list(Entry.__dataclass_fields__)
        # As objects, or a label None would make 3 a 3.0.
        return pd.DataFrame([entry.to_dict() for entry in self._entries], columns=names, dtype=object)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that have been annotated."""
        return list(dict.fromkeys(entry.column for entry in self._entries if entry.action == "assign"))

    @property
    def standing(self) -> tuple[Entry, ...]:
        """Entries that hold now, oldest first: neither undone nor an undo themselves."""
        return tuple(self._standing()[0])

    @property
    def unwritten(self) -> int:
        """How many entries are still only in memory, because the disk refused them."""
        return len(self._unwritten)

    def add(self, ids: Iterable[str], column: str, value: Value, reason: str = "", *, who: str | None = None) -> Entry:
        """Give `value` in `column` to these cells; None takes a value away.

        Raises
        ------
        ValueError
            No cells, ids that are no text, an empty column name, or a value that is not text, a finite number, a truth
        value or None.
        OSError
            The disk refused the line. The entry is kept in memory and written with the next one.
        """
        cells = (_text(ids),) if isinstance(ids, str) else tuple(_id(i) for i in ids)
        if not cells:
            raise ValueError("No cells to annotate: the selection is empty. Select cells on the map first.")
        if not str(column).strip():
            raise ValueError("The column has no name. Name it, for example 'phenotype'.")
        words = (_text(column), _text(reason), _text(self.who if who is None else who))
        return self._append(Entry(words[0], _plain(value), tuple(dict.fromkeys(cells)), *words[1:]))

    def undo(self) -> Entry | None:
        """Take back the last entry that stands; returns it, or None when there is none."""
        standing, _ = self._standing()
        if not standing:
            return None
        last = standing[-1]
        self._append(Entry(last.column, last.value, last.cell_ids, who=self.who, action="undo", of=last.entry_id))
        return last

    def redo(self) -> Entry | None:
        """Put back what was undone last, unless something new was added since; returns it or None."""
        _, undone = self._standing()
        if not undone:
            return None
        last = undone[-1]
        self._append(Entry(last.column, last.value, last.cell_ids, who=self.who, action="redo", of=last.entry_id))
        return last

    def column(self, name: str, ids: Iterable[str]) -> pd.Series:
        """Return the present value for each of `ids` in order; None where there is none."""
        # The index of cells is taken as it is: it knows already where each id stands.
        if isinstance(ids, pd.Index) and ids.inferred_type == "string":
            index = ids.rename("cell_id")
        else:
            index = pd.Index([str(i) for i in ids], dtype=object, name="cell_id")
        each = index if index.is_unique else index.unique()
        values = np.full(len(each), None, dtype=object)
        for entry in self._standing()[0]:
            if entry.column == name:
                rows = each.get_indexer(pd.Index(entry.cell_ids, dtype=object))
                values[rows[rows >= 0]] = entry.value
        found = values if each is index else values[each.get_indexer(index)]
        return pd.Series(found, index=index, name=name, dtype=object)

    def flush(self) -> None:
        """Write what the disk refused earlier."""
        if self.path is None or not self._unwritten:
            return
        head = [self._header()] if self._headless or _is_new(self.path) else []
        lines = [json.dumps(line, ensure_ascii=False) for line in [*head, *(e.to_dict() for e in self._unwritten)]]
        made_folder(self.path.parent)
        append_lines(self.path, lines)
        self._headless = False
        self._unwritten.clear()

    def _append(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        self._unwritten.append(entry)
        if self.path is None:
            self._unwritten.clear()
        self.flush()
        return entry

    def _standing(self) -> tuple[list[Entry], list[Entry]]:
        """Replay the log: entries that hold, and those undone that could still be redone."""
        standing: list[Entry] = []
        undone: list[Entry] = []
        by_id = {entry.entry_id: entry for entry in self._entries}
        for entry in self._entries:
            target = by_id.get(entry.of)
            if entry.action == "assign":
                standing.append(entry)
                undone.clear()
            elif entry.action == "undo" and target in standing:
                standing.remove(target)
                undone.append(target)
            elif entry.action == "redo" and target in undone:
                undone.remove(target)
                standing.append(target)
        return standing, undone

    def _header(self) -> dict[str, Any]:
        return {"mlscope": "annotations", "version": VERSION, "fingerprint": self.fingerprint}

    def _read(self, path: Path) -> None:
        lines = path.read_bytes().split(b"\n")
        header = _as_object(lines[0])
        if header is None and _is_cut(lines):
            self.damaged.append(lines[0].decode("utf-8", errors="replace"))
            headers = [record for record in map(_as_object, lines) if _is_header(record)]
            self._headless = not headers
            header = headers[0] if headers else self._header()
            lines = [line for line in lines if not _is_header(_as_object(line))]
        if header is None or header.get("mlscope") != "annotations":
            raise ValueError(f"'{path}' is not an annotation log of mlscope. It is left as it is; choose another file.")
        if header.get("version") != VERSION:
            raise ValueError(
                f"'{path}' has version {header.get('version')}, this mlscope reads {VERSION}. Update mlscope."
            )
        known = header.get("fingerprint")
        if self.fingerprint is not None and known is not None and known != self.fingerprint:
            raise ValueError(
                f"'{path}' was made for other data (fingerprint {known}, these cells have {self.fingerprint}). "
                "Load the cells it belongs to, or choose another file."
            )
        self.fingerprint = self.fingerprint or known
        for line in lines[1:]:
            entry = _entry(line)
            if entry is not None:
                self._entries.append(entry)
            elif line.strip():
                self.damaged.append(line.decode("utf-8", errors="replace"))

    def __repr__(self) -> str:
        standing = self._standing()[0]
        where = "in memory" if self.path is None else f"in {self.path.name}"
        return (
            f"AnnotationLog {where}: {count(len(standing), 'entry', 'entries')} in {some(self.columns) or 'no column'}"
        )


def _plain(value: Any) -> Value:
    """Return a label as what JSON can hold; refuse what it cannot."""
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, str | float | int | bool | None):
        raise ValueError(f"The value is a {type(value).__name__}, expected text, a number, True, False or None.")
    if isinstance(plain, float) and not math.isfinite(plain):
        raise ValueError(f"The value is {plain}, expected a finite number. To take a label away give None.")
    return _text(plain) if isinstance(plain, str) else plain


def _text(value: object) -> str:
    """Return text that can be written in UTF-8; refuse half characters, which would block every later line."""
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{text!r} holds a character that cannot be written ({error.reason}). Type it again."
        ) from error
    return text


def _id(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        raise ValueError("Cell ids are True and False: a mask was given. Give ids: cells.ids[mask].")
    return _text(value)


def user_name() -> str:
    """Return the user's name on this computer, or 'unknown' where there is none (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _is_new(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _is_header(record: dict[str, Any] | None) -> bool:
    return record is not None and record.get("mlscope") == "annotations"


def _is_cut(lines: list[bytes]) -> bool:
    """Whether the first line is the beginning of a header: the computer stopped while it was written."""
    begins, first = b'{"mlscope": "annotations"', lines[0]
    # Many a file of others begins with a bracket; after one of ours comes nothing, or the header that was written next.
    ours = first.startswith(begins) or len(lines) < 2 or _is_header(_as_object(lines[1]))
    return bool(first) and begins.startswith(first[: len(begins)]) and ours


def _as_object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line.decode("utf-8"))
    # A byte that is no text, no JSON, a number of thousands of digits, brackets without end.
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _entry(line: bytes) -> Entry | None:
    """Return the entry that a line holds; None for one that nobody wrote like this."""
    record = _as_object(line)
    if record is None or set(record) != set(Entry.__dataclass_fields__):
        return None
    value, ids = record.pop("value"), record.pop("cell_ids")
    texts = [*record.values(), *(ids if isinstance(ids, list) else [None])]
    if not all(isinstance(text, str) for text in texts) or record["action"] not in ("assign", "undo", "redo"):
        return None
    try:
        return Entry(value=_plain(value), cell_ids=tuple(map(_text, ids)), **record)
    except ValueError:
        return None
