"""A walk with its slider: what takes turns belongs together, and all of it is there without a kernel."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.explain import Traversal

pytestmark = pytest.mark.usefixtures("apart")

BAD = "<img src=x onerror='hurt()'></script>"


def study(name="c"):
    obs = pd.DataFrame({"drug": list("xxyy")}, index=[f"{name}{i}" for i in range(4)])
    pixels = np.random.default_rng(0).integers(0, 900, (4, 2, 16, 16)).astype(np.uint16)
    return ms.Cells(obs, pixels, channels=["DNA", "actin"], label="drug")


def walked(cells, n_steps=3, said=np.nan, feature="Cells_AreaShape_Area"):
    """Two walks in which brightness is the step: 0, 1/2, 1."""
    steps = np.linspace(-1.0, 1.0, n_steps)
    light = np.linspace(0, 1, n_steps, dtype=np.float32)
    pictures = np.tile(light[None, :, None, None, None], (2, 1, 2, 8, 8))
    names = ["smaller", feature]
    table = pd.DataFrame({"change": [-2.0, 0.5], "says": ["", "How large."]}, index=names)
    profile = pd.DataFrame([np.linspace(0, -2, n_steps), np.linspace(0, 0.5, n_steps)], names, steps)
    ids = cells.ids[:2]
    return Traversal(
        features=table, profile=profile, montage=pictures, ids=ids, starts=pictures[:, 0],
        nearest=pd.DataFrame([list(cells.ids[:n_steps])] * 2, ids, steps), nearest_pictures=pictures,
        channels=cells.channels, steps=steps, response=pd.DataFrame({"log_odds": [said] * n_steps}, index=steps),
        contrastive=pd.DataFrame(), explained=0.8, decision=0.7, target="y", held_out=("A01",),
    )  # fmt: skip


def test_each_step_has_its_pictures_words_and_numbers():
    cells = study()
    view = ms.views.walk(walked(cells, said=1.5), cells, size=16)
    data = view._data
    start, drawn, real = data["table"]["pictures"]
    assert [len(each) for each in (*start, *drawn, *real)] == [1, 1, 3, 3, 3, 3]
    assert len({picture["src"] for picture in drawn[0]}) == 3
    assert real[0][2]["alt"].startswith("c2, the real cell nearest to step 3 of 3")
    assert data["steps"][0] == "Step 1 of 3 (-1.0 deviations along the decision). The network: log odds +1.5"
    assert [f["values"] for f in data["features"]] == [[0.0, -1.0, -2.0], [0.0, 0.25, 0.5]] and data["most"] == 2
    assert "network" not in ms.views.walk(walked(cells), cells)._data["steps"][0]
    assert data["what"].endswith("go with the model's answer by a rank correlation of 0.70 (1: in the same order).")


def test_features_are_chosen_by_number_or_name():
    cells = study()
    assert [f["name"] for f in ms.views.walk(walked(cells), cells, features=1)._data["features"]] == ["smaller"]
    only = ms.views.walk(walked(cells), cells, features=["Cells_AreaShape_Area"])._data["features"]
    assert only[0]["says"] == "Cells_AreaShape_Area: How large."
    with pytest.raises(KeyError, match="No feature 'depth'"):
        ms.views.walk(walked(cells), cells, features=["depth"])


def test_a_cell_of_the_walk_is_chosen_in_every_view(send):
    cells = study()
    view, gallery = ms.views.walk(walked(cells), cells), ms.views.gallery(cells)
    send(view, "pick", id="c1", add=False)
    assert gallery.selected.tolist() == ["c1"] and view._chosen == ["c1"]
    gallery.select(["c3"])
    assert view._chosen == []


def test_the_page_holds_every_step_and_the_saved_notebook_shows_them_side_by_side(tmp_path):
    cells = study(BAD)
    view = ms.views.walk(walked(cells, feature=BAD), cells, title=BAD)
    page = view.to_html(tmp_path / "walk.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S).group(1))
    assert data == json.loads(json.dumps(view._data)) and "default-src 'none'" in page
    still = view._markup()
    assert "<img src=x" not in page and "<img src=x" not in still
    # Two cells and their three steps, and the numbers of both features.
    assert still.count("alt=") == 8 and "-2.00" in still and "+0.25" in still


def test_walks_refuse():
    cells = study()
    with pytest.raises(TypeError, match="traverse"):
        ms.views.walk("walk", cells)
    with pytest.raises(TypeError, match="Expected Cells"):
        ms.views.walk(walked(cells), cells.obs)
    with pytest.raises(KeyError, match="c0"):
        ms.views.walk(walked(cells), cells.subset(cells.ids[2:]))
    with pytest.raises(KeyError, match="No channel 'ER'"):
        ms.views.walk(walked(cells), cells, colours={"ER": "#ffffff"})
    with pytest.raises(KeyError, match="No channel 'ER'"):
        ms.views.walk(walked(cells), cells, channels=["ER"])
