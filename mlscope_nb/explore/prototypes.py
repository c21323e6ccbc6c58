"""Prototypes: the cells that are most typical of a group, and those of its members that are least."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._align import step
from mlscope_nb.cells import Cells
from mlscope_nb.explore.memberships import members
from mlscope_nb.explore.neighbours import FeatureSpace, feature_space
from mlscope_nb.study.blocks import ordered

Floats = NDArray[np.float64]
TYPICAL, ATYPICAL = "typical", "atypical"


def prototypes(cells: Cells | pd.DataFrame | FeatureSpace, groups: Any, n: int = 6) -> pd.DataFrame:
    """Return the most typical and the most atypical members of each group.

    Typical is near to the median of the group in decorrelated features, atypical is far from it: a cell of a wrong
    group, a damaged one, or a rare one. Look at both before a group gets a name.

    Parameters
    ----------
    cells : Cells, DataFrame (N, P) or FeatureSpace
        The features, or a space made with ``feature_space(cells, decorrelate=True)``.
    groups : str, Series, clustering, dict or ids
        As in `members`: a column, one value per cell, a clustering, ``{name: ids}``, or ids of one group (then of
        "others" too). Cells without a group take no part.
    n : int
        How many of each kind; a group of fewer than 2 n cells gives fewer, and none twice.

    Returns
    -------
    DataFrame
        By cell id: group, kind ("typical" or "atypical"), rank (1: the most so), distance (in robust
        deviations within groups).

    Raises
    ------
    ValueError
        n is below 1, no cell has a group, or there are no features that vary.
    KeyError
        A column or id is not known.

    Examples
    --------
    >>> numbers = pd.DataFrame({"area": [1.0, 2, 3, 9, 20, 21, 22]}, index=list("abcdxyz"))
    >>> found = prototypes(numbers, {"small": list("abcd"), "large": list("xyz")}, n=1)
    >>> found[["group", "kind"]].to_records().tolist()
    [('y', 'large', 'typical'), ('x', 'large', 'atypical'), ('c', 'small', 'typical'), ('d', 'small', 'atypical')]
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n is {n!r}, expected how many cells of each kind: 1 or more.")
    space = cells if isinstance(cells, FeatureSpace) else feature_space(cells, decorrelate=True)
    frame = pd.DataFrame(index=space.ids) if isinstance(cells, FeatureSpace) else cells
    group = members(frame, groups)
    names = ordered(group)
    codes = pd.Index(names, dtype=object).get_indexer(pd.Index(group, dtype=object))
    away = _within(space.points, codes, len(names))
    distance = np.sqrt(np.einsum("ij,ij->i", away, away))
    parts = [_of_group(space.ids, np.flatnonzero(codes == k), distance, name, int(n)) for k, name in enumerate(names)]
    found = pd.concat(parts)
    found.attrs["history"] = [space.history, step("prototypes", n=int(n), n_groups=len(parts))]
    return found


def _within(points: Floats, codes: NDArray[np.intp], n_groups: int) -> Floats:
    """Return places relative to the median of the group, each direction in robust deviations within groups.

    In deviations of all cells, the direction in which groups differ most would count least.
    """
    away = np.full(points.shape, np.nan)
    for k in range(n_groups):
        rows = codes == k
        away[rows] = points[rows] - np.median(points[rows], axis=0)
    known = codes >= 0
    spread = 1.4826 * np.median(np.abs(away[known]), axis=0)
    scaled: Floats = away / np.where(spread > 0, spread, 1.0)
    return scaled


def _of_group(ids: pd.Index, rows: NDArray[np.intp], distance: Floats, name: Any, n: int) -> pd.DataFrame:
    order = np.argsort(distance[rows], kind="stable")
    most = min(n, (len(rows) + 1) // 2)
    least = min(n, len(rows) - most)
    chosen = np.concatenate([order[:most], order[::-1][:least]])
    kinds = [TYPICAL] * most + [ATYPICAL] * least
    return pd.DataFrame(
        {
            "group": name,
            "kind": kinds,
            "rank": [*range(1, most + 1), *range(1, least + 1)],
            "distance": distance[rows[chosen]],
        },
        index=ids[rows[chosen]],
    )
