"""Tables: features of different origin kept apart, so that a model of its own can read each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import some
from mlscope_nb.cells import Cells

Features = pd.DataFrame | Sequence[pd.DataFrame] | Mapping[str, pd.DataFrame] | None
Origins = dict[str, list[str]]

MEASURED = "measured"
NUMBERED = re.compile(r"^(?P<stem>.*?)_?\d{3,}$")
OUTPUTS = 32
"""From so many columns that differ in a running number alone they are the outputs of a network."""


def origins(columns: Sequence[str]) -> Origins:
    """Return the columns by what made them: each network by itself, and all that was measured together.

    The outputs of a network are told by their names, which end in a running number
    (``Cells_EfficientNetLite0_DNA_0000``, ``Cells_SelfSupervised_DNA_0000``); its channels belong together.

    Parameters
    ----------
    columns : sequence of str
        Names of features.

    Examples
    --------
    >>> deep = [f"Cells_EfficientNetLite0_DNA_{i:04d}" for i in range(1280)]
    >>> {name: len(found) for name, found in origins(["Cells_AreaShape_Area", *deep]).items()}
    {'measured': 1, 'EfficientNetLite0': 1280}
    """
    stems = pd.Series([_stem(str(c)) for c in columns], dtype=object)
    many = stems.map(stems.value_counts()).fillna(0) >= OUTPUTS
    found: Origins = {}
    for column, stem, numbered in zip(columns, stems, many, strict=True):
        found.setdefault(_network(stem) if numbered else MEASURED, []).append(column)
    return found


def combined(cells: Cells, features: Features = None) -> tuple[Cells, Origins]:
    """Return the cells with all features in one table, and which columns have the same origin.

    Parameters
    ----------
    cells : Cells
        With features, unless tables are given.
    features : DataFrame, sequence or mapping of DataFrames, optional
        One table, or several that are to be read by a model each. Default: the features of the cells, by `origins`.

    Raises
    ------
    ValueError, TypeError
        No cells, no features, infinite values, rows that do not fit the cells, or something else than tables.

    Examples
    --------
    >>> area = pd.DataFrame({"area": [1.0, 2.0]}, index=["a", "b"])
    >>> both, found = combined(Cells(pd.DataFrame(index=["a", "b"])), {"shape": area, "again": area})
    >>> found
    {'shape': ['shape: area'], 'again': ['again: area']}
    """
    if not len(cells):
        raise ValueError("There are no cells here, expected labelled ones. Did the selection before match any?")
    if features is None:
        table = cells.table()
        found = origins([str(c) for c in table.columns])
    elif isinstance(features, pd.DataFrame):
        table = _aligned(features, cells, "the table")
        found = origins([str(c) for c in table.columns])
    else:
        table, found = _side_by_side(cells, _named(features))
    if not table.shape[1]:
        raise ValueError("The table of features has no columns. Measure cells first: ms.features.measure(cells).")
    infinite = np.isinf(table.to_numpy()).any(axis=0)
    if infinite.any():
        raise ValueError(f"Infinite values in {some(table.columns[infinite])}. Make them NaN, or leave these out.")
    return (cells if features is None else cells.with_features(table)), found


def _stem(column: str) -> str | None:
    match = NUMBERED.match(column)
    return match["stem"] if match else None


def _network(stem: str) -> str:
    parts = stem.split("_")
    return parts[1] if len(parts) > 1 else stem or "numbered"


def _named(features: Any) -> dict[str, pd.DataFrame]:
    named: dict[str, Any] = {}
    if isinstance(features, Mapping):
        named = {str(k): v for k, v in features.items()}
    elif isinstance(features, list | tuple):
        named = {f"table {k + 1}": v for k, v in enumerate(features)}
    else:
        named = {"features": features}
    wrong = [f"{k} is a {type(v).__name__}" for k, v in named.items() if not isinstance(v, pd.DataFrame)]
    if wrong or not named:
        raise TypeError(
            f"Expected a DataFrame with one row per cell, or several: features=[measured, embedded]. "
            f"Found: {', '.join(wrong) or 'nothing'}."
        )
    return named


def _side_by_side(cells: Cells, named: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, Origins]:
    tables = {name: _aligned(table, cells, f"the table '{name}'") for name, table in named.items()}
    names = [str(c) for table in tables.values() for c in table.columns]
    if len(set(names)) < len(names):
        tables = {name: table.add_prefix(f"{name}: ") for name, table in tables.items()}
    whole = pd.concat(list(tables.values()), axis=1)
    steps = [step for table in named.values() for step in table.attrs.get("history", ())]
    whole.attrs = {"history": steps}
    return whole, {name: [str(c) for c in table.columns] for name, table in tables.items() if table.shape[1]}


def _aligned(table: pd.DataFrame, cells: Cells, what: str) -> pd.DataFrame:
    found = _align.numbers(table, cells.ids, what)
    found.attrs = {"history": list(table.attrs.get("history", ()))}
    return found
