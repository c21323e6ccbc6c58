"""Recognition: finding known groups in new cells, and saying which cells are like nothing seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
FOLDS = 5
KNOWN_SHARE = 0.99
"""Share of the cells of units left out that are called known: one in a hundred ordinary cells is called unlike."""


@dataclass(frozen=True, eq=False)
class Recognition:
    """The centre of each group and the usual deviations around it, and the distance up to which a cell is known.

    Parameters
    ----------
    centres : array (G, D)
        The mean of each group, in all principal components and the length of the rest.
    spread : array (G, D)
        The deviation within each group.
    threshold : float
        The distance that 99 % of the cells of units left out stay below.
    """

    centres: Floats
    spread: Floats
    threshold: float

    def distance(self, wide: Floats, codes: Codes) -> Floats:
        """Return how far cells are from the centre of their group, in deviations (root mean square)."""
        away = (wide - self.centres[codes]) / self.spread[codes]
        found: Floats = np.sqrt((away**2).mean(axis=1))
        return found


def recognition(wide: Floats, codes: Codes, units: NDArray[np.intp]) -> Recognition:
    """Learn the groups, and from units left out in turn how far an ordinary cell of a new unit is from them."""
    known = codes >= 0
    away = _left_out(wide, codes, units)
    if not len(away):  # no group lies in two units: then single cells are left out
        away = _left_out(wide, codes, np.arange(len(codes)))
    threshold = float(np.quantile(away, KNOWN_SHARE))
    learned = _learned(wide[known], codes[known], int(codes.max()) + 1)
    return Recognition(learned.centres, learned.spread, threshold)


def _left_out(wide: Floats, codes: Codes, units: NDArray[np.intp]) -> Floats:
    """Return how far the cells of units left out in turn are from their groups; nothing where none can be."""
    known, fold = codes >= 0, _folds(units)
    away = [np.empty(0)]
    for k in range(FOLDS):
        train, test = known & (fold != k), known & (fold == k)
        test &= np.isin(codes, np.unique(codes[train]))
        if test.any():
            away.append(_learned(wide[train], codes[train], int(codes.max()) + 1).distance(wide[test], codes[test]))
    return np.concatenate(away)


def _folds(units: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return a fold for each cell; whole units are left out."""
    order = np.random.default_rng(0).permutation(int(units.max()) + 1)
    folds: NDArray[np.intp] = (order % FOLDS)[units]
    return folds


def _learned(wide: Floats, codes: Codes, n: int) -> Recognition:
    """Return centres and deviations; those of a small group are drawn towards those of all groups."""
    centres, squares, counts = np.zeros((n, wide.shape[1])), np.zeros((n, wide.shape[1])), np.zeros(n)
    for k in np.unique(codes):
        rows = wide[codes == k]
        centres[k], counts[k] = rows.mean(axis=0), len(rows)
        squares[k] = ((rows - centres[k]) ** 2).sum(axis=0)
    pooled = squares.sum(axis=0) / max(len(wide) - int((counts > 0).sum()), 1)
    prior = 10.0
    spread = np.sqrt((squares + prior * pooled) / (counts[:, None] + prior))
    return Recognition(centres, np.maximum(spread, 1e-12), np.inf)


def as_table(ids: pd.Index, names: Codes, distance: Floats, threshold: float) -> pd.DataFrame:
    """Return cluster, distance and whether a cell is unlike anything seen."""
    return pd.DataFrame(
        {"cluster": names, "distance": distance, "unlike_anything_seen": distance > threshold}, index=ids
    )
