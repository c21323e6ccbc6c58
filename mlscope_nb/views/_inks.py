"""From a column to colours: one small number for each cell, and the legend that says what it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.views.colours import MISSING, MISSING_NAME, PALETTE, categories, is_continuous

MOST = 254
# Differences of larger numbers have no place in a computer.
LARGEST = 1e300
_STEPS = 255
_RANGE = (0.5, 99.5)
# Nine steps of viridis (Smith & van der Walt 2015): colour-blind readers see its order, and none of it is grey.
_VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")

# Blue and orange of ColorBrewer (Brewer 2003), equally dark on both sides of a white middle: no red beside green.
_DIVERGING = ("#08306b", "#2171b5", "#6baed6", "#c6dbef", "#ffffff", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704")


def inks_of(column: pd.Series | None, palette: Mapping[str, str] | None, n: int) -> tuple[bytes, dict[str, Any]]:
    """Return one byte for each cell and the legend of these bytes.

    Parameters
    ----------
    column : Series or None
        What the colour shows; None for one colour.
    palette : mapping or None
        Category to "#rrggbb", for a column of categories.
    n : int
        Number of cells.

    Returns
    -------
    bytes, dict
        ``n`` bytes; ``kind`` is "one", "categories" (``entries``) or "scale" (``palette``, ``low``, ``high``).

    Examples
    --------
    >>> codes, legend = inks_of(pd.Series(["b", "a", None], name="plate"), {"a": "#000000", "b": "#ffffff"}, 3)
    >>> list(codes), [entry["name"] for entry in legend["entries"]]
    ([1, 0, 2], ['a', 'b', '(none)'])
    """
    if column is None:
        return bytes(n), {"kind": "one", "name": "", "entries": [{"name": "", "colour": PALETTE[0], "count": n}]}
    if is_continuous(column):
        return _scale(column)
    return _categories(column, palette or {})


def _scale(column: pd.Series) -> tuple[bytes, dict[str, Any]]:
    values = column.to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values)
    values = np.clip(values, -LARGEST, LARGEST)
    low, high = (float(v) for v in np.percentile(values[known], _RANGE)) if known.any() else (0.0, 1.0)
    if high <= low:
        low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    span = high - low if high > low else 1.0
    codes = np.full(len(values), _STEPS, np.uint8)
    codes[known] = np.clip((values[known] - low) / span * (_STEPS - 1) + 0.5, 0, _STEPS - 1).astype(np.uint8)
    legend = {
        "kind": "scale",
        "name": str(column.name),
        "palette": viridis(_STEPS),
        "low": low,
        "high": low + span,
        "missing": MISSING,
        "n_missing": int((~known).sum()),
    }
    return codes.tobytes(), legend


def _categories(column: pd.Series, palette: Mapping[str, str]) -> tuple[bytes, dict[str, Any]]:
    names, missing = categories(column)
    kept = {name: i for i, name in enumerate(names[:MOST])}
    found, values = pd.factorize(column)
    place = np.array([kept.get(str(v), len(kept)) for v in values] + [len(kept)], int)
    codes = place[found].astype(np.uint8)  # -1, a missing value, takes the last place
    counts = np.bincount(codes, minlength=len(kept) + 1)
    entries = [{"name": n, "colour": palette.get(n, MISSING), "count": int(counts[i])} for n, i in kept.items()]
    if missing or len(names) > len(kept):
        rest = MISSING_NAME if len(names) == len(kept) else "(others)"
        entries.append({"name": rest, "colour": MISSING, "count": int(counts[len(kept)])})
    return codes.tobytes(), {"kind": "categories", "name": str(column.name), "entries": entries}


def viridis(n: int) -> list[str]:
    """Return `n` colours from dark violet to yellow.

    Examples
    --------
    >>> viridis(2)
    ['#440154', '#fde725']
    """
    return _between(_VIRIDIS, n)


def diverging(n: int) -> list[str]:
    """Return `n` colours from dark blue over white, in the middle, to dark orange.

    Examples
    --------
    >>> diverging(3)
    ['#08306b', '#ffffff', '#7f2704']
    """
    return _between(_DIVERGING, n)


def _between(colours: tuple[str, ...], n: int) -> list[str]:
    steps = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], float)
    at = np.linspace(0, len(steps) - 1, n)
    rgb = np.stack([np.interp(at, np.arange(len(steps)), steps[:, k]) for k in range(3)], axis=1)
    return ["#{:02x}{:02x}{:02x}".format(*np.rint(row).astype(int)) for row in rgb]
