"""Neighbours are the exact nearest ones; distances to a centre rank typical cells before atypical ones."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

neighbours, distance_to, feature_space = ms.explore.neighbours, ms.explore.distance_to, ms.explore.feature_space


def table(n=200, p=6, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, p)) * np.logspace(-6, 6, p)
    return pd.DataFrame(values, [f"c{i}" for i in range(n)]).add_prefix("f")


def robust(numbers):
    """What the docstring says, in pandas."""
    filled = numbers.fillna(numbers.median())
    centred = filled - filled.median()
    return centred / (1.4826 * centred.abs().median())


@pytest.mark.parametrize("k", [1, 5, 199, 500])
def test_neighbours_are_those_of_scikit_learn(k):
    from sklearn.neighbors import NearestNeighbors

    numbers = table()
    points = robust(numbers)
    expected, rows = NearestNeighbors(algorithm="brute").fit(points).kneighbors(points.loc[["c7"]], 200)
    found = neighbours(numbers, "c7", k)
    assert "c7" not in found.index and len(found) == min(k, 199)
    assert list(found.index) == list(numbers.index[rows[0]][1 : k + 1])
    np.testing.assert_allclose(found["distance"], expected[0][1 : k + 1])
    assert found.index.name == "cell_id" and list(found.columns) == ["distance"]


def test_several_cells_are_their_median():
    numbers = table()
    points = robust(numbers)
    away = np.sqrt(((points - points.loc[["c1", "c2", "c9"]].median()) ** 2).sum(axis=1))
    expected = away.drop(["c1", "c2", "c9"]).nsmallest(12)
    found = neighbours(numbers, ["c9", "c1", "c2"])
    pd.testing.assert_series_equal(found["distance"], expected, check_names=False)
    pd.testing.assert_frame_equal(found, neighbours(numbers, numbers.index.isin(["c1", "c2", "c9"])))


def test_cells_and_their_table_give_the_same():
    numbers = table()
    cells = ms.Cells(pd.DataFrame(index=numbers.index), features=numbers)
    pd.testing.assert_frame_equal(neighbours(cells, "c3"), neighbours(numbers, "c3"))
    pd.testing.assert_frame_equal(neighbours(feature_space(cells), "c3"), neighbours(numbers, "c3"))
    assert [h["step"] for h in neighbours(cells, "c3").attrs["history"]] == ["feature_space", "neighbours"]
    near = distance_to(cells, ["c3"])
    pd.testing.assert_series_equal(near, distance_to(feature_space(cells, decorrelate=True), "c3"))
    assert near.index.equals(cells.ids)


def test_copies_are_at_distance_0_in_the_order_of_the_cells():
    numbers = table(30)
    same = pd.concat([numbers, *[numbers.loc[["c4"]].set_axis([f"copy{i}"]) for i in range(20)]])
    found = neighbours(same, "c4", 5)
    assert list(found.index) == [f"copy{i}" for i in range(5)] and (found["distance"] == 0).all()


def test_gaps_count_as_the_median_and_flat_columns_for_nothing():
    numbers = table()
    numbers.iloc[::7, 2] = np.nan
    expected = robust(numbers)
    numbers = numbers.assign(flat=0.1 + 0.2, gone=np.nan)
    numbers.iloc[0, 2] = np.inf
    space = feature_space(numbers)
    np.testing.assert_allclose(space.points, expected, rtol=1e-9, atol=1e-12)
    assert space.history["n_features"] == 6 and space.history["n_filled"] == 29


def test_a_count_that_is_mostly_zero_is_scaled_by_its_deviation():
    spots = np.zeros(100)
    spots[:10] = 5.0
    points = feature_space(pd.DataFrame({"spots": spots, "noise": np.arange(100.0)})).points
    np.testing.assert_allclose(points[:, 0], spots / spots.std())


def test_one_bad_cell_does_not_change_who_is_near():
    numbers = table()
    bad = pd.concat([numbers, pd.DataFrame(1e12, ["bad"], numbers.columns)])
    assert neighbours(bad, "c7").index.tolist()[:6] == neighbours(numbers, "c7").index.tolist()[:6]
    order, other = distance_to(numbers, numbers.index[:50]), distance_to(bad, numbers.index[:50])
    assert other.idxmax() == "bad"
    assert order.corr(other.drop("bad"), method="spearman") > 0.9


def test_typical_cells_are_near_and_redundant_features_do_not_count_again():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 150)
    shape = rng.normal(size=300) + 8 * group
    size = rng.normal(size=300)
    # Five measures of the size, in which the groups do not differ, against one of the shape.
    numbers = pd.DataFrame({f"size{i}": size + 0.01 * rng.normal(size=300) for i in range(5)} | {"shape": shape})
    away = distance_to(numbers, [str(i) for i in range(20)])
    from sklearn.metrics import roc_auc_score

    raw = feature_space(numbers).distances([str(i) for i in range(20)])
    # Not near 1: the deviation of two groups together is wide, so they lie only 1.35 of it apart.
    assert roc_auc_score(group, away) > 0.9 > roc_auc_score(group, raw) + 0.1


def test_directions_are_uncorrelated_and_few():
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.normal(size=(500, 3)) @ rng.normal(size=(3, 40)) + 0.01 * rng.normal(size=(500, 40)))
    points = feature_space(numbers, decorrelate=True).points
    assert points.shape[1] == 3
    correlation = np.corrcoef(points.T) - np.eye(3)
    assert np.abs(correlation).max() < 0.15  # exactly 0 but for the clipping of the tails
    np.testing.assert_allclose(np.median(np.abs(points), axis=0) * 1.4826, 1)
    wide = feature_space(pd.DataFrame(rng.normal(size=(300, 80))), decorrelate=True)
    assert wide.points.shape[1] == 32


@pytest.mark.parametrize("what", [neighbours, distance_to])
def test_what_cannot_be_asked(what):
    numbers = table(20)
    with pytest.raises(KeyError, match="nobody"):
        what(numbers, ["c1", "nobody"])
    with pytest.raises(ValueError, match="No cells are given"):
        what(numbers, [])
    with pytest.raises(ValueError, match="varies"):
        what(pd.DataFrame({"a": [1.0, 1.0]}), "0")
    pictures = ms.Cells(
        pd.DataFrame(index=["a", "b"]),
        np.zeros((2, 1, 4, 4)),
        embeddings={"umap": pd.DataFrame({"x": [0.0, 1], "y": [0.0, 1]}, ["a", "b"])},
    )
    with pytest.raises(ValueError, match=r"cells\.with_features\(ms\.features\.measure\(cells\)\)"):
        what(pictures, "a")


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_k_is_a_number_of_cells(k):
    with pytest.raises(ValueError, match="1 or more"):
        neighbours(table(20), "c1", k)


def test_a_single_cell_has_no_neighbours_to_speak_of():
    with pytest.raises(ValueError, match="varies"):
        neighbours(pd.DataFrame({"a": [1.0]}), "0")
    assert len(neighbours(table(5), ["c0", "c1", "c2", "c3", "c4"])) == 0
