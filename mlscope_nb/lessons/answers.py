"""The learner's answers, kept in ``mlscope_work/answers.jsonl`` beside the notebook: one JSON object a line.

The file is only ever added to. Where nothing may be written, answers last as long as
the kernel.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mlscope_nb._files import append_lines, writable_folder
from mlscope_nb._words import count
from mlscope_nb.annotations import user_name
from mlscope_nb.lessons.rules import plain

Step = Literal["predict", "check"]
_KEYS = {"time", "who", "id", "step", "value", "right"}
_unsaved: list[Entry] = []


@dataclass(frozen=True)
class Entry:
    """One answer: when, who, to which question, at which step, what, and whether it was right."""

    time: str
    who: str
    id: str
    step: Step
    value: str | int | float | bool
    right: bool | None = None


@dataclass(frozen=True)
class Answers:
    """The answers of one learner, oldest first, and what there is to say about the file."""

    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()

    def last(self, question_id: str, step: Step | None = None) -> Entry | None:
        """Return the latest answer to a question, of one step or of any."""
        found = (e for e in reversed(self.entries) if e.id == question_id and step in (None, e.step))
        return next(found, None)


def read() -> Answers:
    """Return the answers of the person at this computer; the notes count lines that could not be read."""
    entries: list[Entry] = []
    notes: list[str] = []
    folder = _existing_folder()
    if folder is not None:
        entries, notes = _read_lines(folder / "answers.jsonl")
    if _unsaved:
        lost = count(len(_unsaved), "answer")
        notes.append(f"{lost} could not be written to disk and will be lost when the kernel stops.")
    mine = user_name()
    return Answers(tuple(e for e in [*entries, *_unsaved] if e.who == mine), tuple(notes))


def record(question_id: str, step: Step, value: object, right: bool | None = None) -> None:
    """Add an answer, unless it repeats the latest one to that question."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = Entry(now, user_name(), question_id, step, _short(value), right)
    last = read().last(question_id)
    if last is not None and (last.step, last.value, last.right) == (step, entry.value, right):
        return
    try:
        folder, _ = writable_folder(Path.cwd(), "mlscope_work")
        append_lines(folder / "answers.jsonl", [json.dumps(asdict(entry), ensure_ascii=False)])
    except OSError:
        _unsaved.append(entry)


def describe(value: object, limit: int = 80) -> str:
    """Write a value in few words for a card: short things as they are, long ones by type and size."""
    value = plain(value)
    if callable(value):
        return "a function"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.6g}"
    if isinstance(value, str | int) and len(str(value)) <= limit:
        return str(value)
    if isinstance(value, list | set | frozenset):
        start = ", ".join(str(item) for item in list(value)[:3])
        more = " …" if len(value) > 3 or len(start) > limit else ""
        return f"{count(len(value), 'value')}: {start[:limit]}{more}"
    if isinstance(value, str):
        return f"{value[:limit]} …"
    size = f" of length {len(value):,}" if hasattr(value, "__len__") else ""
    return f"an object of type {type(value).__name__}{size}"


def _short(value: object) -> str | int | float | bool:
    value = plain(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return describe(value, 200)


def _existing_folder() -> Path | None:
    """Return where answers are kept, or None where nothing was kept so far: reading creates no folder."""
    here = Path.cwd()
    if not (here / "mlscope_work").exists() and os.access(here, os.W_OK):
        return None
    try:
        return writable_folder(here, "mlscope_work")[0]
    except OSError:
        return None


def _read_lines(path: Path) -> tuple[list[Entry], list[str]]:
    notes = []
    if path.parent.parent != Path.cwd():
        notes.append(f"The folder of this notebook cannot be written, so answers are kept in '{path}'.")
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        return [], [*notes, f"Your answers in '{path}' could not be read ({error.strerror})."]
    good, bad = parse(data)
    if bad:
        notes.append(f"Skipped {count(bad, 'line')} of '{path}' that could not be read.")
    return good, notes


def parse(data: bytes) -> tuple[list[Entry], int]:
    """Return the answers in a file's bytes, and how many lines could not be read."""
    entries = [_entry(line) for line in data.split(b"\n") if line.strip()]
    good = [entry for entry in entries if entry is not None]
    return good, len(entries) - len(good)


def _entry(line: bytes) -> Entry | None:
    try:
        found: Any = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return _as_entry(found) if isinstance(found, dict) and set(found) == _KEYS else None


def _as_entry(found: dict[str, Any]) -> Entry | None:
    texts = all(isinstance(found[name], str) for name in ("time", "who", "id"))
    known = found["step"] in ("predict", "check") and found["right"] in (True, False, None)
    value = isinstance(found["value"], str | int | float)
    return Entry(**found) if texts and known and value else None
