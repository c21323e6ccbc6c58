"""The first features agree with scikit-image, and nothing breaks on empty or one-pixel masks."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from skimage.measure import regionprops

import mlscope_nb as ms


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    masks = np.zeros((40, 48, 48), np.uint8)
    for i in range(40):
        blob = ndimage.gaussian_filter(rng.normal(size=(48, 48)), 5)
        labels, _ = ndimage.label(blob > np.quantile(blob, 0.7))
        masks[i] = labels == 1
    images = rng.integers(100, 4000, (40, 2, 48, 48)).astype(np.uint16)
    return ms.Cells(pd.DataFrame(index=[f"c{i}" for i in range(40)]), images, masks=masks, channels=["DNA", "RNA"])


@pytest.fixture(scope="module")
def placed(cells):
    rng = np.random.default_rng(1)
    place = {"field_id": np.repeat(["f", "g"], 20), "y_px": rng.uniform(0, 300, 40), "x_px": rng.uniform(0, 300, 40)}
    masks = cells.masks.copy()
    masks[::2, :, 20:][masks[::2, :, 20:] == 0] = 2
    return cells.with_obs(pd.DataFrame(place, index=cells.ids)).with_masks(masks, {"nucleus": masks // 2})


@pytest.fixture(scope="module")
def everything(placed):
    return ms.features.measure(placed, "all", texture_scales=(1, 3))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("AreaShape_Area", "area"),
        ("AreaShape_Perimeter", "perimeter"),
        ("AreaShape_MajorAxisLength", "axis_major_length"),
        ("AreaShape_MinorAxisLength", "axis_minor_length"),
        ("AreaShape_Eccentricity", "eccentricity"),
        ("AreaShape_Extent", "extent"),
        ("AreaShape_EquivalentDiameter", "equivalent_diameter_area"),
        ("AreaShape_BoundingBoxArea", "area_bbox"),
        ("Intensity_MeanIntensity_DNA", "intensity_mean"),
        ("Intensity_MaxIntensity_DNA", "intensity_max"),
        ("Intensity_MinIntensity_DNA", "intensity_min"),
        ("Intensity_StdIntensity_DNA", "intensity_std"),
        ("AreaShape_Solidity", "solidity"),
        ("AreaShape_ConvexArea", "area_convex"),
        ("AreaShape_FilledArea", "area_filled"),
        ("AreaShape_EulerNumber", "euler_number"),
        ("AreaShape_PerimeterCrofton", "perimeter_crofton"),
    ],
)
def test_equals_scikit_image(cells, ours, theirs):
    table = ms.features.measure(cells)
    expected = [regionprops(m, i[0])[0][theirs] for m, i in zip(cells.masks.astype(int), cells.images, strict=True)]
    np.testing.assert_allclose(table[f"Cells_{ours}"], expected, rtol=1e-9)


def test_orientation_equals_scikit_image_up_to_half_a_turn(cells):
    table = ms.features.measure(cells)["Cells_AreaShape_Orientation"]
    expected = [np.degrees(regionprops(m.astype(int))[0].orientation) for m in cells.masks]
    has_direction = ms.features.measure(cells)["Cells_AreaShape_MajorAxisLength"].to_numpy() > 0
    turn = (table.to_numpy() - expected + 90) % 180 - 90
    assert has_direction.sum() > 30
    np.testing.assert_allclose(turn[has_direction], 0, atol=1e-6)


def test_quantiles_equal_numpy(cells):
    table = ms.features.measure(cells)
    for name, q in (("LowerQuartile", 25), ("Median", 50), ("UpperQuartile", 75)):
        expected = [np.percentile(i[1][m == 1], q) for i, m in zip(cells.images, cells.masks, strict=True)]
        np.testing.assert_allclose(table[f"Cells_Intensity_{name}Intensity_RNA"], expected)


def test_mass_displacement_is_zero_for_a_flat_cell_and_grows_with_a_bright_side():
    mask = np.ones((2, 9, 9), np.uint8)
    images = np.full((2, 1, 9, 9), 10, np.uint16)
    images[1, 0, :, 6:] = 100
    table = ms.features.measure(ms.Cells(pd.DataFrame(index=["flat", "side"]), images, masks=mask, channels=["DNA"]))
    moved = table["Cells_Intensity_MassDisplacement_DNA"]
    assert moved["flat"] == pytest.approx(0) and moved["side"] > 1.5


@pytest.mark.parametrize("batch_size, workers", [(7, 1), (7, 3), (40, 2), (1, 2)])
def test_depends_neither_on_the_batch_size_nor_on_the_workers(placed, everything, batch_size, workers):
    again = ms.features.measure(placed, "all", texture_scales=(1, 3), batch_size=batch_size, workers=workers)
    pd.testing.assert_frame_equal(again, everything, check_exact=True)


def test_does_not_depend_on_the_other_cells_or_their_order(placed, everything):
    families = [f for f in ms.features.families() if f != "neighbours"]
    backwards = ms.features.measure(placed.subset(placed.ids[::-3]), families, texture_scales=(1, 3))
    pd.testing.assert_frame_equal(backwards, everything.loc[backwards.index, backwards.columns], check_exact=True)


def test_neighbours_and_other_pixels_do_not_count(cells):
    images, masks = cells.images.copy(), cells.masks.copy()
    masks[masks == 0] = 2
    images[:, :][np.broadcast_to((masks == 2)[:, None], images.shape)] = 65535
    other = ms.Cells(cells.obs, images, masks=masks, channels=["DNA", "RNA"])
    pd.testing.assert_frame_equal(ms.features.measure(other), ms.features.measure(cells))


def test_empty_and_one_pixel_masks_are_named_and_do_not_break():
    masks = np.zeros((3, 8, 8), np.uint8)
    masks[1, 4, 4] = 1
    masks[2, 2:6, 2:6] = 1
    cells = ms.Cells(
        pd.DataFrame(index=["none", "one", "square"]), np.ones((3, 1, 8, 8), np.uint8), masks=masks, channels=["DNA"]
    )
    table = ms.features.measure(cells)
    assert "1 cell with an empty mask: 'none'" in table.attrs["history"][0]["note"]
    assert table.loc["none", "Cells_AreaShape_Area"] == 0
    assert table.loc["none"].drop("Cells_AreaShape_Area").isna().all()
    assert table.loc["one", "Cells_Intensity_MeanIntensity_DNA"] == 1
    assert np.isfinite(table.loc["square"]).all()
    assert not np.isinf(table.to_numpy()).any()


def test_compartments_carry_their_names(cells):
    parts = cells.with_masks(cells.masks, {"nucleus": cells.masks, "cytoplasm": 1 - cells.masks})
    names = {c.split("_")[0] for c in ms.features.measure(parts).columns}
    assert names == {"Cells", "Nuclei", "Cytoplasm"}


def test_refuses_what_it_cannot_measure(cells):
    with pytest.raises(ValueError, match="No feature family 'texure'"):
        ms.features.measure(cells, ["texure"])
    with pytest.raises(ValueError, match=r"needs images and masks.*ms\.features\.foreground\(cells\)"):
        ms.features.measure(ms.Cells(cells.obs, cells.images))
    with pytest.raises(ValueError, match=r"obs has no 'field_id', 'y_px', 'x_px'"):
        ms.features.measure(cells, ["neighbours"])
    with pytest.raises(ValueError, match="Give a list, such as \\['texture'\\]"):
        ms.features.measure(cells, "texture")
    with pytest.raises(ValueError, match="run on the processor only"):
        ms.features.measure(cells, device="cuda")
    with pytest.raises(ValueError, match="full_scale is 0"):
        ms.features.measure(cells, ["texture"], full_scale=0)
    with pytest.raises(ValueError, match="workers is 0"):
        ms.features.measure(cells, workers=0)
    with pytest.raises(ValueError, match="reach 3, above 1"):
        bright = ms.Cells(cells.obs, np.full(cells.images.shape, 3.0), masks=cells.masks)
        ms.features.measure(bright, ["texture"])


def test_parts_of_one_name_are_refused(cells):
    clash = cells.with_masks(cells.masks, {"cell": cells.masks})
    with pytest.raises(ValueError, match="features of one name"):
        ms.features.measure(clash)
