"""Label, train, correct: rounds of training from buttons and from Python, with a test that is never learned from."""

import json

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict.label_rounds import LabelRounds


@pytest.fixture
def cells(some_cells):
    """Cells of two kinds in 20 wells; feature "a" tells the kind, and some cells lie between."""
    made = some_cells(200, batch=None)
    kind = np.where(np.arange(200) % 2, "round", "long")
    table = made.features.copy()
    table["a"] = np.where(kind == "round", 3.0, -3.0) * (np.arange(200) % 10 > 1) + 0.3 * table["a"]
    obs = pd.DataFrame({"kind": kind, "well": [f"w{i // 10:02d}" for i in range(200)]}, index=made.ids)
    return made.with_obs(obs).with_features(table).with_design(unit="well")


def opened(cells, **more):
    return ms.views.label_train_correct(cells, **{"truth": "kind", "autosave": False, **more})


def label(view, n=5, names=("long", "round")):
    kinds = view.cells.obs["kind"].drop(view.locked)
    for name in names:
        view.select(kinds.index[kinds == name][2 : n + 2]).assign(name)
    return view


def test_locked_units_are_whole_and_never_asked_about(cells, apart):
    view = label(opened(cells))
    locked = cells.units[view.locked]
    assert set(locked).isdisjoint(cells.units.drop(view.locked)) and len(view.locked) == 70
    view.train()
    asked = view.uncertain(500)
    assert asked.isin(view.locked).sum() == 0 and len(asked) == 200 - 70 - 10
    assert opened(cells, seed=0).locked.equals(view.locked) and not opened(cells, seed=1).locked.equals(view.locked)


def test_labels_of_locked_cells_teach_nothing(cells, apart):
    rounds, view = LabelRounds(cells, truth="kind"), label(opened(cells))
    labels = view.labels
    first = rounds.train(labels)
    labels[view.locked] = "nonsense"
    second = rounds.train(labels)
    assert second.n_labelled == first.n_labelled == 10 and second.n_classes == 2 and second.n_changed == 0
    assert second.score == first.score
    pd.testing.assert_frame_equal(
        second.model.predict_proba(rounds.cells), first.model.predict_proba(rounds.cells), check_names=False
    )


def test_rounds_are_counted_and_scored_with_an_interval_over_units(cells, apart):
    view = label(opened(cells), n=8)
    first = view.train()
    assert (first.n_labelled, first.n_classes, first.n_changed, first.n_tested) == (16, 2, 16, 70)
    assert first.score.n_units == 7 and first.score.unit == "well" and first.score.low <= first.score.estimate
    doubtful = view.uncertain(20)
    assert view.shown.tolist() == doubtful.tolist()[: len(view.shown)]
    # What the model doubts are the cells that lie between the kinds.
    between = cells.ids[np.arange(200) % 10 <= 1]
    assert doubtful[:15].isin(between).mean() > 0.6
    view.select(doubtful[:3]).assign("long").select(view.labels.dropna().index[:1]).assign("round")
    again = view.train()
    assert (again.n_labelled, again.n_changed) == (19, 4)
    history = view.history
    assert history["number"].tolist() == [1, 2] and history["n_labelled"].tolist() == [16, 19]
    assert history.loc[1, "balanced_accuracy"] == again.score.estimate


def test_without_answers_the_test_is_what_was_labelled_among_locked_cells(cells, apart):
    view = label(opened(cells, truth=None))
    done = view.train()
    assert done.n_tested == 0 and np.isnan(done.score.estimate) and "label some of them" in done.score.note
    assert view._training["by_hand"] and view._training["rounds"][0][3] == "not tested"
    shown = view.test_cells()
    assert set(shown) == set(view.locked)
    for name in ("long", "round"):
        mine = [i for i in shown[:40] if cells.obs.loc[i, "kind"] == name]
        view.select(mine).assign(name)
    done = view.train()
    assert done.n_tested == 40 and done.n_labelled == 10 and 0.5 < done.score.estimate <= 1
    assert view.test_cells()[:30].isin(view.labels.dropna().index).sum() == 0


def test_buttons_do_what_the_calls_do_and_say_what_is_missing(cells, apart, send):
    view = opened(cells)
    assert view._training["text"].startswith("Label about ten cells") and not view._training["can_train"]
    assert view.label_keys == ["long", "round"]
    send(view, "train")
    assert view._training["warning"] and "two classes" in view._training["text"]
    send(view, "uncertain")
    assert "Nothing was trained yet" in view._training["text"]
    # By number keys, as from the keyboard: each goes on to the next cell.
    own = cells.ids.drop(view.locked)
    for i in own[:12]:
        send(view, "find", row=cells.ids.get_loc(i))
        send(view, "key", key=str(1 + ["long", "round"].index(cells.obs.loc[i, "kind"])))
    assert view._training["can_train"]
    send(view, "train")
    state = view._training
    assert not state["warning"] and state["trained"] and state["rounds"][0][:3] == ["1", "12", "12"]
    assert "Balanced accuracy on locked wells" in state["text"] and "7 units" in state["rounds"][0][3]
    send(view, "uncertain")
    assert view._page["show"] == "uncertain" and view._page["total"] == 30
    assert view._page["title"] == "Uncertain first (30 cells)" and "%" in view._page["names"][0]
    assert view.selection.found == view.shown[0]
    # A label given by key leaves the uncertain ones in view, and goes on to the next.
    send(view, "key", key="1")
    assert view._page["show"] == "uncertain" and view.selection.found == view.shown[1]
    send(view, "show", what="all")
    assert view._page["total"] == 200


def test_labels_and_rounds_outlive_the_kernel(cells, restart, apart):
    view = label(opened(cells, autosave=None))
    view.train()
    before, labels = view.history, view.labels
    view.close()
    restart()
    later = opened(cells, autosave=None)
    pd.testing.assert_series_equal(later.labels, labels)
    pd.testing.assert_frame_equal(later.history, before, check_dtype=False)
    assert len(later._training["rounds"]) == 1 and later._training["can_train"] and not later._training["trained"]
    assert later.train().n_labelled == 10 and later.history["number"].tolist() == [1, 2]
    (file,) = (apart / "mlscope_work").glob("*.rounds.json")
    assert len(json.loads(file.read_text())["rounds"]) == 2
    later.close()
    restart()
    file.write_text("{")
    again = opened(cells, autosave=None)
    assert len(again.history) == 0 and "could not be read" in again._words["note"]
    pd.testing.assert_series_equal(again.labels, labels)


def test_what_cannot_be_opened_is_refused(cells, some_cells, apart):
    with pytest.raises(KeyError, match="No column 'sort'"):
        opened(cells, truth="sort")
    with pytest.raises(ValueError, match="features"):
        opened(some_cells(30, features=False), truth="odd")
    with pytest.raises(TypeError, match="Cells"):
        ms.views.label_train_correct(cells.features)
    with pytest.raises(ValueError, match="one class only: 'long'"):
        label(opened(cells), names=("long",)).train()


def test_plates_are_put_on_one_scale(cells, apart):
    plate = pd.Series(np.where(np.arange(200) < 100, "p1", "p2"), cells.ids, name="plate")
    table = cells.features.copy()
    table.loc[plate == "p2"] = 50 - 4 * table[plate == "p2"] * -1
    shifted = cells.with_obs(plate.to_frame()).with_features(table).with_design(batch="plate")
    assert label(opened(shifted), n=12).train().score.estimate > 0.8
