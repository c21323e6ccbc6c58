"""Active learning: queries that ask what they should, a test that is locked, and paired differences."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict.active import locked
from mlscope_nb.predict.queries import doubts, query

active_learning = ms.predict.active_learning


@pytest.fixture(scope="module", name="found")
def played(study):
    cells = study(n_plates=4, n_wells=9, n_cells=10, n_classes=3, effect=1.5)
    return active_learning(cells, ["margin", "diverse"], rounds=3, n_repeats=4, per_round=8)


def test_each_strategy_is_beside_random_from_the_same_start(found):
    assert list(dict.fromkeys(found.index.get_level_values("strategy"))) == ["random", "margin", "diverse"]
    assert sorted(set(found.index.get_level_values("n_labelled"))) == [10, 18, 26, 34]
    assert set(found.index.get_level_values("test")) == {"new wells", "new plates"}
    first = found.xs(10, level="n_labelled")
    assert first["gain"].fillna(0).abs().max() == 0 and first["balanced_accuracy"].groupby("test").nunique().max() == 1
    assert found.loc["random", ["gain", "gain_low", "gain_high"]].isna().all().all()
    runs = found.attrs["runs"]
    late = runs[(runs["n_labelled"] == 34) & (runs["test"] == "new wells")].pivot(
        index="repeat", columns="strategy", values="balanced_accuracy"
    )
    row = found.loc[("margin", "new wells", 34)]
    difference = late["margin"] - late["random"]
    assert row["gain"] == pytest.approx(difference.mean())
    plain = difference.std() / np.sqrt(4)
    assert (row["gain_high"] - row["gain"]) > 3.18 * plain and row["gain_low"] <= row["gain"] <= row["gain_high"]


def test_more_labels_teach_more_and_a_round_is_quick(found):
    scores = found["balanced_accuracy"].groupby("n_labelled").mean()
    assert scores.loc[34] > scores.loc[10] + 0.03
    assert (found["seconds"] > 0).all()


def test_the_same_seed_gives_the_same_and_cells_come_in_any_order(study):
    cells = study(n_plates=2, n_wells=8)
    options = {"strategies": ["diverse"], "rounds": 2, "n_repeats": 2, "seed": 3}
    one, two = (active_learning(cells, **options).drop(columns="seconds") for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert set(one.index.get_level_values("test")) == {"new wells"}
    mixed = cells.subset(np.random.default_rng(0).permutation(cells.ids))
    three = active_learning(mixed, **options).drop(columns="seconds")
    pd.testing.assert_frame_equal(one, three)


def test_locked_cells_are_whole_units_and_plates(study):
    cells = study(n_plates=5, n_wells=8)
    pool, tests = locked(cells, None, 0, "well")
    plates = [set(part.batches_of) for part in (pool, tests["new plates"])]
    assert plates[0].isdisjoint(plates[1]) and len(plates[1]) >= 1
    assert set(tests["new wells"].batches_of) <= plates[0]
    assert set(tests["new wells"].units).isdisjoint(pool.units)
    assert len(pool) + sum(map(len, tests.values())) == len(cells)


def test_queries_ask_what_they_say():
    said = np.array([[0.9, 0.05, 0.05], [0.45, 0.45, 0.1], [0.4, 0.3, 0.3], [0.5, 0.5, 0.0], [0.8, 0.1, 0.1]])
    values = np.zeros((5, 1))
    # The margin is smallest where two classes tie; the entropy is largest where all three are near each other.
    assert set(query(said, values, 2, "margin")) == {1, 3} and query(said, values, 1, "uncertainty").tolist() == [2]
    assert query(said, values, 9, "margin").tolist()[-1] == 0
    assert sorted(query(said, values, 5, "random", seed=1)) == [0, 1, 2, 3, 4]
    assert doubts(said, "uncertainty")[2] == pytest.approx(0.9912, abs=1e-3)


def test_diverse_queries_are_not_of_one_kind():
    rng = np.random.default_rng(0)
    # The most doubtful cells are all alike; others are nearly as doubtful.
    doubt = np.r_[np.full(20, 0.5), np.full(20, 0.52), np.full(160, 0.99)]
    said = np.column_stack([doubt, 1 - doubt])
    values = np.r_[rng.normal(0, 0.1, (20, 2)), rng.normal(5, 0.1, (20, 2)), rng.normal(size=(160, 2))]
    assert (query(said, values, 4, "margin") < 20).all()
    spread = query(said, values, 4, "diverse")
    assert (spread < 20).sum() >= 1 and ((spread >= 20) & (spread < 40)).sum() >= 1 and len(set(spread)) == 4
    same = query(said, np.zeros((200, 2)), 4, "diverse")
    assert len(set(same)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategies": ["clever"]}, "No strategy 'clever'"),
        ({"rounds": 100}, "labels asked for in all"),
        ({"n_repeats": 1}, "n_repeats 2"),
    ],
)
def test_what_cannot_be_played_is_refused(study, options, message):
    with pytest.raises(ValueError, match=message):
        active_learning(study(), **options)


def test_no_label_and_no_unit_are_refused(study):
    for missing in ("label", "unit"):
        with pytest.raises(ValueError, match=rf"No {missing}"):
            active_learning(study().with_design(**{missing: None}))
