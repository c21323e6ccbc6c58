"""What a view was handed: refused with the call that fits instead."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

_CUT = "Cut them into cells: ms.io.crop(ms.io.segment(fields))"
_MAKE = "Make cells: ms.Cells(obs, images, …)"


def refuse_other_than_cells(given: Any) -> None:
    """Raise a TypeError that says how to come to Cells.

    Examples
    --------
    >>> refuse_other_than_cells(3)
    Traceback (most recent call last):
    TypeError: Expected Cells, found int. Make cells: ms.Cells(obs, images, …).
    """
    if isinstance(given, Cells):
        return
    advice = _MAKE
    if isinstance(given, Fields):
        advice = f"{_CUT}; look at whole fields with ms.views.fields(fields)"
    elif isinstance(given, pd.DataFrame):
        advice = f"{_MAKE}, or draw two columns of a table: ms.views.scatter(table, ('x', 'y'))"
    raise TypeError(f"Expected Cells, found {type(given).__name__}. {advice}.")


def refuse_other_than_fields(given: Any) -> None:
    """Raise a TypeError that says how to come to Fields.

    Examples
    --------
    >>> refuse_other_than_fields("plate1")
    Traceback (most recent call last):
    TypeError: Expected Fields, found str. Read them: ms.io.read_fields(folder), or ms.Fields(obs, images).
    """
    if isinstance(given, Fields):
        return
    advice = "Read them: ms.io.read_fields(folder), or ms.Fields(obs, images)"
    if isinstance(given, Cells):
        advice = "Look at cells with ms.views.gallery(cells) or ms.views.explore(cells)"
    raise TypeError(f"Expected Fields, found {type(given).__name__}. {advice}.")
