"""What studies of groups share: tables of features without groups, and studies simulated once and measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from mlscope_nb import Cells
from mlscope_nb.datasets import simulate
from mlscope_nb.features import measure

WELLS, CELLS_PER_WELL, FEATURES = 24, 40, 20
Floats = np.ndarray
Null = Callable[[np.random.Generator], Floats]


def correlated(rng: np.random.Generator) -> Floats:
    """Gaussian cells whose features share four factors."""
    mixing = rng.normal(size=(FEATURES, 4))
    covariance = mixing @ mixing.T / 4 + 0.5 * np.eye(FEATURES)
    scale = np.sqrt(np.diag(covariance))
    return (
        rng.normal(size=(WELLS * CELLS_PER_WELL, FEATURES)) @ np.linalg.cholesky(covariance / np.outer(scale, scale)).T
    )


def heavy_tailed(rng: np.random.Generator) -> Floats:
    """The same, each cell scaled: multivariate t with 3 degrees of freedom."""
    x = correlated(rng)
    return x / np.sqrt(rng.chisquare(3, len(x)) / 3)[:, None]


def simulated(tables: list[Cells]) -> Null:
    """Control wells of measured simulated studies, some of their features."""

    def draw(rng: np.random.Generator) -> Floats:
        cells = tables[rng.integers(len(tables))]
        table = cells.table().iloc[np.argsort(cells.units.to_numpy(), kind="stable")]
        values = table.fillna(table.median()).to_numpy(float)
        return values[:, rng.choice(np.flatnonzero(values.std(axis=0) > 0), FEATURES, replace=False)]

    return draw


def measured(seed: int, **doses: float) -> tuple[Cells, pd.DataFrame]:
    """Return a simulated study with the features of `measure`, and its answer key."""
    cells, truth = simulate(seed=seed, **doses)
    return cells.with_features(measure(cells, progress=False)), truth.obs


def normal_scores(x: Floats) -> Floats:
    """Return the normal scores of the ranks of each column."""
    return np.asarray(stats.norm.ppf((stats.rankdata(x, axis=0) - 0.5) / len(x)))
