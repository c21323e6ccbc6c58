"""Blocks: features that say the same thing, so that what one of them tells is not put down to the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats

SAME = 1e-9
"""Features whose correlation is less than this from 1 are one feature twice."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Features by what they say.

    Parameters
    ----------
    members : dict
        The features of each block, by the name of the one that stands for it: the most like all others of the block.
    copies : dict
        Features that are another one once more (any line up or down of it), and which one.
    constant : tuple of str
        Features that do not vary, which stand in no block.
    """

    members: dict[str, list[str]]
    copies: dict[str, str]
    constant: tuple[str, ...] = ()

    @property
    def different(self) -> list[str]:
        """The features that vary, each once."""
        return [name for names in self.members.values() for name in names if name not in self.copies]


def feature_blocks(table: pd.DataFrame, batch: NDArray[np.intp] | None = None, *, correlation: float = 0.5) -> Blocks:
    """Put features into blocks by their rank correlation within batches, either sign.

    Average linkage of different features: a feature that is there twice counts once, so that copies of features (and
    of cells) change no block.

    Parameters
    ----------
    table : DataFrame (N, P)
        Features; gaps count as the middle.
    batch : int array (N,), optional
        Ranks are within these, because two features that differ between plates need not say the same of cells.
    correlation : float
        Blocks are joined while their features correlate by this much on average.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> table = pd.DataFrame({"area": x[:, 0], "size": 2 * x[:, 0] + 1, "depth": x[:, 1], "flat": 1.0})
    >>> found = feature_blocks(table)
    >>> found.members, found.constant
    ({'area': ['area', 'size'], 'depth': ['depth']}, ('flat',))
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    values = table.to_numpy(np.float64)
    values = np.where(np.isinf(values), np.nan, values)
    names = np.array([str(c) for c in table.columns], dtype=object)
    ranks = _ranks(values, np.zeros(len(values), np.intp) if batch is None else batch)
    size = np.sqrt(np.einsum("ij,ij->j", ranks, ranks))
    varies = size > 1e-12 * np.sqrt(len(values))
    copies = _copies(values[:, varies], names[varies])
    use = varies & ~np.isin(names, list(copies))
    alike = np.abs((ranks[:, use] / size[use]).T @ (ranks[:, use] / size[use]))
    kept = names[use]
    if len(kept) > 1:
        away = np.clip(1 - (alike + alike.T) / 2, 0, None)
        np.fill_diagonal(away, 0)
        code = fcluster(linkage(squareform(away, checks=False), "average"), 1 - correlation, "distance")
    else:
        code = np.arange(len(kept))
    members: dict[str, list[str]] = {}
    for k in pd.unique(code):
        rows = np.flatnonzero(code == k)
        middle = rows[int(np.argmax(alike[np.ix_(rows, rows)].sum(axis=1).round(9)))]
        own = list(kept[rows])
        members[str(kept[middle])] = own + [name for name, of in copies.items() if of in own]
    return Blocks(members, copies, tuple(names[~varies]))


def _ranks(values: Floats, batch: NDArray[np.intp]) -> Floats:
    """Return ranks within batches, as shares from -1/2 to 1/2: copies of rows leave them as they are."""
    from scipy.stats import rankdata

    found = np.zeros(values.shape)
    for k in np.unique(batch):
        rows = np.flatnonzero(batch == k)
        part = values[rows]
        gaps = np.isnan(part)
        ranks = rankdata(part, axis=0, nan_policy="omit") if gaps.any() else rankdata(part, axis=0)
        n = (~gaps).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[rows] = np.where(gaps | (n == 0), 0.0, (ranks - (n + 1) / 2) / n)
    return found


def _copies(values: Floats, names: NDArray[np.object_]) -> dict[str, str]:
    """Return features that are a straight line of an earlier one, and of which."""
    gaps = np.isnan(values)
    # Of gappy columns the means and deviations are those of the cells with a value: where gaps lie counts by itself.
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(gaps, 0.0, values - np.nanmean(values, axis=0))
    length = np.sqrt(np.einsum("ij,ij->j", z, z))
    unit = z / np.where(length > 0, length, 1)
    found: dict[str, str] = {}
    for first in range(0, unit.shape[1], 500):
        alike = np.abs(unit.T @ unit[:, first : first + 500])
        for j in range(alike.shape[1]):
            k = first + j
            same = [i for i in np.flatnonzero(alike[:k, j] > 1 - SAME) if (gaps[:, i] == gaps[:, k]).all()]
            if same:
                of = str(names[same[0]])
                found[str(names[k])] = found.get(of, of)
    return found
