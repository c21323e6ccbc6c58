"""Maps beside cells and plots of grades: colours mean what the legend says, text stays text, nothing needs a kernel."""

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mlscope_nb as ms
from mlscope_nb.views._bokeh import figure_of

pytestmark = pytest.mark.usefixtures("apart")


def study(n=8, side=16):
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"drug": ["x", "y"] * (n // 2)}, index=[f"c{i}" for i in range(n)])
    pixels = rng.integers(0, 900, (n, 2, side, side)).astype(np.uint16)
    return ms.Cells(obs, pixels, channels=["DNA", "actin"], label="drug")


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["src"].split(",", 1)[1]))))


def drawn(view, row, column):
    return view._data["table"]["pictures"][row][column][0]


def test_nothing_is_white_what_speaks_for_is_orange_and_against_is_blue():
    cells = study()
    values = np.zeros((8, 16, 16))
    values[:, 2, 3], values[:, 9, 9] = 4.0, -4.0
    picture = drawn(ms.views.maps(cells, {"m": values}, size=32), 0, 1)
    shown = pixels(picture)
    assert shown.shape == (32, 32, 3) and (shown[0, 0] == 255).all()
    red, green, blue = shown[4, 6].astype(int)
    assert red > green > blue and picture["alt"].startswith("m: strongest for the class at 3 px from the left, 2 px")
    red, green, blue = shown[18, 18].astype(int)
    assert blue > green > red


def test_a_scale_is_shared_by_what_it_says():
    cells = study()
    values = np.zeros((8, 16, 16))
    values[0, 4:8, 4:8], values[1, 4:8, 4:8] = 10.0, 1.0
    both = {"strong": values, "weak": values / 10}

    def ink(scale, row, column):
        return pixels(drawn(ms.views.maps(cells, both, scale=scale, size=16), row, column))[5, 5].tolist()

    assert ink("method", 0, 1) == ink("method", 0, 2) != ink("method", 1, 1)
    assert ink("all", 0, 1) != ink("all", 0, 2) == ink("all", 1, 1)
    assert ink("cell", 0, 1) == ink("cell", 1, 1) == ink("cell", 1, 2)


def test_the_cue_has_a_line_around_it_on_the_cell_and_on_its_maps():
    cells = study()
    cue = np.zeros((8, 16, 16), bool)
    cue[:, 4:8, 4:8] = True
    view = ms.views.maps(cells, np.zeros((8, 16, 16)), evidence=cue, size=64)
    line = np.zeros((64, 64), bool)
    line[16:32, 16:32] = True
    line[17:31, 17:31] = False
    np.testing.assert_array_equal((pixels(drawn(view, 0, 1)) == 0).all(axis=2), line)
    assert pixels(drawn(view, 0, 0))[line].mean() > 200
    assert "line goes around the cue" in view._data["table"]["note"]
    values = np.zeros((8, 16, 16))
    values[:, 5, 5] = 1
    assert drawn(ms.views.maps(cells, values, evidence=cue), 0, 1)["alt"].endswith("inside of the cue.")


def test_chosen_ids_are_shown_in_their_order_and_a_name_chooses_its_cell(send):
    cells = study()
    values = np.arange(8)[:, None, None] * np.ones((8, 16, 16))
    view = ms.views.maps(cells, values, ids=["c5", "c2"])
    assert [row["cell_id"] for row in view._data["table"]["rows"]] == ["c5", "c2"]
    assert [row["words"] for row in view._data["table"]["rows"]] == ["y", "x"]
    gallery = ms.views.gallery(cells)
    send(view, "pick", id="c2", add=False)
    assert gallery.selected.tolist() == ["c2"] and view._chosen == ["c2"]
    send(view, "pick", id="c5", add=True)
    gallery.add(["c7"])
    assert view.selected.tolist() == ["c2", "c5", "c7"] and view._chosen == ["c2", "c5"]
    send(view, "pick", id="c5", add=True)
    assert view._chosen == ["c2"]
    view.close()
    gallery.clear()
    assert view._chosen == ["c2"]


def test_gaps_are_grey_and_maps_of_nothing_say_so():
    cells = study()
    values = np.zeros((8, 16, 16))
    values[0, 0, 0] = np.nan
    view = ms.views.maps(cells, values, size=16)
    assert pixels(drawn(view, 0, 1))[0, 0].tolist() == [158, 158, 158]
    assert drawn(view, 0, 1)["alt"] == "map: says nothing."


def test_the_page_and_the_saved_picture_need_no_kernel_and_hold_no_markup_of_the_data(tmp_path):
    bad = "<img src=x onerror='hurt()'></script>"
    cells = study()
    obs = cells.obs.assign(drug=bad)
    obs.index = [bad + i for i in obs.index]
    cells = ms.Cells(obs, cells.images, channels=["DNA", "actin"], label="drug")
    view = ms.views.maps(cells, {bad: np.ones((8, 16, 16))}, title=bad, ids=cells.ids[:2])
    page = view.to_html(tmp_path / "maps.html").read_text(encoding="utf-8")
    for text in (page, view._markup()):
        assert "<img src=x" not in text and "http://" not in re.sub("http://www.w3.org", "", text)
        assert text.count("data:image/") >= 4
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S).group(1))
    assert data["table"]["title"] == bad and "default-src 'none'" in page
    assert view._markup().count("alt=") == 4 and 'scope="row"' in view._markup()


def test_maps_refuse():
    cells = study()
    with pytest.raises(TypeError, match="Expected Cells"):
        ms.views.maps(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(3, 16, 16\), expected \(8, 16, 16\)"):
        ms.views.maps(cells, np.zeros((3, 16, 16)))
    with pytest.raises(ValueError, match="evidence has the shape"):
        ms.views.maps(cells, np.zeros((8, 16, 16)), evidence=np.zeros((8, 4, 4)))
    with pytest.raises(ValueError, match="no images"):
        ms.views.maps(cells.with_images(None), np.zeros((8, 16, 16)))
    with pytest.raises(ValueError, match="no maps"):
        ms.views.maps(cells, {})
    with pytest.raises(ValueError, match="scale='own'"):
        ms.views.maps(cells, np.zeros((8, 16, 16)), scale="own")
    with pytest.raises(ValueError, match="0 cells"):
        ms.views.maps(cells, np.zeros((8, 16, 16)), ids=[])
    with pytest.raises(KeyError, match="nobody"):
        ms.views.maps(cells, np.zeros((8, 16, 16)), ids=["nobody"])


def graded():
    rng = np.random.default_rng(0)
    evidence = np.zeros((24, 8, 8), bool)
    evidence[:, 2:4, 2:4] = True
    found = {"perfect": evidence * 1.0, "noise": rng.random((24, 8, 8))}
    return ms.explain.grade(found, evidence, rng.random((24, 1, 8, 8)), units=np.repeat(list("ABCDEF"), 4))


def test_grades_keep_methods_and_trivial_maps_apart():
    table = graded()
    plot = ms.views.grades(table)
    figure = figure_of(plot)
    dots = {part.opts.get("style").kwargs["marker"]: part.dframe() for part in plot if type(part).__name__ == "Scatter"}
    assert dots["circle"]["name"].tolist() == ["perfect", "noise"]
    assert dots["square"]["name"].str.endswith("(trivial)").all() and len(dots["square"]) == 3
    assert dots["circle"]["x"].tolist() == table["pointing"].head(2).tolist()
    assert next(iter(plot)).data == pytest.approx(table["chance"].iloc[0])
    assert (figure.x_range.start, figure.x_range.end) == (-0.03, 1.03)
    difference = ms.views.grades(table, "above_trivial")
    assert next(iter(difference)).data == 0 and "trivial map" in figure_of(difference).xaxis[0].axis_label


def test_grades_without_units_are_points_alone_and_other_tables_are_refused():
    evidence = np.zeros((4, 8, 8), bool)
    evidence[:, 2:4, 2:4] = True
    table = ms.explain.grade(evidence * 1.0, evidence, np.random.default_rng(0).random((4, 1, 8, 8)))
    lines = [part for part in ms.views.grades(table, "mass") if type(part).__name__ == "Segments"]
    assert all(len(part) == 0 for part in lines)
    with pytest.raises(KeyError, match="no grade 'depth'"):
        ms.views.grades(table, "depth")
    with pytest.raises(KeyError, match="'kind'"):
        ms.views.grades(table.drop(columns="kind"))
