"""Columns that a view offers to choose from."""

from __future__ import annotations

import pandas as pd

OWN = "your columns"


def with_choice(choices: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    """Return the choices with one more, if it is not among them."""
    if any(choice["value"] == name for choice in choices):
        return choices
    return [*choices, {"value": name, "label": name, "group": OWN}]


def n_kinds(column: pd.Series) -> float:
    """Return how many kinds a column has; endless for lists and the like, which cannot be compared."""
    try:
        return column.nunique()
    except TypeError:
        return float("inf")
