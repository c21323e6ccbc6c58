"""What a lesson of the laboratory is drawn from: one picture for each dose, as plain values for a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _pictures
from mlscope_nb.risks.laboratory import picture_plan
from mlscope_nb.risks.lesson import Figure, Lesson

BINS = 20
POINTS = 400
MAGNIFIED = 2
_BLACK, _FULL = 0.5, 99.8


def scene(lessons: Sequence[Lesson]) -> dict[str, Any]:
    """Return what the browser draws of one pitfall: its words, and figures and a picture for each dose."""
    first = lessons[0]
    plan = picture_plan(first.name)
    words = ("name", "title", "danger", "dose_is", "unit", "measures", "mitigation", "note", "source", "notebook")
    pictures = [_DRAWN[plan["kind"]](one.pictures[plan["table"]], plan) for one in lessons]
    return {
        **{k: getattr(first, k) for k in words},
        "doses": [one.dose for one in lessons],
        "amounts": [one.amount for one in lessons],
        "runs": [_figures(one) for one in lessons],
        "plan": {k: plan.get(k) for k in ("kind", "axis", "up", "line")},
        "pictures": pictures,
        "span": _span(pictures, plan) if plan["kind"] == "strips" else [],
    }


def _figures(one: Lesson) -> dict[str, Any]:
    three = {k: _ends(getattr(one, k)) for k in ("damage", "mitigated", "control")}
    says = {k: str(getattr(one, k)) for k in ("damage", "mitigated", "control")}
    return {**three, "says": says, "sentence": one.sentence}


def _ends(figure: Figure) -> list[float | None]:
    return [_number(v) for v in (figure.value, figure.low, figure.high)]


def _number(value: Any) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None


def _strips(table: pd.DataFrame, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of points for each part: one point for each study."""
    rows = [
        {"says": says, "role": role, "values": [v for v in map(_number, table[column]) if v is not None]}
        for column, says, role in plan["parts"]
    ]
    return {"rows": rows}


def _span(pictures: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> list[float]:
    """Return ends of the axis that serve all doses, so that points move and the axis does not."""
    values = [v for picture in pictures for row in picture["rows"] for v in row["values"]]
    values += [] if plan.get("line") is None else [plan["line"]]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.05
    return [low - margin, high + margin]


def _histogram(table: pd.DataFrame, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return shares in bins from 0 to 1, as p-values have."""
    edges = np.linspace(0, 1, BINS + 1)
    series = []
    for column, says, role in plan["parts"]:
        counts, _ = np.histogram(table[column].to_numpy(float), edges)
        series.append({"says": says, "role": role, "shares": (counts / max(counts.sum(), 1)).round(4).tolist()})
    return {"series": series, "even": 1 / BINS}


def _lines(table: pd.DataFrame, plan: Mapping[str, Any]) -> dict[str, Any]:
    along = [_number(v) for v in table[plan["along"]]]
    series = [
        {"says": says, "role": role, "values": [_number(v) for v in table[column]]}
        for column, says, role in plan["parts"]
    ]
    return {"along": along, "series": series}


def _maps(table: pd.DataFrame, plan: Mapping[str, Any]) -> dict[str, Any]:
    maps = []
    for name, part in table.groupby(plan["by"], sort=False):
        xy = part[["x", "y"]].to_numpy(float)[:POINTS]
        low, high = xy.min(axis=0), xy.max(axis=0)
        maps.append({"says": str(name), "points": ((xy - low) / np.where(high > low, high - low, 1)).round(3).tolist()})
    return {"maps": maps}


def _pairs(table: pd.DataFrame, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return crops side by side; cells of one column share their contrast, as they would on one screen."""
    rows = []
    for column, says, role in plan["parts"]:
        values = table[column].to_numpy(float)
        low, high = np.percentile(values, [_BLACK, _FULL])
        pictures = [
            {"says": str(cell), "src": _crop(part, column, low, high)}
            for cell, part in table.groupby("cell", sort=False)
        ]
        rows.append({"says": says, "role": role, "pictures": pictures})
    return {"rows": rows}


def _crop(part: pd.DataFrame, column: str, low: float, high: float) -> str:
    image = part.pivot(index="y", columns="x", values=column).to_numpy(float)
    grey = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    pixels = np.repeat(np.repeat((255 * grey).astype(np.uint8), MAGNIFIED, 0), MAGNIFIED, 1)
    return _pictures.webp_data_uri(np.stack([pixels] * 3, axis=-1))


_DRAWN: dict[str, Callable[[pd.DataFrame, Mapping[str, Any]], dict[str, Any]]] = {
    "strips": _strips, "histogram": _histogram, "lines": _lines, "maps": _maps, "pairs": _pairs,
}  # fmt: skip
