"""A dozen tiny fields, in memory and as files, and what the steps make of them without a store."""

import numpy as np
import pandas as pd
import pytest
import tifffile

import mlscope_nb as ms

CHANNELS = ["DNA", "actin", "mito"]


@pytest.fixture(scope="session")
def fields():
    """Twelve fields of a few cells, without masks."""
    made, _ = ms.datasets.simulate_fields(2, 6, 5, seed=3000, field_size=128)
    known = made.obs.assign(well=[f"{name}" for name in made.obs["well"]])
    return ms.Fields(known, list(made.images), channels=CHANNELS, pixel_size_um=0.5, unit=["plate", "well"])


@pytest.fixture(scope="session")
def direct(fields):
    """Cells with their numbers, made in one go."""
    cells = ms.io.crop(ms.io.segment(fields))
    return cells.with_features(ms.features.measure(cells, workers=1, progress=False))


@pytest.fixture(scope="session")
def files(tmp_path_factory, fields):
    """The same fields as a folder of TIFFs."""
    folder = tmp_path_factory.mktemp("fields")
    for name, image in fields:
        tifffile.imwrite(folder / f"{name}.tif", image, photometric="minisblack")
    return folder


@pytest.fixture(scope="session")
def read():
    """How the files are read."""
    return {"channels": CHANNELS, "pixel_size_um": 0.5}


@pytest.fixture(scope="session")
def same():
    """Compare two sets of cells."""
    return compare


def compare(a, b):
    """Whether two sets of cells are the same to the last bit, sorted by id; metadata of fields are not compared."""
    ids = sorted(a.ids)
    assert ids == sorted(b.ids)
    a, b = a.subset(ids), b.subset(ids)
    columns = ["field_id", "object", "y_px", "x_px", "at_edge", "clipped", "padded"]
    pd.testing.assert_frame_equal(a.obs[columns], b.obs[columns], check_exact=True)
    assert list(a.features.columns) == list(b.features.columns)
    assert a.features.to_numpy().tobytes() == b.features.to_numpy().tobytes()
    for mine, theirs in zip(
        [a.images, a.masks, *a.compartments.values()], [b.images, b.masks, *b.compartments.values()], strict=True
    ):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    return True
