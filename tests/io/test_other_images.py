"""Single-cell images of scPortrait, MedMNIST, label layers of napari, and microscopes' own formats through bioio."""

import pickle
import sys
import types

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import mlscope_nb as ms
from mlscope_nb.io import bioio_files


@pytest.fixture
def single_cells(tmp_path):
    """A file as scPortrait 1.4 writes it (pipeline/extraction.py): AnnData, images in obsm added by h5py."""
    path, shape = tmp_path / "single_cells.h5sc", (7, 5, 12, 12)
    names = ["seg_all_nucleus", "seg_all_cytosol", "DAPI", "PM", "Golgi"]
    kinds = ["mask", "mask", "image_channel", "image_channel", "image_channel"]
    var = pd.DataFrame({"channels": names, "channel_mapping": kinds}, index=[str(i) for i in range(5)])
    obs = pd.DataFrame({"scportrait_cell_id": np.arange(7, dtype=np.uint64) * 3 + 5}, index=[str(i) for i in range(7)])
    adata = anndata.AnnData(obs=obs, var=var)
    adata.uns["single_cell_images/n_masks"] = 2
    adata.write_h5ad(path)
    pixels = np.random.default_rng(0).random(shape).astype(np.float16)
    pixels[:, :2] = pixels[:, :2] > 0.5
    with h5py.File(path, "a") as file:
        file.require_group("obsm")
        held = file.create_dataset("obsm/single_cell_images", data=pixels, chunks=(1, 1, 12, 12), compression="lzf")
        held.attrs["n_masks"] = 2
        held.attrs["channel_names"] = np.array([n.encode() for n in names])
        held.attrs["channel_mapping"] = np.array([k.encode() for k in kinds])
    return path, pixels


def test_single_cells_of_scportrait(single_cells):
    path, pixels = single_cells
    cells = ms.io.read_h5sc(path, pixel_size_um=0.6)
    assert cells.channels == ("DAPI", "PM", "Golgi") and list(cells.ids[:2]) == ["5", "8"]
    assert list(cells.compartments) == ["seg_all_nucleus"] and not isinstance(cells.images, np.ndarray)
    np.testing.assert_array_equal(np.asarray(cells.images), pixels[:, 2:].astype(np.float32))
    np.testing.assert_array_equal(np.asarray(cells.masks), pixels[:, 1])
    some = cells.subset(cells.ids[[5, 1, 1][:2]])
    np.testing.assert_array_equal(np.asarray(some.images[:]), pixels[[5, 1], 2:])
    assert [len(b.ids) for b in cells.batches(3)] == [3, 3, 1]
    again = pickle.loads(pickle.dumps(cells.images))  # noqa: S301
    np.testing.assert_array_equal(again[3, 0], pixels[3, 2])
    found = ms.io.recognise(path)
    assert (found.kind, found.reader) == ("single cells", "read_h5sc") and len(found.read()) == 7


def test_single_cells_of_sparcspy(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2**16, (3, 2, 8, 8), dtype=np.uint16)
    with h5py.File(tmp_path / "single_cells.h5", "w") as file:
        file["single_cell_data"] = pixels
        file["single_cell_index"] = np.array([[0, 11], [1, 12], [2, 17]])
    cells = ms.io.read_h5sc(tmp_path / "single_cells.h5", channels=["DNA", "actin"])
    assert cells.images.dtype == np.uint16 and cells.obs["scportrait_cell_id"].tolist() == [11, 12, 17]
    np.testing.assert_array_equal(np.asarray(cells.images), pixels)


def test_other_hdf5_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5sc", "w") as file:
        file["other"] = [1]
    with pytest.raises(ValueError, match=r"a\.h5sc' cannot be read as single-cell images: it holds no"):
        ms.io.read_h5sc(tmp_path / "a.h5sc")
    (tmp_path / "b.h5sc").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"b\.h5sc' cannot be read"):
        ms.io.read_h5sc(tmp_path / "b.h5sc")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        ms.io.read_h5sc(tmp_path / "c.h5sc")


def test_medmnist(tmp_path):
    rng = np.random.default_rng(0)
    parts = {}
    for part, n in (("train", 5), ("val", 2), ("test", 3)):
        parts[f"{part}_images"] = rng.integers(0, 255, (n, 28, 28, 3), dtype=np.uint8)
        parts[f"{part}_labels"] = rng.integers(0, 8, (n, 1), dtype=np.uint8)
    np.savez(tmp_path / "blood.npz", **parts)
    cells = ms.io.read_medmnist(tmp_path / "blood.npz")
    assert len(cells) == 10 and cells.channels == ("red", "green", "blue") and cells.images.dtype == np.uint8
    test = ms.io.read_medmnist(tmp_path / "blood.npz", part="test")
    np.testing.assert_array_equal(test.images, np.moveaxis(parts["test_images"], -1, 1))
    assert test.labels.tolist() == parts["test_labels"].ravel().tolist() and set(test.obs["split"]) == {"test"}
    np.savez(tmp_path / "other.npz", images=parts["val_images"])
    with pytest.raises(ValueError, match="is no MedMNIST file: it lacks 'train_images'"):
        ms.io.read_medmnist(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="part is 'all of it'"):
        ms.io.read_medmnist(tmp_path / "blood.npz", part="all of it")


def test_label_layers_of_napari(tmp_path):
    labels = np.zeros((20, 24), np.int64)
    labels[2:8, 2:8], labels[10:16, 4:20] = 3, 9
    (tmp_path / "labels").mkdir()
    for name in "abc":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.full((20, 24), 7, np.uint16))
    np.save(tmp_path / "labels" / "a_labels.npy", labels)
    zarr.save_array(str(tmp_path / "labels" / "b.zarr"), labels)
    tifffile.imwrite(tmp_path / "labels" / "c.tif", labels.astype(np.int32))
    fields = ms.io.read_fields(tmp_path, tmp_path / "labels")
    for mask in fields.masks:
        np.testing.assert_array_equal(mask, np.where(labels == 3, 1, np.where(labels == 9, 2, 0)))
    np.save(tmp_path / "labels" / "a_labels.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    message = r"a\.tif: its mask a_labels\.npy cannot be read as npy .*never loaded"
    with pytest.warns(UserWarning, match=message), pytest.raises(ValueError, match="None of 1 files"):
        ms.io.read_fields(tmp_path / "a.tif", tmp_path / "labels")
    np.save(tmp_path / "labels" / "a_labels.npy", labels + 0.5)
    with pytest.warns(UserWarning, match="holds fractions"), pytest.raises(ValueError, match="None of 1 files"):
        ms.io.read_fields(tmp_path / "a.tif", tmp_path / "labels")


def test_labels_of_a_movie_go_frame_by_frame(tmp_path):
    images = np.zeros((3, 12, 12), np.uint16)
    labels = np.zeros((3, 12, 12), np.uint16)
    for t in range(3):
        labels[t, t : t + 4, 2:6], labels[t, 8:11, 2:6] = 1, 2
    tifffile.imwrite(tmp_path / "m.tif", images, metadata={"axes": "TYX"}, photometric="minisblack")
    tifffile.imwrite(tmp_path / "m_labels.tif", labels, metadata={"axes": "TYX"}, photometric="minisblack")
    fields = ms.io.read_fields(tmp_path / "m.tif", tmp_path / "m_labels.tif", frame="all")
    np.testing.assert_array_equal(np.stack(list(fields.masks)), labels)


@pytest.mark.parametrize(("ending", "plugin"), [("czi", "bioio-czi"), ("nd2", "bioio-nd2"), ("lif", "bioio-lif")])
def test_what_has_to_be_installed_is_said(tmp_path, monkeypatch, ending, plugin):
    monkeypatch.setattr(bioio_files.importlib.util, "find_spec", lambda name: None)
    (tmp_path / f"a.{ending}").write_bytes(b"x")
    with pytest.raises(ImportError, match=f"pip install bioio {plugin}$"):
        ms.io.read_bioio(tmp_path)
    assert f"pip install bioio {plugin}" in ms.io.recognise(tmp_path).problems[0]["problem"]


class FakeImage:
    """What bioio.BioImage offers, of one file with two scenes; checked against bioio 3.6 and Zeiss's writer of CZI."""

    scenes = ("s0", "s1")
    channel_names = ("DAPI", "GFP")
    dtype = np.dtype(np.uint16)
    dims = types.SimpleNamespace(T=2, C=2, Z=3, Y=8, X=9)
    physical_pixel_sizes = types.SimpleNamespace(X=0.325, Y=0.325, Z=1.0)

    def __init__(self, file):
        if "bad" in str(file):
            raise OSError("not a CZI")
        self.scene = 0

    def set_scene(self, name):
        self.scene = self.scenes.index(name)

    def get_image_data(self, axes, T=None):
        whole = np.random.default_rng(self.scene).integers(0, 2**16, (2, 2, 3, 8, 9), dtype=np.uint16)
        return whole if T is None else whole[T]


def test_scenes_become_fields(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", types.SimpleNamespace(BioImage=FakeImage))
    monkeypatch.setattr(bioio_files.importlib.util, "find_spec", lambda name: True)
    for name in ("a", "bad"):
        (tmp_path / f"{name}.czi").write_bytes(b"x")
    with pytest.warns(UserWarning, match=r"bad\.czi: cannot be read \(not a CZI\)"):
        fields = ms.io.read_bioio(tmp_path, projection="max", frame=1)
    assert list(fields.ids) == ["a_s0", "a_s1"] and fields.channels == ("DAPI", "GFP")
    assert fields.pixel_size_um == 0.325 and fields.obs["scene"].tolist() == ["s0", "s1"]
    expected = np.random.default_rng(1).integers(0, 2**16, (2, 2, 3, 8, 9), dtype=np.uint16)[1].max(1)
    np.testing.assert_array_equal(fields.images[1], expected)
    every = ms.io.read_bioio(tmp_path / "a.czi", projection="middle", frame="all")
    assert len(every) == 4 and every.design.unit == ("movie",)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="it is a movie of 2 frames"):
        ms.io.read_bioio(tmp_path / "a.czi")
    found = ms.io.recognise(tmp_path / "a.czi")
    assert found.facts["channels"] == ["DAPI", "GFP"] and set(found.undecided) == {"projection", "frame"}
