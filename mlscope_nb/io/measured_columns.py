"""Columns of other programs' tables: which are measurements, which describe, and under which name they are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.numbers_in_text import exact_numbers

# Where an object lies in its image and which number it has: no property of it, and it tells wells apart.
PLACES = re.compile(
    r"(^|_)(Location_\w+|AreaShape_Center_[XYZ]|AreaShape_BoundingBox(Minimum|Maximum)_[XYZ]|Number_Object_Number|"
    r"ObjectNumber|ImageNumber|Parent_\w+|Neighbors_(First|Second)ClosestObjectNumber\w*)$"
)
PREFIXES = ("Image_Metadata_", "Metadata_Image_", "Metadata_", "Image_")


def is_place(name: str) -> bool:
    """Whether a column says where an object lies, or which number it has.

    Examples
    --------
    >>> is_place("Cells_Location_Center_X"), is_place("Cells_AreaShape_Area")
    (True, False)
    """
    return PLACES.search(name) is not None


def short_names(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Take ``Metadata_`` and the like off the names of columns, unless the name is taken then.

    Examples
    --------
    >>> short_names(["Metadata_Well", "Image_Metadata_Well", "Metadata_Plate"])
    ['Well', 'Image_Metadata_Well', 'Plate']
    """
    used = set(taken)
    found = []
    for name in names:
        prefix = next((p for p in PREFIXES if name.startswith(p) and len(name) > len(p)), "")
        short = name.removeprefix(prefix)
        found.append(name if short in used else short)
        used.add(found[-1])
    return found


def as_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Split a table into numbers and text; text within a column of numbers, and infinity, become missing.

    Returns
    -------
    numbers : DataFrame of float64, or float32 where all are
    text : DataFrame
    remarks : list of str
        What was made missing.

    Examples
    --------
    >>> table = pd.DataFrame({"area": ["1", "2", "3", "error"], "size": [1.0, 2.0, np.inf, 4.0]})
    >>> numbers, _, remarks = as_numbers(table)
    >>> numbers["area"].tolist(), len(remarks)
    ([1.0, 2.0, 3.0, nan], 2)
    """
    types = list(table.dtypes)
    is_number = {kind: _is_number(kind) for kind in set(types)}
    numeric = [i for i, kind in enumerate(types) if is_number[kind]]
    remarks: list[str] = []
    repaired: dict[str, pd.Series] = {}
    text: list[str] = []
    for i in sorted(set(range(table.shape[1])) - set(numeric)):
        column, name = table.iloc[:, i], str(table.columns[i])
        found = _mostly_numbers(column)
        if found is None:
            text.append(name)
        else:
            repaired[name] = found
            odd = column[found.isna() & column.notna()]
            if len(odd):
                remarks.append(
                    f"'{name}' holds {count(len(odd), 'text')} among numbers ({some(odd, 2)}), taken as missing"
                )
    kinds = {types[i] for i in numeric}
    numbers = table.iloc[:, numeric].astype(np.float32 if kinds == {np.dtype(np.float32)} else np.float64)
    if repaired:
        numbers = pd.concat([numbers, pd.DataFrame(repaired, index=table.index)], axis=1)
        numbers = numbers[[c for c in table.columns if c in numbers.columns]]
    numbers, infinite = _finite(numbers)
    return numbers, table[text], remarks + infinite


def _is_number(kind: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)) and (
        not pd.api.types.is_complex_dtype(kind)
    )


def _mostly_numbers(column: pd.Series) -> pd.Series | None:
    """Return a column of text as numbers where more than half of it is numbers, else None."""
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return None
    filled = column.dropna()
    plain = filled[filled.map(lambda v: isinstance(v, str | int | float | np.number))]
    numbers = exact_numbers(plain)
    if not len(filled) or 2 * int(numbers.notna().sum()) <= len(filled):
        return None
    return numbers.reindex(column.index).astype(np.float64)


def _finite(numbers: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    infinite = np.isinf(numbers.to_numpy())
    if not infinite.any():
        return numbers, []
    columns = numbers.columns[infinite.any(axis=0)]
    remark = f"{count(int(infinite.sum()), 'infinite number')} in {some(columns, 3)}, taken as missing"
    return numbers.mask(infinite), [remark]
