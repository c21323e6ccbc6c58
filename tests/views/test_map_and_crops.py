import json

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views import _bokeh
from mlscope_nb.views._crops import Crops
from mlscope_nb.views._outlines import outlines
from mlscope_nb.views._snapshot import snapshot
from mlscope_nb.views._widget import FigureView
from mlscope_nb.views.colours import category_colours


def make_cells(n=12, images=True):
    rng = np.random.default_rng(0)
    ids = [f"c{i}" for i in range(n)]
    obs = pd.DataFrame({"plate": ["p10", "p2", "p1"] * (n // 3), "size": rng.normal(size=n)}, index=ids)
    xy = pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"])
    pixels = rng.integers(0, 255, (n, 2, 10, 14)).astype(np.uint8) if images else None
    return ms.Cells(obs, pixels, channels=["DNA", "ER"] if images else None, embeddings={"umap": xy})


def figure(*args, **options):
    return _bokeh.figure_of(ms.views.scatter(*args, **options))


def test_points_are_in_the_order_of_the_cells():
    cells = make_cells()
    element = ms.views.scatter(cells, colour="plate")
    np.testing.assert_array_equal(element.dimension_values("x"), cells.table("umap")["x"])
    assert element.dimension_values("cell_id").tolist() == cells.ids.tolist()


def test_axes_legend_and_tools():
    fig = figure(make_cells(), colour="plate")
    assert (fig.xaxis[0].axis_label, fig.yaxis[0].axis_label) == ("UMAP 1", "UMAP 2")
    (legend,) = fig.legend
    assert [item.label.value for item in legend.items] == ["p1", "p2", "p10"] and legend.title == "plate"
    names = {type(tool).__name__ for tool in fig.tools}
    assert {"LassoSelectTool", "BoxSelectTool", "TapTool", "HoverTool", "WheelZoomTool"} <= names
    assert not any(getattr(tool, "continuous", False) for tool in fig.tools if "Select" in type(tool).__name__)


def test_legend_entries_point_at_a_cell_of_their_category():
    cells = make_cells()
    fig = figure(cells, colour="plate")
    for item in fig.legend[0].items:
        assert cells.obs["plate"].iloc[item.index] == item.label.value


def test_colours_given_are_used_and_others_are_stable():
    fig = figure(make_cells(), colour="plate", colours={"p2": "#123456"})
    mapper = next(r for r in fig.renderers).glyph.fill_color.transform
    drawn = dict(zip(mapper.factors, mapper.palette, strict=True))
    assert drawn["p2"] == "#123456"
    assert drawn == category_colours(["p1", "p2", "p10"], {"p2": "#123456"})


def test_numbers_get_a_colour_bar_with_its_name():
    fig = figure(make_cells(), colour="size")
    assert "ColorBar" in [type(p).__name__ for p in fig.right]
    assert "size" in [getattr(p, "text", "") for p in fig.above]
    assert not fig.legend


def test_constant_and_missing_numbers_are_drawn():
    cells = make_cells()
    figure(cells, colour=pd.Series(1.0, cells.ids, name="same"))
    figure(cells, colour=pd.Series(np.nan, cells.ids, name="nothing"))


def test_unchosen_points_are_grey_context():
    fig = figure(make_cells(), colour="plate")
    glyph = fig.renderers[0].nonselection_glyph
    assert glyph.fill_color == "#c4c4c4" and 0.2 < glyph.fill_alpha < 0.8


def drawn(n, **options):
    table = pd.DataFrame({"x": np.arange(float(n)), "y": 0.0, "g": ["a", "b", "c"] * (n // 3)})
    return table, figure(table, ("x", "y"), "g", **options).renderers[0]


def test_crowded_points_let_those_beneath_shine_through():
    _, few = drawn(900)
    table, many = drawn(1200)
    assert few.glyph.fill_alpha == 0.85 and many.glyph.fill_alpha == 0.5
    assert many.glyph.size < 0.8 * few.glyph.size and many.selection_glyph.fill_alpha == 0.7
    # Row numbers are what a selection is reported in.
    np.testing.assert_array_equal(many.data_source.data["x"], table["x"])
    assert drawn(1200, size=9)[1].glyph.size == 9


def test_many_categories_name_the_first_ones():
    cells = make_cells(30)
    fig = figure(cells, colour=pd.Series([f"w{i}" for i in range(30)], cells.ids, name="well"))
    assert len(fig.legend[0].items) == 16 and "first 16 named" in fig.legend[0].title


def test_hover_shows_one_cell_with_its_picture():
    cells = make_cells()
    fig = figure(cells, colour="plate")
    (hover,) = [t for t in fig.tools if type(t).__name__ == "HoverTool"]
    assert hover.limit == 1 and "@picture" in hover.tooltips
    pictures = fig.renderers[0].data_source.data["picture"]
    assert len(pictures) == 12 and all(p.startswith("data:image/webp;base64,") for p in pictures)
    assert "picture" not in figure(make_cells(images=False)).renderers[0].data_source.data


def test_metadata_with_markup_stays_text():
    cells = make_cells()
    nasty = pd.Series(['<script>alert("x")</script>', "'quote\"", "ü 🧫"] * 4, cells.ids, name="<b>&@x</b>")
    fig = figure(cells, colour=nasty)
    (hover,) = [t for t in fig.tools if type(t).__name__ == "HoverTool"]
    assert "<b>&@x" not in hover.tooltips and "&lt;b&gt;" in hover.tooltips
    assert json.loads(_bokeh.to_json(fig))["doc"]


def test_a_table_is_drawn_too_and_can_be_restyled():
    table = pd.DataFrame({"u": [0.0, 1.0], "v": [2.0, 3.0], "g": ["a", "b"]}, index=["r", "s"])
    element = ms.views.scatter(table, ("u", "v"), "g").opts(width=333)
    assert _bokeh.figure_of(element).width == 333
    assert [d.label for d in element.kdims] == ["u", "v"]


def test_refusals_name_what_there_is():
    cells = make_cells()
    with pytest.raises(KeyError, match=r"No map 'tsne'\. There are: 'umap'"):
        ms.views.scatter(cells, "tsne")
    with pytest.raises(KeyError, match="No column 'z' to colour by"):
        ms.views.scatter(cells, colour="z")
    with pytest.raises(KeyError, match="Did you mean 'plate'"):
        ms.views.scatter(cells, colour="plat")
    with pytest.raises(KeyError, match="Not found"):
        ms.views.scatter(cells, ("size", "z"))
    with pytest.raises(ValueError, match="no pictures"):
        ms.views.scatter(pd.DataFrame({"a": [1.0], "b": [2.0]}), ("a", "b"), thumbnails=True)


def test_any_element_is_shown_without_a_network():
    view = FigureView(ms.views.scatter(make_cells(), colour="plate"))
    assert json.loads(view._figure)["root_id"]
    sent = []
    view.send = lambda content, buffers: sent.append(buffers[0])
    view._received(view, {"kind": "library"}, [])
    import gzip

    assert b"Bokeh" in gzip.decompress(sent[0])


def test_crops_have_one_contrast_for_all():
    cells = make_cells()
    crops = Crops(cells, channels=["ER"], colours={"ER": "#ff0000"}, contrast={"ER": (0, 255)})
    out = crops.pictures(np.array([5, 2]))
    assert out.shape == (2, 14, 14, 3)
    np.testing.assert_array_equal(out[0, 2:12, :, 0], cells.images[5, 1])
    assert out[..., 1:].max() == 0
    (shown,) = (c for c in crops.legend()["channels"] if c["on"])
    assert (shown["name"], shown["low"], shown["high"]) == ("ER", 0, 255) and "as given" in crops.legend()["contrast"]
    assert "fixed over all cells" in Crops(cells).legend()["contrast"]
    assert crops.pictures(np.array([], int)).shape == (0, 14, 14, 3) and crops.sheet(np.array([], int)) == b""


def test_galleries_of_something_else_are_refused():
    with pytest.raises(TypeError, match=r"Expected Cells, found Fields.*ms\.io\.crop\(.*ms\.views\.fields\(fields\)"):
        ms.views.gallery(ms.Fields(pd.DataFrame(index=["f1"]), [np.zeros((1, 8, 8))]))
    with pytest.raises(TypeError, match=r"Expected Cells, found DataFrame.*ms\.Cells\(obs"):
        ms.views.gallery(pd.DataFrame({"a": [1.0]}))


def test_gallery_shows_the_given_cells_in_the_given_order():
    cells = make_cells()
    assert ms.views.gallery(cells, ["c5", "c1"]).shown.tolist() == ["c5", "c1"]
    assert ms.views.gallery(cells).shown.tolist() == cells.ids.tolist()
    assert ms.views.gallery(cells, cells.obs["plate"] == "p2").shown.tolist() == ["c1", "c4", "c7", "c10"]
    empty = ms.views.gallery(cells, [])
    assert empty.shown.tolist() == [] and empty._page["title"] == "0 cells"
    with pytest.raises(KeyError, match="c99"):
        ms.views.gallery(cells, ["c99"])
    with pytest.raises(ValueError, match="no images"):
        ms.views.gallery(make_cells(images=False))
    with pytest.raises(ValueError, match="16 to 400"):
        ms.views.gallery(cells, size=3)


def test_outlines_keep_touching_objects_apart():
    mask = np.zeros((6, 8), int)
    mask[1:5, 1:4], mask[1:5, 4:7] = 1, 2
    lines = outlines(mask)
    assert lines[2].tolist() == [0, 255, 0, 255, 255, 0, 255, 0]
    assert (lines[mask == 0] == 0).all()
    assert outlines(np.ones((3, 3), int)).max() == 0


def test_snapshot_draws_points_and_skips_missing_ones():
    picture = snapshot(np.array([[0, 0], [1, 1], [np.nan, 0]]), ["#ff0000", "#0000ff", "#00ff00"], width=40, height=30)
    colours = {tuple(c) for c in picture.reshape(-1, 3)}
    assert colours == {(255, 255, 255), (255, 0, 0), (0, 0, 255)}
    assert tuple(picture[23, 6]) == (255, 0, 0) and tuple(picture[6, 33]) == (0, 0, 255)
    assert snapshot(np.full((1, 2), np.nan), ["#000000"]).min() == 255


def test_importing_views_loads_nothing_heavy():
    import subprocess
    import sys

    code = "import sys, mlscope_nb as ms; ms.views; print(sorted({'holoviews', 'bokeh', 'panel'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
