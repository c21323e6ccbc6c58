"""Copies: rows that are another row of the same unit once more, and so tell nothing new."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def worth(table: pd.DataFrame, unit: NDArray[Any] | pd.Series) -> NDArray[np.float64]:
    """Return what each row counts: 1 for a row that stands once in its unit, 1/n for each of n equal rows.

    What counts cells to decide whether there are enough of them sums this instead, so that a table in which every cell
    stands twice gives the same answer.

    Parameters
    ----------
    table : DataFrame (N, P)
        The features; two gaps are equal.
    unit : array (N,)
        The unit of each row.

    Examples
    --------
    >>> worth(pd.DataFrame({"area": [1.0, 2, 2, 2]}), np.array(["A", "A", "A", "B"])).tolist()
    [1.0, 0.5, 0.5, 1.0]
    """
    row = _codes(table, unit)
    counts: NDArray[np.float64] = 1.0 / np.bincount(row)[row]
    return counts


def first_of_each(table: pd.DataFrame, unit: NDArray[Any] | pd.Series) -> NDArray[np.bool_]:
    """Return True for each row that is no copy of one above it in its unit.

    Examples
    --------
    >>> first_of_each(pd.DataFrame({"area": [1.0, 2, 2, 2]}), np.array(["A", "A", "A", "B"])).tolist()
    [True, True, False, True]
    """
    first = np.zeros(len(table), bool)
    first[np.unique(_codes(table, unit), return_index=True)[1]] = True
    return first


def _codes(table: pd.DataFrame, unit: NDArray[Any] | pd.Series) -> NDArray[np.intp]:
    if not table.shape[1]:
        return np.arange(len(table))  # nothing is known by which rows could be equal
    # 64 bits of hash: among a million rows two different ones meet with a chance of 3 in 100 million.
    hashed = pd.util.hash_pandas_object(table.reset_index(drop=True), index=False).to_numpy()
    of_unit = pd.factorize(np.asarray(unit))[0]
    found: NDArray[np.intp] = np.unique(
        np.column_stack([hashed, of_unit.astype(np.uint64)]), axis=0, return_inverse=True
    )[1]
    return found.reshape(-1)
