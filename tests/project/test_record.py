"""Measured figures are written with the commit, whole or not at all, and the runner hides no failure."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studies import _record

ROOT = Path(__file__).parents[2]


def load_runner():
    spec = importlib.util.spec_from_file_location("mlscope_run_scripts", ROOT / "tools" / "run_scripts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runner = load_runner()


def test_a_record_names_its_circumstances(tmp_path):
    file = _record.record("speed", {"map": {"seconds": np.float64(1.25), "runs": 5}}, folder=tmp_path)
    entry = json.loads(file.read_text())
    assert file == tmp_path / "results" / "speed.json"
    assert entry["figures"] == {"map": {"seconds": 1.25, "runs": 5}}
    assert {"commit", "uncommitted_changes", "date", "command", "python", "versions", "machine"} <= set(entry)
    assert set(entry["machine"]) == {"system", "cores", "memory_gb"}


def test_no_record_names_this_machine_or_its_folders(tmp_path):
    text = _record.record("speed", {"seconds": 1.0}, folder=tmp_path).read_text()
    assert os.uname().nodename not in text
    assert str(ROOT) not in text and str(tmp_path) not in text and str(Path.home()) not in text


def test_the_command_is_shown_as_typed_in_the_root(tmp_path):
    shown = _record.command([str(ROOT / "studies" / "a.py"), "--seeds", "3", str(tmp_path / "x.npz")])
    assert shown == "python studies/a.py --seeds 3 x.npz"


def test_the_table_holds_all_records_with_nested_names(tmp_path):
    _record.record("b", {"fluorescence": {"IoU": 0.81234567}}, folder=tmp_path)
    _record.record("a", {"ok in": "9 of 10 seeds", "seconds": [1.5, 2]}, folder=tmp_path)
    rows = [line for line in (tmp_path / "RESULTS.md").read_text().splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[:3] for row in rows[1:]] == [
        ["| a", "ok in", "9 of 10 seeds"],
        ["| a", "seconds", "1.5, 2"],
        ["| b", "fluorescence · IoU", "0.8123"],
    ]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    def git(*arguments):
        names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(_record, "ROOT", tmp_path)
    return tmp_path


def test_changes_that_were_not_committed_are_marked(repository):
    clean = _record.circumstances()
    assert len(clean["commit"]) == 40 and clean["uncommitted_changes"] is False
    (repository / "code.py").write_text("x = 2\n")
    assert _record.circumstances()["uncommitted_changes"] is True
    _record.record("a", {"n": 1}, folder=repository / "studies")
    assert f"{clean['commit'][:9]}*" in (repository / "studies" / "RESULTS.md").read_text()


def test_results_themselves_do_not_count_as_changes(repository):
    _record.record("a", {"n": 1}, folder=repository / "studies")
    assert _record.circumstances()["uncommitted_changes"] is False


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf")])
def test_a_figure_that_is_none_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match="Record why it could not be measured"):
        _record.record("a", {"x": [1.0, value]}, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    _record.write_atomically(file, "old")

    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(_record.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _record.write_atomically(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def folder(tmp_path):
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "_helper.py").write_text("raise SystemExit('a helper is no script')\n")
    (studies / "a.py").write_text("raise SystemExit(3)\n")
    (studies / "b.py").write_text("open('b-ran', 'w').close()\n")
    return studies


def test_the_runner_goes_on_after_a_failure_and_reports_it(folder, capfd):
    assert runner.main([str(folder)]) == 1
    out = capfd.readouterr().out
    assert "FAILED (3)" in out and "1 of 2 scripts ran to their end" in out and "failed: studies/a.py" in out
    assert (folder.parent / "b-ran").exists()


def test_the_runner_runs_what_is_named_and_refuses_what_is_not_there(folder):
    assert runner.main([str(folder), "b"]) == 0
    with pytest.raises(SystemExit, match=r"No script c in studies/\. Scripts: a, b\."):
        runner.main([str(folder), "c"])


def test_a_script_finds_the_helper_when_it_runs_on_its_own(tmp_path):
    """A script need not lie in the checkout: the environment knows where the checkout is."""
    script = tmp_path / "a.py"
    script.write_text("from studies._record import record\nrecord('a', {'n': 1})\n")
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True)
    assert (tmp_path / "results" / "a.json").is_file()
