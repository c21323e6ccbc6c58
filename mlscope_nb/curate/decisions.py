"""Decisions are data: what to keep, drop or fix, why, who said so and when. Each can be taken back."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import count, no_column
from mlscope_nb.annotations import AnnotationLog, Entry, Value
from mlscope_nb.cells import Cells

COLUMN = "decision"
DROP, KEEP = "drop", "keep"
Ids = str | Iterable[str] | pd.Series


class Decisions:
    """Keep, drop and fix cells by decisions that stand in a log; the data are never changed.

    A later decision about a cell replaces an earlier one, `undo` brings the earlier one back, and `apply` makes
    the curated cells from the untouched ones, as often as wanted.

    Parameters
    ----------
    cells : Cells
        The cells that are decided about.
    log : path or AnnotationLog, optional
        A file that receives each decision at once and is continued when it is there (``"decisions.jsonl"``), or the
        log of a workbench (``w.annotations``) in which cells were labelled "drop" and "keep" in the column
        ``decision``. Default: in memory.
    who : str, optional
        Name written beside each decision; the user name of the system by default.

    Raises
    ------
    ValueError
        The file belongs to other data or is no annotation log.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame({"phase": ["G1", "G2", "G1"]}, index=["a", "b", "c"]))
    >>> decisions = Decisions(cells, who="ada")
    >>> decisions.drop(["a", "b"], "out of focus").keep("b", "it is sharp").fix("c", "phase", "M", "two plates")
    Decisions: 1 of 3 cells dropped, 1 kept by hand, 1 value fixed
    >>> decisions.apply().obs["phase"].to_dict()
    {'b': 'G2', 'c': 'M'}
    >>> decisions.dropped["reason"].to_dict()
    {'a': 'out of focus'}
    """

    def __init__(self, cells: Cells, log: str | Path | AnnotationLog | None = None, *, who: str | None = None) -> None:
        self.cells = cells
        if isinstance(log, AnnotationLog):
            self.log = log
        else:
            path = None if log is None else Path(log).expanduser()
            self.log = AnnotationLog(path, who=who, fingerprint=cells.fingerprint)

    def drop(self, ids: Ids, reason: str | pd.Series = "") -> Decisions:
        """Leave these cells out.

        Parameters
        ----------
        ids : ids, or boolean Series over the cells
            Which cells; none at all is allowed and decides nothing.
        reason : str or Series of str
            Why: one reason for all, or one for each cell by its id, as `flag_quality` gives them.

        Raises
        ------
        KeyError, ValueError
            Ids that are not here, or cells for which `reason` has no entry.
        OSError
            The disk refused the line: the decision holds, and is written with the next one.
        """
        return self._decide(ids, DROP, reason)

    def keep(self, ids: Ids, reason: str | pd.Series = "") -> Decisions:
        """Keep these cells, whatever was decided before."""
        return self._decide(ids, KEEP, reason)

    def fix(self, ids: Ids, column: str, value: Value, reason: str = "") -> Decisions:
        """Give these cells another value in a column of obs, for example the label that was meant.

        Raises
        ------
        KeyError
            No such column, or ids that are not here.
        ValueError
            The column is "decision", or the value cannot be written down.
        """
        if column == COLUMN:
            raise ValueError(f"'{COLUMN}' is what drop and keep decide. Use drop(ids, reason) or keep(ids, reason).")
        if column not in self.cells.obs.columns:
            raise KeyError(no_column(column, self.cells.obs.columns, "Add it with cells.with_obs(…) first."))
        chosen = self._ids(ids)
        if len(chosen):
            self.log.add(chosen, column, value, reason)
        return self

    def undo(self) -> Entry | None:
        """Take back the last decision; returns it, or None when there is none."""
        return self.log.undo()

    def redo(self) -> Entry | None:
        """Put back the decision taken back last, unless another one was made since."""
        return self.log.redo()

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell in input order: decision ("drop", "keep" or ""), reason, who, time (UTC)."""
        ids = self.cells.ids
        parts = {name: np.full(len(ids), "", dtype=object) for name in (COLUMN, "reason", "who", "time")}
        for entry in self._entries(COLUMN):
            rows = ids.get_indexer(pd.Index(entry.cell_ids, dtype=object))
            words = ("", "", "", "") if entry.value is None else (entry.value, entry.reason, entry.who, entry.time)
            for part, word in zip(parts.values(), words, strict=True):
                part[rows[rows >= 0]] = word
        return pd.DataFrame(parts, index=ids)

    @property
    def dropped(self) -> pd.DataFrame:
        """The cells that are left out, with reason, who and time: nothing goes without being listed."""
        table = self.table
        return table[table[COLUMN] == DROP]

    @property
    def fixed(self) -> pd.DataFrame:
        """Every value that is replaced: cell_id, column, before, after, reason, who, time; the last one counts."""
        rows = []
        for entry in self.log.standing:
            if entry.column in self._fixable:
                before = self.cells.obs[entry.column]
                known = [i for i in entry.cell_ids if i in before.index]
                rows += [(i, entry.column, before[i], entry.value, entry.reason, entry.who, entry.time) for i in known]
        names = ["cell_id", "column", "before", "after", "reason", "who", "time"]
        return pd.DataFrame(rows, columns=names).drop_duplicates(["cell_id", "column"], keep="last")

    def apply(self, cells: Cells | None = None) -> Cells:
        """Return the curated cells: dropped ones left out, fixed values in place, and what was done in the history.

        Parameters
        ----------
        cells : Cells, optional
            The same cells with other features, say; ids that nothing was decided about are kept. Default: the
            cells these decisions were made for.
        """
        source = self.cells if cells is None else cells
        fixed = self.fixed
        done = source.with_obs(_values(source.obs, fixed)) if len(fixed) else source
        gone = source.ids.isin(self.dropped.index)
        step = _align.step("curate", dropped=self.reasons["n_cells"].to_dict(), n_fixed=len(fixed))
        decided = self.table[[COLUMN, "reason"]].rename(columns={"reason": f"{COLUMN}_reason"})
        decided = decided.reindex(source.ids).fillna("")
        decided.attrs["history"] = [step]
        return done.with_obs(decided).subset(source.ids[~gone])

    def annotated(self) -> Cells:
        """Return all cells, dropped ones too, with decision, reason, who and time as columns of obs, for export."""
        return self.cells.with_obs(self.table.add_prefix(f"{COLUMN}_").rename(columns={f"{COLUMN}_{COLUMN}": COLUMN}))

    @property
    def reasons(self) -> pd.DataFrame:
        """How many cells each reason leaves out, the most frequent first."""
        counts = self.dropped["reason"].replace("", "no reason given").value_counts()
        return counts.rename("n_cells").rename_axis("reason").to_frame()

    def words(self) -> list[str]:
        """Return the curation log as sentences, one for each decision that stands, oldest first."""
        known = [e for e in self.log.standing if e.column == COLUMN or e.column in self._fixable]
        return [_sentence(entry) for entry in known]

    def __len__(self) -> int:
        return len(self.words())

    def __repr__(self) -> str:
        decided = self.table[COLUMN].value_counts()
        n_dropped, n_kept = (int(decided.get(kind, 0)) for kind in (DROP, KEEP))
        text = f"Decisions: {n_dropped:,} of {count(len(self.cells), 'cell')} dropped, {n_kept:,} kept by hand"
        return f"{text}, {count(len(self.fixed), 'value')} fixed"

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{html.escape(text)}</li>" for text in self.words())
        return f"<p>{html.escape(repr(self))}</p><ol>{lines}</ol>"

    @property
    def _fixable(self) -> set[str]:
        return set(self.cells.obs.columns) - {COLUMN}

    def _entries(self, column: str) -> list[Entry]:
        return [entry for entry in self.log.standing if entry.column == column]

    def _ids(self, ids: Ids) -> pd.Index:
        return self.cells.ids[_align.positions(ids if isinstance(ids, str | pd.Series) else list(ids), self.cells.ids)]

    def _decide(self, ids: Ids, value: str, reason: str | pd.Series) -> Decisions:
        chosen = self._ids(ids)
        if isinstance(reason, str):
            if len(chosen):
                self.log.add(chosen, COLUMN, value, reason)
            return self
        lacking = chosen.difference(reason.dropna().index)
        if len(lacking):
            raise ValueError(
                f"No reason for {count(len(lacking), 'cell')}, for example '{lacking[0]}'. Give a Series with one "
                "reason for each cell id, or one text for all."
            )
        for text, part in reason[chosen].groupby(reason[chosen].astype(str), sort=False):
            self.log.add(part.index, COLUMN, value, str(text))
        return self


def _values(obs: pd.DataFrame, fixed: pd.DataFrame) -> pd.DataFrame:
    """Return the columns in which something is fixed, with the new values."""
    columns = {}
    for name, part in fixed[fixed["cell_id"].isin(obs.index)].groupby("column"):
        column = obs[name].astype(object)
        column[part["cell_id"].to_numpy()] = part["after"].to_numpy(object)
        columns[str(name)] = column.infer_objects()
    return pd.DataFrame(columns, index=obs.index)


def _sentence(entry: Entry) -> str:
    cells = count(len(entry.cell_ids), "cell")
    why = f": {entry.reason}" if entry.reason else " (no reason given)"
    what: dict[Any, str] = {DROP: "dropped", KEEP: "kept", None: "took back what was decided about"}
    done = f"{what.get(entry.value, 'decided')} {cells}"
    if entry.column != COLUMN:
        done = f"set {entry.column} to {entry.value} for {cells}"
    return f"{entry.time[:10]} {entry.time[11:16]} UTC, {entry.who or 'unknown'} {done}{why}"
