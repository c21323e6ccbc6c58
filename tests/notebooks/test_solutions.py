"""The solutions run from top to bottom in a fresh kernel: no error, nothing on stderr, small when saved."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALWAYS = ["00_start_here"]


@pytest.fixture(scope="module")
def runs():
    spec = importlib.util.spec_from_file_location("notebook_runs", ROOT / "tools" / "notebook_runs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["notebook_runs"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["notebook_runs"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ALWAYS)
def test_the_solution_runs(runs, name):
    text = (ROOT / "notebooks" / "solutions" / f"{name}.ipynb").read_text(encoding="utf-8")
    run = runs.run_notebook(name, text, ROOT / "notebooks" / "lessons")
    # seconds are measured by make bench on a quiet machine, not here
    assert [p for p in run.problems if " seconds in " not in p] == []
