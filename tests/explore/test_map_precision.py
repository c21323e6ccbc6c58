"""Which treatments are distinguishable: the same answers as copairs, and honest ones where nothing is planted."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.explore import map_precision, unit_profiles
from tests.reference.peers_map import profiles

PEERS = json.loads((Path(__file__).parents[1] / "reference" / "peers_map.json").read_text(encoding="utf-8"))


def wells():
    values, obs = profiles()
    table = pd.DataFrame(values, index=obs.index).add_prefix("F")
    control = {"drug": "DMSO"}
    return Cells(obs, features=table, unit=("plate", "well"), batch="plate", treatment="drug", control=control)


def plates(seed, effect, *, plate_sd=3.0):
    rng = np.random.default_rng(seed)
    rows = [(p, w, d) for p in "1234" for w, d in enumerate(rng.permutation(["none"] * 4 + ["x"] * 2 + ["y"] * 2))]
    obs = pd.DataFrame([r for r in rows for _ in range(12)], columns=["plate", "well", "drug"])
    well = np.repeat(np.arange(len(rows)), 12)
    x = rng.normal(size=(len(obs), 8)) + rng.normal(scale=0.3, size=(len(rows), 8))[well]
    x += plate_sd * rng.normal(size=(4, 8))[obs["plate"].astype(int) - 1]
    x[(obs["drug"] == "x").to_numpy(), :2] += effect
    table = pd.DataFrame(x).add_prefix("F")
    control = {"drug": "none"}
    return Cells(obs, features=table, unit=("plate", "well"), batch="plate", treatment="drug", control=control)


@pytest.mark.parametrize("question", ["activity", "consistency"])
def test_scores_nulls_and_rates_agree_with_copairs(question):
    found = map_precision(wells(), profiles="features", n_null=100_000)
    found = found[found["question"] == question].set_index("group").loc[PEERS[question]["drug"]]
    np.testing.assert_allclose(found["mean_average_precision"], PEERS[question]["map"], atol=1e-9)
    # Other random rankings: each p-value is a share of 100,000.
    error = np.sqrt(np.array(PEERS[question]["p"]) / 100_000)
    assert (np.abs(found["p_value"] - PEERS[question]["p"]) < 5 * error).all()
    assert (np.abs(found["q_value"] - PEERS[question]["q"]) < 15 * error).all()


def test_a_planted_effect_is_told_and_nothing_is_not():
    found = map_precision(plates(0, 1.5), n_null=2000)
    verdict = found.set_index(["question", "group"])["verdict"]
    assert verdict["activity", "x"] == "distinguishable" and verdict["consistency", "x"] == "distinguishable"
    assert verdict["activity", "y"] == "not distinguishable"
    assert "1 of 2 groups can be told from the controls" in found.attrs["words"]
    assert "which does not prove them alike" in found.attrs["words"]


def test_without_effects_few_are_called_distinguishable():
    p = np.concatenate([map_precision(plates(seed, 0.0), n_null=400)["p_value"] for seed in range(10, 40)])
    assert (p < 0.05).mean() < 0.09
    assert np.median(p) > 0.3


def test_plates_and_copies_of_cells_change_nothing():
    cells = plates(1, 1.0)
    other = plates(1, 1.0, plate_sd=0.0)
    np.testing.assert_allclose(
        np.ptp(unit_profiles(cells).values, axis=0), np.ptp(unit_profiles(other).values, axis=0), rtol=0.5
    )
    twice = pd.concat([cells.obs, cells.obs.set_axis(cells.ids + "x")])
    table = pd.concat([cells.table(), cells.table().set_axis(cells.ids + "x")])
    copied = Cells(
        twice, features=table, unit=("plate", "well"), batch="plate", treatment="drug", control={"drug": "none"}
    )
    a, b = (map_precision(c, n_null=500) for c in (cells, copied))
    pd.testing.assert_frame_equal(a, b)


def test_a_design_without_what_is_needed_says_so():
    cells = plates(2, 1.0)
    no_controls = map_precision(cells.with_design(control=None), n_null=200)
    assert set(no_controls["question"]) == {"consistency"}
    assert "No activity: no control is declared." in no_controls.attrs["words"]
    one_plate = cells.where("plate == '1'")
    assert set(map_precision(one_plate, n_null=200)["question"]) == {"activity"}
    with pytest.raises(ValueError, match="No unit is declared"):
        map_precision(cells.with_design(unit=None))
    with pytest.raises(ValueError, match="No treatment is declared"):
        map_precision(cells.with_design(treatment=None))
    with pytest.raises(KeyError, match="No column 'drugg'"):
        map_precision(cells, by="drugg")
    mixed = cells.with_obs(pd.Series(np.arange(len(cells)) % 2, cells.ids, name="odd"))
    with pytest.raises(ValueError, match="differs between cells of a unit"):
        map_precision(mixed, by="odd")


def test_units_on_several_plates_are_refused():
    obs = pd.DataFrame({"donor": np.arange(24) % 6, "plate": np.arange(24) // 12})
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(24, 3)))
    with pytest.raises(ValueError, match="6 units in more than one batch"):
        unit_profiles(Cells(obs, features=table, unit="donor", batch="plate"))


def test_lists_and_dictionaries_in_obs_do_not_matter():
    cells = plates(6001, 2.0)
    more = pd.DataFrame({"tags": [["a"]] * len(cells), "own": [{"cell": i} for i in range(len(cells))]}, cells.ids)
    pd.testing.assert_frame_equal(map_precision(cells.with_obs(more), n_null=100), map_precision(cells, n_null=100))
