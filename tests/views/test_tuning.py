"""The tuner without a browser: its line of code does what its picture shows."""

import ast
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

import mlscope_nb as ms


def make_fields(n=2, **more):
    y, x = np.mgrid[:120, :160]
    images = []
    for k in range(n):
        blobs = np.zeros((120, 160))
        for i in range(6):
            radius = 5 + 2 * i
            blobs[(y - 30 - 50 * (i // 3)) ** 2 + (x - 25 - 50 * (i % 3) - 4 * k) ** 2 <= radius**2] = 1
        noise = np.random.default_rng(k).normal(0, 30, blobs.shape)
        images.append(np.stack([500 + 2000 * ndimage.gaussian_filter(blobs, 1.5) + noise, 900 + noise]))
    return ms.Fields(pd.DataFrame(index=[f"f{k}" for k in range(n)]), images, channels=["DNA", 'E"R'], **more)


@pytest.fixture
def tuner():
    return ms.views.tune_segmentation(make_fields(pixel_size_um=0.5), "DNA")


def run(line, fields):
    """Do what a line of code says: one call of ms.io.segment with literal arguments."""
    (statement,) = ast.parse(line).body
    call = statement.value
    assert [ast.unparse(statement.targets[0]), ast.unparse(call.func)] == ["fields", "ms.io.segment"]
    assert ast.unparse(call.args[0]) == "fields"
    given = [ast.literal_eval(a) for a in call.args[1:]]
    return ms.io.segment(fields, *given, **{k.arg: ast.literal_eval(k.value) for k in call.keywords})


def shown(tuner):
    return np.asarray(Image.open(io.BytesIO(tuner._labels))).astype(int) @ [1, 256, 65536]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, 'fields = ms.io.segment(fields, "DNA")'),
        ({"threshold": 1.25}, 'fields = ms.io.segment(fields, "DNA", threshold=1.25)'),
        ({"threshold": 1.0, "split": 2.0}, 'fields = ms.io.segment(fields, "DNA", split=2)'),
        (
            {"min_area_px": np.int64(90), "max_area_px": 450.5, "polarity": "bright"},
            'fields = ms.io.segment(fields, "DNA", min_area_px=90, max_area_px=450.5, polarity="bright")',
        ),
        ({"channel": None, "diameter_px": 20}, "fields = ms.io.segment(fields, diameter_px=20)"),
        ({"channel": 1, "split": 0}, r'fields = ms.io.segment(fields, "E\"R", split=0)'),
    ],
)
def test_the_line_does_what_the_picture_shows(tuner, settings, line):
    assert tuner.set(**settings).code == line
    everything = run(tuner.code, tuner.fields)
    for name, row in (("f0", 0), ("f1", 1)):
        tuner.show(name)
        np.testing.assert_array_equal(shown(tuner), everything.masks[row])
        np.testing.assert_array_equal(tuner.result.masks[0], everything.masks[row])
        assert tuner.result.ids.tolist() == [name]
    assert tuner._report["text"].startswith(f"{everything.masks[1].max()} object")
    np.testing.assert_array_equal(tuner.apply().masks[0], everything.masks[0])
    assert tuner.apply().history == everything.history


def test_the_given_fields_stay_as_they_are():
    fields = make_fields()
    segmented = ms.io.segment(fields, "DNA")
    before = [np.array(m) for m in segmented.masks]
    tuner = ms.views.tune_segmentation(segmented, "DNA").set(threshold=0.6, min_area_px=200)
    assert fields.masks is None and not np.array_equal(tuner.result.masks[0], before[0])
    for mask, kept in zip(segmented.masks, before, strict=True):
        np.testing.assert_array_equal(mask, kept)


def test_number_and_median_area_are_those_of_the_masks(tuner):
    area = np.bincount(np.asarray(tuner.result.masks[0]).ravel())[1:]
    words = f"{len(area)} objects found · median area {np.median(area):,.0f} px ({np.median(area) / 4:,.3g} µm²)"
    assert tuner._report["text"].startswith(words)
    assert tuner.set(min_area_px=100_000)._report["text"].startswith("0 objects found · ")
    assert shown(tuner).max() == 0


def test_a_slider_in_the_browser_is_computed(tuner):
    before = shown(tuner)
    tuner.set_state({"_tuning": {**tuner._tuning, "max_area_px": 300}})
    assert tuner._report["tuning"] == tuner._tuning and tuner.settings == {"channel": "DNA", "max_area_px": 300}
    assert 0 < shown(tuner).max() < before.max()


def test_what_cannot_be_computed_is_said_and_the_picture_stays(tuner):
    before = shown(tuner)
    tuner.set_state({"_tuning": {**tuner._tuning, "min_area_px": 400, "max_area_px": 30}})
    assert "min_area_px=400 and max_area_px=30" in tuner._report["error"]
    np.testing.assert_array_equal(shown(tuner), before)
    with pytest.raises(ValueError, match="min_area_px=400"):
        _ = tuner.result
    tuner.set_state({"_tuning": {**tuner._tuning, "max_area_px": None}})
    assert tuner._report["error"] == "" and tuner.result is not None
    # From Python a mistake is an error, and nothing has moved.
    with pytest.raises(ValueError, match="threshold is -1"):
        tuner.set(threshold=-1)
    assert tuner.settings == {"channel": "DNA", "min_area_px": 400} and tuner._report["error"] == ""
    with pytest.raises(ValueError, match="diameter_px is 130"):
        tuner.set(diameter_px=130)
    with pytest.raises(TypeError, match="No setting 'treshold'"):
        tuner.set(treshold=1)
    with pytest.raises(TypeError, match="'split': expected numbers"):
        tuner.set(split="much")
    with pytest.raises(KeyError, match=r"No channel .*zz"):
        tuner.set(channel="zz")


def test_a_field_that_cannot_be_segmented_is_named_and_others_go_on():
    good = make_fields(1).images[0]
    bad = np.array(good)
    fields = ms.Fields(pd.DataFrame(index=["good", "bad"]), [good, good], channels=["DNA", "ER"])
    bad[0, 3, 3] = np.nan
    fields = fields.with_images(type(fields.images)([good, lambda: bad], [good.shape, bad.shape]))
    tuner = ms.views.tune_segmentation(fields, "DNA", contrast={"DNA": (500, 2500)})
    tuner.show("bad")
    assert "Field 'bad' holds NaN" in tuner._report["error"] and tuner._labels == b""
    assert tuner.show("good")._report["error"] == "" and shown(tuner).max() > 0


def test_where_it_starts_and_what_it_refuses():
    fields = make_fields()
    tuner = ms.views.tune_segmentation(fields, 1, "f1", contrast={"DNA": (0, 7)})
    assert tuner.field_id == "f1" and tuner.contrast["DNA"] == (0, 7)
    assert tuner._settings["on"] == [False, True] and tuner._settings["outlines"] is True
    assert ms.views.tune_segmentation(fields)._settings["on"] == [True, True]
    with pytest.raises(TypeError, match="Expected Fields"):
        ms.views.tune_segmentation(np.zeros((9, 9)))
    with pytest.raises(ValueError, match="0 rows"):
        ms.views.tune_segmentation(fields.subset([]))
    with pytest.raises(KeyError, match=r"No channel .*zz"):
        ms.views.tune_segmentation(fields, "zz")
    with pytest.raises(KeyError, match=r"No field .*zz"):
        ms.views.tune_segmentation(fields, "DNA", "zz")
