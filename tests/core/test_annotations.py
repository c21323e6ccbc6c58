"""The log keeps every decision: on disk at once, reversible, never relabelling other data."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlscope_nb.annotations import AnnotationLog


def test_survives_a_restart(tmp_path):
    path = tmp_path / "deep" / "log ü.jsonl"
    log = AnnotationLog(path, who="ada", fingerprint="f1")
    log.add(["a", "b"], "kind", "round", "looks round")
    log.add(["b"], "kind", "long")
    log.add(["c"], "keep", False)
    again = AnnotationLog(path, fingerprint="f1")
    assert again.column("kind", ["a", "b", "c"]).tolist() == ["round", "long", None]
    assert again.entries.loc[0, ["who", "reason"]].tolist() == ["ada", "looks round"]
    assert again.columns == ["kind", "keep"] and len(again) == 3


def test_undo_and_redo_survive_a_restart_and_are_logged(tmp_path):
    path = tmp_path / "log.jsonl"
    log = AnnotationLog(path)
    log.add(["a"], "kind", "x")
    log.add(["a"], "kind", "y")
    assert log.undo().value == "y"
    log = AnnotationLog(path)
    assert log.column("kind", ["a"]).tolist() == ["x"]
    assert log.redo().value == "y" and log.redo() is None
    assert AnnotationLog(path).column("kind", ["a"]).tolist() == ["y"]
    assert log.entries["action"].tolist() == ["assign", "assign", "undo", "redo"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["add", "undo", "redo"]), max_size=25))
def test_history_is_that_of_an_ordinary_editor(actions):
    log, past, future = AnnotationLog(), [], []
    for n, action in enumerate(actions):
        if action == "add":
            log.add(["a"], "n", n)
            past, future = [*past, n], []
        elif action == "undo":
            entry = log.undo()
            assert (entry.value if entry else None) == (past[-1] if past else None)
            if past:
                future.append(past.pop())
        else:
            entry = log.redo()
            assert (entry.value if entry else None) == (future[-1] if future else None)
            if future:
                past.append(future.pop())
        assert log.column("n", ["a"]).tolist() == [past[-1] if past else None]


def test_a_half_written_line_is_reported_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "log.jsonl"
    AnnotationLog(path).add(["a"], "kind", "x")
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"column": "kind", "va')
    log = AnnotationLog(path)
    assert log.column("kind", ["a"]).tolist() == ["x"] and len(log.damaged) == 1
    log.add(["b"], "kind", "z")
    assert AnnotationLog(path).column("kind", ["a", "b"]).tolist() == ["x", "z"]


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    log = AnnotationLog(path)
    log.add(["a"], "kind", "x")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlscope_nb._files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        log.add(["b"], "kind", "y")
    assert log.column("kind", ["a", "b"]).tolist() == ["x", "y"] and log.unwritten == 1
    assert AnnotationLog(path).column("kind", ["a", "b"]).tolist() == ["x", None]
    monkeypatch.undo()
    log.add(["c"], "kind", "z")
    assert AnnotationLog(path).column("kind", ["a", "b", "c"]).tolist() == ["x", "y", "z"]


def test_other_data_are_never_relabelled(tmp_path):
    path = tmp_path / "log.jsonl"
    AnnotationLog(path, fingerprint="f1").add(["a"], "kind", "x")
    with pytest.raises(ValueError, match="made for other data"):
        AnnotationLog(path, fingerprint="f2")


def test_foreign_and_newer_files_are_refused(tmp_path):
    (tmp_path / "a").write_text("hello\n")
    with pytest.raises(ValueError, match="not an annotation log"):
        AnnotationLog(tmp_path / "a")
    (tmp_path / "b").write_text(json.dumps({"mlscope": "annotations", "version": 9}) + "\n")
    with pytest.raises(ValueError, match="version 9"):
        AnnotationLog(tmp_path / "b")


def test_two_kernels_may_write_the_same_log(tmp_path):
    path = tmp_path / "log.jsonl"
    one, two = AnnotationLog(path), AnnotationLog(path)
    one.add(["a"], "kind", "x")
    two.add(["b"], "kind", "y")
    assert AnnotationLog(path).column("kind", ["a", "b"]).tolist() == ["x", "y"]


def test_refusals():
    log = AnnotationLog()
    with pytest.raises(ValueError, match="selection is empty"):
        log.add([], "kind", "x")
    with pytest.raises(ValueError, match="no name"):
        log.add(["a"], " ", "x")
    with pytest.raises(ValueError, match="The value is a list"):
        log.add(["a"], "kind", ["x"])
    assert log.undo() is None and log.redo() is None


def test_a_repeated_id_counts_once_and_none_takes_away():
    log = AnnotationLog()
    assert log.add(["a", "a"], "kind", "x").cell_ids == ("a",)
    log.add(["a"], "kind", None)
    assert log.column("kind", ["a"]).tolist() == [None]


@pytest.mark.parametrize("label", ["a\u2028b", "a\u0085b", "line\nbreak", "tab\t", "\x0b\x0c\x1c"])
def test_odd_characters_survive_a_restart(tmp_path, label):
    path = tmp_path / "log.jsonl"
    AnnotationLog(path).add(["c"], "kind", label, "why " + label)
    log = AnnotationLog(path)
    assert log.column("kind", ["c"]).tolist() == [label] and not log.damaged


def test_what_cannot_be_written_is_refused_and_blocks_nothing(tmp_path):
    path = tmp_path / "log.jsonl"
    log = AnnotationLog(path)
    for bad in ("\ud83d", float("nan"), float("inf"), np.float64("nan")):
        with pytest.raises(ValueError, match=r"cannot be written|finite number"):
            log.add(["a"], "kind", bad)
    with pytest.raises(ValueError, match="cannot be written"):
        log.add(["a"], "kind", "x", reason="\ud83d")
    log.add(["a"], "kind", "fine")
    assert AnnotationLog(path).column("kind", ["a"]).tolist() == ["fine"] and not log.unwritten


def test_numpy_scalars_are_values_and_masks_are_no_ids():
    log = AnnotationLog()
    for value, plain in ((np.int64(3), 3), (np.bool_(True), True), (np.str_("x"), "x"), (np.float32(0.5), 0.5)):
        assert log.add(["a"], "kind", value).value == plain
    with pytest.raises(ValueError, match="a mask was given"):
        log.add([True, False], "kind", "x")


@pytest.mark.parametrize("n", [1, 6, 30, 50])
def test_a_first_line_that_was_cut_is_reported_and_the_file_goes_on(tmp_path, n):
    path = tmp_path / "log.jsonl"
    AnnotationLog(path, fingerprint="f").add(["a"], "kind", "x")
    cut = path.read_bytes()[:n]
    path.write_bytes(cut)
    log = AnnotationLog(path, fingerprint="f")
    assert log.damaged == [cut.decode()] and not len(log)
    log.add(["b"], "kind", "y")
    log.add(["c"], "kind", "z")
    again = AnnotationLog(path)
    assert again.fingerprint == "f" and again.damaged == [cut.decode()]
    assert again.column("kind", ["b", "c"]).tolist() == ["y", "z"]
    assert path.read_bytes().startswith(cut + b"\n") and path.read_bytes().count(b'"fingerprint": "f"') == 1
    with pytest.raises(ValueError, match="other data"):
        AnnotationLog(path, fingerprint="g")


def test_entries_behind_a_cut_first_line_are_kept(tmp_path):
    path = tmp_path / "log.jsonl"
    AnnotationLog(path, fingerprint="f").add(["a"], "kind", "x")
    head, entry = path.read_bytes().split(b"\n", 1)
    path.write_bytes(head[:40] + b"\n" + entry)
    log = AnnotationLog(path, fingerprint="f")
    assert log.column("kind", ["a"]).tolist() == ["x"] and len(log.damaged) == 1
    log.undo()
    assert AnnotationLog(path).column("kind", ["a"]).tolist() == [None] and AnnotationLog(path).fingerprint == "f"


@pytest.mark.parametrize("text", ['{\n "cells": []\n}', "{\n", "cell,kind\na,x\n", "\x00\x00", '{"mlscope"\n1\n'])
def test_files_of_others_are_refused_and_left_as_they_are(tmp_path, text):
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match="left as it is"):
        AnnotationLog(path)
    assert path.read_text() == text
