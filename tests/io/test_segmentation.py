"""Segmentation on images whose truth is known exactly, its invariances, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import mlscope_nb as ms
from mlscope_nb.io.objects import find_objects, grow_cells
from mlscope_nb.io.splitting import numbered
from tests.reference.overlap import f1


def discs(centres, radius=10, shape=(160, 200)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    truth = np.zeros(shape, np.int32)
    for number, (cy, cx) in enumerate(centres, start=1):
        truth[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number
    return truth


def photograph(truth, *, background=100.0, signal=80.0, noise=4.0, seed=0):
    blurred = ndimage.gaussian_filter((truth > 0).astype(float), 1.0)
    return background + signal * blurred + np.random.default_rng(seed).normal(0, noise, truth.shape)


GRID = [(25 + 36 * i, 25 + 36 * j) for i in range(4) for j in range(5)]


@pytest.fixture(scope="module")
def fly():
    return ms.datasets.load_fields("fly")


@pytest.fixture(scope="module")
def dna(fly):
    return np.asarray(fly.images[0][0])


@pytest.fixture(scope="module")
def segmented(fly):
    return ms.io.segment(fly.subset(fly.ids[:1]))


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_separate_discs_are_found_one_by_one(n):
    truth = discs(GRID[:n])
    labels, settings = find_objects(photograph(truth))
    assert labels.dtype == np.int32 and labels.max() == n == settings["n"]
    assert f1(labels, truth) == 1 and settings["polarity"] == "bright"


def test_dark_discs_are_found_as_well():
    truth = discs(GRID)
    labels, settings = find_objects(photograph(truth, background=200, signal=-90).astype(np.uint8))
    assert f1(labels, truth) == 1 and settings["polarity"] == "dark" and settings["polarity_figure"] < 0


def test_polarity_can_be_said():
    truth = discs(GRID[:6])
    image = photograph(truth)
    assert f1(find_objects(image, polarity="bright")[0], truth) == 1
    assert f1(find_objects(image, polarity="dark")[0], truth) == 0


@pytest.mark.parametrize("gap", [16, 18])
@pytest.mark.parametrize("radius", [10, 20])
def test_overlapping_discs_are_two(gap, radius):
    apart = round(gap * radius / 10)
    truth = discs([(80, 80), (80, 80 + apart)], radius)
    assert find_objects(photograph(truth))[0].max() == 2


@pytest.mark.parametrize("axes", [(9, 18), (12, 30)])
def test_an_elongated_object_is_one(axes):
    y, x = np.mgrid[:160, :200]
    truth = (((y - 80) / axes[0]) ** 2 + ((x - 100) / axes[1]) ** 2 <= 1).astype(np.int32)
    assert find_objects(photograph(truth))[0].max() == 1


def test_nuclei_are_found_inside_stained_cells():
    cells = discs([(60, 60), (60, 170), (170, 115)], 48, (230, 240))
    nuclei = discs([(60, 60), (60, 170), (170, 115)], 9, (230, 240))
    absorbed = 50 * ndimage.gaussian_filter((cells > 0) * 1.0, 3) + 80 * ndimage.gaussian_filter((nuclei > 0) * 1.0, 1)
    image = 230 - absorbed + np.random.default_rng(0).normal(0, 2, cells.shape)
    labels, settings = find_objects(image)
    assert f1(labels, nuclei) == 1 and settings["level"] > 1 and settings["polarity"] == "dark"


def test_a_ring_of_nuclei_is_not_filled():
    angles = np.arange(12) / 12 * 2 * np.pi
    truth = discs([(150 + 90 * np.sin(a), 150 + 90 * np.cos(a)) for a in angles], 22, (300, 300))
    labels, _ = find_objects(photograph(truth))
    assert labels[150, 150] == 0 and labels.max() == 12


def test_rgb_is_segmented_in_any_colour():
    truth = discs(GRID)
    blue = np.zeros((3, *truth.shape))
    blue[2] = photograph(truth)
    labels, settings = find_objects(blue)
    assert f1(labels, truth) == 1 and settings["grey"] == "brightest colour"
    stained = np.stack([photograph(truth, background=220, signal=s, seed=i) for i, s in enumerate((-120, -140, -50))])
    labels, settings = find_objects(stained.astype(np.uint8))
    assert f1(labels, truth) == 1 and settings["grey"] == "mean colour" and settings["polarity"] == "dark"


@pytest.mark.parametrize("seed", range(3))
def test_noise_alone_holds_no_objects(seed):
    rng = np.random.default_rng(seed)
    for noise in (rng.normal(100, 10, (300, 300)), rng.poisson(5, (300, 300)), rng.random((40, 60))):
        assert find_objects(noise)[0].max() == 0
    assert find_objects(ndimage.gaussian_filter(rng.normal(size=(512, 512)), 1.0))[0].max() <= 5


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 50)),
        np.full((40, 40), 255, np.uint8),
        np.full((3, 40, 40), 7, np.uint16),
        np.ones((1, 1)),
        np.zeros((2, 9)),
        np.zeros((9, 9), bool),
    ],
    ids=["zero", "saturated", "rgb", "1x1", "2x9", "bool"],
)
def test_flat_and_tiny_images_hold_no_objects(image):
    labels, settings = find_objects(image)
    assert labels.shape == image.shape[-2:] and labels.dtype == np.int32 and labels.max() == 0 == settings["n"]


def test_saturated_objects_are_found():
    truth = discs(GRID)
    assert f1(find_objects(np.clip(photograph(truth, signal=900), 0, 255).astype(np.uint8))[0], truth) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.astype(np.uint16) * 3 + 100,
        lambda a: a / 255,
        lambda a: a.astype(np.float32) * 1e-3 + 5,
        lambda a: a.astype(np.int64) * 100 - 9000,
        lambda a: -2.0 * a,
    ],
    ids=["gain and offset", "0 to 1", "small", "below zero", "negative"],
)
def test_gain_offset_and_type_change_nothing(dna, change):
    image = dna[:400, :400]
    assert np.array_equal(find_objects(change(image))[0], find_objects(image)[0])


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (np.rot90, lambda a: np.rot90(a, -1)),
        (np.fliplr, np.fliplr),
        (np.flipud, np.flipud),
        (np.transpose, np.transpose),
    ],
    ids=["rotated", "left-right", "up-down", "transposed"],
)
def test_turning_the_image_turns_the_objects(dna, there, back):
    image = dna[:500, :500]
    turned = np.ascontiguousarray(back(find_objects(there(image))[0]))
    assert f1(turned, find_objects(image)[0]) >= 0.98


def test_a_known_diameter_leaves_out_other_sizes():
    truth = np.where(discs(GRID[:5], 12) > 0, 1, 0) | np.where(discs(GRID[5:], 3) > 0, 1, 0)
    image = photograph(truth, noise=1)
    assert find_objects(image, diameter_px=24)[0].max() == 5
    assert find_objects(image, diameter_px=7)[0].max() == 15


@pytest.mark.parametrize("diameter", [1e6, 97, float("inf")])
def test_a_diameter_larger_than_the_image_is_refused(diameter):
    image = photograph(discs([(30, 30), (60, 90)], shape=(96, 120)))
    with pytest.raises(ValueError, match=r"the image is 120 × 96 pixels.*at most 96 px"):
        find_objects(image, diameter_px=diameter)
    with pytest.raises(ValueError, match="at most 96 px"):
        find_objects(np.stack([image] * 3), diameter_px=diameter)


def test_a_diameter_as_large_as_the_image_is_allowed():
    truth = discs([(48, 48)], radius=24, shape=(96, 96))
    assert find_objects(photograph(truth), diameter_px=96)[0].max() == 1


def test_a_diameter_larger_than_one_field_names_it_before_any_is_read():
    def unread():
        raise AssertionError("read although it had to be refused")

    images = ms.fields.Stack([unread, unread], [(1, 200, 200), (1, 40, 200)])
    fields = ms.Fields(pd.DataFrame(index=["large", "small"]), images)
    with pytest.raises(ValueError, match=r"larger than 1 field: 'small \(200 × 40 px\)'.*subset"):
        ms.io.segment(fields, diameter_px=60)


def test_labels_are_numbered_in_reading_order_and_repeatable(dna):
    labels, settings = find_objects(dna[:300])
    again, same = find_objects(dna[:300])
    assert np.array_equal(labels, again) and settings == same
    assert np.array_equal(labels, numbered(labels)) and set(np.unique(labels)) == set(range(labels.max() + 1))


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.array([[np.nan, 1.0], [0, 0]]), {}, "1 NaN or infinite"),
        (np.array([[np.inf, 1.0], [np.inf, 0]]), {}, "2 NaN or infinite.*nan_to_num"),
        (np.zeros((2, 9, 9)), {}, "Choose one channel"),
        (np.zeros((0, 9)), {}, "not empty"),
        (np.zeros(9), {}, "expected \\(Y, X\\)"),
        (np.array([["a"]]), {}, "expected integers or floats"),
        (np.zeros((9, 9)), {"polarity": "light"}, "auto, bright, dark"),
        (np.zeros((9, 9)), {"diameter_px": 0}, "above 0"),
        (np.zeros((9, 9)), {"diameter_px": float("nan")}, "above 0"),
    ],
)
def test_bad_images_and_options_are_refused(image, options, message):
    with pytest.raises(ValueError, match=message):
        find_objects(image, **options)


def test_cells_hold_their_nuclei_and_meet_at_the_membrane():
    nuclei = discs([(60, 60), (60, 100)], 8, (120, 160))
    body = np.zeros((120, 160))
    body[30:90, 30:130] = 40
    body[30:90, 87:90] = 110
    cells, settings = grow_cells(body + np.random.default_rng(0).normal(0, 1, body.shape), nuclei)
    assert cells.dtype == np.int32 and np.array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    # Half-way between the nuclei lies column 80, the membrane at 88.
    assert (cells[50:70, 84] == 1).all() and (cells[50:70, 93] == 2).all()
    assert (cells[:25] == 0).all() and settings["polarity"] == "bright"


def test_reach_limits_how_far_a_cell_grows():
    nuclei = discs([(80, 100)], 8)
    image = np.zeros((160, 200))
    image[20:140, 20:180] = 9
    grown = grow_cells(image, nuclei, reach_px=6)[0] > 0
    distance = ndimage.distance_transform_edt(nuclei == 0)
    assert distance[grown].max() <= 6 < distance[grow_cells(image, nuclei, reach_px=20)[0] > 0].max() <= 20
    assert np.array_equal(grow_cells(image, nuclei, reach_px=0)[0], nuclei)


def test_cells_may_fill_most_of_the_field_in_either_polarity():
    nuclei = discs([(80, 60), (80, 140)], 8)
    image = np.full((160, 200), 50.0)
    image[10:150, 10:190] = 90
    for sign in (1, -1):
        cells, settings = grow_cells(sign * image, nuclei, reach_px=50)
        assert settings["polarity"] == ("bright" if sign == 1 else "dark")
        assert (cells[12:148, 60] == 1).sum() > 90 and not cells[:8].any()


def test_cells_on_a_flat_image_are_their_nuclei():
    nuclei = discs(GRID[:3])
    assert np.array_equal(grow_cells(np.full(nuclei.shape, 3), nuclei)[0], nuclei)
    assert grow_cells(np.zeros((9, 9)), np.zeros((9, 9), int))[0].max() == 0


def test_labels_with_gaps_keep_their_numbers():
    nuclei = discs(GRID[:3]) * 5
    assert set(np.unique(grow_cells(photograph(discs(GRID[:3], 16)), nuclei)[0])) == {0, 5, 10, 15}


@pytest.mark.parametrize(
    ("nuclei", "options", "message"),
    [
        (np.zeros((8, 9), int), {}, "size of the image"),
        (np.zeros((9, 9)), {}, "integer labels"),
        (np.full((9, 9), -1), {}, "0 for background"),
        (np.zeros((9, 9), int), {"reach_px": -1}, "0 or more"),
    ],
)
def test_bad_nuclei_are_refused(nuclei, options, message):
    with pytest.raises(ValueError, match=message):
        grow_cells(np.zeros((9, 9)), nuclei, **options)


def test_fields_are_segmented_in_the_dna_channel(fly, segmented):
    assert segmented.channels == fly.channels and fly.masks is None
    step = segmented.history[-1]
    assert step["step"] == "segment" and step["channel"] == ["DNA"]
    found = step["fields"][segmented.ids[0]]
    assert found["polarity"] == "bright" and found["n"] == segmented.masks[0].max() and found["threshold"] > 0


def test_cells_of_fields_are_numbered_as_their_nuclei(segmented):
    cells = ms.io.segment_cells(segmented)
    nuclei, cytoplasm = cells.compartments["nucleus"][0], cells.compartments["cytoplasm"][0]
    assert np.array_equal(nuclei, segmented.masks[0])
    assert np.array_equal(cells.masks[0][nuclei > 0], nuclei[nuclei > 0])
    assert np.array_equal(cytoplasm, np.where(nuclei > 0, 0, cells.masks[0]))
    assert cells.history[-1]["channel"] == ["F", "R"] and cells.masks[0].max() == nuclei.max()
    with pytest.raises(ValueError, match="hold cells already"):
        ms.io.segment_cells(cells)


@pytest.mark.parametrize(
    ("channels", "chosen"),
    [
        (["actin", "DAPI", "tubulin"], ["DAPI"]),
        (["red", "green", "blue"], ["red", "green", "blue"]),
        (["a", "b", "c"], ["a"]),
        (["R", "F", "D"], ["D"]),
    ],
)
def test_the_default_channel(channels, chosen):
    image = np.stack([photograph(discs(GRID), seed=s) for s in range(3)])
    fields = ms.Fields(pd.DataFrame(index=["f1"]), [image], channels=channels)
    assert ms.io.segment(fields).history[-1]["channel"] == chosen


def test_fields_of_different_sizes_keep_their_order():
    images = [photograph(discs(GRID[:n], shape=(150 + n, 200)))[None] for n in (3, 5)]
    fields = ms.Fields(pd.DataFrame(index=["b", "a"]), images)
    assert [int(m.max()) for m in ms.io.segment(fields).masks] == [3, 5]
    assert ms.io.segment_cells(ms.io.segment(fields)).history[-1]["channel"] == ["channel0"]


def test_wrong_fields_are_refused():
    fields = ms.Fields(pd.DataFrame(index=["f1"]), [np.zeros((1, 20, 20))])
    with pytest.raises(KeyError, match="No channel 'actin'"):
        ms.io.segment(fields, "actin")
    with pytest.raises(ValueError, match=r"Run ms.io.segment\(fields\) first"):
        ms.io.segment_cells(fields)
    with pytest.raises(KeyError, match="No channel 'actin'"):
        ms.io.segment_cells(ms.io.segment(fields), "actin")


def test_a_field_with_nan_read_late_is_named():
    late = ms.fields.Stack([lambda: np.full((1, 20, 20), np.nan)], [(1, 20, 20)])
    fields = ms.Fields(pd.DataFrame(index=["f7"]), late)
    with pytest.raises(ValueError, match="Field 'f7' holds NaN"):
        ms.io.segment(fields)
