"""Stacks and movies: refused with their axes named until someone chooses; then exact."""

import numpy as np
import pytest
import tifffile

import mlscope_nb as ms
from mlscope_nb.io.stacks import one_image


def noise(*shape, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.fixture
def movie(tmp_path):
    """An OME-TIFF of five frames, three planes and two channels."""
    pixels = noise(5, 3, 2, 12, 16)
    about = {
        "axes": "TZCYX", "PhysicalSizeX": 325.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 325.0,
        "PhysicalSizeYUnit": "nm", "Channel": {"Name": ["DNA", "actin"]},
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "m.ome.tif", pixels, metadata=about)
    return tmp_path / "m.ome.tif", pixels


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"axes TZCYX \(5, 3, 2, 12, 16\): it is a movie of 5 frames; choose one with frame=0 … 4"),
        ({"frame": 1}, r"a stack of 3 planes; choose projection= one of 'max', 'mean', 'sum', 'middle'"),
        ({"frame": 5, "projection": "max"}, r"there is no frame 5, it has 5 frames"),
    ],
)
def test_nothing_is_guessed(movie, options, words):
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=words):
        ms.io.read_fields(movie[0], **options)


def test_choices_that_do_not_exist(movie):
    with pytest.raises(ValueError, match="projection is 'median'"):
        ms.io.read_fields(movie[0], projection="median")
    for frame in (-1, 1.5, "last", True):
        with pytest.raises(ValueError, match="frame is"):
            ms.io.read_fields(movie[0], frame=frame)


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ("max", lambda a: a.max(0)),
        ("middle", lambda a: a[1]),
        ("sum", lambda a: a.sum(0, dtype=np.uint32)),
        ("mean", lambda a: np.round(a.mean(0)).astype(np.uint16)),
    ],
)
def test_projections_are_exact(movie, projection, expected):
    fields = ms.io.read_fields(movie[0], frame=3, projection=projection)
    np.testing.assert_array_equal(fields.images[0], expected(movie[1][3]))
    assert fields.images[0].dtype == (np.uint32 if projection == "sum" else np.uint16)
    assert fields.channels == ("DNA", "actin") and fields.pixel_size_um == pytest.approx(0.325)
    assert fields.history[0]["projection"] == projection and fields.history[0]["frame"] == 3


@pytest.mark.parametrize("keep_mb", [0, 100])
def test_every_frame_is_a_field_and_the_movie_the_unit(movie, keep_mb):
    fields = ms.io.read_fields(movie[0], frame="all", projection="max", keep_mb=keep_mb)
    assert list(fields.ids) == [f"m_t{t:03d}" for t in range(5)] and fields.design.unit == ("movie",)
    assert fields.obs["frame"].tolist() == list(range(5)) and set(fields.obs["movie"]) == {"m"}
    for t in range(5):
        np.testing.assert_array_equal(fields.images[t], movie[1][t].max(0))


def test_a_hyperstack_of_imagej(tmp_path):
    pixels = noise(4, 3, 2, 9, 11)
    tifffile.imwrite(
        tmp_path / "h.tif",
        pixels,
        imagej=True,
        resolution=(1 / 0.65, 1 / 0.65),
        metadata={"axes": "TZCYX", "unit": "um"},
    )
    fields = ms.io.read_fields(tmp_path, frame=2, projection="max")
    np.testing.assert_array_equal(fields.images[0], pixels[2].max(0))
    assert fields.pixel_size_um == pytest.approx(0.65)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_only_the_frame_that_is_wanted_is_read(tmp_path, monkeypatch, compression):
    pixels = noise(6, 2, 32, 32)
    tifffile.imwrite(tmp_path / "m.ome.tif", pixels, metadata={"axes": "TCYX"}, compression=compression)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda *a, **k: pytest.fail("the whole movie was read"))
    fields = ms.io.read_fields(tmp_path, frame=4)
    np.testing.assert_array_equal(fields.images[0], pixels[4])


def test_pages_without_a_name(tmp_path):
    pixels = noise(20, 8, 9)
    with tifffile.TiffWriter(tmp_path / "p.tif") as tiff:
        for page in pixels:
            tiff.write(page, contiguous=False, metadata=None)
    with pytest.warns(UserWarning, match="20 pages"), pytest.raises(ValueError, match="choose projection= for planes"):
        ms.io.read_fields(tmp_path)
    stack = ms.io.read_fields(tmp_path, projection="max")
    np.testing.assert_array_equal(stack.images[0][0], pixels.max(0))
    assert "20 pages taken as planes" in stack.history[0]["note"]
    frames = ms.io.read_fields(tmp_path, frame="all")
    assert len(frames) == 20
    np.testing.assert_array_equal(frames.images[7][0], pixels[7])


def test_one_file_for_each_channel_may_hold_a_stack(tmp_path):
    pixels = {c: noise(3, 8, 9, seed=i) for i, c in enumerate("DF")}
    for channel, stack in pixels.items():
        tifffile.imwrite(tmp_path / f"a_{channel}.tif", stack, metadata={"axes": "ZYX"}, photometric="minisblack")
    fields = ms.io.read_fields(tmp_path, channels={"DNA": "*_D.tif", "actin": "*_F.tif"}, projection="max")
    np.testing.assert_array_equal(fields.images[0], np.stack([pixels[c].max(0) for c in "DF"]))


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4", "u1", "<i4"])
def test_types_stay_and_bytes_are_in_order(tmp_path, dtype):
    pixels = np.arange(8 * 9).reshape(8, 9).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=dtype[0] if dtype[0] in "<>" else None)
    image = ms.io.read_fields(tmp_path).images[0]
    np.testing.assert_array_equal(image[0], pixels)
    assert image.dtype.isnative and image.dtype == np.dtype(dtype).newbyteorder("=")


def test_axes_in_any_order():
    pixels = noise(2, 3, 4, 5)
    np.testing.assert_array_equal(one_image(pixels, "ZYXC", "max", None), pixels.max(0).transpose(2, 0, 1))
    np.testing.assert_array_equal(one_image(pixels, "CZYX", "max", None), pixels.max(1))
    assert one_image(noise(1, 4, 5, 4), "CYXS", None, None).shape == (3, 4, 5)


@pytest.mark.parametrize(
    ("name", "words"),
    [("../secret.tif", "elsewhere"), ("/etc/x.tif", "elsewhere"), ("gone.ome.tif", "1 of its 2 planes are not there")],
)
def test_planes_that_lie_in_another_file(tmp_path, name, words):
    pixels = noise(2, 6, 7)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "CYX"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        xml = tiff.ome_metadata
    own, other = (f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1">' for c in (0, 1))
    planes = f'{own}</TiffData>{other}<UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
    assert '<TiffData IFD="0" PlaneCount="2"/>' in xml
    ome = xml.replace('<TiffData IFD="0" PlaneCount="2"/>', planes)
    tifffile.imwrite(tmp_path / "b.ome.tif", pixels, description=ome.encode(), metadata=None)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=words):
        ms.io.read_fields(tmp_path / "b.ome.tif")


def test_planes_in_two_files_of_one_folder_are_read(tmp_path):
    pixels = noise(2, 6, 7)
    for i, name in enumerate(("a.ome.tif", "b.ome.tif")):
        tifffile.imwrite(tmp_path / name, pixels[i])
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        xml = tiff.ome_metadata
    ids = ["urn:uuid:00000000-0000-0000-0000-00000000000a", "urn:uuid:00000000-0000-0000-0000-00000000000b"]
    planes = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{n}">{i}</UUID></TiffData>'
        for c, (n, i) in enumerate(zip(("a.ome.tif", "b.ome.tif"), ids, strict=True))
    )
    xml = xml.replace('SizeC="1"', 'SizeC="2"').replace('<TiffData IFD="0" PlaneCount="1"/>', planes)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels[0], description=xml.encode(), metadata=None)
    fields = ms.io.read_fields(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(fields.images[0], pixels)
