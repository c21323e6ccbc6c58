"""Plain values of a result as words, lists and tables: all that it says, without knowing its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlscope_nb.risks.sheet.document import Block, Section, Words, listing, table_of
from mlscope_nb.risks.sheet.numbers import exact, heading, is_interval, said

QUOTED = ("notes", "warnings", "text", "note", "words", "head", "says", "problems")
"""What a result says in sentences of its own."""
FIGURE = ("figure", "value")
HIDDEN = ("by_check", "tested")
"""What the first page has said already."""
DEEPEST = 4


def result_section(record: Mapping[str, Any]) -> Section:
    """Return a section that shows all values of a result.

    Examples
    --------
    >>> found = result_section({"name": "trust", "kind": "Trust", "values": {"k": 15, "notes": ["Few cells."]}})
    >>> found.blocks[0].rows, found.blocks[1].items
    ((('k', '15'),), ('Few cells.',))
    """
    title = record["name"] if record["name"] == record["kind"] else f"{record['name']} ({record['kind']})"
    return Section(title, tuple(blocks_of(record["values"])) or (Words("It says nothing."),))


def blocks_of(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> list[Block]:
    """Return single figures as one table, then tables, then sentences, then what was done."""
    singles = {k: v for k, v in values.items() if is_single(v) and k not in QUOTED}
    found: list[Block] = []
    if singles:
        found.append(table_of(prefix, FIGURE, [[heading(k), said(v)] for k, v in singles.items()]))
    for key, value in values.items():
        if key not in (*singles, *HIDDEN) and value not in (None, [], {}, ""):
            found += _block(key, value, prefix, depth)
    return found


def _block(key: str, value: Any, prefix: str, depth: int) -> list[Block]:
    caption = f"{prefix}: {heading(key)}" if prefix else heading(key)
    if key in QUOTED:
        sentences = value if isinstance(value, list) else [value]
        return [listing(caption, [said(s) for s in sentences if s])]
    if key == "history":
        return [table_of(caption, ("step", "settings"), steps(value))]
    if key == "settings" and isinstance(value, Mapping):
        return [table_of(caption, ("setting", "value"), [[k, exact(v)] for k, v in value.items()])]
    if isinstance(value, Mapping):
        return _mapping(value, caption, depth)
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        names: list[str] = list(dict.fromkeys(k for row in value for k in row))
        return [table_of(caption, names, [[row.get(k) for k in names] for row in value])]
    return [listing(caption, [said(v) for v in value], quoted=False)]


def _mapping(value: Mapping[str, Any], caption: str, depth: int) -> list[Block]:
    if "rows" in value and "columns" in value:
        return [table_of(caption, value["columns"], value["rows"])]
    if "summary" in value and "n_rows" in value:
        rows = value["summary"]
        names = list(dict.fromkeys(k for row in rows for k in row))
        made = table_of(f"{caption}: {said(value['n_rows'])} rows", names, [[r.get(k) for k in names] for r in rows])
        return [made]
    inner = list(value.values())
    if all(isinstance(v, Mapping) and all(is_single(w) for w in v.values()) and not is_interval(v) for v in inner):
        names = list(dict.fromkeys(k for v in inner for k in v))
        return [table_of(caption, ("", *names), [[k, *(v.get(n) for n in names)] for k, v in value.items()])]
    if depth >= DEEPEST or all(is_single(v) for v in inner):
        return [table_of(caption, FIGURE, [[k, said(v)] for k, v in value.items()])]
    return blocks_of(value, caption, depth + 1)


def is_single(value: Any) -> bool:
    """Whether plain values are written in one cell: a number, a word, an interval, or a short list of such."""
    if isinstance(value, Mapping):
        return is_interval(value) or set(value) == {"shape", "dtype"}
    if isinstance(value, list):
        return len(value) <= 6 and all(not isinstance(v, Mapping | list) for v in value)
    return True


def steps(history: Any) -> list[list[Any]]:
    """Return one row for each step: its name, and its settings in one line."""
    rows: list[list[Any]] = []
    for step in history:
        if not isinstance(step, Mapping):
            rows.append([said(step), ""])
            continue
        settings = "; ".join(f"{k} = {exact(v)}" for k, v in step.items() if k != "step")
        rows.append([step.get("step"), settings])
    return rows
