"""The null has the marginals and the covariance of the cells, and one peak where they have several."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

import mlscope_nb as ms
from mlscope_nb.explore.nulls import CopulaNull, Marginal

copula_null = ms.explore.copula_null


def correlated(n=4000, seed=0):
    """Columns of one peak: normal, lognormal, heavy-tailed, a copy, a mirrored one; correlated."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 6)) @ np.linalg.cholesky(0.6 * np.ones((6, 6)) + 0.4 * np.eye(6)).T
    return np.column_stack([z[:, 0], np.exp(z[:, 1]), np.sinh(1.5 * z[:, 2]), 3 * z[:, 3] + 100, z[:, 0], -z[:, 4]])


def two_groups(n=2000, apart=8.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) + np.outer(np.arange(n) % 2, [apart, apart, 0])


def test_marginals_are_those_of_the_cells():
    values = correlated()
    null = copula_null(values, seed=3)
    for column, drawn in zip(values.T, null.T, strict=True):
        assert ks_2samp(column, drawn).pvalue > 0.001
        assert drawn.min() >= column.min() and drawn.max() <= column.max()


def test_covariance_is_that_of_the_cells():
    values = correlated()
    null = copula_null(values, seed=4, n=40_000)
    # A correlation of 4,000 heavy-tailed pairs is itself uncertain by some 0.02, and so is that of the null.
    np.testing.assert_allclose(np.corrcoef(null.T), np.corrcoef(values.T), atol=0.05)
    np.testing.assert_allclose(null[:, 0], null[:, 4], atol=1e-3)  # a copy of a column stays a copy


def test_shuffled_columns_would_not_do():
    """The reason for a copula: correlations of 0.6 are there, which shuffling takes away."""
    values = correlated()
    rng = np.random.default_rng(0)
    shuffled = np.column_stack([rng.permutation(column) for column in values.T])
    assert abs(np.corrcoef(shuffled.T)[0, 3]) < 0.1 < 0.5 < np.corrcoef(copula_null(values).T)[0, 3]


def test_two_groups_become_one_of_the_same_mean_deviation_and_correlation():
    values = two_groups()
    null = copula_null(values, n=20_000)
    between = (null[:, 0] > 3.5) & (null[:, 0] < 4.5)
    assert ((values[:, 0] > 3.5) & (values[:, 0] < 4.5)).mean() < 0.002 < 0.05 < between.mean()
    np.testing.assert_allclose(null.mean(axis=0), values.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(null.std(axis=0), values.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(null.T), np.corrcoef(values.T), atol=0.04)


@pytest.mark.parametrize("shape", ["groups", "three", "counts"])
def test_every_marginal_has_one_peak(shape):
    rng = np.random.default_rng(1)
    n = 3000
    column = {
        "groups": two_groups(n)[:, 0],
        "three": rng.normal(size=n) + 7 * rng.integers(0, 3, n),
        "counts": np.where(rng.random(n) < 0.5, rng.poisson(2, n), 30 + rng.poisson(2, n)).astype(float),
    }[shape]
    marginal = Marginal(column)
    places, share = marginal.places, marginal.share
    width = np.ones(len(share)) if marginal.values is not None else np.diff(places)
    density = np.diff(share, prepend=0.0) / width if marginal.values is not None else np.diff(share) / width
    mode = int(np.argmax(density))
    tiny = 1e-9 * density.max()
    assert (np.diff(density[: mode + 1]) >= -tiny).all() and (np.diff(density[mode:]) <= tiny).all()
    observed = np.histogram(column, bins=20)[0]
    assert (np.diff(np.sign(np.diff(observed))) != 0).sum() > 1  # the column itself has several


def test_counted_features_keep_their_values():
    rng = np.random.default_rng(2)
    values = np.column_stack([rng.poisson(3, 1000), rng.random(1000) < 0.3, rng.normal(size=1000)]).astype(float)
    null = copula_null(values)
    for i in (0, 1):
        assert set(null[:, i]) <= set(values[:, i])
    np.testing.assert_allclose(null[:, 1].mean(), values[:, 1].mean(), atol=0.06)


def test_same_seed_same_null_and_other_seed_another():
    values = correlated(200)
    np.testing.assert_array_equal(copula_null(values, 1), copula_null(values, 1))
    np.testing.assert_array_equal(copula_null(values, 1), CopulaNull(values).draw(1))
    assert not np.array_equal(copula_null(values, 1), copula_null(values, 2))
    assert copula_null(values, n=17).shape == (17, 6)


def test_more_features_than_cells_and_constant_ones():
    rng = np.random.default_rng(3)
    values = np.column_stack([rng.normal(size=(20, 50)), np.full(20, 7.0), np.zeros(20)])
    null = copula_null(values)
    assert np.isfinite(null).all() and (null[:, 50] == 7).all() and (null[:, 51] == 0).all()
    assert (null[:, :50].std(axis=0) > 0).all()


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**40])
def test_scale_does_not_matter(scale):
    values = two_groups(500)
    np.testing.assert_allclose(copula_null(values * scale) / scale, copula_null(values), rtol=1e-6, atol=1e-6)


def test_refuses_gaps_and_shapes():
    values = correlated(50)
    with pytest.raises(ValueError, match="expected \\(cells, features\\)"):
        copula_null(values[:, 0])
    values[3, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 300 values are missing"):
        copula_null(values)


def test_takes_a_frame_of_numbers():
    values = correlated(100)
    np.testing.assert_array_equal(copula_null(pd.DataFrame(values)), copula_null(values))


def test_a_tail_that_is_cut_stays_a_tail_and_a_far_peak_does_not_stay():
    """The cells at the end of a cut tail are no peak; those of a group far away are one, though they are cut too."""
    rng, share = np.random.default_rng(0), np.linspace(0.01, 0.99, 99)
    tail = np.exp(rng.normal(size=800)) * 2
    drawn = Marginal(tail, one_peak=True, limit=6.0).at(share)
    np.testing.assert_allclose(drawn, np.quantile(tail, share).clip(max=6), atol=0.35)
    assert (drawn == 6).mean() > 0.1
    far = np.where(rng.random(800) < 0.3, 30.0, 0.0) + rng.normal(size=800)
    between = Marginal(far, one_peak=True, limit=6.0).at(share)
    assert ((between > 3) & (between < 6)).mean() > 0.05 > ((far > 3) & (far < 6)).mean()
