"""tools/install.py: what it decides, and that it asks pip for just that."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_script():
    spec = importlib.util.spec_from_file_location("mlscope_install", ROOT / "tools" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


def plan(choice, *, installed=None, system="Linux", machine="x86_64"):
    return script.torch_plan(choice, pin="2.13.0", installed=installed, system=system, machine=machine)


@pytest.mark.parametrize(
    ("choice", "installed", "system", "expected"),
    [
        ("auto", None, "Linux", "cpu"),
        ("cpu", None, "Linux", "cpu"),
        ("gpu", None, "Linux", "cuda"),
        ("auto", "2.13.0+cpu", "Linux", "keep"),
        ("auto", "2.13.0", "Linux", "keep"),
        ("auto", "2.12.1+cpu", "Linux", "cpu"),
        ("cpu", "2.13.0", "Linux", "cpu"),
        ("cpu", "2.13.0+cu130", "Linux", "cpu"),
        ("gpu", "2.13.0+cpu", "Linux", "cuda"),
        ("gpu", "2.13.0", "Linux", "keep"),
        ("auto", None, "Darwin", "plain"),
        ("gpu", None, "Darwin", "plain"),
        ("auto", None, "Windows", "plain"),
        ("auto", "2.13.0", "Windows", "keep"),
    ],
)
def test_plan(choice, installed, system, expected):
    machine = "arm64" if system == "Darwin" else "x86_64"
    assert plan(choice, installed=installed, system=system, machine=machine) == expected


def test_machines_without_a_build_are_told_what_to_do():
    with pytest.raises(script.Refused, match="Intel processor"):
        plan("auto", system="Darwin")
    with pytest.raises(script.Refused, match="index-url ADDRESS"):
        plan("gpu", system="Windows", machine="AMD64")


def test_old_python_is_refused_with_the_way_out():
    with pytest.raises(script.Refused, match=r"needs Python 3\.11 or newer; /usr/bin/py is Python 3\.9\.2"):
        script.check_python((3, 9, 2), "/usr/bin/py")


def test_python_without_ensurepip_is_refused(monkeypatch):
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(script.Refused, match="apt-get install python3-venv"):
        script.check_python((3, 11, 0), "python3")


def test_pin_is_read_from_constraints():
    assert script.torch_pin("torchvision==1\ntorch==2.13.0\n") == "2.13.0"
    with pytest.raises(script.Refused, match="torch==VERSION"):
        script.torch_pin("torchvision==1\n")


def report(*names):
    return {"install": [{"metadata": {"name": name, "version": "1"}} for name in names]}


def test_cuda_is_recognised_by_name():
    found = script.cuda_packages(
        report("torch", "nvidia-cudnn-cu13", "cuda_bindings", "cuda-toolkit", "triton", "sympy")
    )
    assert found == ["cuda-bindings", "cuda-toolkit", "nvidia-cudnn-cu13", "triton"]
    assert script.cuda_packages(report("torch", "filelock", "barracuda")) == []


class FakePip:
    """Records what pip is asked; `answers` says whether each `run` succeeds."""

    def __init__(self, *, cpu_index, fallback):
        self.asked, self.cpu_index, self.fallback = [], cpu_index, fallback

    def run(self, *arguments):
        self.asked.append(arguments)
        return self.cpu_index

    def must(self, what, *arguments):
        self.asked.append(arguments)

    def foresee(self, *arguments):
        return self.fallback


def test_cpu_build_comes_from_its_own_index_and_can_only_be_the_cpu_build():
    pip = FakePip(cpu_index=True, fallback=None)
    script.install_torch(pip, "cpu", "2.13.0")
    (arguments,) = pip.asked
    assert "torch==2.13.0+cpu" in arguments
    assert script.CPU_INDEX in arguments
    assert "--no-deps" in arguments


def test_unreachable_index_falls_back_to_the_plain_pin_without_cuda():
    pip = FakePip(cpu_index=False, fallback=report("torch", "filelock"))
    script.install_torch(pip, "cpu", "2.13.0")
    assert len(pip.asked) == 1  # the plain pin itself comes with all other packages


def test_unreachable_index_never_brings_cuda_unasked():
    pip = FakePip(cpu_index=False, fallback=report("torch", "nvidia-cublas", "triton"))
    with pytest.raises(script.Refused, match=r"2 CUDA packages[\s\S]*make install TORCH=gpu"):
        script.install_torch(pip, "cpu", "2.13.0")
    assert len(pip.asked) == 1


def test_gpu_build_is_the_plain_version_to_the_letter():
    pip = FakePip(cpu_index=True, fallback=None)
    script.install_torch(pip, "cuda", "2.13.0")
    assert pip.asked == [("torch===2.13.0",)]


def test_pip_is_held_to_the_constraints_and_reports(tmp_path, monkeypatch):
    """The command line of the real Pip class, seen by a stand-in for the interpreter."""
    seen = tmp_path / "seen.json"
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv[1:], open({str(seen)!r}, 'w'))\n")
    fake.chmod(0o755)
    pip = script.Pip(fake, tmp_path / "constraints.txt", quiet=True)
    assert pip.run("numpy")
    asked = json.loads(seen.read_text())
    assert asked[:3] == ["-m", "pip", "install"]
    assert asked[asked.index("-c") + 1] == str(tmp_path / "constraints.txt")
    assert asked[-1] == "numpy"


def test_a_failed_installation_says_what_to_do(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(script.Refused, match=r"Installing the packages failed.*same command again"):
        script.Pip(fake, tmp_path / "c.txt", quiet=True).must("the packages", "numpy")


def test_an_environment_that_does_not_start_is_made_anew(tmp_path):
    folder = tmp_path / ".venv"
    broken = script.environment_python(folder)
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    assert not script.works(broken)
    assert script.works(script.ensure_environment(folder))


def test_second_run_returns_at_once_and_a_changed_pin_does_not(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("torch==2.13.0\n")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "works", lambda python: True)
    monkeypatch.setattr(script.Pip, "version", lambda self, package: "2.13.0+cpu")
    monkeypatch.setattr(script.platform, "system", lambda: "Linux")
    asked = []
    monkeypatch.setattr(script.Pip, "run", lambda self, *arguments: asked.append(arguments) or True)
    (tmp_path / ".venv").mkdir()
    assert script.main([]) == 0
    assert asked[-1] == ("--no-build-isolation", "-e", ".[dev]")
    n = len(asked)
    assert script.main([]) == 0
    assert len(asked) == n
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\nnumpy==2.4.6\n")
    assert script.main([]) == 0
    assert len(asked) == 2 * n


def test_an_interrupted_installation_is_not_taken_for_a_finished_one(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("torch==2.13.0\n")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "works", lambda python: True)
    monkeypatch.setattr(script.Pip, "version", lambda self, package: "2.13.0+cpu")
    monkeypatch.setattr(script.Pip, "run", lambda self, *arguments: False)
    monkeypatch.setattr(script.platform, "system", lambda: "Linux")
    stamp = tmp_path / ".venv" / ".mlscope-installed"
    stamp.parent.mkdir()
    stamp.write_text("of an earlier state")
    assert script.main([]) == 1
    assert not stamp.exists()


def test_the_script_needs_only_the_standard_library():
    bare = [sys.executable, "-I", "-S", "tools/install.py", "--help"]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--torch" in done.stdout
