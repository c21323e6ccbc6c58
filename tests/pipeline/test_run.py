"""From fields to a store of cells: the same numbers whoever works, and nothing that one bad field spoils."""

import functools
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import mlscope_nb as ms
from mlscope_nb.fields import Stack
from mlscope_nb.pipeline import sources

ROOT = Path(__file__).parents[2]
run = functools.partial(ms.pipeline.run, progress=False)


def serial(fields, store, **options):
    return run(fields, store, workers=1, **options)


def stamps(store):
    return {file.name: file.stat().st_mtime_ns for file in (store / "tables").iterdir()}


def test_it_is_what_the_steps_make_one_after_the_other(fields, direct, tmp_path, same):
    cells = serial(fields, tmp_path / "store")
    assert list(cells.ids) == list(direct.ids)
    assert same(cells, direct)
    pd.testing.assert_frame_equal(cells.obs, direct.obs)
    assert cells.design == direct.design and cells.channels == direct.channels and cells.pixel_size_um == 0.5
    assert cells.history[-1]["fields"] == {"done": 12}


def test_compartments_options_and_masks_that_come_with_the_fields(fields, tmp_path, same):
    grown = ms.io.segment_cells(ms.io.segment(fields.subset(fields.ids[:3])))
    asked = {"crop": {"size": 48}, "measure": {"families": ["shape", "zernike"]}}
    a = serial(fields.subset(fields.ids[:3]), tmp_path / "a", segment_cells=True, **asked)
    b = serial(grown, tmp_path / "b", **asked)
    assert same(a, b) and set(a.compartments) == {"nucleus", "cytoplasm"} and a.images.shape[2:] == (48, 48)
    assert any("Zernike" in name for name in a.features) and not any("Intensity" in name for name in a.features)


def test_threads_dask_and_files_give_the_same(fields, files, direct, tmp_path, same, read):
    from distributed import Client

    assert same(run(fields, tmp_path / "threads", workers=3, scheduler="threads"), direct)
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        assert same(run(fields, tmp_path / "dask", client=client), direct)
    assert same(serial(files, tmp_path / "files", read=read), direct)


@pytest.mark.filterwarnings("ignore:.*well.*")
def test_fields_that_are_read_when_they_are_needed(fields, files, direct, read, same, tmp_path):
    plate = ms.io.write_omezarr(fields, tmp_path / "plate.zarr")
    sources_of = {"folder": ms.io.read_fields(files, keep_mb=0, **read), "zarr": ms.io.read_omezarr(plate)}
    for name, lazy in sources_of.items():
        assert callable(lazy.images._items[0])
        pickle.dumps(lazy.images._items)
        cells = serial(lazy, tmp_path / name)
        assert same(cells, direct), name
    lost = fields.with_images(Stack([lambda: fields.images[0]] * 12, fields.images.shapes))
    with pytest.raises(ValueError, match="cannot be sent to another process"):
        run(lost, tmp_path / "lost", workers=2)
    assert len(serial(lost, tmp_path / "lost"))


def test_workers_that_come_later_as_from_a_queue(fields, direct, same, tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        threading.Timer(0.5, cluster.scale, [1]).start()
        assert same(run(fields, tmp_path / "store", client=client), direct)


def test_one_file_for_each_channel(fields, direct, tmp_path, same):
    folder = tmp_path / "planes"
    folder.mkdir()
    for name, image in fields:
        for letter, plane in zip("DAM", image, strict=True):
            tifffile.imwrite(folder / f"{name}_{letter}.tif", plane)
    patterns = {"DNA": "*_D.tif", "actin": "*_A.tif", "mito": "*_M.tif"}
    cells = serial(folder, tmp_path / "store", read={"channels": patterns})
    assert cells.channels == ("DNA", "actin", "mito") and same(cells, direct)


def test_a_network_s_numbers_stay_on_disk_until_they_are_asked_for(fields, tmp_path, monkeypatch):
    few = fields.subset(fields.ids[:2])
    network = {"weights": "random", "channels": "rgb"}
    both = serial(few, tmp_path / "store", embed_pretrained=network)
    load = functools.partial(ms.pipeline.load, tmp_path / "store")
    measured, embedded = load(features="measured"), load(features="embedded")
    assert both.features.shape[1] == measured.features.shape[1] + 1280
    assert embedded.features.to_numpy().dtype == np.float32
    expected = ms.features.embed_pretrained(both.subset(embedded.ids), cache=False, **network)
    np.testing.assert_allclose(embedded.features, expected, atol=1e-4)
    monkeypatch.setattr("mlscope_nb.pipeline.opening.ALL_UP_TO_MB", 0.001)
    with pytest.warns(UserWarning, match="left on disk"):
        assert list(load().features.columns) == list(measured.features.columns)


def test_crops_are_read_when_they_are_needed(fields, direct, tmp_path, same):
    cells = serial(fields, tmp_path / "store")
    assert not isinstance(cells.images, np.ndarray)
    rows = [7, 0, 7, 3]
    np.testing.assert_array_equal(cells.images[rows], direct.images[rows])
    np.testing.assert_array_equal(cells.images[-1, 1:, 5], direct.images[-1, 1:, 5])
    np.testing.assert_array_equal(cells.masks[4:9], direct.masks[4:9])
    some = cells.subset(cells.ids[[9, 2, 30]])
    batches = list(some.batches(2))
    assert [len(b.ids) for b in batches] == [2, 1]
    np.testing.assert_array_equal(np.concatenate([b.images for b in batches]), direct.images[[9, 2, 30]])
    again = ms.load(some.save(tmp_path / "some.mlscope"))
    assert same(again, direct.subset(some.ids))


def test_map_workbench_groups_and_prediction_work_over_a_store(fields, tmp_path):
    kinds = pd.Series(np.where(np.arange(12) % 2, "odd", "even"), fields.ids, name="kind")
    obs, roles = fields.obs.assign(kind=kinds), {"unit": ["plate", "well"], "label": "kind"}
    cells = serial(ms.Fields(obs, list(fields.images), channels=fields.channels, **roles), tmp_path / "store")
    placed = ms.explore.sampled_map(cells, "pca", sample=20)
    assert 0 < ms.explore.trust(cells, placed, k=5).knn_recall <= 1
    w = ms.views.explore(cells.with_embedding("pca", placed), "pca", autosave=False)
    ids = list(cells.ids[[0, 9]])
    assert list(w.select(ids).selected) == ids
    assert len(ms.explore.cluster(cells, method="kmeans", n_clusters=2, n_bootstrap=0).labels) == len(cells)
    assert ms.predict.cross_validate(cells, n_splits=2).n_units == 12
    assert len(ms.curate.score_quality(cells)) == len(cells)


def test_a_bad_file_is_listed_and_the_rest_is_done(fields, files, direct, tmp_path, same, read):
    folder = tmp_path / "with bad ones"
    folder.mkdir()
    for file in files.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    bad = folder / f"{fields.ids[3]}.tif"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 3])
    odd = folder / f"{fields.ids[5]}.tif"
    tifffile.imwrite(odd, fields.images[5][:2], photometric="minisblack")
    store = tmp_path / "store"
    with pytest.warns(UserWarning, match="2 fields of 12 without results"):
        cells = serial(folder, store, read=read)
    assert same(cells, direct.subset(~direct.obs["field_id"].isin([fields.ids[3], fields.ids[5]])))
    listed = ms.pipeline.problems(store)
    assert list(listed["field"]) == [fields.ids[3], fields.ids[5]] and set(listed["step"]) == {"reading"}
    assert "ValueError" in listed["error"].iloc[0] and bad.name in listed["error"].iloc[0]
    bad.write_bytes(whole)
    with pytest.warns(UserWarning, match="2 fields"):
        serial(folder, store, read=read)
    with pytest.warns(UserWarning, match="1 field of 12"):
        cells = serial(folder, store, read=read, retry=True)
    assert list(ms.pipeline.problems(store)["field"]) == [fields.ids[5]] and fields.ids[3] in set(cells.obs["field_id"])


@pytest.mark.slow
def test_a_field_that_kills_its_worker_is_given_up(fields, direct, tmp_path, same):
    deadly = functools.partial(os._exit, 1)
    few = fields.subset(fields.ids[:4])
    items = [few.images[0], few.images[1], deadly, few.images[3]]
    ill = few.with_images(Stack(items, few.images.shapes))
    with pytest.warns(UserWarning, match="ended 2 times"):
        cells = run(ill, tmp_path / "store", workers=2)
    assert same(cells, direct.subset(direct.obs["field_id"].isin(fields.ids[[0, 1, 3]])))


def test_a_field_without_objects_is_empty_and_not_wrong(fields, tmp_path):
    dark = [np.zeros_like(fields.images[0]), *fields.images[1:3]]
    cells = serial(fields.subset(fields.ids[:3]).with_images(dark), tmp_path / "store")
    assert list(ms.pipeline.status(tmp_path / "store")["state"]) == ["empty", "done", "done"]
    assert set(cells.obs["field_id"]) == set(fields.ids[1:3])
    with pytest.raises(ValueError, match=r"No field in .* has cells yet: 1 empty"):
        serial(fields.subset(fields.ids[:1]).with_images(dark[:1]), tmp_path / "other")


def test_other_settings_are_refused_and_the_same_compute_nothing(fields, tmp_path):
    few, store = fields.subset(fields.ids[:2]), tmp_path / "store"
    serial(few, store, crop={"size": 48})
    before = stamps(store)
    with pytest.raises(ValueError, match=r"other settings \(crop: was {'size': 48}, now as it is by default\)"):
        serial(few, store)
    with pytest.raises(ValueError, match="measure: was as it is by default, now left out"):
        serial(few, store, crop={"size": 48}, measure=False)
    with pytest.raises(ValueError, match="channels"):
        serial(ms.Fields(few.obs, few.images, channels=list("abc")), store, crop={"size": 48})
    serial(few, store, crop={"size": 48})
    assert stamps(store) == before


def test_other_options_of_reading_are_other_settings(files, fields, tmp_path):
    store, read = tmp_path / "store", {"channels": ["a", "b", "c"], "pixel_size_um": 0.5}
    two = [files / f"{name}.tif" for name in fields.ids[:2]]
    layout = pd.DataFrame({"file": [f.name for f in two], "well": ["A01", "A02"]})
    serial(two, store, read=read)
    with pytest.raises(ValueError, match=r"read: was {'pixel_size_um': 0\.5}, now {'pixel_size_um': 0\.6}"):
        serial(two, store, read={**read, "pixel_size_um": 0.6})
    cells = serial(two, store, read={**read, "metadata": layout, "unit": "well"})
    assert cells.units.nunique() == 2 and cells.history[0]["step"] == "read_fields"


def test_more_fields_and_a_corrected_layout_need_only_the_new_ones(fields, tmp_path):
    store = tmp_path / "store"
    serial(fields.subset(fields.ids[:2]), store)
    before = stamps(store)
    corrected = fields.subset(fields.ids[:4]).with_obs(pd.Series("x", fields.ids[:4], name="treatment"))
    cells = serial(corrected, store)
    assert set(cells.obs["treatment"]) == {"x"} and set(cells.obs["field_id"]) == set(fields.ids[:4])
    assert {name: at for name, at in stamps(store).items() if name in before} == before and len(stamps(store)) == 4


def test_damaged_files_are_found(fields, direct, tmp_path, same):
    store = tmp_path / "store"
    cells = serial(fields, store)
    table = next((store / "tables").iterdir())
    table.write_bytes(table.read_bytes()[:50])
    with pytest.warns(UserWarning, match="1 field of 12 without results"):
        ms.pipeline.load(store)
    assert same(serial(fields, store), direct)
    crops = sorted((store / "crops").iterdir())[0]
    crops.write_bytes(crops.read_bytes()[:5000])
    with pytest.raises(ValueError, match="Delete it and run again"):
        np.asarray(cells.images)
    crops.unlink()
    assert same(serial(fields, store), direct)


def test_old_leftovers_are_swept_and_new_ones_are_not(fields, tmp_path):
    store = tmp_path / "store"
    serial(fields.subset(fields.ids[:1]), store)
    old, new = store / "crops" / ".a.npy.1.part", store / "crops" / ".b.npy.1.part"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    serial(fields.subset(fields.ids[:1]), store)
    assert not old.exists() and new.exists()


def test_a_store_that_was_hardly_begun_is_begun_again(fields, direct, same, tmp_path):
    """Killed while the first file was being written, or right after it."""
    few, store = fields.subset(fields.ids[:2]), tmp_path / "store"
    store.mkdir()
    (store / ".pipeline.json.x.part").touch()
    cells = serial(few, store)
    shutil.rmtree(store / "tables")
    (store / "fields.parquet").unlink()
    (store / "study.json").unlink()
    assert same(serial(few, store), cells)


def test_settings_that_fit_no_field_stop_soon(fields, tmp_path, monkeypatch):
    monkeypatch.setattr("mlscope_nb.pipeline.runs.HOPELESS", 3)
    with pytest.raises(ValueError, match="The first 3 fields all failed"):
        serial(fields, tmp_path / "store", segment={"diameter_px": 500})
    assert (ms.pipeline.status(tmp_path / "store")["state"] == "to do").sum() >= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": {"familys": ["shape"]}}, "measure has no option 'familys' here. It has: 'families'"),
        ({"measure": {"workers": 4}}, "measure has no option 'workers' here"),
        ({"crop": False}, "crop is False"),
        ({"crop": 48}, "crop is 48, expected True, False, or its options"),
        ({"workers": 0}, "workers is 0"),
        ({"scheduler": "slurm"}, "expected 'processes', 'threads' or 'dask'"),
        ({"read": {"channels": ["a"]}}, "listed already"),
    ],
)
def test_what_does_not_fit_is_refused(fields, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(fields, tmp_path / "store", **{"workers": 1, **options})


def test_columns_that_crop_writes_are_refused_before_anything_is_done(fields, tmp_path):
    with pytest.raises(ValueError, match="crop writes itself: 'object'"):
        serial(fields.with_obs(pd.Series(1, fields.ids, name="object")), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_folder_of_something_else_is_left_alone(fields, tmp_path):
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ValueError, match="not a store"):
        serial(fields, tmp_path)
    with pytest.raises(ValueError, match="List the fields first"):
        serial(tmp_path, tmp_path / "store", read={"pattern": "Harmony"})


def test_without_dask_the_rest_works_and_the_command_is_said(fields, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "mlscope_nb\[cluster\]"'):
        run(fields, tmp_path / "store", scheduler="dask")
    code = "import sys, mlscope_nb as ms; ms.pipeline.run; print({'dask', 'distributed', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_names_of_files_are_safe_and_apart():
    names = [sources.part_name(i) for i in ("a/b", "a_b", "../../x", "ä" * 300, "")]
    assert len(set(names)) == 5 and all(len(n) < 100 and "/" not in n and ".." not in n for n in names)
