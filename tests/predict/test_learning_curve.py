"""Learning curves: units and not cells, nested subsets, the same tests, and extrapolation that holds."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict import learning_curve
from mlscope_nb.predict.power_law import Measured, foreseen
from mlscope_nb.predict.subsets import nested_order, orders


def many(n, seed=0, per_plate=12):
    """Wells of three classes on plates, with their names in no order that matters."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"label": np.array(list("xyz"))[np.arange(n) % 3], "batch": np.arange(n) // per_plate})
    return table.set_index(rng.permutation([f"w{i:03d}" for i in range(n)]))


@pytest.mark.parametrize("seed", range(5))
def test_every_beginning_of_an_order_is_a_smaller_study(seed):
    wells = many(48, seed)
    order = nested_order(wells, np.random.default_rng(seed))
    assert sorted(order) == sorted(wells.index)
    assert set(wells.loc[order[:3], "label"]) == set("xyz")
    for n in (12, 24, 36):
        counts = wells.loc[order[:n], "label"].value_counts()
        assert counts.max() - counts.min() <= 3
        # No class has two wells of one plate while another plate has none.
        each = wells.loc[order[:n]].groupby("label")["batch"].value_counts().unstack(fill_value=0)
        assert (each.max(axis=1) - each.reindex(columns=range(4), fill_value=0).min(axis=1)).max() <= 1


def test_the_last_size_is_what_cross_validation_finds(study):
    cells = study(n_plates=4, n_wells=8)
    found = learning_curve(cells, n_draws=3, progress=False)
    whole = ms.predict.cross_validate(cells, by="batch", baselines=False, progress=False)
    last = found[found["kind"] == "measured"].iloc[-1]
    assert last["n_units"] == 24 and last["n_study_units"] == 32
    assert last["balanced_accuracy"] == pytest.approx(whole.balanced_accuracy)
    assert found["n_units"].tolist()[-2:] == [48, 96]
    assert found["n_units"].is_monotonic_increasing


def test_a_size_is_a_training_on_so_many_whole_units(study):
    cells = study(n_plates=3, n_wells=8)
    seen = []

    def spy(train):
        seen.append((train.units.nunique(), train.units.value_counts().unique().tolist(), train.labels.nunique()))
        return ms.predict.train_model(train)

    learning_curve(cells, spy, sizes=[4, 8, 16], n_draws=3, progress=False)
    assert sorted({n for n, _, _ in seen}) == [4, 8, 16]
    assert all(sizes == [8] and classes == 2 for _, sizes, classes in seen)
    # Three draws of two sizes and one of all, over three plates.
    assert len(seen) == (2 * 3 + 1) * 3


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
        measured = Measured(n, np.repeat(law[:, None], 5, axis=1), 64, np.zeros((4, 4)), 0.0, 80)
        curves, studies = foreseen(measured, np.array([64.0, 128.0]), grows=True)
        assert np.median(curves, axis=0) == pytest.approx(0.9 - 1.2 * np.array([64, 128]) ** -c, abs=0.01)
        np.testing.assert_allclose(curves, studies, atol=0.01)


def test_a_curve_that_falls_is_taken_as_flat():
    n = np.array([8.0, 16, 32, 64])
    measured = Measured(n, np.repeat([[0.6], [0.58], [0.55], [0.53]], 5, axis=1), 64, np.zeros((4, 4)), 0.0, 80)
    curves, _ = foreseen(measured, np.array([128.0]), grows=True)
    assert 0.52 < np.median(curves) < 0.6


def test_noise_of_draws_and_of_tested_units_makes_intervals_wider():
    rng = np.random.default_rng(0)
    n = np.array([8.0, 16, 32, 64])
    law = (0.9 - 1.2 / n)[:, None]

    def width(noise, tested, grows):
        scores = law + noise * rng.normal(size=(4, 5)) * np.array([1, 1, 1, 0])[:, None]
        measured = Measured(n, scores, 64, np.eye(4) * 1e-6, tested, 80)
        return np.ptp(np.quantile(foreseen(measured, np.array([128.0]), grows=grows)[1], [0.1, 0.9]))

    quiet = width(0.0, 0.0, True)
    assert quiet < width(0.02, 0.0, True)
    assert quiet < width(0.0, 0.05, True)
    assert width(0.0, 0.05, False) == pytest.approx(quiet, abs=0.01)


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
    rng = np.random.default_rng(1)
    parts = ms.study.leave_one_out(mixed)
    for order, part in zip(orders(mixed.units, mixed.labels, mixed.batches_of, parts, rng), parts, strict=True):
        assert set(order) == set(mixed.units[part.train_ids])
    assert len(learning_curve(mixed, n_draws=3, progress=False)) > 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "cell"}, "seem to bring nothing"),
        ({"n_draws": 2}, "3 at least"),
        ({"sizes": [1, 4, 8]}, "miss a class"),
        ({"sizes": [4, 8]}, "three numbers"),
        ({"sizes": [4, 8, 60]}, "to 18"),
        ({"extrapolate_to": 10}, "larger numbers"),
    ],
)
def test_what_cannot_be_is_refused(study, options, said):
    with pytest.raises(ValueError, match=said):
        learning_curve(study(), progress=False, **options)


def test_too_few_units_are_refused(study):
    with pytest.raises(ValueError, match="too few for a curve"):
        learning_curve(study(n_plates=2, n_wells=2), progress=False)
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
