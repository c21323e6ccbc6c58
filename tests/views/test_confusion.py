"""The confusion view: each number is the cells behind it; and estimates drawn with their intervals."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.study.intervals import Interval
from mlscope_nb.views._bokeh import figure_of


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    rows = [(f"w{w}", "ab<"[w % 3]) for w in range(12) for _ in range(8)]
    obs = pd.DataFrame(rows, columns=["well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    table = pd.DataFrame({"area": obs["drug"].map({"a": 0.0, "b": 1.5, "<": 3.0}) + rng.normal(size=len(obs))})
    pixels = rng.integers(0, 900, (len(obs), 1, 12, 12), dtype=np.uint16)
    return ms.Cells(obs, pixels, channels=["DNA"], features=table, label="drug", unit="well")


@pytest.fixture(scope="module")
def found(study):
    return ms.predict.cross_validate(study, baselines=False, progress=False)


def test_numbers_are_those_of_the_evaluation(study, found):
    view = ms.views.confusion(study, found)
    assert view._matrix["counts"] == found.confusion.to_numpy().tolist()
    assert np.allclose(np.sum(view._matrix["shares"], axis=1), 1, atol=1e-3)
    assert view._matrix["classes"] == [str(c) for c in found.confusion.index]


def test_a_click_chooses_exactly_the_cells_behind_the_number(study, found):
    view = ms.views.confusion(study, found)
    for i, given in enumerate(found.confusion.index):
        for j, predicted in enumerate(found.confusion.columns):
            view._received(None, {"kind": "pick", "given": i, "predicted": j}, [])
            rows = (found.predictions["given"] == given) & (found.predictions["predicted"] == predicted)
            wanted = found.predictions.index[rows]
            assert set(view.selected) == set(wanted) == set(ms.views.selection_of(study).selected)
            assert view._pressed == ([i, j] if len(wanted) else [])
            assert set(view.shown) <= set(wanted)


def test_words_say_which_class_was_taken_for_which(study, found):
    view = ms.views.confusion(study, found).show("a", "b")
    n = int(found.confusion.loc["a", "b"])
    assert f"{n} cell" in view._summary and "class a taken for b" in view._summary
    assert all("a, predicted b" in name for name in view._page["names"])
    assert "recognised" in view.show("a", "a")._summary


def test_a_selection_made_elsewhere_is_shown_and_is_no_number(study, found):
    view = ms.views.confusion(study, found)
    ms.views.selection_of(study).select(study.ids[:30])
    assert view._pressed == [] and "several numbers" in view._summary
    view.clear()
    assert view._page["rows"] == [] and "Click a number" in view._summary


def test_untested_cells_are_said_to_be_untested(study, found):
    few = ms.predict.cross_validate(study.subset(study.ids[:72]), baselines=False, progress=False)
    view = ms.views.confusion(study, few)
    view.select(study.ids[90:92])
    assert all("not tested" in name for name in view._page["names"]) and view._pressed == []


def test_what_does_not_fit_is_refused_in_words(study, found):
    with pytest.raises(TypeError, match="cross_validate"):
        ms.views.confusion(study, found.confusion)
    with pytest.raises(KeyError, match="not among these 10 cells"):
        ms.views.confusion(study.subset(study.ids[:10]), found)
    with pytest.raises(KeyError, match="No class 'c'"):
        ms.views.confusion(study, found).show("a", "c")


def test_cells_without_images_have_a_matrix_too(study, found):
    view = ms.views.confusion(ms.Cells(study.obs, label="drug", unit="well"), found).show("b", "b")
    assert len(view.selected) == found.confusion.loc["b", "b"]


def test_estimates_stand_at_their_values_in_order(found):
    drawn = ms.views.estimates({"a model": found, "the same": found})
    figure = figure_of(drawn)
    texts = figure.yaxis[0].major_label_overrides
    assert [texts[k] for k in sorted(texts, reverse=True)] == ["a model", "the same"]
    points = next(part for part in drawn if type(part).__name__ == "Scatter").dframe()
    lines = next(part for part in drawn if type(part).__name__ == "Segments").dframe()
    assert np.allclose(points["x"], found.balanced_accuracy)
    assert np.allclose(lines[["x", "x1"]], [found.interval.low, found.interval.high])
    guessing = next(part for part in drawn if type(part).__name__ == "VLine")
    assert np.isclose(guessing.data, 1 / 3) and figure.x_range.start < 1 / 3 < figure.x_range.end
    assert figure.xaxis[0].axis_label == "balanced accuracy (1 is always right; dashed: guessing)"


def test_one_evaluation_stands_above_its_baselines(study):
    found = ms.predict.cross_validate(study, n_permutations=1, progress=False)
    points = next(part for part in ms.views.estimates(found) if type(part).__name__ == "Scatter").dframe()
    assert points["name"].tolist() == ["logistic", *found.baselines.index] and points["y"].is_monotonic_decreasing
    assert points["x"].iloc[0] == found.balanced_accuracy


def test_an_estimate_without_interval_is_a_point_alone():
    one = Interval(0.5, np.nan, np.nan, 0.95, 1, "x", "t", note="too few")
    two = Interval(0.7, 0.6, 0.8, 0.95, 9, "x", "t")
    drawn = ms.views.estimates({"one": one, "two": two})
    segments = next(part for part in drawn if type(part).__name__ == "Segments")
    points = next(part for part in drawn if type(part).__name__ == "Scatter")
    assert len(segments) == 1 and len(points) == 2
    assert points.dframe()["interval"].tolist() == ["no interval", "0.6 to 0.8"]


def test_estimates_refuse_what_they_are_not():
    with pytest.raises(ValueError, match="nothing to draw"):
        ms.views.estimates({})
    with pytest.raises(TypeError, match="expected an Interval"):
        ms.views.estimates({"a": 0.5})
    with pytest.raises(KeyError, match="'high'"):
        ms.views.estimates(pd.DataFrame({"score": [1.0], "low": [0.5]}))
