"""A walk along a decision: drawn cells step by step, the real ones that are nearest, and what changes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align, _pictures
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.explain import Traversal
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._picturetable import Head, Picture, PictureTable
from mlscope_nb.views._pictureview import PictureView
from mlscope_nb.views._sentences import kept_apart, shortened
from mlscope_nb.views._widget import script

_SCRIPTS = ("common.js", "pictures.js", "walk.js", "picture_view.js")
_WHITE, _NOT_SHOWN, _BRIGHTEST = "#ffffff", "#000000", 99.5
_START, _DRAWN, _REAL = "the cell", "drawn", "nearest real cell"


class WalkView(PictureView):
    """What `walk` returns: a slider along the decision; a click on a cell's name chooses it in every view."""

    _esm = script(*_SCRIPTS)
    _scripts = _SCRIPTS

    def _markup(self) -> str:
        steps = self._data["steps"]
        lines = [f"<tr><th></th>{''.join(f'<th>step {k + 1}</th>' for k in range(len(steps)))}</tr>"]
        for feature in self._data["features"]:
            numbers = "".join(f"<td>{value:+.2f}</td>" for value in feature["values"])
            lines.append(f'<tr><th style="text-align:left">{html.escape(feature["name"])}</th>{numbers}</tr>')
        words = f'<p style="font-size:13px">{html.escape(self._data["what"])}</p>'
        return f"{super()._markup()}<table>{''.join(lines)}</table>{words}"


def walk(
    found: Traversal,
    cells: Cells,
    *,
    features: int | list[str] = 6,
    channels: Sequence[str] | None = None,
    colours: Mapping[str, str] | None = None,
    size: int = 96,
    title: str = "",
) -> WalkView:
    """Show a walk along a decision with a slider: drawn cells, the nearest real ones, and the features that change.

    Parameters
    ----------
    found : Traversal
        From ``ms.explain.traverse``.
    cells : Cells
        The same cells, so that those shown here can be chosen in every view.
    features : int or list of str
        How many features stand below the pictures (those that change most), or which.
    channels : sequence of str, optional
        Which channels are shown; all by default. One alone is grey.
    colours : mapping, optional
        Channel to "#rrggbb".
    size : int
        Side of a picture in screen pixels; whole pixels are repeated.
    title : str
        Above the table.

    Returns
    -------
    WalkView
        ``.to_html(path)`` writes a page in which the slider works without a kernel.

    Raises
    ------
    TypeError, KeyError
        Not a traversal, not Cells, a cell or feature that is not there, or an unknown channel.

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.explain import traverse
    >>> from mlscope_nb.features import measure
    >>> from mlscope_nb.predict import train_model
    >>> cells, _ = simulate(2, 4, 10, doses="none", strength=1, seed=2)
    >>> cells = cells.with_features(measure(cells))
    >>> found = traverse(train_model(cells), cells, target="DMSO", epochs=2, n_start=8, n_shown=2)
    >>> walk(found, cells).select(found.ids[:1]).selected.size
    1
    """
    if not isinstance(found, Traversal):
        raise TypeError(f"Expected what ms.explain.traverse(model, cells) returns, found {type(found).__name__}.")
    refuse_other_than_cells(cells)
    _align.positions(list(found.ids), cells.ids)
    light = _light(found, channels, colours)
    times = max(1, round(size / found.montage.shape[-1]))
    starts = [_picture(p, light, times, f"{shortened(i)}, turned to lie flat") for i, p in _pairs(found, found.starts)]
    drawn = [[_picture(p, light, times, f"drawn from {shortened(i)}, {_step(found, k)}") for k, p in enumerate(steps)]
             for i, steps in _pairs(found, found.montage)]  # fmt: skip
    real = [
        [
            _picture(p, light, times, f"{shortened(name)}, the real cell nearest to {_step(found, k)}")
            for k, (p, name) in enumerate(zip(steps, names, strict=True))
        ]
        for steps, names in zip(found.nearest_pictures, found.nearest.to_numpy(), strict=True)
    ]
    short = kept_apart(map(str, found.ids))
    heads = [Head(short[str(i)], str(i)) for i in found.ids]
    words = title or f"A walk towards {shortened(found.target)}"
    table = PictureTable(words, heads, [Head(_START), Head(_DRAWN), Head(_REAL)], [starts, drawn, real])
    return WalkView(cells, table, _still(words, heads, found, starts, drawn), **_beside(found, features))


def _pairs(found: Traversal, pictures: np.ndarray) -> Any:
    return zip(found.ids, pictures, strict=True)


def _still(words: str, heads: list[Head], found: Traversal, starts: list[Picture], drawn: list[Any]) -> PictureTable:
    """Return all steps side by side, for where no slider moves."""
    columns = [Head(_START), *(Head(f"step {k + 1}") for k in range(len(found.steps)))]
    rows = [[first, *steps] for first, steps in zip(starts, drawn, strict=True)]
    return PictureTable(words, columns, heads, rows)


def _beside(found: Traversal, features: int | list[str]) -> dict[str, Any]:
    """Return what stands around the pictures: words for each step, and features at each step."""
    names = list(found.profile.index[:features]) if isinstance(features, int) else list(features)
    unknown = [name for name in names if name not in found.profile.index]
    if unknown:
        raise KeyError(f"No feature {some(unknown)} in .profile. Features: {some(found.profile.index)}.")
    short = kept_apart(names, 60)
    values = {n: _values(found.profile, n) for n in names}
    rows = [{"name": short[n], "says": _says(found, n), "values": values[n]} for n in names]
    steps = [f"{_step(found, k)[0].upper()}{_step(found, k)[1:]}{_answer(found, k)}" for k in range(len(found.steps))]
    most = max((abs(v) for each in values.values() for v in each), default=1.0) or 1.0
    return {
        "steps": steps, "features": rows, "most": most, "least": "surely not", "target": shortened(found.target),
        "what": "Features: how much they have changed since step 1, in deviations of real cells. Places on this walk "
        f"go with the model's answer by a rank correlation of {found.decision:.2f} (1: in the same order).",
    }  # fmt: skip


def _values(profile: pd.DataFrame, name: str) -> list[float]:
    row = np.nan_to_num(profile.loc[[name]].to_numpy(np.float64)[0])
    return [round(float(v), 3) for v in row]


def _says(found: Traversal, name: str) -> str:
    return f"{name}: {found.features['says'].get(name, '')}".removesuffix(": ")


def _step(found: Traversal, k: int) -> str:
    return f"step {k + 1} of {len(found.steps)} ({found.steps[k]:+.1f} deviations along the decision)"


def _answer(found: Traversal, k: int) -> str:
    said = float(found.response["log_odds"].iloc[k])
    return f". The network: log odds {said:+.1f}" if np.isfinite(said) else ""


@dataclass(frozen=True)
class _Light:
    """The colour of each channel, and the grey values shown as black and as full colour."""

    inks: list[str]
    limits: np.ndarray


def _light(found: Traversal, channels: Sequence[str] | None, colours: Mapping[str, str] | None) -> _Light:
    names = [channels] if isinstance(channels, str) else list(found.channels if channels is None else channels)
    for what, given in (("channels", names), ("colours", colours or {})):
        unknown = [c for c in given if c not in found.channels]
        if unknown:
            raise KeyError(f"No channel {some(unknown)} ({what}). Channels: {some(found.channels)}.")
    every = dict(zip(found.channels, _pictures.channel_colours(found.channels), strict=True))
    if len(names) == 1:
        every[names[0]] = _WHITE
    inks = [{**every, **(colours or {})}[c] if c in names else _NOT_SHOWN for c in found.channels]
    # Pictures are as networks read them, background 0 and the bright end of a control 1: many cells are brighter.
    planes = np.moveaxis(found.starts, 1, 0).reshape(len(found.channels), -1)
    ends = np.maximum(1.0, np.percentile(planes, _BRIGHTEST, axis=1))
    return _Light(inks, np.stack([np.zeros_like(ends), ends], axis=1))


def _picture(planes: np.ndarray, light: _Light, times: int, words: str) -> Picture:
    """Draw planes (C, size, size)."""
    made = _pictures.composite(planes[None], light.limits, light.inks)[0]
    return Picture(made.repeat(times, axis=0).repeat(times, axis=1), words)
