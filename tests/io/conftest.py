from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Give folders of the real test data that lie beside the checkout, or skip."""

    def folder(name):
        if not (SHARED / name).is_dir():
            pytest.skip(f"The shared test data are not beside the checkout: {SHARED / name}")
        return SHARED / name

    return folder


@pytest.fixture(scope="session")
def every_kind():
    """Give cells with every kind of column, mask and map that files have to bring back."""
    rng = np.random.default_rng(0)
    n = 23
    obs = pd.DataFrame(
        {
            "plate": np.array([1] * 12 + [2] * 11, np.int32),
            "well": [f"A{i % 4:02d}" for i in range(n)],
            "treatment": pd.Categorical(["DMSO", "drug µ <b>"] * 11 + ["DMSO"], ["drug µ <b>", "DMSO", "unused"]),
            "dose": pd.Categorical([0, 5, 10, 5] * 5 + [0] * 3, [0, 5, 10], ordered=True),
            "mg/l": rng.normal(size=n),
            "n": np.arange(n, dtype=np.uint8),
            "at_edge": [True, False] * 11 + [True],
            "remark": ["", None, "ü \" ',;\n"] * 7 + ["x", "=1+1"],
            "day": pd.to_datetime(["2026-11-30T12:00:00.123456", None] * 11 + ["2026-01-01"], format="ISO8601"),
            "taken": pd.to_datetime(["2026-11-30"] * n).tz_localize("Europe/Berlin"),
            "waited": pd.to_timedelta(np.arange(n), unit="s"),
            "count": pd.array([1, None, 2**40] * 7 + [4, 5], dtype="Int64"),
            "checked": pd.array([True, None] * 11 + [False], dtype="boolean"),
            "note": pd.array(["a", None] * 11 + ["b"], dtype="string"),
            "field_id": ["f1"] * 12 + ["f2"] * 11,
            "x_px": rng.uniform(0, 99, n),
            "y_px": rng.uniform(0, 49, n),
        },
        index=[f"cell {i}" for i in range(n - 1)] + ["é/1"],
    )
    names = ["Cells_AreaShape_Area", "Cells_Intensity_MeanIntensity_DNA", "Nuclei_Texture_x/y"]
    features = pd.DataFrame(rng.normal(size=(n, 3)).astype("float32"), index=obs.index, columns=names)
    features.iloc[2, 1] = np.nan
    masks = rng.integers(0, 3, (n, 8, 10)).astype(np.uint16)
    return ms.Cells(
        obs,
        rng.integers(0, 65535, (n, 2, 8, 10)).astype(np.uint16),
        masks=masks,
        compartments={"nucleus": (masks // 2).astype(np.int32)},
        features=features,
        embeddings={"umap": pd.DataFrame(rng.normal(size=(n, 2)), index=obs.index, columns=["x", "y"])},
        channels=["DNA", "RNA µ"],
        pixel_size_um=0.325,
        label="treatment",
        unit=["plate", "well"],
        batch="plate",
        control={"treatment": "DMSO"},
        history=[{"step": "made", "seed": np.int64(3), "note": "<script>"}],
    )


@pytest.fixture(scope="session")
def two_sizes():
    """Give fields of two sizes in wells of two plates, with masks and nuclei."""
    rng = np.random.default_rng(1)
    obs = pd.DataFrame(
        {
            "plate": ["p 1/µ", "p 1/µ", "p 1/µ", "p2"],
            "well": ["A01", "A01", "B-12", "AA03"],
            "treatment": ["DMSO", "DMSO", "x", "x"],
            "day": pd.to_datetime(["2026-11-30"] * 4),
        },
        index=["f1", "a field: 2", "ü/3", "f4"],
    )
    sizes = [(40, 50), (40, 50), (33, 71), (40, 50)]
    masks = [rng.integers(0, 9, size).astype(np.int32) for size in sizes]
    return ms.Fields(
        obs,
        [rng.integers(0, 60000, (2, *size)).astype(np.uint16) for size in sizes],
        masks,
        compartments={"nucleus": [m // 2 for m in masks]},
        channels=["DNA", "RNA"],
        pixel_size_um=0.65,
        label="treatment",
        unit=["plate", "well"],
        batch="plate",
        control={"treatment": "DMSO"},
        history=[{"step": "made", "seed": 3}],
    )
