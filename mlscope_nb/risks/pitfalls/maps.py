"""UMAP over-reading: a map that looks at few neighbours shows islands in a cloud without groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.explore.maps import pca
from mlscope_nb.explore.umap_map import umap
from mlscope_nb.explore.verdicts import null_cells
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import CONTROL, draw, layout

CELLS = 150
EPOCHS = 150
MOST = 48
"""Neighbours that the map looks at, at dose 1; half of them at dose 2, and so on."""
ISLANDS = 4
PARTS = 8


def umap_over_reading(dose: float, seed: int) -> Found:
    """Map cells of one single group, looking at fewer and fewer neighbours."""
    rng = np.random.default_rng([seed, 20])
    cells = draw(layout(1, (CONTROL,), CELLS), 1, rng, well=0.0)
    neighbours = max(2, round(MOST / dose))
    maps = {
        "the map": _umap(cells, neighbours, seed),
        "a map of groupless cells": _umap(null_cells(cells, seed=seed + 1), neighbours, seed),
        "a linear map": pca(cells, seed=seed)[["x", "y"]].to_numpy(),
    }
    seen = {name: islands(places, seed) for name, places in maps.items()}
    excess = seen["the map"] - seen["a map of groupless cells"].mean()
    sentence = (
        f"Looking at {neighbours} neighbours, the map parts one single group into {ISLANDS} islands with a silhouette "
        f"of {seen['the map'].mean():.2f}. A map of cells that certainly have no groups, made in the same way, shows "
        f"{seen['a map of groupless cells'].mean():.2f}."
    )
    table = pd.concat([pd.DataFrame(p, columns=["x", "y"]).assign(map=name) for name, p in maps.items()])
    figures = [over_repeats(v, "part of the map", "parts of the map") for v in
               (seen["the map"], excess, seen["a linear map"])]  # fmt: skip
    return Found(figures[0], figures[1], figures[2], sentence, {"maps": table.reset_index(drop=True)})


def islands(places: np.ndarray, seed: int) -> np.ndarray:
    """Return how well parted the best islands of a map seem: mean silhouettes of parts of the cells."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_samples

    named = KMeans(ISLANDS, n_init=2, random_state=seed).fit_predict(places)
    each = silhouette_samples(places, named)
    return np.array([each[k::PARTS].mean() for k in range(PARTS)])


def _umap(cells: Cells | pd.DataFrame, neighbours: int, seed: int) -> np.ndarray:
    found = umap(cells, seed, n_neighbors=neighbours, min_dist=0.0, n_epochs=EPOCHS)
    return found[["x", "y"]].to_numpy(np.float64)
