"""Small studies with known designs."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells


def make(n_batches=4, units=6, cells=5, classes=("a", "b"), seed=0, uneven=True, shift=0.0, **design):
    """Cells with unit and batch effects; labels per unit, alternating within each batch."""
    rng = np.random.default_rng(seed)
    rows = []
    for b in range(n_batches):
        batch_effect = rng.normal(0, 2)
        for u in range(units):
            label = classes[u % len(classes)]
            unit_effect = rng.normal() + shift * (label == classes[-1])
            for _ in range(int(rng.integers(2, 2 * cells)) if uneven else cells):
                rows.append((f"p{b}", f"w{u}", label, batch_effect + unit_effect + rng.normal()))
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug", "size"])
    obs.index = [f"c{i:05d}" for i in range(len(obs))]
    roles = {"unit": ("plate", "well"), "batch": "plate", "label": "drug", **design}
    return Cells(obs[["plate", "well", "drug"]], features=obs[["size"]], **roles)


def doubled(cells):
    """Every cell twice, under another id."""
    copy, features = cells.obs, cells.features
    twin = [f"{i}x" for i in copy.index]
    obs = pd.concat([copy, copy.set_axis(twin)])
    roles = {name: getattr(cells.design, name) for name in ("label", "unit", "batch", "control", "treatment")}
    return Cells(obs, features=pd.concat([features, features.set_axis(twin)]), **roles)


def shuffled(cells, seed=0):
    return cells.subset(np.random.default_rng(seed).permutation(cells.ids))


@pytest.fixture(name="make")
def make_fixture():
    return make


@pytest.fixture(name="doubled")
def doubled_fixture():
    return doubled


@pytest.fixture(name="shuffled")
def shuffled_fixture():
    return shuffled
