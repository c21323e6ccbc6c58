"""What lies in a folder is recognised, shown, corrected, and read by the line of code that is shown."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import mlscope_nb as ms
from mlscope_nb.io.looking import MAX_DEPTH


def run(code):
    """Run the line of code that a reader would copy."""
    names = {"ms": ms}
    exec(code, names)  # noqa: S102
    return names.get("fields", names.get("cells"))


def write(path, *shape, dtype=np.uint16, seed=0, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    tifffile.imwrite(path, image, photometric="minisblack", **more)
    return image


@pytest.fixture
def screen(tmp_path):
    """Two plates of two wells with two channels, masks in a folder of their own, a layout, and a README."""
    for p in ("p1", "p2"):
        for well in ("A01", "B02"):
            for channel in ("DAPI", "GFP"):
                write(tmp_path / "images" / f"{p}_{well}_1_{channel}.tif", 20, 24)
            write(tmp_path / "masks" / f"{p}_{well}_1.tif", 20, 24, dtype=np.uint8)
    layout = pd.DataFrame({"plate": ["p1", "p1", "p2", "p2"], "well": ["A1", "B2"] * 2, "drug": list("abba")})
    layout.to_csv(tmp_path / "layout.csv", index=False)
    (tmp_path / "README.md").write_text("hello")
    return tmp_path


def test_a_screen_with_masks_and_layout(screen):
    found = ms.io.recognise(screen)
    assert (found.kind, found.reader, found.gives) == ("images", "read_fields", "Fields")
    assert found.options["pattern"] == "well-site-channel" and found.options["unit"] == ["plate", "well"]
    assert found.values("channel") == ["DAPI", "GFP"] and found.values("well") == ["A01", "B02"]
    assert found.layout == screen / "layout.csv" and "4 of 4 fields" in found.facts["layout"]
    assert set(found.columns) == {"file", "plate", "well", "site", "drug"}
    assert found.facts["fields"] == 4 and found.facts["dtypes"] == ["uint16"] and not found.undecided
    fields = found.read()
    assert len(fields) == 4 and fields.masks is not None and fields.design.unit == ("plate", "well")
    assert list(run(found.code).ids) == list(fields.ids)
    for text in ("8 image files (tif), one for each channel, 4 masks", "plates: 2: 'p1', 'p2'", "fields = ms.io"):
        assert text in str(found)
    assert "&lt;" not in found._repr_html_() and "layout.csv" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["code"] == found.code


def test_guesses_can_be_changed(screen):
    found = ms.io.recognise(screen).change(
        channels={"nuclei": "DAPI"}, pixel_size_um=0.5, unit="well", batch=None, label="drug", masks=None
    )
    fields = found.read()
    assert fields.channels == ("nuclei",) and fields.pixel_size_um == 0.5 and fields.masks is None
    assert fields.design.label == "drug" and fields.design.unit == ("well",) and not fields.design.batch
    assert list(run(found.code).ids) == list(fields.ids)
    other = found.change(pattern="{plate}_{well}_{site}_{stain}.tif")
    assert other.facts["fields"] == 8 and other.options["pattern"] == "{plate}_{well}_{site}_{stain}.tif"
    assert "pattern" not in found.change(pattern=None).options
    with pytest.raises(ValueError, match="No option 'colour' here"):
        found.change(colour=1)
    with pytest.raises(ValueError, match="projection is 'best'"):
        found.change(projection="best")
    with pytest.raises(ValueError, match="There is no pattern 'Harmonie'"):
        ms.io.recognise(screen, pattern="Harmonie")


def test_stacks_and_movies_have_to_be_decided(tmp_path):
    for i in range(2):
        write(tmp_path / f"m{i}.ome.tif", 4, 3, 2, 8, 9, seed=i, metadata={"axes": "TZCYX", "PhysicalSizeX": 0.3})
    found = ms.io.recognise(tmp_path)
    assert set(found.undecided) == {"projection", "frame"} and found.facts["pixel_size_um"] == pytest.approx(0.3)
    assert "projection=...,  # 3 planes in each file" in found.code and "frame=...," in found.code
    with pytest.raises(ValueError, match=r"Choose first, with \.change"):
        found.read()
    chosen = found.change(projection="max", frame="all")
    assert not chosen.undecided and len(chosen.read()) == 8 and len(run(chosen.code)) == 8
    assert set(chosen.change(frame=None).undecided) == {"frame"}


def test_bad_and_odd_files_are_named(screen):
    (screen / "images" / "p1_A01_1_DAPI.tif").write_bytes(b"II*\0")
    write(screen / "images" / "overview.tif", 5, 5)
    found = ms.io.recognise(screen)
    named = {p["file"].split("/")[-1]: p["problem"] for p in found.problems}
    assert "cannot be read" in named["p1_A01_1_DAPI.tif"] and "does not fit the pattern" in named["overview.tif"]
    assert not found.files.set_index("file").loc[str(screen / "images" / "overview.tif"), "recognised"]


def test_crops_in_a_folder_for_each_class(tmp_path):
    for name in ("round", "long"):
        for i in range(3):
            write(tmp_path / name / f"{i}.tif", 12, 12)
    found = ms.io.recognise(tmp_path)
    assert (found.kind, found.reader, found.facts["cells"]) == ("crops", "read_crops", 6)
    assert len(found.read()) == 6


def test_arrays_and_their_table(tmp_path):
    images = np.zeros((5, 2, 9, 9), np.uint16)
    np.savez(tmp_path / "a.npz", images=images)
    pd.DataFrame({"well": list("aabbc"), "label": list("xyxyx")}).to_csv(tmp_path / "meta.csv", index=False)
    found = ms.io.recognise(tmp_path)
    assert found.kind == "npz" and found.facts["cells"] == 5 and found.columns == ("well", "label")
    assert found.change(unit="well").read().obs["well"].tolist() == list("aabbc")
    parts = {f"{p}_{k}": np.zeros((2, *s), np.uint8) for p in ("train", "val", "test") for k, s in
             (("images", (28, 28, 3)), ("labels", (1,)))}  # fmt: skip
    (tmp_path / "b").mkdir()
    np.savez(tmp_path / "b" / "blood.npz", **parts)
    found = ms.io.recognise(tmp_path / "b")
    assert found.kind == "medmnist" and found.read().channels == ("red", "green", "blue")
    assert len(found.change(part="val").read()) == 2


def test_label_layers_beside_images_do_not_hide_them(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.tif", 20, 24)
        zarr.save_array(str(tmp_path / f"{name}.zarr"), np.ones((20, 24), np.int32))
    found = ms.io.recognise(tmp_path)
    assert (found.kind, found.reader) == ("images", "read_fields") and found.also[0].reader is None
    assert "no OME-Zarr image" in found.also[0].problems[0]["problem"]
    alone = ms.io.recognise(tmp_path / "a.zarr")
    assert alone.kind == "omezarr" and alone.reader is None


def test_tables_and_other_files(tmp_path):
    for i, (name, content, kind, reader) in enumerate(
        [
            ("Cells.csv", "ImageNumber,ObjectNumber,AreaShape_Area\n1,1,5\n", "cellprofiler", "read_cellprofiler"),
            ("p.csv", ",".join(["Metadata_Well", *(f"Cells_f{j}" for j in range(9))]), "profiles", "read_profiles"),
            ("a.h5ad", "", "h5ad", "read_h5ad"),
            ("a.czi", "", "microscope", "read_bioio"),
            ("c.mlscope", "", "mlscope", "load"),
            ("notes.txt", "hello", "nothing", None),
            ("a.zip", "", "nothing", None),
        ]
    ):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / name).write_text(content)
        found = ms.io.recognise(folder)
        assert (found.kind, found.reader) == (kind, reader), name
    assert "unpack a.zip first" in found.what
    with pytest.raises(ValueError, match=r"unpack a\.zip first"):
        found.read()
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        ms.io.recognise(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="Did you mean 'plates'"):
        ms.io.recognise((tmp_path / "p" / "plates").mkdir(parents=True) or tmp_path / "p" / "plate")
    with pytest.raises(FileNotFoundError, match="Write it with / and not with"):
        ms.io.recognise("D:\new")
    with pytest.raises(TypeError, match="expected the name of a folder or file as text"):
        ms.io.recognise(None)
    with pytest.raises(ValueError, match=r"it holds 'notes\.txt'"):
        ms.io.recognise(tmp_path / "5").read()
    with pytest.raises(ValueError, match="the folder is empty"):
        ms.io.recognise(tmp_path / "p" / "plates").read()
    assert ms.io.recognise(tmp_path).kind == "cellprofiler"
    assert [a.kind for a in ms.io.recognise(tmp_path).also] == ["microscope", "h5ad", "profiles", "mlscope"]


def test_a_layout_that_does_not_fit_is_not_left_out_in_silence(screen):
    layout = pd.read_csv(screen / "layout.csv")
    layout.assign(well="C9").to_csv(screen / "layout.csv", index=False)
    found = ms.io.recognise(screen).change(label="drug")
    assert found.layout is None and "not used as a layout" in found.problems[0]["problem"]
    with pytest.raises(KeyError, match=r"No column 'drug'.*layout\.csv was not used as a layout.*C09"):
        found.read()


# As Harmony 4 and 5 write it (in each image), and Harmony 6 (in a map).
IMAGE = """<Image Version="1"><id>{0}</id><URL>r01c01f01p01-ch{0}sk1fk1fl1.tiff</URL><ChannelID>{0}</ChannelID>
<ImageResolutionX Unit="m">5.98E-07</ImageResolutionX><ChannelName>{1}</ChannelName></Image>"""
ENTRY = """<Entry ChannelID="{0}">\n<ChannelName>{1}</ChannelName>
<ImageResolutionX Unit="m">5.98E-07</ImageResolutionX></Entry>"""


@pytest.mark.parametrize("template", [IMAGE, ENTRY])
def test_the_index_of_harmony_names_channels_and_pixel_size(tmp_path, template):
    for channel in (1, 2):
        write(tmp_path / "Images" / f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff", 9, 9, seed=channel)
    entries = [template.format(n, name) for n, name in ((1, "Alexa 647"), (2, "HOECHST &amp; co"), (3, "unused"))]
    (tmp_path / "Images" / "Index.idx.xml").write_text("<EvaluationInputData>" + "".join(entries * 2))
    found = ms.io.recognise(tmp_path)
    assert found.options["channels"] == {"Alexa 647": "1", "HOECHST & co": "2"}
    fields = run(found.code)
    assert fields.channels == ("Alexa 647", "HOECHST & co") and fields.pixel_size_um == pytest.approx(0.598)
    (tmp_path / "Images" / "Index.idx.xml").write_text("<ChannelID>1</ChannelID>" * 100_000)
    assert "channels" not in ms.io.recognise(tmp_path).options


def test_links_and_depths_end(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    deep = tmp_path.joinpath(*(["d"] * (MAX_DEPTH + 3)))
    write(deep / "a.tif", 4, 4)
    found = ms.io.recognise(tmp_path)
    assert found.kind == "nothing" and "level were not looked at" in found.problems[0]["problem"]


def test_real_folders(shared_data):
    expected = {
        "dsb2018_subset": ("images", "read_fields"),
        "jurkat_cellcycle_small": ("npz", "read_crops"),
        "cellprofiler_ExampleHuman": ("cellprofiler", "read_cellprofiler"),
        "cellprofiler_JUMP_Target2_A02-1": ("cellprofiler", "read_cellprofiler"),
    }
    for name, (kind, reader) in expected.items():
        found = ms.io.recognise(shared_data(name))
        assert (found.kind, found.reader) == (kind, reader)
    found = ms.io.recognise(shared_data("dsb2018_subset"))
    assert found.facts["fields"] == 84 and "84 of 84" in found.facts["layout"] and "masks" in found.options
    images = ms.io.recognise(shared_data("cellprofiler_ExampleHuman")).also[0]
    assert images.options["pattern"] == "ArrayScan" and images.facts["fields"] == 1
    assert len(images.values("channel")) == 3
    kinds = found.facts["kinds"]
    assert set(kinds) == {"1 channel, uint8", "3 channels, uint8"} and "kinds: 1 channel, uint8" in str(found)
