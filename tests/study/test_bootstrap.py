"""The bootstrap draws units: pinned to SciPy on unit means, and to itself between arrays and tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlscope_nb import study


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_agrees_with_scipy_on_unit_means(make, method):
    cells = make(n_batches=2)
    means = study.unit_means("size", cells).to_numpy()
    found = study.bootstrap_interval("size", cells, method=method, n_resamples=20000)
    expected = stats.bootstrap(
        (means,), np.mean, n_resamples=20000, method=method, rng=np.random.default_rng(5)
    ).confidence_interval
    spread = means.std() / np.sqrt(len(means))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.05 * spread)


def test_t_of_the_mean_is_the_t_interval(make):
    cells = make()
    boot = study.bootstrap_interval("size", cells, method="t", n_resamples=50000)
    exact = study.t_interval("size", cells)
    assert boot.high - boot.low == pytest.approx(exact.high - exact.low, rel=0.02)


def test_table_statistic_sees_all_rows_of_units(make):
    cells = make(uneven=False)
    table = cells.obs.join(cells.features)
    for method in ("t", "percentile", "bca"):
        of_table = study.bootstrap_interval(table, cells, lambda t: t["size"].mean(), method=method, n_resamples=300)
        of_means = study.bootstrap_interval("size", cells, method=method, n_resamples=300)
        assert (of_table.low, of_table.high) == pytest.approx((of_means.low, of_means.high), abs=1e-9)
    sizes = []
    study.bootstrap_interval(table, cells, lambda t: sizes.append(len(t)) or 0.0, n_resamples=100)
    assert set(sizes) == {len(cells)}


def test_score_of_predictions_with_bounds(make):
    from sklearn.metrics import balanced_accuracy_score

    cells = make(n_batches=1, units=6, cells=30)
    right = np.random.default_rng(0).random(len(cells)) < 0.97
    table = pd.DataFrame({"y": cells.labels, "p": cells.labels.where(right, "a")})

    def score(t):
        return balanced_accuracy_score(t["y"], t["p"]) if t["y"].nunique() == 2 else np.nan

    found = study.bootstrap_interval(table, cells, score, bounds=(0, 1), n_resamples=400, target="balanced accuracy")
    assert found.low < score(table) == found.estimate and found.high <= 1
    assert "left out: no number" in found.note
    assert str(found).count("6 units") == 1


def test_function_and_median_of_unit_means(make):
    cells = make(n_batches=2)
    named = study.bootstrap_interval("size", cells, "median", seed=3)
    by_hand = study.bootstrap_interval("size", cells, np.median, seed=3)
    assert (named.low, named.high) == pytest.approx((by_hand.low, by_hand.high), abs=1e-12)


def test_seed_repeats_and_order_of_rows_does_not_matter(make, shuffled):
    cells = make()
    a, b, c = (study.bootstrap_interval("size", x, seed=s) for x, s in [(cells, 0), (shuffled(cells), 0), (cells, 1)])
    assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=1e-12)
    assert a.low != c.low
    one, two = (
        study.bootstrap_interval(x.features, x, lambda t: t["size"].median(), n_resamples=100)
        for x in (cells, shuffled(cells))
    )
    assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-12)


def test_options_that_cannot_be(make):
    cells = make()
    for options, message in [
        ({"method": "magic"}, "method is 'magic'"),
        ({"statistic": "mode"}, "statistic is 'mode'"),
        ({"statistic": "median", "method": "studentized"}, "for statistic='mean'"),
        ({"n_resamples": 10}, "at least 100"),
    ]:
        with pytest.raises(ValueError, match=message):
            study.bootstrap_interval("size", cells, **options)
    with pytest.raises(ValueError, match="values are a table"):
        study.bootstrap_interval(cells.features, cells)
    four = study.bootstrap_interval(np.arange(4.0), method="studentized")
    assert not four.known and "needs at least 6 units" in str(four)
    never = study.bootstrap_interval("size", cells, lambda means: np.nan)
    assert not never.known
