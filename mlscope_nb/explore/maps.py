"""Maps: every cell a point, cells with alike numbers near each other."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO = 20_000


def pca(cells_or_table: Cells | pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Map cells on the two directions in which their standardised features vary most.

    Missing values take the median of their column; constant columns are left out.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    seed : int
        Kept in the history; the result does not depend on it up to 1e-6.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id. ``attrs["explained"]`` holds the share of variance of each axis,
        ``attrs["loadings"]`` the weight of each feature, ``attrs["history"]`` what was done.

    Raises
    ------
    ValueError
        Fewer than three cells, or no feature that varies.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)))
    >>> pca(numbers).shape
    (50, 2)
    """
    numbers = table(cells_or_table)
    values, used, n_filled = standardised(numbers)
    scores, loadings, explained = _components(values, 2, seed)
    result = _as_map(
        scores, numbers.index, {"step": "pca", "seed": seed, "n_features": len(used), "n_filled": n_filled}
    )
    result.attrs["explained"] = explained.tolist()
    result.attrs["loadings"] = pd.DataFrame(loadings.T, index=used, columns=["x", "y"])
    return result


def umap(
    cells_or_table: Cells | pd.DataFrame,
    seed: int = 0,
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    n_components: int = 50,
    **options: Any,
) -> pd.DataFrame:
    """Map cells with UMAP on the leading principal components of their standardised features.

    Up to 20,000 cells the neighbours are exact (scikit-learn) and handed to umap-learn, so that the first map does not
    wait for the neighbour search to be compiled; the start is the PCA map.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    seed : int
        Same seed, same map.
    n_neighbors : int
        How many neighbours each cell is joined to; lowered when there are fewer cells.
    min_dist : float
        How tightly points may be packed.
    n_components : int
        Principal components that the neighbours are searched in.
    **options
        Further arguments of ``umap.UMAP``.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id; what was done in ``attrs["history"]``.

    Raises
    ------
    ValueError
        Fewer than five cells, or no feature that varies.

    References
    ----------
    McInnes, Healy, Melville 2018, arXiv 1802.03426 (umap-learn).

    Examples
    --------
    >>> import numpy as np
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)))
    >>> umap(numbers, n_epochs=10).shape
    (60, 2)
    """
    numbers = table(cells_or_table)
    if len(numbers) < 5:
        raise ValueError(f"{len(numbers)} cells are too few for UMAP, expected at least 5. Use pca instead.")
    values, used, n_filled = standardised(numbers)
    scores = _components(values, min(n_components, *values.shape), seed)[0].astype(np.float32)
    k = min(n_neighbors, len(scores) - 1)
    xy = _umap(scores, k, seed, min_dist=min_dist, **options)
    step = {"step": "umap", "seed": seed, "n_neighbors": k, "min_dist": min_dist, "n_features": len(used)}
    return _as_map(xy, numbers.index, {**step, "n_components": scores.shape[1], "n_filled": n_filled, **options})


def standardised(numbers: pd.DataFrame) -> tuple[NDArray[np.float64], list[str], int]:
    """Return columns with mean 0 and deviation 1, the names of those that vary, and how many gaps were filled."""
    if len(numbers) < 3:
        raise ValueError(f"{len(numbers)} cells are too few for a map, expected at least 3.")
    values = numbers.to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    known = ~np.isnan(values).all(axis=0)
    values = values[:, known]
    gaps = np.isnan(values)
    if gaps.any():
        values = np.where(gaps, np.nanmedian(values, axis=0), values)
    centre, spread = values.mean(axis=0), values.std(axis=0)
    varies = spread > 1e-12 * np.maximum(1, np.abs(centre))
    if not varies.any():
        raise ValueError(f"None of {numbers.shape[1]} features varies between these {len(numbers):,} cells.")
    used = [str(c) for c in numbers.columns[known][varies]]
    return (values[:, varies] - centre[varies]) / spread[varies], used, int(gaps.sum())


def _components(values: NDArray[Any], n: int, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    from sklearn.decomposition import PCA

    n = min(n, *values.shape)
    model = PCA(n, random_state=seed, svd_solver="covariance_eigh" if values.shape[1] <= 2000 else "randomized")
    scores = model.fit_transform(values)
    missing = max(0, 2 - n)
    return (
        np.pad(scores, ((0, 0), (0, missing))),
        np.pad(model.components_, ((0, missing), (0, 0))),
        np.pad(model.explained_variance_ratio_, (0, missing)),
    )


def _umap(scores: NDArray[np.float32], k: int, seed: int, **options: Any) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # umap-learn speaks of Tensorflow, which is not used here
        import umap as umap_learn
    if len(scores) <= EXACT_UP_TO:
        options["precomputed_knn"] = (*_exact_neighbours(scores, k), None)
    start = scores[:, :2] / max(float(np.abs(scores[:, :2]).max()), 1e-12) * 10
    jitter = np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)
    model = umap_learn.UMAP(n_neighbors=k, random_state=seed, init=(start + jitter).astype(np.float32), **options)
    with warnings.catch_warnings():
        # umap-learn warns that a seed means one thread and that a given graph cannot place new cells: both are wanted
        warnings.filterwarnings("ignore", module="umap")
        result: NDArray[Any] = model.fit_transform(scores)
    return result


def _exact_neighbours(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(scores)
    distances, indices = search.kneighbors(scores)
    return indices, distances.astype(np.float32)


def _as_map(xy: NDArray[Any], index: pd.Index, step: dict[str, Any]) -> pd.DataFrame:
    result = pd.DataFrame(np.asarray(xy, dtype=np.float64)[:, :2], index=index, columns=["x", "y"])
    result.attrs["history"] = [step]
    return result
