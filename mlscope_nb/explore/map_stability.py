"""Whether a map would come out alike with another seed, or from other wells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._align import text_index
from mlscope_nb._words import count, percent
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.maps import pca
from mlscope_nb.explore.nearest import nearest
from mlscope_nb.explore.tsne_map import pacmap, tsne
from mlscope_nb.explore.umap_map import umap
from mlscope_nb.study._result import Result
from mlscope_nb.study.units import noun, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

MapName = Literal["umap", "tsne", "pca", "pacmap"]
MAKERS: dict[str, Callable[..., pd.DataFrame]] = {"umap": umap, "tsne": tsne, "pca": pca, "pacmap": pacmap}
BY_ROW = "cell"


@dataclass(frozen=True, eq=False, repr=False)
class Stability(Result):
    """How alike maps are that differ in their seed, or in which units they were made of. All figures: 1 is the same.

    Parameters
    ----------
    seeds_overlap, units_overlap : float
        Share of a cell's `k` nearest cells that two maps agree on, over pairs of seeds, and between the map and maps of
        drawn units (among the cells that both hold).
    seeds_procrustes, units_procrustes : float
        1 - Procrustes disparity: the share of the variance of places that agrees once one map is moved, turned,
        mirrored and enlarged to fit the other.
    chance : float
        The overlap of cells scattered at random.
    method, unit : str
        Which map; what was drawn ("cell" where no unit is declared).
    k, n_seeds, n_draws, n_units : int
        Neighbours; maps of each kind; units there are.
    per_cell : DataFrame (N, 2)
        seeds and units: the overlap of each cell, NaN where it was never drawn.
    """

    seeds_overlap: float
    units_overlap: float
    seeds_procrustes: float
    units_procrustes: float
    chance: float
    method: str
    unit: str
    k: int
    n_seeds: int
    n_draws: int
    n_units: int
    per_cell: pd.DataFrame

    def __str__(self) -> str:
        parts = []
        if self.n_seeds > 1:
            parts.append(
                f"With another seed a cell keeps {percent(self.seeds_overlap)} of its {self.k} neighbours on the map, "
                f"and {percent(self.seeds_procrustes)} of the places agree ({count(self.n_seeds, 'seed')})"
            )
        if self.n_draws:
            parts.append(
                f"from other {plural(self.unit)} (drawn again {count(self.n_draws, 'time')}) "
                f"{percent(self.units_overlap)} and {percent(self.units_procrustes)}"
            )
        return f"{'; '.join(parts)}. By chance a cell would keep {100 * self.chance:.2g} %."


def stability(
    cells_or_table: Cells | pd.DataFrame,
    method: MapName = "umap",
    *,
    k: int = 15,
    n_seeds: int = 3,
    n_draws: int = 3,
    seed: int = 0,
    **options: Any,
) -> Stability:
    """Measure how alike maps are over seeds, and over bootstraps of the unit of independence.

    Each bootstrap draws as many units as there are, with replacement, and maps the cells of those that were drawn; a
    unit drawn twice counts once, because copies of a cell would be its nearest neighbours. Such a map is compared
    with the map of all cells. Without a declared unit cells are drawn, which makes maps look more stable than they are
    where wells or plates differ. What a start from PCA fixes is the same in all maps, so overall places agree more than
    neighbourhoods do.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; the unit is that of the cells.
    method : {"umap", "tsne", "pca", "pacmap"}
        Which map.
    k : int
        How many neighbours make a neighbourhood.
    n_seeds : int
        Maps with seeds seed, seed + 1, …; 1 leaves the comparison of seeds out.
    n_draws : int
        Maps of drawn units; 0 leaves them out.
    seed : int
        The first seed; units are drawn with it too.
    **options
        Further arguments of the map.

    Returns
    -------
    Stability
        The figures, and a column for each cell: ``cells.with_obs(stability.per_cell.add_prefix("stable_"))``.

    Raises
    ------
    ValueError
        Nothing to compare, `k` does not fit, or an unknown map.

    Examples
    --------
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)))
    >>> stability(numbers, "pca", k=5, n_draws=2).seeds_overlap
    1.0
    """
    numbers = table(cells_or_table)
    numbers = numbers.set_axis(text_index(numbers.index, "cell_id"), axis=0)
    _check(method, len(numbers), k, n_seeds, n_draws)
    unit, of_cell, n_units = _units(cells_or_table)

    def place(rows: NDArray[np.int64], with_seed: int) -> NDArray[np.float64]:
        return MAKERS[method](numbers.iloc[rows], seed=with_seed, **options)[["x", "y"]].to_numpy()

    every = np.arange(len(numbers))
    progress = tqdm(total=max(1, n_seeds) + n_draws, desc="Maps", delay=2, leave=False)
    maps = []
    for i in range(max(1, n_seeds)):
        maps.append(place(every, seed + i))
        progress.update()
    pairs = [_alike(a, b, k) for a, b in combinations(maps, 2)]
    draws, rows_of = [], []
    rng = np.random.default_rng(seed)
    for _ in range(n_draws):
        rows = np.flatnonzero(np.isin(of_cell, rng.integers(0, n_units, n_units)))
        draws.append(_alike(maps[0][rows], place(rows, seed), min(k, len(rows) - 1)))
        rows_of.append(rows)
        progress.update()
    progress.close()
    per_cell = pd.DataFrame(
        {"seeds": _mean_of([p[0] for p in pairs], [every] * len(pairs), len(every)),
         "units": _mean_of([d[0] for d in draws], rows_of, len(every))},
        index=numbers.index,
    )  # fmt: skip
    step = {"step": "stability", "method": method, "k": k, "n_seeds": n_seeds, "n_draws": n_draws, "seed": seed}
    per_cell.attrs["history"] = [{**step, "unit": unit}]
    (seeds, of_seeds), (units, of_units) = _means(pairs), _means(draws)
    chance = k / (len(numbers) - 1)
    return Stability(seeds, units, of_seeds, of_units, chance, method, unit, k, n_seeds, n_draws, n_units, per_cell)


def _means(compared: list[tuple[NDArray[np.float64], float]]) -> tuple[float, float]:
    """Return the mean overlap of all cells of all comparisons, and the mean agreement of places."""
    if not compared:
        return float("nan"), float("nan")
    return float(np.mean(np.concatenate([o for o, _ in compared]))), float(np.mean([s for _, s in compared]))


def _check(method: str, n: int, k: int, n_seeds: int, n_draws: int) -> None:
    if method not in MAKERS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(MAKERS)}.")
    if n < 3:
        raise ValueError(f"{count(n, 'cell')} are too few for a map, expected at least 3.")
    if not 1 <= k < n:
        raise ValueError(f"k is {k}, expected 1 to {n - 1:,} neighbours among {n:,} cells.")
    if n_seeds < 2 and n_draws < 1:
        raise ValueError("Nothing is compared: expected n_seeds of 2 or more, or n_draws of 1 or more.")


def _units(cells_or_table: Cells | pd.DataFrame) -> tuple[str, NDArray[np.int64], int]:
    """Return the word for what is drawn, its number for each cell, and how many there are."""
    if isinstance(cells_or_table, Cells) and cells_or_table.design.unit:
        codes, names = pd.factorize(cells_or_table.units)
        if len(names) > 1:
            return noun(cells_or_table.design.unit), codes, len(names)
    return BY_ROW, np.arange(len(cells_or_table)), len(cells_or_table)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], float]:
    """Return the share of neighbours that two maps of the same cells agree on, for each cell, and 1 - disparity."""
    from scipy.spatial import procrustes

    return neighbour_overlap(a, b, k), 1 - float(procrustes(a, b)[2])


def neighbour_overlap(a: NDArray[Any], b: NDArray[Any], k: int) -> NDArray[np.float64]:
    """Return for each point the share of its `k` nearest points that are the same in two spaces, (N,)."""
    own = np.arange(len(a))[:, None]
    near = []
    for points in (a, b):
        found = nearest(points, k + 1)[0]
        # The point itself is left out; among many copies of it, it need not stand first.
        itself = found == own
        itself[~itself.any(axis=1), -1] = True
        near.append(found[~itself].reshape(len(found), k))
    return np.asarray((near[0][:, :, None] == near[1][:, None, :]).sum(axis=(1, 2)) / k)


def _mean_of(parts: list[NDArray[np.float64]], rows: list[NDArray[np.int64]], n: int) -> NDArray[np.float64]:
    total, times = np.zeros(n), np.zeros(n)
    for part, where in zip(parts, rows, strict=True):
        total[where] += part
        times[where] += 1
    return np.where(times > 0, total / np.maximum(times, 1), np.nan)
