"""Description: what a feature means in words, as a drawing, and in cells from low to high."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd

from mlscope_nb import _pictures
from mlscope_nb.cells import Cells
from mlscope_nb.features.sketches import sketch

SIDE = 56
TRIM = 0.02
"""Share of cells left out at either end: what lies far out there is often damaged."""


class Description(str):
    """A sentence that shows a drawing beside it in a notebook, and cells from low to high where cells were given.

    Parameters
    ----------
    sentence : str
        The words.
    name : str
        The feature.
    ids : Index, optional
        Cells in the order of the feature.
    strip : str
        The cells as HTML.
    """

    name: str
    ids: pd.Index
    strip_of_cells: str

    def __new__(cls, sentence: str, name: str, ids: pd.Index | None = None, strip: str = "") -> Description:
        """Return the sentence with what is drawn beside it."""
        made = super().__new__(cls, sentence)
        made.name, made.strip_of_cells = name, strip
        made.ids = pd.Index([], dtype=object) if ids is None else ids
        return made

    def _repr_html_(self) -> str:
        words = f"<div><b>{html.escape(self.name)}</b><br>{html.escape(str(self))}</div>"
        row = f'<div style="display:flex;gap:16px;align-items:center">{sketch(self.name)}{words}</div>'
        return row + self.strip_of_cells


def from_low_to_high(cells: Cells, name: str, n: int) -> tuple[pd.Index, str]:
    """Return the ids of cells at even steps of rank from low to high, and the row of their crops as HTML.

    Raises
    ------
    ValueError
        The cells have no such feature, or none has a value.
    """
    table = cells.table()
    if name not in table.columns:
        raise ValueError(
            f"These cells have no feature '{name}'. Give cells that were measured: "
            "cells.with_features(ms.features.measure(cells, 'all'))."
        )
    known = table[name].dropna().sort_values(kind="stable")
    if known.empty:
        raise ValueError(f"No cell has a value of '{name}'. Give other cells, or another feature.")
    edge = int(TRIM * len(known))
    rows = np.unique(np.linspace(edge, len(known) - 1 - edge, min(n, len(known))).round().astype(int))
    chosen = known.iloc[rows]
    return pd.Index(chosen.index), _strip(cells, chosen)


def _strip(cells: Cells, values: pd.Series) -> str:
    numbers = [f"{v:.4g}" for v in values]
    if cells.images is None:
        return f"<div>From low to high: {html.escape(', '.join(numbers))}</div>"
    pictures = _pictures.thumbnails(cells, list(values.index), size=SIDE)
    boxes = "".join(
        f'<figure style="margin:0;text-align:center"><img src="{_pictures.webp_data_uri(picture)}" width="{SIDE}" '
        f'height="{SIDE}" alt="cell {html.escape(str(i))}" title="{html.escape(str(i))}"><figcaption>'
        f"{number}</figcaption></figure>"
        for picture, i, number in zip(pictures, values.index, numbers, strict=True)
    )
    return f'<div>Cells from low to high:</div><div style="display:flex;flex-wrap:wrap;gap:4px">{boxes}</div>'
