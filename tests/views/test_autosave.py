"""Labels of changed data are noticed and never taken over; labels from files are taken only where they fit."""

import os
import weakref

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.annotations import AnnotationLog
from mlscope_nb.views import _autosave
from mlscope_nb.views._autosave import FOLDER, open_log, read_labels


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_autosave, "_OPEN", weakref.WeakValueDictionary())
    return tmp_path


def make(n=20, first=0, seed=0):
    """Cells c0, c1, …; another seed is another picture of the same cells."""
    ids = [f"c{i}" for i in range(first, first + n)]
    images = np.random.default_rng(seed).integers(0, 99, (n, 1, 4, 4)).astype("uint8")
    return ms.Cells(pd.DataFrame(index=ids), images)


def labelled(cells, n):
    log, _ = open_log(cells, None)
    log.add(cells.ids[:n], "label", "round")
    return log


def test_labels_of_changed_data_are_named_and_not_taken_over():
    old, new = make(seed=0), make(seed=1)
    path = labelled(old, 12).path
    log, (note,) = open_log(new, None)
    assert note == (
        f"Labels of 12 cells with the same names belong to other data ({FOLDER}/{path.name}); they were not taken "
        f"over. To take them over: w.load('{FOLDER}/{path.name}')."
    )
    assert len(log) == 0 and not log.path.exists()
    assert read_labels(f"{FOLDER}/{path.name}", new, "label").to_dict() == dict.fromkeys(new.ids[:12], "round")


def test_the_note_ends_when_the_new_data_have_labels_and_the_old_ones_have_theirs():
    old, new = make(seed=0), make(seed=1)
    labelled(old, 12)
    labelled(new, 2)
    assert open_log(new, None)[1] == []
    log, notes = open_log(old, None)
    assert notes == [] and log.column("label", old.ids).notna().sum() == 12


@pytest.mark.parametrize(("first", "named"), [(0, 10), (5, 5), (6, 0), (40, 0)])
def test_at_least_half_of_the_labelled_cells_have_to_be_here(first, named):
    labelled(make(), 10)
    notes = open_log(make(first=first, seed=1), None)[1]
    assert len(notes) == bool(named)
    if named == 5:
        assert "Labels of 5 cells" in notes[0] and "5 cells more that are not here" in notes[0]
        assert "w.load" not in notes[0]  # it would be refused


def test_only_labels_that_stand_count():
    old = make()
    log = labelled(old, 10)
    log.undo()
    assert open_log(make(seed=1), None)[1] == []
    log.add(old.ids[:3], "label", "x")
    log.add(old.ids[:2], "label", None)
    assert open_log(make(seed=1), None)[1][0].startswith("The label of 1 cell with the same names belongs to other")


def test_the_log_with_most_of_these_cells_is_named_and_other_files_do_not_disturb(folder):
    labelled(make(seed=2), 3)
    most = labelled(make(seed=3), 9).path
    (folder / FOLDER / "answers.jsonl").write_text('{"id": "q1"}\n')
    (folder / FOLDER / "broken.jsonl").write_bytes(b"\xff\xfe\n")
    (folder / FOLDER / "empty.jsonl").write_text("")
    (note,) = open_log(make(seed=4), None)[1]
    assert "9 cells" in note and most.name in note


def test_a_file_that_was_named_says_itself_what_is_wrong(folder):
    labelled(make(), 5)
    assert open_log(make(seed=1), folder / "mine.jsonl")[1] == []
    assert "not saved" in open_log(make(seed=1), False)[1][0]


def test_the_workbench_shows_the_note():
    xy = pd.DataFrame({"x": np.arange(20.0), "y": 0.0})
    old, new = (make(seed=s).with_obs(xy.set_index(make().ids)) for s in (0, 1))
    labelled(old, 4)
    w = ms.views.explore(new, ("x", "y"))
    assert "belong to other data" in w._words["note"] and w.labels.isna().all()


def test_tables_and_logs_give_the_labels_of_these_cells(folder):
    cells = make()
    pd.Series(["a", "b"], ["c3", "c1"], name="phenotype").to_csv(folder / "p.csv", index_label="cell_id")
    found = read_labels(folder / "p.csv", cells, "label")
    assert found.to_dict() == {"c3": "a", "c1": "b"} and found.name == "label"
    log = AnnotationLog(folder / "log.jsonl", fingerprint="another")
    log.add(["c2"], "label", 3)
    log.add(["c2"], "other", "x")
    log.add(["c4"], "label", "gone")
    log.add(["c4"], "label", None)
    assert read_labels(folder / "log.jsonl", cells, "label").to_dict() == {"c2": 3}
    with pytest.raises(ValueError, match="'label', 'other'"):
        read_labels(folder / "log.jsonl", cells, "third")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["c1,a", "nobody,b", "none,c"], "2 cells that are not among these 20: 'nobody', 'none'"),
        (["nobody,b"], "1 cell that is not among"),
        (["c1,a", "c1,b"], "1 cell id twice.*'c1'"),
        ([",a"], "without a cell id"),
    ],
)
def test_labels_that_do_not_fit_are_refused_by_name(folder, rows, words):
    file = folder / "l.csv"
    file.write_text("\n".join(["cell_id,label", *rows]))
    with pytest.raises(ValueError, match=words):
        read_labels(file, make(), "label")


def test_only_the_newest_logs_are_looked_into(folder, monkeypatch):
    old = labelled(make(seed=2), 9).path
    labelled(make(first=100, seed=3), 3)
    os.utime(old, (0, 0))
    monkeypatch.setattr(_autosave, "MOST_LOGS", 1)
    assert open_log(make(seed=4), None)[1] == []
