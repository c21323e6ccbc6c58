"""Means of groups of rows, gaps left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mlscope_nb.features.scaling import Floats


def means_of(values: Floats, group: NDArray[np.intp], n_groups: int) -> Floats:
    """Return the mean of each group (n_groups, P); NaN where none of its rows has a value.

    Parameters
    ----------
    values : array (N, P)
        Gaps are NaN.
    group : int array (N,)
        Number of the group of each row.
    n_groups : int
        How many there are.

    Examples
    --------
    >>> means_of(np.array([[1.0], [3.0], [np.nan]]), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [nan]]
    """
    known = ~np.isnan(values)
    rows = np.arange(len(group))
    member = csr_matrix((np.ones(len(group)), (group, rows)), shape=(n_groups, len(group)))
    sums, sizes = member @ np.where(known, values, 0.0), member @ known.astype(float)
    return np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0)
