"""What cells and fields say of themselves: counts, channels, study design, what was done, and a few pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from mlscope_nb._words import count, some

if TYPE_CHECKING:
    from mlscope_nb.cells import Cells
    from mlscope_nb.fields import Fields, Stack

SHOWN = 10
STYLE = (
    "font-family:var(--jp-ui-font-family,sans-serif);font-size:14px;color:var(--jp-ui-font-color1,#111);"
    "border-left:4px solid #0072b2;padding:4px 12px;max-width:900px"
)
CELL = "text-align:left;vertical-align:top;padding:1px 0;line-height:1.4;font-size:14px"
NOTE = "background:rgba(230,159,0,.18);padding:4px 8px;margin:6px 0"


def describe_cells(cells: Cells) -> str:
    """Return a few lines of text about cells."""
    return "\n".join([f"Cells: {count(len(cells), 'cell')}", *(f"  {k}: {v}" for k, v in _cell_facts(cells).items())])


def describe_fields(fields: Fields) -> str:
    """Return a few lines of text about fields."""
    facts = (f"  {k}: {v}" for k, v in _field_facts(fields).items())
    return "\n".join([f"Fields: {count(len(fields), 'field')} of view", *facts])


def cells_html(cells: Cells) -> str:
    """Return the summary of cells for a notebook, with pictures of some of them."""
    return _html(count(len(cells), "cell"), _cell_facts(cells), _notes(cells.history), _cell_pictures(cells))


def fields_html(fields: Fields) -> str:
    """Return the summary of fields for a notebook, with a picture of each (up to six)."""
    title = f"{count(len(fields), 'field')} of view"
    return _html(title, _field_facts(fields), _notes(fields.history), _field_pictures(fields))


def _cell_facts(cells: Cells) -> dict[str, str]:
    facts = {"images": "none, only tables"}
    if cells.images is not None:
        _, channels, height, width = cells.images.shape
        facts["images"] = f"{height} × {width} pixels, {count(channels, 'channel')}, {cells.images.dtype}"
    facts |= _shared_facts(cells)
    parts = (["cell"] if cells.masks is not None else []) + list(cells.compartments)
    features = cells.features
    facts["masks"] = ", ".join(parts) or "none"
    facts["features"] = "none yet" if features is None else f"{features.shape[1]:,}"
    facts["maps"] = ", ".join(cells.embeddings) or "none yet"
    return {**facts, "design": _design(cells), "done": _steps(cells.history)}


def _field_facts(fields: Fields) -> dict[str, str]:
    sizes = sorted({s[1:] for s in fields.images.shapes})
    size = " to ".join(f"{h} × {w}" for h, w in (sizes if len(sizes) < 3 else [sizes[0], sizes[-1]]))
    objects = "not segmented yet" if fields.masks is None else _n_objects(fields.masks)
    facts = {"images": f"{size} pixels" if sizes else "none", **_shared_facts(fields), "objects": objects}
    if fields.problems:
        facts["left out"] = "; ".join(f"{p.get('file', '?')}: {p.get('problem', '?')}" for p in fields.problems[:5])
    return {**facts, "design": _design(fields), "done": _steps(fields.history)}


def _n_objects(masks: Stack) -> str:
    """Count objects, but read no masks for it that lie on disk."""
    return f"{sum(int(m.max(initial=0)) for m in masks):,}" if masks.in_memory else "labels, read when they are needed"


def _shared_facts(source: Cells | Fields) -> dict[str, str]:
    size = f"{source.pixel_size_um:g} µm per pixel" if source.pixel_size_um else "pixel size unknown"
    return {"channels": ", ".join(source.channels) or "none", "scale": size}


def _design(source: Cells | Fields) -> str:
    design, obs = source.design, source.obs
    parts = []
    if design.unit:
        n = obs[list(design.unit)].drop_duplicates().shape[0]
        parts.append(f"unit of independence: {' and '.join(design.unit)} ({n:,} of them)")
    else:
        parts.append("unit of independence: not declared")
    if design.batch:
        parts.append(f"batch: {' and '.join(design.batch)}")
    if design.label is not None:
        values = obs[design.label].dropna().unique()
        parts.append(f"label: {design.label} ({some(values, 4)})")
    if design.control is not None:
        parts.append(f"control: {design.to_dict()['control']}")
    return "; ".join(parts)


def _steps(history: Iterable[Mapping[str, Any]]) -> str:
    return " → ".join(str(entry.get("step", "?")) for entry in history) or "nothing yet"


def _notes(history: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(entry["note"]) for entry in history if "note" in entry))


def _html(title: str, facts: Mapping[str, str], notes: Iterable[str], pictures: str) -> str:
    rows = "".join(
        f'<tr><th style="{CELL};padding-right:12px">{escape(k)}</th><td style="{CELL}">{escape(v)}</td></tr>'
        for k, v in facts.items()
    )
    warnings = "".join(f'<div style="{NOTE}">Note: {escape(note)}</div>' for note in notes)
    table = f'<table style="margin:4px 0;font-size:14px">{rows}</table>'
    return f'<div style="{STYLE}"><b style="font-size:16px">{escape(title)}</b>{table}{warnings}{pictures}</div>'


def _cell_pictures(cells: Cells) -> str:
    if cells.images is None or not len(cells):
        return ""
    from mlscope_nb._pictures import thumbnails

    rows = np.unique(np.linspace(0, len(cells) - 1, SHOWN).astype(int))
    pictures = thumbnails(cells, list(cells.ids[rows]), size=64)
    return _images(pictures, list(cells.ids[rows]), width=64)


def _field_pictures(fields: Fields) -> str:
    from mlscope_nb._pictures import channel_colours, composite, contrast_limits, fit

    if not len(fields):
        return ""
    limits, colours = contrast_limits(fields), channel_colours(fields.channels)
    shown = list(fields.ids[:6])
    pictures = []
    for i in range(len(shown)):
        image = np.asarray(fields.images[i])
        step = max(1, max(image.shape[1:]) // 400)
        pictures.append(fit(composite(image[None, :, ::step, ::step], limits, colours)[0], 220))
    return _images(np.stack(pictures), shown, width=220)


def _images(pictures: np.ndarray, names: list[str], *, width: int) -> str:
    from mlscope_nb._pictures import webp_data_uri

    return "".join(
        f'<img src="{webp_data_uri(picture)}" alt="{escape(name)}" title="{escape(name)}" width="{width}" '
        'style="display:inline-block;margin:2px">'
        for picture, name in zip(pictures, names, strict=True)
    )
