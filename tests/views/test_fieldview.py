"""The field viewer without a browser: what is sent, where the camera looks, and how cells and fields are one."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mlscope_nb as ms
from mlscope_nb.views._fieldpixels import MOST_BYTES, MOST_SIDE, Box, encoded, encoded_labels, part, ranked, whole


def make_fields(masks=True, **more):
    rng = np.random.default_rng(0)
    pixels = [
        rng.integers(0, 4096, (2, 40, 60)).astype(np.uint16),
        rng.integers(0, 4096, (2, 50, 30)).astype(np.uint16),
    ]
    labels = [np.pad(np.ones((10, 10), int), ((5, p.shape[1] - 15), (5, p.shape[2] - 15))) for p in pixels]
    obs = pd.DataFrame({"plate": ["p1", "p2"]}, index=["f1", "f2"])
    return ms.Fields(obs, pixels, labels if masks else None, channels=["DNA", "ER"], **more)


def linked_fields():
    masks = [np.zeros((60, 80), int), np.zeros((60, 80), int)]
    masks[0][5:15, 5:15], masks[0][30:40, 20:35], masks[0][45:55, 60:75] = 7, 3, 900
    masks[1][20:30, 40:50] = 2
    images = [np.where(m > 0, 900, 100)[None].astype(np.uint16) for m in masks]
    fields = ms.Fields(pd.DataFrame(index=["f1", "f2"]), images, masks, channels=["DNA"])
    return fields, ms.io.crop(fields, 16)


@pytest.fixture
def linked():
    fields, cells = linked_fields()
    view = ms.views.fields(fields, cells=cells)
    yield view, ms.views.selection_of(cells)
    view.close()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)))[..., 0]


def numbers(data):
    return np.asarray(Image.open(io.BytesIO(data))).astype(int) @ [1, 256, 65536]


def grey(sheet, words, i):
    row, column = i % words["per_column"], i // words["per_column"]
    height, width = words["height"], words["width"]
    plane = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
    low, high = words["ranges"][i]
    return low + (plane / 255.0) ** 2 * (high - low)


def sent_detail(view, **box):
    caught = []
    view.send = lambda content, buffers=None: caught.append((content, buffers))
    view._received(view, {"kind": "detail", "id": view.field_id, **box}, [])
    return caught


# --- what is sent -----------------------------------------------------------------------------------------------


def test_fields_are_sent_faithfully():
    fields = make_fields(pixel_size_um=0.5)
    view = ms.views.fields(fields, "f2")
    assert view.field_id == "f2" and view._field["um"] == 0.5 and "1 object outlined" in view._field["text"]
    sent = decoded(view._planes)
    assert sent.shape == (2 * 50, 30)
    for i, (low, high) in enumerate(view._field["ranges"]):
        # Noise is the hardest case for a lossy picture; on it the error stays below 4 % of the range on average.
        assert np.abs(grey(sent, view._field, i) - fields.images[1][i]).mean() < 0.04 * (high - low)
    np.testing.assert_array_equal(numbers(view._labels), fields.masks[1])


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 1])
def test_fields_of_truth_values_are_black_and_white(share):
    on = np.zeros((1, 50, 60), bool)
    on.flat[: round(share * on.size)] = True
    view = ms.views.fields(ms.Fields(pd.DataFrame(index=["f"]), [on]))
    assert view.contrast == {"channel0": (0, 1)}
    (picture,) = view._saved()[1]
    np.testing.assert_array_equal(picture, np.where(on[0][..., None], 255, 0).repeat(3, axis=2))
    assert (np.abs(grey(decoded(view._planes), view._field, 0) - on[0]) < 0.5).mean() > 0.99


def test_a_part_in_detail_holds_the_pixels_themselves():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 60_000, (3, 900, 1600)).astype(np.uint16)
    mask = np.kron(np.arange(1, 1 + 90 * 160).reshape(90, 160), np.ones((10, 10), int))
    view = ms.views.fields(ms.Fields(pd.DataFrame(index=["f"]), [image], [mask]))
    assert view._field["step"] == 2 and view._field["width"] == 800
    ((words, (planes, labels)),) = sent_detail(view, top=100, bottom=400, left=-50, right=500, step=1)
    assert [words[k] for k in ("y", "x", "height", "width", "step")] == [100, 0, 300, 500, 1]
    assert len(planes) + len(labels) < 2_000_000
    sheet = decoded(planes)
    for i in range(3):
        low, high = words["ranges"][i]
        true = image[i, 100:400, :500]
        # Half of the largest step of the code: its square root is counted in 255 steps.
        assert np.abs(grey(sheet, words, i) - true).max() <= (high - low) * 1.01 / 255
    np.testing.assert_array_equal(numbers(labels), mask[100:400, :500])


def test_what_is_sent_at_once_is_bounded():
    noise = np.random.default_rng(0).integers(0, 65_535, (13, 1500, 1400), dtype=np.uint16)
    words, planes = encoded(noise, whole(1500, 1400))
    assert len(planes) <= MOST_BYTES and max(words["height"], words["width"]) <= MOST_SIDE
    sheet = decoded(planes)
    assert max(sheet.shape) <= 16_383 and sheet.size >= 13 * words["height"] * words["width"]
    assert words["step"] >= 2 and words["height"] == -(-1500 // words["step"])
    view = ms.views.fields(ms.Fields(pd.DataFrame(index=["f"]), [noise], [np.ones((1500, 1400), int)]))
    assert numbers(view._labels).shape == (view._field["height"], view._field["width"])
    assert part(Box(0, 9000, 0, 20, 1), 9000, 20) == Box(0, 9000, 0, 20, 7)
    tall = np.arange(15 * 1400, dtype=float).reshape(15, 1400, 1)
    words, planes = encoded(tall, whole(1400, 1))
    assert words["per_column"] == 11 and decoded(planes).shape == (11 * 1400, 2)
    assert words["ranges"][14] == [14 * 1400, 15 * 1400 - 1]


def test_labels_of_any_size_are_numbered():
    mask = np.array([[0, 2_147_483_647], [70_000, 3]])
    ranks, labels = ranked(mask)
    assert ranks.tolist() == [[0, 3], [2, 1]] and labels.tolist() == [3, 70_000, 2_147_483_647]
    big = np.arange(1, 300 * 300 + 1).reshape(300, 300)
    np.testing.assert_array_equal(numbers(encoded_labels(ranked(big)[0], whole(300, 300))), big)


def test_a_part_of_another_field_or_beyond_the_field_is_not_sent():
    view = ms.views.fields(make_fields())
    caught = []
    view.send = lambda *a, **k: caught.append(a)
    view._received(view, {"kind": "detail", "id": "f2", "top": 0, "bottom": 9, "left": 0, "right": 9, "step": 1}, [])
    assert caught == []
    ((words, _),) = sent_detail(view, top=500, bottom=-3, left=99, right=98, step=0)
    assert (words["height"], words["width"], words["step"]) == (1, 1, 1)


# --- settings, camera -------------------------------------------------------------------------------------------


def test_fields_settings_from_python_and_from_the_browser():
    fields = make_fields()
    view = ms.views.fields(fields, channels=["ER"], contrast={"DNA": (10, 20)}, outlines=False)
    assert view._settings["on"] == [False, True] and view.contrast["DNA"] == (10, 20)
    assert view._settings["outlines"] is False
    view.auto_contrast()
    assert view._settings["limits"] == view._settings["auto"]
    view._received(view, {"kind": "field", "id": "f2"}, [])
    assert view.field_id == "f2"
    view.show("f1", channels=["DNA", "ER"])
    assert view.field_id == "f1" and view._settings["on"] == [True, True]


def test_zoom_from_python_stays_within_the_field():
    view = ms.views.fields(make_fields())
    assert view.visible == (0, 40, 0, 60)
    assert view.zoom(4, centre=(20, 30)).visible == (15, 25, 22.5, 37.5)
    assert view.zoom(2).visible == (10, 30, 15, 45)
    assert view.zoom(2, centre=(0, 60)).visible == (0, 20, 30, 60)
    assert view.show("f2").visible == (0, 50, 0, 30)
    for factor in (0.5, float("nan"), 1e9):
        with pytest.raises(ValueError, match="expected 1"):
            view.zoom(factor)
    with pytest.raises(ValueError, match=r"centre is \(3, 90\), expected \(y, x\) within 50 rows and 30 columns"):
        view.zoom(2, centre=(3, 90))


def test_what_the_browser_sent_before_it_heard_of_python_is_not_taken():
    view = ms.views.fields(make_fields())
    known = view._camera["turn"]
    view.set_state({"_camera": {"zoom": 3, "y": 20, "x": 30, "turn": known}})
    assert view._camera["zoom"] == 3
    view.zoom(2)
    view.set_state({"_camera": {"zoom": 4, "y": 20, "x": 30, "turn": known}})
    assert view.visible == (10, 30, 15, 45)
    # What is sent after it is taken again, and one state does not hold up another.
    old = dict(view._settings)
    view.show(contrast={"DNA": (1, 2)})
    late = {"_settings": {**old, "outlines": False}, "_camera": {**view._camera, "zoom": 5}}
    view.set_state(late)
    assert view.contrast["DNA"] == (1, 2) and view._settings["outlines"] and view._camera["zoom"] == 5
    view.set_state({"_settings": {**view._settings, "outlines": False}})
    assert view.contrast["DNA"] == (1, 2) and not view._settings["outlines"]


def test_python_has_its_way_even_where_it_knew_no_difference():
    """The page may be about to send another zoom: the same number again has to reach it all the same."""
    view = ms.views.fields(make_fields())
    turns = [view.zoom(2)._camera["turn"], view.zoom(2)._camera["turn"]]
    assert turns[1] > turns[0]
    before = view._settings["turn"]
    assert view.show("f2")._settings["turn"] == before
    assert view.show(outlines=view._settings["outlines"])._settings["turn"] > before


def test_fields_without_masks_and_refusals():
    view = ms.views.fields(make_fields(masks=False))
    assert not view._field["has_outlines"] and view._labels == b""
    with pytest.raises(KeyError, match="No field 'zz'"):
        view.show("zz")
    with pytest.raises(KeyError, match="No channel 'zz'"):
        view.show(channels=["zz"])
    with pytest.raises(KeyError, match="No channel 'zz'"):
        ms.views.fields(make_fields(), colours={"zz": "#ffffff"})
    with pytest.raises(ValueError, match="0 rows"):
        ms.views.fields(make_fields().subset([]))
    with pytest.raises(ValueError, match=r"knows no cells.*cells=cells"):
        view.find("c1")


def test_fields_of_something_else_are_refused():
    _, cells = linked_fields()
    with pytest.raises(TypeError, match=r"Expected Fields, found Cells.*gallery\(cells\).*explore\(cells\)"):
        ms.views.fields(cells)
    with pytest.raises(TypeError, match=r"Expected Fields, found ndarray.*ms\.io\.read_fields"):
        ms.views.fields(np.zeros((2, 8, 8)))
    with pytest.raises(TypeError, match="Expected Cells, found Fields"):
        ms.views.fields(make_fields(), cells=make_fields())


def test_large_fields_are_thinned_and_say_so():
    big = ms.Fields(pd.DataFrame(index=["f"]), [np.zeros((1, 3000, 10), np.uint8)], pixel_size_um=0.1)
    view = ms.views.fields(big)
    assert view._field["height"] == 1000 and "one pixel in 3" in view._field["text"]
    # The scale is that of the field's own pixels.
    assert (view._field["full_height"], view._field["step"], view._field["um"]) == (3000, 3, 0.1)


def test_the_saved_picture_shows_the_channels_that_are_on():
    image = np.stack([np.full((8, 8), 10.0), np.full((8, 8), 10.0)])
    view = ms.views.fields(ms.Fields(pd.DataFrame(index=["f"]), [image]), contrast={"channel0": (0, 10)})
    view.show(channels=["channel0"], contrast={"channel1": (0, 10)})
    assert (view._saved()[1][0] == [255, 0, 255]).all()


def test_the_saved_picture_holds_the_outlines():
    fields, _ = linked_fields()
    view = ms.views.fields(fields, "f2", contrast={"DNA": (0, 9000)})
    line = view._saved()[1][0][:, 45]
    assert np.flatnonzero((line == 255).all(axis=1)).tolist() == [20, 29]
    assert view.show(outlines=False)._saved()[1][0].max() < 30


# --- cells ------------------------------------------------------------------------------------------------------


def spots_of(view):
    return np.frombuffer(view._spots, np.float32).reshape(-1, 4)


def test_each_cell_is_the_object_it_was_cut_from(linked):
    view, _ = linked
    # Objects are sent numbered in the order of their labels: 3, 7, 900.
    assert view._here.objects.tolist() == [1, 2, 3]
    assert view.cells.ids[view._here.rows].tolist() == ["f1-0003", "f1-0007", "f1-0900"]
    np.testing.assert_allclose(spots_of(view)[0], [1, 34.5, 27.0, np.hypot(5, 7.5)], rtol=1e-6)
    view.show("f2")
    assert view._here.objects.tolist() == [1] and view._link["note"] == ""


def test_the_selection_is_sent_and_counted_by_field(linked):
    view, selection = linked
    selection.select(["f1-0007", "f2-0002"])
    assert np.frombuffer(view._chosen, np.uint8).tolist() == [0, 1, 0]
    assert view._link["counts"] == [1, 1] and view._link["text"] == "2 cells selected, 1 of them in this field."
    view.show("f2")
    assert np.frombuffer(view._chosen, np.uint8).tolist() == [1]
    selection.clear()
    assert view._link["counts"] == [0, 0] and "none selected" in view._link["text"]


@pytest.mark.parametrize(("y", "x", "expected"), [(10, 10, "f1-0007"), (39.9, 20, "f1-0003"), (20, 60, None)])
def test_a_click_finds_the_object_under_it(linked, y, x, expected):
    view, selection = linked
    selection.find("f1-0900")
    view._received(view, {"kind": "click", "id": "f1", "y": y, "x": x, "shift": False, "reach": 3}, [])
    assert selection.found == expected and len(selection) == 0
    assert view._link["found"] == {"f1-0007": 1, "f1-0003": 0, None: -1}[expected]


def test_shift_and_click_toggles_and_leaves_the_rest(linked):
    view, selection = linked
    for expected in (["f1-0003"], []):
        view._received(view, {"kind": "click", "id": "f1", "y": 33, "x": 25, "shift": True, "reach": 3}, [])
        assert selection.selected.tolist() == expected and selection.found is None
    view._received(view, {"kind": "click", "id": "f1", "y": 1, "x": 1, "shift": True, "reach": 3}, [])
    view._received(view, {"kind": "click", "id": "f2", "y": 33, "x": 25, "shift": True, "reach": 3}, [])
    assert len(selection) == 0
    assert view.toggle("f1-0900").selection.selected.tolist() == ["f1-0900"]


def test_a_cell_found_from_python_is_named_and_one_found_by_hand_is_shown(linked):
    view, selection = linked
    selection.find("f2-0002")
    assert view.field_id == "f1"
    assert (view._link["cell"], view._link["elsewhere"], view._link["reachable"]) == ("f2-0002", "f2", True)
    view._received(view, {"kind": "goto"}, [])
    assert view.field_id == "f2" and view._link["elsewhere"] == "" and view._link["found"] == 0
    gallery = ms.views.gallery(view.cells)
    gallery._received(gallery, {"kind": "find", "row": 0}, [])
    assert selection.found == "f1-0003" and view.field_id == "f1" and view._link["found"] == 0
    gallery.close()
    assert view.find("f2-0002").field_id == "f2"


def test_a_found_cell_is_brought_into_view_at_the_same_zoom(linked):
    view, selection = linked
    view.zoom(4, centre=(10, 10))
    selection.find("f1-0900")
    top, bottom, left, right = view.visible
    assert top <= 49.5 <= bottom and left <= 67 <= right and bottom - top == 15
    view.find("f2-0002")
    assert view.visible == (17, 32, 34.5, 54.5)


def test_cells_that_fit_no_outline_have_a_circle_and_it_is_said():
    fields, cells = linked_fields()
    moved = [np.roll(m, 12, axis=0) for m in fields.masks]
    other = fields.with_masks(moved)
    view = ms.views.fields(other, cells=cells)
    assert view._here.objects.tolist() == [0, 0, 0]
    assert view._link["note"].startswith("3 cells of this field fit none of its outlines")
    # A click near the centre still finds it.
    selection = ms.views.selection_of(cells)
    view._received(view, {"kind": "click", "id": "f1", "y": 12, "x": 11, "shift": False, "reach": 4}, [])
    assert selection.found == "f1-0007"
    view.close()


def test_a_crescent_is_known_by_its_centre():
    y, x = np.mgrid[:60, :60]
    ring = (np.hypot(y - 30, x - 30) < 15) & (np.hypot(y - 30, x - 34) > 12)
    fields = ms.Fields(pd.DataFrame(index=["f"]), [np.ones((1, 60, 60))], [ring.astype(int) * 5])
    view = ms.views.fields(fields, cells=ms.io.crop(fields, 32))
    assert view._here.objects.tolist() == [1] and view._link["note"] == ""
    view.close()


def test_cells_of_other_tools_need_only_a_place():
    fields, _ = linked_fields()
    obs = pd.DataFrame(
        {"field_id": ["f1", "f1", "f9"], "y_px": [9.0, np.nan, 4], "x_px": [9.0, 3, 4]}, index=["a", "b", "c"]
    )
    view = ms.views.fields(fields, cells=ms.Cells(obs))
    assert view._here.objects.tolist() == [2, 0]
    assert spots_of(view)[1].tolist()[1] == -1 and np.isfinite(spots_of(view)).all()
    assert "1 cell of other fields ('f9') cannot be shown here." in view._link["note"]
    ms.views.selection_of(view.cells).find("c")
    assert (view._link["elsewhere"], view._link["reachable"]) == ("f9", False)
    view._received(view, {"kind": "goto"}, [])
    assert view.field_id == "f1"
    view.close()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda o: o.drop(columns="y_px"), KeyError, r"obs has no 'y_px'.*ms\.io\.crop"),
        (lambda o: o.assign(field_id="elsewhere"), ValueError, "None of the 4 cells lies in these fields.*'elsewhere'"),
        (lambda o: o.assign(x_px="left"), ValueError, r"obs\['x_px'\] holds something other than numbers"),
    ],
)
def test_cells_without_a_place_are_refused(change, error, words):
    fields, cells = linked_fields()
    with pytest.raises(error, match=words):
        ms.views.fields(fields, cells=ms.Cells(change(cells.obs)))


def test_a_closed_view_no_longer_listens(linked):
    view, selection = linked
    view.close()
    before = view._link
    selection.select(["f1-0007"])
    assert view._link == before
