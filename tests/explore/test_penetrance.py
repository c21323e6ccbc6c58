"""Penetrance: the fraction of responding cells of a well, where it is known."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.explore import penetrance
from mlscope_nb.explore.held_out_scores import held_out_scores


def study(seed, shift=4.5, fractions=(0.2, 0.5, 0.9), n_plates=4, per_well=40, plate_sd=2.0):
    """On each plate four control wells and a well of each fraction; one cell in twenty is damaged, everywhere."""
    rng = np.random.default_rng(seed)
    rows = [(p, w, 0.0) for p in range(n_plates) for w in range(4)]
    rows += [(p, 4 + k, f) for p in range(n_plates) for k, f in enumerate(fractions)]
    plate, well, fraction = (np.repeat(column, per_well) for column in zip(*rows, strict=True))
    responds = rng.random(len(plate)) < fraction
    x = rng.normal(size=(len(plate), 10)) + plate_sd * rng.normal(size=(n_plates, 10))[plate]
    x[:, :3] += shift / np.sqrt(3) * np.exp(0.2 * rng.normal(size=len(x)))[:, None] * responds[:, None]
    x[rng.random(len(x)) < 0.05] *= 6
    obs = pd.DataFrame(
        {"plate": plate, "well": well, "drug": np.where(well > 3, "x", "none")}, index=[f"c{i}" for i in range(len(x))]
    )
    table = pd.DataFrame(x, index=obs.index).add_prefix("F")
    control = {"drug": "none"}
    cells = Cells(obs, features=table, unit=("plate", "well"), batch="plate", treatment="drug", control=control)
    return cells, pd.Series(responds, obs.index).groupby(cells.units.to_numpy()).mean()


def test_fractions_are_found_and_intervals_hold_them():
    held, near = [], []
    for seed in (0, 1):
        cells, truth = study(seed)
        found = penetrance(cells, seed=seed)
        truth = truth[found.index]
        near += list((found["fraction"] - truth).abs() <= 0.1)
        held += list((found["low"] <= truth + 1e-9) & (truth <= found["high"] + 1e-9))
        assert (found["note"] == "").all() or found["separation"].iloc[0] < 0.8
    assert np.mean(near) >= 0.8
    assert np.mean(held) >= 0.8


def test_a_treatment_that_does_nothing_has_wide_intervals_or_no_responders():
    found = penetrance(study(3, shift=0.0)[0])
    assert (found["low"] < 0.2).all()
    assert found["note"].str.startswith("weak").all()


def test_scores_are_of_models_that_did_not_see_the_plate():
    cells, _ = study(4, shift=0.0)
    rng = np.random.default_rng(0)
    many = cells.with_features(pd.DataFrame(rng.normal(size=(len(cells), 300)), index=cells.ids).add_prefix("N"))
    control = many.controls.to_numpy()
    found = held_out_scores(many, control, ~control)
    assert found.held_out == "plate"
    gap = found.values[~control].mean() - found.values[control].mean()
    assert abs(gap) < 0.25 * found.values.std()  # learned by heart, 300 features of noise would part them


def test_only_what_is_asked_for_and_bad_input():
    cells, _ = study(5, n_plates=2)
    again = penetrance(cells, groups="x")
    pd.testing.assert_frame_equal(again, penetrance(cells))
    with pytest.raises(KeyError, match="No treated cell of 'y'"):
        penetrance(cells, groups=["y"])
    with pytest.raises(ValueError, match="No control is declared"):
        penetrance(cells.with_design(control=None))
    with pytest.raises(ValueError, match="No unit is declared"):
        penetrance(cells.with_design(unit=None))
    few = cells.subset(
        np.flatnonzero(cells.controls)[:20].tolist() and (~cells.controls | (np.arange(len(cells)) < 20)).to_numpy()
    )
    with pytest.raises(ValueError, match="Only 20 control cells"):
        penetrance(few)
