"""Several views of the same cells: other columns, other files, none; closed, run again, shown nowhere."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views.selection import selection_of

pytestmark = pytest.mark.usefixtures("apart")


def given(view):
    return view.labels.dropna().to_dict()


def test_two_columns_in_one_file_have_one_history(some_cells):
    cells = some_cells()
    shape, phase = ms.views.explore(cells, label="shape"), ms.views.explore(cells, label="phase")
    shape.select(["cell1"]).assign("round")
    phase.assign("M").select(["cell2"]).assign("S")
    shape.assign("long")
    assert given(shape) == {"cell1": "round", "cell2": "long"} and given(phase) == {"cell1": "M", "cell2": "S"}
    assert [phase.undo(), shape.undo(), phase.undo()] == ["label long", "label S", "select"]
    assert given(shape) == {"cell1": "round"} and given(phase) == {"cell1": "M"}
    assert [shape.undo(), shape.redo(), shape.redo(), shape.redo(), shape.redo()] == [
        "label M",
        "label M",
        "select",
        "label S",
        "label long",
    ]
    assert given(shape) == {"cell1": "round", "cell2": "long"} and given(phase) == {"cell1": "M", "cell2": "S"}


def test_after_a_restart_two_columns_are_both_there_and_undo_does_no_harm(some_cells, restart):
    cells = some_cells()
    shape, phase = ms.views.explore(cells, label="shape"), ms.views.explore(cells, label="phase")
    shape.select(["cell1"]).assign("round")
    phase.assign("M")
    restart()
    shape, phase = ms.views.explore(cells, label="shape"), ms.views.explore(cells, label="phase")
    assert given(shape) == {"cell1": "round"} and given(phase) == {"cell1": "M"}
    phase.select(["cell3"]).assign("S")
    while phase.undo():
        pass
    # What cannot be attributed is left alone, never half undone.
    assert given(phase) == {"cell1": "M"} and given(shape) == {"cell1": "round"}


def test_two_files_and_one_that_is_not_kept_share_a_history(some_cells, apart, restart):
    cells = some_cells()
    one = ms.views.explore(cells, autosave="one.jsonl")
    two = ms.views.explore(cells, autosave="two.jsonl")
    loose = ms.views.explore(cells, autosave=False)
    one.select(["cell1"]).assign("a")
    loose.assign("b")
    two.assign("c")
    assert [given(v) for v in (one, loose, two)] == [{"cell1": "a"}, {"cell1": "b"}, {"cell1": "c"}]
    assert [one.undo(), one.undo()] == ["label c", "label b"]
    assert [given(v) for v in (one, loose, two)] == [{"cell1": "a"}, {}, {}]
    assert one._words["can_redo"] and two._words["can_redo"]
    assert [two.redo(), one.undo(), one.undo(), one.undo()] == ["label b", "label b", "label a", "select"]
    assert [given(v) for v in (one, loose, two)] == [{}, {}, {}]
    loose.select(["cell2"]).assign("d")
    assert loose.redo() is None
    restart()
    assert (
        given(ms.views.explore(cells, autosave="one.jsonl"))
        == given(ms.views.explore(cells, autosave="two.jsonl"))
        == {}
    )
    assert given(ms.views.explore(cells, autosave=False)) == {}


def test_the_colours_of_labels_follow_in_the_other_view(some_cells):
    cells = some_cells()
    one, two = ms.views.explore(cells), ms.views.explore(cells, colour="label")
    one.select(["cell1"]).assign("round")
    assert [e["name"] for e in two._inks["entries"]] == ["round", "(none)"] and two._page["marks"] == one._page["marks"]
    two.undo()
    assert [e["name"] for e in two._inks["entries"]] == ["(none)"]


def test_a_closed_view_hears_nothing_and_its_labels_can_be_undone(some_cells):
    cells = some_cells()
    one, two = ms.views.explore(cells), ms.views.explore(cells)
    one.select(["cell1"]).assign("round")
    one.close()
    one.close()
    heard = []
    one._selection_changed = heard.append
    assert two.undo() == "label round" and given(two) == {}
    two.select(["cell2"])
    assert heard == []
    assert one.selected.tolist() == ["cell2"]  # Python still knows


def test_a_view_whose_cell_was_run_again_sleeps_and_wakes(some_cells, send):
    cells = some_cells()
    views = [ms.views.explore(cells) for _ in range(20)]
    drawn = []
    for i, view in enumerate(views):
        view._draw_page = lambda i=i: drawn.append(i)
        send(view, "opened", place=f"place {i}")
        if i:
            send(views[i - 1], "shut", place=f"place {i - 1}")
    views[19].select(["cell1"]).assign("round")
    assert set(drawn) == {19}
    drawn.clear()
    # Shown again below another cell: it knows what it missed.
    del views[3]._draw_page
    send(views[3], "opened", place="elsewhere")
    assert views[3]._page["ids"] == ["cell1"] and views[3]._page["marks"] != [""] and drawn == []
    assert views[3]._selected == views[19]._selected and "round" in views[3]._words["summary"]
    assert views[0].selected.tolist() == ["cell1"] and given(views[0]) == {"cell1": "round"}


def test_a_view_that_is_shown_twice_sleeps_when_both_are_gone(some_cells, send):
    w = ms.views.explore(some_cells())
    for place in "ab":
        send(w, "opened", place=place)
    send(w, "shut", place="a")
    w.select(["cell1"])
    assert w._page["ids"] == ["cell1"]
    send(w, "shut", place="b")
    w.select(["cell2"])
    assert w._page["ids"] == ["cell1"] and w.shown.tolist() == ["cell2"]
    send(w, "opened", place="c")
    assert w._page["ids"] == ["cell2"]


def test_a_view_that_no_browser_showed_is_always_up_to_date(some_cells):
    views = [ms.views.explore(some_cells()) for _ in range(3)]
    views[0].select(["cell1"])
    assert all(v._page["ids"] == ["cell1"] for v in views)


def test_closing_all_views_leaves_no_observers(some_cells):
    cells = some_cells()
    shared = selection_of(cells)
    views = [ms.views.explore(cells), ms.views.gallery(cells), ms.views.compare(cells, embedding=["umap", "pca"])]
    assert len(shared._observers) == 5
    for view in views:
        view.close()
    assert shared._observers == []


def test_a_million_cells_are_chosen_without_work_for_each(send):
    """The pictures wait for numpy over all cells, never for Python: counted in calls, not in seconds."""
    import cProfile

    n = 200_000
    ids = pd.Index([f"c{i}" for i in range(n)])
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"])
    obs["plate"] = rng.choice(["p1", "p2"], n)
    images = np.broadcast_to(np.arange(64, dtype="uint8").reshape(1, 1, 8, 8), (n, 1, 8, 8))
    w = ms.views.explore(ms.Cells(obs, images, batch="plate"), ("x", "y"), autosave=False)
    w.select(ids[:50_000]).assign("round")
    flags = np.packbits(rng.random(n) < 0.5, bitorder="little").tobytes()
    watch = cProfile.Profile()
    watch.enable()
    send(w, "selected", [flags])
    watch.disable()
    calls = sum(entry.callcount for entry in watch.getstats())
    assert calls < 20_000
