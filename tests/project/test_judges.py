"""The environment of the judges: exact versions, no CUDA, no window, nothing of it in the base installation."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
JUDGES = {"scanpy", "squidpy", "pycytominer", "ome-zarr-models", "ome-zarr", "napari", "napari-ome-zarr", "npe2"}


def lines(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def names(name):
    return {canonicalize_name(Requirement(line).name) for line in lines(name)}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    for name in ("install", "judges"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import judges

    yield judges
    for name in ("install", "judges"):
        sys.modules.pop(name, None)


def test_every_judge_is_pinned_to_one_public_version_and_nothing_twice():
    found = [Requirement(line) for line in lines("constraints-judges.txt")]
    operators = {(s.operator, "*" in s.version or "+" in s.version) for r in found for s in r.specifier}
    assert operators == {("==", False)}
    assert all(len(r.specifier) == 1 and r.url is None for r in found)
    assert len(names("constraints-judges.txt")) == len(found)
    assert names("constraints-judges.txt") >= JUDGES


def test_there_is_no_cuda_and_no_window_among_them():
    heavy = r"nvidia|cuda|triton|torch|tensorflow|jax|pyqt|pyside"
    assert [name for name in names("constraints-judges.txt") if re.match(heavy, name)] == []


def test_no_judge_is_installed_with_mlscope():
    assert names("constraints.txt") & JUDGES == set()


def test_anndata_and_zarr_are_those_that_mlscope_writes_with():
    base = {canonicalize_name(Requirement(line).name): line.split(" ")[0] for line in lines("constraints.txt")}
    judging = {canonicalize_name(Requirement(line).name): line for line in lines("constraints-judges.txt")}
    assert [(base[n], judging[n]) for n in ("anndata", "zarr", "h5py", "pyarrow") if base[n] != judging[n]] == []


def test_make_judges_needs_nothing_installed(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "judges"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.strip().splitlines()[-1].endswith("tools/judges.py")
    assert ".venv/bin" not in done.stdout


def test_what_is_installed_is_not_installed_again(script, tmp_path, monkeypatch):
    pins = tmp_path / "pins.txt"
    pins.write_text("scanpy==1\n")
    asked = []
    monkeypatch.setattr(script, "works", lambda python: python.exists())
    monkeypatch.setattr(script, "pip", lambda python, *arguments: asked.append(arguments[0]) or True)

    def made(folder):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").write_text("")
        return folder / "bin" / "python"

    monkeypatch.setattr(script, "ensure_environment", made)
    monkeypatch.setattr(script, "environment_python", lambda folder: folder / "bin" / "python")
    for _ in range(2):
        script.install(tmp_path / "judges", pins)
    assert asked == ["install", "check"]
    (tmp_path / "judges" / "left over").write_text("")
    pins.write_text("scanpy==2\n")
    script.install(tmp_path / "judges", pins)
    assert asked == ["install", "check"] * 2
    assert not (tmp_path / "judges" / "left over").exists()


@pytest.mark.parametrize("failing", ["install", "check"])
def test_what_pip_refuses_is_said_and_not_taken_for_installed(script, tmp_path, monkeypatch, failing):
    pins = tmp_path / "pins.txt"
    pins.write_text("scanpy==1\n")
    monkeypatch.setattr(script, "pip", lambda python, *arguments: arguments[0] != failing)
    monkeypatch.setattr(script, "ensure_environment", lambda folder: folder.mkdir() or folder)
    with pytest.raises(script.Refused, match="Run the same command again"):
        script.install(tmp_path / "judges", pins)
    assert not (tmp_path / "judges" / ".mlscope-judges").exists()
