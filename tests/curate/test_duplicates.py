"""Copies of cells are found however they were taken again, and different cells are not."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as nd

import mlscope_nb as ms
from mlscope_nb.curate import find_duplicates, group_duplicates
from mlscope_nb.curate.differences import Differences
from mlscope_nb.curate.lookalikes import REIMAGED, limits
from mlscope_nb.curate.spectra import TURNS, noise_variance, turned
from mlscope_nb.risks.leakage import duplicates_of

SIZE = 32


def light(seed, n_channels=1, shift=(0.0, 0.0), size=SIZE):
    """A cell of a few blobs, drawn anew at its shifted place: no pixel is interpolated."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = np.zeros((n_channels, size, size))
    for _ in range(7):
        at = size / 2 + rng.uniform(-8, 8, 2) + shift
        wide, long = rng.uniform(1.2, 4, 2)
        blob = np.exp(-((y - at[0]) ** 2) / (2 * wide**2) - (x - at[1]) ** 2 / (2 * long**2))
        image += rng.uniform(20, 90, n_channels)[:, None, None] * blob
    return image


def taken(photons, seed, dtype="uint16"):
    """The camera: photon and read noise, an offset, grey values (8 bit: bright ones clipped)."""
    rng = np.random.default_rng((9, seed))
    electrons = rng.poisson(photons + 8) + rng.normal(0, 1, photons.shape)
    if dtype == "float32":
        return (electrons / 100).astype(dtype)
    scale, offset = (0.8, 10) if dtype == "uint8" else (8, 200)
    return np.rint(offset + scale * electrons).clip(0, np.iinfo(dtype).max).astype(dtype)


def study(images, **columns):
    ids = [f"c{i:03d}" for i in range(len(images))]
    return ms.Cells(pd.DataFrame(columns, index=ids), np.stack(images))


def pairs_of(table):
    return set(zip(table["cell_a"], table["cell_b"], strict=True))


@pytest.fixture(scope="module")
def planted():
    """Forty cells, eight of them taken again, each turned another way."""
    images = [taken(light(i, 2), i) for i in range(40)]
    rng = np.random.default_rng(1)
    for turn in range(8):
        again = (1 + rng.uniform(-0.05, 0.05)) * light(turn, 2, rng.uniform(-1, 1, 2))
        images.append(turned(taken(again, 100 + turn), turn))
    return study(images)


WANTED = {(f"c{i:03d}", f"c{40 + i:03d}") for i in range(8)}


def test_every_turn_is_found_named_and_nothing_else(planted):
    found = find_duplicates(planted)
    assert pairs_of(found) == WANTED
    assert found["turn"].tolist() == list(TURNS)
    assert (found["similarity"] > 0.99).all()
    assert np.abs(found["gain"] - 1).max() < 0.1
    assert (found[["shift_y_px", "shift_x_px"]].abs() < 1.3).all(axis=None)
    assert found["straddles"].eq("cells").all()
    assert found["other_unit"].isna().all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("n_channels", [1, 3, 5])
def test_kinds_of_images(dtype, n_channels):
    images = [taken(light(i, n_channels), i, dtype) for i in range(30)]
    images += [turned(taken(light(i, n_channels, (0.7, -0.4)), 50 + i, dtype), i) for i in range(3)]
    found = find_duplicates(study(images))
    assert pairs_of(found) == {("c000", "c030"), ("c001", "c031"), ("c002", "c032")}


@pytest.fixture(scope="module")
def singles():
    return [taken(light(i), i) for i in range(24)]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    turn=st.integers(0, 7),
    down=st.floats(-1, 1),
    right=st.floats(-1, 1),
    gain=st.floats(0.95, 1.05),
    cell=st.integers(0, 23),
    noise=st.integers(0, 10**6),
)
def test_any_copy_is_found(singles, turn, down, right, gain, cell, noise):
    again = turned(taken(gain * light(cell, 1, (down, right)), noise), turn)
    found = find_duplicates(study([*singles, again]))
    assert pairs_of(found) == {(f"c{cell:03d}", "c024")}
    assert found.loc[0, "turn"] == TURNS[turn]
    assert found.loc[0, "gain"] == pytest.approx(gain, abs=0.08)


def test_neither_order_nor_batches_matter(planted):
    found = find_duplicates(planted)
    mixed = planted.subset(np.random.default_rng(3).permutation(planted.ids))
    for other in (find_duplicates(mixed), find_duplicates(planted, batch_size=7)):
        pd.testing.assert_frame_equal(found, other, rtol=1e-3, atol=1e-4)


def test_cells_on_disk(planted, tmp_path):
    stored = ms.load(planted.save(tmp_path / "cells.zip"))
    assert not isinstance(stored.images, np.ndarray)
    pd.testing.assert_frame_equal(find_duplicates(stored), find_duplicates(planted))


def test_oblong_crops():
    images = [taken(light(i), i) for i in range(25)]
    images.append(taken(light(4, 1, (0.5, 0.5)), 77)[..., ::-1])
    wide = [np.pad(image, ((0, 0), (0, 0), (9, 9)), constant_values=264) for image in images]
    found = find_duplicates(study(wide))
    assert pairs_of(found) == {("c004", "c025")}
    assert found["turn"].tolist() == ["flipped left-right"]


def test_empty_and_constant_cells_are_named_and_no_duplicates():
    images = [taken(light(i), i) for i in range(20)]
    images += [taken(np.zeros((1, SIZE, SIZE)), 60 + i) for i in range(6)]
    images += [np.full((1, SIZE, SIZE), level, np.uint16) for level in (0, 500, 500, 65535)]
    found = find_duplicates(study(images))
    assert found.empty
    assert found.attrs["no_structure"] == [f"c{i:03d}" for i in range(20, 30)]


@pytest.mark.parametrize("level", [0.0, 1.0, 1e4 / 3])
def test_constant_floats_have_no_structure(level):
    found = find_duplicates(study([np.full((2, SIZE, SIZE), level) for _ in range(4)]))
    assert found.empty
    assert len(found.attrs["no_structure"]) == 4


def test_a_warning_where_all_cells_look_the_same():
    """Beads: pictures of one shape, of which noise hides all that could differ."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    bead = 80 * np.exp(-(y**2 + x**2) / 8)[None]
    with pytest.warns(UserWarning, match="look the same"):
        find_duplicates(study([taken(bead, i) for i in range(30)]))


def test_different_cells_in_heavy_noise_are_not_called_copies():
    images = [taken(0.12 * light(i), i) for i in range(150)]
    assert len(find_duplicates(study(images))) == 0


def test_three_copies_are_one_group():
    images = [taken(light(i), i) for i in range(25)]
    images += [turned(taken(light(3, 1, (0.5 * k, -0.3)), 90 + k), 3 * k) for k in (1, 2)]
    images.append(taken(light(7), 95))
    found = find_duplicates(study(images))
    assert pairs_of(found) == {("c003", "c025"), ("c003", "c026"), ("c025", "c026"), ("c007", "c027")}
    members = group_duplicates(found)
    assert members["n_cells"].to_dict() == {"c003": 3, "c025": 3, "c026": 3, "c007": 2, "c027": 2}
    assert members.index[members["keep"]].tolist() == ["c003", "c007"]


def test_which_splits_a_pair_straddles():
    images = [taken(light(i), i) for i in range(24)] + [taken(light(i), 80 + i) for i in range(3)]
    well = ["A1"] * 24 + ["A1", "A2", "A1"]
    plate = ["p1"] * 26 + ["p2"]
    cells = study(images, plate=plate, well=well).with_design(unit=("plate", "well"), batch="plate")
    found = find_duplicates(cells)
    assert found["straddles"].tolist() == ["cells", "cells, units", "cells, units, batches"]
    assert found["other_batch"].tolist() == [False, False, True]


def test_windows_of_neighbours_share_pixels_and_are_no_duplicates():
    """Cells nine pixels apart, each in a window of 32: only the one that was cut twice is reported."""
    rng = np.random.default_rng(5)
    field = sum(np.pad(light(100 + i, size=40)[0], 60)[20 * i : 20 * i + 120, 30:150] for i in range(3))
    field = rng.poisson(field + 8).astype(np.uint16) * 8
    places = [(y, x) for y in range(20, 100, 9) for x in range(20, 100, 9)]
    places.append((places[40][0] + 1, places[40][1] - 1))
    images = [field[None, y - 16 : y + 16, x - 16 : x + 16] for y, x in places]
    at = np.array(places, float)
    found = find_duplicates(study(images, field_id="f", y_px=at[:, 0], x_px=at[:, 1]))
    assert pairs_of(found) == {("c040", f"c{len(places) - 1:03d}")}
    assert found["kind"].tolist() == ["cut twice"]
    assert found["other_field"].tolist() == [False]


def test_noise_is_measured_beside_edges():
    rng = np.random.default_rng(0)
    image = np.zeros((1, 1, 64, 64), np.float32)
    image[..., 20:44, 15:50] = 800
    noisy = image + 5 * rng.normal(size=image.shape).astype(np.float32)
    assert noise_variance(noisy, counted=False)[0, 0] == pytest.approx(25, rel=0.25)
    assert noise_variance(image, counted=True)[0, 0] == pytest.approx(1 / 12)


def test_refusals(planted):
    with pytest.raises(ValueError, match="no images"):
        find_duplicates(ms.Cells(pd.DataFrame(index=["a"])))
    with pytest.raises(ValueError, match="12 × 12 pixels, expected at least 16"):
        find_duplicates(study([np.ones((1, 12, 12))]))
    with pytest.raises(ValueError, match="max_shift is -1"):
        find_duplicates(planted, max_shift=-1)
    with pytest.raises(ValueError, match="max_gain is 1"):
        find_duplicates(planted, max_gain=1)
    with pytest.raises(ValueError, match="batch_size is 0"):
        find_duplicates(planted, batch_size=0)
    with pytest.raises(ValueError, match="no column 'cell_a'"):
        group_duplicates(pd.DataFrame())


def test_no_cells_and_one_cell(planted):
    for n in (0, 1):
        found = find_duplicates(planted.subset(planted.ids[:n]))
        assert found.empty
        assert found.columns[:3].tolist() == ["cell_a", "cell_b", "similarity"]
    assert group_duplicates(found).empty


def test_history_says_what_was_done(planted):
    found = find_duplicates(planted, max_shift=1)
    assert found.attrs["history"][0]["step"] == "find_duplicates"
    assert found.attrs["history"][0]["max_shift"] == 1


def test_different_cells_that_look_like_copies_are_allowed_for_in_the_limit():
    rng = np.random.default_rng(0)
    n, sure = 600, np.zeros((600, 1))
    left = np.exp(rng.normal(np.log(0.02), 0.5, n))
    plain = limits(Differences(left, np.zeros(n), sure, np.zeros((n, 2)), np.ones(n), np.ones(n)), 1000, 2.0).largest
    apart = left[left > REIMAGED]
    spread = (np.median(np.log(apart)) - np.quantile(np.log(apart), 0.05)) / 1.645
    naive = np.exp(np.median(np.log(apart)) - 3.89 * spread)
    wanted = 0.02 * np.exp(-3.89 * 0.5)  # what 1,000 cells reach 0.05 times
    assert (left < REIMAGED).mean() > 0.05
    assert 0.5 * wanted < plain < 1.5 * wanted < naive


def discs(n, seed=0):
    """Cones of nearly one size under noise: many look like some others, and none is a copy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :40]
    radius, at = rng.normal(7.5, 0.8, n), rng.normal(20, 1, (n, 2))
    far = np.hypot(y - at[:, :1, None], x - at[:, 1:, None])
    light = 800 * np.clip(1.2 - far / radius[:, None, None], 0, 1) + 120
    return ms.Cells(pd.DataFrame(index=[f"d{i}" for i in range(n)]), rng.poisson(light)[:, None].astype(np.uint16))


def test_a_chain_of_look_alikes_is_said_and_the_audit_does_not_call_it_copies():
    cells = discs(150)
    with pytest.warns(UserWarning, match="chains of look-alikes"):
        ms.curate.find_duplicates(cells)
    assert duplicates_of(cells)[0][0].level == "untestable"


def test_one_picture_twice_is_found_among_look_alikes_and_nothing_else_is_listed():
    plain = discs(150)
    images = plain.images.copy()
    images[0], images[1], images[2] = images[100, :, ::-1], np.rot90(images[101], 1, (1, 2)), images[102]
    with pytest.warns(UserWarning, match="pairs are left out"):
        found = ms.curate.find_duplicates(ms.Cells(plain.obs, images))
    assert set(zip(found["cell_a"], found["cell_b"], strict=True)) == {("d0", "d100"), ("d1", "d101"), ("d102", "d2")}
    assert found.attrs["look_alikes"] > 20


def test_many_copies_of_one_cell_are_no_chain():
    rng = np.random.default_rng(1)
    grain = rng.poisson(nd.gaussian_filter(rng.random((100, 40, 40)), (0, 2, 2)) * 4000)[:, None]
    light = np.concatenate([grain, rng.poisson(np.repeat(grain[:1], 50, 0))])
    many = ms.Cells(pd.DataFrame(index=[f"c{i}" for i in range(150)]), light.astype(np.uint16))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = ms.curate.find_duplicates(many)
    assert found["group"].nunique() == 1 and len(ms.curate.group_duplicates(found)) == 51
