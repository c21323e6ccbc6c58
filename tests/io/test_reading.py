"""Reading what users have: good files come through exactly, bad ones are named, nothing else is lost."""

import warnings

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import mlscope_nb as ms

RNG = np.random.default_rng(0)


def noise(*shape, dtype=np.uint16):
    return RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)


@pytest.fixture
def folder(tmp_path):
    """Six good two-channel fields in a folder with a space and an umlaut."""
    folder = tmp_path / "plate ü 1"
    folder.mkdir()
    images = {f"f{i}": noise(2, 20 + i, 30) for i in (1, 2, 3, 4, 5, 10)}
    for name, image in images.items():
        tifffile.imwrite(folder / f"{name}.tif", image, photometric="minisblack")
    return folder, images


def test_good_files_come_through_exactly_and_in_order(folder):
    path, images = folder
    fields = ms.io.read_fields(path, channels=["DNA", "RNA"])
    assert list(fields.ids) == ["f1", "f2", "f3", "f4", "f5", "f10"] and not fields.problems
    for name, image in fields:
        np.testing.assert_array_equal(image, images[name])
        assert image.dtype == np.uint16


def test_images_beyond_the_memory_limit_are_read_again(folder):
    path, images = folder
    fields = ms.io.read_fields(path, keep_mb=0)
    np.testing.assert_array_equal(fields.images[2], images["f3"])
    assert fields.images.shapes[5] == (2, 30, 30)


@pytest.mark.parametrize(
    ("write", "shape"),
    [
        (lambda p: tifffile.imwrite(p / "a.tif", noise(9, 11)), (1, 9, 11)),
        (lambda p: tifffile.imwrite(p / "a.tif", noise(3, 9, 11), imagej=True), (3, 9, 11)),
        (lambda p: tifffile.imwrite(p / "a.ome.tif", noise(2, 9, 11), metadata={"axes": "CYX"}), (2, 9, 11)),
        (lambda p: tifffile.imwrite(p / "a.tif", noise(9, 11, 3, dtype=np.uint8), photometric="rgb"), (3, 9, 11)),
        (lambda p: tifffile.imwrite(p / "a.TIFF", noise(9, 11), compression="zlib"), (1, 9, 11)),
        (lambda p: Image.fromarray(noise(9, 11)).save(p / "a.tif", compression="tiff_lzw"), (1, 9, 11)),
        (lambda p: Image.fromarray(noise(9, 11, dtype=np.uint8)).save(p / "a.png"), (1, 9, 11)),
        (lambda p: Image.fromarray(noise(9, 11)).save(p / "a.png"), (1, 9, 11)),
        (lambda p: Image.fromarray(noise(9, 11, 3, dtype=np.uint8)).save(p / "a.png"), (3, 9, 11)),
        (lambda p: Image.fromarray(noise(9, 11, 4, dtype=np.uint8)).save(p / "a.png"), (3, 9, 11)),
    ],
)
def test_kinds_of_files(tmp_path, write, shape):
    write(tmp_path)
    assert ms.io.read_fields(tmp_path).images[0].shape == shape


def test_ome_tiff_gives_names_and_pixel_size(tmp_path):
    meta = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}, "PhysicalSizeX": 0.65, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(2, 9, 11), metadata=meta)
    fields = ms.io.read_fields(tmp_path / "*.tif")
    assert fields.channels == ("DAPI", "GFP") and fields.pixel_size_um == 0.65 and list(fields.ids) == ["a"]


def test_one_file_a_channel(tmp_path):
    for name in ("01_POS1", "01_POS2"):
        for channel in "DF":
            tifffile.imwrite(tmp_path / f"{name}_{channel}.TIF", np.full((8, 8), ord(channel), np.uint8))
    tifffile.imwrite(tmp_path / "01_POS3_D.TIF", np.zeros((8, 8), np.uint8))
    with pytest.warns(UserWarning, match="01_POS3_D.TIF: no file for channel 'actin'"):
        fields = ms.io.read_fields(tmp_path, channels={"DNA": "*_D.tif", "actin": "*_F.tif"})
    assert list(fields.ids) == ["01_POS1", "01_POS2"] and fields.channels == ("DNA", "actin")
    assert [int(c.mean()) for c in fields.images[0]] == [ord("D"), ord("F")]
    with pytest.raises(ValueError, match="exactly one"):
        ms.io.read_fields(tmp_path, channels={"DNA": "_D.tif"})
    with pytest.raises(FileNotFoundError, match="channel 'actin'"):
        ms.io.read_fields(tmp_path, channels={"DNA": "*_D.tif", "actin": "*_X.tif"})


def _bad_files(path):
    whole = (path / "f1.tif").read_bytes()
    (path / "zero.tif").write_bytes(b"")
    (path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (path / "text.tif").write_text("not an image")
    (path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    tifffile.imwrite(path / "three.tif", noise(3, 20, 30), photometric="minisblack")
    tifffile.imwrite(path / "eight.tif", noise(2, 20, 30, dtype=np.uint8), photometric="minisblack")
    tifffile.imwrite(path / "stack.tif", noise(12, 20, 30), metadata={"axes": "ZYX"})
    tifffile.imwrite(path / "nan.tif", np.full((2, 20, 30), np.nan, np.float32), photometric="minisblack")
    return {
        "zero.tif": "0 bytes", "cut.tif": "cannot be read", "text.tif": "cannot be read", "cut.png": "cannot be read",
        "three.tif": "channels: 3, most have 2", "eight.tif": "uint8, most have uint16", "stack.tif": "12 planes",
        "nan.tif": "NaN",
    }  # fmt: skip


def test_bad_files_are_named_and_the_rest_is_read(folder, capfd):
    path, _ = folder
    expected = _bad_files(path)
    with pytest.warns(UserWarning, match="8 problems among 14 files"):
        fields = ms.io.read_fields(path)
    assert len(fields) == 6
    found = {p["file"].split("/")[-1]: p["problem"] for p in fields.problems}
    assert set(found) == set(expected)
    for name, text in expected.items():
        assert text in found[name], (name, found[name])
    assert "left out" in repr(fields)
    assert not capfd.readouterr().err


def test_errors_raise_stops_and_names_them(folder):
    path, _ = folder
    (path / "zero.tif").write_bytes(b"")
    with pytest.raises(ValueError, match=r"zero.tif: the file is empty .*errors='warn'"):
        ms.io.read_fields(path, errors="raise")
    with pytest.raises(ValueError, match="errors is 'ignore'"):
        ms.io.read_fields(path, errors="ignore")


def test_a_thousand_files_with_three_bad_ones(tmp_path):
    for i in range(997):
        tifffile.imwrite(tmp_path / f"f{i}.tif", np.full((6, 6), i, np.uint16))
    for i in range(3):
        (tmp_path / f"bad{i}.tif").write_bytes(b"II*\x00broken")
    with pytest.warns(UserWarning, match="3 problems among 1,000 files: bad0.tif.*bad1.tif.*bad2.tif"):
        fields = ms.io.read_fields(tmp_path)
    assert len(fields) == 997 and {p["file"].split("/")[-1] for p in fields.problems} == {
        f"bad{i}.tif" for i in range(3)
    }
    assert list(fields.ids[:3]) == ["f0", "f1", "f2"]


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"None of 1 files could be read.*0 bytes"):
        ms.io.read_fields(tmp_path)
    with pytest.raises(FileNotFoundError, match="No image matches"):
        ms.io.read_fields(tmp_path / "*.png")
    with pytest.raises(FileNotFoundError, match="not found"):
        ms.io.read_fields([tmp_path / "gone.tif"])


def test_masks_beside_images(folder, tmp_path):
    path, images = folder
    masks = tmp_path / "masks"
    masks.mkdir()
    for i, (name, image) in enumerate(images.items()):
        mask = np.zeros(image.shape[1:], np.uint16)
        mask[2:6, 2:6], mask[10:14, 3:9] = 7, 9
        if name == "f2":
            mask = (mask > 0).astype(np.uint8) * 255
        if name == "f3":
            mask = mask[:-1]
        if name == "f4":
            mask[:] = 0
        if name != "f5":
            tifffile.imwrite(masks / f"{name}{'_cp_masks' if i % 2 else ''}.tif", mask)
    with pytest.warns(UserWarning, match="f3.tif: its mask is .*f5.tif: no mask that is certainly its own"):
        fields = ms.io.read_fields(path, masks)
    assert list(fields.ids) == ["f1", "f2", "f4", "f10"]
    assert [int(m.max()) for m in fields.masks] == [2, 2, 0, 2]
    assert "1 without objects" in str(fields.history[0]["masks"])


def test_table_joined_by_file_name(folder, tmp_path):
    path, _ = folder
    table = pd.DataFrame({"Image": [f"x/y\\f{i}.tif" for i in (10, 5, 4, 3, 2, 1)], "well": list("ABCDEF")})
    table.to_csv(tmp_path / "layout.csv", index=False, sep=";")
    fields = ms.io.read_fields(path, metadata=tmp_path / "layout.csv", unit="well")
    assert fields.obs["well"].tolist() == list("FEDCBA") and fields.design.unit == ("well",)


def test_table_that_lacks_a_file_or_names_one_twice(folder):
    path, _ = folder
    table = pd.DataFrame(
        {"file": ["f1.tif", "f2.tif", "f3.tif", "f4.tif", "f5.tif", "other.tif"], "well": list("ABCDEF")}
    )
    with pytest.warns(UserWarning, match="f10.tif: no row in the table.*other: named in the table, but there is no"):
        fields = ms.io.read_fields(path, metadata=table)
    assert len(fields) == 5
    with pytest.raises(ValueError, match="names 1 file more than once: 'f1'"):
        ms.io.read_fields(path, metadata=pd.concat([table, table.head(1)]))
    with pytest.raises(ValueError, match="No column of the table holds the file names"):
        ms.io.read_fields(path, metadata=table[["well"]])
    with pytest.raises(ValueError, match="No column 'nam'"):
        ms.io.read_fields(path, metadata=table, on="nam")


def test_a_damaged_table_is_named(folder, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match=r"empty.csv' cannot be read as a table"):
        ms.io.read_fields(folder[0], metadata=tmp_path / "empty.csv")


def test_crops_in_a_folder_per_class(tmp_path):
    for label, value in (("round", 10), ("long", 20)):
        (tmp_path / label).mkdir()
        for i in range(3):
            Image.fromarray(np.full((12, 12), value + i, np.uint8)).save(tmp_path / label / f"{i}.png")
    cells = ms.io.read_crops(tmp_path, channels=["DNA"])
    assert cells.labels.tolist() == ["long"] * 3 + ["round"] * 3
    assert cells.images[:, 0, 0, 0].tolist() == [20, 21, 22, 10, 11, 12]
    assert list(cells.ids[:2]) == ["long/0", "long/1"]


def test_a_table_with_folders_tells_files_of_one_name_apart(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.fromarray(np.full((12, 12), ord(label), np.uint8)).save(tmp_path / label / "0.png")
    table = pd.DataFrame({"path": ["b/0.png", "a/0.png"], "donor": ["d2", "d1"]})
    assert ms.io.read_crops(tmp_path, table).obs["donor"].tolist() == ["d1", "d2"]


def test_crops_of_several_sizes_need_a_size(tmp_path):
    for i, n in enumerate((12, 12, 16)):
        Image.fromarray(np.full((n, n), 50, np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.warns(UserWarning, match="2.png: has the size .*give size="):
        assert len(ms.io.read_crops(tmp_path)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ms.io.read_crops(tmp_path, size=10).images.shape == (3, 1, 10, 10)
        assert (ms.io.read_crops(tmp_path, size=20).images == 50).all()


def test_crops_from_npz_and_arrays(tmp_path):
    images = noise(5, 2, 12, 12)
    np.savez(tmp_path / "a.npz", images=images, labels=list("aabbb"), channels=["DNA", "RNA"])
    cells = ms.io.read_crops(tmp_path / "a.npz")
    np.testing.assert_array_equal(cells.images, images)
    assert cells.channels == ("DNA", "RNA") and cells.labels.tolist() == list("aabbb")
    assert ms.io.read_crops(np.moveaxis(images, 1, -1)).images.shape == (5, 2, 12, 12)
    with pytest.raises(ValueError, match="2 rows for 5 crops"):
        ms.io.read_crops(images, pd.DataFrame({"well": ["A", "B"]}))
    with pytest.raises(ValueError, match="expected"):
        ms.io.read_crops(np.zeros((3, 3)))


def test_pickles_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="never loaded"):
        ms.io.read_crops(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04nonsense")
    with pytest.raises(ValueError, match="cannot be read as npz"):
        ms.io.read_crops(tmp_path / "b.npz")


def test_crop_masks_put_the_middle_object_first():
    mask = np.zeros((1, 12, 12), np.uint8)
    mask[0, 0:3, 0:3], mask[0, 5:8, 5:8] = 1, 2
    cells = ms.io.read_crops(np.ones((1, 1, 12, 12), np.uint8), masks=mask)
    assert cells.masks[0, 6, 6] == 1 and cells.masks[0, 1, 1] == 2


def test_real_sixteen_bit_crops(shared_data):
    folder = shared_data("jurkat_cellcycle_small")
    cells = ms.io.read_crops(folder / "images.npz", folder / "meta.csv")
    assert cells.images.shape == (2213, 3, 40, 40) and cells.images.dtype == np.uint16
    assert len(cells.channels) == 3


def test_real_fields_with_masks(shared_data):
    folder = shared_data("dsb2018_subset")
    files = sorted((folder / "images").glob("*.png"))[:12]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = ms.io.read_fields(files, folder / "masks", folder / "meta.csv", on="image")
    counts = dict(zip(fields.ids, fields.obs["n_nuclei"], strict=True))
    assert len(fields) >= 8
    for name, mask in zip(fields.ids, fields.masks, strict=True):
        assert int(mask.max()) == counts[name]


def test_a_dot_in_a_name_is_no_ending_and_a_row_goes_to_one_file(tmp_path):
    for name in ("drug_0.tif", "drug_0.5.tif"):
        tifffile.imwrite(tmp_path / name, noise(9, 9))
    with pytest.warns(UserWarning, match=r"drug_0\.5\.tif: no row"):
        fields = ms.io.read_fields(tmp_path, metadata=pd.DataFrame({"file": ["drug_0.tif"], "dose": [0.0]}))
    assert list(fields.ids) == ["drug_0"]
    both = pd.DataFrame({"file": ["drug_0.5", "drug_0"], "dose": [0.5, 0.0]})
    assert ms.io.read_fields(tmp_path, metadata=both).obs["dose"].to_dict() == {"drug_0": 0.0, "drug_0.5": 0.5}
    Image.fromarray(noise(9, 9)).save(tmp_path / "drug_0.png")
    with pytest.warns(UserWarning, match="shares the row 'drug_0'"):
        assert list(ms.io.read_fields(tmp_path, metadata=both).ids) == ["drug_0.5"]


def mask_of(n):
    mask = np.zeros((20, 20), np.uint16)
    for i in range(n):
        mask[4 * i : 4 * i + 3, 2:9] = i + 1
    return mask


def test_masks_in_the_folder_of_the_images(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(20, 20))
    tifffile.imwrite(tmp_path / "a_mask.tif", mask_of(3))
    for images in (tmp_path, tmp_path / "a.tif"):
        fields = ms.io.read_fields(images, masks=tmp_path)
        assert list(fields.ids) == ["a"] and fields.masks[0].max() == 3
    (tmp_path / "a_mask.tif").unlink()
    with (
        pytest.warns(UserWarning, match="no mask that is certainly its own"),
        pytest.raises(ValueError, match="None of 1"),
    ):
        ms.io.read_fields(tmp_path, masks=tmp_path)


def test_masks_of_plates_with_files_of_one_name(tmp_path):
    for plate, n in (("p1", 2), ("p2", 4)):
        for kind in ("im", "mk"):
            (tmp_path / kind / plate).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "im" / plate / "a.tif", noise(20, 20))
        tifffile.imwrite(tmp_path / "mk" / plate / "a_mask.tif", mask_of(n))
    images, masks = str(tmp_path / "im" / "**" / "*.tif"), str(tmp_path / "mk" / "**" / "*.tif")
    fields = ms.io.read_fields(images, masks)
    assert dict(zip(fields.ids, [int(m.max()) for m in fields.masks], strict=True)) == {"p1/a": 2, "p2/a": 4}
    (tmp_path / "mk" / "p2" / "a_mask.tif").unlink()
    with pytest.warns(UserWarning, match="no mask that is certainly its own"):
        assert list(ms.io.read_fields(images, masks).ids) == ["p1/a"]


def test_sixteen_bit_colour_pngs_are_refused_not_reduced(tmp_path):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(4 * 6) for _ in range(4))
    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="16-bit PNG in colour"):
        ms.io.read_fields(tmp_path)


def test_palette_pngs_are_masks_too(tmp_path):
    (tmp_path / "m").mkdir()
    tifffile.imwrite(tmp_path / "a.tif", noise(20, 20))
    indexed = Image.fromarray(mask_of(3).astype(np.uint8), mode="L").convert("P")
    indexed.putdata(list(mask_of(3).ravel()))
    indexed.save(tmp_path / "m" / "a.png")
    assert ms.io.read_fields(tmp_path / "a.tif", tmp_path / "m").masks[0].max() == 3


def test_folders_with_brackets_numbers_with_zeros_and_decimal_commas(tmp_path):
    folder = tmp_path / "day [1]"
    folder.mkdir()
    for name in ("001", "002"):
        tifffile.imwrite(folder / f"{name}.tif", noise(9, 9))
    (tmp_path / "t.csv").write_text("file;plate;dose\n001;01;0,5\n002;02;1,5\n;03;2,5\n")
    with pytest.warns(UserWarning, match="1 row of the table without a name"):
        obs = ms.io.read_fields(folder / "*.tif", metadata=tmp_path / "t.csv").obs
    assert obs["plate"].tolist() == ["01", "02"] and obs["dose"].tolist() == [0.5, 1.5]


def test_several_series_and_turned_grey_values_are_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(noise(9, 9), photometric="miniswhite")
        tiff.write(noise(5, 5))
    fields = ms.io.read_fields(tmp_path)
    assert "first of 2 image series" in fields.history[0]["note"] and "turned round" in fields.history[0]["note"]
    raw = tifffile.imread(tmp_path / "a.tif", key=0)
    np.testing.assert_array_equal(fields.images[0][0], 65535 - raw)


def test_crops_hidden_files_and_empty_classes(tmp_path):
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
    for path in ("A/1.png", "A/.h.png"):
        Image.fromarray(np.full((9, 9), 5, np.uint8)).save(tmp_path / path)
    with pytest.warns(UserWarning, match="B: no images in this folder.*its history"):
        cells = ms.io.read_crops(tmp_path)
    assert len(cells) == 1 and cells.history[0]["left_out"][0]["file"].endswith("B")
    with pytest.raises(ValueError, match="size is 0"):
        ms.io.read_crops(tmp_path, size=0)


def test_npz_of_medmnist_and_labels_that_do_not_fit(tmp_path):
    parts = {}
    for part, n in (("train", 3), ("test", 2)):
        parts |= {f"{part}_images": noise(n, 8, 8), f"{part}_labels": np.full((n, 1), n)}
    np.savez(tmp_path / "m.npz", **parts)
    cells = ms.io.read_crops(tmp_path / "m.npz")
    assert cells.obs["split"].tolist() == ["train"] * 3 + ["test"] * 2 and cells.labels.tolist() == [3, 3, 3, 2, 2]
    np.savez(tmp_path / "hot.npz", images=noise(4, 8, 8), labels=np.eye(4))
    with pytest.raises(ValueError, match="one value for each of 4 crops"):
        ms.io.read_crops(tmp_path / "hot.npz")


def test_ids_of_a_table_are_kept_for_arrays():
    table = pd.DataFrame({"well": ["A", "B"]}, index=["x", "y"])
    assert list(ms.io.read_crops(noise(2, 8, 8), table).ids) == ["x", "y"]
