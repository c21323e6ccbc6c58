"""Findings: what an audit says of each subject, how bad it is, and what to do next."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.study._result import Result, number, plain

Level = Literal["red", "amber", "green", "untestable"]
LEVELS: tuple[Level, ...] = get_args(Level)
COLUMNS = ("check", "subject", "level", "figure", "low", "high", "p_value", "kind", "reason", "next_step")
ALL = "all"
MARKS = {"red": "✖ red", "amber": "▲ amber", "green": "● green", "untestable": "? untestable"}
INKS = {"red": "#b2182b", "amber": "#b35806", "green": "#2166ac", "untestable": "#555555"}


@dataclass(frozen=True)
class Finding:
    """One answer of one check about one subject.

    Parameters
    ----------
    check : str
        What was asked ("background", "duplicates", …).
    subject : str
        Of whom: a class, a plate, wells, or "all".
    level : {"red", "amber", "green", "untestable"}
        Red: a result would rest on it. Amber: it may. Untestable: these data could not have shown it.
    reason : str
        In words, with the figure.
    next_step : str
        What to do about it.
    figure, low, high : float
        What was measured, with the ends of its interval; NaN where there is none.
    p_value : float
        Of the permutation null, corrected for the subjects of this check; NaN where there was no test.
    kind : str
        Type of leakage after Kapoor & Narayanan 2023 ("L1.4 duplicates"), or nothing.

    Examples
    --------
    >>> print(Finding("units", "drug", "amber", "2 wells only.", "Repeat it."))
    amber · units · drug: 2 wells only. → Repeat it.
    """

    check: str
    subject: str
    level: Level
    reason: str
    next_step: str = ""
    figure: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    kind: str = ""

    def __str__(self) -> str:
        kind = f" [{self.kind}]" if self.kind else ""
        step = f" → {self.next_step}" if self.next_step else ""
        return f"{self.level} · {self.check} · {self.subject}: {self.reason}{kind}{step}"


@dataclass(frozen=True, eq=False)
class Audit(Result):
    """What could be wrong with a study before anybody looks at a result.

    Parameters
    ----------
    findings : DataFrame
        One row per check and subject, the worst first: check, subject, level ("red", "amber", "green", "untestable"),
        figure with low and high, p_value, kind (of leakage), reason, next_step.
    head : str
        What was audited, in a sentence.
    details : dict of DataFrames
        Tables behind the findings, by check: pairs of duplicates, suspected wells, effects of the layout.

    Examples
    --------
    >>> found = audit_of([Finding("units", "drug", "amber", "2 wells only.", "Repeat it.")], "9 cells in 4 wells")
    >>> found.count("amber"), found.worst
    (1, 'amber')
    """

    findings: pd.DataFrame
    head: str
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def count(self, level: Level) -> int:
        """Return how many findings have this level."""
        return int((self.findings["level"] == level).sum())

    @property
    def worst(self) -> Level:
        """The worst level that any finding has; untestable is worse than green."""
        order: tuple[Level, ...] = ("red", "amber", "untestable")
        return next((level for level in order if self.count(level)), "green")

    def to_dict(self) -> dict[str, Any]:
        """Return findings, counts and the tables behind them as plain numbers and text."""
        return {
            "head": self.head,
            "counts": {level: self.count(level) for level in LEVELS},
            "findings": _records(self.findings),
            "details": {name: _records(table) for name, table in self.details.items()},
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{self.count(level)} {level}" for level in LEVELS)
        lines = [f"Audit of {self.head}: {counts}."]
        for level in ("red", "amber"):
            lines += [f"{MARKS[level]} · {_line(row)}" for row in self._rows(level)]
        for level in ("untestable", "green"):
            checks = dict.fromkeys(row["check"] for row in self._rows(level))
            if checks:
                lines.append(f"{MARKS[level]}: {', '.join(checks)}")
        if not self.count("red") + self.count("amber"):
            lines.append("Nothing was found that speaks against these data; what was untestable may still be wrong.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        names = ("level", "check", "subject", "figure", "reason", "next_step")
        head = "".join(f"<th style='text-align:left'>{name.replace('_', ' ')}</th>" for name in names)
        body = "".join(_html_row(row, names) for row in _records(self.findings))
        counts = ", ".join(f"{self.count(level)} {level}" for level in LEVELS)
        return (
            f"<p><b>Audit of {html.escape(self.head)}</b>: {html.escape(counts)}.</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _rows(self, level: str) -> list[dict[str, Any]]:
        return _records(self.findings[self.findings["level"] == level])


def audit_of(found: Iterable[Finding], head: str, details: Mapping[str, pd.DataFrame] | None = None) -> Audit:
    """Return the audit that holds these findings, the worst first and otherwise in the order of the checks."""
    listed = list(found)
    rows = [[getattr(f, name) for name in COLUMNS] for f in listed]
    order = {"red": 0, "amber": 1, "untestable": 2, "green": 3}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    worst_first = table["level"].map(order).sort_values(kind="stable").index if len(table) else table.index
    return Audit(table.loc[worst_first].reset_index(drop=True), head, dict(details or {}))


def interval_words(figure: float, low: float, high: float) -> str:
    """Write "0.93 (95 % interval 0.90 to 0.96)", or the figure alone where there is no interval."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(figure)
    return f"{figure:.2f} (95 % interval {low:.2f} to {high:.2f})"


def cells_and_units(n_cells: int, n_units: int, word: str, several: str) -> str:
    """Write "3,840 cells in 96 wells"."""
    return f"{count(n_cells, 'cell')} in {count(n_units, word, several)}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict(orient="records")]


def _line(row: dict[str, Any]) -> str:
    kind = f" [{row['kind']}]" if row["kind"] else ""
    return f"{row['check']}, {row['subject']}: {row['reason']}{kind} Next: {row['next_step']}"


def _html_row(row: dict[str, Any], names: tuple[str, ...]) -> str:
    texts = {k: "" if row[k] is None else f"{row[k]:.3g}" if isinstance(row[k], float) else str(row[k]) for k in names}
    texts["level"] = MARKS[str(row["level"])]
    if row["kind"]:
        texts["check"] += f" [{row['kind']}]"
    cells = "".join(
        f"<td style='text-align:left{';color:' + INKS[str(row['level'])] if k == 'level' else ''}'>"
        f"{html.escape(texts[k])}</td>"
        for k in names
    )
    return f"<tr>{cells}</tr>"
