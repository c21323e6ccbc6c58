"""The sheet as one HTML file that stands alone: no scripts, nothing from elsewhere, everything escaped."""

from __future__ import annotations

from html import escape

from mlscope_nb.risks.findings import INKS
from mlscope_nb.risks.sheet.document import Block, Document, Listing, Section, Table, Words
from mlscope_nb.risks.sheet.levels import ORDER, shown

OTHER_INK = "#555555"
STYLE = """
body { font: 17px/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 1100px; margin: 24px auto;
  padding: 0 16px; }
h1 { font-size: 1.7em; margin: 0 0 .3em; } h2 { font-size: 1.4em; border-bottom: 2px solid #111; margin-top: 1.8em; }
h3 { font-size: 1.1em; margin-bottom: .3em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6em 0 1em; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .2em 0; }
th, td { text-align: left; vertical-align: top; padding: .3em .7em .3em 0; border-bottom: 1px solid #bbb;
  overflow-wrap: anywhere; }
th { border-bottom: 2px solid #111; }
code { font-family: ui-monospace, monospace; font-size: .9em; }
.verdict { font-size: 1.2em; font-weight: 600; border-left: 8px solid; padding: .5em .8em; }
.level { font-weight: 700; white-space: nowrap; }
.quoted { font-style: italic; } .quoted::before { content: "“"; } .quoted::after { content: "”"; }
.more { color: #444; }
@media print { body { font-size: 11pt; max-width: none; margin: 0; } h2 { break-after: avoid; }
  tr { break-inside: avoid; } section.first { break-after: page; } .wide { overflow: visible; } }
"""
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
"""


def html_of(document: Document) -> str:
    """Return the document as HTML.

    Examples
    --------
    >>> page = html_of(Document("<b>", (Section("Data", (Words("a < b"),)),)))
    >>> "&lt;b&gt;" in page, "a &lt; b" in page
    (True, True)
    """
    body = [_section(one, 2, first=i == 0) for i, one in enumerate(document.sections)]
    head = HEAD.format(title=escape(document.title), style=STYLE).rstrip()
    return "\n".join([head, *body, "</main>", "</body>", "</html>", ""])


def _section(section: Section, depth: int, *, first: bool = False) -> str:
    inner = [_block(block) for block in section.blocks] + [_section(one, depth + 1) for one in section.sections]
    opened = '<section class="first">' if first else "<section>"
    return "\n".join([opened, f"<h{depth}>{escape(section.title)}</h{depth}>", *inner, "</section>"])


def _block(block: Block) -> str:
    if isinstance(block, Words):
        return _words(block)
    return _listing(block) if isinstance(block, Listing) else _table(block)


def _words(words: Words) -> str:
    if words.level:
        ink = INKS.get(words.level, OTHER_INK)
        return f'<p class="verdict" style="border-color:{ink}">{escape(shown(words.level))}. {escape(words.text)}</p>'
    return f"<p{_quoted(words.quoted)}>{escape(words.text)}</p>"


def _listing(found: Listing) -> str:
    head = f"<p><b>{escape(found.caption)}</b></p>\n" if found.caption else ""
    items = "\n".join(f"<li><span{_quoted(found.quoted)}>{escape(item)}</span></li>" for item in found.items)
    return f"{head}<ul>\n{items}\n</ul>"


def _quoted(quoted: bool) -> str:
    return ' class="quoted"' if quoted else ""


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>\n" if table.caption else ""
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in table.columns)
    body = "\n".join(f"<tr>{_row(table.columns, row)}</tr>" for row in table.rows)
    more = f'\n<p class="more">{escape(table.more)}</p>' if table.more else ""
    return f'<div class="wide"><table>\n{caption}<tr>{head}</tr>\n{body}\n</table></div>{more}'


def _row(columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    cells = []
    for name, text in zip(columns, row, strict=True):
        if name == "level" and text in ORDER:
            ink = INKS.get(text, OTHER_INK)
            cells.append(f'<td class="level" style="color:{ink}">{escape(shown(text))}</td>')
        elif name == "do it with":
            cells.append(f"<td><code>{escape(text)}</code></td>" if text else "<td></td>")
        else:
            cells.append(f"<td>{escape(text)}</td>")
    return "".join(cells)
