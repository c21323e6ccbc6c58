"""Fields of different sizes stay aligned with their masks; what does not fit is named."""

import copy

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.fields import Stack


@pytest.fixture
def fields():
    images = [np.full((2, 10, 12), 1, np.uint16), np.full((2, 8, 9), 2, np.uint16)]
    return ms.Fields(
        pd.DataFrame({"well": ["A", "B"]}, index=["f1", "f2"]), images, channels=["DNA", "RNA"], unit="well"
    )


def test_sizes_may_differ_and_nothing_changes(fields):
    assert [i.shape for i in fields.images] == [(2, 10, 12), (2, 8, 9)]
    with pytest.raises(ValueError, match="read-only"):
        fields.images[0][0, 0, 0] = 5
    with pytest.raises(AttributeError, match="cannot be changed"):
        fields.masks = None
    fields.obs["new"] = 1
    assert list(fields.obs) == ["well"]


def test_masks_and_compartments(fields):
    masks = [np.ones((10, 12), int), np.zeros((8, 9), int)]
    new = fields.with_masks(masks, {"nucleus": masks}, step={"step": "segment"})
    assert new.masks[0].dtype == np.int32 and new.history[-1] == {"step": "segment"} and fields.masks is None
    assert not new.with_masks(masks).compartments
    with pytest.raises(ValueError, match="another size than their images: 'f2"):
        fields.with_masks([masks[0], masks[0]])
    with pytest.raises(TypeError, match="must hold integers"):
        fields.with_masks([m.astype(float) for m in masks])
    with pytest.raises(ValueError, match="1 masks for 2 fields"):
        fields.with_masks(masks[:1])


def test_new_images_must_fit_the_masks(fields):
    masked = fields.with_masks([np.zeros(s[1:], int) for s in fields.images.shapes])
    assert masked.with_images([np.zeros(s) for s in fields.images.shapes]).masks is not None
    with pytest.raises(ValueError, match="another size than the masks: 'f1'"):
        masked.with_images([np.zeros((2, 5, 5)), np.zeros((2, 8, 9))])
    assert fields.with_images([np.zeros((1, 5, 5)), np.zeros((1, 8, 9))]).channels == ("channel0",)


def test_refusals(fields):
    obs = pd.DataFrame(index=["f1", "f2"])
    with pytest.raises(ValueError, match=r"not 'f2 \(3\)'"):
        ms.Fields(
            pd.DataFrame(index=["f0", "f1", "f2"]), [np.zeros((2, 4, 4)), np.zeros((2, 4, 4)), np.zeros((3, 4, 4))]
        )
    with pytest.raises(ValueError, match="'f2'"):
        ms.Fields(obs, [np.zeros((4, 4)), np.full((4, 4), np.inf)])
    with pytest.raises(ValueError, match="1 images for 2 rows"):
        ms.Fields(obs, [np.zeros((4, 4))])
    with pytest.raises(ValueError, match="other axes"):
        ms.Fields(obs, [np.zeros((1, 2, 4, 4))] * 2)
    with pytest.raises(KeyError, match="No channel 'GFP'"):
        fields.channel("GFP")
    assert fields.channel("RNA") == fields.channel(1) == 1


def test_lazy_images_are_read_when_asked_for():
    read = []

    def reader():
        read.append(1)
        return np.ones((1, 4, 4))

    fields = ms.Fields(pd.DataFrame(index=["a", "b"]), Stack([reader, reader], [(1, 4, 4)] * 2))
    assert not read
    assert fields.subset(["b"]).images[0].sum() == 16 and len(read) == 1


def test_what_they_say_of_themselves(fields):
    assert "2 fields of view" in repr(fields) and "8 × 9 to 10 × 12 pixels" in repr(fields)
    assert fields._repr_html_().count("<img") == 2


def test_fly_says_what_it_cannot_tell():
    fly = ms.datasets.load_fields("fly")
    assert len(fly) == 3 and fly.channels == ("DNA", "F", "R")
    assert "position, condition and batch are one and the same" in fly._repr_html_()
    with pytest.raises(ValueError, match=r"No data set 'flies'. There are: 'fly'"):
        ms.datasets.load_fields("flies")


def test_a_changed_data_file_is_refused(monkeypatch, tmp_path):
    import shutil

    from mlscope_nb.datasets import embedded

    shutil.copytree(embedded.folder(), tmp_path / "data")
    path = tmp_path / "data" / "fly" / "POS002.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(embedded, "folder", lambda: tmp_path / "data")
    with pytest.raises(ValueError, match="not the file that was shipped"):
        embedded.load_fields("fly")


def test_fields_say_which_are_independent_and_their_history_is_a_copy(fields):
    assert list(fields.units) == ["A", "B"] and copy.deepcopy(fields) is fields
    with pytest.raises(ValueError, match=r"No batch is declared.*fields.with_design\(batch=…\)"):
        _ = fields.batches_of
    said = fields.with_design(label="well")
    assert list(said.labels) == ["A", "B"] and said.history[-1] == {"step": "with_design", "label": "well"}
    said.history[-1]["label"] = "other"
    assert said.history[-1]["label"] == "well"
