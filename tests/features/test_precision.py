"""Mean average precision and mixing, against copairs and harmonypy."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.features.mixing import lisi
from mlscope_nb.features.precision import average_precision, mean_precision, null_precision
from tests.reference.peers_normalization import table as peer_table

PEERS = json.loads((Path(__file__).parents[1] / "reference" / "peers_normalization.json").read_text(encoding="utf-8"))


def scaled():
    features, obs = peer_table()
    return (features - features.mean()) / features.std(ddof=0), obs


def wells():
    z, obs = scaled()
    rows = z.groupby([obs["plate"], obs["well"], obs["drug"]]).mean()
    plate, drug = (rows.index.get_level_values(k).to_numpy() for k in ("plate", "drug"))
    same_drug = drug[:, None] == drug[None]
    return rows.to_numpy(), same_drug & (plate[:, None] != plate[None]), ~same_drug, pd.Series(drug)


def test_average_precision_agrees_with_copairs():
    values, positive, negative, drug = wells()
    found = average_precision(values, positive, negative)
    np.testing.assert_allclose(found["average_precision"], PEERS["replicated"]["ap"], atol=1e-9)
    assert found["n_total"].tolist() == PEERS["replicated"]["n_total"]
    means = mean_precision(found, drug, n_null=20000)
    assert list(means.index) == PEERS["replicated"]["drug"]
    np.testing.assert_allclose(means["mean_average_precision"], PEERS["replicated"]["map"], atol=1e-9)
    # other random numbers: p-values of 20,000 draws differ in the third digit
    np.testing.assert_allclose(means["p_value"], PEERS["replicated"]["p"], atol=0.02)


def test_the_null_is_what_random_profiles_give():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 4)
    same = (group[:, None] == group) & ~np.eye(48, dtype=bool)
    runs = [average_precision(rng.normal(size=(48, 20)), same, group[:, None] != group) for _ in range(30)]
    observed = np.mean([r["average_precision"].mean() for r in runs])
    assert abs(observed - null_precision(3, 47, 4000, 0).mean()) < 0.01


def test_replicates_that_are_alike_are_found():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 4)
    values = rng.normal(size=(6, 20))[group] + rng.normal(scale=0.1, size=(24, 20))
    same = (group[:, None] == group) & ~np.eye(24, dtype=bool)
    means = mean_precision(average_precision(values, same, group[:, None] != group), pd.Series(group))
    assert (means["mean_average_precision"] == 1).all()
    assert (means["p_value"] < 0.01).all()


def test_lisi_agrees_with_harmonypy():
    z, obs = scaled()
    np.testing.assert_allclose(lisi(z.to_numpy(), obs["plate"].to_numpy(), perplexity=15), PEERS["lisi"], atol=1e-9)


def test_lisi_of_mixed_and_of_separate_groups():
    rng = np.random.default_rng(0)
    points, group = rng.normal(size=(600, 3)), np.arange(600) % 3
    assert 2.6 < lisi(points, group).mean() < 3.0
    assert lisi(points + 100 * group[:, None], group).max() < 1 + 1e-6


def test_lisi_of_few_cells_is_refused():
    with pytest.raises(ValueError, match="50 cells are too few"):
        lisi(np.zeros((50, 2)), np.zeros(50))
