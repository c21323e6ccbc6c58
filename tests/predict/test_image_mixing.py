"""Pixels that were hidden, mixed with what was said of them: by how much, and where not at all."""

import numpy as np
import pytest

from mlscope_nb.predict.images import train
from mlscope_nb.predict.images.mixing import mixed
from mlscope_nb.predict.images.scaling import ends, grey, scaled
from tests.predict.image_fields import discs

FEW = {"epochs": 1, "steps": 2, "patch": 32, "width": 4, "progress": False}


@pytest.fixture
def ramp():
    return np.tile(np.linspace(0, 1000, 200), (1, 200, 1))


def error(found, true):
    return float(np.square(found - true).mean())


@pytest.mark.parametrize(("of_said", "of_seen"), [(1.0, 1.0), (1.0, 4.0), (4.0, 1.0)])
def test_both_count_as_much_as_is_best(ramp, of_said, of_seen):
    rng = np.random.default_rng(0)
    found = mixed(rng.normal(ramp, of_said), rng.normal(ramp, of_seen))
    assert error(found, ramp) == pytest.approx(1 / (of_said**-2 + of_seen**-2), rel=0.05)


def test_noise_of_light_grows_with_brightness_and_dark_pixels_count_more(ramp):
    rng = np.random.default_rng(0)
    noise = ramp / 10 + 1
    found = mixed(rng.normal(ramp, 5.0), rng.normal(ramp, np.sqrt(noise)))
    for part in (slice(0, 40), slice(160, 200)):
        best = 1 / (1 / 25 + 1 / noise[..., part])
        assert error(found[..., part], ramp[..., part]) == pytest.approx(best.mean(), rel=0.1)


def test_what_is_said_without_error_stays_and_what_is_seen_without_noise_is_taken(ramp):
    rng = np.random.default_rng(0)
    noisy = rng.normal(ramp, 5.0)
    assert error(mixed(ramp, noisy), ramp) < 0.05 * 25
    assert error(mixed(noisy, ramp), ramp) < 0.01 * 25


def test_of_few_grey_levels_noise_is_not_taken_for_none(ramp):
    # Four of five pixels of the background are 0: the median of all differences says that there is no noise.
    seen = np.random.default_rng(0).poisson(0.2, (1, 200, 200))
    found = mixed(np.full(seen.shape, 0.2) + ramp / 1e6, seen)
    assert error(found, 0.2) < 0.35 * error(seen, 0.2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 70), (1, 65, 1), (1, 0, 0)])
def test_too_few_pixels_are_left_as_they_were_said(shape):
    said, seen = np.random.default_rng(0).random((2, *shape))
    assert np.allclose(mixed(said, seen), said)


def test_a_flat_picture_stays_flat():
    flat = np.full((1, 40, 40), 7.0)
    assert (mixed(flat, flat) == flat).all()


def test_networks_that_saw_clean_pictures_are_not_mixed_and_blind_ones_are():
    noisy, clean = discs()
    image = np.asarray(noisy.images[0])
    between = ends(image)
    for network in (train(noisy, "denoise", **FEW), train(noisy, "denoise", clean=clean, **FEW)):
        said = network.answer(scaled(image, between))
        wanted = mixed(said, scaled(image, between)) if network.settings["blind"] else said
        assert np.array_equal(network.predict(noisy, progress=False).images[0], grey(wanted, between))
        assert network.settings["blind"] != np.array_equal(wanted, said)
