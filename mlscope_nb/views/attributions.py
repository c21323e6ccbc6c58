"""Attribution maps beside their cells: signed colours with nothing in the middle, one legend for all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb import _align, _pictures
from mlscope_nb._lazy import read_rows
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.views._crops import Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._inks import diverging
from mlscope_nb.views._outlines import outlines
from mlscope_nb.views._picturetable import Head, Picture, PictureTable
from mlscope_nb.views._pictureview import PictureView
from mlscope_nb.views._sentences import kept_apart, shortened
from mlscope_nb.views._widget import script
from mlscope_nb.views.colours import MISSING

Scale = Literal["method", "all", "cell"]
_STRONGEST = 99.8
"""Percentile of all pixels that gets the darkest colour: one odd pixel must not make all others pale."""
_STEPS, _LEGEND, _MOST = 255, 9, 24
_SCRIPTS = ("common.js", "pictures.js", "maps.js", "picture_view.js")
_SCALES = {
    "method": "Colours: ±1 is the strongest that a method says of any of these cells, so cells can be compared.",
    "all": "Colours: ±1 is the strongest that any of these methods says, so methods can be compared.",
    "cell": "Colours: ±1 is the strongest in each single map, so neither cells nor methods can be compared.",
}


class MapsView(PictureView):
    """What `maps` returns: a table of cells and their maps; a click on a cell's name chooses it in every view."""

    _esm = script(*_SCRIPTS)
    _scripts = _SCRIPTS


def maps(
    cells: Cells,
    maps: np.ndarray | Mapping[str, np.ndarray],
    *,
    ids: Sequence[str] | pd.Index | None = None,
    evidence: np.ndarray | None = None,
    scale: Scale = "method",
    channels: Sequence[str] | None = None,
    colours: Mapping[str, str] | None = None,
    contrast: Contrast | None = None,
    size: int = 128,
    title: str = "",
) -> MapsView:
    """Show maps of what a network looks at beside their cells: orange speaks for the class, blue against it.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X).
    maps : array (N, Y, X), or dict of them by name
        From ``ms.explain.attribute``: one map for each of these cells. Of some cells alone, give
        ``cells.subset(ids)``.
    ids : ids, optional
        Which cells are shown, at most 24. Default: the first six.
    evidence : bool array (N, Y, X), optional
        Pixels that carry the cue (``truth.cues``, or ``truth.cue_reach(cells.ids)``); a line is drawn around them.
    scale : {"method", "all", "cell"}
        What the darkest colours stand for: the strongest of each method (over all cells given), of all methods, or of
        each single map. Nothing is white in all three.
    channels, colours, contrast : optional
        Which channels the pictures of cells show, in which colours and between which grey values.
    size : int
        Side of a picture in screen pixels; whole pixels are repeated, so it may be a little less or more.
    title : str
        Above the table.

    Returns
    -------
    MapsView
        ``.to_html(path)`` writes a page that works without a kernel.

    Raises
    ------
    TypeError, ValueError, KeyError
        Not Cells, no images, maps or evidence of another shape, an id that is not there, or too many.

    Examples
    --------
    >>> table = pd.DataFrame({"drug": ["x", "y"]}, index=["a", "b"])
    >>> cells = Cells(table, np.zeros((2, 1, 8, 8), "uint8"), channels=["DNA"], label="drug")
    >>> maps(cells, {"gradient": np.zeros((2, 8, 8))}, ids=["b"]).select(["b"]).selected.tolist()
    ['b']
    """
    refuse_other_than_cells(cells)
    named = _named(cells, maps)
    given = None if evidence is None else _fitting(cells, "evidence", evidence).astype(bool)
    if scale not in _SCALES:
        raise ValueError(f"scale='{scale}', expected one of {some(_SCALES)}.")
    rows = _rows(cells, ids)
    crops = Crops(cells, channels=channels, colours=colours, contrast=contrast)
    times = max(1, round(size / max(cells.images.shape[2:])))
    limits = _limits(named, scale)
    pictures = []
    for row in rows:
        where = None if given is None else given[row]
        one = [Picture(_cell(cells, crops, row, times, where), f"{_called(cells, row)}, as it was taken.")]
        for name, values in named.items():
            most = limits[name] or _strongest(values[row])
            one.append(Picture(_map(values[row], most, times, where), _seen(name, values[row], where), exact=True))
        pictures.append(one)
    names = kept_apart(map(str, cells.ids[rows]))
    heads = [Head(names[str(cells.ids[r])], str(cells.ids[r]), _label(cells, r)) for r in rows]
    columns = [Head("cell"), *(Head(name) for name in kept_apart(named).values())]
    cue = " The line goes around the cue." if given is not None else ""
    found = PictureTable(
        title or "What speaks for the class, and what against it", columns, heads, pictures, _legend(),
        _SCALES[scale] + cue,
    )  # fmt: skip
    return MapsView(cells, found)


def _named(cells: Cells, given: Any) -> dict[str, np.ndarray]:
    named = dict(given) if isinstance(given, Mapping) else {"map": given}
    if cells.images is None:
        raise ValueError("These cells have no images, only tables: there is nothing to lay maps beside.")
    if not named:
        raise ValueError("There are no maps: give {'gradient': ms.explain.attribute(network, cells)}.")
    return {str(name): _fitting(cells, f"map '{name}'", values) for name, values in named.items()}


def _fitting(cells: Cells, what: str, given: Any) -> np.ndarray:
    values = np.asarray(given)
    expected = (len(cells), *cells.images.shape[2:])
    if values.shape != expected:
        raise ValueError(
            f"The {what} has the shape {values.shape}, expected {expected}: one of each of these cells, in their "
            "order. Of some cells alone, give cells.subset(ids)."
        )
    return values


def _rows(cells: Cells, ids: Any) -> np.ndarray:
    if ids is None:
        return np.arange(min(6, len(cells)))
    rows = _align.positions([ids] if isinstance(ids, str) else list(ids), cells.ids)
    if not 0 < len(rows) <= _MOST:
        raise ValueError(f"{len(rows)} cells to show, expected 1 to {_MOST}: ids=cells.ids[:6].")
    return np.asarray(rows)


def _strongest(values: np.ndarray) -> float:
    known = np.abs(values[np.isfinite(values)])
    if not known.size:
        return 1.0
    return float(np.percentile(known, _STRONGEST)) or float(known.max()) or 1.0


def _limits(named: Mapping[str, np.ndarray], scale: Scale) -> dict[str, float]:
    """Return what the darkest colour stands for, by method; 0 where each map has its own."""
    if scale == "cell":
        return dict.fromkeys(named, 0.0)
    each = {name: _strongest(values) for name, values in named.items()}
    return each if scale == "method" else dict.fromkeys(named, max(each.values()))


def _cell(cells: Cells, crops: Crops, row: int, times: int, where: np.ndarray | None) -> np.ndarray:
    which = [cells.channels.index(name) for name in crops.shown]
    image = read_rows(cells.images, np.array([row]))[:, which]
    made = _pictures.composite(image, crops.limits[which], [crops.colours[i] for i in which])[0]
    return _outlined(_enlarged(made, times), where, times, 255)


def _map(values: np.ndarray, most: float, times: int, where: np.ndarray | None) -> np.ndarray:
    inks = np.array([*map(_pictures.rgb, diverging(_STEPS)), _pictures.rgb(MISSING)], np.uint8)
    known = np.isfinite(values)
    half = _STEPS // 2
    place = np.where(known, np.rint(np.clip(np.where(known, values, 0) / most, -1, 1) * half) + half, _STEPS)
    return _outlined(_enlarged(inks[place.astype(np.intp)], times), where, times, 0)


def _enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _outlined(picture: np.ndarray, where: np.ndarray | None, times: int, ink: int) -> np.ndarray:
    if where is not None:
        line = outlines(_enlarged(where.astype(np.uint8), times)) > 0
        picture[line] = ink
    return picture


def _called(cells: Cells, row: int) -> str:
    label = _label(cells, row)
    return shortened(cells.ids[row]) + (f", {label}" if label else "")


def _label(cells: Cells, row: int) -> str:
    return shortened(cells.obs[cells.design.label].iloc[row]) if cells.design.label else ""


def _seen(name: str, values: np.ndarray, where: np.ndarray | None) -> str:
    """Say in words where a map is strongest."""
    known = np.where(np.isfinite(values), values, 0)
    if not known.any():
        return f"{shortened(name)}: says nothing."
    y, x = np.unravel_index(int(np.abs(known).argmax()), known.shape)
    way = "for" if known[y, x] > 0 else "against"
    place = f"{shortened(name)}: strongest {way} the class at {x} px from the left, {y} px from the top"
    if where is None or not where.any():
        return f"{place}."
    return f"{place}, {'inside' if where[y, x] else 'outside'} of the cue."


def _legend() -> list[tuple[str, str]]:
    words = {0: "-1 speaks against the class", _LEGEND // 2: "0 nothing", _LEGEND - 1: "+1 speaks for it"}
    return [(colour, words.get(k, "")) for k, colour in enumerate(diverging(_LEGEND))]
