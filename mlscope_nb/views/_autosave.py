"""Where labels are kept: one log for each set of cells, beside the notebook, found again after a restart."""

from __future__ import annotations

import weakref
from datetime import datetime
from pathlib import Path

from mlscope_nb._files import writable_folder
from mlscope_nb._words import count
from mlscope_nb.annotations import AnnotationLog
from mlscope_nb.cells import Cells

FOLDER = "mlscope_work"
Autosave = str | Path | bool | None
# Two views that write to the same file must share what is in memory.
_OPEN: weakref.WeakValueDictionary[Path, AnnotationLog] = weakref.WeakValueDictionary()


def open_log(cells: Cells, autosave: Autosave) -> tuple[AnnotationLog, list[str]]:
    """Return the log of these cells and what the user should be told about it.

    ``None`` keeps it in ``mlscope_work`` beside the notebook (or under the home folder), a path in that file,
    False only in memory.
    """
    if autosave is False:
        return AnnotationLog(fingerprint=cells.fingerprint), ["Labels are not saved (autosave=False)."]
    notes: list[str] = []
    if autosave is None or autosave is True:
        folder, moved = writable_folder(Path.cwd(), FOLDER)
        path = folder / f"{cells.fingerprint}.jsonl"
        if moved:
            notes.append(f"The notebook's folder cannot be written to: labels are kept in {folder}.")
        notes += _set_damaged_aside(path)
    else:
        path = Path(autosave).expanduser()
    path = path.resolve()
    log = _OPEN.get(path)
    # A file that was removed is a fresh start; one that is not there yet belongs to the view that will write it.
    if log is None or log.fingerprint != cells.fingerprint or (len(log) and not path.exists()):
        log = AnnotationLog(path, fingerprint=cells.fingerprint)
        _OPEN[path] = log
    return log, notes


def restored(log: AnnotationLog, cells: Cells, column: str) -> list[str]:
    """Say what an earlier session left."""
    notes = []
    values = log.column(column, cells.ids).dropna()
    if len(values):
        where = "" if log.path is None else f" from {log.path.parent.name}/{log.path.name}"
        given = ", ".join(f"{n:,} {name}" for name, n in values.value_counts().head(6).items())
        notes.append(f"Restored {count(len(values), 'label')}{where}: {given}.")
    if log.damaged:
        lines = count(len(log.damaged), "unreadable line")
        notes.append(f"{lines} in the saved labels {'was' if len(log.damaged) == 1 else 'were'} left out.")
    return notes


def _set_damaged_aside(path: Path) -> list[str]:
    """Move a log whose first line was never written whole out of the way, keeping it."""
    if not path.exists() or path.stat().st_size == 0:
        return []
    try:
        AnnotationLog(path)
    except ValueError:
        kept = path.with_name(f"{path.stem}.damaged-{datetime.now():%Y%m%d-%H%M%S}.jsonl")
        path.rename(kept)
        return [f"The saved labels could not be read; the file is kept as {kept.name}."]
    return []
