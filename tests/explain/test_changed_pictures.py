"""Counterfactuals, concepts and traversals, on pictures in which it is known what decides."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

import mlscope_nb as ms
from mlscope_nb.explain.exchanges import asked
from mlscope_nb.explain.regions import Region, regions_of
from mlscope_nb.predict import train_network

SIZE = 16
TRAINED = {"epochs": 12, "width": 4, "batch_size": 16, "masked": False, "stop_early": False}


def make(*, marked=False, shown=True, seed=0, n_plates=3, n_wells=6, n_cells=8):
    """Discs that are full (drug x) or hollow (drug y; `shown`), with a mark in a corner of most y cells (`marked`)."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"A{w:02d}", "xy"[w % 2], w < 2)
        for p in range(n_plates)
        for w in range(n_wells)
        for _ in range(n_cells)
    ]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug", "dmso"], index=[f"c{i:03d}" for i in range(len(rows))])
    away = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2))
    full, ring = away < 4, (away < 5) & (away > 2.5)
    y = (obs["drug"] == "y").to_numpy()
    images = rng.normal(200, 15, (len(rows), 2, SIZE, SIZE))
    images[:, 0] += 1000 * np.where((y & shown)[:, None, None], ring, full)
    with_mark = y & marked & (rng.random(len(y)) < 0.9)
    images[with_mark, 1, 12:, :4] += 1000
    masks = np.repeat((away < 5.5)[None], len(rows), 0).astype(np.uint8)
    return ms.Cells(
        obs, images.clip(0).astype(np.uint16), masks=masks, channels=["DNA", "actin"], label="drug",
        unit=("plate", "well"), batch="plate", control="dmso",
    )  # fmt: skip


@cache
def trapped():
    return train_network(make(marked=True, shown=False, seed=1), **TRAINED)


@cache
def clean():
    return train_network(make(seed=1), **TRAINED)


def flips(found, region, target="y"):
    rows = found.table[(found.table["region"] == region) & (found.table["target"] == target)]
    return rows.iloc[0]


def test_a_shortcut_is_found_by_putting_it_into_other_cells():
    found = ms.explain.counterfactual(trapped(), make(marked=True, shown=False, seed=2), target="y", progress=False)
    assert found.deciding.loc["y", "region"] == "lower left corner"
    assert flips(found, "lower left corner")["flip_rate"] >= 0.8
    assert flips(found, "lower left corner")["removed_rate"] >= 0.8
    assert flips(found, "upper right corner")["increase"] <= 0.1 and flips(found, "cell")["increase"] <= 0.1
    never = found.table[found.table["flip_rate"] == 0]
    assert len(never) and (never["flip_low"] == 0).all()
    assert np.allclose(never["flip_high"], 1 - 0.025 ** (1 / never["n_units"]))
    assert found.shortcuts.index.tolist() == ["y"]
    assert "the lower left corner decides" in str(found) and "shortcut" in str(found)
    assert "per_cell" not in found.to_dict()


def test_a_network_that_looks_at_the_cell_is_not_accused():
    found = ms.explain.counterfactual(clean(), make(marked=True, seed=2), progress=False)
    outside = found.table[found.table["outside"]]
    assert outside["increase"].max() <= 0.1 and found.shortcuts.empty
    assert set(found.deciding["region"]) <= {"cell", "channel DNA"}
    assert flips(found, "cell")["flip_rate"] >= 0.8 and flips(found, "channel actin")["increase"] <= 0.1


def test_a_box_a_mask_and_masks_of_single_cells_are_the_same_and_the_order_of_rows_does_not_matter():
    cells = make(marked=True, shown=False, seed=2, n_wells=4, n_cells=4)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[10:16, :6] = True
    each = np.repeat(mask[None], len(cells), 0)
    tables = [
        ms.explain.counterfactual(trapped(), given, {"mark": where}, n_cells=20, progress=False).table
        for given, where in (
            (cells, (10, 16, 0, 6)), (cells, mask), (cells, each), (cells.subset(cells.ids[::-1]), each[::-1]),
        )
    ]  # fmt: skip
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)


def test_fillings_and_what_they_change():
    cells = make(marked=True, shown=False, seed=2, n_cells=4)
    for fill in ("background", "blurred", "cells"):
        found = ms.explain.counterfactual(trapped(), cells, "lower left corner", target="y", fill=fill, progress=False)
        removed = found.per_cell[found.per_cell["edit"] == "remove"]
        assert removed["change"].mean() < -1 and set(removed["target"]) == {"y"}
        assert removed["donor"].notna().all() == (fill == "cells")
    pasted = found.per_cell[found.per_cell["edit"] == "paste"]
    plate = cells.obs["plate"]
    assert (plate[pasted["cell_id"]].to_numpy() == plate[pasted["donor"]].to_numpy()).all()
    assert (cells.labels[pasted["donor"]] == "y").all() and (pasted["given"] == "x").all()


def test_what_is_asked_is_what_predict_proba_says():
    cells = make(seed=3, n_cells=2)
    found = asked(clean(), cells, None, 0)
    p = clean().predict_proba(cells).loc[found.cells.ids].clip(1e-6, 1 - 1e-6)
    np.testing.assert_allclose(found.logits, np.log(p) - np.log1p(-p), atol=1e-4)


def test_a_region_of_one_channel_leaves_the_others():
    from mlscope_nb.explain.counterfactuals import _put

    crops, others = torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4)
    where = torch.zeros(1, 4, 4, dtype=torch.bool)
    where[:, 1:3, 1:3] = True
    found = _put(crops, others, where, Region("r", where.numpy(), (1,)))
    assert found[0, 0].sum() == 0 and found[0, 1].sum() == 4 and found[0, 1, 1, 1] == 1


def test_counterfactuals_refuse():
    cells = make(seed=2, n_cells=2)
    with pytest.raises(ValueError, match="no images"):
        ms.explain.counterfactual(clean(), cells.with_images(None))
    with pytest.raises(ValueError, match="No region 'corner'"):
        ms.explain.counterfactual(clean(), cells, "corner")
    with pytest.raises(ValueError, match="does not lie"):
        ms.explain.counterfactual(clean(), cells, (0, 40, 0, 5))
    with pytest.raises(ValueError, match="array of float64"):
        ms.explain.counterfactual(clean(), cells, np.ones((SIZE, SIZE)))
    with pytest.raises(KeyError, match="No class 'z'"):
        ms.explain.counterfactual(clean(), cells, target="z")
    with pytest.raises(ValueError, match="No label"):
        ms.explain.counterfactual(clean(), cells.with_design(label=None))
    with pytest.raises(ValueError, match="reads nothing"):
        regions_of(cells, "outside the cell", SIZE, seen_outside=False)


def mixed(seed=2):
    """Wells in which some cells of drug y are full all the same: a concept within units."""
    cells = make(seed=seed)
    rng = np.random.default_rng(seed)
    images, other = np.array(cells.images), np.array(make(seed=seed + 1).subset(cells.ids).images)
    y = np.flatnonzero((cells.labels == "y").to_numpy())
    full = np.flatnonzero((cells.labels == "x").to_numpy())
    swapped = rng.permutation(y)[: len(y) // 2]
    images[swapped] = other[full[: len(swapped)]]
    hollow = cells.ids[np.setdiff1d(y, swapped)]
    return cells.with_images(images), hollow


def test_a_planted_concept_speaks_for_its_class_and_random_ones_do_not():
    cells, hollow = mixed()
    rng = np.random.default_rng(5)
    random = {f"random {k}": rng.permutation(cells.ids)[: len(hollow)] for k in range(10)}
    found = ms.explain.concepts(clean(), cells, {"hollow": hollow, **random}, target="y")
    table = found.table.set_index("concept")
    assert (
        table.loc["hollow", "significant"] and table.loc["hollow", "effect"] > 0 and table.loc["hollow", "tcav"] > 0.8
    )
    assert table["significant"].sum() <= 2
    assert "speaks for" in str(found)
    against = ms.explain.concepts(clean(), cells, hollow, target="x").table.iloc[0]
    assert against["effect"] < 0 and against["significant"]


def test_behind_the_last_layer_what_is_held_is_the_score():
    """The small network ends with means and largest values: without either one a concept would be half of the truth."""
    from mlscope_nb.explain.concept_nulls import _inside

    cells, network = make(seed=2), clean()
    cells = cells.subset(np.sort(cells.ids.to_numpy(dtype=str)))
    inside = _inside(network, cells, "body.2", ("x", "y"))
    with torch.no_grad():
        scores = np.concatenate([network.model(crops).numpy() for _, crops in network.inputs(cells, 50)])
    for c in ("x", "y"):
        said = (inside.held * inside.slopes[c]).sum(axis=1)
        wanted = scores[:, network.classes.index(c)] - scores.mean(axis=1)
        assert np.ptp(said - wanted) < 1e-3 * np.ptp(wanted) and np.ptp(wanted) > 0.1


def test_concepts_of_whole_wells_are_compared_between_wells_and_rows_may_come_in_any_order():
    cells = make(seed=2)
    wells = cells.ids[(cells.labels == "y").to_numpy()]
    found = ms.explain.concepts(clean(), cells, wells, target="y").table
    assert found["tcav_random"].isna().all() and found["effect"].iloc[0] > 0 and found["p_random"].iloc[0] < 0.05
    turned = cells.subset(cells.ids[::-1])
    np.testing.assert_allclose(
        ms.explain.concepts(clean(), turned, wells, target="y").table["effect"], found["effect"], atol=1e-5
    )


def test_concepts_refuse():
    cells, hollow = mixed()
    with pytest.raises(ValueError, match="at least 5"):
        ms.explain.concepts(clean(), cells, hollow[:3])
    with pytest.raises(KeyError, match="No class 'z'"):
        ms.explain.concepts(clean(), cells, hollow, target="z")
    with pytest.raises(ValueError, match="No unit"):
        ms.explain.concepts(clean(), cells.with_design(unit=None, batch=None), hollow)
    with pytest.raises(ValueError, match="layer"):
        ms.explain.concepts(clean(), cells, hollow, layer="nowhere")
    with pytest.raises(ValueError, match="n_random"):
        ms.explain.concepts(clean(), cells, hollow, n_random=5)


def ellipses(seed=0, n_wells=12, n_cells=10):
    """Ellipses at any angle, long in wells of drug y; brightness says nothing."""
    rng = np.random.default_rng(seed)
    rows = [(f"A{w:02d}", "xy"[w % 2]) for w in range(n_wells) for _ in range(n_cells)]
    obs = pd.DataFrame(rows, columns=["well", "drug"], index=[f"c{i:03d}" for i in range(len(rows))])
    ratio = np.exp(rng.normal(np.where(obs["drug"] == "y", 0.7, 0.2), 0.1))
    angle, size, light = (rng.uniform(*ends, len(obs)) for ends in ((0, np.pi), (6, 8), (500, 900)))
    y, x = np.mgrid[:32, :32] - 15.5
    along = x * np.cos(angle)[:, None, None] + y * np.sin(angle)[:, None, None]
    across = -x * np.sin(angle)[:, None, None] + y * np.cos(angle)[:, None, None]
    root = np.sqrt(ratio)[:, None, None]
    masks = (along / root) ** 2 + (across * root) ** 2 < size[:, None, None] ** 2
    images = rng.normal(100, 5, (len(obs), 1, 32, 32)) + (light[:, None, None] * masks)[:, None]
    cells = ms.Cells(
        obs, images.clip(0).astype(np.uint16), masks=masks.astype(np.uint8), channels=["DNA"], label="drug", unit="well"
    )
    return cells.with_features(ms.features.measure(cells, progress=False))


def test_a_walk_along_the_decision_makes_cells_longer_and_changes_brightness_less():
    cells = ellipses()
    model = ms.predict.train_model(cells)
    found = ms.explain.traverse(model, cells, target="y")
    moved = found.features.loc["Cells_AreaShape_Eccentricity"]
    assert moved["low"] > 0 and moved["real"] > 0 and found.decision > 0.5
    assert found.features.index[0].startswith("Cells_AreaShape_")
    # Small studies leave chance in the direction: brightness drifts, but less.
    assert abs(found.features.loc["Cells_Intensity_MeanIntensity_DNA", "change"]) < moved["change"]
    assert found.montage.shape == (6, 5, 1, 32, 32) and found.explained > 0.5
    assert set(found.held_out).isdisjoint(set(cells.units) - set(found.held_out))
    said = model.predict(cells)
    pairs = found.contrastive.dropna()
    assert (said[pairs.index].to_numpy() != said[pairs["contrast"]].to_numpy()).all()
    again = ms.explain.traverse(model, cells.subset(cells.ids[::-1]), target="y")
    np.testing.assert_allclose(found.montage, again.montage, atol=1e-3)
    assert "Walking towards 'y'" in str(found)
    np.testing.assert_allclose(found.profile.iloc[:, -1], found.features["change"])
    assert (found.profile.iloc[:, 0] == 0).all() and found.profile.columns.tolist() == found.steps.tolist()
    assert found.nearest.shape == (6, 5) and found.nearest_pictures.shape == (6, 5, 1, 32, 32)
    assert not found.nearest.eq(found.ids, axis=0).any(axis=None) and set(found.nearest.stack()) <= set(cells.ids)
    assert "montage" not in found.to_dict() and "starts" not in found.to_dict()


def turned(seed=0, n_wells=12, n_cells=12):
    """Cells that lie flat, with a round nucleus (drug x) or one that is long in any direction (drug y)."""
    rng = np.random.default_rng(seed)
    rows = [(f"A{w:02d}", "xy"[w % 2]) for w in range(n_wells) for _ in range(n_cells)]
    obs = pd.DataFrame(rows, columns=["well", "drug"], index=[f"c{i:03d}" for i in range(len(rows))])
    long = np.exp(rng.normal(np.where(obs["drug"] == "y", 0.35, 0.0), 0.05))[:, None, None]
    angle = rng.uniform(0, np.pi, len(obs))[:, None, None]
    y, x = np.mgrid[:32, :32] - 15.5
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    nucleus = (along / long) ** 2 + (across * long) ** 2 < 5.5**2
    mask = np.repeat(((x / 14) ** 2 + (y / 11) ** 2 < 1)[None], len(obs), 0)
    images = rng.normal(100, 5, (len(obs), 1, 32, 32)) + (300 * mask + 600 * nucleus)[:, None]
    parts = {"nucleus": nucleus.astype(np.uint8)}
    cells = ms.Cells(
        obs, images.clip(0).astype(np.uint16), masks=mask.astype(np.uint8), compartments=parts, channels=["DNA"],
        label="drug", unit="well",
    )  # fmt: skip
    return cells.with_features(ms.features.measure(cells, progress=False))


def test_a_walk_finds_what_looks_different_in_each_cell():
    cells = turned()
    found = ms.explain.traverse(ms.predict.train_model(cells), cells, target="y", epochs=30, n_start=24)
    moved = found.features.loc["Nuclei_AreaShape_Eccentricity"]
    assert moved["low"] > 0 and moved["real"] > 0 and found.decision > 0.5


def test_a_network_says_what_it_sees_on_the_way():
    cells = make(seed=2)
    found = ms.explain.traverse(clean(), cells, target="y", epochs=5, n_latent=4, size=16, n_start=12)
    assert found.response["log_odds"].iloc[-1] > found.response["log_odds"].iloc[0] + 1


def test_traversals_refuse():
    cells = ellipses(n_wells=6, n_cells=8)
    model = ms.predict.train_model(cells)
    with pytest.raises(ValueError, match="no images"):
        ms.explain.traverse(model, cells.with_images(None))
    with pytest.raises(ValueError, match="at least 40"):
        ms.explain.traverse(model, cells.subset(cells.ids[:20]))
    with pytest.raises(ValueError, match="No unit"):
        ms.explain.traverse(model, cells.with_design(unit=None))
    with pytest.raises(ValueError, match="at least 2 steps"):
        ms.explain.traverse(model, cells, n_steps=1)
    bare = ms.Cells(cells.obs, cells.images, features=cells.features, channels=["DNA"], label="drug", unit="well")
    with pytest.raises(ValueError, match="no masks"):
        ms.explain.traverse(model, bare)
