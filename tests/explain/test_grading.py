"""Grades: right maps get them, trivial and empty ones what they deserve, and copies of cells make nothing surer."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.explain import attribute, beyond_forgotten, grade
from mlscope_nb.explain.hits import hits, pointing, strengths
from mlscope_nb.explain.infill import grain, infilled
from mlscope_nb.explain.randomised import cascade
from mlscope_nb.explain.trivial import trivial_maps

RNG = np.random.default_rng(0)


def whole(n, side):
    return np.ones((n, side, side), bool)


@pytest.mark.parametrize("method", ["gradcam", "integrated_gradients", "occlusion"])
def test_a_planted_spot_is_pointed_at(spotted, method):
    cells, evidence, network = spotted
    layer = {"layer": "second"} if method == "gradcam" else {}
    maps = attribute(network, cells, method=method, target="spot", **layer)
    table = grade({method: maps, "beside": np.roll(maps, 9, axis=1)}, evidence, cells)
    assert table.loc[method, "pointing"] > 0.9 and table.loc[method, "mass"] > 3 * table.loc[method, "chance"]
    assert table.loc["beside", "pointing"] < 0.1 and table.loc["intensity", "pointing"] > 0.9
    assert "pointing cannot tell" in table.loc[method, "verdict"] and table.loc[method, "n_units"] == 5
    assert table.loc["beside", "rank"] > 1 and "12 of 12" in table.attrs["note"]


def test_with_mixed_up_weights_pointing_is_near_chance(spotted):
    cells, evidence, network = spotted
    # Noise instead of crops: on dark crops with one spot every network looks at the spot.
    dull = cells.with_images(np.random.default_rng(5).integers(0, 999, cells.images.shape).astype(np.uint16))
    _, forgetful = list(cascade(network, 3, 0))[-1]
    table = grade({"gradient": attribute(forgetful, dull, target="spot")}, evidence, dull)
    assert abs(table.loc["gradient", "mass"] - table.loc["gradient", "chance"]) < 0.02


def test_hits_in_closed_form():
    strong = np.zeros((3, 4, 4))
    strong[0, 0, :2] = [3, 1]
    strong[1, 2] = 1.0
    evidence = np.zeros((3, 4, 4), bool)
    evidence[:, 0, 0] = evidence[:, 2, 1] = True
    table = hits(strong, evidence, whole(3, 4))
    assert table["pointing"].tolist() == [1.0, 0.25, 0.125]
    assert table["mass"].tolist() == [0.75, 0.25, 0.125]
    # Two pixels of evidence: the first map's two strongest hold one; the second has four equals, one of them right.
    assert table["top"].tolist() == [0.5, 0.25, 0.125] and (table["chance"] == 0.125).all()
    half = whole(3, 4)
    half[:, 2:] = False
    assert hits(strong * half, evidence, half)["chance"].tolist() == [0.125] * 3
    signed = np.array([[[-2.0, 1.0]]])
    assert strengths(signed, "positive", np.ones((1, 1, 2), bool)).tolist() == [[[0.0, 1.0]]]
    assert strengths(signed, "absolute", np.ones((1, 1, 2), bool)).tolist() == [[[2.0, 1.0]]]


def test_the_strongest_place_is_looked_for_in_the_smoothed_map():
    """A lone pixel is grain; eight neighbours of half its strength are a place."""
    maps, evidence = np.zeros((1, 21, 21)), np.zeros((1, 21, 21), bool)
    maps[0, 3, 3], maps[0, 13:16, 13:16], evidence[0, 13:16, 13:16] = 1, 0.5, True
    raw, smooth = (strengths(maps, "positive", whole(1, 21), px) for px in (0.0, 1.0))
    assert pointing(raw, evidence, whole(1, 21)).tolist() == [0] and pointing(smooth, evidence, whole(1, 21)) == [1]
    # The sign is taken before: what speaks against the class must not hide a neighbour that speaks for it.
    maps[0, 12] = -9
    assert (strengths(maps, "positive", whole(1, 21), 1.0) == smooth).all()
    table = grade(maps, evidence, np.zeros((1, 1, 21, 21)))
    assert table.loc["map", ["pointing", "pointing_unsmoothed"]].tolist() == [1, 0]
    assert grade(maps, evidence, np.zeros((1, 1, 21, 21)), smooth_px=0).loc["map", "pointing"] == 0


def test_which_sign_counts_is_told_by_the_name_and_said():
    maps, evidence, images, wells, _ = study(n_cells=12)
    named = {"gradient": -maps, "Smooth-Grad": -maps, "integrated gradients": -maps}
    table = grade(named, evidence, images, units=wells)
    assert table["sign"].to_list()[:3] == ["absolute", "absolute", "positive"] and "sign" not in table.attrs["note"]
    assert table.loc["Smooth-Grad", "pointing"] == table.loc["gradient", "pointing"]
    assert table.loc["integrated gradients", "pointing"] != table.loc["gradient", "pointing"]
    alone = grade(-maps, evidence, images, units=wells)
    assert alone.loc["map", "sign"] == "positive" and "say sign='absolute'" in alone.attrs["note"]
    asked = grade(-maps, evidence, images, units=wells, sign="absolute")
    assert asked.loc["map", "pointing"] == table.loc["gradient", "pointing"] and "sign" not in asked.attrs["note"]


def test_what_a_map_points_at_without_learning_is_reported():
    maps, evidence, images, wells, hit = study(n_cells=12)
    blank = np.stack([maps, np.where(evidence, 0.0, maps), np.random.default_rng(7).random(maps.shape)])
    table = grade({"a": maps, "b": maps}, evidence, images, units=wells, forgotten={"a": blank})
    rate = table.loc["a", "pointing"]
    assert rate == pytest.approx(hit.mean()) and rate / 3 <= table.loc["a", "forgotten"] < rate / 3 + 0.1
    assert table.loc["a", "learned"] == pytest.approx(rate - table.loc["a", "forgotten"])
    assert table.loc["a", "learned_low"] < table.loc["a", "learned"] < table.loc["a", "learned_high"]
    assert np.isnan(table.loc["b", "learned"]) and "do not point as guessing does: a (" in table.attrs["note"]
    said = table["verdict"]
    assert "right without anything learned" in said["a"] and "learn" not in said["b"]
    same = grade({"a": maps}, evidence, images, units=wells, forgotten={"a": maps})
    assert "not shown to owe that to learning" in same.loc["a", "verdict"]
    with pytest.raises(ValueError, match="forgotten holds maps named 'c'"):
        grade({"a": maps}, evidence, images, forgotten={"c": blank})
    with pytest.raises(ValueError, match="forgotten maps 'a' have the shape"):
        grade({"a": maps}, evidence, images, forgotten={"a": blank[:, :3]})


def test_it_is_said_where_the_brightest_place_of_a_channel_would_do():
    maps, evidence, images, wells, _ = study()
    many = np.concatenate([images, 9.0 * evidence[:, None], images[:, :, ::-1]], axis=1)
    table = grade(maps, evidence, many, units=wells)
    assert table.attrs["brightest"]["channel 2"] == 1 > table.attrs["brightest"]["channel 1"]
    assert "brightest place of 'channel 2' alone is right in 100 %" in table.attrs["note"]
    assert "brightest" not in grade(maps, evidence, images, units=wells).attrs["note"]


def test_random_maps_get_what_guessing_gets():
    evidence = np.zeros((400, 10, 10), bool)
    evidence[:, :2, :5] = True
    table = hits(RNG.random((400, 10, 10)), evidence, whole(400, 10))
    assert abs(table["pointing"].mean() - 0.1) < 0.05 and abs(table["top"].mean() - 0.1) < 0.02


def test_trivial_maps_are_of_each_cell_alone():
    images = RNG.random((6, 2, 12, 12))
    images[2, 1, 3, 4] = 40
    found = trivial_maps(images)
    for name, maps in trivial_maps(images[[2, 0]]).items():
        np.testing.assert_allclose(maps, found[name][[2, 0]])
    assert divmod(int(found["intensity"][2].argmax()), 12) == (3, 4)
    y, x = divmod(int(found["edges"][2].argmax()), 12)
    assert 0.9 < np.hypot(y - 3, x - 4) < 1.5
    assert sorted(np.flatnonzero(found["centre"][0] == found["centre"][0].max())) == [65, 66, 77, 78]


def study(n_wells=8, n_cells=4, right=0.7, seed=1):
    """Maps that point right in wells more or less often, evidence, images and wells."""
    rng = np.random.default_rng(seed)
    n = n_wells * n_cells
    evidence = np.zeros((n, 9, 9), bool)
    evidence[:, 1:3, 6:8] = True
    rate = np.clip(right + rng.normal(0, 0.2, n_wells), 0, 1).repeat(n_cells)
    hit = rng.random(n) < rate
    maps = rng.random((n, 9, 9)) * 0.1
    maps[hit, 1, 6], maps[~hit, 5, 2] = 1, 1
    return maps, evidence, rng.random((n, 1, 9, 9)), np.array([f"w{k // n_cells}" for k in range(n)]), hit


def test_every_cell_twice_changes_no_interval():
    maps, evidence, images, wells, hit = study()
    assert hit.any() and not hit.all()
    once = grade(maps, evidence, images, units=wells)
    twice = grade(*(np.concatenate([a, a]) for a in (maps, evidence, images)), units=np.concatenate([wells, wells]))
    numbers = [c for c in once if c not in ("n_cells", "kind", "verdict", "best_trivial")]
    pd.testing.assert_frame_equal(once[numbers], twice[numbers])
    assert once.loc["map", "pointing"] == pytest.approx(hit.mean()) and once.loc["map", "n_units"] == 8
    assert once.loc["map", "pointing_low"] < hit.mean() < once.loc["map", "pointing_high"]
    assert once.loc["map", "verdict"].startswith("points better than")


def test_without_units_there_is_no_interval():
    maps, evidence, images, _, _ = study()
    table = grade(maps, evidence, images)
    assert table["pointing_low"].isna().all() and "no intervals" in table.attrs["note"]
    assert table.loc["map", "verdict"].startswith("too few units to say")


def test_only_cells_on_which_the_network_uses_the_cue_are_graded():
    maps, evidence, images, wells, hit = study()
    effect = np.where(hit, 2.0, 0.4)
    evidence[0] = False
    table = grade(maps, evidence, images, effect=effect, units=wells)
    used = hit.copy()
    used[0] = False
    assert table.loc["map", "pointing"] == 1 and table.loc["map", "n_cells"] == used.sum()
    assert table.loc["map", "graded"] == pytest.approx(used.sum() / (len(hit) - 1))
    assert "at least 1 logit without their cue" in table.attrs["note"]
    with pytest.raises(ValueError, match="does not use this cue"):
        grade(maps, evidence, images, effect=effect / 10, units=wells)
    with pytest.raises(ValueError, match="nothing to grade"):
        grade(maps, evidence & False, images)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": np.zeros((3, 9, 9))}, "The map 'map'"),
        ({"maps": {"edges": np.zeros((32, 9, 9))}}, "none called"),
        ({"evidence": np.zeros((32, 9, 8))}, "evidence has the shape"),
        ({"units": np.arange(3)}, "3 units for 32 cells"),
        ({"effect": np.ones(4)}, "4 effects for 32 cells"),
        ({"sign": "negative"}, "sign is 'negative'"),
        ({"within": np.ones((32, 3, 3))}, "within has the shape"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    maps, evidence, images, wells, _ = study()
    with pytest.raises(ValueError, match=message):
        grade(**{"maps": maps, "evidence": evidence, "images": images, "units": wells, **change})


def test_holes_are_filled_smoothly():
    y, x = np.mgrid[:12, :12].astype(float)
    plane = np.stack([2 * x - y, y])
    hole = np.zeros((12, 12), bool)
    hole[3:8, 4:9] = True
    np.testing.assert_allclose(infilled(np.where(hole, -50.0, plane), hole), plane, atol=1e-9)
    assert infilled(plane, ~hole & False).tolist() == plane.tolist()
    noise = np.random.default_rng(0).normal(0, 3, (1, 60, 60))
    assert 2.5 < grain(noise)[0] < 4.2 and grain(plane).max() < 1


def test_deletion_and_insertion_tell_a_right_map_from_a_wrong_one(spotted):
    cells, evidence, network = spotted
    maps = {"right": evidence * 1.0, "wrong": np.roll(evidence, 11, axis=2) * 1.0}
    effect = pd.DataFrame({"effect": 2.0, "class": "spot"}, index=cells.ids)
    table = grade(maps, evidence, cells, effect=effect, network=network)
    assert table.loc["right", "deletion"] > 2 * table.loc["wrong", "deletion"] > -1
    assert table.loc["right", "insertion"] < table.loc["wrong", "insertion"]
    assert np.isfinite(table[["deletion_low", "insertion_high"]].to_numpy()).all()
    with pytest.raises(ValueError, match="give Cells"):
        grade(maps, evidence, cells.images, network=network, target="spot")


def test_what_any_network_shows_is_taken_off():
    """Forgotten maps are strong in the bright place, with either sign; what was learned is weaker."""
    rng = np.random.default_rng(3)
    bright, learned = np.zeros((4, 24, 24)), np.zeros((4, 24, 24))
    bright[:, 4:8, 4:8], learned[:, 15:18, 15:18] = 3, 2
    signs = rng.choice([-1, 1], (12, 4, 1, 1))
    forgotten = signs * bright + rng.normal(0, 0.3, (12, 4, 24, 24))
    maps, evidence = bright + learned, learned > 0
    found = beyond_forgotten(maps, forgotten)
    assert pointing(strengths(maps, "positive", whole(4, 24), 1.0), evidence, whole(4, 24)).tolist() == [0] * 4
    assert pointing(strengths(found, "positive", whole(4, 24), 1.0), evidence, whole(4, 24)).tolist() == [1] * 4
    # How strong a network's scores are is no matter, and a map does not depend on other cells.
    assert np.allclose(found, beyond_forgotten(7 * maps, 0.01 * forgotten), atol=1e-5)
    assert np.allclose(found[1:2], beyond_forgotten(maps[1:2], forgotten[:, 1:2]))
    with pytest.raises(ValueError, match="expected \\(N, Y, X\\) and \\(K, N, Y, X\\)"):
        beyond_forgotten(maps, forgotten[0])
    with pytest.raises(ValueError, match="smooth_px is -1"):
        beyond_forgotten(maps, forgotten, smooth_px=-1)
    holed = maps.copy()
    holed[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or inf"):
        beyond_forgotten(holed, forgotten)


def test_maps_with_gaps_are_named_by_their_rows():
    maps, evidence = np.ones((3, 4, 4)), np.ones((3, 4, 4), bool)
    maps[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="'mine' holds NaN or inf in 1 cell, the first in row 1"):
        grade({"mine": maps}, evidence, np.ones((3, 1, 4, 4)))
