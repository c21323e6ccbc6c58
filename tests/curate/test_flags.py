"""Flags: everything stays and is listed, thresholds come from controls, and a filter that picks is noticed."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import Cells
from mlscope_nb.curate import filter_bias, flag_quality, quality_thresholds, score_quality
from mlscope_nb.curate.thresholds import RULES
from mlscope_nb.datasets import simulate
from mlscope_nb.study import difference_interval


@pytest.fixture(scope="module")
def study():
    return simulate(2, 8, 18, seed=51, fault_rate=0.04)


@pytest.fixture(scope="module")
def scores(study):
    return score_quality(study[0])


@pytest.fixture(scope="module")
def flags(study, scores):
    return flag_quality(scores, study[0])


def test_nothing_is_removed_and_every_flag_has_its_reason(study, scores, flags):
    assert flags.index.equals(study[0].ids)
    names = [n for n in RULES if n in scores]
    assert (flags["flagged"] == flags[names].any(axis=1)).all()
    assert ((flags["reason"] != "") == flags["flagged"]).all()
    for name in names:
        assert flags.loc[flags[name], "reason"].str.contains(name).all()
    assert flags["main"][flags["flagged"]].isin(names).all()
    assert flags.attrs["history"][-1]["n_flagged"] == flags["flagged"].sum()


def test_most_faults_are_flagged_and_hardly_anything_else(study, flags):
    fault = study[1].obs["fault"]
    for name in ("defocus", "saturation", "empty", "cut"):
        assert flags.loc[fault == name, "flagged"].mean() > 0.9
    assert flags.loc[fault == "none", "flagged"].mean() <= 0.02


def test_a_clean_study_is_hardly_flagged():
    cells, _ = simulate(1, 8, 20, seed=52, faults=0)
    assert flag_quality(cells)["flagged"].mean() <= 0.02


def test_any_fault_beyond_one_is_what_is_flagged(scores, flags):
    assert ((scores["any_fault"] > 1) == flags["flagged"]).all()


def test_thresholds_come_from_controls_of_the_plate(study, scores):
    cells = study[0]
    table = quality_thresholds(scores, cells)
    assert set(table["learned_from"]) == {"controls"}
    assert set(table["plate"]) == {"P1", "P2"}
    n_controls = (cells.controls & (cells.batches_of == "P1")).sum()
    assert table.query("plate == 'P1' and score == 'cut'")["n"].item() == n_controls


def test_without_controls_all_cells_stand_for_them_and_it_is_written_down(study, scores):
    free = study[0].with_design(control=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flags = [flag_quality(scores, free), flag_quality(scores)]
        known = flag_quality(scores, study[0])
    assert all("come from all cells, not from controls" in f.attrs["history"][-1]["note"] for f in flags)
    assert "note" not in known.attrs["history"][-1] and flags[1].index.equals(scores.index)


def test_declared_controls_that_are_too_few_are_warned_of(study, scores):
    few = study[0].with_design(control={"well": "A01"})
    with pytest.warns(UserWarning, match="on 2 plates .* come from all cells"):
        flag_quality(scores, few)


def test_own_thresholds_count_on_every_plate(study, scores):
    given = flag_quality(scores, study[0], thresholds={"focus": 0.2, "size": (-0.5, 0.5), "debris": None})
    assert (given["focus"] == (scores["focus"] < 0.2)).all()
    assert (given["size"] == ((scores["size"] < -0.5) | (scores["size"] > 0.5))).all()
    assert not given["debris"].any()
    assert set(quality_thresholds(scores, study[0], thresholds={"focus": 0.2}).query("score == 'focus'")["low"]) == {
        0.2
    }


def test_a_score_that_is_not_known_flags_nothing(study, scores):
    holes = scores.copy()
    holes.loc[holes.index[:50], "focus"] = np.nan
    assert not flag_quality(holes, study[0])["focus"].iloc[:50].any()


def test_the_order_of_the_rows_is_that_of_the_cells(study, scores, flags):
    shuffled = scores.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(flag_quality(shuffled, study[0]), flags)


def test_what_does_not_fit_is_refused(study, scores):
    with pytest.raises(KeyError, match="No score 'blur'"):
        flag_quality(scores, study[0], thresholds={"blur": 1})
    with pytest.raises(ValueError, match="two numbers"):
        flag_quality(scores, study[0], thresholds={"size": 1})
    with pytest.raises(ValueError, match="one number"):
        flag_quality(scores, study[0], thresholds={"focus": (0, 1)})
    with pytest.raises(KeyError, match="score_quality"):
        flag_quality(pd.DataFrame({"a": [1.0]}, index=["x"]))
    with pytest.raises(ValueError, match="does not fit"):
        flag_quality(scores.iloc[:-1], study[0])
    with pytest.raises(TypeError, match="expected a table"):
        flag_quality("scores")


@pytest.fixture(scope="module")
def plates():
    """Two plates of 12 wells of 20 cells, three classes in each."""
    obs = pd.DataFrame(
        [(p, w, "abc"[w % 3]) for p in "PQ" for w in range(12) for _ in range(20)], columns=["plate", "well", "drug"]
    )
    obs.index = [f"c{i}" for i in range(len(obs))]
    return Cells(obs, unit=["plate", "well"], batch="plate", label="drug")


def test_a_filter_that_takes_one_class_is_noticed(plates):
    rate = np.where(plates.labels == "b", 0.4, 0.05)
    picked = pd.Series(np.random.default_rng(0).random(len(plates)) < rate, plates.ids)
    report = filter_bias(picked, plates)
    row = report.table.set_index("name").loc["b"]
    assert row["difference_low"] > 0
    assert row["low"] < 0.4 < row["high"]
    assert len(report.warnings) == 1
    assert "'b'" in str(report)
    assert report.to_dict()["warnings"] == list(report.warnings)
    assert "<table" in report._repr_html_()


def test_a_filter_that_takes_one_plate_is_noticed(plates):
    picked = pd.Series(np.random.default_rng(0).random(len(plates)) < 0.05, plates.ids) | (plates.batches_of == "Q")
    assert "plate 'Q'" in str(filter_bias(picked, plates))


def test_a_filter_that_takes_what_comes_is_not_accused(study, flags, plates):
    even = pd.Series(np.random.default_rng(1).random(len(plates)) < 0.1, plates.ids)
    assert filter_bias(even, plates).warnings == ()
    assert "No class or plate" in str(filter_bias(even, plates))
    counted = filter_bias(flags, study[0]).table.query("kind == 'class'")
    assert counted["n_flagged"].sum() == flags["flagged"].sum()


def test_bias_needs_units_and_flags(study, scores, flags):
    with pytest.raises(ValueError, match="No unit"):
        filter_bias(flags, study[0].with_design(unit=None))
    with pytest.raises(KeyError, match="flagged"):
        filter_bias(scores, study[0])


def test_bias_over_units_is_the_same_as_over_their_cells(plates):
    picked = pd.Series(np.random.default_rng(2).random(len(plates)) < 0.2, plates.ids, name="picked")
    row = filter_bias(picked, plates).table.set_index("name").loc["a"]
    side = (plates.labels == "a").map({True: "this", False: "rest"}).rename("side")
    wanted = difference_interval(
        picked.astype(float),
        plates.with_obs(side).with_design(label="side"),
        between=("rest", "this"),
        level=1 - 0.05 / 3,
    )
    assert row[["difference", "difference_low", "difference_high"]].tolist() == pytest.approx(
        [wanted.estimate, wanted.low, wanted.high]
    )
    mixed = plates.with_obs(pd.Series(list("xy") * (len(plates) // 2), plates.ids, name="drug"))
    assert filter_bias(picked, mixed).table.query("kind == 'class'")["n_units"].tolist() == [24, 24]
