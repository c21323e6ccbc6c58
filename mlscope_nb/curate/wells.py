"""Wells: names such as B07 as places on a plate."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from mlscope_nb._words import count, some

FORMATS = ((2, 2), (2, 3), (2, 4), (3, 4), (4, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
"""Rows and columns of dishes, chamber slides and plates, from 4 to 1,536 wells."""
_LETTERS = re.compile(r"([A-Za-z]{1,2})[ _-]?0*([1-9]\d?)")
_NUMBERS = re.compile(r"[rR]0*([1-9]\d?)[ _-]?[cC]0*([1-9]\d?)")
_MOST_ROWS, _MOST_COLUMNS = FORMATS[-1]


def parse_wells(names: Iterable[object]) -> pd.DataFrame:
    """Return row and column (from 1) of wells by name: A01, a1, P24, AF48, or r02c07.

    Parameters
    ----------
    names : iterable
        Names of wells.

    Returns
    -------
    DataFrame
        ``row`` and ``column``, in the order of the names.

    Raises
    ------
    ValueError
        A name is none of a well.

    Examples
    --------
    >>> parse_wells(["A01", "h12", "AF48", "r02c07"]).to_numpy().tolist()
    [[1, 1], [8, 12], [32, 48], [2, 7]]
    """
    listed = list(names)
    found = [_place(str(name).strip()) for name in listed]
    wrong = list(dict.fromkeys(name for name, place in zip(listed, found, strict=True) if place is None))
    if wrong:
        raise ValueError(
            f"{count(len(wrong), 'name')} of no well: {some(wrong)}. Expected a row in letters and a column in "
            "numbers, from A01 to AF48. Name the column that holds the wells: well=…"
        )
    return pd.DataFrame([place for place in found if place is not None], columns=["row", "column"])


def is_well(name: object) -> bool:
    """Whether a value is the name of a well.

    Examples
    --------
    >>> is_well("B07"), is_well("DMSO")
    (True, False)
    """
    return _place(str(name).strip()) is not None


def row_name(row: int) -> str:
    """Return the letters of a row.

    Examples
    --------
    >>> row_name(1), row_name(26), row_name(32)
    ('A', 'Z', 'AF')
    """
    return chr(64 + row) if row <= 26 else f"A{chr(64 + row - 26)}"


def plate_shape(places: pd.DataFrame) -> tuple[int, int]:
    """Return rows and columns of the smallest usual plate that holds these wells.

    Examples
    --------
    >>> plate_shape(parse_wells(["B02", "G11"]))
    (8, 12)
    """
    rows, columns = int(places["row"].max()), int(places["column"].max())
    return next(shape for shape in FORMATS if shape[0] >= rows and shape[1] >= columns)


def _place(name: str) -> tuple[int, int] | None:
    by_numbers, by_letters = _NUMBERS.fullmatch(name), _LETTERS.fullmatch(name)
    if by_numbers:
        row, column = int(by_numbers[1]), int(by_numbers[2])
    elif by_letters:
        letters = by_letters[1].upper()
        row = sum((ord(letter) - 64) * 26**i for i, letter in enumerate(reversed(letters)))
        column = int(by_letters[2])
    else:
        return None
    return (row, column) if row <= _MOST_ROWS and column <= _MOST_COLUMNS else None
