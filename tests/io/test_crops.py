"""Crops: every object once, centred, neighbours marked, nothing lost at the edge."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


@pytest.fixture
def fields():
    mask = np.zeros((60, 70), np.int32)
    mask[10:20, 10:20] = 1
    mask[10:20, 20:28] = 2
    mask[0:6, 50:60] = 3
    mask[30:58, 20:60] = 5
    image = np.stack([mask * 100, np.full(mask.shape, 7)]).astype(np.uint16)
    image[1][mask > 0] = 50
    nucleus = np.where((np.arange(60)[:, None] % 10 > 2), mask, 0)
    return ms.Fields(
        pd.DataFrame({"plate": ["p1"]}, index=["f 1"]), [image], [mask], compartments={"nucleus": [nucleus]},
        channels=["id", "flat"], unit="plate", pixel_size_um=0.5,
    )  # fmt: skip


def test_every_object_once_with_its_own_pixels(fields):
    cells = ms.io.crop(fields, size=16)
    assert list(cells.ids) == ["f 1-0001", "f 1-0002", "f 1-0003", "f 1-0005"]
    assert cells.design.unit == ("plate",) and cells.pixel_size_um == 0.5 and cells.obs["plate"].eq("p1").all()
    for image, mask, number in zip(cells.images, cells.masks, cells.obs["object"], strict=True):
        assert set(image[0][mask == 1]) == {number * 100}
        assert (image[0][mask == 0] == 0).all()
    sizes = [(m == 1).sum() for m in cells.masks]
    assert sizes == [100, 80, 60, 16 * 16]


def test_neighbours_are_kept_and_marked(fields):
    first, second = ms.io.crop(fields, size=32).masks[:2]
    assert (first == 1).sum() == 100 and (first == 2).sum() == 80
    assert (second == 1).sum() == 80 and (second == 2).sum() == 100
    assert set(np.unique(first)) <= {0, 1, 2, 3}


def test_edges_are_flagged_and_filled_with_background(fields):
    obs = ms.io.crop(fields, size=16).obs
    assert obs["at_edge"].tolist() == [False, False, True, False]
    assert obs["clipped"].tolist() == [False, False, False, True]
    assert obs["padded"].tolist() == [False, False, True, False]
    third = ms.io.crop(fields, size=16).images[2]
    assert (third[1][0] == 7).all() and (third[0][0] == 0).all()


def test_compartments_use_the_same_codes(fields):
    cells = ms.io.crop(fields, size=32)
    nucleus = cells.compartments["nucleus"]
    assert ((nucleus == 0) | (nucleus == cells.masks)).all()
    assert (nucleus == 1).sum() < (cells.masks == 1).sum()


def test_the_centre_is_the_centre(fields):
    obs = ms.io.crop(fields).obs
    assert obs.loc["f 1-0001", ["y_px", "x_px"]].tolist() == [14.5, 14.5]


def test_fields_without_objects_are_skipped_and_none_at_all_is_an_error(fields):
    both = ms.Fields(pd.DataFrame(index=["a", "b"]), [fields.images[0]] * 2, [np.zeros((60, 70), int), fields.masks[0]])
    assert set(ms.io.crop(both).obs["field_id"]) == {"b"}
    none = fields.with_masks([np.zeros((60, 70), int)])
    with pytest.raises(ValueError, match="No objects in any of 1 fields"):
        ms.io.crop(none)
    with pytest.raises(ValueError, match="not segmented"):
        ms.io.crop(ms.Fields(pd.DataFrame(index=["a"]), [np.zeros((9, 9))]))
    for size in (7, 33, 0):
        with pytest.raises(ValueError, match="even number"):
            ms.io.crop(fields, size=size)


def test_columns_that_crop_writes_are_refused_not_replaced():
    mask = np.zeros((20, 20), int)
    mask[5:9, 5:9] = 1
    fields = ms.Fields(pd.DataFrame({"object": ["ctrl"]}, index=["f"]), [np.ones((20, 20))], [mask], unit="object")
    with pytest.raises(ValueError, match="columns that crop writes itself: 'object'"):
        ms.io.crop(fields, size=8)


def test_large_and_sparse_labels_cost_no_memory():
    mask = np.zeros((20, 20), np.int64)
    mask[5:9, 5:9], mask[12:15, 12:15] = 2_000_000_000, 7
    cells = ms.io.crop(ms.Fields(pd.DataFrame(index=["f"]), [np.ones((20, 20))], [mask]), size=8)
    assert cells.obs["object"].tolist() == [7, 2_000_000_000] and [(m == 1).sum() for m in cells.masks] == [9, 16]


@pytest.mark.parametrize("label", [-1, 2**32 + 1])
def test_labels_that_would_wrap_round_are_refused(label):
    mask = np.zeros((9, 9), np.int64)
    mask[2:5, 2:5] = label
    with pytest.raises(ValueError, match=r"Masks must hold 0 … 2,147,483,647, found 'f"):
        ms.Fields(pd.DataFrame(index=["f"]), [np.ones((9, 9))], [mask])
