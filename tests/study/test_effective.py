"""Effective n: the textbook estimator, and the truth of simulated cells."""

import numpy as np
import pytest

from mlscope_nb import study


def test_textbook_estimate_for_unequal_units():
    values, units = np.array([1.0, 2, 3, 7, 9, 4]), np.array(list("AAABBC"))
    sizes, means = np.array([3, 2, 1]), np.array([2, 8, 4])
    between = (sizes * (means - 26 / 6) ** 2).sum() / 2
    within = (2 + 2) / 3
    size = (6 - 14 / 6) / 2
    icc = (between - within) / (between + (size - 1) * within)
    found = study.effective_n(values, units)
    assert found.icc == pytest.approx(icc)
    assert found.design_effect == pytest.approx(1 + (14 / 6 - 1) * icc)
    assert found.n_effective == pytest.approx(6 / found.design_effect)


def test_effective_n_is_the_variance_of_the_mean_that_repeated_studies_show():
    rng = np.random.default_rng(0)
    sizes = np.array([10, 20, 40, 80, 10, 30])
    units = np.repeat(np.arange(6), sizes)
    means = [(rng.normal(0, 1, 6)[units] + rng.normal(0, 2, len(units))).mean() for _ in range(4000)]
    worth = 5 / np.var(means)
    many = np.tile(units, 300) + np.repeat(np.arange(300) * 6, len(units))
    values = rng.normal(0, 1, 1800)[many] + rng.normal(0, 2, len(many))
    found = study.effective_n(values, many)
    assert found.icc == pytest.approx(0.2, abs=0.02)
    assert found.n_effective / 300 == pytest.approx(worth, rel=0.1)


def test_independent_cells_keep_their_number_and_words():
    rng = np.random.default_rng(4)
    found = study.effective_n(rng.normal(size=1200), np.repeat(np.arange(6), 200))
    assert found.n_effective > 300
    alike = study.effective_n(np.repeat(np.arange(6.0), 200) + rng.normal(0, 1e-3, 1200), np.repeat(np.arange(6), 200))
    assert str(alike).startswith("1,200 cells in 6 units are worth about 6 independent ones")


@pytest.mark.parametrize(
    ("values", "units", "words"),
    [
        (np.arange(4.0), np.zeros(4), "fewer than two units"),
        (np.ones(4), np.array([0, 0, 1, 1]), "same value"),
        (np.full(4, np.nan), np.array([0, 0, 1, 1]), "fewer than two units"),
    ],
)
def test_not_known_is_said(values, units, words):
    found = study.effective_n(values, units)
    assert np.isnan(found.n_effective) and words in str(found)


def test_profiles_are_worth_their_number():
    assert study.effective_n(np.arange(5.0), np.arange(5)).n_effective == 5
