"""The threshold view without a browser: what it shows, selects and writes is what its line of code flags."""

import ast
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlscope_nb as ms
from mlscope_nb.curate import cutoff
from mlscope_nb.views import _cutwords

ODD = '<img src=x onerror="alert(1)">'


@pytest.fixture
def study(some_cells, apart):
    """Return cells of two classes on plates of wells, their scores, and which are truly blurred."""
    n = 240
    rng = np.random.default_rng(4)
    obs = {
        "kind": np.where(np.arange(n) % 2, ODD, "round"),
        "plate": np.repeat(["p1", "p2"], n // 2),
        "well": np.repeat([f"w{i}" for i in range(12)], n // 12),
    }
    cells = some_cells(n, obs=obs, label="kind", unit=["plate", "well"])
    truth = pd.Series(rng.random(n) < np.where(np.arange(n) % 2, 0.3, 0.02), index=cells.ids)
    focus = np.where(truth, rng.uniform(0.05, 0.4, n), rng.uniform(0.3, 0.8, n))
    scores = pd.DataFrame({"note": "x", "own": rng.normal(size=n), "focus": focus.round(3)}, index=cells.ids)
    scores["size"] = rng.normal(size=n) * 0.2
    scores.loc[cells.ids[5], "focus"] = np.nan
    return cells, scores, truth


def test_everything_says_the_same_cells(study):
    cells, scores, truth = study
    tuner = ms.views.tune_threshold(cells, scores.iloc[::-1], "focus", truth=truth)
    for threshold in (0.0, 0.305, 0.42, np.float64(0.9)):
        tuner.set(threshold=threshold)
        wanted = scores["focus"] < threshold
        assert tuner.selected.tolist() == cells.ids[wanted].tolist() == tuner.selection.selected.tolist()
        pd.testing.assert_series_equal(tuner.flags, wanted)
        line = ast.parse(tuner.code).body[0].value
        assert ast.unparse(line.left) == "scores['focus']" and isinstance(line.ops[0], ast.Lt)
        assert ast.literal_eval(line.comparators[0]) == tuner.threshold == threshold
        flagged = ms.curate.flag_quality(scores[["focus"]], thresholds={"focus": float(threshold)})["focus"]
        assert (flagged == wanted).all()
        hits = int((wanted & truth).sum())
        assert tuner.recall == hits / truth.sum()
        assert np.isnan(tuner.precision) if not wanted.any() else tuner.precision == hits / wanted.sum()
        share = f"{int(wanted.sum()):,} of 240 cells would be left out"
        assert tuner._cut["first"].startswith(share) and "1 cell without this score always stays" in tuner._cut["first"]
        assert tuner._page["total"] == wanted.sum()
    with pytest.raises(ValueError, match="No truth was given"):
        _ = ms.views.tune_threshold(cells, scores).precision


def test_it_begins_where_flag_quality_has_its_thresholds(study):
    cells, scores, _ = study
    limits = ms.curate.quality_thresholds(scores, cells).set_index("score")
    tuner = ms.views.tune_threshold(cells, scores)
    assert (tuner.column, tuner.side) == ("focus", "below")
    assert tuner.threshold == pytest.approx(limits.loc["focus", "low"].median(), rel=1e-3)
    assert len(tuner._score["usual"]) == 2
    tuner.set(column="size")
    assert (tuner.side, tuner.threshold) == ("above", pytest.approx(limits.loc["size", "high"].median(), rel=1e-3))
    # The side may be turned; another score begins at one in a hundred.
    assert tuner.set(side="below", threshold=-0.2).code == 'flags = scores["size"] < -0.2'
    tuner.set(column="own")
    assert tuner._score["usual"] == [] and 1 <= len(tuner.selected) <= 5 and ">" in tuner.code


def test_the_scale_of_the_slider_reaches_none_and_all(study):
    cells, scores, _ = study
    for column in ("focus", "own", "size"):
        tuner = ms.views.tune_threshold(cells, scores, column)
        grid = tuner._score["grid"]
        assert len(grid) == 401 and (np.diff(grid) > 0).all()
        numbers = [len(tuner.set(threshold=g).selected) for g in (grid[0], grid[-1])]
        assert sorted(numbers) == [0, int(scores[column].notna().sum())]
        assert sum(tuner._score["bars"]) == max(numbers)
        assert grid[0] < tuner.threshold <= grid[-1] and all(0 < u < 1 for u in tuner._score["usual"])
        assert 3 <= len(tuner._score["ticks"]) <= 9


def test_the_gallery_pages_through_these_cells_in_order(study):
    cells, scores, truth = study
    tuner = ms.views.tune_threshold(cells, scores, "focus", truth=truth, threshold=0.36)
    gone = scores["focus"][scores["focus"] < 0.36]
    assert tuner.shown.tolist() == gone.sort_values(kind="stable").index[: tuner._room].tolist()
    assert tuner._page["marks"] == ["#0072b2" if truth[i] else "" for i in tuner.shown]
    nearest = tuner.sort("nearest").shown
    assert scores["focus"][nearest].is_monotonic_decreasing and nearest[0] == gone.idxmax()
    kinds = {"kept": ~tuner.flags, "wrong": tuner.flags & ~truth, "missed": ~tuner.flags & truth}
    for show, wanted in kinds.items():
        tuner.set(show=show)
        assert set(cells.ids[tuner._shown()]) == set(cells.ids[wanted])


def test_losses_are_those_of_the_filter_bias(study):
    cells, scores, truth = study
    tuner = ms.views.tune_threshold(cells, scores, "focus", truth=truth, threshold=0.3)
    table = tuner.bias.table.set_index(["kind", "name"])
    for kind, parts in cutoff.parts_of(cells).items():
        most, least = parts.extremes(tuner.flags.to_numpy())
        assert most.name == table.loc[kind]["rate"].idxmax() and least.name == table.loc[kind]["rate"].idxmin()
        for loss in (most, least):
            row = table.loc[(kind, loss.name)]
            assert (loss.n_cells, loss.n_taken) == (row["n_cells"], row["n_flagged"])
            np.testing.assert_allclose([loss.share.estimate, loss.share.low], [row["rate"], row["low"]])
    assert tuner._cut["lines"][1].startswith(f"Class “{ODD}” (")
    assert len(tuner.bias.warnings) == 1 and ODD in tuner.bias.warnings[0]
    row = table.loc[("class", ODD)]
    text = f"More is lost of class “{ODD}” ({100 * row['difference']:.1f} points more than the rest"
    assert _cutwords.compared(tuner.bias).startswith(text)
    assert "No class or plate" in _cutwords.compared(tuner.set(threshold=0.06).bias)
    tuner.set(threshold=0.3)
    json.dumps([tuner._cut, tuner._score])
    assert len(tuner._saved()[1]) == 1 and tuner.set(threshold=0.0)._saved()[1] == []


def test_the_curve_agrees_with_scikit_learn():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.2
    values = stats.norm.rvs(size=300, random_state=1).round(1) - truth
    precision, recall, area = cutoff.precision_recall_curve(values, truth, "below")
    assert area == pytest.approx(average_precision_score(truth, -values))
    for at, (p, r) in zip(np.unique(values), zip(precision, recall, strict=True), strict=True):
        flags = values <= at
        assert (p, r) == cutoff.precision_recall(flags, truth)


def test_a_drag_is_one_step_back_and_another_selection_is_said(study, send):
    cells, scores, _ = study
    tuner = ms.views.tune_threshold(cells, scores, "focus", threshold=0.1)
    tuner.selection.select(cells.ids[:7])
    assert "7 cells" in tuner._differs and tuner._page["rings"]
    for turn, value in enumerate((0.2, 0.3, 0.4), 1):
        send(tuner, "threshold", value=value, turn=turn)
        assert tuner._cut["turn"] == turn and tuner._differs == ""
        assert tuner.selection.selected.equals(cells.ids[scores["focus"] < value])
    assert tuner.selection.undo() == "threshold"
    assert tuner.selection.selected.equals(cells.ids[:7]) and "7 cells" in tuner._differs
    send(tuner, "agree")
    assert tuner.selection.selected.equals(tuner.selected) and tuner._differs == ""
    send(tuner, "score", column="size")
    send(tuner, "side", side="below")
    send(tuner, "show", what="kept")
    assert (tuner.column, tuner.side, tuner._page["total"]) == ("size", "below", int((~tuner.flags).sum()))


def test_what_it_refuses(study):
    cells, scores, truth = study
    tune = ms.views.tune_threshold
    tuner = tune(cells, scores, threshold=0.3)
    for error, text, call in [
        (TypeError, "Expected Cells", lambda: tune(scores, scores)),
        (TypeError, "expected a table of", lambda: tune(cells, scores["focus"])),
        (ValueError, "does not fit these 240 rows", lambda: tune(cells, scores.iloc[:9])),
        (ValueError, "holds numbers", lambda: tune(cells, scores[["note"]])),
        (KeyError, "No score 'note'", lambda: tune(cells, scores, "note")),
        (TypeError, "True and False", lambda: tune(cells, scores, truth=truth.astype(int))),
        (ValueError, "finite", lambda: tuner.set(threshold=np.nan)),
        (TypeError, "expected a number", lambda: tuner.set(threshold="0.2")),
        (ValueError, "side='left'", lambda: tuner.set(side="left")),
        (ValueError, "need a truth", lambda: tuner.set(show="missed")),
    ]:
        with pytest.raises(error, match=text):
            call()
    assert tuner.threshold == 0.3


def test_cells_without_design_or_pictures_have_a_threshold_too(some_cells, apart):
    cells = some_cells(30, images=False, batch=None)
    scores = pd.DataFrame({"own": [1.0] * 30}, index=cells.ids)
    tuner = ms.views.tune_threshold(cells, scores, threshold=0.5)
    assert len(tuner.selected) == 30 and tuner._cut["lines"] == []
    assert tuner._page["title"] == "These cells have no images"
