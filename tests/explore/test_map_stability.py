"""Maps that are the same agree fully; units, not cells, are drawn again; the null has no groups."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree, procrustes

import mlscope_nb as ms
from mlscope_nb.explore import null_map, stability, verdict
from mlscope_nb.explore.map_stability import neighbour_overlap


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(7)
    wells = np.repeat([f"w{i}" for i in range(8)], 20)
    values = rng.normal(size=(160, 5)) + 7 * np.eye(5)[rng.integers(0, 3, 160)]
    index = [f"c{i}" for i in range(160)]
    return ms.Cells(
        pd.DataFrame({"well": wells}, index=index),
        features=pd.DataFrame(values, index=index).add_prefix("f"),
        unit="well",
    )


def test_overlap_equals_a_second_way_to_find_neighbours():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(120, 2))
    b = a + 0.3 * rng.normal(size=(120, 2))
    near = [cKDTree(x).query(x, 8)[1][:, 1:] for x in (a, b)]
    expected = [len(set(p) & set(q)) / 7 for p, q in zip(*near, strict=True)]
    assert np.allclose(neighbour_overlap(a, b, 7), expected)
    turned = 3 * a @ np.array([[0.0, 1], [-1, 0]]) + 5
    assert (neighbour_overlap(a, turned, 7) == 1).all()


def test_overlap_of_copies_counts_each_cell_but_itself():
    a = np.repeat(np.arange(3.0), 40)[:, None] * np.ones(2)
    found = neighbour_overlap(a, a, 5)
    assert (found == 1).all()


def test_pca_does_not_depend_on_the_seed_but_on_the_wells(cells):
    found = stability(cells, "pca", n_draws=3)
    assert found.seeds_overlap == 1 and found.seeds_procrustes == pytest.approx(1)
    assert found.chance < found.units_overlap < 1
    assert (found.unit, found.n_units) == ("well", 8)
    assert found.per_cell.index.equals(cells.ids) and "3 times" in str(found)


def test_whole_wells_are_drawn_and_compared(cells):
    found = stability(cells, "pca", n_seeds=1, n_draws=1, seed=5)
    drawn = found.per_cell["units"].notna().groupby(cells.units).mean()
    assert set(drawn) == {0.0, 1.0}
    rows = found.per_cell["units"].notna().to_numpy()
    whole, part = ms.explore.pca(cells), ms.explore.pca(cells.subset(cells.ids[rows]))
    assert found.units_procrustes == pytest.approx(1 - procrustes(whole[rows], part)[2])
    assert np.isnan(found.seeds_overlap) and "another seed" not in str(found)


def test_seeds_of_umap_agree_more_than_chance(cells):
    found = stability(cells, n_draws=0, n_seeds=2, n_epochs=40)
    assert 5 * found.chance < found.seeds_overlap < 1
    assert found.to_dict()["units_overlap"] is None


def test_without_units_cells_are_drawn_and_that_is_said(cells):
    found = stability(cells.features, "pca", n_draws=1)
    assert found.unit == "cell" and found.n_units == 160
    joined = cells.with_obs(found.per_cell.add_prefix("stable_"))
    assert joined.history[-2]["step"] == "stability"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"method": "som"}, "expected one of"), ({"n_seeds": 1, "n_draws": 0}, "Nothing"), ({"k": 160}, "expected 1 to")],
)
def test_what_cannot_be_compared_is_refused(cells, options, message):
    with pytest.raises(ValueError, match=message):
        stability(cells, **options)


def test_the_null_has_one_group_where_the_cells_have_three(cells):
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    real, null = ms.explore.pca(cells), null_map(cells, "pca", seed=1)
    assert len(null) == len(real) and not set(null.index) & set(real.index)
    scores = [silhouette_score(m, KMeans(3, n_init=5, random_state=0).fit_predict(m)) for m in (real, null)]
    assert scores[0] > scores[1] + 0.2
    pd.testing.assert_frame_equal(null, null_map(cells, "pca", seed=1))
    assert [step["step"] for step in null.attrs["history"]] == ["copula_null", "pca"]
    with pytest.raises(ValueError, match="expected one of"):
        null_map(cells, "som")


def test_the_verdict_says_its_numbers(cells):
    found = verdict(cells, method="pca", n_draws=2)
    for figure in (f"{found.trust.trustworthiness:.3f}", f"{found.null_trust.trustworthiness:.3f}"):
        assert figure in found.text
    assert f"{100 * found.stability.units_overlap:.0f} %" in found.text and "2 times" in found.text
    assert f"{found.trust.distance_correlation:.2f}" in found.text
    assert "part of what is seen is in the data" in found.text
    assert "per_cell" not in json.dumps(found.to_dict()) and found.text in str(found)


def test_the_verdict_of_a_cloud_is_that_its_islands_are_nothing():
    rng = np.random.default_rng(4)
    cloud = pd.DataFrame(rng.normal(size=(300, 12)))
    found = verdict(cloud, method="pca", n_draws=1)
    assert "no evidence of groups" in found.text and "do not read them" in found.text


def test_a_given_map_is_the_one_that_is_judged(cells):
    scattered = pd.DataFrame(np.random.default_rng(0).normal(size=(160, 2)), index=cells.ids, columns=["x", "y"])
    joined = cells.with_embedding("scattered", scattered)
    found = verdict(joined, "scattered", method="pca", n_draws=1)
    assert found.trust.trustworthiness == ms.explore.trust(cells, scattered).trustworthiness < 0.6
