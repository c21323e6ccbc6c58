"""Complete blocks: every class loses its share on the same plate, so that labels without meaning score as guessing."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.study.complete_blocks import complete_blocks, split_blocks


def made(n_plates=4, wells=("a", "a", "a", "b", "b", "c", "c"), n_cells=4, seed=0, **design):
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"p{p}w{w}", drug) for p in range(n_plates) for w, drug in enumerate(wells) for _ in range(n_cells)
    ]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    well = pd.Series(rng.normal(size=(obs["well"].nunique())), obs["well"].unique())
    plate = pd.Series(3 * rng.normal(size=n_plates), [f"p{p}" for p in range(n_plates)])
    value = obs["well"].map(well) + obs["plate"].map(plate) + 0.3 * rng.normal(size=len(obs))
    table = pd.DataFrame({"x": value, "y": obs["plate"].map(plate) + rng.normal(size=len(obs))})
    return ms.Cells(obs, features=table, **({"label": "drug", "unit": "well", "batch": "plate"} | design))


def test_a_block_holds_each_class_of_one_plate_with_its_share():
    cells = made()
    block = complete_blocks(cells)
    wells = cells.obs.assign(block=block).drop_duplicates("well")
    assert block.nunique() == 8 and (wells.groupby("block")["plate"].nunique() == 1).all()
    counts = pd.crosstab(wells["block"], wells["drug"])
    assert (counts[["b", "c"]] == 1).all().all() and sorted(counts["a"].unique()) == [1, 2]


def test_the_test_of_a_split_leaves_classes_as_even_on_its_plate_as_they_were():
    cells = made(wells=tuple("aabbcc"))
    for part in split_blocks(cells, complete_blocks(cells), 8):
        left = cells.subset(part.train_ids).obs.drop_duplicates("well")
        counts = pd.crosstab(left["plate"], left["drug"])
        assert (counts.nunique(axis=1) == 1).all()
        assert part.by == "well" and len(part.held_out) == 3
    ms.study.check_split(cells, split_blocks(cells, complete_blocks(cells), 8))


def test_copies_and_order_of_cells_change_no_block():
    cells = made()
    twice = pd.concat([cells.obs, cells.obs.set_axis([f"copy-{i}" for i in cells.ids])]).sample(frac=1, random_state=1)
    again = complete_blocks(ms.Cells(twice, label="drug", unit="well", batch="plate"))
    assert again[cells.ids].equals(complete_blocks(cells))


@pytest.mark.parametrize(
    "cells",
    [
        made(wells=tuple("abc")),  # one well of each class on a plate
        made(n_plates=1, wells=tuple("aabb")),  # two blocks would be too few
        made(batch=None, wells=("a", "b"), n_plates=2),
        made(unit="plate", batch=None),  # units of several classes
    ],
)
def test_there_are_none_where_they_cannot_be(cells):
    assert complete_blocks(cells) is None


def test_units_without_a_label_go_along():
    cells = made()
    obs = cells.obs
    obs.loc[obs["well"] == "p0w0", "drug"] = None
    some = ms.Cells(obs, label="drug", unit="well", batch="plate")
    assert complete_blocks(some).notna().all()


def test_labels_without_meaning_are_guessed_and_not_avoided():
    found = [
        ms.predict.cross_validate(made(n_plates=6, seed=s), baselines=False, progress=False).balanced_accuracy
        for s in range(12)
    ]
    # Held out alone, wells of a plate were recognised far less often than one time in three.
    assert abs(np.mean(found) - 1 / 3) < 0.06


@pytest.mark.parametrize(("n_plates", "wells"), [(2, "aabbcc"), (1, "aaabbbccc")])
def test_labels_without_meaning_are_guessed_in_small_studies(n_plates, wells):
    found = [
        ms.predict.cross_validate(made(n_plates, tuple(wells), seed=s), baselines=False, progress=False)
        for s in range(16)
    ]
    # With wells held out alone the mean was 0.22 and 0.27.
    assert abs(np.mean([f.balanced_accuracy for f in found]) - 1 / 3) < 0.06
    assert np.mean([f.interval.low <= f.chance <= f.interval.high for f in found]) >= 0.75
