"""UMAP over-reading: a map that looks at few neighbours shows islands in a cloud without groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.explore.maps import pca
from mlscope_nb.explore.umap_map import umap
from mlscope_nb.explore.verdicts import null_cells
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import CONTROL, draw, layout

STUDIES = 4
CELLS = 200
EPOCHS = 150
MOST = 48
"""Neighbours that the map looks at, at dose 1; half of them at dose 2, and so on."""
GAP = 4.0
"""Islands are parted by gaps so many times as wide as the usual way from a cell to the next one."""
FEWEST = 5
"""Fewer cells than that are strays, not an island."""


def umap_over_reading(dose: float, seed: int) -> Found:
    """Map cells of one single group, looking at fewer and fewer neighbours."""
    neighbours = max(2, round(MOST / dose))
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        maps = _maps(neighbours, seed, study)
        rows.append({name: apart(places) for name, places in maps.items()})
        picture = picture if study else _shown(maps)
    table = pd.DataFrame(rows)
    mean = table.mean()
    sentence = (
        f"Looking at {neighbours} neighbours, the map puts {percent(mean['the map'])} of the cells of one single group "
        f"onto islands apart from the largest one. A map of cells that certainly have no groups, made in the same way, "
        f"does so with {percent(mean['a map of groupless cells'])}."
    )
    beyond = table["the map"] - table["a map of groupless cells"]
    figures = [over_repeats(v) for v in (table["the map"], beyond, table["a linear map"])]
    return Found(figures[0], figures[1], figures[2], sentence, {"maps": picture, "studies": table})


def apart(places: np.ndarray) -> float:
    """Return the share of the cells that lie on islands of a map other than the largest one.

    Examples
    --------
    >>> line = np.stack([np.arange(12.0), np.zeros(12)], axis=1)
    >>> apart(line), apart(line + 50 * (line[:, :1] > 6))
    (0.0, 0.4166666666666667)
    """
    tree = cKDTree(places)
    usual = float(np.median(tree.query(places, 2)[0][:, 1]))
    pairs = tree.query_pairs(GAP * usual, output_type="ndarray")
    near = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
    sizes = np.sort(np.bincount(connected_components(near, directed=False)[1]))[:-1]
    return float(sizes[sizes >= FEWEST].sum() / len(places))


def _maps(neighbours: int, seed: int, study: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, 20, study])
    cells = draw(layout(1, (CONTROL,), CELLS), 1, rng, well=0.0)
    own = int(rng.integers(2**31))
    return {
        "the map": _umap(cells, neighbours, own),
        "a linear map": pca(cells, seed=own)[["x", "y"]].to_numpy(),
        "a map of groupless cells": _umap(null_cells(cells, seed=own), neighbours, own),
    }


def _shown(maps: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [pd.DataFrame(places, columns=["x", "y"]).assign(map=name) for name, places in maps.items()]
    return pd.concat(parts, ignore_index=True)


def _umap(cells: Cells | pd.DataFrame, neighbours: int, seed: int) -> np.ndarray:
    found = umap(cells, seed, n_neighbors=neighbours, min_dist=0.0, n_epochs=EPOCHS)
    return found[["x", "y"]].to_numpy(np.float64)
