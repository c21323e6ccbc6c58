"""Clusters: groups of cells in feature space, their number held against a null of one group."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from mlscope_nb._align import step
from mlscope_nb.cells import Cells
from mlscope_nb.explore.clustering import Clustering
from mlscope_nb.explore.grouping import GroupSpace, Of, group_space
from mlscope_nb.explore.partitions import NOISE, Codes, Method, centres_of, partition, stability_of
from mlscope_nb.explore.recognition import recognition
from mlscope_nb.explore.spread import spread
from mlscope_nb.explore.structures import Structure, of_space

OWN_NUMBER = ("hdbscan", "leiden")
"""Methods that decide themselves how many groups there are."""
MAP_WARNING = (
    "These are clusters of a map, not of the cells: a map tears apart what is continuous and packs what it tore. Use "
    "them to describe the picture, and cluster(cells) for groups of cells."
)


def cluster(
    cells_or_table: Cells | pd.DataFrame,
    method: Method = "kmeans",
    *,
    n_clusters: int | Literal["auto"] = "auto",
    of: Of = "auto",
    on: str = "features",
    n_null: int = 99,
    alpha: float = 0.05,
    n_bootstrap: int = 20,
    seed: int = 0,
) -> Clustering:
    """Group cells in feature space; where one group explains the data, all cells get the one label 0.

    First `structure` asks whether there is more than one group at all; its gap gives the number. With 16 declared
    units or more, the groups are sought where units differ more than their cells explain, batches put on a common
    middle: with treatments on wells, that is where phenotypes are. Every cell is then given to a group by its own
    features, so that the cells of one well that do not respond end up with the controls.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features. Measured ones as they come or normalised; groups show only where features see them.
    method : {"kmeans", "gmm", "hdbscan", "leiden"}
        k-means; a mixture of normal distributions of one shape; HDBSCAN, which leaves cells between groups out (-1)
        and finds only groups with emptier space between them; Leiden on the graph of 15 neighbours (an extra). The last
        two decide on the number of groups themselves, once there is more than one.
    n_clusters : int or "auto"
        How many groups. A number is obeyed without asking the null.
    of : {"auto", "units", "cells"}
        Groups that units belong to, or groups of cells within every unit (types, phases); see `structure`.
    on : str
        "features", or a map by its name (or "map" for a table that is one); a warning says what that means.
    n_null, alpha : int, float
        Nulls, and the error accepted, of the question whether there is more than one group.
    n_bootstrap : int
        Draws of units for the stability; 0 leaves it out.
    seed : int
        Same seed, same clusters.

    Returns
    -------
    Clustering
        ``.labels`` (by cell id, 0 is the largest group, -1 none), ``.stability`` (bootstrap adjusted Rand index),
        ``.clusters`` (size, stability, and how each splits over units and batches), ``.assign(new_cells)``.

    Raises
    ------
    ValueError
        Not a method or number that is possible, a map without being asked for, or too few cells.
    ImportError
        Leiden is asked for and not installed.

    References
    ----------
    MacQueen (1967); McLachlan & Peel (2000); Campello et al. (2013); Traag et al. (2019). Leiden and HDBSCAN as their
    packages have them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> numbers = pd.DataFrame(rng.normal(size=(90, 3)) + 7 * np.eye(3)[np.arange(90) % 3])
    >>> found = cluster(numbers)
    >>> found.n_clusters, found.stability > 0.9
    (3, True)
    >>> cluster(numbers - 7 * np.eye(3)[np.arange(90) % 3]).n_clusters
    1
    """
    _check(method, n_clusters, n_bootstrap)
    space = group_space(_chosen(cells_or_table, on), of=of, seed=seed)
    found = of_space(space, n_null=n_null, alpha=alpha, seed=seed) if n_clusters == "auto" else None
    if found is not None and found.more_than_one and found.flat:
        space = space.flattened()
    codes = _codes(space, method, n_clusters, found, seed)
    n = int(codes.max()) + 1
    stability = None
    if n > 1 and n_bootstrap:
        again = method if method not in OWN_NUMBER else None
        stability = stability_of(space, codes, list(range(n)), method=again, n_draws=n_bootstrap, seed=seed)
    units = np.arange(len(codes)) if space.units is None else pd.factorize(space.units)[0]
    labels = pd.Series(codes, index=space.ids, name="cluster")
    labels.attrs["history"] = [step("cluster", method=method, n_clusters=n, of=space.of, on=on, seed=seed)]
    table = spread(cells_or_table, labels, None if stability is None else stability.per_group["stability"])
    for note in table["note"]:
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
    return Clustering(
        labels=labels,
        stability=math.nan if stability is None else stability.estimate,
        clusters=table,
        structure=found,
        method=method,
        of=space.of,
        on=on,
        stability_details=stability,
        space=space,
        centres=centres_of(space.points, codes),
        recognition=recognition(space.wide, codes, units),
    )


def _check(method: str, n_clusters: Any, n_bootstrap: int) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}, expected one of {', '.join(get_args(Method))}.")
    whole = isinstance(n_clusters, int | np.integer) and not isinstance(n_clusters, bool) and n_clusters >= 1
    if n_clusters != "auto" and not whole:
        raise ValueError(f"n_clusters is {n_clusters!r}, expected 'auto' or how many groups: 1 or more.")
    if n_clusters != "auto" and method in OWN_NUMBER:
        raise ValueError(f"method '{method}' decides on the number of groups itself. Leave n_clusters out.")
    if n_bootstrap < 0 or n_bootstrap == 1:
        raise ValueError(f"n_bootstrap is {n_bootstrap}, expected 2 draws or more, or 0 for none.")


def _chosen(x: Cells | pd.DataFrame, on: str) -> Cells | pd.DataFrame:
    """Return what is clustered: the features, or a map and then with a warning."""
    if on == "features":
        if isinstance(x, pd.DataFrame) and list(map(str, x.columns)) == ["x", "y"]:
            raise ValueError(
                "This table is a map (columns x and y): its groups are of the picture, not of the cells. Give the "
                "features; or say on='map' if groups of the picture are wanted."
            )
        return x
    warnings.warn(MAP_WARNING, UserWarning, stacklevel=3)
    if isinstance(x, Cells):
        if on not in x.embeddings:
            raise ValueError(f"on is {on!r}, expected 'features' or a map of these cells: {', '.join(x.embeddings)}.")
        return x.with_features(x.table(on))
    return x


def _codes(
    space: GroupSpace, method: Method, n_clusters: int | Literal["auto"], found: Structure | None, seed: int
) -> Codes:
    n = found.n_groups if found is not None else n_clusters
    if n == 1:
        return np.zeros(len(space.points), np.int64)
    if isinstance(n, int | np.integer) and n > len(space.points) // 2:
        raise ValueError(f"{n} groups of {len(space.points)} cells: expected 2 cells in each group at least.")
    codes = partition(space.points, method, None if method in OWN_NUMBER else int(n), seed)
    if (codes == NOISE).all():
        warnings.warn(
            f"'{method}' found no group with emptier space around it, though the null says there is more than one: "
            "groups overlap. Try method='kmeans' or 'gmm'.",
            UserWarning,
            stacklevel=3,
        )
        return np.zeros(len(space.points), np.int64)
    return codes
