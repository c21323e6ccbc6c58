"""What a map may be read for, in a paragraph with its numbers: beside the map of a cloud that has no groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.map_stability import MAKERS, MapName, Stability, stability
from mlscope_nb.explore.map_trust import Trust, named_map, trust
from mlscope_nb.explore.nulls import copula_null
from mlscope_nb.explore.preparation import scaled
from mlscope_nb.study._result import Result

READABLE = 0.8
"""A rank correlation of distances whose square is about two thirds: most of the order of distances is kept."""


def null_map(
    cells_or_table: Cells | pd.DataFrame, method: MapName = "umap", seed: int = 0, **options: Any
) -> pd.DataFrame:
    """Map cells of one group that have the marginals and the covariance of these: what the method makes of nothing.

    Show it beside the real map. Islands that it has too are no evidence of groups.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    method : {"umap", "tsne", "pca", "pacmap"}
        Which map.
    seed : int
        Of the null and of the map.
    **options
        Further arguments of the map; give those of the real one.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by ids "null 1", "null 2", …: these cells do not exist. The same seed draws the same
        cells.

    Raises
    ------
    ValueError
        An unknown map, too few cells, or no feature that varies.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)))
    >>> null_map(numbers, "pca").index[0]
    'null 1'
    """
    if method not in MAKERS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(MAKERS)}.")
    return _mapped(null_cells(cells_or_table, seed), method, seed, options)


def null_cells(cells_or_table: Cells | pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return the features of cells of one group, with the marginals (made unimodal) and the covariance of these.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    seed : int
        Same seed, same cells.

    Returns
    -------
    DataFrame (N, P)
        Standardised features, those that vary, by ids "null 1", "null 2", ….
    """
    values, scale = scaled(table(cells_or_table))
    drawn = copula_null(values, seed)
    index = pd.Index([f"null {i + 1}" for i in range(len(drawn))], name="cell_id")
    return pd.DataFrame(drawn, index=index, columns=scale.names)


def _mapped(null: pd.DataFrame, method: str, seed: int, options: dict[str, Any]) -> pd.DataFrame:
    found = MAKERS[method](null, seed=seed, **options)
    found.attrs["history"] = [{"step": "copula_null", "seed": seed}, *found.attrs["history"]]
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Result):
    """What a map may be read for.

    Parameters
    ----------
    text : str
        One paragraph in plain words, with its numbers.
    trust, null_trust : Trust
        Of the map; of the map of a cloud without groups.
    stability : Stability
        Over seeds and units.
    null : DataFrame (N, 2)
        That cloud's map, to show beside the real one.
    """

    text: str
    trust: Trust
    null_trust: Trust
    stability: Stability
    null: pd.DataFrame

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Return text and figures as plain values; the null map is left out, the same seed makes it again."""
        parts = {"trust": self.trust, "null_trust": self.null_trust, "stability": self.stability}
        figures = {name: {k: v for k, v in part.to_dict().items() if k != "per_cell"} for name, part in parts.items()}
        return {"text": self.text, **figures}


def verdict(
    cells_or_table: Cells | pd.DataFrame,
    embedding: str | pd.DataFrame | None = None,
    *,
    method: MapName = "umap",
    k: int = 15,
    n_seeds: int = 3,
    n_draws: int = 3,
    seed: int = 0,
    **options: Any,
) -> Verdict:
    """Say in one paragraph what a map may be read for: trust, stability, and the map of a cloud without groups.

    It makes 1 + `n_seeds` + `n_draws` maps, so it takes that many times as long as one.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    embedding : str or DataFrame (N, 2), optional
        The map, or its name; by default it is made.
    method : {"umap", "tsne", "pca", "pacmap"}
        How the map was made.
    k : int
        How many neighbours make a neighbourhood.
    n_seeds, n_draws : int
        As in `stability`.
    seed : int
        Of the null, the maps, and what is drawn.
    **options
        Further arguments of the map.

    Returns
    -------
    Verdict
        The text, what stands behind it, and the null map.

    Raises
    ------
    ValueError, KeyError
        As `trust` and `stability` do.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)))
    >>> print(verdict(numbers, method="pca", k=5, n_draws=1).text[:36])
    Neighbourhoods (PCA, 60 cells): of a
    """
    if method not in MAKERS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(MAKERS)}.")
    if embedding is None:
        embedding = MAKERS[method](table(cells_or_table), seed=seed, **options)
    elif isinstance(embedding, str):
        embedding = named_map(cells_or_table, embedding)
    cloud = null_cells(cells_or_table, seed)
    null = _mapped(cloud, method, seed, options)
    # Maps standardise what they are made of, tables too.
    real = trust(cells_or_table, embedding, k, scale="standardize", seed=seed)
    of_null = trust(cloud, null, k, scale="standardize", seed=seed)
    steady = stability(cells_or_table, method, k=k, n_seeds=n_seeds, n_draws=n_draws, seed=seed, **options)
    return Verdict(_words(real, of_null, steady), real, of_null, steady, null)


def _words(real: Trust, null: Trust, steady: Stability) -> str:
    name = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA", "pacmap": "PaCMAP"}[steady.method]
    return " ".join(
        [
            f"Neighbourhoods ({name}, {real.n_cells:,} cells): of a cell's {real.k} nearest cells in the features, "
            f"{percent(real.knn_recall)} are among its {real.k} nearest on the map, where chance gives "
            f"{percent(real.chance, 1)}. Trustworthiness is {real.trustworthiness:.3f}; a shapeless cloud with the "
            f"same columns scores {null.trustworthiness:.3f} ({percent(null.knn_recall)} of neighbours).",
            _against_null(real, null),
            f"Stability: {steady}",
            _distances(real),
        ]
    )


def _against_null(real: Trust, null: Trust) -> str:
    """Say whether the figures set the map apart from that of a cloud, beyond what drawing cells can explain."""
    apart = real.trustworthiness - null.trustworthiness
    doubt = 2 * (real.errors["trustworthiness"] ** 2 + null.errors["trustworthiness"] ** 2) ** 0.5
    if apart > max(doubt, 0.01):
        return "The real cells fit on a plane better than the cloud does, so part of what is seen is in the data."
    return (
        "The cloud fits on a plane as well as the real cells do: islands and gaps on this map are no evidence of "
        "groups. Ask structure(cells)."
    )


def _distances(real: Trust) -> str:
    figure = (
        f"Distances between far groups: rank correlation with those in the features {real.distance_correlation:.2f}"
    )
    if real.distance_correlation >= READABLE:
        return f"{figure}: their order can be read, their size cannot."
    return f"{figure}: do not read them, nor the size of islands and the gaps between them."
