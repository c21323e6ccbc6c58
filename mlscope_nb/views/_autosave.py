"""Where labels are kept: one log for each set of cells, beside the notebook, found again after a restart."""

from __future__ import annotations

import weakref
from datetime import datetime
from pathlib import Path

import pandas as pd

from mlscope_nb._files import writable_folder
from mlscope_nb._words import count, some
from mlscope_nb.annotations import AnnotationLog
from mlscope_nb.cells import Cells
from mlscope_nb.study import read_label_file
from mlscope_nb.views._sentences import shortened

FOLDER = "mlscope_work"
MOST_LOGS = 20
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
        try:
            folder, moved = writable_folder(Path.cwd(), FOLDER)
        except OSError as error:
            text = f"Labels are kept only until the kernel stops. {error}"
            return AnnotationLog(fingerprint=cells.fingerprint), [text]
        path = folder / f"{cells.fingerprint}.jsonl"
        if moved:
            notes.append(f"The notebook's folder cannot be written to: labels are kept in {folder}.")
        notes += _set_damaged_aside(path)
        if not path.exists() or not path.stat().st_size:
            notes += _labels_of_other_data(folder, cells)
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
        given = ", ".join(f"{n:,} {shortened(name)}" for name, n in values.value_counts().head(6).items())
        notes.append(f"Restored {count(len(values), 'label')}{where}: {given}.")
    if log.damaged:
        lines = count(len(log.damaged), "unreadable line")
        notes.append(f"{lines} in the saved labels {'was' if len(log.damaged) == 1 else 'were'} left out.")
    return notes


def read_labels(path: str | Path, cells: Cells, column: str) -> pd.Series:
    """Return the labels of a file for these cells, by cell id; cells without one are left out.

    Parameters
    ----------
    path : path
        A CSV table written by ``save``, or an annotation log (``.jsonl``).
    cells : Cells
    column : str
        The column to take where the file has several, and the name of the result.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read, an id stands twice, or it names cells that are not here.
    """
    labels = read_label_file(path, prefer=column).rename(column)
    unknown = labels.index.difference(cells.ids, sort=False)
    if len(unknown):
        raise ValueError(
            f"'{Path(path).name}' labels {count(len(unknown), 'cell')} that {'is' if len(unknown) == 1 else 'are'} not "
            f"among these {len(cells):,}: {some(unknown)}. Open the cells that were labelled. Nothing was taken over."
        )
    return labels


def forget(path: Path) -> None:
    """Let the next view read this file again: it was replaced."""
    _OPEN.pop(path.resolve(), None)


def _labels_of_other_data(folder: Path, cells: Cells) -> list[str]:
    """Say that there are labels of cells with the same names, of which at least half are here: the data changed."""
    newest = sorted(folder.glob("*.jsonl"), key=lambda file: -file.stat().st_mtime)[:MOST_LOGS]
    found = [(file, labelled) for file in newest if len(labelled := _labelled(file))]
    here = [(file, labelled, int(labelled.isin(cells.ids).sum())) for file, labelled in found]
    alike = [(file, labelled, n) for file, labelled, n in here if 2 * n >= len(labelled)]
    if not alike:
        return []
    file, labelled, n = max(alike, key=lambda item: item[2])
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    more = len(labelled) - n
    advice = f"To take them over: w.load({shown.as_posix()!r})."
    if more:
        advice = f"It labels {count(more, 'cell')} more that {'is' if more == 1 else 'are'} not here."
    belong = "belong" if n > 1 else "belongs"
    return [
        f"{'Labels' if n > 1 else 'The label'} of {count(n, 'cell')} with the same names {belong} to other data "
        f"({shown.as_posix()}); {'they were' if n > 1 else 'it was'} not taken over. {advice}"
    ]


def _labelled(file: Path) -> pd.Index:
    """Return the ids that have a label in a log; nothing for files that are none (answers, damaged ones)."""
    try:
        log = AnnotationLog(file)
    except (ValueError, OSError):
        return pd.Index([])
    ids = list(dict.fromkeys(i for named in log.entries["cell_ids"] for i in named))
    columns = [log.column(name, ids) for name in log.columns]
    return pd.Index(ids)[pd.concat(columns, axis=1).notna().any(axis=1)] if columns and ids else pd.Index([])


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
