"""Colours that mean the same wherever they appear, safe for colour-blind readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

# From a search for colours far apart in CAM02-UCS (Luo, Cui & Li 2006) for readers of normal, protan, deutan and tritan
# vision (Machado, Oliveira & Fernandes 2009), each at least 3 : 1 (WCAG 1.4.11) on JupyterLab's light and dark ground.
PALETTE = (
    "#0072b2",
    "#de7b00",
    "#00a86c",
    "#9c5478",
    "#8891be",
    "#d80000",
    "#ba6eff",
    "#587440",
    "#c9009d",
    "#007e08",
    "#ff5975",
    "#bb3ac8",
    "#a78948",
    "#6356ff",
    "#be6ea0",
    "#d72a52",
)
MISSING = "#9e9e9e"
MISSING_NAME = "(none)"
CONTEXT = "#c4c4c4"


class CategoryColours:
    """Gives each category a colour when it is first seen and never another one.

    Parameters
    ----------
    given : mapping, optional
        Category to "#rrggbb", for those whose colour is settled.

    Examples
    --------
    >>> colours = CategoryColours()
    >>> colours.of(["b", "a"])
    {'a': '#0072b2', 'b': '#de7b00'}
    >>> colours.of(["b"])
    {'b': '#de7b00'}
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._known = {str(k): v for k, v in (given or {}).items()}

    def of(self, values: Iterable[object]) -> dict[str, str]:
        """Return the colour of each category in `values`, in order; missing values come last, in grey."""
        names, missing = categories(values)
        for name in names:
            if name not in self._known:
                self._known[name] = self._next()
        found = {name: self._known[name] for name in names}
        return {**found, MISSING_NAME: MISSING} if missing else found

    def _next(self) -> str:
        taken = list(self._known.values())
        return min(PALETTE, key=taken.count)


def category_colours(values: Iterable[object], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return one colour per category, the same for the same set of categories.

    Parameters
    ----------
    values : iterable
        A column of categories; NaN and None are grey.
    given : mapping, optional
        Category to "#rrggbb", for those whose colour is settled.

    Examples
    --------
    >>> category_colours(["p2", "p10", None])
    {'p2': '#0072b2', 'p10': '#de7b00', '(none)': '#9e9e9e'}
    """
    return CategoryColours(given).of(values)


def categories(values: Iterable[object]) -> tuple[list[str], bool]:
    """Return the categories as text, in natural order or their own, and whether some values are missing."""
    column = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)
    present = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(present.unique())
        names = dict.fromkeys(str(c) for c in column.cat.categories if c in used)  # 1 and "1" look the same
        return list(names), len(present) < len(column)
    return sorted({str(v) for v in present.unique()}, key=_natural), len(present) < len(column)


def is_continuous(column: pd.Series) -> bool:
    """Whether a column is drawn with a colour scale: numbers with many values."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return False
    return bool(pd.api.types.is_float_dtype(column) or column.nunique() > 12)


def as_text(column: pd.Series) -> pd.Series:
    """Return categories as the text that legends show."""
    return column.astype(object).map(str, na_action="ignore").where(column.notna(), MISSING_NAME)


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in re.split(r"(\d+)", text) if p]
