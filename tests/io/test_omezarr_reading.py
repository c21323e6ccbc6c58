"""OME-Zarr as ome-zarr writes it (tests/reference/peers_omezarr.py), as mlscope writes it, and as an attacker would."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

import mlscope_nb as ms

REFERENCE = Path(__file__).parents[1] / "reference" / "peers_omezarr.zip"


def pixels(shape, dtype, seed):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("omezarr")
    with zipfile.ZipFile(REFERENCE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def own(stores, tmp_path):
    """A copy of a store that a test may spoil."""

    def copied(name):
        return Path(shutil.copytree(stores / name, tmp_path / name))

    return copied


@pytest.mark.parametrize("version", ["04", "05"])
def test_an_image_with_labels(stores, version):
    fields = ms.io.read_omezarr(stores / f"image{version}.zarr")
    np.testing.assert_array_equal(fields.images[0], pixels((2, 16, 20), np.uint16, 0))
    assert fields.images[0].dtype == np.uint16 and fields.channels == ("DAPI", "GFP")
    assert fields.pixel_size_um == pytest.approx(0.325) and list(fields.ids) == [f"image{version}"]
    mask = np.zeros((16, 20), np.int32)
    mask[2:6, 2:6], mask[8:14, 10:15] = 1, 2
    np.testing.assert_array_equal(fields.masks[0], mask)
    smaller = ms.io.read_omezarr(stores / f"image{version}.zarr", level=1, labels=False)
    assert smaller.images.shapes == ((2, 8, 10),) and smaller.pixel_size_um == pytest.approx(0.65)
    assert smaller.masks is None
    with pytest.raises(ValueError, match="has 2 levels, there is no level 7"), pytest.warns(UserWarning):
        ms.io.read_omezarr(stores / f"image{version}.zarr", level=7)
    with pytest.raises(ValueError, match=r"no label image 'cells'.*'nuclei'"):
        ms.io.read_omezarr(stores / f"image{version}.zarr", labels="cells")


@pytest.mark.parametrize("version", ["04", "05"])
def test_a_plate(stores, version):
    store = stores / f"plate{version}.zarr"
    with pytest.raises(ValueError, match=r"axes TCZYX.*movie of 3 frames"), pytest.warns(UserWarning):
        ms.io.read_omezarr(store)
    layout = pd.DataFrame({"well": ["A1", "B3"], "drug": ["none", "taxol"]})
    fields = ms.io.read_omezarr(store, layout, projection="max", frame=1, unit="well")
    assert list(fields.ids) == ["A01_0", "A01_1", "B03_0", "B03_1"] and set(fields.obs["plate"]) == {"P7"}
    assert fields.obs["drug"].tolist() == ["none", "none", "taxol", "taxol"]
    for i, (image, seed) in enumerate(zip(fields.images, (1, 2, 11, 12), strict=True)):
        np.testing.assert_array_equal(image, pixels((3, 1, 2, 8, 10), np.uint8, seed)[1].max(1), err_msg=str(i))
    movie = ms.io.read_omezarr(store, projection="middle", frame="all")
    assert len(movie) == 12 and movie.design.unit == ("movie",) and movie.ids[-1] == "B03_1_t002"
    np.testing.assert_array_equal(movie.images[-1], pixels((3, 1, 2, 8, 10), np.uint8, 12)[2][:, 1])


def test_images_are_read_when_they_are_asked_for_and_travel_to_workers(own):
    store = own("image05.zarr")
    fields = ms.io.read_omezarr(store)
    assert "labels, read when they are needed" in repr(fields)
    item = pickle.loads(pickle.dumps(fields.images._items[0]))  # noqa: S301
    np.testing.assert_array_equal(item(), fields.images[0])
    for chunk in store.glob("s0/c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(b"\0" * 9)
    with pytest.raises(ValueError, match=r"image05.zarr.s0' cannot be read"):
        fields.images[0]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_mlscope_writes_comes_back(tmp_path, version):
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 2**16, (2, 20, 24), dtype=np.uint16) for _ in range(3)]
    masks = [np.kron(rng.integers(0, 9, (5, 6)), np.ones((4, 4), int)).astype(np.int32) for _ in range(3)]
    obs = pd.DataFrame(
        {"plate": "p", "well": ["A01", "A01", "C12"], "dose": [0.0, 1.5, np.nan]}, index=["x", "y y", "z"]
    )
    fields = ms.Fields(obs, images, masks, channels=["DNA", "β-actin"], pixel_size_um=0.21, unit="well")
    path = ms.io.write_omezarr(fields, tmp_path / "a.zarr", version=version)
    back = ms.io.read_omezarr(path)
    pd.testing.assert_frame_equal(back.obs, fields.obs)
    assert back.channels == fields.channels and back.pixel_size_um == 0.21 and back.design == fields.design
    for got, want in ((back.images, images), (back.masks, masks)):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    other = ms.io.read_omezarr(path, labels=False, channels=["a", "b"], pixel_size_um=1, unit="plate")
    assert other.masks is None and other.channels == ("a", "b") and other.design.unit == ("plate",)


def test_cells_come_back_lazily(tmp_path):
    cells = ms.Cells(
        pd.DataFrame({"well": list("aab")}, index=["1", "2", "3"]),
        pixels((3, 2, 8, 8), np.uint16, 1),
        masks=np.ones((3, 8, 8), np.uint8),
        channels=["DNA", "ER"],
    )
    back = ms.io.read_omezarr(ms.io.write_omezarr(cells, tmp_path / "c.zarr"))
    assert isinstance(back, ms.Cells) and isinstance(back.images, zarr.Array) and list(back.ids) == ["1", "2", "3"]
    np.testing.assert_array_equal(back.images[:], cells.images)
    np.testing.assert_array_equal(back.masks[:], cells.masks)


def test_a_plate_with_a_hole(own):
    store = own("plate05.zarr")
    shutil.rmtree(store / "B" / "3" / "1")
    shutil.rmtree(store / "A")
    with pytest.warns(UserWarning, match="2 problems among 3 files"):
        fields = ms.io.read_omezarr(store, projection="max", frame=0)
    assert list(fields.ids) == ["B03_0"]
    with pytest.raises(ValueError, match="the well is not there"):
        ms.io.read_omezarr(store, projection="max", frame=0, errors="raise")
    (store / "B" / "3" / "zarr.json").write_text("{")
    found = ms.io.recognise(store)
    assert found.files["recognised"].tolist() == [False, False] and "is no JSON" in str(found.files["missing"][1])


def change(file, **paths):
    """Write values into a JSON file, by dotted paths with numbers for places in lists."""
    about = json.loads(file.read_text())
    for path, value in paths.items():
        *way, last = (int(p) if p.isdigit() else p for p in path.split("__"))
        held = about
        for step in way:
            held = held[step]
        held[last] = value
    file.write_text(json.dumps(about))


@pytest.mark.parametrize("path", ["../secret", "/etc", "a/../../b", "", ".", "a\\..\\b", "..", "x\0y"])
def test_paths_that_lead_out_are_refused(own, path):
    plate, image, labels = own("plate05.zarr"), own("image05.zarr"), own("image04.zarr")
    (plate.parent / "secret").mkdir()
    change(plate / "zarr.json", attributes__ome__plate__wells__0__path=path)
    change(image / "zarr.json", attributes__ome__multiscales__0__datasets__0__path=path)
    change(labels / "labels" / ".zattrs", labels__0=path)
    for store in (plate, image, labels):
        with pytest.raises(ValueError, match="elsewhere or nowhere"):
            ms.io.read_omezarr(store, projection="max", frame=0, errors="raise")


def test_links_out_of_the_store_are_refused(own, stores):
    store = own("image05.zarr")
    shutil.rmtree(store / "s0")
    (store / "s0").symlink_to(stores / "image05.zarr" / "s0")
    with pytest.raises(ValueError, match="leads out of"):
        ms.io.read_omezarr(store, errors="raise")


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(BOMB[0]),))


BOMB = [""]


def test_pickles_in_arrays_are_never_loaded(own, tmp_path):
    store = own("image04.zarr")
    BOMB[0] = str(tmp_path / "boom")
    change(store / "s0" / ".zarray", filters=[{"id": "pickle", "protocol": 5}], compressor=None)
    for chunk in (f for f in (store / "s0").rglob("*") if f.is_file() and not f.name.startswith(".")):
        chunk.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="pickle"):
        ms.io.read_omezarr(store, errors="raise")
    change(store / "s0" / ".zarray", dtype="|O")
    with pytest.raises(ValueError, match=r"holds object|cannot be opened"):
        ms.io.read_omezarr(store, errors="raise")
    assert not (tmp_path / "boom").exists()
    change(store / "s0" / ".zarray", dtype="<u2", filters=None, compressor={"id": "base64"})
    with pytest.raises(ValueError, match="packed with 'base64', which is not read"):
        ms.io.read_omezarr(store, errors="raise")


@pytest.mark.parametrize(
    ("change_to", "words"),
    [
        ({"shape": [2, 10**9, 10**9]}, "GB|cannot be real"),
        ({"chunk_grid__configuration__chunk_shape": [1, 10**6, 10**6]}, "cannot be real"),
        ({"shape": [0, 16, 20]}, "cannot be real"),
        ({"data_type": "string"}, "expected integers|cannot be opened"),
    ],
)
def test_shapes_that_cannot_be(own, change_to, words):
    store = own("image05.zarr")
    change(store / "s0" / "zarr.json", **change_to)
    with pytest.raises(ValueError, match=words):
        ms.io.read_omezarr(store, errors="raise")


def test_what_the_store_says_and_what_it_does_not(own, tmp_path):
    store = own("image05.zarr")
    about = json.loads((store / "zarr.json").read_text())
    for axis in about["attributes"]["ome"]["multiscales"][0]["axes"]:
        axis.pop("unit", None)
    (store / "zarr.json").write_text(json.dumps(about))
    fields = ms.io.read_omezarr(store)
    assert fields.pixel_size_um is None and "0.325 with the unit 'none'" in fields.history[0]["note"]
    change(store / "zarr.json", attributes__ome__version="0.9")
    with pytest.raises(ValueError, match=r"is OME-Zarr 0\.9, this mlscope reads 0\.1 to 0\.5"):
        ms.io.read_omezarr(store, errors="raise")
    (store / "zarr.json").write_text("[1")
    with pytest.raises(ValueError, match="is no JSON"):
        ms.io.read_omezarr(store)
    with pytest.raises(FileNotFoundError, match=r"unpack a \.zip first"):
        ms.io.read_omezarr(tmp_path / "gone.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ValueError, match="holds no OME-Zarr image or plate"):
        ms.io.read_omezarr(tmp_path / "empty.zarr")
