"""The folder reader: the form, Python and the line of code say the same; hostile names stay text."""

import json
import re
import runpy

import numpy as np
import pandas as pd
import pytest
import tifffile

import mlscope_nb as ms
from mlscope_nb.views._folderform import EACH, value_of

HOSTILE = "<img src=x onerror=alert(1)>"


def write(folder, names, *, shape=(24, 30)):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 4000, shape).astype("uint16")
        tifffile.imwrite(folder / name, pixels, metadata=None)
    return folder


@pytest.fixture
def plate(tmp_path):
    """Two plates of two wells, two channels, a layout and one broken file."""
    names = [f"P{p}_{w}_s1_w{c}.tif" for p in (1, 2) for w in ("A01", "A02") for c in (1, 2)]
    folder = write(tmp_path / "plates", names)
    (folder / "P1_A03_s1_w1.tif").write_bytes(b"no picture")
    rows = [(f"P{p}", w, d) for p in (1, 2) for w, d in (("A01", "DMSO"), ("A02", "drug"))]
    pd.DataFrame(rows, columns=["plate", "well", "treatment"]).to_csv(folder / "layout.csv", index=False)
    return folder


def sent(view, kind, **content):
    view._received(None, {"kind": kind, **content}, [])


def row(view, name):
    return next(one for one in view._data["form"] if one["name"] == name)


def test_what_is_shown_is_what_was_recognised(plate):
    view = ms.views.read_folder(plate)
    facts = dict(view._data["facts"])
    assert "ImageXpress" in facts["pattern"] and facts["dtypes"] == "uint16" and "axes" not in facts
    assert row(view, "unit")["value"] == json.dumps(["plate", "well"]) and row(view, "batch")["value"] == '"plate"'
    assert [p["name"] for p in view._data["plates"]["plates"]] == ["P1", "P2"]
    assert view._data["plates"]["plates"][0]["wells"][0][0]["text"] == "1"
    assert len(view._data["pictures"]) > 0 and view._data["can_read"] and not view._data["error"]
    assert any("P1_A03_s1_w1.tif" in text for text in view._data["problems"])


def test_the_form_python_and_the_line_say_the_same(plate, tmp_path):
    view = ms.views.read_folder(plate)
    sent(view, "change", name="label", value='"treatment"')
    sent(view, "change", name="control", value='{"treatment": "DMSO"}')
    sent(view, "change", name="channels", value=["DNA", "actin"])
    sent(view, "change", name="pixel_size_um", value="0,65")
    sent(view, "read")
    read, error = view.read(), view._data["error"]
    assert not error and view._data["says"].startswith("Read: 4 fields, 2 channels.")
    assert read.channels == ("DNA", "actin") and read.pixel_size_um == 0.65
    assert read.design.label == "treatment" and dict(read.design.control) == {"treatment": "DMSO"}
    (tmp_path / "line.py").write_text(f"import mlscope_nb as ms\n{view.code}", encoding="utf-8")
    with pytest.warns(UserWarning, match="left out"):
        again = runpy.run_path(str(tmp_path / "line.py"))["fields"]
    assert again.obs.equals(read.obs) and again.channels == read.channels and again.design == read.design
    assert all((a == b).all() for a, b in zip(again.images, read.images, strict=True))
    assert view.read() is read
    by_python = ms.views.read_folder(
        plate, label="treatment", control={"treatment": "DMSO"}, channels={"DNA": "1", "actin": "2"}, pixel_size_um=0.65
    )
    assert by_python.code == view.code


def test_wells_get_the_colours_of_the_label_once_they_are_read(plate):
    view = ms.views.read_folder(plate, label="treatment")
    assert view._data["plates"]["legend"] == []
    view.read()
    legend = {one["name"]: one["colour"] for one in view._data["plates"]["legend"]}
    wells = view._data["plates"]["plates"][1]["wells"][0]
    assert [wells[0]["colour"], wells[1]["colour"]] == [legend["DMSO"], legend["drug"]]
    assert "treatment drug" in wells[1]["words"]


def test_a_wrong_answer_is_said_and_changes_nothing(plate):
    view = ms.views.read_folder(plate)
    before, turn = view.code, view._data["turn"]
    for name, value in (
        ("pixel_size_um", "a lot"),
        ("channels", ["x", "x"]),
        ("channels", ["", "y"]),
        ("template", "{plate}_{nothing}-{like}-this.tif"),
        ("template", "{"),
        ("frame", "first"),
        ("no such option", "1"),
    ):
        sent(view, "change", name=name, value=value)
        assert view._data["error"] and view.code == before, name
    assert view._data["turn"] > turn
    sent(view, "change", name="pixel_size_um", value="0.5")
    assert view._data["error"] == "" and "pixel_size_um=0.5" in view.code


def test_another_pattern_keeps_what_was_declared(plate):
    view = ms.views.read_folder(plate, label="treatment", pixel_size_um=0.3)
    sent(view, "change", name="template", value="{plate}_{well}_s{site}_w{channel}.tif")
    assert view._data["error"] == ""
    assert row(view, "template")["value"] == "{plate}_{well}_s{site}_w{channel}.tif"
    assert "label='treatment'" in view.code and "pixel_size_um=0.3" in view.code
    sent(view, "change", name="pattern", value=EACH)
    assert view._data["plates"]["plates"] == [] and "pattern=" not in view.code
    assert row(view, "pattern")["value"] == EACH


def test_what_has_to_be_chosen_is_asked_for(tmp_path):
    folder = write(tmp_path / "stacks", ["a.tif", "b.tif"], shape=(5, 20, 20))
    for file in folder.iterdir():
        pixels = tifffile.imread(file)
        tifffile.imwrite(file, pixels, metadata={"axes": "ZYX"}, imagej=True)
    view = ms.views.read_folder(folder)
    assert not view._data["can_read"] and any("planes" in text for text in view._data["needs"])
    sent(view, "read")
    assert "Choose first" in view._data["error"]
    sent(view, "change", name="projection", value="max")
    assert view._data["can_read"] and len(view.read()) == 2 and view._data["needs"] == []


def test_hostile_names_stay_text(tmp_path):
    folder = write(tmp_path / "odd", [f"{HOSTILE}_A0{w}_s1_w1.tif".replace("/", "") for w in (1, 2)])
    pd.DataFrame({"well": ["A01", "A02"], HOSTILE: [HOSTILE, "b"]}).to_csv(folder / "layout.csv", index=False)
    view = ms.views.read_folder(folder, label=HOSTILE)
    view.read()
    markup = view._markup()
    assert "<img src=x" not in markup and "&lt;img src=x" in markup
    assert set(re.findall(r"<(\w+)", markup)) <= {"table", "tr", "th", "td", "p", "ul", "li", "pre", "span"}
    json.dumps(dict(view._data), allow_nan=False)


def test_a_saved_notebook_shows_what_was_found(plate):
    view = ms.views.read_folder(plate, label="treatment")
    view.read()
    text, pictures = view._saved()
    assert str(plate) in text and len(pictures) == len(view._data["pictures"])
    assert "ms.io.read_fields" in view._markup() and "P1_A03_s1_w1.tif" in view._markup()


def test_other_kinds_of_folders(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "crops.npz", images=rng.integers(0, 9, (12, 20, 20)).astype("uint8"))
    pd.DataFrame({"kind": list("ab") * 6}).to_csv(tmp_path / "meta.csv", index=False)
    view = ms.views.read_folder(tmp_path)
    sent(view, "change", name="label", value='"kind"')
    sent(view, "read")
    assert isinstance(view.read(), ms.Cells) and len(view._data["pictures"]) == 12
    assert view._data["says"] == "Read: 12 cells, 1 channel. Declared: label: kind."
    (tmp_path / "none").mkdir()
    nothing = ms.views.read_folder(tmp_path / "none")
    assert not nothing._data["can_read"] and nothing._data["form"] == []


def test_what_else_lies_there_can_be_chosen(plate):
    np.savez(plate / "crops.npz", images=np.zeros((3, 8, 8), "uint8"))
    view = ms.views.read_folder(plate)
    assert len(view._data["others"]) == 2
    sent(view, "choose", number=1)
    assert view.found.kind == "npz" and len(view.read()) == 3
    with pytest.raises(ValueError, match="expected 0 to 1"):
        view.choose(7)


def test_nothing_of_that_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such"):
        ms.views.read_folder(tmp_path / "no such")


def test_values_of_the_form():
    assert value_of("frame", "all") == "all" and value_of("frame", " 3 ") == 3
    assert value_of("pattern", EACH) is False and value_of("label", "") is None
