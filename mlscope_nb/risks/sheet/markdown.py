"""The sheet as Markdown, for repositories and electronic notebooks."""

from __future__ import annotations

import re

from mlscope_nb.risks.sheet.document import Block, Document, Listing, Section, Table, Words
from mlscope_nb.risks.sheet.levels import shown

SPECIAL = re.compile(r"([\\`*\[\]|]|(?<!\w)_|_(?!\w))")
OPENING = re.compile(r"^([#+-])")
CALLS = ("ms.", "cells.")
IN_CODE = str.maketrans("`|<>", "'/‹›")
"""A call of ours holds none of these; what else begins like one shall not end the code."""
NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown_of(document: Document) -> str:
    """Return the document as Markdown.

    Examples
    --------
    >>> print(markdown_of(Document("Sheet", (Section("Data", (Words("a <b> | c"),)),))).strip())
    # Sheet
    <BLANKLINE>
    ## Data
    <BLANKLINE>
    a &lt;b&gt; \\| c
    """
    parts = [f"# {_text(document.title)}"]
    for section in document.sections:
        parts += _section(section, 2)
    return "\n\n".join(parts) + "\n"


def _section(section: Section, depth: int) -> list[str]:
    parts = [f"{'#' * depth} {_text(section.title)}", *(_block(block) for block in section.blocks)]
    for one in section.sections:
        parts += _section(one, depth + 1)
    return parts


def _block(block: Block) -> str:
    if isinstance(block, Words):
        text = OPENING.sub(r"\\\1", _text(block.text))
        if block.level:
            return f"**{_text(shown(block.level))}. {text}**"
        return f"> {text}" if block.quoted else text
    if isinstance(block, Listing):
        items = "\n".join(f"- “{_text(i)}”" if block.quoted else f"- {_text(i)}" for i in block.items)
        return f"**{_text(block.caption)}**\n\n{items}" if block.caption else items
    return _table(block)


def _table(table: Table) -> str:
    head = f"**{_text(table.caption)}**\n\n" if table.caption else ""
    lines = [_line([_text(c) for c in table.columns]), _line(["---"] * len(table.columns))]
    lines += [_line([_cell(c, v) for c, v in zip(table.columns, row, strict=True)]) for row in table.rows]
    more = f"\n\n{_text(table.more)}" if table.more else ""
    return head + "\n".join(lines) + more


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: str, text: str) -> str:
    if column == "level":
        return _text(shown(text))
    if column == "do it with" and text.startswith(CALLS):
        return "`" + text.translate(IN_CODE) + "`"
    return _text(text)


def _text(text: str) -> str:
    """Escape what would be markup, in Markdown and in the HTML that it may hold; one line."""
    flat = " ".join(text.split())
    return SPECIAL.sub(r"\\\1", "".join(NAMES.get(c, c) for c in flat))
