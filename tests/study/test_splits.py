"""A unit never straddles a split; classes are spread; refusals say what to do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlscope_nb import study
from mlscope_nb.cells import Cells


@st.composite
def designs(draw):
    """Random, unbalanced designs: units of two columns, classes per unit or per cell, some missing."""
    n_plates = draw(st.integers(1, 4))
    wells = draw(st.lists(st.integers(1, 6), min_size=n_plates, max_size=n_plates))
    per_cell = draw(st.booleans())
    rows = []
    for plate, n_wells in enumerate(wells):
        for well in range(n_wells):
            label = draw(st.sampled_from(["a", "b", "c", None]))
            for _ in range(draw(st.integers(1, 5))):
                rows.append((plate, f"W{well}", draw(st.sampled_from(["a", "b", None])) if per_cell else label))
    obs = pd.DataFrame(rows, columns=["plate", "well", "label"])
    obs.index = [f"cell{i}" for i in draw(st.permutations(range(len(obs))))]
    return Cells(obs, unit=("plate", "well"), batch="plate", label="label")


def n_usable(cells, by):
    groups = study.groups(cells, by)
    labelled = cells.labels.notna()
    return groups[labelled].nunique() if labelled.any() else groups.nunique()


@settings(max_examples=150, deadline=None)
@given(designs(), st.integers(2, 5), st.integers(0, 3), st.booleans(), st.sampled_from([None, "plate"]))
def test_units_never_straddle(cells, n_splits, seed, stratify, by):
    if (n_usable(cells, by) if stratify else study.groups(cells, by).nunique()) < n_splits:
        with pytest.raises(ValueError, match="parts asked for"):
            study.split(cells, by, n_splits, seed, stratify=stratify)
        return
    parts = study.split(cells, by, n_splits, seed, stratify=stratify)
    study.check_split(cells, parts)
    units, groups = cells.units, study.groups(cells, by)
    assert len(parts) == n_splits
    for train, test in parts:
        assert not set(units[train]) & set(units[test])
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == sorted(cells.ids)
    tested = [i for part in parts for i in part.test_ids]
    assert sorted(tested) == sorted(cells.ids)


@settings(max_examples=60, deadline=None)
@given(designs(), st.integers(0, 3), st.sampled_from([None, "plate"]))
def test_order_and_copies_do_not_matter(cells, seed, by):
    if n_usable(cells, by) < 3:
        return
    parts = study.split(cells, by, 3, seed)
    reordered = study.split(cells.subset(cells.ids[::-1]), by, 3, seed)
    assert [p.held_out for p in parts] == [p.held_out for p in reordered]
    twin = Cells(
        pd.concat([cells.obs, cells.obs.set_axis([f"{i}x" for i in cells.ids])]),
        unit=("plate", "well"), batch="plate", label="label",
    )  # fmt: skip
    assert [p.held_out for p in study.split(twin, by, 3, seed)] == [p.held_out for p in parts]


@settings(max_examples=40, deadline=None)
@given(designs(), st.integers(0, 2))
def test_nested_inner_splits_see_training_units_only(cells, seed):
    try:
        parts = study.nested(cells, n_splits=3, n_inner=2, seed=seed)
    except ValueError as error:
        assert "parts asked for" in str(error)
        return
    for outer, inner in parts:
        study.check_split(cells, outer)
        study.check_split(cells, inner)
        for part in inner:
            assert set(part.train_ids) | set(part.test_ids) == set(outer.train_ids)


def test_classes_are_spread_over_parts(make):
    cells = make(n_batches=5, units=4)
    for by in (None, "plate"):
        for part in study.split(cells, by):
            units = cells.units[part.test_ids]
            per_class = units.groupby(cells.labels[part.test_ids]).nunique()
            assert per_class.to_dict() == {"a": 2, "b": 2}
    rare = cells.with_obs(
        pd.Series(np.where(cells.units.isin(sorted(cells.units.unique())[:5]), "rare", "b"), cells.ids, name="drug")
    )
    for part in study.split(rare):
        assert cells.units[part.test_ids][rare.labels[part.test_ids] == "rare"].nunique() == 1


def test_plates_are_balanced_by_their_units_not_by_their_cells():
    rows = [(plate, f"{plate}{well}", "ab"[well % 2]) for plate, wells, cells in
            [("p0", 8, 1), ("p1", 4, 10), ("p2", 4, 1)] for well in range(wells) for _ in range(cells)]  # fmt: skip
    obs = pd.DataFrame(rows, columns=["plate", "well", "label"], index=[f"c{i}" for i in range(len(rows))])
    cells = Cells(obs, unit="well", batch="plate", label="label")
    for seed in range(5):
        held = {part.held_out for part in study.split(cells, "plate", 2, seed)}
        assert held == {("p0",), ("p1", "p2")}


def test_seed_changes_and_repeats_the_split(make):
    cells = make()
    held = [[p.held_out for p in study.split(cells, seed=s)] for s in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_leave_one_batch_out(make):
    cells = make(n_batches=3)
    parts = study.leave_one_out(cells)
    assert [p.held_out for p in parts] == [("p0",), ("p1",), ("p2",)]
    study.check_split(cells, parts)
    assert all(set(cells.obs.loc[p.test_ids, "plate"]) == set(p.held_out) for p in parts)
    assert len(study.leave_one_out(cells, by=("plate", "well"))) == cells.units.nunique()
    with pytest.raises(ValueError, match=r"1 plate found \('p0'\)"):
        study.leave_one_out(make(n_batches=1))
    with pytest.raises(ValueError, match="No batch is declared"):
        study.leave_one_out(cells.with_design(batch=None))
    with pytest.raises(ValueError, match="train on the units"):
        study.leave_one_out(cells, by="cell")


def test_random_split_has_to_be_asked_for_and_says_so(make):
    cells = make()
    for part in study.split(cells, by="cell"):
        assert part.by == "cell" and part.held_out == ()
        assert "Random split over cells" in part.note and "not about new units" in part.note
    with pytest.raises(ValueError, match="in training and test"):
        study.check_split(cells, study.split(cells, by="cell"))
    assert all(part.note == "" for part in study.split(cells))


def test_by_that_cuts_units_is_refused(make):
    cells = make(unit="well")
    with pytest.raises(ValueError, match=r"6 units in more than one plate: 'w0'.*declare several columns \(unit="):
        study.split(cells, by="plate", n_splits=2)
    with pytest.raises(KeyError, match=r"No column 'plte' in obs\. Did you mean 'plate'"):
        study.split(cells, by="plte")


def test_too_few_units_and_classes(make):
    three = make(n_batches=1, units=3)
    with pytest.raises(ValueError, match=r"3 units with labelled cells found .* use n_splits=3 or fewer"):
        study.split(three)
    with pytest.raises(ValueError, match="cannot be both trained and tested on"):
        study.split(make(n_batches=1, units=1), n_splits=2)
    with pytest.raises(ValueError, match="n_splits is 1"):
        study.split(three, n_splits=1)
    with pytest.raises(ValueError, match="No unit is declared"):
        study.split(three.with_design(unit=None))
    assert all("Only one class: 'a'" in p.note for p in study.split(make(classes=("a",))))
    lonely = study.split(three, n_splits=3)
    assert sum("Only the held-out part has 'b': a model cannot learn it" in p.note for p in lonely) == 1
    assert sum("No 'b' to test on" in p.note for p in lonely) == 2


def test_split_over_groups_without_declared_unit_says_so(make):
    parts = study.split(make(unit=None), by=("plate", "well"))
    assert all("No unit is declared" in part.note for part in parts)


def test_unlabelled_cells_go_with_their_unit_and_numbers_are_not_classes(make):
    cells = make(n_batches=2, units=6)
    labels = cells.labels.where(cells.obs["well"] != "w5")
    parts = study.split(cells.with_obs(labels), n_splits=5)
    assert {i for part in parts for i in part.test_ids} == set(cells.ids)
    assert all(labels[part.test_ids].notna().any() for part in parts)
    dose = pd.Series(np.linspace(0, 1, len(cells)), cells.ids, name="drug")
    study.check_split(cells, study.split(cells.with_obs(dose)))


def test_check_split_names_what_is_wrong(make):
    cells = make(n_batches=2, units=2)
    ids = list(cells.ids)
    for pair, message in [
        ((ids[:1], ids[1:]), "1 unit in training and test: 'p0 · w0'"),
        ((ids, []), "no cells to test on"),
        ((["ghost"], ids), "names cells that are not there: .ghost."),
        ((ids, ids[:1]), "trains and tests on"),
    ]:
        with pytest.raises(ValueError, match=message):
            study.check_split(cells, [pair])


def test_check_split_in_the_wrong_order_says_the_right_one(make):
    cells = make(n_batches=2, units=4)
    parts = study.split(cells, n_splits=2)
    for first, name in [(parts, "list"), (parts[0], "Split")]:
        with pytest.raises(TypeError, match=rf"Expected Cells first, found {name}.*check_split\(cells, splits\)"):
            study.check_split(first, cells)


def test_split_is_a_pair_and_speaks(make):
    cells = make(unit="well", batch=None)
    part = study.split(cells, n_splits=3)[0]
    train, test = part
    assert len(train) + len(test) == len(cells)
    assert "wells held out" in str(part) and part.to_dict()["held_out"] == list(part.held_out)
    assert "<p>" in part._repr_html_()


def test_profiles_one_row_per_unit():
    obs = pd.DataFrame(
        {"well": [f"w{i}" for i in range(10)], "drug": list("aabbaabbab")}, index=[f"r{i}" for i in range(10)]
    )
    cells = Cells(obs, unit="well", label="drug")
    for part in study.split(cells):
        assert sorted(cells.labels[part.test_ids]) == ["a", "b"]
