"""The nearest cells are those that comparing all with all gives."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from mlscope_nb.explore.nearest import approximate, nearest

PLACE = "mlscope_nb.explore.nearest"


def expected(points, among, k):
    return NearestNeighbors(n_neighbors=k, algorithm="brute", metric="euclidean").fit(among).kneighbors(points)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("heavy", [False, True])
def test_nearest_equals_scikit_learn(monkeypatch, single, heavy):
    monkeypatch.setattr(f"{PLACE}.DOUBLE_UP_TO", 0 if single else 10_000)
    monkeypatch.setattr(f"{PLACE}.COLUMNS", 100)
    rng = np.random.default_rng(1)
    points = rng.standard_t(2, size=(700, 9)) if heavy else rng.normal(size=(700, 9))
    distances, indices = expected(points, points, 12)
    found, away = nearest(points, 12)
    assert (found == indices).mean() > (0.999 if single else 0.999999)
    assert np.allclose(away, distances, atol=1e-6)
    others = rng.normal(size=(150, 9))
    distances, indices = expected(others, points, 5)
    found, away = nearest(others, 5, among=points)
    assert np.allclose(away, distances) and (found == indices).all()


def test_each_cell_is_its_own_first_neighbour_among_many_copies():
    points = np.repeat(np.random.default_rng(0).normal(size=(4, 3)), 60, axis=0)
    found, away = nearest(points, 10)
    assert (found[:, 0] == np.arange(240)).all() and (away == 0).all()
    assert (np.diff(np.sort(found, axis=1)) > 0).all()


def test_too_many_neighbours_are_refused():
    with pytest.raises(ValueError, match="expected 1 to 3"):
        nearest(np.zeros((3, 2)), 4)


@pytest.mark.slow
def test_the_approximate_search_finds_nearly_all():
    points = np.random.default_rng(0).normal(size=(1500, 6)).astype(np.float32)
    exact = nearest(points, 10)[0]
    found = approximate(points, 10, 0)[0]
    assert (found[:, :, None] == exact[:, None, :]).any(axis=2).mean() > 0.95
