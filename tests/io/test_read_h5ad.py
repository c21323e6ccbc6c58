"""AnnData files in: ours come back, scanpy's are read by its conventions, hostile ones are refused."""

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import mlscope_nb as ms
from mlscope_nb.io import hdf5_check


@pytest.fixture
def foreign(tmp_path):
    """A file as other tools write it: sparse X, layers, a map, positions, images."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    adata = AnnData(sparse.csr_matrix(x), obs=pd.DataFrame({"well": list("AABBC")}, index=[f"c{i}" for i in range(5)]))
    adata.var_names = ["Cells_A", "Cells_B", "Cells_C"]
    adata.layers["raw"] = x * 2
    adata.obsm["X_umap"] = rng.normal(size=(5, 2))
    adata.obsm["spatial"] = rng.normal(size=(5, 2))
    adata.obsm["pictures"] = rng.integers(0, 99, (5, 2, 8, 8)).astype(np.uint16)
    adata.write_h5ad(tmp_path / "f.h5ad")
    return tmp_path / "f.h5ad", x, adata


def test_scanpy_file(foreign):
    file, x, adata = foreign
    cells = ms.io.read_h5ad(file, unit="well", pixel_size_um=0.5)
    np.testing.assert_array_equal(cells.features, x)
    np.testing.assert_array_equal(cells.embeddings["umap"], adata.obsm["X_umap"])
    np.testing.assert_array_equal(cells.obs[["x_px", "y_px"]], adata.obsm["spatial"])
    assert cells.images is None and cells.design.unit == ("well",) and cells.pixel_size_um == 0.5
    np.testing.assert_array_equal(ms.io.read_h5ad(file, layer="raw").features, x * 2)


def test_images_by_name(foreign):
    file, _, adata = foreign
    cells = ms.io.read_h5ad(file, images="pictures", channels=["DNA", "ER"])
    np.testing.assert_array_equal(cells.images, adata.obsm["pictures"])
    assert cells.channels == ("DNA", "ER")
    with pytest.raises(ValueError, match=r"f.h5ad.*no 'photos' in obsm"):
        ms.io.read_h5ad(file, images="photos")
    with pytest.raises(ValueError, match=r"f.h5ad.*no layer 'log'"):
        ms.io.read_h5ad(file, layer="log")


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_what_mlscope_wrote_comes_back(tmp_path):
    obs = pd.DataFrame({"well": ["A", "B"], "n": [1, 2]}, index=["a", "b"])
    images, masks = np.arange(256, dtype=np.uint16).reshape(2, 2, 8, 8), np.ones((2, 8, 8), np.uint8)
    table = pd.DataFrame({"Cells_A": [1.0, np.nan]}, index=["a", "b"])
    cells = ms.Cells(obs, images, masks=masks, features=table, channels=["D", "E"], unit="well", pixel_size_um=0.3)
    back = ms.io.read_h5ad(ms.io.write_h5ad(cells, tmp_path / "c.h5ad", images=True))
    np.testing.assert_array_equal(back.images, images)
    np.testing.assert_array_equal(back.masks, masks)
    pd.testing.assert_frame_equal(back.features, cells.features)
    assert back.channels == ("D", "E") and back.design == cells.design and back.pixel_size_um == 0.3
    assert ms.io.read_h5ad(tmp_path / "c.h5ad", images=False).images is None


def test_links_to_other_files_are_refused(foreign, tmp_path):
    file, _, _ = foreign
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as store:
        store["numbers"] = np.ones(5)
    with h5py.File(file, "r+") as store:
        store["obsm/secret"] = h5py.ExternalLink(str(secret), "/numbers")
    with pytest.raises(ValueError, match=r"f.h5ad.*leads to another file"):
        ms.io.read_h5ad(file)


def test_numbers_in_other_files_are_refused(foreign, tmp_path):
    file, _, _ = foreign
    with h5py.File(file, "r+") as store:
        store.create_dataset("obsm/out", (5,), "f4", external=[(str(tmp_path / "raw.bin"), 0, 20)])
    with pytest.raises(ValueError, match=r"f.h5ad.*in other files"):
        ms.io.read_h5ad(file)
    assert not (tmp_path / "raw.bin").exists()


def test_arrays_that_cannot_be_are_refused(foreign):
    file, _, _ = foreign
    with h5py.File(file, "r+") as store:
        store.create_dataset("obsm/X_huge", (5, 10**9), "f8", chunks=(1, 1000))
    with pytest.raises(ValueError, match=r"f.h5ad.*says that it holds"):
        ms.io.read_h5ad(file)


def test_bad_files_are_named(tmp_path, foreign):
    (tmp_path / "a.h5ad").write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=r"a.h5ad.*no HDF5"):
        ms.io.read_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "b.h5ad", "w") as store:
        store["numbers"] = np.ones(5)
    with pytest.raises(ValueError, match=r"b.h5ad.*no obs and no X"):
        ms.io.read_h5ad(tmp_path / "b.h5ad")
    with pytest.raises(FileNotFoundError, match=r"c\.h5ad"):
        ms.io.read_h5ad(tmp_path / "c.h5ad")
    (tmp_path / "d.h5ad").write_bytes(foreign[0].read_bytes()[:4000])
    with pytest.raises(ValueError, match=r"d.h5ad"):
        ms.io.read_h5ad(tmp_path / "d.h5ad")


@pytest.mark.filterwarnings("ignore:Observation names:UserWarning")
def test_ids_that_stand_twice_are_refused(tmp_path):
    AnnData(np.ones((2, 1), np.float32), obs=pd.DataFrame(index=["a", "a"])).write_h5ad(tmp_path / "t.h5ad")
    with pytest.raises(ValueError, match=r"t.h5ad.*more than once"):
        ms.io.read_h5ad(tmp_path / "t.h5ad")


@pytest.mark.parametrize(
    ("program", "match"),
    [("import time; time.sleep(60)", "run in circles"), ("import os; os.abort()", "crash")],
)
def test_a_file_that_hangs_or_crashes_the_library(foreign, tmp_path, monkeypatch, program, match):
    (tmp_path / "walk.py").write_text(program)
    monkeypatch.setattr(hdf5_check, "WALK", tmp_path / "walk.py")
    monkeypatch.setattr(hdf5_check, "LONGEST_STEP_S", 2.0)
    with pytest.raises(ValueError, match=rf"f\.h5ad.*{match}"):
        ms.io.read_h5ad(foreign[0])
    assert len(ms.io.read_h5ad(foreign[0], trusted=True)) == 5
