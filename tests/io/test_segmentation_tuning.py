"""Threshold, sizes and split of `segment`: what they do, and that leaving them alone changes nothing."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import mlscope_nb as ms
from mlscope_nb.io.objects import find_objects
from mlscope_nb.io.splitting import NECK, neck_of

# SHA-256 of the labels that these corners of the fly fields had before `segment` could be tuned (commit 731c170).
BEFORE = {
    ("DNA", None): "988207ebc18fe75e8065b75782dd95fe8387a8bb64343b8f87d2cdbf9d7731fa",
    ("DNA", 20): "3fc0f03b5125028ec09d01888f80cf801f3ad8752caf3b4be876a7a168271606",
    ("F", None): "91a52191a9ea3d2089b843a0bc07a6b5e987ebb2cb86c28434b7a7d52f892d3f",
}


@pytest.fixture(scope="module")
def corner():
    fields = ms.datasets.load_fields("fly")
    images = [np.ascontiguousarray(fields.images[0][:, :300, :300])]
    return ms.Fields(pd.DataFrame(index=["f1"]), images, channels=fields.channels)


def field_of(image):
    return ms.Fields(pd.DataFrame(index=["f1"]), [image], channels=["DNA"])


def scene(radii=(6, 10, 10, 16), *, background=100.0, signal=80.0):
    truth = np.zeros((120, 200))
    y, x = np.mgrid[:120, :200]
    for k, radius in enumerate(radii):
        truth[(y - 60) ** 2 + (x - 25 - 50 * k) ** 2 <= radius**2] = 1
    noise = np.random.default_rng(0).normal(0, 3, truth.shape)
    return background + signal * ndimage.gaussian_filter(truth, 2.0) + noise


@pytest.mark.parametrize(("channel", "diameter"), list(BEFORE))
def test_defaults_find_what_they_found_before(corner, channel, diameter):
    found = ms.io.segment(corner, channel, diameter_px=diameter)
    assert hashlib.sha256(np.ascontiguousarray(found.masks[0]).tobytes()).hexdigest() == BEFORE[channel, diameter]
    said = {"threshold": 1.0, "split": 1.0, "min_area_px": None, "max_area_px": None}
    again = ms.io.segment(corner, channel, diameter_px=diameter, **said)
    np.testing.assert_array_equal(again.masks[0], found.masks[0])
    assert again.history == found.history and not set(said) & set(found.history[-1])


def test_threshold_moves_the_outline_both_ways_and_is_recorded(corner):
    areas = []
    for threshold in (0.5, 0.8, 1.0, 1.2, 1.5):
        found = ms.io.segment(corner, "DNA", threshold=threshold)
        areas.append(int((found.masks[0] > 0).sum()))
        assert found.history[-1].get("threshold") == (None if threshold == 1 else threshold)
    assert areas == sorted(areas, reverse=True) and len(set(areas)) == 5


def test_threshold_is_a_share_of_the_step_and_not_of_the_camera():
    image = scene()
    for threshold in (0.6, 1.4):
        one, _ = find_objects(image, threshold=threshold)
        other, _ = find_objects(image * 30 + 1000, threshold=threshold)
        np.testing.assert_array_equal(one, other)
        dark, settings = find_objects(-image, threshold=threshold)
        np.testing.assert_array_equal(one, dark)
        assert settings["polarity"] == "dark"


def test_half_the_step_is_where_a_blurred_edge_is():
    # A straight edge blurred by sigma crosses a share t / 2 of its height at sigma * norm.ppf(t / 2) from the middle.
    from scipy.stats import norm

    y, x = np.mgrid[:160, :160]
    disc = ndimage.gaussian_filter(((y - 80) ** 2 + (x - 80) ** 2 <= 30**2).astype(float), 3.0)
    # A little noise makes the field real; its mean is what the outline follows.
    disc = disc * 1000 + np.random.default_rng(1).normal(0, 1, disc.shape)
    for threshold in (0.6, 1.0, 1.4):
        labels, _ = find_objects(disc, threshold=threshold, min_area_px=500)
        radius = np.sqrt((labels == 1).sum() / np.pi)
        assert radius == pytest.approx(30 - 3 * norm.ppf(threshold / 2), abs=1.0)


def test_sizes_leave_out_what_is_smaller_or_larger():
    image = scene()
    area = np.bincount(find_objects(image, min_area_px=0)[0].ravel())[1:]
    assert len(area) == 4
    middle = sorted(area)[1:3]
    low, high = int(min(middle)), int(max(middle))
    kept = np.bincount(find_objects(image, min_area_px=low, max_area_px=high)[0].ravel())[1:]
    assert sorted(kept) == middle
    assert find_objects(image, min_area_px=max(area) + 1)[0].max() == 0
    # A given size rules over what the diameter would leave out.
    assert find_objects(image, diameter_px=110)[0].max() == 0
    assert find_objects(image, diameter_px=110, min_area_px=1)[0].max() == 4


def test_split_cuts_more_or_less():
    y, x = np.mgrid[:100, :140]
    pairs = [((30, 30), (30, 45)), ((70, 40), (70, 61)), ((30, 100), (30, 112))]
    truth = np.zeros((100, 140), bool)
    for pair in pairs:
        for cy, cx in pair:
            truth |= (y - cy) ** 2 + (x - cx) ** 2 <= 11**2
    image = 100 + 500 * ndimage.gaussian_filter(truth.astype(float), 1) + np.random.default_rng(0).normal(0, 2, y.shape)
    counts = [int(find_objects(image, split=s)[0].max()) for s in (0, 0.5, 1, 1.5, 2)]
    assert counts[0] == 3 and counts == sorted(counts) and counts[-1] >= 6 > counts[0]
    assert neck_of(1) == NECK and neck_of(0) == 0 and neck_of(2) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": 0}, "threshold is 0, expected a number above 0"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": float("inf")}, "threshold is inf"),
        ({"split": -0.1}, r"split is -0.1, expected 0 .* to 2"),
        ({"split": 2.5}, "split is 2.5"),
        ({"min_area_px": -1}, "min_area_px=-1"),
        ({"min_area_px": 90, "max_area_px": 30}, "min_area_px=90 and max_area_px=30"),
        ({"max_area_px": float("nan")}, "max_area_px=nan"),
    ],
)
def test_what_no_image_could_use_is_refused_before_any_field(options, words):
    with pytest.raises(ValueError, match=words):
        ms.io.segment(field_of(scene()), **options)
    with pytest.raises(ValueError, match=words):
        find_objects(scene(), **options)
