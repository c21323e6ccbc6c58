"""Maps of more cells than can be laid out at once: some are drawn at random and mapped, the others are placed on it."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._align import text_index
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.maps import pca
from mlscope_nb.explore.projection import Known, Method
from mlscope_nb.explore.tsne_map import tsne
from mlscope_nb.explore.umap_map import umap

SAMPLE = 20_000
AT_ONCE = 20_000_000
"""Numbers of the others that are placed in one go: 100,000 cells of 200 features."""
MAPS = {"umap": umap, "tsne": tsne, "pca": pca}


def sampled_map(
    cells_or_table: Cells | pd.DataFrame,
    method: Literal["umap", "tsne", "pca"] = "umap",
    *,
    sample: int = SAMPLE,
    place: Method = "neighbours",
    seed: int = 0,
    progress: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """Map a random sample of the cells, and place all others on that map, which does not move.

    Time and memory of the map depend on the sample alone; placing takes a time in proportion to the cells. What only a
    few cells show may be missing from the sample, and then from the map: cells land beside the nearest that were
    drawn. `trust` measures what the map is worth, of all cells.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features.
    method : {"umap", "tsne", "pca"}
        How the sample is mapped.
    sample : int
        How many cells are drawn; with as many cells or fewer the map is that of all.
    place : {"neighbours", "umap", "linear", "auto"}
        How the others are placed, as `method` of `project`. "neighbours", the weighted mean of the nearest cells of
        the sample, takes a fraction of the time of "umap"; a PCA map is always "linear", and exact.
    seed : int
        Which cells are drawn, and the seed of the map.
    progress : bool
        Show a bar when it takes longer than 2 seconds.
    **options
        Of the function that maps the sample.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id in input order; ``attrs["history"]`` says how many were drawn.

    Raises
    ------
    ValueError
        There is no such method or way to place, or the sample is too small.

    Examples
    --------
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 5)))
    >>> placed = sampled_map(numbers, "pca", sample=100)
    >>> placed.shape, placed.attrs["history"][-1]["n_sample"]
    ((300, 2), 100)
    """
    if method not in MAPS:
        raise ValueError(f"method is {method!r}, expected 'umap', 'tsne' or 'pca'.")
    if place not in get_args(Method):
        raise ValueError(f"place is {place!r}, expected one of {', '.join(get_args(Method))}.")
    if sample < 10:
        raise ValueError(f"sample is {sample}, expected at least 10 cells.")
    numbers = table(cells_or_table)
    if len(numbers) <= sample:
        return MAPS[method](numbers, seed=seed, **options)
    drawn = np.zeros(len(numbers), bool)
    drawn[np.random.default_rng(seed).choice(len(numbers), sample, replace=False)] = True
    reference = numbers.loc[drawn].set_axis(text_index(numbers.index[drawn], "cell_id"), axis=0)
    of_sample = MAPS[method](reference, seed=seed, **options)
    how = "linear" if method == "pca" else place
    result = np.empty((len(numbers), 2))
    result[drawn] = of_sample[["x", "y"]]
    others, known = np.flatnonzero(~drawn), Known.of(reference, of_sample, how)
    pieces = np.array_split(others, -(-others.size * numbers.shape[1] // AT_ONCE))
    for rows in tqdm(pieces, desc="Placing cells", delay=2, leave=False, disable=not progress):
        result[rows] = known.place(numbers.iloc[rows], seed)[["x", "y"]]
    placed = pd.DataFrame(result, index=numbers.index, columns=["x", "y"])
    steps = of_sample.attrs.get("history", [])
    placed.attrs["history"] = [*steps, {"step": "sampled_map", "n_sample": sample, "place": how, "seed": seed}]
    return placed
