"""What stands beside the map: a column's distribution, what is different, where the selection comes from."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import explore
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.views._inks import LARGEST
from mlscope_nb.views.colours import MISSING, MISSING_NAME, PALETTE, categories, is_continuous

_BINS = 30
_BARS = 12
_LISTED = 10
_ENDLESS = 1e6
_MOST_NUMBERS = 30_000_000


@dataclass(frozen=True)
class Distribution:
    """A column sorted into bins or kinds: `code` is the bin of each cell, -1 for none."""

    name: str
    code: np.ndarray
    names: tuple[str, ...]
    colours: tuple[str, ...]
    edges: tuple[float, ...] = ()
    literals: tuple[str, ...] = ()

    def counts(self, rows: np.ndarray | None = None) -> list[int]:
        """Return how many of these cells (default: of all) fall into each bin."""
        code = self.code if rows is None else self.code[rows]
        return [int(n) for n in np.bincount(code[code >= 0], minlength=len(self.names))]

    def shares(self, rows: np.ndarray | None = None) -> list[float]:
        """Return which share of the cells with a value falls into each bin."""
        found = self.counts(rows)
        return [n / max(sum(found), 1) for n in found]

    def rows(self, first: int, last: int) -> np.ndarray:
        """Return the positions of the cells in these bins, both ends included."""
        return np.flatnonzero((self.code >= first) & (self.code <= last))

    def query(self, first: int, last: int) -> str:
        """Return the same choice as text for ``cells.where``, or "" where it cannot be said so."""
        if not self.name.isidentifier() or keyword.iskeyword(self.name):
            return ""
        if not self.edges:
            literal = self.literals[first] if first == last else ""
            return f"{self.name} == {literal}" if literal else ""
        low = "" if first == 0 else f"{self.edges[first]!r} <= "
        high = "" if last == len(self.names) - 1 else f" < {self.edges[last + 1]!r}"
        return f"{low}{self.name}{high}" if low or high else ""

    def to_dict(self, rows: np.ndarray) -> dict[str, Any]:
        """Return what the browser draws."""
        return {
            "column": self.name,
            "names": list(self.names),
            "colours": list(self.colours),
            "edges": list(self.edges),
            "all": self.shares(),
            "chosen": self.shares(rows) if len(rows) else [],
            "n_chosen": self.counts(rows) if len(rows) else [],
            "missing": int((self.code < 0).sum()),
        }


def distribution(column: pd.Series, palette: Mapping[str, str] | None = None) -> Distribution:
    """Sort a column into at most 30 bins of round width, or into its kinds.

    Examples
    --------
    >>> distribution(pd.Series(["b", "a", "b"], name="plate")).shares()
    [0.3333333333333333, 0.6666666666666666]
    """
    return _numbers(column) if is_continuous(column) else _kinds(column, palette or {})


def _numbers(column: pd.Series) -> Distribution:
    values = column.to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values)
    values = np.clip(values, -LARGEST, LARGEST)
    # The ends hold what lies beyond, so that one far value does not squeeze the rest into one bar.
    low, high = np.percentile(values[known], (0.5, 99.5)) if known.any() else (0.0, 1.0)
    if high <= low:
        low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 1.0)
    edges = _round_edges(float(low), float(high))
    code = np.full(len(values), -1)
    code[known] = np.clip(np.searchsorted(edges, values[known], side="right") - 1, 0, len(edges) - 2)
    names = tuple(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges))
    return Distribution(str(column.name), code, names, (PALETTE[0],) * len(names), tuple(edges.tolist()))


def _round_edges(low: float, high: float) -> np.ndarray:
    rough = high / _BINS - low / _BINS
    # Numbers have about 15 digits: what differs in the last ones cannot be sorted into bins.
    if rough <= 1e-14 * max(abs(low), abs(high)) or rough < 1e-300:
        return np.array([low - 0.5, low + 0.5]) if abs(low) < 1e15 else np.array([0.9, 1.1]) * low
    ten = 10.0 ** np.floor(np.log10(rough))
    step = next(m * ten for m in (1, 2, 2.5, 5, 10) if m * ten >= rough * (1 - 1e-9))
    edges = np.arange(np.floor(low / step), np.ceil(high / step) + 0.5) * step
    # 3 × 0.1 is not 0.3: without rounding a measured 0.3 would fall into the bin that ends there.
    return np.unique(np.round(edges, int(max(0, 2 - np.log10(step)))))


def _kinds(column: pd.Series, palette: Mapping[str, str]) -> Distribution:
    names, _ = categories(column)
    found, values = pd.factorize(column)
    sizes = pd.Series(np.bincount(found[found >= 0], minlength=len(values)), [str(v) for v in values])
    # Of many kinds the most frequent are shown; the others share the last bar.
    kept = names if len(names) <= _BARS else [n for n in names if n in set(sizes.nlargest(_BARS - 1).index)]
    place = {name: i for i, name in enumerate(kept)}
    shown = [*kept, "(others)"] if len(kept) < len(names) else kept
    code = np.array([place.get(str(v), len(kept)) for v in values] + [-1], int)[found]
    if (found < 0).any():
        code, shown = np.where(found < 0, len(shown), code), [*shown, MISSING_NAME]
    colours, written = tuple(palette.get(n, MISSING) for n in shown), _written(values)
    literals = tuple(written.get(n, "") for n in shown)
    return Distribution(str(column.name), code, tuple(shown), colours, literals=literals)


def _written(values: Any) -> dict[str, str]:
    """Return how each kind is written in a condition; "" where several kinds look the same, or it is no plain value."""
    plain = [v.item() if isinstance(v, np.generic) else v for v in values]
    texts = [str(v) for v in values]
    usable = {t: isinstance(v, str | bool | int) and texts.count(t) == 1 for t, v in zip(texts, plain, strict=True)}
    return {t: repr(v) if usable[t] else "" for t, v in zip(texts, plain, strict=True)}


def differences(cells: Cells, ids: pd.Index) -> dict[str, Any]:
    """Return the features that set the chosen cells apart, the largest first, with intervals over units."""
    features = cells.features
    if features is None:
        return {"note": "No features: cells = cells.with_features(ms.features.measure(cells)).", "rows": []}
    if not 0 < len(ids) < len(cells):
        return {"note": "Select some cells, but not all, to see what sets them apart.", "rows": []}
    if features.shape[0] * features.shape[1] > _MOST_NUMBERS:
        call = "ms.explore.distinguish(cells, w.selected)"
        return {
            "note": f"{features.size:,} numbers are too many to compare at each drag. In Python: {call}",
            "rows": [],
        }
    table = explore.distinguish(cells, ids)
    rows = [
        {"name": str(name), "effect": _finite(r["effect"]), "low": _plain(r["low"]), "high": _plain(r["high"])}
        for name, r in table.head(_LISTED).iterrows()
    ]
    unit = cells.design.unit
    over = any(row["low"] is not None for row in rows)
    where = f", intervals over {count(int(table['n_units'].max()), unit[-1])}" if unit and over else ""
    note = f"Difference of the means in standard deviations of cells{where}. {table.attrs.get('reason') or ''}"
    return {"note": note.strip(), "rows": rows}


def _finite(value: Any) -> float:
    """Return an effect as a number that JSON can hold; a feature without any overlap has an infinite one."""
    return float(np.clip(np.nan_to_num(float(value), nan=0.0), -_ENDLESS, _ENDLESS))


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def sources(
    cells: Cells, rows: np.ndarray, palette_of: Callable[[pd.Series], Mapping[str, str] | None]
) -> dict[str, Any]:
    """Return from which classes, batches and units the chosen cells come."""
    design = cells.design
    label = () if design.label is None else (design.label,)
    names = dict.fromkeys([*label, *(design.batch or ()), *(design.unit or ())])
    columns = [cells.obs[n].astype(object) for n in names]
    parts = [distribution(column, palette_of(column)) for column in columns]
    if not parts:
        return {"note": "Declare where cells come from: ms.Cells(…, batch='plate', unit='well').", "parts": []}
    return {"note": "", "parts": [part.to_dict(rows) for part in parts[:4]]}
