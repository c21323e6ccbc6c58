"""The small cards that lessons show: the same look for question, check, hint and progress, in light and dark.

Text is escaped here and nowhere else. Colours come from JupyterLab's theme; the bar on the left only
repeats what the heading says, so nothing depends on telling colours apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Literal

Tone = Literal["plain", "right", "wrong"]
_BARS: dict[Tone, str] = {"plain": "#767676", "right": "#0072B2", "wrong": "#D55E00"}
_BOX = (
    "font-family:var(--jp-content-font-family,system-ui,sans-serif);font-size:16px;line-height:1.5;max-width:46em;"
    "margin:4px 0;padding:8px 14px;"
    "color:var(--jp-content-font-color1,#212121);background:var(--jp-layout-color1,#fff);"
    "border:1px solid var(--jp-border-color1,#bdbdbd);border-left:6px solid "
)
_CODE = (
    "font-family:var(--jp-code-font-family,monospace);font-size:15px;padding:1px 4px;"
    "background:var(--jp-layout-color2,#eee);color:inherit"
)


def card(heading: str, parts: Iterable[str], *, tone: Tone = "plain", notes: Iterable[str] = ()) -> str:
    """Return the HTML of a card; `heading` and `notes` are plain text, `parts` are HTML made by this file."""
    head = f'<div style="font-weight:600">{inline(heading)}</div>'
    small = "".join(f'<p style="margin:6px 0 0;font-size:14px">{inline(note)}</p>' for note in notes)
    return f'<div role="group" style="{_BOX}{_BARS[tone]}">{head}{"".join(parts)}{small}</div>'


def paragraphs(text: str) -> str:
    """Return the HTML of a text: empty lines part paragraphs, backticks mark code."""
    parts = re.split(r"\n\s*\n", text.strip())
    return "".join(f'<p style="margin:4px 0">{inline(part)}</p>' for part in parts)


def say(heading: str, text: str) -> None:
    """Show a card of a heading and a text below the cell that is running; outside of a notebook, print it as a line."""
    from IPython.display import display

    display(_Note(heading, text))


class _Note:
    def __init__(self, heading: str, text: str) -> None:
        self.heading, self.text = heading, text

    def __repr__(self) -> str:
        return f"{self.heading}. {' '.join(self.text.split())}"

    def _repr_html_(self) -> str:
        return card(self.heading, [paragraphs(self.text)])


def bullets(items: Iterable[tuple[str, str]]) -> str:
    """Return the HTML of a list of (what, explanation)."""
    lines = (f'<li style="margin:4px 0"><b>{inline(what)}</b> {inline(why)}</li>' for what, why in items)
    return f'<ul style="margin:4px 0;padding-left:1.4em">{"".join(lines)}</ul>'


def unfold(label: str, inside: str) -> str:
    """Return HTML that shows `inside` after a click or a key press on `label`; it works without a kernel."""
    style = "cursor:pointer;margin:4px 0;text-decoration:underline"
    return f'<details><summary style="{style}">{inline(label)}</summary>{inside}</details>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return the HTML of a small table of text."""
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    return f'<table style="border-collapse:collapse;margin:6px 0">{"".join(lines)}</table>'


def _row(tag: str, cells: Iterable[str]) -> str:
    style = "text-align:left;padding:3px 16px 3px 0;font-size:15px"
    return "<tr>" + "".join(f'<{tag} style="{style}">{inline(cell)}</{tag}>' for cell in cells) + "</tr>"


def inline(text: str) -> str:
    """Escape a text for HTML and show what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", rf'<code style="{_CODE}">\1</code>', escape(" ".join(text.split())))
