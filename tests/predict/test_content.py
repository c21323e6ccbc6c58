"""Content: dimensions that are known, channels that carry the label by construction, scales that a blur takes away."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict import content
from mlscope_nb.predict.ablation import by_channel, channels_of
from mlscope_nb.predict.dimension import dimension_interval, inverse_dimensions


def spots(n_wells=8, n_cells=12, seed=0):
    """Cells of two channels: in class "x" the second has one bright point; the first is the same everywhere."""
    rng = np.random.default_rng(seed)
    n = n_wells * n_cells
    obs = pd.DataFrame(
        {"well": np.repeat([f"w{k}" for k in range(n_wells)], n_cells)}, index=[f"c{i}" for i in range(n)]
    )
    code = np.repeat(np.arange(n_wells) % 2, n_cells)
    obs["drug"] = np.where(code, "x", "y")
    images = rng.normal(100, 3, size=(n, 2, 24, 24))
    y, x = rng.integers(9, 15, (2, n))
    images[np.arange(n), 1, y, x] += 60 * code
    masks = np.broadcast_to((np.hypot(*np.mgrid[-12:12, -12:12]) < 9).astype("uint8"), (n, 24, 24)).copy()
    cells = ms.Cells(obs, images, masks=masks, channels=["DNA", "puncta"], label="drug", unit="well", pixel_size_um=0.5)
    return cells.with_features(ms.features.measure(cells, ["shape", "intensity", "correlation"], progress=False))


@pytest.fixture(scope="module")
def found():
    return content(spots(), blur_px=[3.0], progress=False)


def test_the_channel_that_carries_the_label_is_told_from_the_one_that_does_not(found):
    rows = found[found["aspect"] == "channel"].set_index("subject")
    assert rows.loc["puncta alone", "value"] > 0.95
    assert abs(rows.loc["DNA alone", "value"] - 0.5) < 0.2
    assert rows.loc["without puncta", "change_high"] < -0.2
    assert abs(rows.loc["without DNA", "change"]) < 0.05
    assert any("without puncta" in n and "falls clearly" in n for n in found.attrs["notes"])


def test_a_point_is_gone_when_images_are_blurred(found):
    rows = found[found["aspect"] == "scale"].set_index("subject")
    assert rows.loc["sharp", "value"] > 0.95
    blurred = rows.loc["blur 3 px (1.5 µm)"]
    assert blurred["change"] < -0.1 and blurred["change_high"] < 0
    assert np.isnan(rows.loc["sharp", "change"])


def test_changes_are_those_of_the_same_folds(found):
    cells = spots()
    whole = ms.predict.cross_validate(cells, baselines=False, progress=False)
    columns = [c for c in cells.features if "DNA" not in c]
    less = ms.predict.cross_validate(cells.with_features(cells.features[columns]), baselines=False, progress=False)
    row = found[found["subject"] == "without DNA"].iloc[0]
    change = less.against(whole)
    assert row[["value", "change", "change_low"]].tolist() == pytest.approx(
        [less.balanced_accuracy, change.estimate, change.low]
    )
    assert row["n_features"] == len(columns)


@pytest.mark.parametrize(("true", "tolerance"), [(1, 0.1), (2, 0.2), (5, 0.6)])
@pytest.mark.parametrize("k", [2, 20])
def test_dimensions_of_cubes_in_many_features(true, tolerance, k):
    rng = np.random.default_rng(true)
    points = rng.random((3000, true)) @ np.linalg.qr(rng.normal(size=(30, true)))[0].T
    found = dimension_interval(points, pd.Series(np.arange(3000) % 30), k)
    assert found.estimate == pytest.approx(true, abs=tolerance + (found.high - found.low if k == 2 else 0))


def test_twonn_is_the_mean_of_log_ratios():
    points = np.random.default_rng(0).normal(size=(50, 3))
    away = np.sort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)
    assert 1 / inverse_dimensions(points, 2)[0].mean() == pytest.approx(1 / np.log(away[:, 2] / away[:, 1]).mean())


def test_copies_of_cells_change_nothing(doubled, study):
    cells = study(n_plates=3, n_wells=4, n_cells=6).with_design(control=None)
    once, twice = (content(c, blur_px=None, progress=False) for c in (cells, doubled(cells)))
    pd.testing.assert_frame_equal(once, twice, rtol=1e-6, atol=1e-9)


def test_names_of_features_say_which_channels_they_read():
    names = ["DNA", "DNA_2", "ER"]
    assert channels_of("Cells_Intensity_MeanIntensity_DNA_2", names) == ("DNA_2",)
    assert channels_of("Cells_Correlation_RWC_ER_DNA", names) == ("DNA", "ER")
    assert channels_of("Cells_EfficientNetLite0_DNA_0001", names) == ("DNA",)
    assert channels_of("Cells_Neighbors_NumberOfNeighbors", names) == ()
    assert channels_of("ER_AreaShape_Area", names) == ()
    sets = by_channel(["A_Correlation_K_DNA_ER", "A_I_Mean_DNA", "A_I_Mean_ER"], names)
    assert sets[("DNA", "alone")] == ["A_I_Mean_DNA"]
    assert sets[("DNA", "without")] == ["A_I_Mean_ER"]


def test_tables_without_images_say_that_no_scale_was_looked_at(study):
    table = content(study(n_plates=2, n_wells=4), progress=False)
    assert "scale" not in set(table["aspect"])
    assert any("no images" in n for n in table.attrs["notes"])


def test_a_blur_that_is_none_is_refused(study):
    with pytest.raises(ValueError, match="positive numbers of pixels"):
        content(study(n_plates=2, n_wells=4), blur_px=[-1.0], progress=False)


def test_the_closest_and_the_farthest_pair_are_named(study):
    table = content(study(n_classes=3, effect=2.0), blur_px=None, progress=False)
    pairs = table[table["figure"] == "AUROC of the pair"]
    assert pairs["subject"].tolist()[1] == "a and c"
    assert pairs["value"].is_monotonic_increasing
