"""write_omezarr: what comes back by read_omezarr is what was written; the layout and the metadata are as specified."""

import json
import xml.etree.ElementTree as ElementTree

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr

import mlscope_nb as ms
from mlscope_nb.io import omezarr_layout

VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def assert_same_arrays(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def assert_same_fields(found, wanted):
    pd.testing.assert_frame_equal(found.obs, wanted.obs)
    assert_same_arrays(found.images, wanted.images)
    assert_same_arrays(found.masks, wanted.masks)
    assert list(found.compartments) == list(wanted.compartments)
    for name in wanted.compartments:
        assert_same_arrays(found.compartments[name], wanted.compartments[name])
    assert (found.channels, found.pixel_size_um, found.design) == (wanted.channels, wanted.pixel_size_um, wanted.design)
    assert found.history[: len(wanted.history)] == wanted.history


def described(group, version):
    return group.attrs["ome"] if version == "0.5" else group.attrs.asdict()


@VERSIONS
@pytest.mark.parametrize("layout", ["auto", "images"])
def test_fields_come_back(two_sizes, tmp_path, version, layout):
    path = ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", version=version, layout=layout)
    assert_same_fields(ms.io.read_omezarr(path), two_sizes)


@VERSIONS
def test_one_field_is_one_image(two_sizes, tmp_path, version):
    one = two_sizes.subset(["ü/3"]).with_obs(pd.Series("x", ["ü/3"], name="treatment"))
    path = ms.io.write_omezarr(one, tmp_path / "a.zarr", version=version, layout="images")
    assert described(zarr.open_group(path), version)["multiscales"][0]["name"] == "ü/3"
    back = ms.io.read_omezarr(path)
    assert_same_arrays(back.images, one.images)
    assert list(back.ids) == ["ü/3"]


@VERSIONS
def test_cells_come_back(every_kind, tmp_path, version):
    back = ms.io.read_omezarr(ms.io.write_omezarr(every_kind, tmp_path / "a.zarr", version=version))
    assert isinstance(back, ms.Cells)
    pd.testing.assert_frame_equal(back.obs, every_kind.obs)
    assert_same_arrays([back.images, back.masks], [every_kind.images, every_kind.masks])
    assert_same_arrays([back.compartments["nucleus"]], [every_kind.compartments["nucleus"]])
    assert (back.channels, back.pixel_size_um, back.design) == (
        every_kind.channels,
        every_kind.pixel_size_um,
        every_kind.design,
    )
    pd.testing.assert_frame_equal(back.features, every_kind.features)
    assert list(back.embeddings) == ["umap"]
    pd.testing.assert_frame_equal(back.embeddings["umap"], every_kind.embeddings["umap"])


@VERSIONS
def test_anndata_opens_the_table_of_cells(every_kind, tmp_path, version):
    axes = pd.DataFrame(np.arange(46.0).reshape(23, 2), every_kind.ids, columns=["PC 1", "PC 2"])
    cells = every_kind.with_embedding("pca", axes)
    path = ms.io.write_omezarr(cells, tmp_path / "a.zarr", version=version)
    assert zarr.open_group(path)["tables"].attrs["tables"] == ["cells"]
    table = anndata.read_zarr(path / "tables" / "cells")
    assert list(table.var_names) == list(cells.features.columns) and "X_umap" in table.obsm
    np.testing.assert_array_equal(table.X, cells.features.to_numpy())
    pd.testing.assert_frame_equal(ms.Cells.from_anndata(table).obs, cells.obs)
    assert list(ms.io.read_omezarr(path).embeddings["pca"].columns) == ["PC 1", "PC 2"]


def test_cells_without_features_have_no_table_and_maps_alone_one(every_kind, tmp_path):
    bare = every_kind._copy(_features=None, _embeddings={})
    path = ms.io.write_omezarr(bare, tmp_path / "a.zarr")
    back = ms.io.read_omezarr(path)
    assert not (path / "tables").exists() and back.features is None and not back.embeddings
    mapped = every_kind._copy(_features=None)
    back = ms.io.read_omezarr(ms.io.write_omezarr(mapped, tmp_path / "b.zarr"))
    assert back.features is None
    pd.testing.assert_frame_equal(back.embeddings["umap"], mapped.embeddings["umap"])


def test_stores_from_before_there_were_tables_are_read(every_kind, tmp_path):
    path = ms.io.write_omezarr(every_kind, tmp_path / "a.zarr")
    root = zarr.open_group(path, mode="r+")
    about = root.attrs["mlscope"]
    root.attrs["mlscope"] = {name: part for name, part in about.items() if name not in ("features", "embeddings")}
    del root["tables"]
    back = ms.io.read_omezarr(path)
    assert back.features is None and not back.embeddings
    pd.testing.assert_frame_equal(back.obs, every_kind.obs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": ["one"]}, r"'X' has shape \(23, 3\), expected \(23, 1\)"),
        ({"features": "Area"}, "no proper features"),
        ({"embeddings": {"umap": ["x", "y", "z"]}}, r"'obsm/X_umap' has shape \(23, 2\)"),
        ({"embeddings": {"u/../../../../b": ["x", "y"]}}, "a.zarr' cannot be read"),
        ({"embeddings": {"umap": 2}}, "a.zarr' cannot be read"),
    ],
)
def test_a_table_of_something_else_is_refused_in_words(every_kind, tmp_path, change, said):
    path = ms.io.write_omezarr(every_kind, tmp_path / "a.zarr")
    root = zarr.open_group(path, mode="r+")
    root.attrs["mlscope"] = {**root.attrs["mlscope"], **change}
    with pytest.raises(ValueError, match=said):
        ms.io.read_omezarr(path)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int64", "float32", "float64", "bool"])
@VERSIONS
def test_types_of_pixels_stay(tmp_path, dtype, version):
    rng = np.random.default_rng(2)
    images = [(rng.random((1, 9, 7)) * 2).astype(dtype), (rng.random((1, 8, 8)) * 2).astype(dtype)]
    fields = ms.Fields(pd.DataFrame(index=["a", "b"]), images, channels=["DNA"])
    back = ms.io.read_omezarr(ms.io.write_omezarr(fields, tmp_path / "a.zarr", version=version))
    assert_same_arrays(back.images, images)
    assert back.pixel_size_um is None and back.masks is None


def test_wells_are_places_on_plates(two_sizes, tmp_path):
    path = ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr")
    root = zarr.open_group(path)
    assert sorted(p.name for p in path.iterdir()) == ["mlscope", "p2", "p_1", "zarr.json"]
    plate = root["p_1"].attrs["ome"]["plate"]
    assert plate["name"] == "p 1/µ" and plate["field_count"] == 2
    assert [well["path"] for well in plate["wells"]] == ["A/01", "B/12"]
    assert [row["name"] for row in plate["rows"]] == ["A", "B"]
    assert [column["name"] for column in plate["columns"]] == ["01", "12"]
    assert root["p_1/A/01"].attrs["ome"]["well"]["images"] == [{"path": "0"}, {"path": "1"}]
    assert root["p2"].attrs["ome"]["plate"]["wells"][0]["path"] == "AA/03"
    assert root["p_1/A/01/1"].attrs["ome"]["multiscales"][0]["name"] == "a field: 2"


def test_every_folder_above_an_image_is_a_group(two_sizes, tmp_path):
    path = ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr")
    bare = [p for p in path.rglob("*") if p.is_dir() and not (p / "zarr.json").exists() and p.name != "c"]
    assert [p for p in bare if "c" not in p.relative_to(path).parts] == []


def test_one_plate_is_the_store_itself(two_sizes, tmp_path):
    one = two_sizes.subset(two_sizes.ids[:3])
    path = ms.io.write_omezarr(one, tmp_path / "screen 7.zarr")
    assert zarr.open_group(path).attrs["ome"]["plate"]["name"] == "p 1/µ"


def test_wells_without_a_plate_are_of_one_named_as_the_file():
    obs = pd.DataFrame({"well": ["A1", "H12"]})
    assert omezarr_layout.arrange(obs).paths == ("A/1/0", "H/12/0")


@pytest.mark.parametrize("wells", [["A01", "control"], ["3", "4"], ["A01", None]])
def test_wells_that_no_plate_has_become_images(wells):
    obs = pd.DataFrame({"well": wells})
    assert omezarr_layout.arrange(obs).paths == ("0", "1")


def test_a_plate_that_is_asked_for_and_cannot_be_is_refused(two_sizes, tmp_path):
    fields = two_sizes.with_obs(pd.Series(["one", "A02", "A03", "A04"], two_sizes.ids, name="place"))
    with pytest.raises(ValueError, match=r"1 field whose well is no row and column, such as A01: 'one'"):
        ms.io.write_omezarr(fields, tmp_path / "a.zarr", layout="plate", well="place")
    with pytest.raises(KeyError, match="No column 'wel'"):
        ms.io.write_omezarr(fields, tmp_path / "a.zarr", well="wel")
    bare = ms.Fields(pd.DataFrame(index=["a"]), [np.zeros((1, 4, 4), "uint8")])
    with pytest.raises(KeyError, match="Name the wells with well="):
        ms.io.write_omezarr(bare, tmp_path / "a.zarr", layout="plate")
    assert list(tmp_path.iterdir()) == []


def test_names_of_plates_that_would_be_alike_or_ours_become_numbers():
    obs = pd.DataFrame({"plate": ["a/1", "a_1", "mlscope"], "well": "A01"})
    assert omezarr_layout.arrange(obs).paths == ("plate0/A/01/0", "plate1/A/01/0", "plate2/A/01/0")
    obs = pd.DataFrame({"plate": ["../up", "/etc", "..", "."], "well": "A01"})
    assert all(".." not in path and not path.startswith("/") for path in omezarr_layout.arrange(obs).paths)


@VERSIONS
def test_channels_have_names_colours_and_one_contrast_for_all(two_sizes, tmp_path, version):
    path = ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", version=version, layout="images")
    root = zarr.open_group(path)
    shown = [described(root[str(i)], version)["omero"]["channels"] for i in range(4)]
    assert [channel["label"] for channel in shown[0]] == ["DNA", "RNA"]
    assert [channel["color"] for channel in shown[0]] == ["FF00FF", "00FF00"]
    assert all(channels == shown[0] for channels in shown)
    assert (shown[0][0]["window"]["min"], shown[0][0]["window"]["max"]) == (0, 65535)


@VERSIONS
def test_pixels_have_a_size_in_micrometres(two_sizes, tmp_path, version):
    root = zarr.open_group(ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", version=version, layout="images"))
    for group in (root["0"], root["0/labels/masks"]):
        (scales,) = described(group, version)["multiscales"]
        assert [axis.get("unit") for axis in scales["axes"]][-2:] == ["micrometer"] * 2
        assert scales["datasets"][0]["coordinateTransformations"][0]["scale"][-2:] == [0.65, 0.65]


@VERSIONS
def test_large_images_have_smaller_copies_where_their_pixels_lie(tmp_path, version):
    image = np.arange(1300 * 701, dtype=np.uint32).reshape(1, 1300, 701)
    mask = (np.arange(1300 * 701).reshape(1300, 701) // 1000).astype(np.int32)
    fields = ms.Fields(pd.DataFrame(index=["a"]), [image], [mask], pixel_size_um=0.5)
    root = zarr.open_group(ms.io.write_omezarr(fields, tmp_path / "a.zarr", version=version))
    (scales,) = described(root, version)["multiscales"]
    assert [root[d["path"]].shape for d in scales["datasets"]] == [(1, 1300, 701), (1, 650, 351), (1, 325, 176)]
    assert scales["datasets"][2]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 2.0, 2.0]},
        {"type": "translation", "translation": [0.0, 0.75, 0.75]},
    ]
    np.testing.assert_array_equal(
        root["1"][0, :650, :350], np.rint(image[0, :, :700].reshape(650, 2, 350, 2).mean((1, 3)))
    )
    np.testing.assert_array_equal(root["labels/masks/1"][:], mask[::2, ::2])
    assert root["0"].chunks == (1, 1024, 701)


def test_arrays_of_0_5_name_their_axes_and_those_of_0_4_lie_in_folders(two_sizes, tmp_path):
    new = zarr.open_group(ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", layout="images"))
    assert new["0/0"].metadata.dimension_names == ("c", "y", "x")
    old = ms.io.write_omezarr(two_sizes, tmp_path / "b.zarr", layout="images", version="0.4")
    assert json.loads((old / "0" / "0" / ".zarray").read_text())["dimension_separator"] == "/"
    assert (old / "0" / "0" / "0" / "0" / "0").is_file()


def test_a_series_is_listed(two_sizes, tmp_path):
    names = ["f1 <&>", "a\x00b", "ü", "4"]
    fields = ms.Fields(two_sizes.obs.set_axis(names), two_sizes.images, channels=["DNA", "RNA"], pixel_size_um=0.65)
    path = ms.io.write_omezarr(fields, tmp_path / "a.zarr", layout="images")
    root = ElementTree.parse(path / "OME" / "METADATA.ome.xml").getroot()
    images = [element for element in root if element.tag.endswith("}Image")]
    assert [(i.get("ID"), i.get("Name")) for i in images] == [
        ("Image:0", "f1 <&>"),
        ("Image:1", "ab"),
        ("Image:2", "ü"),
        ("Image:3", "4"),
    ]
    assert images[2][0].get("SizeX") == "71" and images[2][0].get("PhysicalSizeY") == "0.65"
    assert zarr.open_group(path)["OME"].attrs["ome"]["series"] == ["0", "1", "2", "3"]


def test_fields_are_read_one_at_a_time(two_sizes, tmp_path):
    read = []

    def reader(row):
        return lambda: read.append(row) or two_sizes.images[row]

    shapes = two_sizes.images.shapes
    stack = ms.fields.Stack([reader(i) for i in range(4)], shapes)
    fields = ms.Fields(two_sizes.obs, stack, channels=["DNA", "RNA"])
    before = len(read)
    path = ms.io.write_omezarr(fields, tmp_path / "a.zarr")
    assert sorted(read[before:])[-1] == 3 and len(read) - before <= 8
    assert_same_arrays(ms.io.read_omezarr(path).images, two_sizes.images)


def test_a_field_that_cannot_be_read_leaves_nothing(two_sizes, tmp_path):
    def broken():
        raise OSError("the disk is gone")

    stack = ms.fields.Stack([two_sizes.images[0], two_sizes.images[1], broken, broken], two_sizes.images.shapes)
    fields = ms.Fields(two_sizes.obs, stack)
    with pytest.raises(OSError, match="the disk is gone"):
        ms.io.write_omezarr(fields, tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []


def test_tables_alone_and_unknown_versions_are_refused(every_kind, two_sizes, tmp_path):
    with pytest.raises(ValueError, match="write_profiles or write_h5ad"):
        ms.io.write_omezarr(every_kind.with_images(None), tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=r"version is '0\.6', expected"):
        ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", version="0.6")
    with pytest.raises(ValueError, match="layout is 'wells'"):
        ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", layout="wells")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "update mlscope"),
        ({"paths": ["0", "../../etc", "2", "3"]}, "no store of mlscope has"),
        ({"paths": ["0"]}, "name 1 images for 4 rows"),
        ({"channels": "DNA"}, "no proper channels"),
        ({"kind": "movies"}, "no proper kind"),
    ],
)
def test_damaged_notes_are_refused_in_words(two_sizes, tmp_path, change, said):
    path = ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", layout="images")
    root = zarr.open_group(path, mode="r+")
    root.attrs["mlscope"] = {**root.attrs["mlscope"], **change}
    with pytest.raises(ValueError, match=said):
        ms.io.read_omezarr(path)


def test_a_damaged_table_is_refused_in_words(two_sizes, tmp_path):
    path = ms.io.write_omezarr(two_sizes, tmp_path / "a.zarr", layout="images")
    table = zarr.open_group(path, mode="r+")["mlscope/obs"]
    table[100:200] = 255
    with pytest.raises(ValueError, match=r"a\.zarr"):
        ms.io.read_omezarr(path)


def test_nothing_is_not_written(two_sizes, every_kind, tmp_path):
    for none in (two_sizes.subset([]), every_kind.subset([])):
        with pytest.raises(ValueError, match="nothing to write"):
            ms.io.write_omezarr(none, tmp_path / "none.zarr")
