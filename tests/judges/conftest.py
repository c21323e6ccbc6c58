"""Judges: other people's tools, in an environment of their own, say whether what mlscope writes is what they read."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-judges"
# They import what only that environment has.
collect_ignore_glob = ["judge_*.py"]


@pytest.fixture(scope="session")
def ask():
    """Give a function that runs one judge on files and returns what it found, or skip."""
    if not (ENVIRONMENT / ".mlscope-judges").is_file():
        pytest.skip("The judges are not installed: scanpy, squidpy, pycytominer, napari and others. Run: make judges")
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def run(judge, *files):
        settings = {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        command = [str(python), str(HERE / f"judge_{judge}.py"), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def fields():
    """Give two plates with two wells each, masks and nuclei."""
    found, _ = ms.datasets.simulate_fields(n_plates=2, wells_per_plate=2, cells_per_well=14, seed=5001)
    return found


@pytest.fixture(scope="session")
def cells(fields):
    """Give cells of these fields with all that tables can hold: a map, missing features, numbers as names of groups."""
    made = ms.io.crop(fields, size=32)
    features = ms.features.measure(made)
    features.iloc[3, 5] = features.iloc[4, 5] = np.nan
    made = made.with_features(features)
    plates = made.obs["plate"].map({"P1": 1, "P2": 2}).rename("plate")
    days = pd.Series(pd.Timestamp("2026-11-30"), index=made.ids, name="day")
    remark = pd.Series([None, "tröpfchen <b>"] * (len(made) // 2) + [None] * (len(made) % 2), made.ids, name="µg/ml")
    made = made.with_obs(plates).with_obs(days).with_obs(remark)
    return made.with_embedding("umap", ms.explore.pca(made))
