"""Sentences that a view says about the selection."""

from __future__ import annotations

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells

_NAMED = 4


def describe_selection(cells: Cells, ids: pd.Index, labels: pd.Series) -> str:
    """Count the chosen cells by what matters: label given here, declared label, and batch or unit.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame({"plate": ["p1", "p1", "p2"]}, index=list("abc")), batch="plate")
    >>> describe_selection(cells, cells.ids[:2], pd.Series([None] * 3, cells.ids, name="label"))
    '2 of 3 cells selected: plate p1 2'
    """
    if not len(ids):
        return f"No cells selected. Draw around some on the map ({count(len(cells), 'cell')})."
    text = f"{len(ids):,} of {count(len(cells), 'cell')} selected"
    parts = [_counts(str(labels.name), labels.loc[ids].dropna())]
    obs, rows = cells.obs, cells.ids.get_indexer(ids)
    parts += [_counts(name, obs[name].iloc[rows].dropna()) for name in _columns(cells) if name != labels.name]
    parts = [part for part in parts if part]
    return f"{text}: {' · '.join(parts)}" if parts else f"{text}."


def _columns(cells: Cells) -> list[str]:
    design = cells.design
    label = () if design.label is None else (design.label,)
    return list(dict.fromkeys([*label, *(design.batch or design.unit or ())]))


def _counts(name: str, values: pd.Series) -> str:
    if not len(values):
        return ""
    counts = values.astype(str).value_counts()
    shown = ", ".join(f"{value} {n:,}" for value, n in counts.head(_NAMED).items())
    return f"{name} {shown}" + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")
