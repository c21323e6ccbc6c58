"""Learning curves: units and not cells, smaller studies of the same kind, and extrapolation that holds."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict import learning_curve
from mlscope_nb.predict.effective_units import noise_ratios
from mlscope_nb.predict.power_law import Measured, foreseen
from mlscope_nb.predict.subsets import arcs, on_a_circle, unit_table

NONE = np.zeros((4, 4))


def many(n, seed=0, per_plate=12):
    """Wells of three classes on plates, with their names in no order that matters."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"label": np.array(list("xyz"))[np.arange(n) % 3], "batch": np.arange(n) // per_plate})
    return table.set_index(rng.permutation([f"w{i:03d}" for i in range(n)]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_parts", [2, 3, 4])
def test_units_are_dealt_to_smaller_studies_of_the_same_kind(seed, n_parts):
    wells = many(48, seed)
    parts = arcs(on_a_circle(wells, np.random.default_rng(seed)), 1 / n_parts)
    assert sorted(unit for part in parts for unit in part) == sorted(wells.index)
    for part in parts:
        counts = wells.loc[part, "label"].value_counts()
        assert len(counts) == 3 and counts.max() - counts.min() <= 1
        # No class has three wells of one plate while another plate has none.
        each = wells.loc[part].groupby("label")["batch"].value_counts().unstack(fill_value=0)
        assert (each.max(axis=1) - each.reindex(columns=range(4), fill_value=0).min(axis=1)).max() <= 1
        on_plates = wells.loc[part, "batch"].value_counts().reindex(range(4), fill_value=0)
        assert on_plates.max() - on_plates.min() <= 3


def test_arcs_that_overlap_cover_all_units():
    place = pd.Series(np.arange(10) / 10, list("abcdefghij"))
    parts = arcs(place, 0.7)
    assert [len(part) for part in parts] == [7, 7] and set(parts[0]) | set(parts[1]) == set(place.index)


def test_the_last_size_is_what_cross_validation_finds(study):
    cells = study(n_plates=4, n_wells=8)
    found = learning_curve(cells, n_draws=3, progress=False)
    whole = ms.predict.cross_validate(cells, by="batch", baselines=False, progress=False)
    last = found[found["kind"] == "measured"].iloc[-1]
    assert last["n_units"] == 24 and last["n_study_units"] == 32
    assert last["balanced_accuracy"] == pytest.approx(whole.balanced_accuracy)
    assert found["n_units"].tolist()[-2:] == [48, 96]
    assert found["n_units"].is_monotonic_increasing


def test_a_size_is_smaller_studies_that_train_and_test_on_whole_units(study):
    cells = study(n_plates=3, n_wells=8)
    seen = []

    class Spied:
        def __init__(self, train):
            self.units, self.n_classes = set(train.units), train.labels.nunique()
            self.n_cells = train.units.value_counts().unique().tolist()
            self.model = ms.predict.train_model(train)

        def predict_proba(self, test):
            seen.append((len(self.units), test.units.nunique(), self.n_cells, self.n_classes))
            assert self.units.isdisjoint(test.units)
            return self.model.predict_proba(test)

    found = learning_curve(cells, lambda train: Spied(train), sizes=[4, 8], n_draws=3, progress=False)
    assert found["n_units"].tolist()[:3] == [4, 8, 16]
    # Four parts of six wells train on four of them, two parts of twelve on eight.
    assert np.mean([n for n, *_ in seen[-3 * 4 * 3 :]]) == pytest.approx(4, abs=0.3)
    assert all(n_cells == [8] and n_classes == 2 for *_, n_cells, n_classes in seen)
    tested = sum(n for _, n, *_ in seen)
    # The whole once, and three ways to deal the units for each of the other sizes, each well tested once.
    assert tested == 24 * (1 + 3 + 3)


def test_controls_are_lent_to_smaller_studies_that_have_none_on_a_plate(study):
    cells = study(n_plates=4, n_wells=8, control=True)
    found = learning_curve(cells, normalize="standardize", n_draws=3, progress=False)
    assert found["n_units"].min() < 12
    assert any("normalised to controls" in note for note in found.attrs["notes"])
    whole = ms.predict.cross_validate(cells, by="batch", normalize="standardize", baselines=False, progress=False)
    last = found[found["kind"] == "measured"].iloc[-1]
    assert last["balanced_accuracy"] == pytest.approx(whole.balanced_accuracy)


def test_the_order_of_cells_and_copies_of_them_change_nothing(study, doubled):
    cells = study(n_plates=3, n_wells=8, n_cells=5)
    once = learning_curve(cells, n_draws=3, progress=False)
    for other in (doubled(cells), cells.subset(cells.ids[::-1])):
        again = learning_curve(other, n_draws=3, progress=False)
        pd.testing.assert_frame_equal(once, again, atol=1e-6)


def test_more_cells_of_the_same_units_leave_the_numbers_of_units(study):
    few, many_cells = (learning_curve(study(n_cells=k), n_draws=3, progress=False) for k in (4, 40))
    assert few["n_units"].tolist() == many_cells["n_units"].tolist()


def test_a_power_law_is_carried_on():
    n = np.array([8.0, 16, 32, 64])
    for c in (0.5, 1.0):
        law = 0.9 - 1.2 * n**-c
        measured = Measured(n, np.repeat(law[:, None], 5, axis=1), NONE, NONE, 80)
        curves, studies = foreseen(measured, np.array([128.0]), np.append(n, 128)[None])
        assert np.median(curves, axis=0) == pytest.approx(0.9 - 1.2 * np.append(n, 128) ** -c, abs=0.02)
        np.testing.assert_allclose(np.median(curves, axis=0)[-1], np.median(studies, axis=0)[-1], atol=0.01)


def test_a_curve_that_falls_is_taken_as_flat():
    n = np.array([8.0, 16, 32, 64])
    measured = Measured(n, np.repeat([[0.6], [0.58], [0.55], [0.53]], 5, axis=1), NONE, NONE, 80)
    curves, _ = foreseen(measured, np.array([128.0]), np.append(n, 128)[None])
    assert 0.52 < np.median(curves[:, -1]) < 0.6


def test_what_is_not_known_makes_intervals_wider():
    rng = np.random.default_rng(0)
    n = np.array([8.0, 16, 32, 64])
    law, noise = (0.9 - 1.2 / n)[:, None], rng.normal(size=(4, 5)) * np.array([1, 1, 1, 0])[:, None]

    def width(dealt=0.0, units=0.0, fixed=0.0, freedom=80, luck=0.0, worth=(1.0,)):
        measured = Measured(n, law + dealt * noise, NONE + units, NONE + fixed, freedom, luck)
        effective = np.array([np.append(n, 64 + 64 * w) for w in worth])
        studies = foreseen(measured, np.array([128.0]), effective)[1]
        return np.ptp(np.quantile(studies[:, -1], [0.1, 0.9]))

    quiet = width()
    assert quiet < width(dealt=0.02)
    assert quiet < width(units=1e-3) < width(units=1e-3, freedom=2)
    assert quiet < width(luck=1e-3) and quiet < width(worth=(0.0, 1.0))
    # Tests that stay the same have the same error for the larger study.
    assert width(fixed=1e-3) == pytest.approx(quiet, abs=0.01)


def test_wells_of_one_plate_are_worth_less_where_plates_differ():
    rng = np.random.default_rng(0)
    wells = pd.DataFrame({"label": np.repeat(list("abc"), 24), "batch": np.tile(np.repeat(range(6), 4), 3)})
    plate = rng.normal(size=(6, 9))[wells["batch"]]
    both = rng.normal(size=(18, 9))[wells.groupby(["label", "batch"]).ngroup()]
    noise = rng.normal(size=(72, 9))
    raw, scaled = (np.median(noise_ratios(2 * plate + noise, wells, normalized=yes)) for yes in (False, True))
    assert raw == pytest.approx(0.2, abs=0.1) and scaled > 0.9
    assert np.median(noise_ratios(both + noise, wells, normalized=True)) == pytest.approx(0.5, abs=0.12)
    # One well of each class on each plate cannot tell.
    alone = wells.groupby(["label", "batch"]).head(1)
    assert np.ptp(noise_ratios(noise[alone.index], alone.reset_index(drop=True))) > 0.9


def test_classes_that_lie_unevenly_over_plates_make_the_interval_wider(study):
    cells = study(n_plates=4, n_wells=12, n_cells=4, plate=2.0)
    wells = cells.obs.drop_duplicates(["plate", "well"]).assign(n=lambda t: t.groupby(["plate", "drug"]).cumcount())
    # Three of six wells on each plate, or six of one class and none of the other in turn.
    even = cells.subset(cells.units.isin(cells.units[wells.index[wells["n"] < 4]]).to_numpy())
    odd = wells["plate"].isin(["p0", "p1"]) == (wells["drug"] == "a")
    kept = np.where(odd, wells["n"] < 6, wells["n"] < 2)
    uneven = cells.subset(cells.units.isin(cells.units[wells.index[kept]]).to_numpy())
    rows = [learning_curve(c, n_draws=3, progress=False).iloc[-2] for c in (even, uneven)]
    assert rows[0]["n_units"] == rows[1]["n_units"]
    assert rows[0]["high"] - rows[0]["low"] < rows[1]["high"] - rows[1]["low"]


@pytest.mark.slow
def test_intervals_from_half_of_the_wells_hold_what_all_of_them_show(study):
    held, widths = 0, []
    for seed in range(10):
        cells = study(n_plates=4, n_wells=16, n_cells=10, n_features=12, effect=1.0, well=0.4, seed=seed)
        half = cells.subset(ms.study.split(cells, n_splits=2, seed=seed)[0].train_ids)
        row = learning_curve(half, n_draws=3, extrapolate_to=48, level=0.95, progress=False).iloc[-1]
        whole = ms.predict.cross_validate(cells, by="batch", baselines=False, progress=False).balanced_accuracy
        held += row["low"] <= whole <= row["high"]
        widths.append(row["high"] - row["low"])
    # Of ten 95 % intervals fewer than eight hold once in ninety times.
    assert held >= 8
    assert max(widths) < 0.2


def test_where_tests_are_locked_the_test_does_not_grow(study):
    cells = study(n_plates=4, n_wells=8, well=1.0)
    locked = (cells.batches_of == "p3").to_numpy()
    part = [ms.study.Split(cells.ids[~locked], cells.ids[locked])]
    found = learning_curve(cells, splits=part, n_draws=3, progress=False)
    assert "trained on." in found.attrs["notes"][3]
    assert found["n_units"].max() == 96


def test_notes_say_what_the_interval_is_about_and_what_new_plates_do(study):
    notes = learning_curve(study(), n_draws=3, progress=False).attrs["notes"]
    assert any("Foreseen for 36 (48 in the whole study)" in n for n in notes)
    assert any("on the same plates" in n and "trained and tested on" in n for n in notes)
    assert any("do not narrow what plates differ by" in n for n in notes)


def test_labels_that_vary_within_units_keep_all_classes_in_training(study):
    cells = study(n_plates=2, n_wells=6)
    rng = np.random.default_rng(0)
    mixed = cells.with_obs(pd.Series(rng.choice(list("aaab"), len(cells)), cells.ids, name="drug"))
    table = unit_table(mixed.units, mixed.labels, mixed.batches_of)
    assert set(table.index) == set(mixed.units) and table["label"].value_counts()["b"] >= 4
    assert len(learning_curve(mixed, n_draws=3, progress=False)) > 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "cell"}, "seem to bring nothing"),
        ({"n_draws": 2}, "3 at least"),
        ({"sizes": [1, 9]}, "misses a class"),
        ({"sizes": [18]}, "some of them below 18"),
        ({"sizes": [4, 8, 60]}, "none beyond"),
        ({"extrapolate_to": 10}, "larger numbers"),
    ],
)
def test_what_cannot_be_is_refused(study, options, said):
    with pytest.raises(ValueError, match=said):
        learning_curve(study(), progress=False, **options)


def test_too_few_units_are_refused(study):
    with pytest.raises(ValueError, match="too few for a curve"):
        learning_curve(study(n_plates=2, n_wells=2), progress=False)
    with pytest.raises(ValueError, match="2 wells of every class, to hold out one"):
        learning_curve(study(n_plates=3, n_wells=4, n_classes=4), progress=False)
    with pytest.raises(ValueError, match="No label"):
        learning_curve(study().with_design(label=None))


def test_classes_that_some_plates_lack_are_said_to_make_the_curve_unsure(study):
    cells = study(n_plates=4, n_wells=8)
    three = study(n_plates=4, n_wells=6, n_classes=3)
    lacking = three.subset(~((three.labels == "c") & (three.batches_of == "p0")).to_numpy())
    for made, said in ((lacking, "spread unevenly: 1 pair"), (study(n_wells=2, n_plates=6), "one well on a plate")):
        notes = learning_curve(made, n_draws=3, progress=False).attrs["notes"]
        assert any(said in n for n in notes)
    assert not any("unevenly" in n for n in learning_curve(cells, n_draws=3, progress=False).attrs["notes"])
