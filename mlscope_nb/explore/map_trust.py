"""How far a map can be trusted: which neighbours it keeps, which it makes up, and what its distances are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._align import aligned, numeric, text_index
from mlscope_nb._words import count
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.preparation import scaled
from mlscope_nb.explore.ranks import kept_neighbours, worst
from mlscope_nb.study._result import Result, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPARISONS = 300_000_000
"""Pairs of cells whose neighbourhoods are compared: all of up to 17,000 cells, 3,000 of 100,000."""
FEWEST, PAIRED, GROUPS = 1_000, 2_000, 20

Scaling = Literal["auto", "standardize", "none"]


@dataclass(frozen=True, eq=False, repr=False)
class Trust(Result):
    """How far a map can be trusted. All figures are 1 for a perfect map.

    Parameters
    ----------
    trustworthiness : float
        1: cells that are neighbours on the map are neighbours in the features (no false neighbours).
    continuity : float
        1: neighbours in the features are neighbours on the map (none torn apart).
    knn_recall : float
        Share of the `k` nearest cells in the features that are among the `k` nearest on the map.
    distance_correlation : float
        Spearman's rank correlation of all distances: whether far on the map means far in the features.
    errors : dict
        Standard error of each figure; 0 where all cells were compared.
    k, n_cells, n_compared, n_paired : int
        Neighbours; cells; cells whose neighbourhoods were compared with all cells; cells between which distances were.
    chance : float
        The kNN recall of cells scattered at random.
    per_cell : DataFrame (N, 4)
        trustworthiness, continuity, knn_recall, distortion (1 - the mean of the first two): NaN for cells not compared.
    """

    trustworthiness: float
    continuity: float
    knn_recall: float
    distance_correlation: float
    errors: dict[str, float]
    k: int
    n_cells: int
    n_compared: int
    n_paired: int
    chance: float
    per_cell: pd.DataFrame

    def __str__(self) -> str:
        some = "" if self.n_compared == self.n_cells else f", measured on {self.n_compared:,} drawn at random"
        return (
            f"{count(self.n_cells, 'cell')}{some}. Of the {self.k} nearest neighbours of a cell the map keeps "
            f"{100 * self.knn_recall:.3g} %{self._error('knn_recall', 100, ' %')}, "
            f"by chance {100 * self.chance:.2g} %. "
            f"Trustworthiness {self.trustworthiness:.3f}{self._error('trustworthiness')}, "
            f"continuity {self.continuity:.3f}{self._error('continuity')}. "
            f"Rank correlation of distances {self.distance_correlation:.2f}{self._error('distance_correlation')}."
        )

    def _error(self, name: str, factor: float = 1, unit: str = "") -> str:
        error = self.errors[name] * factor
        return f" ± {number(error)}{unit}" if error > 0 else ""


def trust(
    cells_or_table: Cells | pd.DataFrame,
    embedding: str | pd.DataFrame,
    k: int = 15,
    *,
    scale: Scaling = "auto",
    sample: int | None = None,
    seed: int = 0,
) -> Trust:
    """Measure how far a map can be trusted.

    Up to 17,000 cells all neighbourhoods are compared. Of more cells some are drawn at random, and each is compared
    with all cells, exactly. The correlation of distances is that between all pairs of up to 2,000 cells drawn at
    random. Standard errors say what the drawing costs.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    embedding : str or DataFrame (N, D)
        The map (all of its columns), or the name of a map of the cells.
    k : int
        How many neighbours make a neighbourhood; below half the number of cells.
    scale : {"auto", "standardize", "none"}
        "standardize": the features as maps see them: gaps filled with medians, mean 0 and deviation 1, constant columns
        left out. "none": as they are (gaps filled), for a map that was made so. "auto": the features of Cells are
        standardised, the numbers of a table are taken as they are. Say "standardize" for a table of features whose map
        was made with `umap`, `tsne` or `pca`, which standardise them.
    sample : int, optional
        How many cells are compared with all others; by default as many as make 300 million comparisons (at least
        1,000).
    seed : int
        Which cells are drawn.

    Returns
    -------
    Trust
        The figures, and what they are for each cell: ``cells.with_obs(trust.per_cell)`` to colour a map by them.

    Raises
    ------
    ValueError
        `k` does not fit the number of cells, the map holds missing values or other cells, or no feature varies.
    KeyError
        There is no such map.

    References
    ----------
    Venna & Kaski 2001, ICANN, for trustworthiness and continuity: equal to ``sklearn.manifold.trustworthiness`` of the
    features scaled as above (where no two distances of a cell are equal), and to that of the map and the features
    changed round. Lee & Verleysen 2009, Neurocomputing 72:1431, for the share of neighbours kept.

    Examples
    --------
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["x", "y"])
    >>> trust(numbers, numbers, k=5).trustworthiness
    1.0
    """
    numbers, places = _both(cells_or_table, embedding)
    n = len(numbers)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k < n / 2:
        raise ValueError(f"k is {k!r}, expected a whole number from 1 to below half of the {n:,} cells.")
    used = scaling(cells_or_table, scale)
    values, xy = features_as_maps(numbers, used), places.to_numpy()
    rng = np.random.default_rng(seed)
    rows = _drawn(n, max(FEWEST, COMPARISONS // n) if sample is None else _checked(sample), rng)
    kept = kept_neighbours(values, xy, rows, int(k))
    measured = pd.DataFrame(
        {
            "trustworthiness": 1 - kept.false / worst(n, k),
            "continuity": 1 - kept.missing / worst(n, k),
            "knn_recall": kept.recall,
        },
        index=numbers.index[rows],
    )
    measured["distortion"] = 1 - (measured["trustworthiness"] + measured["continuity"]) / 2
    paired = np.sort(rng.permutation(rows)[:PAIRED])
    correlation, its_error = distance_correlation(values[paired], xy[paired], n)
    left = np.sqrt((1 - len(rows) / n) / len(rows))
    errors = {name: float(measured[name].std(ddof=1) * left) for name in measured.columns[:3]}
    per_cell = measured.reindex(numbers.index)
    per_cell.attrs["history"] = [{"step": "trust", "k": int(k), "scale": used, "seed": seed, "n_compared": len(rows)}]
    return Trust(
        float(measured["trustworthiness"].mean()),
        float(measured["continuity"].mean()),
        float(measured["knn_recall"].mean()),
        correlation,
        {**errors, "distance_correlation": its_error},
        int(k),
        n,
        len(rows),
        len(paired),
        k / (n - 1),
        per_cell,
    )


def distance_correlation(values: NDArray[Any], xy: NDArray[Any], n_of: int) -> tuple[float, float]:
    """Return Spearman's correlation of the distances between cells, and its standard error as a sample of `n_of` cells.

    The error is the jackknife that leaves out a twentieth of the cells at a time: pairs that share a cell go together.
    """
    from scipy.spatial.distance import pdist, squareform
    from scipy.stats import rankdata

    n = len(values)
    ranks = [squareform(rankdata(pdist(points))) for points in (values, xy)]
    upper = np.triu(np.ones((n, n), bool), 1)

    def between(cells: NDArray[np.bool_]) -> float:
        chosen = upper & cells[:, None] & cells
        a, b = (r[chosen] for r in ranks)
        if a.std() == 0 or b.std() == 0:
            return float("nan")
        return float(np.corrcoef(a, b)[0, 1])

    whole = between(np.ones(n, bool))
    if n >= n_of or n < 3 * GROUPS:
        return whole, 0.0 if n >= n_of else float("nan")
    group = np.arange(n) % GROUPS
    without = np.array([between(group != g) for g in range(GROUPS)])
    error = np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum() * (1 - n / n_of))
    return whole, float(error)


def scaling(cells_or_table: Cells | pd.DataFrame, scale: Scaling) -> Literal["standardize", "none"]:
    """Return how features are scaled: those of cells as maps do, the numbers of a table not at all."""
    if scale not in ("auto", "standardize", "none"):
        raise ValueError(f"scale is {scale!r}, expected 'auto', 'standardize' or 'none'.")
    if scale == "auto":
        return "standardize" if isinstance(cells_or_table, Cells) else "none"
    return scale


def features_as_maps(numbers: pd.DataFrame, scale: Literal["standardize", "none"]) -> NDArray[np.float64]:
    """Return the features as maps see them, or only with their gaps filled."""
    values, made = scaled(numbers)
    return values if scale == "standardize" else made.filled(numbers)


def _both(cells_or_table: Cells | pd.DataFrame, embedding: str | pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return features and map of the same cells in the same order."""
    numbers = table(cells_or_table)
    if isinstance(embedding, str):
        embedding = named_map(cells_or_table, embedding)
    numbers = numbers.set_axis(text_index(numbers.index, "cell_id"), axis=0)
    places = numeric(aligned(embedding, numbers.index, "the map"), "the map")
    lost = int((~np.isfinite(places.to_numpy())).any(axis=1).sum())
    if lost:
        raise ValueError(f"{count(lost, 'cell')} without a place on the map. Leave these cells out, or map them too.")
    return numbers, places


def named_map(cells_or_table: Cells | pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a map of the cells by its name."""
    if not isinstance(cells_or_table, Cells):
        raise TypeError(f"The map is a name ('{name}') but there are no cells that have it. Give the map itself.")
    maps = cells_or_table.embeddings
    if name not in maps:
        kind = name if name in ("pca", "tsne") else "umap"
        raise KeyError(
            f"No map '{name}'. Maps: {', '.join(maps) or 'none'}. "
            f"Make one: cells.with_embedding('{name}', ms.explore.{kind}(cells))."
        )
    return maps[name]


def _drawn(n: int, m: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(n) if m >= n else np.sort(rng.choice(n, m, replace=False))


def _checked(sample: int) -> int:
    if isinstance(sample, bool) or not isinstance(sample, int | np.integer) or sample < 2:
        raise ValueError(f"sample is {sample!r}, expected 2 cells or more.")
    return int(sample)
