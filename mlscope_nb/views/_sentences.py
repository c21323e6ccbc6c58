"""Sentences that a view says about the selection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells

_NAMED = 4
# The page (page.js) has the same numbers.
_FEW, _MOSTLY, _ODDS = 10, 0.6, 4.0


class Origin(NamedTuple):
    """A column that says where cells come from (a batch or a unit): a number for each cell, and what it stands for."""

    name: str
    codes: np.ndarray
    values: pd.Index


def origins_of(cells: Cells) -> list[Origin]:
    """Return where cells come from, batches first; sorted out once, because it does not change with the selection."""
    names = dict.fromkeys([*(cells.design.batch or ()), *(cells.design.unit or ())])
    found = [Origin(name, *pd.factorize(cells.obs[name])) for name in names]
    return [origin for origin in found if len(origin.values) > 1]


def one_sided(origins: Iterable[Origin], rows: np.ndarray) -> str:
    """Warn when most of the chosen cells come from one batch (or unit) that holds far fewer of all cells.

    Far fewer: the odds of coming from there are at least four times those of all cells.

    Examples
    --------
    >>> plates = ["p1"] * 12 + ["p2"] * 60
    >>> cells = Cells(pd.DataFrame({"plate": plates}, index=[str(i) for i in range(72)]), batch="plate")
    >>> one_sided(origins_of(cells), np.arange(12))
    '100 % of the selected cells come from plate p1, which holds 17 % of all cells: this may be an effect of the plate.'
    """
    if len(rows) < _FEW:
        return ""
    for name, codes, values in origins:
        every, chosen = (np.bincount(c[c >= 0], minlength=len(values)) for c in (codes, codes[rows]))
        most = int(chosen.argmax())
        part, usual = chosen[most] / len(rows), every[most] / len(codes)
        if part >= _MOSTLY and part * (1 - usual) >= _ODDS * usual * (1 - part):
            return (
                f"{100 * part:.0f} % of the selected cells come from {shortened(name)} {shortened(values[most])}, "
                f"which holds {100 * usual:.0f} % of all cells: this may be an effect of the {shortened(name)}."
            )
    return ""


def describe_selection(cells: Cells, rows: np.ndarray, labels: pd.Series) -> str:
    """Count the chosen cells by what matters: label given here, declared label, and batch or unit.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame({"plate": ["p1", "p1", "p2"]}, index=list("abc")), batch="plate")
    >>> describe_selection(cells, np.arange(2), pd.Series([None] * 3, cells.ids, name="label"))
    '2 of 3 cells selected: plate p1 2'
    """
    if not len(rows):
        return f"No cells selected. Draw around some on the map ({count(len(cells), 'cell')})."
    text = f"{len(rows):,} of {count(len(cells), 'cell')} selected"
    named = [labels, *(cells.obs[name] for name in _columns(cells) if name != labels.name)]
    parts = [_counts(column, rows) for column in named]
    parts = [part for part in parts if part]
    return f"{text}: {' · '.join(parts)}" if parts else f"{text}."


def _columns(cells: Cells) -> list[str]:
    design = cells.design
    label = () if design.label is None else (design.label,)
    return list(dict.fromkeys([*label, *(design.batch or design.unit or ())]))


def _counts(column: pd.Series, rows: np.ndarray) -> str:
    codes, values = pd.factorize(column.to_numpy()[rows])
    if not len(values):
        return ""
    counts = pd.Series(np.bincount(codes[codes >= 0]), [str(v) for v in values]).groupby(level=0, sort=False).sum()
    counts = counts.sort_values(ascending=False, kind="stable")
    shown = ", ".join(f"{shortened(value)} {n:,}" for value, n in counts.head(_NAMED).items())
    return f"{shortened(column.name)} {shown}" + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")


def shortened(text: object, most: int = 60) -> str:
    """Cut a long name short, so that a sentence stays one.

    Examples
    --------
    >>> shortened("a" * 9, 5)
    'aaaa…'
    """
    plain = str(text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def kept_apart(names: Iterable[str], most: int = 40) -> dict[str, str]:
    """Return a short form for each name, so that no two that differ look alike.

    Examples
    --------
    >>> kept_apart(["a", "b" * 9, "b" * 8], 5)
    {'a': 'a', 'bbbbbbbbb': 'bbbb…', 'bbbbbbbb': 'bbbb… 2'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        short, n = shortened(name, most), 1
        while short in taken:
            n += 1
            short = f"{shortened(name, most)} {n}"
        taken.add(short)
        found[name] = short
    return found
