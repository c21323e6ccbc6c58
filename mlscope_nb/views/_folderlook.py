"""What the folder reader shows: facts, wells, a few pictures, problems; as plain values and as markup."""

from __future__ import annotations

import contextlib
import html
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _pictures
from mlscope_nb.cells import Cells
from mlscope_nb.curate.wells import is_well, parse_wells, plate_shape, row_name
from mlscope_nb.fields import Fields
from mlscope_nb.io import read_fields
from mlscope_nb.io.file_tables import read_table
from mlscope_nb.io.recognition import Recognition
from mlscope_nb.views.colours import CategoryColours

SIDE, FEW, PLATES, PROBLEMS, VALUES = 220, 3, 4, 40, 30
FULL, EMPTY, DARK = "#9ecae1", "#ffffff", "#212121"
_CELL = "padding:1px 10px 1px 0;text-align:left;vertical-align:top;font-size:13px"


def facts_of(found: Recognition) -> list[list[str]]:
    """Return what was recognised, line by line, without what is shown elsewhere."""
    return [[k, v] for k, v in found.summary().items() if v and k != "problems" and not k.startswith("choose ")]


def problems_of(found: Recognition, read: Fields | Cells | None) -> list[str]:
    """Return what is wrong with files, in sentences; of very many the first, and how many more."""
    listed = [*found.problems, *(read.problems if isinstance(read, Fields) else ())]
    lines = list(dict.fromkeys(f"{Path(p['file']).name}: {p['problem']}" for p in listed))
    more = [f"and {len(lines) - PROBLEMS:,} more"] if len(lines) > PROBLEMS else []
    return [*lines[:PROBLEMS], *more]


def columns_of(found: Recognition, read: Fields | Cells | None) -> tuple[list[str], dict[str, list[Any]]]:
    """Return the columns there are or will be, and the values of those with few."""
    if read is not None:
        obs = read.obs
        columns = [str(c) for c in obs.columns]
    else:
        columns = list(found.columns)
        obs = found.files.drop(columns=["file", "recognised"], errors="ignore")
        if found.layout is not None:
            # A layout that cannot be read stands among the problems when the folder is read.
            with contextlib.suppress(ValueError, OSError):
                obs = pd.concat([obs, read_table(found.layout)], axis=1)
    obs = obs.loc[:, ~obs.columns.duplicated()]
    few = {str(c): obs[c].dropna().unique() for c in obs.columns if str(c) in columns}
    return columns, {c: [_plain(v) for v in sorted(u, key=str)] for c, u in few.items() if 0 < len(u) <= VALUES}


def first_fields(found: Recognition) -> Fields | None:
    """Read a few fields of a folder of images, to look at; None where that cannot be done yet."""
    if found.kind != "images" or found.undecided or not len(found.files):
        return None
    known = found.files[found.files["recognised"]]
    parts = [c for c in known if c not in ("file", "recognised", "channel", "z", "time")]
    if not len(known):
        return None
    number = known.groupby(parts, dropna=False, sort=False).ngroup() if parts else pd.RangeIndex(len(known))
    chosen = np.unique(np.linspace(0, int(max(number)), FEW).astype(int))
    options = {k: v for k, v in found.options.items() if k in ("pattern", "channels", "projection", "frame")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return read_fields(list(known.loc[np.isin(number, chosen), "file"]), **options)
    except (ValueError, OSError, KeyError):
        return None


def pictures_of(shown: Fields | Cells | None) -> list[tuple[np.ndarray, str]]:
    """Return small composites of a few fields or cells, with their names."""
    if shown is None or shown.images is None or not len(shown):
        return []
    limits = _pictures.contrast_limits(shown)
    colours = _pictures.channel_colours(shown.channels)
    rows = np.unique(np.linspace(0, len(shown) - 1, FEW if isinstance(shown, Fields) else 4 * FEW).astype(int))
    if isinstance(shown, Cells):
        ids = [str(shown.ids[r]) for r in rows]
        small = _pictures.thumbnails(shown, ids, size=72, limits=limits, colours=colours)
        return list(zip(small, ids, strict=True))
    pictures = []
    for row in rows:
        image = np.asarray(shown.images[int(row)])
        step = max(1, -(-max(image.shape[1:]) // (2 * SIDE)))
        whole = _pictures.composite(image[None, :, ::step, ::step], limits, colours)[0]
        pictures.append((_pictures.fit(whole, SIDE), str(shown.ids[row])))
    return pictures


def legend_of(shown: Fields | Cells | None) -> list[dict[str, str]]:
    """Return the channels with their colours."""
    if shown is None or shown.images is None:
        return []
    colours = _pictures.channel_colours(shown.channels)
    return [{"name": n, "colour": c} for n, c in zip(shown.channels, colours, strict=True)]


def plates_of(found: Recognition, read: Fields | Cells | None) -> dict[str, Any]:
    """Return plates as grids of wells: how many images each has, coloured by label or treatment once these are read."""
    table = read.obs if read is not None else _fields(found.files)
    if "well" not in table or not len(table) or not table["well"].map(is_well).all():
        return {"plates": [], "legend": [], "note": ""}
    ink = None if read is None else next((c for c in (read.design.label, read.design.treatment) if c in table), None)
    plates = table["plate"].astype(str) if "plate" in table else pd.Series("", index=table.index)
    names = list(dict.fromkeys(plates))
    colours = {} if ink is None else CategoryColours().of(table[ink].astype(str))
    more = f"and {len(names) - PLATES:,} more plates" if len(names) > PLATES else ""
    return {
        "plates": [_plate(name, table[plates == name], ink, colours) for name in names[:PLATES]],
        "legend": [{"name": k, "colour": v} for k, v in [*colours.items()][:16]],
        "note": ". ".join(part for part in ("The number of images in each well", more) if part),
    }


def markup_of(data: Mapping[str, Any]) -> str:
    """Return facts, plates, problems and the line of code as markup for a saved notebook."""
    rows = "".join(
        f'<tr><th style="{_CELL}">{_e(k)}</th><td style="{_CELL}">{_e(v)}</td></tr>' for k, v in data["facts"]
    )
    wells = _plates_markup(data["plates"])
    bad = "".join(f"<li>{_e(text)}</li>" for text in data["problems"])
    wrong = f'<p style="font-size:13px">Problems:</p><ul style="font-size:13px">{bad}</ul>' if bad else ""
    return f'<table>{rows}</table>{wells}{wrong}<pre style="font-size:13px">{_e(data["code"])}</pre>'


def _fields(files: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each field that the names tell."""
    known = files[files["recognised"]] if len(files) else files
    parts = [c for c in known if c not in ("file", "recognised", "channel", "z", "time")]
    return known[parts].drop_duplicates().dropna(subset=["well"]) if "well" in parts else known.iloc[:0]


def _plate(name: str, table: pd.DataFrame, ink: str | None, colours: Mapping[str, str]) -> dict[str, Any]:
    places = parse_wells(table["well"])
    n_rows, n_columns = plate_shape(places)
    empty = {"text": "", "colour": EMPTY, "ink": DARK, "words": ""}
    grid = [[dict(empty) for _ in range(n_columns)] for _ in range(n_rows)]
    wells: dict[tuple[int, int], list[int]] = {}
    for i, (row, column) in enumerate(places.to_numpy().tolist()):
        wells.setdefault((row, column), []).append(i)
    for (row, column), at in wells.items():
        values = [] if ink is None else list(dict.fromkeys(table[ink].iloc[at].astype(str)))
        colour = colours[values[0]] if values else FULL
        words = f"{row_name(row)}{column:02d}: {len(at):,}" + (f", {ink} {', '.join(values[:3])}" if ink else "")
        grid[row - 1][column - 1] = {"text": f"{len(at):,}", "colour": colour, "ink": _on(colour), "words": words}
    return {"name": name, "rows": [row_name(i + 1) for i in range(n_rows)], "columns": n_columns, "wells": grid}


def _on(colour: str) -> str:
    """Return the colour of text that can be read on this one."""
    red, green, blue = _pictures.rgb(colour)
    return DARK if 0.3 * red + 0.59 * green + 0.11 * blue > 130 else "#ffffff"


def _plates_markup(plates: Mapping[str, Any]) -> str:
    if not plates["plates"]:
        return ""
    key = " ".join(
        f'<span style="border-left:12px solid {entry["colour"]};padding:0 8px 0 4px">{_e(entry["name"])}</span>'
        for entry in plates["legend"]
    )
    words = f'<p style="font-size:12px">{key} {_e(plates["note"])}</p>'
    return "".join(_plate_markup(plate) for plate in plates["plates"]) + words


def _plate_markup(plate: Mapping[str, Any]) -> str:
    head = '<th style="font-size:11px;font-weight:400">'
    look = "width:22px;height:20px;text-align:center;font-size:11px;border:1px solid #d0d0d0"
    lines = [f"<tr><td></td>{''.join(f'{head}{i + 1}</th>' for i in range(plate['columns']))}</tr>"]
    for name, wells in zip(plate["rows"], plate["wells"], strict=True):
        own = (f'{look};background:{w["colour"]};color:{w["ink"]}" title="{_e(w["words"])}' for w in wells)
        cells = (f'<td style="{style}">{_e(w["text"])}</td>' for style, w in zip(own, wells, strict=True))
        lines.append(f"<tr>{head}{_e(name)}</th>{''.join(cells)}</tr>")
    title = f'<p style="font-size:13px;margin:6px 0 0">{_e(plate["name"] or "Wells")}</p>'
    return f'{title}<table style="border-collapse:collapse">{"".join(lines)}</table>'


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _e(text: Any) -> str:
    return html.escape(str(text))


def plain_pictures(pictures: Sequence[tuple[np.ndarray, str]]) -> list[dict[str, str]]:
    """Return pictures as a script takes them."""
    return [{"src": _pictures.webp_data_uri(p, quality=80), "words": words} for p, words in pictures]
