"""Names of files: presets of microscopes, templates of the user, and what becomes of them."""

import time

import numpy as np
import pandas as pd
import pytest
import tifffile

import mlscope_nb as ms
from mlscope_nb.io.naming import PRESETS, find_pattern, guess_pattern

# Names as the instruments write them: Harmony (JUMP), Yokogawa (Fractal's examples), MetaXpress (BBBC021), IN Cell,
# Incucyte (LIVECell), Leica's matrix screener, Micro-Manager, ArrayScan (BBBC), ImageJ.
NAMES = {
    "r02c03f01p01-ch2sk1fk1fl1.tiff": ("Harmony", {"well": "B03", "site": "01", "channel": "2", "z": "01"}),
    "2020-Cycle1_B03_T0001F001L01A01Z01C01.png": ("CellVoyager", {"plate": "2020-Cycle1", "well": "B03"}),
    "W0001F0001T0001Z001C1.tif": ("CQ1", {"well": "W0001", "channel": "1"}),
    "Week1_150607_B02_s1_w1.tif": ("ImageXpress", {"plate": "Week1_150607", "well": "B02", "site": "1"}),
    "p_a01_s1_w1B0CF9E31-0AE5-4A6B-8D9B-0123456789AB.tif": ("ImageXpress", {"well": "A01", "channel": "1"}),
    "A - 1(fld 1 wv Blue - FITC).tif": ("InCell", {"well": "A01", "channel": "Blue - FITC"}),
    "A172_Phase_A7_1_00d00h00m_1.tif": ("Incucyte", {"plate": "A172_Phase", "well": "A07", "time": "00d00h00m"}),
    "i--L00--S00--U02--V01--J15--E00--O00--X00--Y01--T0000--Z00--C00.ome.tif": ("Leica", {"well": "B03"}),
    "img_channel000_position001_time000000000_z000.tif": ("MicroManager", {"site": "001", "channel": "000"}),
    "img_000000000_DAPI_000.tif": ("MicroManager1", {"channel": "DAPI", "z": "000"}),
    "AS_09125_050116030001_D03f00d0.tif": ("ArrayScan", {"well": "D03", "site": "00", "channel": "0"}),
    "C2-cells.tif": ("ImageJ", {"channel": "2", "field": "cells"}),
    "plate1_A01_2_DAPI.tif": ("well-site-channel", {"plate": "plate1", "well": "A01", "site": "2", "channel": "DAPI"}),
    "A01_DAPI.tif": ("well-channel", {"well": "A01", "channel": "DAPI"}),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_microscopes(name):
    preset, parts = NAMES[name]
    found = guess_pattern([name])
    assert found.name == preset
    assert parts.items() <= found.match(name).items()


def test_each_preset_is_found_by_its_name_and_no_name_is_guessed_wrongly():
    assert all(find_pattern(p.name.lower()) is p for p in PRESETS)
    numbers = ["a_1.tif", "a_2.tif", "b_1.tif", "b_2.tif"]
    for names in (["ffaa12.png", "bb3.png"], ["cell1.tif"], ["IMG_2041.jpg", "IMG_2042.jpg"], numbers, []):
        assert guess_pattern(names) is None


def test_templates():
    pattern = find_pattern("{plate}/{donor}_{well}_{channel}.tif")
    assert pattern.match("x/p1/d7_b2_GFP.tiff") == {"plate": "p1", "donor": "d7", "well": "B02", "channel": "GFP"}
    assert pattern.match("x/p1/d7_GFP.tif") is None
    assert find_pattern("r{row}c{column}_{*}.tif").match("r2c11_anything.tif") == {"well": "B11"}
    for bad, words in (
        ("nothing", "Presets: 'Harmony'"),
        ("{a}{b}.tif", "where {a} ends"),
        ("{a}_{a}.tif", "twice"),
        ("{a", "left open"),
        ("a\\{b}.tif", "backslash"),
    ):
        with pytest.raises(ValueError, match=words):
            find_pattern(bad)


def test_no_pattern_runs_away():
    start = time.monotonic()
    hostile = [
        "_" * 250 + ".tif",
        "A01_" * 60 + "x.tif",
        "_s1_w1" * 40 + ".tif",
        "1" * 250,
        "(((" * 80,
        "A01_s1" * 9000,
    ]
    patterns = [*PRESETS, find_pattern("{a}_{b}_{c}_{d}_{e}_{*}x{f}_{well}.tif")]
    for pattern in patterns:
        for name in hostile:
            pattern.match(name)
    assert time.monotonic() - start < 2


@pytest.fixture
def plate(tmp_path):
    """Two wells, two sites, two channels, three planes, named by Harmony; returns the folder and the pixels."""
    rng, pixels = np.random.default_rng(0), {}
    for well in ("r01c01", "r02c03"):
        for site in (1, 2):
            for z in (1, 2, 3):
                for channel in (1, 2):
                    image = rng.integers(0, 2**16, (10, 14), dtype=np.uint16)
                    name = f"{well}f{site:02d}p{z:02d}-ch{channel}sk1fk1fl1.tiff"
                    tifffile.imwrite(tmp_path / name, image)
                    pixels[well, site, z, channel] = image
    return tmp_path, pixels


def test_files_of_a_field_are_put_together(plate):
    folder, pixels = plate
    with pytest.raises(ValueError, match=r"3 planes of a field.*projection='max'"):
        ms.io.read_fields(folder, pattern="Harmony")
    layout = pd.DataFrame({"Well": ["A1", "b3"], "drug": ["none", "taxol"]})
    fields = ms.io.read_fields(folder, metadata=layout, pattern="Harmony", projection="max", unit="well")
    assert list(fields.ids) == ["A01_01", "A01_02", "B03_01", "B03_02"]
    assert fields.channels == ("ch1", "ch2") and fields.obs["drug"].tolist() == ["none", "none", "taxol", "taxol"]
    expected = np.stack([np.max([pixels["r02c03", 1, z, c] for z in (1, 2, 3)], axis=0) for c in (1, 2)])
    np.testing.assert_array_equal(fields.images[2], expected)
    assert fields.images[2].dtype == np.uint16
    only = ms.io.read_fields(folder, pattern="Harmony", projection="middle", channels={"actin": "2"})
    np.testing.assert_array_equal(only.images[0][0], pixels["r01c01", 1, 2, 2])
    assert only.channels == ("actin",)
    lazy = ms.io.read_fields(folder, pattern="Harmony", projection="max", keep_mb=0)
    np.testing.assert_array_equal(lazy.images[2], expected)


def test_what_does_not_fit_is_named(plate):
    folder, _ = plate
    tifffile.imwrite(folder / "stray.tif", np.zeros((4, 4), np.uint16))
    (folder / "r02c03f02p01-ch2sk1fk1fl1.tiff").unlink()
    (folder / "r02c03f02p02-ch2sk1fk1fl1.tiff").unlink()
    (folder / "r02c03f02p03-ch2sk1fk1fl1.tiff").unlink()
    with pytest.warns(UserWarning, match=r"stray\.tif: its name does not fit.*no file for channel '2'"):
        fields = ms.io.read_fields(folder, pattern="Harmony", projection="sum")
    assert len(fields) == 3 and fields.images[0].dtype == np.uint32
    with pytest.raises(ValueError, match=r"No file name holds the channel 'DNA: 7'.*'1', '2'"):
        ms.io.read_fields(folder, pattern="Harmony", projection="max", channels={"DNA": "7"})
    with pytest.raises(ValueError, match="3 channel names for 2 channels"):
        ms.io.read_fields(folder, pattern="Harmony", projection="max", channels=["a", "b", "c"])
    with pytest.raises(ValueError, match="fits the pattern"):
        ms.io.read_fields(folder, pattern="Incucyte")


def test_times_in_names_become_a_movie(tmp_path):
    images = np.random.default_rng(1).integers(0, 255, (2, 3, 6, 7), dtype=np.uint8)
    for w, well in enumerate(("A1", "A2")):
        for t in range(3):
            tifffile.imwrite(tmp_path / f"run_{well}_1_00d{t:02d}h00m.tif", images[w, t])
    with pytest.raises(ValueError, match=r"3 times of a field.*frame='all'"):
        ms.io.read_fields(tmp_path, pattern="Incucyte")
    every = ms.io.read_fields(tmp_path, pattern="Incucyte", frame="all")
    assert len(every) == 6 and every.design.unit == ("movie",) and every.obs["frame"].tolist() == [0, 1, 2] * 2
    np.testing.assert_array_equal(every.images[4][0], images[1, 1])
    one = ms.io.read_fields(tmp_path, pattern="Incucyte", frame=2, unit="well")
    np.testing.assert_array_equal(one.images[1][0], images[1, 2])
    with pytest.raises(ValueError, match="no frame 9"):
        ms.io.read_fields(tmp_path, pattern="Incucyte", frame=9)


def test_folders_are_plates_where_names_hold_none(tmp_path):
    for plate, value in (("p1", 1), ("p2", 2)):
        (tmp_path / plate / "TimePoint_1").mkdir(parents=True)
        for channel in (1, 2):
            image = np.full((5, 6), 10 * value + channel, np.uint16)
            tifffile.imwrite(tmp_path / plate / "TimePoint_1" / f"A01_s1_w{channel}.tif", image)
        tifffile.imwrite(tmp_path / plate / "TimePoint_1" / "A01_s1_w1_thumb.tif", np.zeros((2, 2), np.uint16))
    layout = pd.DataFrame({"plate": ["p1", "p2"], "well": "A01", "dose": [0.5, 1.5]})
    fields = ms.io.read_fields(str(tmp_path / "**" / "*.tif"), metadata=layout, pattern="ImageXpress")
    assert fields.obs[["plate", "well", "dose"]].to_numpy().tolist() == [["p1", "A01", 0.5], ["p2", "A01", 1.5]]
    assert fields.images[1][:, 0, 0].tolist() == [21, 22]
    with pytest.raises(ValueError, match="several rows for 'p1 A01'"):
        ms.io.read_fields(
            str(tmp_path / "**" / "*.tif"), metadata=pd.concat([layout, layout.head(1)]), pattern="ImageXpress"
        )
    with pytest.raises(ValueError, match=r"No row of the table fits.*'H12'"):
        ms.io.read_fields(
            str(tmp_path / "**" / "*.tif"), metadata=pd.DataFrame({"well": ["H12"], "x": [1]}), pattern="ImageXpress"
        )
