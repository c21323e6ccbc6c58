"""Small studies whose truth is known: features with effects of class, plate and well."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


def make(
    n_plates=4, n_wells=6, n_cells=8, n_classes=2, n_features=4, effect=1.5, well=0.3, plate=0.3, seed=0, control=False
):
    """Cells of wells of one class each; the first feature tells the class."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"{'ABCDEFGH'[w % 8]}{1 + w // 8:02d}", "abcdefgh"[w % n_classes], w == 0)
        for p in range(n_plates)
        for w in range(n_wells)
        for _ in range(n_cells)
    ]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug", "dmso"], index=[f"c{i}" for i in range(len(rows))])
    code = obs["drug"].map({c: k for k, c in enumerate("abcdefgh")}).to_numpy()
    x = rng.normal(size=(len(obs), n_features))
    x += plate * np.repeat(rng.normal(size=(n_plates, n_features)), n_wells * n_cells, axis=0)
    x += well * np.repeat(rng.normal(size=(n_plates * n_wells, n_features)), n_cells, axis=0)
    x[:, 0] += effect * code
    features = pd.DataFrame(x, index=obs.index, columns=[f"AreaShape_F{k}" for k in range(n_features)])
    extra = {"control": "dmso"} if control else {}
    return ms.Cells(obs, features=features, label="drug", unit=("plate", "well"), batch="plate", **extra)


def doubled(cells):
    """Every cell twice."""
    obs = pd.concat([cells.obs, cells.obs.rename(index=lambda i: f"{i}-copy")])
    table = pd.concat([cells.features, cells.features.rename(index=lambda i: f"{i}-copy")])
    design = {k: getattr(cells.design, k) for k in ("label", "unit", "batch", "control")}
    return ms.Cells(obs, features=table, **design)


@pytest.fixture(scope="session")
def study():
    """A function that makes a study."""
    return make


@pytest.fixture(scope="session", name="doubled")
def doubled_cells():
    """A function that makes every cell twice."""
    return doubled
