"""The sheet as a document: sections of words, lists and tables, which every kind of page draws in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlscope_nb._words import count
from mlscope_nb.risks.sheet.numbers import heading, said

SHOWN_ROWS = 25
SHOWN_COLUMNS = 12
SHOWN_TEXT = 400
CODE = "code"
LEVEL = "level"


@dataclass(frozen=True)
class Words:
    """A paragraph; `quoted` where it is a result's own sentence, `level` where it is a verdict."""

    text: str
    quoted: bool = False
    level: str = ""


@dataclass(frozen=True)
class Listing:
    """Sentences below each other; `quoted` where they are a result's own."""

    caption: str
    items: tuple[str, ...]
    quoted: bool = True


@dataclass(frozen=True)
class Table:
    """Text in rows; a column named "level" is drawn as one, a column named "with" as a call."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""


Block = Words | Listing | Table


@dataclass(frozen=True)
class Section:
    """A title, what stands below it, and sections inside."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Document:
    """The whole sheet: the page for a reviewer first."""

    title: str
    sections: tuple[Section, ...]


def table_of(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return a table of plain values as text; of a large one the first rows and columns, and how many more there are.

    Examples
    --------
    >>> table_of("", ["class", "n_cells"], [["a", 1200], ["b", None]]).rows
    (('a', '1,200'), ('b', '–'))
    >>> table_of("", ["n"], [[k] for k in range(30)]).more
    '… and 5 more rows; the JSON file holds all.'
    """
    columns, rows = _verdict_first(columns, rows)
    hidden = [count(len(rows) - SHOWN_ROWS, "more row")] if len(rows) > SHOWN_ROWS else []
    if len(columns) > SHOWN_COLUMNS:
        hidden.append(count(len(columns) - SHOWN_COLUMNS, "more column"))
    more = f"… and {' and '.join(hidden)}; the JSON file holds all." if hidden else ""
    shown = [tuple(cell(v) for v in row[:SHOWN_COLUMNS]) for row in rows[:SHOWN_ROWS]]
    return Table(short(caption), tuple(short(heading(c)) for c in columns[:SHOWN_COLUMNS]), tuple(shown), more)


def _verdict_first(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[Sequence[str], Sequence[Any]]:
    """Move the verdict of a wide table to where it is not cut off: behind its first column."""
    if len(columns) <= SHOWN_COLUMNS or "verdict" not in columns:
        return columns, rows
    at = list(columns).index("verdict")
    order = [0, at, *(k for k in range(1, len(columns)) if k != at)] if at else list(range(len(columns)))
    return [columns[k] for k in order], [[row[k] for k in order] for row in rows]


def listing(caption: str, items: Sequence[Any], *, quoted: bool = True) -> Listing:
    """Return sentences as a list, cut after the first ones."""
    shown = [short(str(item)) for item in items[:SHOWN_ROWS]]
    if len(items) > SHOWN_ROWS:
        shown.append(f"… and {len(items) - SHOWN_ROWS:,} more; the JSON file holds all.")
    return Listing(caption, tuple(shown), quoted)


def cell(value: Any) -> str:
    """Return what stands in a cell of a table."""
    return "–" if value is None else short(said(value))


def short(text: str) -> str:
    """Return text that fits on a page, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_TEXT else f"{line[:SHOWN_TEXT]}…"
