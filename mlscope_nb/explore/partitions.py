"""Partitions: cutting points into groups by a named method, and how well a partition survives drawing units again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._align import aligned
from mlscope_nb.cells import Cells
from mlscope_nb.explore.grouping import GroupSpace, Of, group_space
from mlscope_nb.study._result import Result, number

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Method = Literal["kmeans", "gmm", "hdbscan", "leiden"]
METHODS = ("kmeans", "gmm", "hdbscan", "leiden")
NOISE = -1
SMALLEST_SHARE = 0.02
"""A group of HDBSCAN holds this share of the cells at least."""
LEIDEN_NEIGHBOURS = 15
STARTS_AGAIN = 3
"""Starts of k-means in each bootstrap draw."""


def partition(points: Floats, method: Method, n_groups: int | None, seed: int, n_starts: int = 10) -> Codes:
    """Return the group of each point as a number from 0, the largest group first; -1 belongs to none.

    Raises
    ------
    ValueError
        No such method.
    ImportError
        Leiden is asked for and not installed.
    """
    if method == "kmeans":
        from sklearn.cluster import KMeans

        codes = KMeans(n_groups, n_init=n_starts, random_state=seed).fit_predict(points)
    elif method == "gmm":
        from sklearn.mixture import GaussianMixture

        model = GaussianMixture(n_groups, covariance_type="tied", n_init=min(n_starts, 3), random_state=seed)
        codes = model.fit_predict(points)
    elif method == "hdbscan":
        from sklearn.cluster import HDBSCAN

        smallest = max(10, math.ceil(SMALLEST_SHARE * len(points)))
        codes = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(points)
    elif method == "leiden":
        codes = _leiden(points, seed)
    else:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(METHODS)}.")
    return _by_size(np.asarray(codes, dtype=np.int64))


def _leiden(points: Floats, seed: int) -> Codes:
    try:
        igraph, leidenalg = import_module("igraph"), import_module("leidenalg")
    except ImportError as error:
        raise ImportError(
            "Leiden is an extra (leidenalg is under the GPL, so it is not installed with mlscope). Install it with:\n"
            "    python -m pip install leidenalg igraph"
        ) from error
    from sklearn.neighbors import kneighbors_graph

    near = kneighbors_graph(points, min(LEIDEN_NEIGHBOURS, len(points) - 1)).tocoo()
    graph = igraph.Graph(n=len(points), edges=list(zip(near.row.tolist(), near.col.tolist(), strict=True))).simplify()
    found = leidenalg.find_partition(graph, leidenalg.ModularityVertexPartition, seed=seed)
    return np.asarray(found.membership, dtype=np.int64)


def _by_size(codes: Codes) -> Codes:
    """Return groups numbered by their size, the largest first; -1 stays."""
    names, n = np.unique(codes[codes >= 0], return_counts=True)
    new = np.full(max(int(codes.max()), 0) + 2, NOISE)
    new[names[np.argsort(-n, kind="stable")]] = np.arange(len(names))
    return np.where(codes >= 0, new[codes], NOISE)


def centres_of(points: Floats, codes: Codes) -> Floats:
    """Return the mean of each group."""
    return np.array([points[codes == k].mean(axis=0) for k in range(int(codes.max()) + 1)])


def nearest(points: Floats, centres: Floats) -> Codes:
    """Return the number of the nearest centre."""
    from scipy.spatial.distance import cdist

    found: Codes = cdist(points, centres).argmin(axis=1)
    return found


class Draw(NamedTuple):
    """What one bootstrap draw of units says: agreement as a whole, and of each group (Jaccard)."""

    agreement: float
    groups: Floats


def redraw(points: Floats, units: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Return the rows of as many units as there are, drawn with replacement, with all their cells."""
    order = np.argsort(units, kind="stable")
    first = np.searchsorted(units[order], np.arange(units.max() + 2))
    drawn = np.random.default_rng(seed).integers(0, units.max() + 1, units.max() + 1)
    return np.concatenate([order[first[u] : first[u + 1]] for u in drawn])


def agreement(codes: Codes, again: Codes) -> Draw:
    """Return the adjusted Rand index of two partitions, and for each group its best overlap (Hennig 2007)."""
    from sklearn.metrics import adjusted_rand_score

    table = pd.crosstab(codes[codes >= 0], again[codes >= 0]).to_numpy()
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table
    return Draw(float(adjusted_rand_score(codes, again)), (table / np.maximum(union, 1)).max(axis=1))


@dataclass(frozen=True)
class PartitionStability(Result):
    """How well a partition survives drawing units again.

    Parameters
    ----------
    estimate : float
        Mean adjusted Rand index between the partition and what centres from redrawn units make of all cells.
    low, high : float
        The middle 90 % of the draws.
    per_group : DataFrame
        For each group: stability (mean best Jaccard overlap) and n.
    n_draws : int
        Bootstrap draws.
    resampled : str
        What was drawn: "units", or "cells" where there are not two units.
    """

    estimate: float
    low: float
    high: float
    per_group: pd.DataFrame
    n_draws: int
    resampled: str

    def __str__(self) -> str:
        ends = f"{number(self.low, self.high - self.low)} to {number(self.high, self.high - self.low)}"
        return (
            f"Adjusted Rand index {self.estimate:.2f} over {self.n_draws} draws of {self.resampled} "
            f"(middle 90 %: {ends}; 1 is the same groups again, 0 is chance)."
        )


def partition_stability(
    cells_or_table: Cells | pd.DataFrame,
    labels: pd.Series,
    *,
    of: Of = "auto",
    n_draws: int = 20,
    seed: int = 0,
) -> PartitionStability:
    """Measure how well given groups are found again when units are drawn again: planted, named or random ones.

    Units are drawn with replacement, the centres of the groups are computed from their cells, all cells go to the
    nearest centre, and that is compared with the groups given. Groups without a place of their own come out near 0.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    labels : Series (N,)
        The group of each cell, by id; missing values belong to none.
    of : {"auto", "units", "cells"}
        The space, as in `group_space`.
    n_draws : int
        Bootstrap draws.
    seed : int
        Seed of the draws.

    Raises
    ------
    ValueError
        Fewer than two groups, or fewer than two draws.

    References
    ----------
    Hennig (2007) Computational Statistics & Data Analysis 52:258.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> group = pd.Series(np.arange(90) % 3)
    >>> numbers = pd.DataFrame(rng.normal(size=(90, 3)) + 6 * np.eye(3)[group])
    >>> partition_stability(numbers, group).estimate > 0.9
    True
    """
    space = group_space(cells_or_table, of=of, seed=seed)
    given = aligned(labels.rename("group"), space.ids, "the labels")["group"]
    codes, names = pd.factorize(given, sort=True)
    return stability_of(space, codes.astype(np.int64), list(names), n_draws=n_draws, seed=seed)


def stability_of(
    space: GroupSpace, codes: Codes, names: list[Any], *, method: Method | None = None, n_draws: int, seed: int
) -> PartitionStability:
    """Return the stability of groups in a space; with a method, groups are cut anew in each draw."""
    if len(names) < 2 or n_draws < 2:
        raise ValueError(f"{len(names)} groups and {n_draws} draws: stability needs 2 groups and 2 draws at least.")
    # One unit drawn again is the same cells again: then its cells are drawn.
    several = space.units if space.units is not None and space.units.nunique() > 1 else None
    units = np.arange(len(codes)) if several is None else pd.factorize(several)[0]
    draws = []
    for s in np.random.SeedSequence(seed).generate_state(n_draws):
        rows = redraw(space.points, units, int(s))
        cut = (
            codes[rows]
            if method is None
            else partition(space.points[rows], method, len(names), seed, n_starts=STARTS_AGAIN)
        )
        present = np.unique(cut[cut >= 0])
        if not len(present):
            again = np.zeros(len(codes), np.int64)
        else:
            centres = np.array([space.points[rows][cut == k].mean(axis=0) for k in present])
            again = nearest(space.points, centres)
        draws.append(agreement(codes, again))
    found = np.array([d.agreement for d in draws])
    per_group = pd.DataFrame(
        {"stability": np.mean([d.groups for d in draws], axis=0), "n": np.bincount(codes[codes >= 0])},
        index=pd.Index(names, name="group"),
    )
    low, high = np.quantile(found, [0.05, 0.95])
    resampled = "cells" if several is None else "units"
    return PartitionStability(float(found.mean()), float(low), float(high), per_group, n_draws, resampled)
