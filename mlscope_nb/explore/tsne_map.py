"""t-SNE, and PaCMAP as an extra: other ways to keep neighbours together, to compare UMAP with."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.maps import as_map
from mlscope_nb.explore.preparation import components, scaled
from mlscope_nb.explore.umap_map import start_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO = 500
"""Up to here scikit-learn's exact method takes no longer than Barnes and Hut's approximation."""


def tsne(
    cells_or_table: Cells | pd.DataFrame,
    seed: int | None = 0,
    *,
    perplexity: float = 30.0,
    n_components: int = 50,
    **options: Any,
) -> pd.DataFrame:
    """Map cells with t-SNE on the leading principal components of their standardised features, starting from PCA.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; missing values take the median of their column, constant columns are left out.
    seed : int or None
        Same seed, same map (one thread). None: all cores, and a little different each time.
    perplexity : float
        About how many neighbours each cell looks at; lowered to a third of the cells where they are few.
    n_components : int
        How many leading principal components the neighbours are searched in.
    **options
        Further arguments of ``sklearn.manifold.TSNE``.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id; what was done in ``attrs["history"]``, the loss in ``attrs["loss"]``.

    Raises
    ------
    ValueError
        Fewer than five cells, or no feature that varies.

    References
    ----------
    van der Maaten & Hinton 2008, JMLR 9:2579 (scikit-learn); for the start from PCA: Kobak & Berens 2019, Nature
    Communications 10:5416.

    Examples
    --------
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 5)))
    >>> tsne(numbers, max_iter=250).shape
    (40, 2)
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    numbers = table(cells_or_table)
    scores, made = _ready(numbers, n_components, seed, "t-SNE")
    perplexity = min(perplexity, (len(scores) - 1) / 3)
    # Kobak & Berens: the start is small, and the learning rate ("auto") grows with the number of cells.
    start = start_from(scores, seed, width=1.0)
    start *= np.float32(1e-4 / max(float(start[:, 0].std()), 1e-12))
    method = "exact" if len(scores) <= EXACT_UP_TO else "barnes_hut"
    settings = {"perplexity": perplexity, "method": method, **options}
    model = TSNE(
        n_components=2, random_state=seed, **{"init": start, "n_jobs": None if seed is not None else -1, **settings}
    )
    # Threads add up forces in another order, which over hundreds of steps becomes another map.
    with threadpool_limits(limits=1 if seed is not None else None):
        xy = model.fit_transform(scores)
    plain = {k: v for k, v in settings.items() if not isinstance(v, np.ndarray)}
    result = as_map(xy, numbers.index, {"step": "tsne", "seed": seed, **plain, **made})
    result.attrs["loss"] = float(model.kl_divergence_)
    return result


def pacmap(
    cells_or_table: Cells | pd.DataFrame,
    seed: int | None = 0,
    *,
    n_neighbors: int = 10,
    n_components: int = 50,
    **options: Any,
) -> pd.DataFrame:
    """Map cells with PaCMAP on the leading principal components of their standardised features, starting from PCA.

    PaCMAP is an extra: ``pip install "mlscope_nb[pacmap]"``.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; missing values take the median of their column, constant columns are left out.
    seed : int or None
        Same seed, same map. None: a little different each time.
    n_neighbors : int
        How many neighbours each cell is joined to; lowered where cells are few.
    n_components : int
        How many leading principal components the neighbours are searched in.
    **options
        Further arguments of ``pacmap.PaCMAP``.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id; what was done in ``attrs["history"]``.

    Raises
    ------
    ImportError
        PaCMAP is not installed.
    ValueError
        Fewer than five cells, or no feature that varies.

    References
    ----------
    Wang, Huang, Rudin & Shaposhnik 2021, JMLR 22:201 (the package pacmap, Apache-2.0).
    """
    numbers = table(cells_or_table)
    if importlib.util.find_spec("pacmap") is None:
        raise ImportError('PaCMAP is an extra. Install it: python -m pip install "mlscope_nb[pacmap]"')
    from pacmap import PaCMAP

    scores, made = _ready(numbers, n_components, seed, "PaCMAP")
    settings = {"n_neighbors": min(n_neighbors, len(scores) - 1), **options}
    model = PaCMAP(n_components=2, random_state=seed, **settings)
    xy = model.fit_transform(scores, init="pca")
    return as_map(xy, numbers.index, {"step": "pacmap", "seed": seed, **settings, **made})


def _ready(
    numbers: pd.DataFrame, n_components: int, seed: int | None, name: str
) -> tuple[NDArray[np.float32], dict[str, int]]:
    if len(numbers) < 5:
        raise ValueError(f"{len(numbers)} cells are too few for {name}, expected at least 5. Use pca instead.")
    values, scale = scaled(numbers)
    scores = components(values, n_components, seed or 0)[0].astype(np.float32)
    return scores, {"n_components": scores.shape[1], "n_features": len(scale.names), "n_filled": scale.n_filled}
