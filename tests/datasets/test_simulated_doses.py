"""Doses: 0 leaves no trace, more does more. The full table of all doses is in studies/simulator_doses.py."""

import numpy as np
import pytest

from mlscope_nb.datasets import doses, simulate

SMALL = {"n_plates": 1, "wells_per_plate": 8, "cells_per_well": 5, "seed": 8}
RATES = {"fault_rate": 0.15, "penetrance": 1.0}
# doses that change no pixel but the words beside them
IN_WORDS = {"mislabels", "swapped_wells", "confounding"}
NEEDS = {"plate_blur": {"blur": 1.0}, "density": {"tied_to": "lobed"}, "penetrance": {"strength": 1.0}}
NEEDS |= {"class_size": {"tied_to": "lobed"}, "shortcut": {"tied_to": "lobed"}}
NEEDS |= {"position": {"tied_to": "lobed", "plate_illumination": 1.0}, "fault_rate": {"debris": 1.0}}


@pytest.fixture(scope="module")
def nothing():
    return simulate(doses="none", **SMALL, **RATES)


def test_without_any_dose_there_is_nothing_to_know(nothing):
    cells, truth = nothing
    known = truth.obs
    assert (known["fault"] == "none").all() and (known["phenotype"] == "none").all()
    assert known["duplicate_of"].isna().all()
    assert not known[["mislabelled", "swapped_well", "responder", "shortcut"]].any(axis=None)
    assert (known["strength"] == 0).all() and not truth.cues.any()
    for without in ("cue", "fault", "shortcut"):
        np.testing.assert_array_equal(truth.render(truth.ids, without=without), cells.images)


@pytest.mark.parametrize("name", sorted(set(doses().index)))
def test_each_dose_does_something_and_its_zero_nothing(name):
    """One dose at a time: 0 gives the study without it byte for byte, more changes pixels or words."""
    options = {**SMALL, **RATES, "doses": "none", **NEEDS.get(name, {})}
    options.pop(name, None)
    if name in ("penetrance", "fault_rate"):
        # these say how often another effect strikes: at 0 it is as if that one were at 0
        other = {"penetrance": "strength", "fault_rate": "debris"}[name]
        plain, _ = simulate(**{**options, other: 0})
    else:
        plain, _ = simulate(**options)
    most = {"swapped_wells": 2, "fault_rate": 0.15, "rare": 0.3, "duplicates": 0.4, "leaked": 0.4, "confounding": 1}
    none, _ = simulate(**options, **{name: 0})
    some, _ = simulate(**options, **{name: most.get(name, 1.0)})
    np.testing.assert_array_equal(none.images, plain.images)
    np.testing.assert_array_equal(none.masks, plain.masks)
    assert none.obs.equals(plain.obs)
    pixels, words = bool((some.images != plain.images).any()), not some.obs.equals(plain.obs)
    assert words if name in IN_WORDS else pixels


def change(truth, cells, ids):
    """Mean difference that taking the effect away makes."""
    return np.abs(truth.render(ids, "fault").astype(float) - cells.subset(ids).images).mean((1, 2, 3))


@pytest.mark.parametrize("fault", ["defocus", "saturation", "debris", "empty", "touching", "cut"])
def test_more_of_a_fault_changes_more(fault):
    means = []
    for dose in (0.3, 0.7, 1.0):
        cells, truth = simulate(**SMALL, fault_rate=1 / 6, faults=0, duplicates=0, **{fault: dose})
        ids = truth.ids[truth.obs["fault"] == fault]
        assert len(ids) >= 3
        means.append(change(truth, cells, ids).mean())
    assert means[0] < means[1] < means[2]


def test_more_strength_changes_more():
    means = []
    for strength in (0.3, 0.8, 1.5):
        cells, truth = simulate(1, 16, 3, seed=1, faults=0, strength=strength)
        ids = truth.ids[truth.obs["responder"]]
        means.append(np.abs(truth.render(ids, "cue").astype(float) - cells.subset(ids).images).mean())
    assert means[0] < means[1] < means[2]


def test_one_effect_does_not_change_the_random_numbers_of_another():
    _, plain = simulate(2, 8, 10, seed=9)
    _, other = simulate(2, 8, 10, seed=9, noise=0, shortcut=1, batch=0, rare=0, mislabels=0.3, saturation=0)
    for name in ("responder", "strength", "duplicate_of"):
        kept = plain.obs["duplicate_of"].isna() if name != "duplicate_of" else slice(None)
        assert plain.obs.loc[kept, name].equals(other.obs.loc[kept, name]), name
    struck = plain.obs["fault"].replace("saturation", "none")
    first = plain.obs["duplicate_of"].isna()
    assert struck[first].equals(other.obs.loc[first, "fault"])


def test_groups_set_their_members():
    _, truth = simulate(1, 8, 20, seed=0, faults=0)
    assert (truth.obs["fault"] == "none").all()
    cells, _ = simulate(**SMALL, doses="none", batch=1)
    plain, _ = simulate(**SMALL, doses="none")
    assert (cells.images != plain.images).any()
    assert cells.history[0]["changed"]["plate_gain"] == 1
