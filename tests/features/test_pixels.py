"""Pixels of all plates on one scale, fitted on control crops."""

import warnings

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import Cells
from mlscope_nb.features import PixelNormalizer, normalize_pixels


def study(n=120, gain=(1.0, 2.0, 0.6), offset=(100, 300, 50)):
    rng = np.random.default_rng(0)
    plate = np.arange(n) % 3
    drug = np.where(np.arange(n) % 2, "x", "DMSO")
    well = [f"w{i // 3 % 4}" for i in range(n)]
    spot = np.exp(-((np.mgrid[-8:8, -8:8] ** 2).sum(0)) / 20)
    light = rng.uniform(0.8, 1.2, n)[:, None, None] * spot * 1000 + rng.normal(0, 5, (n, 16, 16))
    light[drug == "x"] *= 1.5
    images = (light * np.array(gain)[plate][:, None, None] + np.array(offset)[plate][:, None, None])[:, None]
    obs = pd.DataFrame(
        {"plate": [f"p{p}" for p in plate], "well": well, "drug": drug}, index=[f"c{i}" for i in range(n)]
    )
    masks = np.broadcast_to(spot > 0.3, (n, 16, 16)).astype(np.uint8)
    return Cells(
        obs, images.clip(0).astype(np.uint16), masks=masks, channels=["DNA"], unit=("plate", "well"), batch="plate",
        control={"drug": "DMSO"},
    )  # fmt: skip


@pytest.mark.parametrize("method", ["robust", "standardize"])
def test_plates_come_to_one_scale_and_the_treatment_stays(method):
    cells = study()
    after = normalize_pixels(cells, method)
    means = pd.Series(after.images.mean(axis=(1, 2, 3)), index=after.ids)
    by = means.groupby([after.obs["plate"], after.obs["drug"]]).mean().unstack()
    raw = pd.Series(cells.images.mean(axis=(1, 2, 3)), index=cells.ids).groupby(cells.obs["plate"]).mean()
    assert raw.max() / raw.min() > 2
    assert by["DMSO"].std() < 0.05 * (by["x"] - by["DMSO"]).mean() + 0.02
    assert (by["x"] > by["DMSO"]).all()
    assert after.images.dtype == np.float32
    assert after.history[-1]["step"] == "normalize_pixels"
    np.testing.assert_array_equal(after.masks, cells.masks)
    assert after.design == cells.design


def test_treated_crops_do_not_change_the_scale():
    cells = study()
    images = np.array(cells.images)
    images[~cells.controls.to_numpy()] = 60000
    other = Cells(cells.obs, images, channels=["DNA"], unit=("plate", "well"), batch="plate", control={"drug": "DMSO"})
    rows = cells.controls.to_numpy()
    np.testing.assert_array_equal(normalize_pixels(cells).images[rows], normalize_pixels(other).images[rows])


def test_a_new_plate_is_put_on_its_own_controls():
    cells = study()
    fitted = PixelNormalizer().fit(cells.where("plate != 'p2'"))
    after = fitted.transform(cells.where("plate == 'p2'"))
    assert after.history[-1]["own_controls"] == ["p2"]
    whole = normalize_pixels(cells)
    np.testing.assert_allclose(after.images, whole.images[(cells.obs["plate"] == "p2").to_numpy()], rtol=1e-6)
    with pytest.raises(ValueError, match="not fitted on: 'p2'"):
        fitted.transform(cells.where("plate == 'p2' and drug == 'x'"))


def test_what_is_wrong_is_said():
    cells = study()
    with pytest.raises(ValueError, match="expected 'robust' or 'standardize'"):
        PixelNormalizer("max")
    with pytest.raises(ValueError, match="not fitted yet"):
        PixelNormalizer().transform(cells)
    with pytest.raises(ValueError, match="defined by the label"):
        normalize_pixels(cells.with_design(label="drug"))
    with pytest.raises(ValueError, match="No control cell in 1 batch"):
        normalize_pixels(cells.where("not (plate == 'p1' and drug == 'DMSO')"))
    other = Cells(cells.obs, cells.images, channels=["RNA"], batch="plate", control={"drug": "DMSO"})
    with pytest.raises(ValueError, match="The channels are"):
        PixelNormalizer().fit(cells).transform(other)
    with pytest.raises(ValueError, match="no images"):
        normalize_pixels(Cells(cells.obs, batch="plate", control={"drug": "DMSO"}))


def test_a_black_channel_stays_black():
    cells = study()
    black = Cells(cells.obs, np.zeros_like(cells.images), batch="plate", control={"drug": "DMSO"})
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert (normalize_pixels(black).images == 0).all()
