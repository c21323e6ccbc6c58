"""Small cells, messages as a browser sends them, and a folder in which nothing was opened before."""

import weakref
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views import _autosave, _maps, selection


@pytest.fixture
def apart(tmp_path, monkeypatch):
    """A notebook folder of its own, and no views of earlier tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selection, "_SHARED", weakref.WeakValueDictionary())
    monkeypatch.setattr(_autosave, "_OPEN", weakref.WeakValueDictionary())
    monkeypatch.setattr(_maps, "_RECENT", OrderedDict())
    return tmp_path


@pytest.fixture
def restart(apart, monkeypatch):
    """Forget what is in memory, as a restart of the kernel does."""

    def forget():
        selection._SHARED.clear()
        _autosave._OPEN.clear()

    return forget


@pytest.fixture
def some_cells():
    """Return a function that makes cells with a map "umap", two channels, five features and three plates."""

    def make(n=60, *, seed=0, images=True, features=True, obs=None, **more):
        rng = np.random.default_rng(seed)
        ids = [f"cell{i}" for i in range(n)]
        table = pd.DataFrame(
            {
                "plate": rng.choice(["p10", "p2", "p1"], n),
                "area": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
                "count": rng.integers(0, 4, n),
                "odd": rng.random(n) < 0.5,
            },
            index=ids,
        )
        for name, values in (obs or {}).items():
            table[name] = values
        numbers = pd.DataFrame(rng.normal(size=(n, 5)), ids, columns=list("abcde"))
        points = pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"])
        pixels = rng.integers(0, 4000, (n, 2, 12, 12)).astype(np.uint16)
        given = {"channels": ["DNA", "ER"]} if images else {}
        given |= {"features": numbers} if features else {}
        return ms.Cells(
            table, pixels if images else None, embeddings={"umap": points}, **{"batch": "plate"} | given | more
        )

    return make


@pytest.fixture
def send():
    """Return a function that hands a view what its browser side would send."""

    def message(view, kind, buffers=(), **content):
        view._received(view, {"kind": kind, **content}, list(buffers))

    return message


@pytest.fixture
def answers():
    """Return a function that collects what a view sends to the browser from now on."""

    def collect(view):
        sent = []
        view.send = lambda content, buffers=None: sent.append((content, buffers))
        return sent

    return collect
