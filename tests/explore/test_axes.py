"""Phenotype axes: places follow strength, are not learned by heart, and can be shown in order."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from mlscope_nb.cells import Cells
from mlscope_nb.explore import along, dose_trend, phenotype_axis


def study(seed=0, effect=4.0, n_features=12):
    rng = np.random.default_rng(seed)
    n = 600
    well = np.arange(n) % 24
    plate, kind = well // 6, np.array(["none", "x", "other"])[well % 3]
    strength = np.where(kind == "x", rng.uniform(0.2, 1.2, n), np.where(kind == "other", 0.5, 0.0))
    x = rng.normal(size=(n, n_features)) + 3 * rng.normal(size=(4, n_features))[plate]
    x[:, :4] += effect / 2 * strength[:, None]
    obs = pd.DataFrame(
        {
            "plate": plate,
            "well": well,
            "drug": kind,
            "dose": np.select([kind == "x", kind == "other"], [10.0, 1.0], 0.0),
        },
        index=[f"c{i}" for i in range(n)],
    )
    table = pd.DataFrame(x, index=obs.index).add_prefix("F")
    cells = Cells(obs, features=table, unit="well", batch="plate", treatment="drug", control={"drug": "none"})
    return cells, pd.Series(strength, obs.index)


def test_places_follow_the_strength():
    cells, strength = study()
    axis = phenotype_axis(cells, "none", "x")
    assert axis.attrs["held_out"] == "plate" and list(axis.index) == list(cells.ids)
    two = cells.obs["drug"].isin(["none", "x"]).to_numpy()
    assert spearmanr(axis[two], strength[two])[0] > 0.7
    medians = axis.groupby(cells.obs["drug"]).median()
    assert abs(medians["none"]) < 0.1 and abs(medians["x"] - 1) < 0.2
    assert 0.3 < medians["other"] < 1.1  # never learned from, placed all the same
    by_plate = axis[(cells.obs["drug"] == "none").to_numpy()].groupby(cells.obs["plate"]).median()
    assert np.ptp(by_plate) < 1e-9


def test_noise_makes_no_direction():
    cells, _ = study(1, effect=0.0, n_features=200)
    axis = phenotype_axis(cells, "none", "x")
    apart = axis.groupby(cells.obs["drug"]).mean()
    assert abs(apart["x"] - apart["none"]) < 0.3 * axis.std()


def test_ids_of_a_lasso_serve_as_groups():
    cells, strength = study(2)
    low, high = strength.nsmallest(120).index, strength.nlargest(120).index
    assert spearmanr(phenotype_axis(cells, low, high), strength)[0] > 0.6
    one_well = cells.ids[(cells.obs["well"] == 1).to_numpy()]
    with pytest.warns(UserWarning, match="single cells were held out instead"):
        axis = phenotype_axis(cells, "none", one_well)
    assert axis.attrs["held_out"] == "cell" and axis.notna().all()


def test_bad_groups_are_refused():
    cells, _ = study()
    with pytest.raises(ValueError, match="in both start and end"):
        phenotype_axis(cells, "none", cells.ids)
    with pytest.raises(KeyError, match="No group and no cell is called 'y'"):
        phenotype_axis(cells, "none", "y")
    with pytest.raises(ValueError, match="at least two cells"):
        phenotype_axis(cells, "none", ["c1"])
    flat = cells.with_features(pd.DataFrame({"F": 1.0}, index=cells.ids))
    with pytest.raises(ValueError, match="None of the features varies"):
        phenotype_axis(flat, "none", "x")


def test_a_montage_goes_from_one_end_to_the_other():
    values = pd.Series(np.r_[np.linspace(0, 10, 99), 1000.0], index=[f"c{i}" for i in range(100)])
    shown = along(values, 6)
    assert list(values[shown]) == sorted(values[shown]) and "c99" not in shown and len(set(shown)) == 6
    np.testing.assert_allclose(np.diff(values[shown]), 2, atol=0.2)
    assert len(along(values.iloc[:3], 12, trim=0)) == 3
    assert set(along(values, 4, ids=["c1", "c2", "c9", "c12"], trim=0)) == {"c1", "c2", "c9", "c12"}
    with pytest.raises(ValueError, match="n is 1"):
        along(values, 1)
    with pytest.raises(ValueError, match="No cell has a place"):
        along(values * np.nan)


def test_dose_trend_is_over_units():
    cells, _ = study(3)
    axis = phenotype_axis(cells, "none", "x")
    up = dose_trend(cells, axis, "dose", n_permutations=499)
    assert up.slope > 0.2 and up.p_value < 0.01 and (up.n_units, up.n_doses) == (24, 3)
    noise = pd.Series(np.random.default_rng(0).normal(size=len(cells)), cells.ids)
    p = [
        dose_trend(
            cells.with_obs(noise.sample(frac=1, random_state=k).set_axis(cells.ids).rename("v")),
            "v",
            "dose",
            n_permutations=199,
            seed=k,
        ).p_value
        for k in range(40)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    assert "per step of dose" in str(up) and up.to_dict()["unit"] == "well"
    with pytest.raises(ValueError, match="there is no order in it"):
        dose_trend(cells, axis, "drug")
    with pytest.raises(KeyError, match="No column 'time'"):
        dose_trend(cells, axis, "time")


def test_a_donor_on_several_plates_is_held_out_as_a_whole():
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(8), 30)
    obs = pd.DataFrame({"donor": donor, "day": np.arange(240) % 2, "kind": np.where(donor % 2, "x", "none")})
    table = pd.DataFrame(rng.normal(size=(240, 8)) + 3 * rng.normal(size=(8, 8))[donor])
    cells = Cells(obs, features=table, unit="donor", batch="day", label="kind")
    assert phenotype_axis(cells, "none", "x").attrs["held_out"] == "donor"


def test_an_infinite_value_is_no_trend():
    cells, _ = study()
    values = pd.Series(np.arange(600.0), cells.ids)
    values.iloc[3] = np.inf
    with pytest.raises(ValueError, match="1 value infinite"):
        dose_trend(cells, values, "dose")


def test_a_montage_of_chosen_cells():
    axis = pd.Series([0.0, 9, 1, 2, 8, 5], index=list("abcdef"))
    assert along(axis, 2, ids=["c", "b", "d"], trim=0).tolist() == ["c", "b"]
    assert along(axis, 2, ids=axis < 4, trim=0).tolist() == ["a", "d"]
    with pytest.raises(KeyError, match="1 id not found: 'z'"):
        along(axis, 2, ids=["a", "z"])


def test_values_that_are_missing_are_said_to_be():
    cells, _ = study()
    nothing = pd.Series(np.nan, cells.ids)
    with pytest.raises(ValueError, match="600 of 600 values in values missing: no cell can be compared"):
        dose_trend(cells, nothing, "dose")
    with pytest.raises(ValueError, match=r"in 'F0' missing: no cell can be compared.* another feature"):
        dose_trend(cells.with_features(cells.table().assign(F0=np.nan)), "F0", "dose")
    one_dose = cells.table()["F0"].where(cells.obs["dose"] == 10.0)
    with pytest.raises(ValueError, match=r"400 of 600 values in values missing: only cells with dose = '10\.0'"):
        dose_trend(cells, one_dose, "dose")


def test_an_axis_of_profiles_is_learned_from_how_those_of_a_group_differ():
    rng = np.random.default_rng(0)
    kind = np.tile(["none", "x"], 40)
    obs = pd.DataFrame({"well": np.arange(80), "plate": np.arange(80) // 16, "drug": kind})
    table = pd.DataFrame(rng.normal(size=(80, 5)) * [1, 1, 1, 1, 20] + 2 * (kind == "x")[:, None])
    for times in (1, 3):
        part = pd.concat([obs] * times, ignore_index=True), pd.concat([table] * times, ignore_index=True)
        cells = Cells(part[0], features=part[1], unit="well", batch="plate", label="drug")
        axis = phenotype_axis(cells, "none", "x").to_numpy()[:80]
        told = (axis > 0.5) == (kind == "x")
        assert told.mean() > 0.9
