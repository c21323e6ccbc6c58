"""Whole fields: masks that fit, truth that fits the masks, and the same picture again."""

import numpy as np
import pytest

from mlscope_nb.datasets import simulate, simulate_fields
from mlscope_nb.io import crop


@pytest.fixture(scope="module")
def study():
    return simulate_fields(1, 8, 14, seed=3, field_size=200, fault_rate=0.12, shortcut=1, tied_to="lobed", rare=0.1)


def test_what_comes_out_is_declared_and_aligned(study):
    fields, truth = study
    assert len(fields) == 8 and fields.images[0].shape == (3, 200, 200) and fields.images[0].dtype == np.uint16
    assert fields.design.unit == ("plate", "well") and fields.design.batch == ("plate",)
    assert list(truth.ids) == list(fields.ids) == list(truth.fields.index)
    assert set(truth.obs["field_id"]) <= set(fields.ids)


def test_every_object_has_its_truth(study):
    fields, truth = study
    for i, field_id in enumerate(fields.ids):
        known = truth.obs[truth.obs["field_id"] == field_id]
        numbers = set(np.unique(fields.masks[i])) - {0}
        assert numbers <= set(known["object"]), "a cell may be hidden, but none is unknown"
        assert len(numbers) >= 0.8 * len(known)
        nuclei = np.asarray(fields.compartments["nucleus"][i])
        assert set(np.unique(nuclei)) - {0} <= numbers
        assert (fields.masks[i][nuclei > 0] == nuclei[nuclei > 0]).all()


def test_fields_are_cropped_into_cells(study):
    fields, truth = study
    cells = crop(fields)
    assert cells.design.unit == ("plate", "well") and len(cells) > 50
    pairs = set(zip(truth.obs["field_id"], truth.obs["object"], strict=True))
    assert set(zip(cells.obs["field_id"], cells.obs["object"], strict=True)) <= pairs


def test_rendered_again_and_without(study):
    fields, truth = study
    images = np.stack(list(fields.images))
    np.testing.assert_array_equal(truth.render(truth.ids), images)
    known = truth.fields
    for without, has in (("fault", known["fault"] != "none"), ("shortcut", known["shortcut"])):
        changed = (truth.render(truth.ids, without=without) != images).any((1, 2, 3))
        np.testing.assert_array_equal(changed, has)
        assert has.any()
    changed = (truth.render(truth.ids, without="cue") != images).any(1)
    assert changed.any() and not (changed & ~truth.cue_reach(truth.ids)).any()
    assert truth.cues.any((1, 2)).sum() >= 3
    one = truth.subset(truth.ids[2:3])
    np.testing.assert_array_equal(one.render(one.ids), images[2:3])


def test_the_cells_of_a_field_are_those_of_the_crops():
    """The nucleus of a cell has the same size and texture in its crop and in its field."""
    options = {"seed": 6, "doses": "none", "crowding": 0}
    cells, _ = simulate(1, 4, 6, **options)
    fields, truth = simulate_fields(1, 4, 6, field_size=200, **options)
    alike = []
    for i, field_id in enumerate(fields.ids):
        for cell_id, row in truth.obs[truth.obs["field_id"] == field_id].iterrows():
            nucleus = np.asarray(fields.compartments["nucleus"][i]) == row["object"]
            crop_nucleus = cells.subset([cell_id]).compartments["nucleus"][0] == 1
            y, x = np.nonzero(nucleus)
            if len(y) and y.min() > 0 and x.min() > 0 and y.max() < 199 and x.max() < 199:
                alike.append(nucleus.sum() / crop_nucleus.sum())
    assert len(alike) > 10 and np.median(np.abs(np.asarray(alike) - 1)) < 0.05


def test_more_fields_share_the_cells_of_a_well():
    one, truth = simulate_fields(1, 2, 10, seed=1, field_size=160, faults=0)
    two, truths = simulate_fields(1, 2, 10, seed=1, field_size=160, faults=0, fields_per_well=2)
    assert len(two) == 2 * len(one) and sorted(truth.obs.index) == sorted(truths.obs.index)


def test_an_empty_field_has_no_objects():
    fields, truth = simulate_fields(
        2, 8, 6, seed=2, field_size=128, fault_rate=1 / 6, defocus=0, saturation=0, debris=0
    )
    empty = truth.fields["fault"] == "empty"
    assert empty.any() and not empty.all()
    for i, none in enumerate(empty):
        assert bool(np.any(fields.masks[i])) != none
    assert not truth.obs["field_id"].isin(truth.ids[empty]).any()
    full = truth.render(truth.ids[empty], without="fault")
    assert full.max() > 3 * np.stack([fields.images[i] for i in np.flatnonzero(empty)]).max()


@pytest.mark.parametrize("wrong", [{"field_size": 100}, {"field_size": 201}, {"fields_per_well": 0}])
def test_wrong_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        simulate_fields(1, 2, 2, **wrong)
