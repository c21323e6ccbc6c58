"""The Makefile, .ci/run and the texts that name them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TARGETS = ["install", "lab", "test", "check", "notebooks", "study", "bench"]


# These tests may run inside `make test ARGS=…`; what that make hands down must not reach the makes tried here.
HANDED_DOWN = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "PORT", "PYTHON", "TORCH"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in HANDED_DOWN}


def make(*arguments, cwd=ROOT):
    return subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True, env=ENVIRONMENT)


@pytest.fixture
def clone(tmp_path):
    """The frame alone, where nothing is installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "install.py", tmp_path / "tools")
    return tmp_path


def test_help_lists_the_targets():
    shown = make("help").stdout
    assert [target for target in TARGETS if f"make {target} " not in shown] == []


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_installs_first_where_nothing_is_installed(clone, target):
    steps = make("-n", target, cwd=clone).stdout
    assert "tools/install.py" in steps.splitlines()[1]


def test_lab_passes_port_and_arguments_on(clone):
    steps = make("-n", "lab", "PORT=9999", "ARGS=--no-browser", cwd=clone).stdout
    assert steps.splitlines()[-1].endswith("-m mlscope_nb lab --port=9999 --no-browser")


def test_the_gpu_build_is_asked_for_even_when_all_is_installed():
    assert make("-n", "install", "TORCH=gpu").stdout.strip().endswith("tools/install.py --torch gpu")


def test_a_missing_python_is_named(clone):
    done = make("test", "PYTHON=no-such-python", cwd=clone)
    assert done.returncode != 0
    assert "No 'no-such-python' found. Install Python 3.11 or newer" in done.stdout


def test_an_old_python_is_refused_before_anything_is_made(clone):
    """A stand-in for an old interpreter: this one, told that it is 3.9."""
    old = clone / "python3.9"
    old.write_text(
        "#!/usr/bin/env python3\nimport runpy, sys\nsys.version_info = (3, 9, 2)\n"
        "sys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    old.chmod(0o755)
    done = make("test", f"PYTHON={old}", cwd=clone)
    assert done.returncode != 0
    assert "mlscope needs Python 3.11 or newer" in done.stderr and "is Python 3.9.2" in done.stderr
    assert not (clone / ".venv").exists()


def run_ci(tmp_path, make_body, *, chromium=True):
    """.ci/run in a folder of its own, where make, apt-get and the browser are stand-ins."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    tools = tmp_path / "bin"
    tools.mkdir()
    bodies = {"make": make_body, "apt-get": f'echo "$@" >> {tmp_path}/apt', "sudo": '"$@"'}
    if chromium:
        bodies["chromium"] = "exit 0"
    for name, body in bodies.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    for name in ("bash", "dirname", "env", "grep", "id", "mktemp", "rm", "tail", "tee"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    command = [shutil.which("bash"), str(tmp_path / ".ci" / "run")]
    return subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "PATH": str(tools)})


GOOD_TEST = "echo \"skips forbidden: $MLSCOPE_NO_SKIP\"; echo '12 passed in 3.45s'"


def test_ci_prints_pytest_s_line_last_and_forbids_skips(tmp_path):
    done = run_ci(tmp_path, f'[ "$1" != test ] || {{ {GOOD_TEST}; }}')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "12 passed in 3.45s"
    assert "skips forbidden: 1" in done.stdout


@pytest.mark.parametrize(
    "body",
    [
        f'[ "$1" = check ] && exit 2; [ "$1" != test ] || {{ {GOOD_TEST}; }}',
        '[ "$1" != test ] || { echo "1 failed, 11 passed in 3.45s"; exit 2; }',
        '[ "$1" != test ] || { echo "12 passed in 3.45s"; exit 2; }',
        "exit 0",
        '[ "$1" != install ]',
        f'[ "$1" = judges ] && exit 2; [ "$1" != test ] || {{ {GOOD_TEST}; }}',
        f'[ "$1" = wheel ] && exit 2; [ "$1" != test ] || {{ {GOOD_TEST}; }}',
    ],
    ids=["check", "a test", "make after the tests", "no test ran", "install", "judges", "wheel"],
)
def test_ci_fails_when_anything_fails(tmp_path, body):
    assert run_ci(tmp_path, body).returncode != 0


def test_ci_installs_chromium_where_it_is_missing(tmp_path):
    done = run_ci(tmp_path, f'[ "$1" != test ] || {{ {GOOD_TEST}; }}', chromium=False)
    assert done.returncode == 0, done.stderr
    update, install = (tmp_path / "apt").read_text().splitlines()
    assert update.startswith("update") and install.startswith("install") and "chromium" in install.split()


def test_ci_installs_the_judges_before_the_tests(tmp_path):
    done = run_ci(tmp_path, f'echo "make $1"; [ "$1" != test ] || {{ {GOOD_TEST}; }}')
    steps = [line.removeprefix("make ") for line in done.stdout.splitlines() if line.startswith("make ")]
    assert steps.index("install") < steps.index("judges") < steps.index("test")


def test_ci_installs_nothing_that_is_there(tmp_path):
    run_ci(tmp_path, f'[ "$1" != test ] || {{ {GOOD_TEST}; }}')
    assert not (tmp_path / "apt").exists()


def test_pre_commit_fetches_nothing():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert {hook["language"] for repo in config["repos"] for hook in repo["hooks"]} == {"system"}


TEXTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/decisions/{p.name}" for p in (ROOT / "docs/decisions").glob("*.md")),
]


@pytest.mark.parametrize("name", TEXTS)
def test_texts_name_only_targets_and_files_that_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) - known == set()
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    missing = [link for link in links if not ((ROOT / name).parent / link).exists()]
    assert missing == []
