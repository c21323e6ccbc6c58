"""Who computes UMAP, what it loads, and what happens where nothing can be kept on disk."""

import subprocess
import sys

import numba
import numpy as np
import pandas as pd
import pytest

from mlscope_nb.explore import umap, umap_map
from mlscope_nb.explore.compiling import compiled


@pytest.fixture
def numbers():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(80, 6))).add_prefix("f")


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    """A package that stands in for one of a graphics processor or for umap-learn, and says what it was given."""

    def stand_in(package):
        folder = tmp_path / package
        folder.mkdir()
        body = (
            "import numpy as np\nCALLS = []\n"
            "class UMAP:\n"
            "    def __init__(self, **options): CALLS.append(options)\n"
            "    def fit_transform(self, x): CALLS.append(x.shape); return x[:, :2]\n"
        )
        (folder / "manifold.py").write_text(body)
        (folder / "__init__.py").write_text("from .manifold import UMAP, CALLS\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, name)
        module = __import__(package)
        return module.CALLS

    return stand_in


def test_the_first_map_needs_no_umap_learn_and_is_kept_compiled(tmp_path):
    code = (
        "import sys, numpy as np, pandas as pd; from mlscope_nb.explore import umap;"
        "umap(pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4))), n_epochs=5);"
        "print(*[m for m in ('umap', 'pynndescent', 'torch', 'sklearn') if m in sys.modules])"
    )
    from os import environ

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
    assert {path.name.split("-")[0] for path in tmp_path.rglob("*.nbi")} == {"layout._epoch", "nearest._keep_nearest"}


def test_without_a_folder_to_keep_it_in_it_is_compiled_all_the_same(monkeypatch):
    real, asked = numba.njit, []

    def njit(function, *, cache=False, **options):
        if function.__name__ == "double":  # numba compiles functions of its own when it is first used
            asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return real(function, **options)

    monkeypatch.setattr(numba, "njit", njit)

    def double(values):
        for i in range(len(values)):
            values[i] *= 2

    values = np.array([1.0, 4.0])
    compiled(double)(values)
    assert values.tolist() == [2, 8] and asked == [True, False]


def test_options_of_umap_learn_go_to_umap_learn(numbers, recorder):
    calls = recorder("umap")
    found = umap(numbers, seed=4, metric="cosine", n_neighbors=7)
    assert calls[0]["metric"] == "cosine" and calls[0]["random_state"] == 4 and calls[0]["n_neighbors"] == 7
    assert "precomputed_knn" not in calls[0] and calls[0]["init"].shape == (80, 2)
    assert found.attrs["history"][0]["engine"] == "umap-learn"
    calls.clear()
    umap(numbers, densmap=True)
    indices, distances, _ = calls[0]["precomputed_knn"]
    assert (indices[:, 0] == np.arange(80)).all() and (distances[:, 0] == 0).all()
    with pytest.raises(ValueError, match="has no \\['densmap'\\]"):
        umap(numbers, engine="mlscope", densmap=True)
    with pytest.raises(ValueError, match="expected 'auto'"):
        umap(numbers, engine="gpu")


def test_a_graphics_processor_is_used_when_it_is_there_and_no_seed_is_asked_for(numbers, recorder, monkeypatch):
    with pytest.raises(ImportError, match="pip install cuml"):
        umap(numbers, engine="cuml")
    calls = recorder("cuml")
    monkeypatch.setattr("mlscope_nb.explore.umap_map.GPU_FROM", 50)
    found = umap(numbers, seed=None, min_dist=0.3)
    assert found.attrs["history"][0]["engine"] == "cuml"
    assert calls[0]["min_dist"] == 0.3 and calls[1] == (80, 6)
    assert umap(numbers, seed=0, n_epochs=5).attrs["history"][0]["engine"] == "mlscope"


def test_what_was_done_is_in_the_history(numbers):
    found = umap(numbers, seed=3, n_neighbors=200, spread=2.0, n_epochs=20)
    step = found.attrs["history"][0]
    assert {k: step[k] for k in ("step", "seed", "n_neighbors", "min_dist", "spread", "n_epochs", "n_components")} == {
        "step": "umap", "seed": 3, "n_neighbors": 79, "min_dist": 0.1, "spread": 2.0, "n_epochs": 20, "n_components": 6,
    }  # fmt: skip
    with pytest.raises(ValueError, match="min_dist is 3"):
        umap(numbers, min_dist=3)


def test_moving_the_points_shows_how_far_it_is(numbers, monkeypatch):
    seen = []

    class Bar(umap_map.tqdm):
        def __init__(self, **options):
            seen.append((options["desc"], options["total"], options["delay"]))
            super().__init__(**{**options, "disable": True})

        def update(self, n=1):
            seen.append(n)
            return super().update(n)

    before = umap(numbers, n_epochs=7)
    monkeypatch.setattr(umap_map, "tqdm", Bar)
    after = umap(numbers, n_epochs=7)
    assert seen[0] == ("Mapping cells", 7, 2) and sum(seen[1:]) == 7 and seen[1] == 0
    pd.testing.assert_frame_equal(before, after)


def test_without_a_seed_all_cores_make_a_map_as_good(numbers):
    from sklearn.metrics import silhouette_score

    groups = np.repeat([0, 1, 2, 3], 20)
    table = numbers + 8 * np.eye(6)[groups]
    found = umap(table, seed=None, n_neighbors=8)
    assert found.attrs["history"][0]["seed"] is None
    assert silhouette_score(found, groups) > 0.5


def test_copies_of_cells_and_one_feature_make_a_map():
    same = pd.DataFrame(np.repeat(np.random.default_rng(0).normal(size=(6, 3)), 30, axis=0))
    assert np.isfinite(umap(same, n_epochs=30).to_numpy()).all()
    one = pd.DataFrame({"a": np.arange(40.0)})
    assert np.isfinite(umap(one, n_epochs=30).to_numpy()).all()
