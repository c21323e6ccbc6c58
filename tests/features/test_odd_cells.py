"""Empty, full, saturated and tiny masks: a defined value or NaN, no warning, and the cells are named."""

import warnings

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

KINDS = ["none", "one pixel", "two pixels", "line", "diagonal", "full crop", "two pieces", "black", "saturated", "flat"]


def crops(dtype):
    side = 20
    masks = np.zeros((len(KINDS), side, side), np.uint8)
    masks[1, 4, 4] = masks[2, 4, 4] = masks[2, 4, 5] = masks[3, 7, 3:15] = 1
    masks[4][np.arange(3, 15), np.arange(3, 15)] = 1
    masks[5] = 1
    masks[6, 2:5, 2:5] = masks[6, 10:16, 10:16] = 1
    masks[7:, 4:14, 5:17] = 1
    rng = np.random.default_rng(0)
    top = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    images = (rng.uniform(0.2, 0.8, (len(KINDS), 2, side, side)) * top).astype(dtype)
    images[7], images[8], images[9] = 0, top, top // 2 if dtype != "float32" else 0.5
    return images, masks


@pytest.fixture(params=["uint8", "uint16", "float32"])
def cells(request):
    images, masks = crops(request.param)
    obs = pd.DataFrame({"field_id": KINDS, "y_px": 3.0, "x_px": 4.0}, index=KINDS)
    return ms.Cells(obs, images, masks=masks, channels=["A", "B"])


def measured(cells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ms.features.measure(cells, "all")


def test_every_kind_gets_numbers_or_nan_without_a_warning(cells):
    table = measured(cells)
    assert list(table.index) == KINDS
    assert not np.isinf(table.to_numpy()).any()
    assert table.loc["none", "Cells_AreaShape_Area"] == 0
    of_the_mask = table.columns[~table.columns.str.contains("Neighbors")].drop("Cells_AreaShape_Area")
    assert table.loc["none", of_the_mask].isna().all()
    ordinary = table.loc["two pieces"]
    assert ordinary[ordinary.isna()].index.str.contains("Neighbors").all()


def test_the_odd_ones_are_listed(cells):
    table = measured(cells)
    problems = table.attrs["problems"]
    assert problems["empty"] == ["none"] and problems["one pixel"] == ["one pixel"]
    if cells.images.dtype.kind == "u":
        assert "saturated" in problems["saturated"]
    assert "1 cell with an empty mask: 'none'" in table.attrs["history"][0]["note"]


def test_known_values(cells):
    table = measured(cells)
    assert table.loc["line", "Cells_AreaShape_MaxFeretDiameter"] == 11
    assert table.loc["line", "Cells_AreaShape_MinFeretDiameter"] == 0
    assert table.loc["diagonal", "Cells_AreaShape_MaxFeretDiameter"] == pytest.approx(11 * np.sqrt(2))
    assert table.loc["two pieces", "Cells_AreaShape_EulerNumber"] == 2
    assert table.loc["one pixel", "Cells_AreaShape_MaximumRadius"] == 1
    assert table.loc["flat", "Cells_Texture_AngularSecondMoment_A_3_00_256"] == 1
    assert table.loc["flat", "Cells_Texture_Contrast_A_3_02_256"] == 0
    assert np.isnan(table.loc["black", "Cells_Texture_Contrast_A_3_00_256"])
    assert np.isnan(table.loc["line", "Cells_Texture_Contrast_A_3_00_256"])
    assert np.isnan(table.loc["flat", "Cells_Correlation_Correlation_A_B"])
    assert table.loc["saturated", "Cells_RadialDistribution_FracAtD_A_1of4"] > 0
    assert table.loc["two pixels", "Cells_Intensity_MADIntensity_A"] >= 0


def test_full_scale_decides_the_levels():
    images, masks = crops("uint16")
    obs = pd.DataFrame(index=KINDS)
    dim = ms.Cells(obs, (images // 16).astype(np.uint16), masks=masks, channels=["A", "B"])
    bright = ms.Cells(obs, images // 16 * 16, masks=masks, channels=["A", "B"])
    name = "Cells_Texture_Entropy_A_3_00_256"
    wide = ms.features.measure(dim, ["texture"], full_scale=4095)[name]
    narrow = ms.features.measure(dim, ["texture"])[name]
    same = ms.features.measure(bright, ["texture"], full_scale=4095 * 16)[name]
    assert wide["two pieces"] > narrow["two pieces"] + 0.1
    np.testing.assert_allclose(wide, same)


def test_no_cells_give_an_empty_table():
    images, masks = crops("uint8")
    none = ms.Cells(pd.DataFrame(index=KINDS), images, masks=masks).subset([])
    assert ms.features.measure(none, "all").shape[0] == 0


def test_rgb_and_one_channel():
    images, masks = crops("uint8")
    rgb = ms.Cells(
        pd.DataFrame(index=KINDS), np.repeat(images[:, :1], 3, axis=1), masks=masks, channels=["r", "g", "b"]
    )
    table = ms.features.measure(rgb, "all")
    assert table.loc["two pieces", "Cells_Correlation_Correlation_r_b"] == pytest.approx(1)
    np.testing.assert_array_equal(table.filter(like="_r_1of4"), table.filter(like="_b_1of4"))
    one = ms.Cells(pd.DataFrame(index=KINDS), images[:, :1], masks=masks, channels=["r"])
    assert not ms.features.measure(one, "all").columns.str.contains("Correlation_Correlation").any()
