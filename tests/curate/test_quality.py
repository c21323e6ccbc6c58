"""Scores of quality: what must not change them, what must, and what they say about odd pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mlscope_nb import Cells, Fields
from mlscope_nb.curate import score_quality
from mlscope_nb.datasets import simulate, simulate_fields
from studies._detectors import auroc


@pytest.fixture(scope="module")
def study():
    return simulate(2, 8, 14, seed=41, fault_rate=0.08)


@pytest.fixture(scope="module")
def scores(study):
    return score_quality(study[0])


def with_images(cells: Cells, images: np.ndarray) -> Cells:
    return Cells(cells.obs, images, masks=cells.masks, channels=cells.channels, batch="plate")


def cells_of(images: np.ndarray, **parts) -> Cells:
    return Cells(pd.DataFrame(index=[f"c{i}" for i in range(len(images))]), images, **parts)


def test_one_row_for_each_cell_in_order_and_its_history(study, scores):
    assert scores.index.equals(study[0].ids)
    assert scores.attrs["history"][0]["step"] == "score_quality"
    assert all(pd.api.types.is_numeric_dtype(t) for t in scores.dtypes)


@pytest.mark.parametrize(
    ("score", "fault", "sign", "at_least"),
    [
        ("focus", "defocus", -1, 0.97),
        ("saturation", "saturation", 1, 0.97),
        ("empty", "empty", 1, 0.97),
        ("touching", "touching", 1, 0.97),
        ("cut", "cut", 1, 0.97),
        ("debris", "debris", 1, 0.93),
    ],
)
def test_each_fault_is_found_by_its_score(study, scores, score, fault, sign, at_least):
    struck = (study[1].obs["fault"] == fault).to_numpy()
    assert struck.sum() >= 10
    assert auroc(sign * scores[score].to_numpy(), struck, ~struck) >= at_least


@pytest.mark.parametrize(("gain", "offset"), [(2, 0), (1, 1000), (3, 500)])
def test_gain_and_offset_leave_focus_and_background_alone(study, scores, gain, offset):
    images = np.asarray(study[0].images).astype("float64") * gain + offset
    changed = score_quality(with_images(study[0], images))
    relative = (changed["focus"] / scores["focus"] - 1).abs()
    assert relative.max() < 0.02
    np.testing.assert_allclose(changed["background"], scores["background"], atol=0.02)


def test_the_size_of_batches_changes_nothing(study, scores):
    pd.testing.assert_frame_equal(score_quality(study[0], batch_size=7), scores, rtol=1e-4, atol=1e-4)


def test_focus_ranks_defocus_where_the_laplacian_ranks_it_the_wrong_way_round():
    fields, _ = simulate_fields(1, 4, 12, seed=42, field_size=256, faults=0)
    rng = np.random.default_rng(0)
    sharp, blurred = [], []
    for image in fields.images:
        light = np.maximum(ndimage.gaussian_filter(image.astype(float), (0, 0.7, 0.7)) - 296, 0) / 8
        wide = ndimage.gaussian_filter(light, (0, 3, 3))
        # more light in the blurred picture, as out of the plane of a thick sample: more photon noise
        sharp.append((200 + rng.poisson(0.3 * light + 20)).astype("uint16"))
        blurred.append((200 + rng.poisson(3 * wide + 200)).astype("uint16"))
    obs = pd.DataFrame(index=[f"f{i}" for i in range(8)])
    focus = score_quality(Fields(obs, sharp + blurred))["focus"].to_numpy()
    laplacian = np.array([ndimage.laplace(i.astype(float)).var() for i in sharp + blurred])
    assert focus[:4].min() > focus[4:].max()
    assert laplacian[:4].max() < laplacian[4:].min()


def test_focus_of_a_field_does_not_count_its_cells():
    dense, sparse = (simulate_fields(1, 2, n, seed=43, field_size=400, faults=0, batch=0, well=0)[0] for n in (60, 8))
    blurred = simulate_fields(1, 2, 60, seed=43, field_size=400, batch=0, well=0, fault_rate=0, blur=2.5)[0]
    few, many, wide = (score_quality(f)["focus"] for f in (sparse, dense, blurred))
    assert (few.mean() - many.mean()) < 0.25 * (many.mean() - wide.mean())
    assert wide.max() < min(few.min(), many.min())


def test_focus_is_not_known_where_nothing_can_be_seen():
    noise = np.random.default_rng(0).poisson(50, (6, 2, 48, 48)).astype("uint16")
    scores = score_quality(cells_of(noise))
    assert scores["focus"].isna().all()
    assert (scores["empty"] > 0.9).all()


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [32, 75, 128])
def test_channels_and_sizes(n_channels, size):
    rng = np.random.default_rng(size)
    y, x = np.indices((size, size)) - size / 2
    disc = 200.0 * (np.hypot(y, x) < size / 5)
    images = rng.poisson(disc + 20, (6, n_channels, size, size)).astype("uint8")
    for masks in (None, np.broadcast_to((disc > 0).astype("uint8"), (6, size, size))):
        scores = score_quality(cells_of(images, masks=masks))
        assert scores["focus"].between(0, 1).all()
        assert (scores["empty"] < 0.2).all()
        assert (scores["cut"] == 0).all()


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_pictures_are_empty_and_raise_nothing(value):
    scores = score_quality(cells_of(np.full((3, 2, 32, 32), value, "uint8")))
    assert (scores["empty"] == 1).all()
    assert (scores["any_fault"] > 1).all()
    assert ((scores["saturation"] > 0.05) == (value == 255)).all()


def test_no_cells_give_no_rows():
    scores = score_quality(cells_of(np.zeros((0, 2, 32, 32), "uint16")))
    assert len(scores) == 0
    assert "any_fault" in scores


def test_a_bright_cell_in_a_set_that_ends_at_12_bits_is_saturated():
    rng = np.random.default_rng(1)
    images = rng.poisson(900, (20, 1, 32, 32)).astype("uint16")
    images[:3, :, 10:20, 10:20] = 4095
    scores = score_quality(cells_of(images, masks=np.ones((20, 32, 32), "uint8")))
    assert scores["saturation"].iloc[:3].min() > 0.09
    assert scores["saturation"].iloc[3:].max() < 0.001


def test_fields_are_scored_whatever_their_size_and_kind():
    rng = np.random.default_rng(2)
    grey = rng.poisson(30, (1, 90, 130)).astype("uint8")
    rgb = rng.integers(0, 255, (3, 64, 64), dtype="uint8")
    assert np.isfinite(score_quality(Fields(pd.DataFrame(index=["a"]), [grey]))["signal_to_noise"]).all()
    scored = score_quality(Fields(pd.DataFrame(index=["a", "b"]), [rgb, np.full((3, 40, 50), 9, "uint8")]))
    assert scored["empty"].iloc[1] == 1
    assert not {"cut", "touching"} & set(scored)


def test_faults_of_fields():
    fields, truth = simulate_fields(1, 16, 15, seed=44, field_size=256, fault_rate=0.1)
    scores, fault = score_quality(fields), truth.fields["fault"].to_numpy()
    assert (fault != "none").sum() >= 4
    assert auroc(scores["any_fault"].to_numpy(), fault != "none", fault == "none") >= 0.95


def test_what_cannot_be_scored_is_refused_with_advice():
    with pytest.raises(ValueError, match="no images"):
        score_quality(Cells(pd.DataFrame(index=["a"])))
    with pytest.raises(ValueError, match="at least 8"):
        score_quality(cells_of(np.zeros((2, 1, 4, 4), "uint8")))
    with pytest.raises(TypeError, match="expected Cells or Fields"):
        score_quality(np.zeros((2, 1, 32, 32)))
    with pytest.raises(ValueError, match="smaller than 16"):
        score_quality(Fields(pd.DataFrame(index=["a"]), [np.zeros((1, 9, 9), "uint8")]))
    with pytest.raises(ValueError, match="NaN"):
        score_quality(cells_of(np.full((1, 1, 32, 32), np.nan)))
