"""Flat field: found within known bounds, honest about too few fields, and taken out without touching anything else."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.curate import Flatfield, correct_flatfield, estimate_flatfield
from mlscope_nb.curate.light import _least_harm, fit_light
from mlscope_nb.curate.shot_noise import dark_from_noise
from mlscope_nb.curate.tiles import shrink, tiles_of
from mlscope_nb.fields import Fields, Stack

SIZE = 64


def light(fall=0.3, centre=(0.2, -0.3)):
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) * 2 - 1
    flat = 1 - fall * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 2
    return flat / flat.mean()


def pictures(n, flat, *, dark=100.0, level=300.0, spread=0.0, cells=8, seed=0):
    """Discs of many brightnesses on a background, with noise, as uint16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    made = []
    for _ in range(n):
        scene = np.full((SIZE, SIZE), level * np.exp(spread * rng.normal()))
        for cy, cx in rng.uniform(-8, SIZE + 8, (cells, 2)):
            scene += 900 * rng.lognormal(0, 0.25) * ((y - cy) ** 2 + (x - cx) ** 2 < 25)
        made.append(np.rint(rng.poisson(scene * flat) + dark + rng.normal(0, 3, scene.shape)))
    return np.clip(made, 0, 65535).astype(np.uint16)


def error(found, flat):
    return float(np.sqrt(np.mean((np.asarray(found) / flat - 1) ** 2)))


@pytest.fixture(scope="module")
def flat():
    return light()


@pytest.fixture(scope="module")
def images(flat):
    return pictures(16, flat, spread=0.3)


@pytest.fixture(scope="module")
def found(images):
    return estimate_flatfield(images)


def plate_fields(images, **columns):
    obs = pd.DataFrame(columns or {"plate": ["p1"] * len(images)}, index=[f"f{i}" for i in range(len(images))])
    return Fields(obs, list(images), channels=["DNA"], batch="plate", unit="plate")


def test_the_light_is_found_and_the_dark_level_told_from_it(found, flat):
    assert error(found.flat, flat) < 0.01 < flat.std() / 5
    assert abs(found.dark[0] - 100) < 15
    assert found.flat.shape == (1, SIZE, SIZE)
    assert found.flat[0].mean() == pytest.approx(1, abs=1e-5)


def test_a_given_dark_level_leaves_only_the_shape(images, flat):
    known = estimate_flatfield(images, dark=100)
    assert error(known.flat, flat) < 0.004
    assert known.dark.tolist() == [100]


def test_a_wrong_dark_level_would_be_seen_in_the_error(images, flat):
    assert error(fit_light(tiles_of(images), dark=0).flat((SIZE, SIZE)), flat) > 0.02


def test_where_all_backgrounds_are_alike_the_cells_tell_the_dark_level(flat):
    alike = pictures(24, flat, level=100, cells=12, seed=1)
    tiles = tiles_of(alike)
    found, taken_as_none = fit_light(tiles), fit_light(tiles, dark=0)
    assert error(found.flat((SIZE, SIZE)), flat) < 0.035 < error(taken_as_none.flat((SIZE, SIZE)), flat)


def heaps(n, flat, *, seed=0):
    """Cells in one heap a field, bright in its middle, on a background that is the same everywhere; photon noise."""
    rng = np.random.default_rng(seed)
    size = len(flat)
    y, x = np.mgrid[0:size, 0:size]
    made = []
    for _ in range(n):
        scene = np.full((size, size), 300.0)
        for cy, cx in rng.normal(rng.uniform(0, size, 2), size / 5, (30, 2)):
            scene += 1200 * rng.lognormal(0, 0.4) * np.exp(-((((y - cy) ** 2 + (x - cx) ** 2) / 81) ** 2))
        made.append(np.rint(rng.poisson(scene * flat) + 100 + rng.normal(0, 3, scene.shape)))
    return np.clip(made, 0, 65535).astype(np.uint16)


def test_heaps_of_cells_do_not_pass_for_light_where_photons_were_counted(flat):
    large = np.kron(flat, np.ones((3, 3)))
    tiles = tiles_of(heaps(12, large, seed=1))
    found, without = fit_light(tiles), fit_light(replace(tiles, grain=None))
    assert error(found.flat(large.shape), large) < 0.02 < error(without.flat(large.shape), large)
    assert abs(found.dark - 100) < 2 * found.dark_error


def test_a_dark_level_that_is_hardly_known_is_taken_low():
    chosen = [_least_harm(250, error, 0, 400)[0] for error in (1, 40, 80, 1000)]
    assert chosen[0] == pytest.approx(250, abs=0.5) and chosen == sorted(chosen, reverse=True)
    # of anything between 0 and 400 known as little: two thirds of the background are taken for light
    assert chosen[-1] == pytest.approx(400 / 3, rel=0.02)
    assert _least_harm(-500, 10, 0, 400)[0] < 1 and _least_harm(900, 10, 0, 400)[0] < 400


def test_photon_noise_tells_the_dark_level_and_other_noise_says_nothing():
    rng = np.random.default_rng(0)
    expected = np.tile(np.linspace(250, 500, 6000), (4, 1))
    objects = np.zeros(expected.shape, bool)
    objects[:, ::5] = True
    seen = np.where(objects, 4 * (expected - 100) + 100, expected)
    chi = rng.chisquare(7, seen.shape) / 7

    def told(variance):
        return dark_from_noise(variance * chi, seen, expected, ~objects, objects, whole=False)

    dark, error = told(2 * (seen - 100))
    assert abs(dark - 100) < error < 40
    assert told(np.full(seen.shape, 50.0)) is None, "noise that does not rise"
    assert told(0.01 * (expected - 100) ** 2) is None, "noise that was there before the light"
    assert told(0.01 * (seen - 100) ** 2) is None, "texture"


def test_saturated_crumbs_and_empty_fields_do_no_harm(images, flat):
    hurt = images.copy()
    hurt[::5, 40:60, 5:20] = 65535
    hurt[3], hurt[9] = pictures(2, flat, cells=0, seed=2)
    assert error(fit_light(tiles_of(hurt), dark=100).flat((SIZE, SIZE)), flat) < 0.005


def test_dark_objects_on_a_bright_background(flat):
    bright = 8000 * flat - (pictures(16, np.ones_like(flat), dark=0, level=0, seed=3) * 2.0) * flat
    found = estimate_flatfield(np.maximum(bright, 0).astype(np.uint16), dark=0)
    assert error(found.flat, flat) < 0.01


def test_the_order_of_fields_does_not_matter(images, found):
    again = fit_light(tiles_of(images[::-1])).flat((SIZE, SIZE))
    assert np.allclose(again, found.flat[0], rtol=1e-4)


def test_arrays_lists_and_fields_give_the_same(images):
    few = images[:4]
    as_array, as_list = estimate_flatfield(few), estimate_flatfield([i[None] for i in few])
    as_fields = estimate_flatfield(plate_fields(few))
    assert np.array_equal(as_list.flat, as_array.flat)
    assert np.array_equal(as_fields.flat, as_array.flat)


def test_fields_are_read_one_at_a_time(images):
    held = []

    def reader(i):
        def read():
            held.append(i)
            return images[i][None]

        return read

    stack = Stack([reader(i) for i in range(8)], [(1, SIZE, SIZE)] * 8)
    obs = pd.DataFrame(index=[f"f{i}" for i in range(8)])
    fields = Fields(obs, stack)
    estimated = estimate_flatfield(fields)
    assert held == list(range(8))
    corrected = correct_flatfield(fields, estimated, by=())
    assert held == list(range(8)), "correcting reads nothing before it is asked for"
    assert np.array_equal(corrected.images[5], np.rint(estimated.apply(images[5][None])).astype(np.uint16))
    assert held == [*range(8), 5]


def test_each_channel_and_plate_has_its_own_light(flat):
    other = light(0.25, (-0.4, 0.4))
    a, b = pictures(8, flat, seed=4), pictures(8, other, seed=5)
    both = np.stack([np.concatenate([a, b]), np.concatenate([b, a])], axis=1)
    obs = pd.DataFrame({"plate": ["p1"] * 8 + ["p2"] * 8}, index=[f"f{i}" for i in range(16)])
    fields = Fields(obs, list(both), channels=["DNA", "actin"], batch="plate")
    found = estimate_flatfield(fields, dark=100)
    for plate, lights in (("p1", (flat, other)), ("p2", (other, flat))):
        for c in (0, 1):
            assert error(found[plate].flat[c], lights[c]) < 0.01
    with pytest.raises(ValueError, match=r"2 batches.*flatfield\['p1'\]"):
        found.flat  # noqa: B018
    with pytest.raises(KeyError, match="No flat field of 'p3'"):
        found["p3"]
    even = correct_flatfield(fields, found, dtype="float32")
    assert np.allclose(even.images[9][1], (both[9][1] - 100.0) / found["p2"].flat[1] + 100, rtol=1e-4)


def test_correction_makes_the_background_even_and_keeps_the_rest(images, flat):
    fields = plate_fields(images).with_masks([np.ones((SIZE, SIZE), int)] * len(images))
    known = estimate_flatfield(images, dark=100)
    even = correct_flatfield(fields, known)
    assert even.images[0].dtype == np.uint16 and list(even.ids) == list(fields.ids)
    assert even.masks is not None and even.design == fields.design
    before, after = (np.median([i[0] for i in f.images], axis=0) for f in (fields, even))
    corner, middle = np.s_[-12:, -12:], np.s_[20:36, 16:32]
    # the dark level of 100 is no light
    assert np.median(before[corner]) - 100 < 0.8 * (np.median(before[middle]) - 100)
    assert np.median(after[corner]) - 100 == pytest.approx(np.median(after[middle]) - 100, rel=0.04)
    # the dark level stays as an offset unless it is asked for to go
    assert np.median(after) == pytest.approx(400, abs=40)
    without = correct_flatfield(fields, known, subtract_dark=True, dtype="float32")
    assert without.images[0].dtype == np.float32
    assert np.allclose(without.images[0] + 100, even.images[0], atol=0.51)
    step = even.history[-1]
    assert step["step"] == "correct_flatfield" and step["estimates"][0]["dark"] == 100
    json.dumps(step)


def test_correcting_with_the_true_light_is_exact():
    flat = light()
    scene = np.full((SIZE, SIZE), 500.0)
    fields = plate_fields([(scene * flat + 40).astype(np.float32)])
    even = correct_flatfield(fields, Flatfield.measured(flat, 40), subtract_dark=True)
    assert np.allclose(even.images[0], 500, rtol=1e-5)


def test_integers_are_rounded_and_cut_at_their_ends():
    fields = plate_fields([np.array([[0, 255], [101, 101]], np.uint8)])
    even = correct_flatfield(fields, Flatfield.measured([[1, 0.5], [1, 1]]))
    assert even.images[0].tolist() == [[[0, 255], [88, 88]]]


def test_too_few_fields_are_said_and_not_trusted(images):
    with pytest.raises(ValueError, match="2 fields, expected at least 3"):
        estimate_flatfield(images[:2])
    few = estimate_flatfield(images[:4])
    assert not few.trusted and "Too few fields" in str(few)
    three = estimate_flatfield(images[:3])
    assert (
        np.isnan(three.error).all() and "error not known" in str(three) and three.to_dict()["table"][0]["error"] is None
    )
    with pytest.warns(UserWarning, match="not to be trusted"):
        even = correct_flatfield(plate_fields(images[:4]))
    assert "not to be trusted" in even.history[-1]["note"]


def test_enough_fields_are_trusted_in_silence(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        even = correct_flatfield(plate_fields(images[:8]), dark=100)
    assert "note" not in even.history[-1]


def test_the_split_half_error_tells_good_from_bad(images, flat):
    good, bad = estimate_flatfield(images, dark=100), estimate_flatfield(pictures(6, flat, level=100))
    assert good.error[0] < 0.005 < bad.error[0]


def test_a_dark_level_that_cannot_be_told_is_said(flat):
    found = estimate_flatfield(pictures(12, flat, cells=0))
    assert "dark level could hardly be told" in str(found)


def test_confluent_fields_are_said_to_lack_a_background():
    rng = np.random.default_rng(0)
    noise = rng.lognormal(6, 0.8, (12, SIZE // 8, SIZE // 8)).repeat(8, 1).repeat(8, 2)
    found = estimate_flatfield(noise.astype(np.uint16))
    assert "no background between cells" in str(found)


def test_words_table_and_html(found):
    assert "split-half error" in str(found) and "16 fields" in str(found)
    assert list(found.table["channel"]) == ["channel0"] and found.table["n_fields"].tolist() == [16]
    assert "<table" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["table"][0]["n_fields"] == 16
    assert np.asarray(found).shape == (1, SIZE, SIZE)


def test_names_of_batches_are_escaped(images):
    fields = plate_fields(images[:4], plate=["<script>"] * 4)
    assert "<script>" not in estimate_flatfield(fields)._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: {"images": [i[0], i[1], i[2][:50]]}, "expected one size in a batch"),
        (lambda i: {"images": [np.full((9, 9), np.nan)] * 4}, "not finite"),
        (lambda i: {"images": ["a.tif", "b.tif", "c.tif"]}, "expected an image"),
        (lambda i: {"images": i, "dark": [1, 2]}, "expected one grey value, or one for each of 1 channels"),
        (lambda i: {"images": i, "dark": float("nan")}, "expected one grey value"),
    ],
)
def test_bad_images_are_refused(images, change, message):
    with pytest.raises(ValueError, match=message):
        estimate_flatfield(**change(images))


def test_wrong_sizes_and_columns_are_refused(images, found):
    fields = plate_fields(images)
    with pytest.raises(ValueError, match="expected the same size"):
        correct_flatfield(fields, Flatfield.measured(np.ones((4, 4))))
    with pytest.raises(KeyError, match="No column 'day'"):
        correct_flatfield(fields, by="day")
    with pytest.raises(ValueError, match="dtype is 'uint8'"):
        correct_flatfield(fields, found, dtype="uint8")
    with pytest.raises(ValueError, match="has its own"):
        correct_flatfield(fields, found, dark=3)
    with pytest.raises(ValueError, match="positive numbers"):
        Flatfield.measured(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="expected the same"):
        found.apply(np.ones((3, 3)))


def test_tiles_are_means_and_saturated_ones_are_marked():
    image = np.arange(36 * 40, dtype=np.uint16).reshape(36, 40)
    values, valid = shrink(image, most=10)
    assert values.shape == (9, 10) and values[0, 0] == image[:4, :4].mean() and valid.all()
    image[4:8, 4:8] = 65535
    assert (~shrink(image, most=10)[1]).sum() == 1
    # a value that is only the largest is not the end of a converter
    image[4:8, 4:8] = 2000
    assert shrink(image, most=10)[1].all()
