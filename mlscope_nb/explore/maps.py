"""Maps: every cell a point, cells with alike numbers near each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.preparation import components, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pca(cells_or_table: Cells | pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Map cells with PCA: the two directions in which their standardised features vary most.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; missing values take the median of their column, constant columns are left out.
    seed : int
        Same seed, same map; another one changes it by less than 1e-6.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id; what was done in ``attrs["history"]``, the share of variance of each axis in
        ``attrs["explained"]``, the weight of each feature in ``attrs["loadings"]``.

    Raises
    ------
    ValueError
        Fewer than three cells, or no feature that varies.

    References
    ----------
    Pearson 1901, Philosophical Magazine 2:559; Hotelling 1933, J Educational Psychology 24:417.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)))
    >>> pca(numbers).shape
    (50, 2)
    """
    numbers = table(cells_or_table)
    values, scale = scaled(numbers)
    scores, axes = components(values, 2, seed)
    missing = 2 - scores.shape[1]  # one feature alone has no second direction
    history = {"step": "pca", "seed": seed, "n_features": len(scale.names), "n_filled": scale.n_filled}
    result = as_map(np.pad(scores, ((0, 0), (0, missing))), numbers.index, history)
    result.attrs["explained"] = np.pad(axes.explained, (0, missing)).tolist()
    loadings = np.pad(axes.loadings, ((0, missing), (0, 0)))
    result.attrs["loadings"] = pd.DataFrame(loadings.T, index=scale.names, columns=["x", "y"])
    return result


def as_map(xy: NDArray[Any], index: pd.Index, history: dict[str, Any]) -> pd.DataFrame:
    """Return places as a map: columns x and y by cell id, with one step of history."""
    result = pd.DataFrame(np.asarray(xy, dtype=np.float64)[:, :2], index=index, columns=["x", "y"])
    result.attrs["history"] = [history]
    return result
