"""The figures of a map are those of scikit-learn and of definitions written out."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr
from sklearn.manifold import trustworthiness

import mlscope_nb as ms
from mlscope_nb.explore import trust

N, K = 350, 12


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(N, 7)) * np.array([9, 5, 3, 1, 1, 0.1, 40])
    index = [f"c{i}" for i in rng.permutation(N)]
    places = values[:, :2] + rng.normal(size=(N, 2))
    return pd.DataFrame(values, index=index).add_prefix("f"), pd.DataFrame(places, index=index, columns=["x", "y"])


def by_definition(values, places, k):
    """Share of neighbours kept and both sums of ranks, a cell at a time."""
    a, b = cdist(values, values), cdist(places, places)
    recall, false, missing = [], [], []
    for i in range(len(values)):
        ranks = []
        for away in (a[i], b[i]):
            order = [j for j in np.argsort(away, kind="stable") if j != i]
            ranks.append({j: r + 1 for r, j in enumerate(order)})
        near = [{j for j, r in rank.items() if r <= k} for rank in ranks]
        recall.append(len(near[0] & near[1]) / k)
        false.append(sum(ranks[0][j] - k for j in near[1] - near[0]))
        missing.append(sum(ranks[1][j] - k for j in near[0] - near[1]))
    scale = 2 / (k * (2 * len(values) - 3 * k - 1))
    return np.array(recall), 1 - scale * np.array(false), 1 - scale * np.array(missing)


def test_trustworthiness_and_continuity_equal_scikit_learn(data):
    numbers, places = data
    scaled = ((numbers - numbers.mean()) / numbers.std(ddof=0)).to_numpy()
    for scale, values in (("standardize", scaled), ("none", numbers.to_numpy())):
        found = trust(numbers, places, K, scale=scale)
        assert found.trustworthiness == pytest.approx(trustworthiness(values, places, n_neighbors=K), abs=1e-8)
        assert found.continuity == pytest.approx(trustworthiness(places, values, n_neighbors=K), abs=1e-8)
        assert found.distance_correlation == pytest.approx(spearmanr(pdist(values), pdist(places))[0], abs=1e-8)
        assert set(found.errors.values()) == {0.0}


def test_a_table_is_taken_as_it_is_and_cells_as_maps_see_them(data):
    numbers, places = data
    plain = trust(numbers, places, K)
    assert plain.trustworthiness == pytest.approx(trustworthiness(numbers, places, n_neighbors=K), abs=1e-8)
    assert plain.per_cell.attrs["history"][0]["scale"] == "none"
    of_cells = trust(ms.Cells(pd.DataFrame(index=numbers.index), features=numbers), places, K)
    assert of_cells.to_dict() == trust(numbers, places, K, scale="standardize").to_dict()
    assert of_cells.trustworthiness != plain.trustworthiness


def test_all_columns_of_a_map_count_whatever_their_names(data):
    numbers, _ = data
    for names in ("xyz", "uvw"):
        places = numbers.iloc[:, :3].set_axis(list(names), axis=1)
        found = trust(numbers, places, K).trustworthiness
        assert found == pytest.approx(trustworthiness(numbers, places, n_neighbors=K), abs=1e-8)


def test_per_cell_figures_equal_the_definition(data):
    numbers, places = data
    found = trust(numbers, places, K, scale="none").per_cell
    recall, false, missing = by_definition(numbers.to_numpy(), places.to_numpy(), K)
    assert np.allclose(found["knn_recall"], recall) and np.allclose(found["trustworthiness"], false)
    assert np.allclose(found["continuity"], missing)
    assert np.allclose(found["distortion"], 1 - (false + missing) / 2)
    assert found.index.equals(numbers.index)


def test_the_worst_and_the_best_map():
    line = np.arange(30.0)[:, None]
    best = trust(pd.DataFrame(line), pd.DataFrame(line, columns=["x"]), 4, scale="none")
    assert (best.trustworthiness, best.continuity, best.knn_recall, best.distance_correlation) == (1, 1, 1, 1)
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.normal(size=(900, 5)))
    chance = trust(numbers, pd.DataFrame(rng.normal(size=(900, 2)), columns=["x", "y"]), 15)
    assert abs(chance.trustworthiness - 0.5) < 0.03 and abs(chance.distance_correlation) < 0.05
    assert chance.knn_recall == pytest.approx(chance.chance, abs=0.005) and chance.chance == pytest.approx(15 / 899)


def test_the_map_may_come_in_any_order_and_by_name(data):
    numbers, places = data
    whole = trust(numbers, places, K, scale="standardize")
    shuffled = trust(numbers, places.sample(frac=1, random_state=1), K, scale="standardize")
    pd.testing.assert_frame_equal(whole.per_cell, shuffled.per_cell)
    cells = ms.Cells(pd.DataFrame(index=numbers.index), features=numbers).with_embedding("mine", places)
    named = trust(cells, "mine", K)
    assert named.trustworthiness == whole.trustworthiness
    coloured = cells.with_obs(named.per_cell)
    assert "distortion" in coloured.obs and coloured.history[-2]["step"] == "trust"
    with pytest.raises(KeyError, match="No map 'other'"):
        trust(cells, "other")


def test_a_sample_is_the_same_figures_for_some_cells(data):
    numbers, places = data
    whole, part = trust(numbers, places, K), trust(numbers, places, K, sample=60, seed=2)
    seen = part.per_cell["knn_recall"].notna()
    assert seen.sum() == 60 == part.n_compared and len(part.per_cell) == N
    pd.testing.assert_frame_equal(part.per_cell[seen], whole.per_cell[seen])
    assert "60 drawn at random" in str(part) and "±" in str(part)


def test_the_error_of_a_sample_is_how_much_samples_differ(data):
    numbers, places = data
    draws = [trust(numbers, places, K, sample=100, seed=s) for s in range(40)]
    for name in ("trustworthiness", "knn_recall"):
        spread = np.std([getattr(d, name) for d in draws], ddof=1)
        assert np.mean([d.errors[name] for d in draws]) == pytest.approx(spread, rel=0.4)


def test_gaps_take_the_median_as_in_maps(data):
    numbers, places = data
    gaps = numbers.copy()
    gaps.iloc[5:60, 1] = np.nan
    filled = gaps.fillna(gaps.median())
    assert trust(gaps, places, K).trustworthiness == trust(filled, places, K).trustworthiness


def test_results_are_plain_values_and_words(data):
    found = trust(*data, K)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["k"] == K and len(plain["per_cell"]) == N
    assert f"{found.trustworthiness:.3f}" in found._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 200}, "below half"),
        ({"k": 0}, "expected a whole number"),
        ({"k": True}, "expected a whole number"),
        ({"scale": "robust"}, "expected 'auto', 'standardize' or 'none'"),
        ({"sample": 1}, "expected 2 cells or more"),
    ],
)
def test_what_does_not_fit_is_refused(data, change, message):
    with pytest.raises(ValueError, match=message):
        trust(*data, **change)


def test_maps_of_other_cells_are_refused(data):
    numbers, places = data
    with pytest.raises(ValueError, match="1 ids are missing"):
        trust(numbers, places.iloc[1:])
    with pytest.raises(ValueError, match="1 cell without a place"):
        trust(numbers, places.replace(places.iloc[0, 0], np.nan))
    with pytest.raises(TypeError, match="no cells that have it"):
        trust(numbers, "umap")
