"""The space in which groups are looked for: what differs between units, or where cells of one unit differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._align import refuse_duplicates, text_index
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.copies import worth
from mlscope_nb.explore.directions import (
    DIRECTIONS_OF_CELLS,
    MOST_DIRECTIONS,
    MOST_OF_UNITS,
    Floats,
    between_units,
    flattest,
    leading,
    means_of,
    principal_axes,
)
from mlscope_nb.study.units import groups

Of = Literal["auto", "units", "cells"]
CLIPPED = 6.0
"""Features are taken at most this many robust deviations from the median: one odd cell must not be a direction."""
LEAST_UNITS = 16
"""Fewer units have no groups that could be told from chance."""
CELLS_PER_UNIT = 3
AROUND = 30
"""Principal components in which a cell's distance from a group is measured."""


@dataclass(frozen=True, eq=False)
class GroupSpace:
    """Cells and units as points, and the way from features to them, so that new cells find their place.

    Parameters
    ----------
    of : {"units", "cells"}
        Whether directions are those in which units differ, or those in which cells do.
    ids : Index (N,)
        The cells.
    points : array (N, K)
        Their places.
    wide : array (N, D + 1)
        Their places in all principal components, and how far they are from what those can show.
    units : Series or None
        The unit of each cell.
    unit_points : array (W, K)
        The means of units; the places of cells where there are none.
    notes : tuple of str
        What a reader has to know.
    scaled : array (N, P)
        The scaled features on their common middle, from which the points were made.
    beyond : sparse array (N, P)
        What cutting at 6 deviations took from them.
    """

    of: Literal["units", "cells"]
    ids: pd.Index
    points: Floats
    wide: Floats
    units: pd.Series | None
    unit_points: Floats
    notes: tuple[str, ...]
    scaled: Floats
    beyond: Any = None
    columns: tuple[str, ...] = ()
    middle: Floats = field(default_factory=lambda: np.empty(0))
    spread: Floats = field(default_factory=lambda: np.empty(0))
    offset_of: str = ""
    offsets: Mapping[str, Floats] = field(default_factory=dict)
    axes: Floats = field(default_factory=lambda: np.empty((0, 0)))
    turn: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def place(self, new: Cells | pd.DataFrame) -> tuple[Floats, Floats]:
        """Return the points and the wide places of new cells.

        Raises
        ------
        KeyError
            A feature is missing.
        ValueError
            Units or batches were used for the space, and the new cells have none.
        """
        numbers = table(new)
        missing = [c for c in self.columns if c not in numbers.columns]
        if missing:
            raise KeyError(f"{count(len(missing), 'feature')} of the clustering missing: {some(missing)}.")
        away = _deviations(numbers[list(self.columns)].to_numpy(np.float64), self.middle, self.spread)
        scaled = np.clip(away, -CLIPPED, CLIPPED)
        if self.offset_of:
            keys, units = _offset_keys(new, self.offset_of)
            known = dict(_offsets(scaled, keys, units)) | dict(self.offsets)
            scaled = scaled - np.array([known[k] for k in keys])
        return self._projected(scaled)

    def flattened(self) -> GroupSpace:
        """Return the same cells in their flattest directions."""
        scores = self.scaled @ self.axes
        turn = flattest(scores[:, :DIRECTIONS_OF_CELLS])
        turn = np.vstack([turn, np.zeros((scores.shape[1] - len(turn), turn.shape[1]))])
        points = scores @ turn
        return replace(self, turn=turn, points=points, unit_points=points)

    def _projected(self, scaled: Floats) -> tuple[Floats, Floats]:
        scores = scaled @ self.axes
        return scores @ self.turn, _wide(scaled, scores)


def group_space(cells_or_table: Cells | pd.DataFrame, *, of: Of = "auto", seed: int = 0) -> GroupSpace:
    """Return cells as points in the few directions in which groups are looked for.

    Features are scaled by median and median deviation, and cut at 6 deviations. With 16 declared units or more
    ("units"), batches are put on the median of their units, and the directions are those in which units differ more
    than their cells explain (discriminant directions with units as classes, as many as chance does not give): a
    treatment shows there, and what varies from cell to cell anyway does not. Otherwise, or by name ("cells"), they are
    the leading principal components; where units are declared, each is put on its own mean first, so that wells and
    plates are no groups of cells.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; missing values take the median.
    of : {"auto", "units", "cells"}
        Which directions.
    seed : int
        For the principal components of many features.

    Raises
    ------
    ValueError
        Too few cells, no feature that varies, or no units where they are asked for.

    References
    ----------
    Fisher (1936) Annals of Eugenics 7:179; the number of directions by the edge of Marchenko & Pastur (1967).
    """
    numbers = table(cells_or_table)
    ids = text_index(numbers.index, "cell_id")
    refuse_duplicates(ids, "cell_id")
    if len(numbers) < 2 * CELLS_PER_UNIT:
        raise ValueError(f"{count(len(numbers), 'cell')} are too few to look for groups, expected at least 6.")
    units = _units(cells_or_table)
    counts = np.ones(len(numbers)) if units is None else worth(numbers, units)
    kind = _kind(of, units, counts)
    values = numbers.to_numpy(np.float64)
    middle, spread = _scale(values)
    used = spread > 0
    if not used.any():
        raise ValueError(f"None of {count(values.shape[1], 'feature')} varies between these cells.")
    scaled, beyond = _cut(_deviations(values[:, used], middle[used], spread[used]))
    offset_of = _offset_by(cells_or_table, kind, counts)
    offsets: dict[str, Floats] = {}
    if offset_of:
        keys, of_unit = _offset_keys(cells_or_table, offset_of)
        offsets = _offsets(scaled, keys, of_unit)
        scaled = scaled - np.array([offsets[k] for k in keys])
    codes = None if units is None else pd.factorize(units)[0]
    most = MOST_DIRECTIONS if codes is None else min(MOST_OF_UNITS, int(codes.max() + 1) // 2)
    axes = principal_axes(scaled, most, seed)
    turn = between_units(scaled @ axes, codes, counts) if kind == "units" and codes is not None else leading(axes)
    points = scaled @ axes @ turn
    return GroupSpace(
        of=kind,
        ids=ids,
        points=points,
        wide=_wide(scaled, scaled @ axes),
        units=units,
        unit_points=means_of(points, codes) if kind == "units" and codes is not None else points,
        notes=_notes(kind, units, offset_of, of),
        scaled=scaled,
        beyond=beyond,
        columns=tuple(map(str, numbers.columns[used])),
        middle=middle[used],
        spread=spread[used],
        offset_of=offset_of,
        offsets=offsets,
        axes=axes,
        turn=turn,
    )


def _units(x: Cells | pd.DataFrame) -> pd.Series | None:
    return groups(x) if isinstance(x, Cells) and x.design.unit else None


def _kind(of: Of, units: pd.Series | None, counts: Floats) -> Literal["units", "cells"]:
    if of not in ("auto", "units", "cells"):
        raise ValueError(f"of is {of!r}, expected 'auto', 'units' or 'cells'.")
    n_units = 0 if units is None else units.nunique()
    enough = n_units >= LEAST_UNITS and _several_each(n_units, counts)
    if of == "units" and not enough:
        raise ValueError(
            f"of='units' needs cells of at least {LEAST_UNITS} declared units, {CELLS_PER_UNIT} each; "
            f"{count(n_units, 'unit')} found. Declare them with cells.with_design(unit=…), or use of='cells'."
        )
    return "units" if enough and of != "cells" else "cells"


def _offset_by(x: Cells | pd.DataFrame, kind: str, counts: Floats) -> str:
    """Return what is put on a common middle: batches for groups of units, units for groups within them."""
    if not isinstance(x, Cells):
        return ""
    if kind == "units":
        return "batch" if x.design.batch else ""
    units = _units(x)
    return "unit" if units is not None and _several_each(units.nunique(), counts) else ""


def _several_each(n_units: int, counts: Floats) -> bool:
    """Whether units hold several cells on average, copies of a cell counted once."""
    return bool(round(float(counts.sum())) >= CELLS_PER_UNIT * n_units)


def _offset_keys(x: Cells | pd.DataFrame, role: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the batch (or unit) of each cell and its unit."""
    if not isinstance(x, Cells):
        raise ValueError(f"The {role} of each cell is needed: give Cells with a declared {role}, not a table.")
    units = x.units.astype(str).to_numpy(object)
    return (x.batches_of.astype(str).to_numpy(object) if role == "batch" else units), units


def _offsets(scaled: Floats, keys: NDArray[Any], units: NDArray[Any]) -> dict[str, Floats]:
    """Return the median of the unit means for each key; where a key is a unit, its mean."""
    found = {}
    for key in pd.unique(keys):
        rows = keys == key
        means = pd.DataFrame(scaled[rows]).groupby(units[rows]).mean()
        found[str(key)] = means.median().to_numpy()
    return found


def _scale(values: Floats) -> tuple[Floats, Floats]:
    """Return the median of each column and its robust deviation; 0 where it does not vary."""
    values = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(values).all(axis=0)
    middle, spread = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    middle[known] = np.nanmedian(values[:, known], axis=0)
    away = np.abs(values[:, known] - middle[known])
    robust, plain = 1.4826 * np.nanmedian(away, axis=0), np.sqrt(np.nanmean(away**2, axis=0))
    least = 1e-12 * np.maximum(np.abs(middle[known]), 1e-300)
    spread[known] = np.where(robust > least, robust, np.where(plain > least, plain, 0.0))
    return middle, spread


def _deviations(values: Floats, middle: Floats, spread: Floats) -> Floats:
    """Return how many deviations numbers are from the middle; 0 for missing ones."""
    filled = np.where(np.isfinite(values), values, middle)
    away: Floats = (filled - middle) / spread
    return away


def _cut(away: Floats) -> tuple[Floats, Any]:
    """Return the numbers cut at 6 deviations, and what that took from them."""
    from scipy.sparse import csr_array

    scaled = np.clip(away, -CLIPPED, CLIPPED)
    return scaled, csr_array(away - scaled)


def _wide(scaled: Floats, scores: Floats) -> Floats:
    """Return the leading components and the length of what they leave out."""
    near = scores[:, :AROUND]
    left = np.einsum("ij,ij->i", scaled, scaled) - np.einsum("ij,ij->i", near, near)
    return np.column_stack([near, np.sqrt(np.maximum(left, 0.0))])


def _notes(kind: str, units: pd.Series | None, offset_of: str, of: Of) -> tuple[str, ...]:
    if kind == "units" and not offset_of:
        return ("No batch is declared: a difference between plates or days would count as groups.",)
    if units is None:
        return ("No unit is declared: cells are taken as independent, and wells or plates would count as groups.",)
    if kind == "cells" and of == "auto":
        return (f"Fewer than {LEAST_UNITS} units: groups are looked for among cells within units.",)
    return ()
