"""A table of small pictures of cells, as plain values for a script and as markup for a saved notebook."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlscope_nb import _pictures
from mlscope_nb.views._widget import script

_CELL = "padding:3px 6px;font-weight:400;font-size:13px;overflow-wrap:anywhere"
_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>body {{ margin: 12px; background: #ffffff; }}
{style}</style>
</head>
<body>
<main id="page"></main>
<noscript>{still}</noscript>
<script id="data" type="application/json">{data}</script>
<script type="module">{code}
shown(document.getElementById("page"), JSON.parse(document.getElementById("data").textContent));
asHeading(document.querySelector(".ms-title"));
</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Head:
    """What stands before a row or above a column: words, and the cell that it is about, if any."""

    text: str
    cell_id: str = ""
    words: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture (Y, X, 3), what it shows in words for readers who cannot see it, and whether its colours are a code."""

    pixels: np.ndarray
    words: str
    exact: bool = False

    def plain(self) -> dict[str, str]:
        """Return what a script needs to show it."""
        made = _pictures.png_data_uri(self.pixels) if self.exact else _pictures.webp_data_uri(self.pixels, quality=85)
        return {"src": made, "alt": self.words}


@dataclass(frozen=True)
class PictureTable:
    """Rows of pictures.

    Parameters
    ----------
    title : str
        Above the table.
    columns, rows : sequence of Head
        What stands above and before the pictures.
    pictures : sequence of sequences of pictures, or of sequences of them
        By row and column; where several take turns (steps of a walk), all of them.
    legend : sequence of (colour, words)
        Colours from left to right with what they mean; empty for pictures in channel colours alone.
    note : str
        Below the table.

    Examples
    --------
    >>> dot = Picture(np.zeros((2, 2, 3), "uint8"), "a dot")
    >>> table = PictureTable("Dots", [Head("dot")], [Head("c1", "c1")], [[dot]])
    >>> 'alt="a dot"' in table.html()
    True
    """

    title: str
    columns: Sequence[Head]
    rows: Sequence[Head]
    pictures: Sequence[Sequence[Picture | Sequence[Picture]]]
    legend: Sequence[tuple[str, str]] = field(default=())
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """Return plain values for a script."""
        turns = [[[p] if isinstance(p, Picture) else list(p) for p in row] for row in self.pictures]
        return {
            "title": self.title,
            "columns": [vars(head) for head in self.columns],
            "rows": [vars(head) for head in self.rows],
            "pictures": [[[p.plain() for p in each] for each in row] for row in turns],
            "legend": [{"colour": colour, "words": words} for colour, words in self.legend],
            "note": self.note,
        }

    def html(self) -> str:
        """Return the table as markup that needs neither script nor kernel; pictures that take turns show the first."""
        top = "".join(f'<th scope="col" style="{_CELL}">{_words(head)}</th>' for head in self.columns)
        lines = [f"<tr><td></td>{top}</tr>"]
        for head, row in zip(self.rows, self.pictures, strict=True):
            cells = "".join(f'<td style="padding:2px">{_image(p)}</td>' for p in row)
            lines.append(f'<tr><th scope="row" style="{_CELL};text-align:left">{_words(head)}</th>{cells}</tr>')
        title = f'<caption style="text-align:left;font-weight:600">{html.escape(self.title)}</caption>'
        table = f'<table style="border-collapse:collapse">{title}{"".join(lines)}</table>'
        note = f'<p style="font-size:13px">{html.escape(self.note)}</p>' if self.note else ""
        return table + _legend(self.legend) + note


def page_of(data: dict[str, Any], still: str, *scripts: str) -> str:
    """Return a page that shows a view's values with its own scripts, and `still` where scripts do not run."""
    # Inside <script> only these can end the text early; written so, they cannot.
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = plain.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    title = html.escape(str(data.get("title") or data["table"]["title"]))
    return _TEMPLATE.format(title=title, style=script("style.css"), still=still, data=safe, code=script(*scripts))


def _words(head: Head) -> str:
    more = f"<br><small>{html.escape(head.words)}</small>" if head.words else ""
    return html.escape(head.text) + more


def _image(picture: Picture | Sequence[Picture]) -> str:
    first = picture if isinstance(picture, Picture) else picture[0]
    plain = first.plain()
    return f'<img src="{plain["src"]}" alt="{html.escape(plain["alt"])}" style="max-width:100%;margin:0">'


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    if not entries:
        return ""
    colours = ", ".join(colour for colour, _ in entries)
    words = " · ".join(html.escape(words) for _, words in entries if words)
    bar = f'<span style="display:inline-block;width:220px;height:12px;background:linear-gradient(to right, {colours})">'
    return f'<p style="font-size:13px">{bar}</span> {words}</p>'
