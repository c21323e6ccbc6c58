"""Intervals of scores: what they rest on, and what they are made of."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from mlscope_nb.predict.intervals import contributions, counts, end_of_classes, score_interval


def predictions(n_groups=6, n=30, seed=0, n_classes=3):
    rng = np.random.default_rng(seed)
    group = np.repeat([f"g{k}" for k in range(n_groups)], n)
    truth = np.tile(np.arange(n_classes), n_groups * n // n_classes)
    correct = (rng.random(len(truth)) < np.repeat(rng.uniform(0.5, 0.9, n_groups), n)).astype(float)
    return truth, correct, pd.Series(group)


def interval(truth, correct, group, large=True):
    return score_interval(truth, correct, group, large=large, word="plate", target="new plates")


def test_balanced_groups_contribute_their_own_balanced_accuracy():
    truth, correct, group = predictions()
    values = contributions(*counts(truth, correct, group))
    said = np.where(correct == 1, truth, (truth + 1) % 3)
    own = [balanced_accuracy_score(truth[group == g], said[group == g]) for g in sorted(set(group))]
    assert values == pytest.approx(own)


def test_over_plates_it_is_students_t_widened_by_what_training_shares():
    truth, correct, group = predictions()
    found = interval(truth, correct, group)
    values = contributions(*counts(truth, correct, group))
    half = stats.t.ppf(0.975, 5) * values.std(ddof=1) / np.sqrt(6) * np.sqrt(1 + 4 / 6)
    assert found.estimate == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert (found.method, found.n_units, found.target) == ("t", 6, "balanced accuracy on new plates")


def test_over_wells_whole_wells_are_drawn_again():
    truth, correct, group = predictions(n_groups=24, n=9)
    found = interval(truth, correct, group, large=False)
    values = contributions(*counts(truth, correct, group))
    half = stats.t.ppf(0.975, 23) * values.std(ddof=1) / np.sqrt(24) * np.sqrt(1 + 8 / 24)
    assert found.method == "bootstrap (t)"
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)


@pytest.mark.parametrize("large", [True, False])
def test_copies_of_cells_change_no_end(large):
    parts = predictions()
    once = interval(*parts, large=large)
    twice = interval(*(np.tile(part, 2) for part in parts[:2]), pd.concat([parts[2]] * 2), large=large)
    assert (once.low, once.high, once.estimate) == pytest.approx((twice.low, twice.high, twice.estimate), abs=1e-12)


def test_ends_stay_within_what_a_score_can_be():
    truth, correct, group = predictions(n_groups=3, seed=1)
    correct[group == "g0"] = 1
    found = interval(truth, correct, group)
    assert 0 <= found.low < found.high <= 1


@pytest.mark.parametrize("large", [True, False])
def test_a_perfect_score_is_not_certain_and_copies_do_not_make_it_so(large):
    truth, _, group = predictions(n_groups=4)
    right = interval(truth, np.ones(len(truth)), group, large=large)
    assert (right.low, right.high) == pytest.approx((stats.beta.ppf(0.025, 4, 1), 1))
    assert "All 4 plates came out right" in right.note
    wrong = interval(truth, np.zeros(len(truth)), group, large=large)
    assert (wrong.low, wrong.high) == pytest.approx((0, 1 - right.low)) and "came out wrong" in wrong.note
    twice = interval(np.tile(truth, 2), np.ones(2 * len(truth)), pd.concat([group] * 2), large=large)
    assert (twice.low, twice.high) == (right.low, right.high)


def test_a_class_with_one_well_may_be_bad_unseen():
    wells = pd.Series([f"w{k}" for k in range(12)])
    even, odd = np.arange(12) % 2, (np.arange(12) == 0).astype(int)
    ends = [interval(truth, np.ones(12), wells, large=False).low for truth in (even, odd)]
    alone = (0.025 / 11**11) ** (1 / 12)  # recall of the lonely class, and eleven times as much of the other
    assert ends == pytest.approx([0.025 ** (1 / 12), 6 * alone]) and ends[1] < ends[0]


def test_the_exact_end_is_the_least_mean_of_recalls_that_a_search_finds():
    rng = np.random.default_rng(0)
    for _ in range(10):
        given = (rng.random((7, 3)) < 0.5).astype(float)
        given[np.arange(7), rng.integers(0, 3, 7)] = 1
        share = given / given.sum(axis=1, keepdims=True)
        trials = share.sum(axis=0)[given.any(axis=0)]
        recalls = rng.dirichlet(np.ones(len(trials)), 20000)  # how the logarithm of the least likely is divided
        recalls = np.exp(np.log(0.025) * recalls / trials)
        assert 0 <= recalls.mean(axis=1).min() - end_of_classes(given, 0.95) < 0.03


def test_two_plates_are_too_few():
    truth, correct, group = predictions(n_groups=2)
    found = interval(truth, correct, group)
    assert not found.known and "too few units to say, 2 plates" in found.note
