"""CellProfiler's output: tables joined rightly, crops of the right nuclei, nothing left out in silence."""

import time

import numpy as np
import pandas as pd
import pytest
import tifffile

import mlscope_nb as ms
from studies._table_files import write_analysis, write_combined, write_database

LEFT_OUT = "ignore:.*:UserWarning"
pytestmark = pytest.mark.filterwarnings(LEFT_OUT)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analyse ü 1")
    return folder, write_analysis(folder)


def nucleus_values(truth):
    return (1000 * truth["image"] + truth["nucleus"]).to_numpy()


def check(cells, truth):
    """Each cell has its own nucleus: by number, by measurement and by the pixel in the middle of its crop."""
    obs = cells.obs
    assert len(cells) == len(truth)
    np.testing.assert_array_equal(obs["ImageNumber"], truth["image"])
    np.testing.assert_array_equal(obs["ObjectNumber"], truth["cell"])
    np.testing.assert_allclose(cells.features["Cells_AreaShape_Area"], truth["area"])
    values = cells.features["Nuclei_Intensity_MaxIntensity_DNA"] * 65535
    np.testing.assert_allclose(values, nucleus_values(truth))
    np.testing.assert_allclose(obs[["y_px", "x_px"]], truth[["y", "x"]])
    middle = cells.images.shape[-1] // 2
    if cells.images is not None:
        np.testing.assert_array_equal(np.asarray(cells.images)[:, 0, middle, middle], nucleus_values(truth))


def test_folder_of_csv_files(analysis):
    folder, truth = analysis
    cells = ms.io.read_cellprofiler(folder, size=32, unit="Well", batch="Plate")
    check(cells, truth)
    assert cells.channels == ("DNA", "ER") and cells.images.shape == (10, 2, 32, 32)
    assert cells.images.dtype == np.uint16 and cells.masks is None
    assert list(cells.obs["Well"].unique()) == ["A01", "A02"] and cells.obs["Site"].iloc[0] == "001"
    assert not [c for c in cells.features if "Location" in c or "Parent" in c or "Number" in c]


def test_what_is_left_out_is_said(analysis):
    folder, _ = analysis
    with pytest.warns(UserWarning) as caught:
        cells = ms.io.read_cellprofiler(folder, images=False)
    said = str(caught[0].message)
    assert "'Foci' was left out: 2 of 'Cells' have several" in said
    assert "2 of 12 'Nuclei' belong to no 'Cells'" in said and "2 of 10 'Cells' have no 'Cytoplasm'" in said
    assert said.split(": ", 1)[1].rstrip(".") == cells.history[0]["note"]
    assert cells.features["Cytoplasm_AreaShape_Area"].isna().sum() == 2


def test_another_object_is_the_row(analysis):
    folder, _ = analysis
    cells = ms.io.read_cellprofiler(folder, images=False, cell_object="Nuclei")
    assert len(cells) == 12 and cells.features["Cells_AreaShape_Area"].isna().sum() == 2
    with pytest.raises(ValueError, match="no table of 'Spots'"):
        ms.io.read_cellprofiler(folder, cell_object="Spots")
    centred = ms.io.read_cellprofiler(folder, images=False, centre_object="Cells").obs
    np.testing.assert_allclose(centred["x_px"], ms.io.read_cellprofiler(folder, images=False).obs["x_px"] + 1)


@pytest.mark.parametrize("kind", ["per_table", "per_object", "cytominer"])
def test_databases(analysis, tmp_path, kind):
    folder, truth = analysis
    write_database(folder, tmp_path / "out.sqlite", kind)
    before = {p.name for p in (*tmp_path.iterdir(), *folder.glob("*.tif"))}
    for file in folder.glob("*.tif"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    cells = ms.io.read_cellprofiler(tmp_path / "out.sqlite", size=32)
    assert {p.name for p in tmp_path.iterdir()} == before
    twice = kind == "cytominer"
    check(cells, pd.concat([truth, truth]) if twice else truth)
    assert cells.obs["field_id"].nunique() == (4 if twice else 2)
    if twice:
        assert set(cells.obs["export"]) == {str(2**61 + 1), str(2**61 + 3)}


def test_one_file_of_several_objects(analysis, tmp_path):
    folder, truth = analysis
    write_combined(folder, tmp_path)
    check(ms.io.read_cellprofiler(tmp_path, images=folder, size=32), truth)


def test_names_with_the_prefix_of_the_export(analysis, tmp_path):
    folder, truth = analysis
    for file in folder.glob("*.csv"):
        (tmp_path / f"MyExpt_{file.name}").write_bytes(file.read_bytes())
    check(ms.io.read_cellprofiler(tmp_path, images=folder, size=32), truth)


def test_a_folder_for_each_site(tmp_path):
    truths = [write_analysis(tmp_path / f"BR1-A0{i}-1", n_images=1, seed=i) for i in (1, 2)]
    (tmp_path / "BR1-A03-1").mkdir()
    (tmp_path / "BR1-A03-1" / "Cells.csv").write_text("ImageNumber,ObjectNumber,AreaShape_Area\n1,1,3\n1,2")
    with pytest.warns(UserWarning, match="BR1-A03-1.*Cells.csv"):
        cells = ms.io.read_cellprofiler(tmp_path, size=32)
    check(cells, pd.concat(truths))
    assert list(cells.obs["field_id"].unique()) == ["BR1-A01-1", "BR1-A02-1"] and cells.ids.is_unique
    with pytest.raises(ValueError, match="BR1-A03-1"):
        ms.io.read_cellprofiler(tmp_path, errors="raise")


def test_crops_that_do_not_fit_in_memory_are_read_when_used(analysis):
    folder, truth = analysis
    cells = ms.io.read_cellprofiler(folder, size=32, keep_mb=0)
    held = ms.io.read_cellprofiler(folder, size=32)
    assert not isinstance(cells.images, np.ndarray)
    check(cells, truth)
    np.testing.assert_array_equal(np.asarray(cells.images), held.images)
    chosen = cells.subset(list(cells.ids[[7, 2, 4]]))
    np.testing.assert_array_equal(next(chosen.batches(9)).images, held.images[[7, 2, 4]])


def test_masks_from_label_images(analysis):
    folder, _ = analysis
    cells = ms.io.read_cellprofiler(folder, size=32, cell_object="Nuclei", masks=folder / "nuclei")
    own = np.asarray(cells.masks) == 1
    assert own.sum(axis=(1, 2)).tolist() == [49] * 12
    value = np.array([image[0][mask].mean() for image, mask in zip(cells.images, own, strict=True)])
    np.testing.assert_allclose(value, cells.features["Nuclei_Intensity_MaxIntensity_DNA"] * 65535)
    both = ms.io.read_cellprofiler(
        folder, size=32, cell_object="Nuclei", masks={"Nuclei": folder / "nuclei", "Cells": folder / "nuclei"}
    )
    np.testing.assert_array_equal(both.compartments["cell"], both.masks)


def test_label_images_of_other_numbers_are_refused(analysis, tmp_path):
    folder, _ = analysis
    for file in (folder / "nuclei").glob("*.tif"):
        labels = tifffile.imread(file)
        tifffile.imwrite(tmp_path / file.name, np.where(labels, 30 - labels, 0).astype(np.uint16))
    with pytest.raises(ValueError, match="other numbers than the table"):
        ms.io.read_cellprofiler(folder, size=32, cell_object="Nuclei", masks=tmp_path)


def test_edges_and_windows_beyond_them(analysis):
    folder, truth = analysis
    obs = ms.io.read_cellprofiler(folder, size=64).obs
    far = np.minimum(truth[["y", "x"]].min(axis=1), 128 - truth[["y", "x"]].max(axis=1))
    np.testing.assert_array_equal(obs["padded"], far.to_numpy() < 32)
    assert not obs["at_edge"].any()


def test_missing_images(analysis, tmp_path):
    folder, truth = analysis
    for file in (*folder.glob("*.csv"), *folder.glob("image1_*.tif")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.warns(UserWarning, match="ImageNumber 2: 2 files not found"):
        cells = ms.io.read_cellprofiler(tmp_path, size=32)
    check(cells, truth[truth["image"] == 1])
    assert cells.history[0]["left_out"][0]["file"] == "ImageNumber 2"
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="of 2 image sets none was found"):
        ms.io.read_cellprofiler(tmp_path, images=tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no folder"):
        ms.io.read_cellprofiler(tmp_path, images=tmp_path / "nowhere")


def test_channels_are_chosen_and_renamed(analysis):
    folder, _ = analysis
    cells = ms.io.read_cellprofiler(folder, size=32, channels={"reticulum": "ER"})
    assert cells.channels == ("reticulum",) and (np.asarray(cells.images) == 100).all()
    with pytest.raises(ValueError, match="No channel 'RNA'"):
        ms.io.read_cellprofiler(folder, channels=["RNA"])


def test_no_parents(analysis, tmp_path):
    folder, _ = analysis
    for name in ("Cells", "Cytoplasm", "Nuclei"):
        table = pd.read_csv(folder / f"{name}.csv")
        table.drop(columns=[c for c in table if "Parent" in c]).to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.warns(UserWarning, match="'Nuclei' .12 objects. was left out: no Parent column"):
        cells = ms.io.read_cellprofiler(tmp_path)
    assert not [c for c in cells.features if c.startswith("Nuclei")]
    pd.read_csv(tmp_path / "Cells.csv").to_csv(tmp_path / "Nuclei.csv", index=False)
    with pytest.warns(UserWarning, match="'Nuclei' was joined by its numbers"):
        cells = ms.io.read_cellprofiler(tmp_path)
    np.testing.assert_allclose(cells.features["Nuclei_AreaShape_Area"], cells.features["Cells_AreaShape_Area"])


def test_text_and_infinity_among_numbers(analysis, tmp_path):
    folder, _ = analysis
    table = pd.read_csv(folder / "Cells.csv").astype({"AreaShape_Area": object, "Intensity_MaxIntensity_DNA": float})
    table.loc[2, "AreaShape_Area"], table.loc[3, "Intensity_MaxIntensity_DNA"] = "round", np.inf
    table.to_csv(tmp_path / "Cells.csv", index=False)
    with pytest.warns(UserWarning, match="'Cells_AreaShape_Area' holds 1 text among numbers"):
        cells = ms.io.read_cellprofiler(tmp_path)
    assert cells.features.isna().to_numpy().sum() == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: pd.concat([t, t.head(1)]), r"2 rows name an object of 'Cells'.*more than once"),
        (lambda t: t.head(0), "'Cells' has no rows"),
        (lambda t: t.assign(ImageNumber=np.nan), "no whole number"),
        (lambda t: t.drop(columns=["ObjectNumber", "Number_Object_Number"]), "no table of CellProfiler"),
    ],
)
def test_bad_tables_are_refused_by_name(analysis, tmp_path, change, match):
    change(pd.read_csv(analysis[0] / "Cells.csv")).to_csv(tmp_path / "Cells.csv", index=False)
    with pytest.raises(ValueError, match=match):
        ms.io.read_cellprofiler(tmp_path)


def test_example_human(shared_data):
    folder = shared_data("cellprofiler_ExampleHuman")
    with pytest.warns(UserWarning, match="'PH3' was left out: 3 of 'Nuclei' have several"):
        cells = ms.io.read_cellprofiler(folder, positions=True)
    assert cells.images.shape == (289, 3, 64, 64) and cells.channels == ("DNA", "PH3", "cellbody")
    # CellProfiler says where each nucleus is brightest, and how bright: there, and nowhere else, is that value.
    table, obs = cells.features, cells.obs
    place = table[["Nuclei_Location_MaxIntensity_Y_DNA", "Nuclei_Location_MaxIntensity_X_DNA"]].to_numpy().astype(int)
    inside = place - (np.floor(obs[["y_px", "x_px"]].to_numpy() + 0.5).astype(int) - 32)
    brightest = cells.images[np.arange(289), 0, inside[:, 0], inside[:, 1]]
    np.testing.assert_array_equal(brightest, np.round(table["Nuclei_Intensity_MaxIntensity_DNA"] * 255))
    written = pd.read_csv(folder / "Cytoplasm.csv", float_precision="round_trip")
    np.testing.assert_array_equal(table["Cytoplasm_AreaShape_Perimeter"], written["AreaShape_Perimeter"])


def test_thousands_of_columns_are_quick(shared_data):
    start = time.perf_counter()
    cells = ms.io.read_cellprofiler(shared_data("cellprofiler_JUMP_Target2_A02-1"), unit="Well", batch="Plate")
    assert time.perf_counter() - start < 20
    assert cells.features.shape == (36, 5610) and cells.images is None
    assert cells.obs[["Plate", "Well", "Site"]].drop_duplicates().values.tolist() == [["BR00121431", "A02", 1]]
