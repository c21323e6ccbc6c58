"""Nothing assigned is lost: the process is killed while it labels, and files are cut off anywhere."""

import importlib.util
import os
import random
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

import mlscope_nb as ms
from mlscope_nb.views import _autosave, selection
from mlscope_nb.views._autosave import FOLDER

PROGRAM = Path(__file__).with_name("labelling_process.py")
KILLS = 12


@pytest.fixture(autouse=True)
def as_after_a_restart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selection, "_SHARED", weakref.WeakValueDictionary())
    monkeypatch.setattr(_autosave, "_OPEN", weakref.WeakValueDictionary())


def program():
    spec = importlib.util.spec_from_file_location("labelling_process", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL: Linux or macOS")
def test_every_label_whose_assign_had_returned_survives_a_kill(tmp_path, monkeypatch):
    rng = random.Random(0)
    folders = [tmp_path / f"run {i}" for i in range(KILLS)]
    for folder in folders:
        folder.mkdir()
    jobs = [f"{folder}={i + 1},{rng.uniform(0, 0.02):.4f}" for i, folder in enumerate(folders)]
    done = subprocess.run([sys.executable, PROGRAM, *jobs], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    cells, counts = program().make_cells(), []
    for folder in folders:
        monkeypatch.chdir(folder)
        w = ms.views.explore(cells, ("x", "y"))
        lines = (folder / "returned.txt").read_text(encoding="utf-8").splitlines()
        returned = [tuple(line.split("\t")) for line in lines]
        labels = w.labels.dropna()
        (log,) = (folder / FOLDER).glob("*.jsonl")
        written = log.read_bytes().count(b"\n") - 1
        # At most one more: assign was done, and the process killed before it was noted.
        assert len(lines) <= written <= len(lines) + 1
        entries = w.annotations.entries
        found = list(zip(entries["cell_ids"].str[0], entries["value"], strict=True))
        assert found[: len(lines)] == returned
        assert labels.to_dict() == dict(found)
        assert len(w.annotations) == written and len(w.annotations.damaged) <= 1
        assert f"Restored {len(labels):,} label" in w._words["note"]
        counts.append(len(lines))
    assert all(n > i for i, n in enumerate(counts))  # killed at different times indeed


def test_wherever_the_last_line_is_cut_all_others_are_there(tmp_path):
    cells = program().make_cells()
    w = ms.views.explore(cells, ("x", "y"))
    for i in range(4):
        w.select([f"cell{i}"]).assign(f"größe {i}")
    path = w.annotations.path
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    del w
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        _autosave._OPEN.clear()
        log, _ = _autosave.open_log(cells, None)
        found = log.column("label", cells.ids).dropna()
        # Only the line break may be missing for the last label to be whole.
        n = 4 if end == len(whole) - 1 else 3
        assert found.to_dict() == {f"cell{i}": f"größe {i}" for i in range(n)}, end
        assert len(log.damaged) == (start < end < len(whole) - 1)
        log.add(["cell9"], "label", "next")
        _autosave._OPEN.clear()
        again, _ = _autosave.open_log(cells, None)
        assert again.column("label", ["cell9", "cell2"]).tolist() == ["next", "größe 2"]
