"""Our graph, layout and placing are umap-learn's: the same numbers, not only the same look."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from mlscope_nb.explore import project, umap
from mlscope_nb.explore.fuzzy_graph import fuzzy_graph
from mlscope_nb.explore.layout import REST, STEP_BITS, Schedule, fitted_curve, optimised, powers
from mlscope_nb.explore.preparation import scaled

umap_ = pytest.importorskip("umap.umap_", reason="umap-learn is a dependency: install mlscope again")


def drawn(kind):
    rng = np.random.default_rng(5)
    values = rng.standard_t(1.5, size=(400, 8)) if kind == "heavy tails" else rng.normal(size=(400, 8))
    if kind == "copies":
        values[:90] = values[0]
        values[100:120] = values[200:220]
    return values.astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "heavy tails", "copies"])
@pytest.mark.parametrize("options", [{}, {"local_connectivity": 2.0}, {"set_op_mix_ratio": 0.3}])
def test_the_graph_is_umap_learns(kind, options):
    values = drawn(kind)
    distances, indices = NearestNeighbors(n_neighbors=15, algorithm="brute").fit(values).kneighbors(values)
    expected = umap_.fuzzy_simplicial_set(
        values, 15, None, "euclidean", knn_indices=indices, knn_dists=distances, **options
    )[0]
    found = fuzzy_graph(indices, distances, **options)
    assert abs(found - expected).max() < 1e-5
    assert found.nnz == expected.nnz


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b", "fixed"), [(None, None, False), (1.2, 0.7, False), (None, None, True)])
def test_the_layout_moves_points_as_umap_learns_does(a, b, fixed):
    from umap.layouts import optimize_layout_euclidean

    rng = np.random.default_rng(0)
    n, epochs = 300, 4
    head, tail = np.repeat(np.arange(n), 8), rng.integers(0, n, 8 * n)
    kept = head != tail
    graph = coo_array((rng.uniform(0, 1, kept.sum()).astype(np.float32), (head[kept], tail[kept])), shape=(n, n))
    graph.sum_duplicates()
    start = rng.uniform(0, 10, (n, 2)).astype(np.float32)
    others = rng.uniform(0, 10, (n, 2)).astype(np.float32) if fixed else None
    state = np.array([5, -77, 1234567], np.int64)
    curve = fitted_curve(1.0, 0.1)
    curve = curve if a is None else type(curve)(a, b)
    found = optimised(start, graph, Schedule(epochs, curve), state, fixed=others)
    weights = np.where(graph.data < graph.data.max() / epochs, 0, graph.data)
    drawn = weights > 0
    mine = start.copy()
    expected = optimize_layout_euclidean(
        mine,
        mine if others is None else others,
        graph.row[drawn].astype(np.int32),
        graph.col[drawn].astype(np.int32),
        epochs,
        n,
        umap_.make_epochs_per_sample(weights[drawn], epochs),
        *curve,
        state,
        move_other=others is None,
    )
    assert np.abs(expected - start).max() > 1
    # Rounding grows with each push; a different order of steps or other random numbers would differ by whole units.
    assert np.median(np.abs(found - expected)) < 1e-4
    assert (np.abs(found - expected).max(axis=1) < 0.01).mean() > 0.98


def test_the_curve_is_umap_learns():
    for spread, min_dist in [(1.0, 0.1), (1.0, 0.0), (2.0, 0.5)]:
        assert np.allclose(fitted_curve(spread, min_dist), umap_.find_ab_params(spread, min_dist), atol=1e-9)


@pytest.mark.slow
def test_new_cells_begin_where_umap_learn_begins_and_maps_are_as_good():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(500, 6)) + 4 * np.eye(6)[rng.integers(0, 4, 500)]
    numbers = pd.DataFrame(values).add_prefix("f")
    known, scale = scaled(numbers[:450])
    model = umap_.UMAP(n_neighbors=12, n_epochs=3, random_state=0).fit(known.astype(np.float32))
    # one third of three epochs: transform stops where it starts
    expected = model.transform(scale.apply(numbers[450:]).astype(np.float32))
    made = pd.DataFrame(model.embedding_, index=numbers.index[:450], columns=["x", "y"])
    made.attrs["history"] = [{"step": "umap", "n_neighbors": 12, "n_epochs": 3}]
    found = project(numbers[450:], numbers[:450], made)
    assert np.allclose(found[["x", "y"]], expected, atol=1e-4)
    theirs = umap_.UMAP(random_state=0).fit_transform(known)
    ours = umap(numbers[:450]).to_numpy()
    assert trustworthiness(known, ours, n_neighbors=15) > trustworthiness(known, theirs, n_neighbors=15) - 0.005


@pytest.mark.parametrize("exponent", [0.3, 0.895, 1.6])
def test_powers_from_the_table_are_powers(exponent):
    x = np.exp(np.random.default_rng(0).uniform(-40, 20, 20_000)).astype(np.float32)
    table, bits = powers(exponent), x.view(np.int32)
    below, rest = table[bits >> STEP_BITS].astype(float), (bits & REST) / (REST + 1)
    found = below + rest * (table[(bits >> STEP_BITS) + 1] - below)
    np.testing.assert_allclose(found, x.astype(float) ** exponent, rtol=4e-5 if exponent > 1 else 1e-5)
    assert table[0] == 0
    assert not np.isnan(table).any()
