"""Each classical feature against the tool that defines it: cp_measure, mahotas, scikit-image (values from a file)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.features.regions import Regions
from mlscope_nb.features.texture import DIRECTIONS, HARALICK, haralick
from mlscope_nb.features.zernike import indices, polynomial_sums

REFERENCE = Path(__file__).parents[1] / "reference" / "peers_features.npz"


@pytest.fixture(scope="module")
def peers():
    with np.load(REFERENCE, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def cells(peers):
    ids = [f"c{i}" for i in range(len(peers["masks"]))]
    obs = pd.DataFrame({"field_id": "f", "y_px": np.arange(len(ids)) * 9.0, "x_px": 0.0}, index=ids)
    return ms.Cells(obs, peers["images"], masks=peers["masks"], channels=["DNA", "RNA"])


@pytest.fixture(scope="module")
def table(cells):
    return ms.features.measure(cells, "all")


@pytest.fixture(scope="module")
def theirs(peers):
    values = pd.DataFrame(peers["values"], columns=[f"Cells_{name}" for name in peers["names"]])
    levels = [c for c in values if "Intensity_" in c and "Location" not in c and "MassDisplacement" not in c]
    levels += [c for c in values if "ZernikeMagnitude" in c]
    values[levels] *= 65535
    return values


CATEGORIES = {
    "AreaShape": 105,
    "Intensity": 30,
    "Location": 8,
    "Texture": 104,
    "Granularity": 32,
    "RadialDistribution": 144,
    "Correlation": 9,
    "Neighbors": 2,
}


@pytest.mark.parametrize("category", CATEGORIES)
def test_equals_cp_measure(category, table, theirs):
    shared = [c for c in theirs if c in table and c.split("_")[1] == category]
    assert len(shared) == CATEGORIES[category]
    for name in shared:
        scale = np.abs(theirs[name]).max()
        np.testing.assert_allclose(table[name], theirs[name], rtol=1e-6, atol=1e-9 * max(scale, 1e-6), err_msg=name)


def test_nothing_of_cp_measure_is_missing_but_what_is_the_same_for_every_cell(table, theirs):
    missing = {c.removeprefix("Cells_") for c in theirs if c not in table}
    always = {"CentralMoment_0_1", "CentralMoment_1_0"} | {f"NormalizedMoment_{p}" for p in ("0_0", "0_1", "1_0")}
    depth = {f"Location_{k}_Z_{c}" for k in ("CenterMassIntensity", "MaxIntensity") for c in ("DNA", "RNA")}
    assert missing == {f"AreaShape_{name}" for name in always} | depth


def test_texture_equals_mahotas(peers, table):
    for c, channel in enumerate(("DNA", "RNA")):
        for d in range(4):
            for k, name in enumerate(HARALICK):
                ours = table[f"Cells_Texture_{name}_{channel}_3_{d:02d}_256"]
                np.testing.assert_allclose(ours, peers["haralick"][:, c, d, k], rtol=1e-6, atol=1e-9)


def test_zernike_equals_mahotas(peers):
    mask = peers["masks"] == 1
    sums = np.abs(polynomial_sums(mask.astype(float), np.nonzero(mask), tuple(peers["circles"].T)))
    # mahotas counts each pixel as its share of the mask, and scales by (n + 1) / pi
    degrees = np.array([n for n, _ in indices()])
    ours = sums / mask.sum((1, 2))[:, None] * (degrees + 1) / np.pi
    np.testing.assert_allclose(ours, peers["zernike"], rtol=1e-6, atol=1e-9)


def from_matrix(counts):
    """The features that follow from a co-occurrence matrix without further definitions."""
    p = counts + counts.T
    p = p / p.sum()
    i, j = np.indices(p.shape)
    mean = (p * i).sum()
    variance = (p * (i - mean) ** 2).sum()
    return {
        "AngularSecondMoment": (p**2).sum(),
        "Contrast": (p * (i - j) ** 2).sum(),
        "Correlation": (p * (i - mean) * (j - mean)).sum() / variance,
        "Variance": variance,
        "InverseDifferenceMoment": (p / (1 + (i - j) ** 2)).sum(),
        "SumAverage": (p * (i + j)).sum(),
        "Entropy": -(p[p > 0] * np.log2(p[p > 0])).sum(),
    }


def test_co_occurrence_equals_scikit_image(peers):
    levels, counts = peers["levels"], peers["counts"].astype(float)
    ours = haralick(levels, Regions(np.ones(levels.shape, bool)), 3)
    for n in range(len(levels)):
        for d in range(len(DIRECTIONS)):
            for name, value in from_matrix(counts[n, d]).items():
                assert ours[n, d, HARALICK.index(name)] == pytest.approx(value, rel=1e-6)
