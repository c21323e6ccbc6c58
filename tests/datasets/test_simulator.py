"""The simulator: the same seed gives the same bytes, and the answer key tells the truth."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.datasets import Truth, doses, phenotypes, simulate
from mlscope_nb.datasets.simulator.bodies import Draws, make_bodies, natural_traits
from mlscope_nb.datasets.simulator.layout import CLASSES
from mlscope_nb.datasets.simulator.phenotypes import changed
from mlscope_nb.datasets.simulator.streams import stream, streams

# Everything at once: faults, copies, labels, marks and ties.
RICH = {
    "fault_rate": 0.1,
    "duplicates": 0.15,
    "leaked": 0.1,
    "mislabels": 0.1,
    "swapped_wells": 2,
    "shortcut": 0.5,
    "rare": 0.1,
    "density": 1,
    "position": 1,
    "class_size": 1,
    "layout_gradient": 1,
}


def digest(cells):
    parts = [cells.images, cells.masks, *cells.compartments.values()]
    text = cells.obs.to_csv().encode()
    return hashlib.sha256(text + b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


@pytest.fixture(scope="module")
def study():
    return simulate(2, 16, 8, seed=4, **RICH)


def test_what_comes_out_is_a_declared_study():
    cells, truth = simulate(2, 8, 3, seed=1)
    assert cells.images.shape == (48, 3, 64, 64) and cells.images.dtype == np.uint16
    assert cells.channels == ("DNA", "actin", "puncta") and cells.pixel_size_um == 0.65
    assert cells.design.unit == ("plate", "well") and cells.design.batch == ("plate",)
    assert cells.design.label == "label" and cells.design.treatment == "treatment"
    assert cells.controls.equals((cells.obs["treatment"] == "DMSO").rename("control"))
    assert set(cells.compartments) == {"nucleus", "cytoplasm"}
    assert cells.units.nunique() == 16 and cells.batches_of.nunique() == 2
    assert set(cells.labels) <= set(CLASSES)
    assert isinstance(truth, Truth) and list(truth.ids) == list(cells.ids)
    assert ms.datasets.simulate is simulate


def test_masks_and_compartments_fit_together(study):
    cells, truth = study
    masks, nucleus, cytoplasm = cells.masks, cells.compartments["nucleus"], cells.compartments["cytoplasm"]
    np.testing.assert_array_equal(np.where(nucleus > 0, nucleus, cytoplasm), masks)
    assert not ((nucleus > 0) & (cytoplasm > 0)).any()
    whole = truth.obs["fault"].to_numpy() == "none"
    assert (masks[whole, 32, 32] == 1).all(), "the cell lies in the middle of its crop"
    assert (masks == 1).any((1, 2)).all() and (nucleus == 1).any((1, 2))[whole].all()
    assert (masks >= 2).any((1, 2)).mean() > 0.3, "neighbours reach into the crops"


def test_same_seed_same_bytes_in_another_process(study):
    code = (
        "from tests.datasets.test_simulator import RICH, digest, simulate;"
        "print(digest(simulate(2, 16, 8, seed=4, **RICH)[0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(study[0])


def test_different_seeds_differ():
    first, second = (simulate(1, 4, 2, seed=s)[0] for s in (0, 1))
    assert (first.images != second.images).any((1, 2, 3)).all()


def test_a_smaller_study_holds_the_same_cells(study):
    cells, truth = study
    same = {k: v for k, v in RICH.items() if k != "swapped_wells"}
    for n_plates, cells_per_well in ((1, 8), (2, 3)):
        few, few_truth = simulate(n_plates, 16, cells_per_well, seed=4, **same)
        part = cells.subset(few.ids)
        for name in ("images", "masks"):
            np.testing.assert_array_equal(getattr(part, name), getattr(few, name))
        kept = ["fault", "duplicate_of", "responder", "strength", "shortcut", "phenotype", "label"]
        pd.testing.assert_frame_equal(truth.obs.loc[few.ids, kept], few_truth.obs[kept])


def test_any_few_cells_are_rendered_as_in_the_study(study):
    cells, truth = study
    ids = list(cells.ids[[200, 3, 77, 150]])
    np.testing.assert_array_equal(truth.render(ids), cells.subset(ids).images)
    np.testing.assert_array_equal(truth.subset(ids).render(ids[:1]), cells.subset(ids[:1]).images)


@pytest.mark.parametrize("seed", [0, 5, 2**31, 2**32, 2**64 + 3, 2**127, 2**128, 2**200 + 17])
def test_many_streams_at_once_are_those_of_numpy(seed):
    """The seeds of many streams are worked out here, by numpy's own recipe: a wrong word would be another study."""
    addresses = [(0, 0, 0), (1, 15, 39), (7, 2**32 - 1, 3), (2**31, 4, 0)]
    for address, fast in zip(addresses, streams(seed, "noise", addresses), strict=True):
        slow = stream(seed, "noise", *address)
        np.testing.assert_array_equal(fast.bit_generator.random_raw(5), slow.bit_generator.random_raw(5))
    assert streams(seed, "noise", []) == []


def test_the_size_of_the_crop_can_be_chosen():
    cells, truth = simulate(1, 2, 2, size=96)
    assert cells.images.shape == (4, 3, 96, 96) and truth.cues.shape == (4, 96, 96)
    np.testing.assert_array_equal(truth.render(cells.ids), cells.images)


# --- the answer key ---


def test_truth_is_aligned_and_says_what_it_must(study):
    cells, truth = study
    known = truth.obs
    assert list(known.index) == list(cells.ids)
    assert {"label", "fault", "duplicate_of", "mislabelled", "responder", "strength", "shortcut"} <= set(known)
    assert known["mislabelled"].equals((known["label"] != cells.labels).rename("mislabelled"))
    assert ((known["strength"] > 0) == known["responder"]).all()
    assert (known.loc[known["responder"], "phenotype"] == known.loc[known["responder"], "label"]).all()
    assert not known.loc[known["label"] == "DMSO", "responder"].any()
    assert (known.loc[known["shortcut"], "label"] == "micronucleus").all()
    assert truth.cues.shape == cells.masks.shape and truth.cues.dtype == bool
    assert not truth.cues[(known["phenotype"] == "none").to_numpy()].any()


def test_truth_cannot_be_reached_from_cells(study):
    cells, truth = study
    secret = set(truth.obs) - {"label"}
    assert not secret & set(cells.obs.columns)
    assert not any(isinstance(v, np.ndarray | pd.DataFrame | Truth) for entry in cells.history for v in entry.values())
    assert cells.history[0]["seed"] == 4 and cells.history[0]["changed"]["shortcut"] == 0.5
    assert "phenotype" not in cells.obs and "responder" not in str(cells.history)


def test_cues_of_small_places_lie_in_small_places():
    cells, truth = simulate(2, 16, 8, seed=2, doses="none", strength=1, distractors=1)
    area = pd.Series(truth.cues.mean((1, 2)), index=truth.ids)
    by = area[truth.obs["responder"]].groupby(truth.obs["phenotype"]).mean()
    seen = phenotypes()["seen_in"]
    assert by[seen.index[seen == "small place"]].max() < 0.02 < by[["elongated", "bundled"]].min()
    micro = (truth.obs["phenotype"] == "micronucleus").to_numpy()
    nucleus = cells.compartments["nucleus"][micro] == 1
    assert (truth.cues[micro] & nucleus).sum() <= 0.1 * truth.cues[micro].sum(), "a micronucleus lies outside"


@pytest.mark.parametrize("strength", [0.3, 0.8, 1.3])
def test_brightness_does_not_give_a_small_place_away(strength):
    """What a cue shines, one of the distractors of the same cell does not: the sum is the same."""
    for index in range(20):
        draws = Draws.of(stream(0, "body", 0, 0, index))
        traits = natural_traits(draws, 1.0, 1.0)
        (plain,) = make_bodies([traits], [draws])
        for phenotype, part in (("micronucleus", "blobs"), ("clustered", "spots")):
            (body,) = make_bodies([changed(traits, phenotype, strength)], [draws])
            light, before = getattr(body, part), getattr(plain, part)
            column = 3 if part == "blobs" else 2
            assert len(light) > len(before)
            np.testing.assert_allclose(light[:, column].sum(), before[:, column].sum(), rtol=1e-9)


@pytest.mark.parametrize("without", ["cue", "shortcut", "fault"])
def test_without_an_effect_nothing_changes(study, without):
    cells, truth = study
    known = truth.obs
    has = {"cue": known["phenotype"] != "none", "shortcut": known["shortcut"], "fault": known["fault"] != "none"}
    has = has[without].to_numpy()
    changed = (truth.render(cells.ids, without=without) != cells.images).any((1, 2, 3))
    assert not changed[~has].any()
    assert has.any() and changed[has].mean() > 0.8


def test_without_its_cue_a_cell_changes_only_where_the_cue_reaches(study):
    cells, truth = study
    changed = (truth.render(cells.ids, without="cue") != cells.images).any(1)
    reach = truth.cue_reach(cells.ids)
    assert not (changed & ~reach).any()
    sharp = (truth.obs["fault"] != "defocus").to_numpy() & (truth.obs["phenotype"] == "micronucleus").to_numpy()
    assert reach[sharp].mean() < 0.15, "and that is a small part of the crop"


def test_without_its_mark_a_cell_changes_only_in_the_corner(study):
    cells, truth = study
    marked = truth.ids[truth.obs["shortcut"]]
    changed = (truth.render(marked, without="shortcut") != cells.subset(marked).images).any(1)
    assert not (changed & ~truth.subset(marked).marks).any()
    assert not changed[:, :50].any() and not changed[:, :, 14:].any()


def test_without_its_fault_a_cell_is_the_cell_of_a_study_without_faults():
    clean, _ = simulate(2, 16, 8, seed=4, **{**RICH, "faults": 0, "duplicates": 0, "leaked": 0})
    _, with_faults = simulate(2, 16, 8, seed=4, **{**RICH, "duplicates": 0, "leaked": 0})
    ids = with_faults.ids[with_faults.obs["fault"] != "none"]
    np.testing.assert_array_equal(with_faults.render(ids, without="fault"), clean.subset(ids).images)


def test_copies_show_the_same_cell_again(study):
    cells, truth = study
    copies = truth.obs["duplicate_of"].dropna()
    assert len(copies) > 20 and set(copies) <= set(cells.ids)
    assert truth.obs.loc[copies, "duplicate_of"].isna().all(), "the first photograph is no copy itself"
    assert (truth.obs.loc[copies.index, "label"].to_numpy() == truth.obs.loc[copies, "label"].to_numpy()).all()
    best = []
    for copy, source in copies.head(12).items():
        a, b = (cells.subset([i]).images[0].astype(float).sum(0) for i in (copy, source))
        turned = [b, b[:, ::-1], b[::-1]]
        best.append(max(np.corrcoef(a[8:-8, 8:-8].ravel(), t[8:-8, 8:-8].ravel())[0, 1] for t in turned))
        assert (cells.subset([copy]).images != cells.subset([source]).images).any()
    assert min(best) > 0.8
    units = cells.units
    leaked = units[copies.index].to_numpy() != units[copies].to_numpy()
    assert 0.2 < leaked.mean() < 0.8, "some within the well, some from another"


def test_swapped_wells_are_mixed_up_whole():
    cells, truth = simulate(2, 16, 3, seed=5, swapped_wells=4)
    wells = cells.obs.join(truth.obs[["swapped_well", "mislabelled"]]).groupby(["plate", "well"])
    assert wells["swapped_well"].nunique().eq(1).all()
    assert int(wells["swapped_well"].first().sum()) == 4
    assert truth.obs["mislabelled"].equals(truth.obs["swapped_well"].rename("mislabelled"))
    given = cells.obs.assign(true=truth.obs["label"]).groupby(["plate", "well"])[["treatment", "true"]].first()
    for _, plate in given.groupby("plate"):
        assert sorted(plate["treatment"]) == sorted(plate["true"]), "nothing is lost, only exchanged"
    control = cells.obs["treatment"] == "DMSO"
    assert ((cells.obs["concentration_um"] == 0) == control).all(), "the concentration does not give it away"


def test_confounding_puts_one_treatment_on_each_plate():
    obs = simulate(3, 8, 1, seed=0, confounding=1)[0].obs
    treated = obs[obs["treatment"] != "DMSO"].groupby("plate")["treatment"]
    assert treated.nunique().eq(1).all() and treated.first().nunique() == 3
    assert obs.groupby("plate")["treatment"].apply(lambda t: (t == "DMSO").any()).all()


def test_the_layout_is_balanced_and_random():
    obs = simulate(4, 16, 1, seed=0)[0].obs
    counts = obs.groupby(["plate", "label"]).size().unstack()
    assert (counts["DMSO"] == 4).all() and (counts.drop(columns="DMSO") == 2).all(axis=None)
    assert obs.groupby("well")["label"].nunique().gt(1).all(), "another layout on every plate"
    small = simulate(6, 4, 1, seed=0)[0].obs
    assert set(small["label"]) == set(CLASSES), "small plates take turns"


# --- arguments ---


def test_the_table_of_doses_is_complete():
    table = doses()
    assert (table["default"].astype(float) >= 0).all() and table["meaning"].str.len().gt(10).all()
    assert set(table["group"]) == {"", "batch", "faults"}


def test_every_dose_and_treatment_is_in_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    missing = [name for name in [*doses().index, *phenotypes().index, "batch", "faults"] if name not in text]
    assert not missing


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"penetrence": 0.5}, TypeError, r"No dose 'penetrence'. Did you mean 'penetrance'"),
        ({"shortcut": 1.5}, ValueError, r"shortcut=1.5, expected a number from 0 to 1"),
        ({"shortcut": [0.5, 2]}, ValueError, r"shortcut=2, expected"),
        ({"noise": -1}, ValueError, r"noise=-1, expected"),
        ({"noise": float("nan")}, ValueError, r"noise=nan, expected"),
        ({"noise": "much"}, TypeError, r"noise='much', expected a number"),
        ({"n_plates": 0}, ValueError, r"n_plates=0, expected 1 or more"),
        ({"n_plates": 1.5}, TypeError, r"n_plates=1.5, expected a whole number"),
        ({"wells_per_plate": 1}, ValueError, r"expected 2 or more"),
        ({"wells_per_plate": 500}, ValueError, r"expected at most 384"),
        ({"seed": -1}, ValueError, r"seed=-1, expected 0 or more"),
        ({"size": 65}, ValueError, r"size=65, expected an even number"),
        ({"size": 32}, ValueError, r"size=32, expected 48 or more"),
        ({"version": 3}, ValueError, r"No version 3 of the defaults"),
        ({"doses": "all"}, ValueError, r"doses='all', expected 'default' or 'none'"),
        ({"tied_to": "round"}, ValueError, r"tied_to='round', expected one of DMSO"),
        ({"swapped_wells": 9, "n_plates": 1, "wells_per_plate": 2}, ValueError, r"Ask for fewer"),
    ],
)
def test_wrong_arguments_are_refused_in_words(wrong, error, message):
    with pytest.raises(error, match=message):
        simulate(**{"n_plates": 1, "wells_per_plate": 4, "cells_per_well": 1, **wrong})


def test_a_rate_of_the_shortcut_for_each_plate():
    _, truth = simulate(3, 16, 6, seed=0, shortcut=[1.0, 0.0], tied_to="lobed")
    tied = truth.obs["label"] == "lobed"
    by_plate = truth.obs.loc[tied, "shortcut"].groupby(truth.ids[tied].str[:2]).mean()
    assert by_plate.tolist() == [1.0, 0.0, 0.0], "the plates that are not named have none"


def test_wrong_questions_to_the_truth_are_refused(study):
    _, truth = study
    with pytest.raises(ValueError, match="without='noise', expected 'cue'"):
        truth.render(truth.ids[:1], without="noise")
    with pytest.raises(KeyError, match="not found"):
        truth.render(["P9-A01-001"])


# --- the defaults are frozen ---


@pytest.mark.parametrize("version", [1, 2])
def test_each_version_is_frozen(version):
    """A change here is a new version of the defaults: docs/decisions says how."""
    table = doses(version)["default"].astype(float)
    cells, truth = simulate(1, 16, 2, seed=0, version=version)
    found = {
        "doses": hashlib.sha256(repr(sorted(table.items())).encode()).hexdigest()[:16],
        "truth": hashlib.sha256(truth.obs.round(6).to_csv().encode()).hexdigest()[:16],
        "light": np.round(cells.images.astype(float).mean((0, 2, 3)), 1).tolist(),
    }
    assert found == FROZEN[version]


def test_a_version_is_only_its_doses():
    cells, _ = simulate(1, 4, 3, seed=4)
    assert cells.history[-1]["version"] == 2 and cells.history[-1]["changed"] == {}
    same, _ = simulate(1, 4, 3, seed=4, version=1, batch=1.85, well=0.5, strength=1.15)
    np.testing.assert_array_equal(cells.images, same.images)


FROZEN = {
    1: {"doses": "5b0c70f4ab2b40df", "truth": "fc579e2101ece268", "light": [557.6, 570.4, 365.5]},
    2: {"doses": "49f01b34f641227f", "truth": "61af5c682d62babc", "light": [522.8, 541.5, 323.4]},
}
