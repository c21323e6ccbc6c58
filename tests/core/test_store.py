"""Saving is whole or not at all; what comes back is what was saved."""

import errno
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb import _store


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    n = 23
    obs = pd.DataFrame(
        {
            "plate": ["p1"] * 12 + ["p2"] * 11,
            "well": [f"A{i % 4:02d}" for i in range(n)],
            "treatment": pd.Categorical(["DMSO", "drug µ <b>"] * 11 + ["DMSO"]),
            "dose": rng.normal(size=n),
            "n": np.arange(n),
            "ok": [True, False] * 11 + [True],
            "remark": ["", None, "ü \" '"] * 7 + ["x", "y"],
        },
        index=[f"cell {i}" for i in range(n)],
    )
    features = pd.DataFrame(rng.normal(size=(n, 3)).astype("float32"), index=obs.index, columns=["a", "b", "c"])
    features.iloc[2, 1] = np.nan
    masks = rng.integers(0, 3, (n, 8, 10)).astype(np.uint8)
    return ms.Cells(
        obs,
        rng.integers(0, 65535, (n, 2, 8, 10)).astype(np.uint16),
        masks=masks,
        compartments={"nucleus": masks // 2},
        features=features,
        embeddings={"umap": pd.DataFrame(rng.normal(size=(n, 2)), index=obs.index, columns=["x", "y"])},
        channels=["DNA", "RNA"],
        pixel_size_um=0.325,
        label="treatment",
        unit=["plate", "well"],
        batch="plate",
        control={"treatment": "DMSO"},
        history=[{"step": "made", "seed": np.int64(3), "note": "<script>"}],
    )


def assert_same(a, b):
    pd.testing.assert_frame_equal(a.obs, b.obs)
    pd.testing.assert_frame_equal(a.features, b.features)
    assert list(a.embeddings) == list(b.embeddings)
    for name in a.embeddings:
        pd.testing.assert_frame_equal(a.embeddings[name], b.embeddings[name])
    for x, y in ((a.images, b.images), (a.masks, b.masks), (a.compartments["nucleus"], b.compartments["nucleus"])):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
    assert (a.channels, a.pixel_size_um, a.design) == (b.channels, b.pixel_size_um, b.design)


def test_round_trip_is_lossless(cells, tmp_path):
    back = ms.load(cells.save(tmp_path / "my cells ü.mlscope"))
    assert_same(cells, back)
    assert back.history[0] == {"step": "made", "seed": 3, "note": "<script>"}
    assert back.fingerprint == cells.fingerprint


@pytest.mark.parametrize(
    "values", [[5, 0, 9], [0.5, 1.5, 2.0], pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-03"])]
)
def test_categories_of_numbers_and_days_stay_categories_in_their_order(tmp_path, values):
    dose = pd.Categorical([values[0], values[1], None], categories=values, ordered=True)
    cells = ms.Cells(pd.DataFrame({"dose": dose, "again": dose}, index=["a", "b", "c"]))
    pd.testing.assert_frame_equal(ms.load(cells.save(tmp_path / "a.mlscope")).obs, cells.obs)


def test_images_are_read_when_needed_and_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(_store, "CHUNK_BYTES", 10 * 2 * 8 * 8)
    images = np.arange(95 * 64, dtype=np.uint16).reshape(95, 1, 8, 8)
    ids = [f"c{i}" for i in range(95)]
    back = ms.load(ms.Cells(pd.DataFrame(index=ids), images).save(tmp_path / "a.mlscope"))
    assert not isinstance(back.images, np.ndarray)
    assert back.images.chunks == (10, 1, 8, 8)
    assert back.subset(["c90", "c3", "c17"]).images[1:].tolist() == images[[3, 17]].tolist()
    assert [len(b.ids) for b in back.batches(40)] == [40, 40, 15]
    chosen = back.subset(["c90", "c3", "c17"]).subset(["c17", "c90"])
    np.testing.assert_array_equal(np.asarray(chosen.images), images[[17, 90]])
    again = ms.load(chosen.save(tmp_path / "b.mlscope"))
    np.testing.assert_array_equal(np.asarray(again.images), images[[17, 90]])


def test_tables_without_images_and_without_features(tmp_path):
    bare = ms.Cells(pd.DataFrame({"a": [1, 2]}, index=["x", "y"]))
    back = ms.load(bare.save(tmp_path / "bare.mlscope"))
    assert back.images is None and back.features is None and len(back) == 2


def test_no_cells_at_all(tmp_path):
    none = ms.Cells(pd.DataFrame({"a": []}), np.zeros((0, 1, 8, 8), np.uint8))
    assert len(ms.load(none.save(tmp_path / "none.mlscope"))) == 0


def test_an_interrupted_save_leaves_the_old_file(cells, tmp_path, monkeypatch):
    path = cells.save(tmp_path / "a.mlscope")
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_store, "_write_arrays", full)
    with pytest.raises(OSError, match="No space left"):
        cells.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.mlscope"]


def test_a_killed_save_leaves_the_old_file(cells, tmp_path):
    path = cells.save(tmp_path / "a.mlscope")
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        _store._write_arrays = lambda *_: os._exit(9)
        cells.save(path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert path.read_bytes() == before
    assert_same(ms.load(path), cells)


def test_an_unwritable_folder_is_named(cells, tmp_path):
    with pytest.raises(OSError, match="Choose a folder"):
        cells.save(tmp_path / "not there" / "a.mlscope")


def test_mixed_columns_are_refused_before_anything_is_written(tmp_path):
    mixed = ms.Cells(pd.DataFrame({"a": [1, "x", {"b": 2}]}))
    with pytest.raises(ValueError, match="'obs' cannot be stored"):
        mixed.save(tmp_path / "a.mlscope")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1j, 2, 3], "complex numbers"),
        ([[1, 2], [3], []], r"holds a list, for example \[1, 2\]"),
        ([{"b": 2}, None, {"c": 1}], "holds a dict"),
        ([{1}, {2}, {3}], "holds a set"),
        ([(1, 2), (3,), ()], "holds a tuple"),
        ([b"a", b"b", None], "holds a bytes"),
        (["a", 1, None], "mixes text and whole numbers, for example 'a' and 1"),
        ([True, 1, None], "mixes True or False and whole numbers"),
        (pd.array([1, 2.5, True], dtype=object), "mixes whole numbers and numbers and True or False"),
        (pd.cut([1, 2, 3], 2), "intervals"),
        (pd.array([2**70, 1, 1], dtype=object), "column 'bad'"),
        (["\ud800", "a", "b"], "column 'bad'"),
    ],
)
def test_columns_that_would_come_back_changed_are_refused(tmp_path, values, message):
    obs = pd.DataFrame({"good": [1, 2, 3], "bad": values})
    with pytest.raises(ValueError, match=r"The table 'obs' cannot be stored: column 'bad'") as caught:
        ms.Cells(obs).save(tmp_path / "a.mlscope")
    caught.match(message)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [["a", None, "b"], [True, None, False], [np.str_("a"), "b", "c"]])
def test_objects_of_one_kind_come_back(tmp_path, values):
    cells = ms.Cells(pd.DataFrame({"a": pd.array(values, dtype=object)}))
    assert ms.load(cells.save(tmp_path / "a.mlscope")).obs["a"].tolist() == values


def test_cells_outlive_a_change_of_folder(cells, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    cells.save("a.mlscope")
    back = ms.load("a.mlscope")
    monkeypatch.chdir("other")
    # What another process opens again by its path must be the same file.
    assert back.images.store.path == tmp_path.resolve() / "a.mlscope"
    assert_same(cells, back)


def everything(path):
    """All that a file holds, read to the last pixel."""
    back = ms.load(path)
    assert_same(back, back)
    tables = [back.obs, back.features, back.embeddings["umap"]]
    arrays = [np.asarray(a) for a in (back.images, back.masks, back.compartments["nucleus"])]
    return [t.to_csv() for t in tables] + [a.tobytes() for a in arrays], back.design, back.history, back.channels


def test_a_flipped_byte_anywhere_is_found_or_changes_nothing(cells, tmp_path):
    whole = cells.subset(cells.ids[:3]).save(tmp_path / "a.mlscope").read_bytes()
    expected, path, found = everything(tmp_path / "a.mlscope"), tmp_path / "b.mlscope", 0
    with zipfile.ZipFile(tmp_path / "a.mlscope") as archive:
        directory = archive.start_dir
    places = np.random.default_rng(0).integers(0, len(whole), 80).tolist()
    places += np.random.default_rng(1).integers(directory, len(whole), 80).tolist()
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            assert everything(path) == expected, place
        except ValueError as error:
            assert "may be damaged" in str(error)
            found += 1
    assert found > len(places) // 2


def rewritten(source, target, change):
    """Copy a saved file with another description."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        about = json.loads(old.read("mlscope.json"))
        for name in dict.fromkeys(old.namelist()):
            new.writestr(name, json.dumps(change(about)) if name == "mlscope.json" else old.read(name))
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {k: v for k, v in a.items() if k != "arrays"}, "no proper 'arrays'"),
        (lambda a: {k: v for k, v in a.items() if k != "design"}, "no proper 'design'"),
        (lambda a: {**a, "history": 5}, "no proper 'history'"),
        (lambda a: {k: v for k, v in a.items() if k != "pixel_size_um"}, "pixel_size_um"),
        (lambda a: {**a, "design": {"units": ["plate"]}}, "units"),
        (lambda a: {**a, "arrays": ["images", "gone"]}, "gone"),
        (lambda a: {**a, "contents": "0"}, "pieces of it are missing"),
        (lambda a: [a], "description is a list"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(cells, tmp_path, change, message):
    source = cells.save(tmp_path / "a.mlscope")
    with pytest.raises(ValueError, match=f"cannot be read as cells saved by mlscope: .*{message}.*may be damaged"):
        ms.load(rewritten(source, tmp_path / "b.mlscope", change))


def test_files_of_before_the_list_of_contents_are_read(cells, tmp_path):
    old = rewritten(
        cells.save(tmp_path / "a.mlscope"),
        tmp_path / "b.mlscope",
        lambda a: {k: v for k, v in a.items() if k != "contents"},
    )
    assert_same(ms.load(old), cells)


def test_damaged_foreign_and_newer_files_are_refused(cells, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        ms.load(tmp_path / "gone.mlscope")
    whole = cells.save(tmp_path / "a.mlscope").read_bytes()
    (tmp_path / "half.mlscope").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mlscope").write_bytes(b"")
    for name in ("half", "empty"):
        with pytest.raises(ValueError, match="cannot be read as cells"):
            ms.load(tmp_path / f"{name}.mlscope")
    for about, message in (
        ({"format": "other"}, "expected 'mlscope cells'"),
        ({"format": "mlscope cells", "version": 99}, "version 99"),
    ):
        with zipfile.ZipFile(tmp_path / "x.mlscope", "w") as archive:
            archive.writestr("mlscope.json", json.dumps(about))
        with pytest.raises(ValueError, match=message):
            ms.load(tmp_path / "x.mlscope")


def test_nothing_in_the_file_is_pickled(cells, tmp_path):
    with zipfile.ZipFile(cells.save(tmp_path / "a.mlscope")) as archive:
        kinds = {name.split(".")[-1] for name in archive.namelist() if "/c/" not in name}
    assert kinds == {"json", "parquet"}


def test_anndata_round_trip_in_memory_and_on_disk(cells, tmp_path):
    import anndata

    adata = cells.to_anndata()
    assert_same(cells, ms.Cells.from_anndata(adata))
    adata.write_h5ad(tmp_path / "a.h5ad")
    back = ms.Cells.from_anndata(anndata.read_h5ad(tmp_path / "a.h5ad"))
    missing_as_nan = cells.obs["remark"].where(cells.obs["remark"].notna(), np.nan)
    assert_same(cells.with_obs(missing_as_nan), back.with_obs(back.obs["remark"]))


def test_a_subset_without_controls_comes_back_and_still_knows_what_they_are(cells, tmp_path):
    rest = cells.subset((~cells.controls).to_numpy())
    backs = [ms.load(rest.save(tmp_path / "rest.ms")), ms.Cells.from_anndata(rest.to_anndata())]
    for back in backs:
        assert_same(rest, back)
        assert back.design == cells.design
        with pytest.raises(ValueError, match="No row is a control"):
            _ = back.controls


def test_anndata_without_images_keeps_tables_and_design(cells):
    adata = cells.to_anndata(images=False)
    assert "images" not in adata.obsm and adata.obsm["X_umap"].shape == (23, 2)
    back = ms.Cells.from_anndata(adata)
    assert back.images is None and back.design == cells.design


def test_anndata_of_other_tools(cells):
    import anndata
    from scipy import sparse

    adata = anndata.AnnData(sparse.csr_matrix(np.eye(3)), obs=pd.DataFrame(index=["a", "b", "c"]))
    adata.obsm["X_pca"] = np.ones((3, 5))
    adata.obsm["spatial"] = np.array([[1.0, 2], [3, 4], [5, 6]])
    back = ms.Cells.from_anndata(adata)
    assert back.features.shape == (3, 3) and list(back.embeddings["pca"].columns[:2]) == ["x", "y"]
    assert back.obs["y_px"].tolist() == [2, 4, 6]
