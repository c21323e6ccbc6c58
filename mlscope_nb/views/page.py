"""The workbench as one HTML file: map, crops and distributions linked without a kernel and without a network."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb import _pictures
from mlscope_nb._files import replacing
from mlscope_nb._words import count
from mlscope_nb.views._beside import distribution
from mlscope_nb.views._inks import inks_of
from mlscope_nb.views._widget import script
from mlscope_nb.views.colours import category_colours, is_continuous

if TYPE_CHECKING:
    from mlscope_nb.views._crops import Crops
    from mlscope_nb.views.map import Axes

_SCRIPTS = (
    "common.js",
    "points.js",
    "raster.js",
    "maptools.js",
    "map.js",
    "crops.js",
    "gallery.js",
    "beside.js",
    "page.js",
)
_ACROSS = 32
_QUALITY = 60
_LARGEST = float(np.finfo(np.float32).max)
_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>body {{ margin: 12px; background: #ffffff; }}
{style}</style>
</head>
<body>
<main id="page" class="mlscope ms-workbench"></main>
<noscript>This page needs JavaScript, which is switched off in this browser.</noscript>
<script id="data" type="application/json">{data}</script>
<script>{code}</script>
</body>
</html>
"""


def page_html(
    title: str,
    maps: dict[str, Axes],
    columns: Iterable[pd.Series],
    *,
    map_name: str,
    colour: str,
    beside: str,
    design: Iterable[str],
    origins: Iterable[str],
    crops: Crops | None,
    thumbnail_px: int,
    note: str,
) -> str:
    """Return the page as text; everything from the data is JSON in it, never markup."""
    first = next(iter(maps.values())).points
    described = [_column(c) for c in columns]
    names = [c["name"] for c in described]
    data = {
        "title": title,
        "note": note,
        "ids": [str(i) for i in first.index],
        "maps": {name: _map(axes) for name, axes in maps.items()},
        "map": map_name,
        "columns": described,
        "colour": colour if colour in names else "",
        "beside": beside if beside in names else (names[0] if names else ""),
        "design": [n for n in design if n in names],
        "origins": [n for n in origins if n in names],
        "atlas": {"size": thumbnail_px, "across": _ACROSS, "each": _ACROSS**2},
        "thumbnails": [] if crops is None else _thumbnails(crops, len(first), thumbnail_px),
        "channels": [] if crops is None else crops.legend()["channels"],
        "contrast": "" if crops is None else crops.legend()["contrast"],
    }
    # Inside <script> only these can end the text early; written so, they cannot.
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = plain.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return _TEMPLATE.format(title=html.escape(title), style=script("style.css"), data=safe, code=script(*_SCRIPTS))


def write_page(path: str | Path, text: str) -> Path:
    """Write a page whole or not at all."""
    target = Path(path).expanduser()
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8", errors="replace")
    return target


def page_note(n_shown: int, n_all: int, fingerprint: str) -> str:
    """Say what the page holds and what it leaves out.

    Examples
    --------
    >>> page_note(3, 3, "abc")
    'Made with mlscope; data abc. All columns are in this page.'
    """
    left = (
        "All columns are in this page."
        if n_shown == n_all
        else f"{n_shown} of {count(n_all, 'column')} are in this page."
    )
    return f"Made with mlscope; data {fingerprint}. {left}"


def _map(axes: Axes) -> dict[str, str]:
    flat = np.ascontiguousarray(axes.points.to_numpy(dtype=np.float32).T)
    return {"title": axes.title, "x_label": axes.x_label, "y_label": axes.y_label, "points": _text(flat.tobytes())}


def _column(column: pd.Series) -> dict[str, Any]:
    palette = None if is_continuous(column) else category_colours(column)
    codes, legend = inks_of(column, palette, len(column))
    sorted_in = distribution(column, palette)
    found: dict[str, Any] = {
        "name": str(column.name),
        "legend": legend,
        "names": list(sorted_in.names),
        "colours": list(sorted_in.colours),
        "edges": list(sorted_in.edges),
    }
    # Sorted into bins here: the page's shorter numbers could fall on the other side of an edge. 255 is no bin.
    bins = np.where(sorted_in.code < 0, 255, sorted_in.code).astype(np.uint8)
    if legend["kind"] == "scale":
        values = column.to_numpy(dtype=float, na_value=np.nan).clip(-_LARGEST, _LARGEST).astype(np.float32)
        return {**found, "values": _text(values.tobytes()), "bins": _text(bins.tobytes())}
    return {**found, "values": _text(codes), "bins": _text(bins.tobytes())}


def _thumbnails(crops: Crops, n: int, size: int) -> list[str]:
    """Return sheets of 32 × 32 small pictures in WEBP."""
    sheets = []
    for start in range(0, n, _ACROSS**2):
        rows = np.arange(start, min(start + _ACROSS**2, n))
        small = np.stack([_pictures.fit(p, size) for p in crops.pictures(rows)])
        sheets.append(_text(_pictures.webp(_pictures.sheet(small, _ACROSS), quality=_QUALITY)))
    return sheets


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
