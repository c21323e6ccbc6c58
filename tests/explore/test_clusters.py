"""Clusters: none where there is one group, the planted ones where there are, and found again in new cells."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import mlscope_nb as ms
from mlscope_nb.explore.spread import spread

cluster = ms.explore.cluster
GROUPS = 3


def study(seed=0, apart=5.0, wells=8, plates=3, n=10, plate_shift=2.0):
    """Cells of wells on plates; wells have one of three treatments, to which 4 of 5 cells respond."""
    rng = np.random.default_rng(seed)
    well = np.repeat(np.arange(wells * plates), n)
    treatment = (well % wells) % GROUPS
    responds = rng.random(len(well)) < 0.8
    group = np.where(responds, treatment, 0)
    values = rng.normal(size=(len(well), 10)) * np.r_[1, 1, 1, np.full(7, 2.0)]
    values[:, :3] += apart * np.eye(3)[group]
    values += (plate_shift * np.random.default_rng(99).normal(size=(plates, 10)))[well // wells]
    ids = [f"s{seed}c{i}" for i in range(len(well))]
    obs = pd.DataFrame({"plate": well // wells, "well": well % wells, "drug": treatment}, ids).astype(str)
    features = pd.DataFrame(values, ids).add_prefix("f")
    cells = ms.Cells(obs, features=features, unit=("plate", "well"), batch="plate", label="drug")
    return cells, pd.Series(group, ids)


@pytest.mark.parametrize("method", ["kmeans", "gmm", "hdbscan"])
def test_planted_groups_are_found(method):
    cells, group = study()
    found = cluster(cells, method, n_bootstrap=5)
    assert found.of == "units" and found.structure.more_than_one
    assert found.n_clusters == GROUPS
    known = found.labels >= 0
    assert adjusted_rand_score(group[known], found.labels[known]) > 0.8 and known.mean() > 0.7
    assert found.stability > 0.7 and (found.clusters["stability"] > 0.6).all()
    assert found.labels.index.equals(cells.ids)
    assert found.clusters["n"].is_monotonic_decreasing


def test_no_groups_no_clusters():
    cells, _ = study(apart=0.0)
    found = cluster(cells)
    assert found.n_clusters == 1 and (found.labels == 0).all()
    assert np.isnan(found.stability) and found.to_dict()["stability"] is None
    assert "All cells are one cluster" in str(found)


def test_cells_that_do_not_respond_are_with_the_controls():
    cells, group = study()
    found = cluster(cells, n_bootstrap=0)
    controls = found.labels[group == 0].mode()[0]
    idle = (cells.obs["drug"] != "0") & (group == 0)
    assert (found.labels[idle] == controls).mean() > 0.8


def test_planted_groups_are_steadier_than_random_ones():
    cells, group = study(apart=3.0)
    planted = ms.explore.partition_stability(cells, group, n_draws=5)
    mixed = pd.Series(np.random.default_rng(0).permutation(group.to_numpy()), group.index)
    random = ms.explore.partition_stability(cells, mixed, n_draws=5)
    assert planted.estimate > 0.5 > 0.1 > random.estimate
    assert planted.resampled == "units" and "Adjusted Rand index" in str(planted)


def test_clusters_are_found_again_in_new_plates():
    cells, _ = study(0)
    new, group = study(1)
    new = new.with_obs(new.obs.assign(plate="new" + new.obs["plate"]))
    found = cluster(cells, n_bootstrap=0)
    again = found.assign(new)
    assert list(again.columns) == ["cluster", "distance", "unlike_anything_seen"] and again.index.equals(new.ids)
    assert adjusted_rand_score(group, again["cluster"]) > 0.8
    # 1 % of ordinary cells by construction; of 240 cells that is 0 to 8 in 99.9 % of cases.
    assert again["unlike_anything_seen"].sum() <= 8


def test_cells_of_another_kind_are_unlike_anything_seen():
    cells, _ = study(0)
    found = cluster(cells, n_bootstrap=0)
    odd = cells.features.copy()
    odd.iloc[:12] += 25.0 * np.where(np.arange(10) % 2, 1, -1)
    again = found.assign(cells.with_features(odd))
    assert again["unlike_anything_seen"].iloc[:12].all() and again["unlike_anything_seen"].iloc[12:].mean() < 0.05
    pd.testing.assert_series_equal(found.assign(cells)["cluster"], found.labels, check_names=False, check_dtype=False)


def test_a_cluster_of_one_plate_is_named():
    """Without a batch plates stay apart; once it is declared, the table says whose cells they are."""
    cells, _ = study(apart=0.0, plate_shift=0.0)
    shifted = cells.features + 9.0 * np.outer(cells.obs["plate"] == "2", np.arange(10) < 2)
    raw = cells.with_features(shifted)
    found = cluster(raw.with_design(batch=None), n_bootstrap=0)
    assert found.n_clusters == 2
    table = spread(raw, found.labels)
    assert table["note"].iloc[1].startswith("Cluster 1 is mostly one plate: 100 % of its 80 cells are of plate 2.")
    assert table["note"].iloc[0] == "" and table["batch_share"].iloc[1] == 1.0
    assert (table["low"] < table["share_of_unit"]).all() and (table["share_of_unit"] < table["high"]).all()
    shares = found.over(raw)
    assert np.allclose(shares.sum(axis=1), 1) and list(shares.index) == ["0", "1", "2"]
    np.testing.assert_allclose(shares[1], [0, 0, 1])


def test_names_reach_the_cells():
    cells, _ = study()
    found = cluster(cells, n_bootstrap=0)
    named = cells.with_obs(found.to_obs({0: "resting"}))
    assert set(named.obs["cluster"]) == {"resting", "cluster 2", "cluster 3"}
    assert (named.obs["cluster"] == "resting").equals(found.labels == 0)
    with pytest.raises(KeyError, match="No cluster 7"):
        found.to_obs({7: "x"})
    typical = found.prototypes(cells, 2)
    assert set(typical["group"]) == {"cluster 1", "cluster 2", "cluster 3"}


def test_a_map_is_clustered_only_when_it_is_named():
    cells, _ = study()
    xy = ms.explore.pca(cells)
    with pytest.raises(ValueError, match="This table is a map"):
        cluster(xy)
    with pytest.warns(UserWarning, match="clusters of a map, not of the cells"):
        found = cluster(cells.with_embedding("pca", xy), on="pca", n_clusters=2, n_bootstrap=0)
    assert found.on == "pca"
    with pytest.raises(ValueError, match="have no place on it"):
        found.assign(cells)


def test_leiden_is_an_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "leidenalg", None)
    monkeypatch.setitem(sys.modules, "igraph", None)
    cells, _ = study()
    with pytest.raises(ImportError, match="python -m pip install leidenalg igraph"):
        cluster(cells, "leiden", n_null=19)


def test_refusals():
    cells, _ = study()
    with pytest.raises(ValueError, match="expected one of kmeans, gmm, hdbscan, leiden"):
        cluster(cells, "kmean")
    with pytest.raises(ValueError, match="expected 'auto' or how many groups"):
        cluster(cells, n_clusters=0)
    with pytest.raises(ValueError, match="decides on the number of groups itself"):
        cluster(cells, "hdbscan", n_clusters=3)
    found = cluster(cells, n_bootstrap=0)
    with pytest.raises(KeyError, match="1 feature of the clustering missing: 'f0'"):
        found.assign(cells.features.drop(columns="f0"))
    with pytest.raises(ValueError, match="The batch of each cell is needed"):
        found.assign(cells.features)


def test_same_seed_same_clusters():
    cells, _ = study(apart=3.0)
    one, again = (cluster(cells, n_clusters=3, n_bootstrap=3, seed=5) for _ in range(2))
    pd.testing.assert_series_equal(one.labels, again.labels)
    assert one.stability == again.stability and one.structure is None


def test_one_unit_alone_can_be_clustered_and_found_again():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(80, 3)) + 9 * (np.arange(80) % 2)[:, None])
    cells = ms.Cells(pd.DataFrame({"well": "A01"}, index=table.index), features=table, unit="well")
    found = cluster(cells, n_clusters=2, n_bootstrap=5)
    assert adjusted_rand_score(found.labels, np.arange(80) % 2) == 1 and "draws of cells" in str(found)
    noise = cells.with_features(pd.DataFrame(rng.normal(size=(80, 3)), index=cells.ids))
    assert cluster(noise, n_clusters=4, n_bootstrap=5).stability < 0.9
    placed = found.assign(cells)
    assert (placed["cluster"] == found.labels).all() and placed["unlike_anything_seen"].mean() < 0.05
