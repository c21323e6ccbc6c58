"""How good the default segmentation is on real fields. The thresholds are the project's promises; see studies/."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from skimage import io as skio

import mlscope_nb as ms
from mlscope_nb.io.objects import find_objects, grow_cells
from tests.reference.example_fly import fly_nuclei
from tests.reference.overlap import f1, foreground_iou, matches

IOU = {
    "fluorescence": 0.79,
    "brightfield_gray": 0.35,
    "HE_purple_dense": 0.58,
    "HE_purple_on_white": 0.78,
}


@pytest.fixture(scope="module")
def fly():
    return ms.io.segment(ms.datasets.load_fields("fly"))


@pytest.fixture(scope="module")
def dsb(shared_data):
    """Scores of all 84 fields, each segmented with the defaults."""
    folder = shared_data("dsb2018_subset")
    table = pd.read_csv(folder / "meta.csv")
    rows = []
    for row in table.itertuples():
        image, truth = skio.imread(folder / str(row.image)), skio.imread(folder / str(row.mask))
        labels, settings = find_objects(image if image.ndim == 2 else np.moveaxis(image[..., :3], -1, 0))
        rows.append({"iou": foreground_iou(labels, truth), "f1": f1(labels, truth), "polarity": settings["polarity"]})
    return pd.concat([table[["kind"]], pd.DataFrame(rows)], axis=1)


def test_fly_nuclei_agree_with_the_cellprofiler_recipe(fly):
    found = [matches(mask, fly_nuclei(np.asarray(image[0]))) for mask, image in zip(fly.masks, fly.images, strict=True)]
    each = [2 * paired / (n_found + n_truth) for paired, n_found, n_truth in found]
    paired, n_found, n_truth = np.sum(found, axis=0)
    assert 2 * paired / (n_found + n_truth) >= 0.85 and min(each) >= 0.85


def test_fly_fields_hold_between_1400_and_1900_cells(fly):
    assert 1400 <= sum(int(mask.max()) for mask in fly.masks) <= 1900


def test_the_fly_reference_is_what_the_settings_say(fly):
    labels = fly_nuclei(np.asarray(fly.images[0][0]))
    area = np.bincount(labels.ravel())[1:]
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    assert labels.max() > 200 and edge.max() == 0
    assert area.min() >= np.pi * 10**2 / 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(IOU))
def test_foreground_of_the_data_science_bowl(dsb, kind):
    assert dsb.loc[dsb["kind"] == kind, "iou"].mean() >= IOU[kind]


@pytest.mark.slow
def test_objects_of_the_data_science_bowl(dsb):
    assert dsb.loc[dsb["kind"] == "fluorescence", "f1"].mean() >= 0.75


@pytest.mark.slow
def test_polarity_of_the_data_science_bowl(dsb):
    assert ((dsb["polarity"] == "bright") == (dsb["kind"] == "fluorescence")).all()


def test_human_cells_agree_with_cellprofiler(shared_data):
    """Fields that no setting was chosen on: CellProfiler's own centres and cell areas of its ExampleHuman."""
    folder = shared_data("cellprofiler_ExampleHuman")
    dna, actin = (tifffile.imread(folder / f"AS_09125_050116030001_D03f00d{i}.tif") for i in (0, 2))
    nuclei, cells = pd.read_csv(folder / "Nuclei.csv"), pd.read_csv(folder / "Cells.csv")
    labels, _ = find_objects(dna)
    y, x = (nuclei[f"AreaShape_Center_{a}"].round().astype(int).to_numpy() for a in "YX")
    hit = labels[y, x]
    assert (hit > 0).mean() >= 0.95 and len(np.unique(hit[hit > 0])) >= 0.95 * len(nuclei)
    assert labels.max() <= 1.15 * len(nuclei)
    area = np.bincount(grow_cells(actin, labels)[0].ravel(), minlength=labels.max() + 1)
    assert np.corrcoef(area[hit[hit > 0]], cells["AreaShape_Area"].to_numpy()[hit > 0])[0, 1] >= 0.75
    assert 0.8 <= np.median(area[1:]) / cells["AreaShape_Area"].median() <= 1.25
