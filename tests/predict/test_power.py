"""Power: held to t tests of simulated studies, and variances to those that studies were made of."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlscope_nb as ms
from mlscope_nb.predict.planning import power, power_of_t
from mlscope_nb.predict.variances import Variances, variance_components

TRUE = {"cells": 1.0, "wells": 0.2, "class_on_plate": 0.1, "plates": 0.5}


def study(n_plates=6, wells=8, n_cells=10, seed=0, effect=0.0, true=TRUE):
    """One measurement of wells of two classes on plates."""
    rng = np.random.default_rng(seed)
    rows = [(f"p{p}", f"p{p}w{w}", "xy"[w % 2]) for p in range(n_plates) for w in range(wells) for _ in range(n_cells)]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    sd = {k: np.sqrt(v) for k, v in true.items()}
    plate = np.repeat(rng.normal(size=n_plates) * sd["plates"], wells * n_cells)
    mixed = rng.normal(size=(n_plates, 2)) * sd["class_on_plate"]
    code = (obs["drug"] == "y").to_numpy().astype(int)
    number = np.repeat(np.arange(n_plates), wells * n_cells)
    well = np.repeat(rng.normal(size=n_plates * wells) * sd["wells"], n_cells)
    obs["area"] = plate + mixed[number, code] + well + effect * code + rng.normal(size=len(obs)) * sd["cells"]
    return ms.Cells(obs, label="drug", unit="well", batch="plate")


def simulated(n_studies, n_plates, per_group, n_cells, effect, rng, layout="within", true=TRUE):
    """Well means (studies, plates, groups, wells) of many studies at once."""

    def draw(name, *shape):
        return np.sqrt(true[name]) * rng.normal(size=(n_studies, *shape))

    if layout == "between":
        wells = draw("plates", 2, n_plates // 2, 1) + draw("class_on_plate", 2, n_plates // 2, 1)
        own = draw("wells", 2, n_plates // 2, per_group) + draw("cells", 2, n_plates // 2, per_group) / n_cells**0.5
        return wells + own + effect * np.array([0, 1])[:, None, None]
    wells = draw("plates", n_plates, 1, 1) + draw("class_on_plate", n_plates, 2, 1)
    own = draw("wells", n_plates, 2, per_group) + draw("cells", n_plates, 2, per_group) / n_cells**0.5
    return wells + own + effect * np.array([0, 1])[:, None]


def share_within(share, expected, n):
    """Whether a share of n trials agrees with what was expected, to 4 standard errors."""
    return abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize(("n_plates", "wells"), [(4, 8), (6, 4), (10, 2)])
def test_power_for_new_plates_is_the_share_of_simulated_studies_that_find_the_effect(n_plates, wells):
    found = power(TRUE, effect=0.6, n_plates=n_plates, wells_per_plate=wells, cells_per_well=20).iloc[0]
    means = simulated(4000, n_plates, wells // 2, 20, 0.6, np.random.default_rng(1))
    differences = means[:, :, 1].mean(-1) - means[:, :, 0].mean(-1)
    p = stats.ttest_1samp(differences, 0, axis=1).pvalue
    assert share_within((p < 0.05).mean(), found["power"], 4000)


@pytest.mark.parametrize(("n_plates", "wells"), [(1, 12), (3, 6)])
def test_power_for_new_wells_agrees_with_the_interval_within_plates(n_plates, wells):
    true = {**TRUE, "class_on_plate": 0.0}
    found = power(true, effect=0.7, target="wells", n_plates=n_plates, wells_per_plate=wells, cells_per_well=5).iloc[0]
    means = simulated(3000, n_plates, wells // 2, 5, 0.7, np.random.default_rng(2), true=true)
    # Least squares with one level per plate, as difference_interval does.
    y, x = means - means.mean((2, 3), keepdims=True), np.array([-0.5, 0.5])[:, None]
    estimate = (y * x).sum((1, 2, 3)) / (n_plates * wells / 4)
    rest = ((y - estimate[:, None, None, None] * x) ** 2).sum((1, 2, 3)) / (n_plates * wells - n_plates - 1)
    t = estimate / np.sqrt(rest / (n_plates * wells / 4))
    p = 2 * stats.t.sf(np.abs(t), n_plates * wells - n_plates - 1)
    assert share_within((p < 0.05).mean(), found["power"], 3000)


def test_power_between_plates():
    found = power(TRUE, effect=1.5, layout="between", n_plates=8, wells_per_plate=3, cells_per_well=20).iloc[0]
    means = simulated(4000, 8, 3, 20, 1.5, np.random.default_rng(3), layout="between").mean(-1)
    p = stats.ttest_ind(means[:, 0], means[:, 1], axis=1).pvalue
    assert share_within((p < 0.05).mean(), found["power"], 4000)


def test_without_an_effect_the_share_would_be_the_level():
    assert power_of_t(1e-9, 1.0, 12) == pytest.approx(0.05, abs=1e-6)
    assert power_of_t(1.0, 1.0, 0) == 0
    assert power_of_t(1e6, 1.0, 10) == 1


def test_the_fewest_wells_are_enough_and_two_less_are_not():
    found = power(TRUE, effect=0.8, cells_per_well=20)
    row = found[found["enough"]].iloc[0]
    assert row["power"] >= 0.8
    less = power(
        TRUE,
        effect=0.8,
        n_plates=int(row["n_plates"]),
        wells_per_plate=int(row["wells_per_plate"]) - 2,
        cells_per_well=20,
    )
    assert not less["enough"].any()


def test_more_cells_are_no_substitute_for_wells():
    few, many = (
        power(TRUE, effect=0.5, n_plates=4, wells_per_plate=4, cells_per_well=k)["power"][0] for k in (50, 5000)
    )
    wells = power(TRUE, effect=0.5, n_plates=4, wells_per_plate=16, cells_per_well=50)["power"][0]
    plates = power(TRUE, effect=0.5, n_plates=16, wells_per_plate=4, cells_per_well=50)["power"][0]
    assert many - few < 0.05 < wells - few < plates - few


def test_variances_of_a_large_pilot_are_those_it_was_made_of():
    found = [variance_components("area", study(12, 8, 10, seed=s)) for s in range(12)]
    for name, true in TRUE.items():
        values = np.array([getattr(f, name) for f in found])
        assert abs(values.mean() - true) < 4 * values.std(ddof=1) / np.sqrt(len(values)) + 0.01, name


@pytest.mark.parametrize("seed", [3, 6])
@pytest.mark.parametrize("cells_per_well", [None, 40])
def test_copies_of_cells_change_nothing(seed, cells_per_well):
    # Wells that differ by nothing but their cells: with seed 6 their variance is estimated as 0.
    pilot = study(4, 6, 5, seed=seed, true={**TRUE, "wells": 0.0})
    twice = doubled_obs(pilot)
    once, again = (power(p, "area", effect=0.5, cells_per_well=cells_per_well) for p in (pilot, twice))
    pd.testing.assert_frame_equal(once, again)
    assert "120 copies of cells left out." in again.attrs["notes"]


def test_equal_counts_are_no_copies_and_equal_features_are():
    pilot = study(4, 6, 5, seed=3)
    obs = pilot.obs.assign(area=np.tile([1.0, 2.0, 2.0, 3.0, 3.0], len(pilot) // 5) + np.arange(len(pilot)) // 5 % 3)
    counts = ms.Cells(obs, label="drug", unit="well", batch="plate")
    assert variance_components("area", counts).cells_per_well == pytest.approx(5)
    table = obs[["area"]].assign(AreaShape_Area=obs["area"] / 3)
    measured = ms.Cells(obs, features=table[["AreaShape_Area"]], label="drug", unit="well", batch="plate")
    assert variance_components("area", measured).cells_per_well == pytest.approx(3)


def doubled_obs(cells):
    obs = cells.obs
    both = pd.concat([obs, obs.rename(index=lambda i: f"{i}-copy")])
    return ms.Cells(both, label="drug", unit="well", batch="plate")


def test_a_pilot_is_trusted_less_the_smaller_it_is():
    small, large = (power(study(p, 4, 5, seed=1), "area", effect=0.8, n_plates=6, wells_per_plate=4) for p in (3, 30))
    assert (small["power_cautious"] < small["power"]).all()
    assert (large["power"] - large["power_cautious"])[0] < (small["power"] - small["power_cautious"])[0]


def test_the_answer_is_a_sentence_with_its_target():
    notes = power(study(), "area", effect=0.8).attrs["notes"]
    assert "probability or more by" in notes[0]
    assert "new plates" in notes[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"effect": 0}, "difference that matters"),
        ({"effect": 1, "n_plates": 2}, "3 or more"),
        ({"effect": 1, "wells_per_plate": 3}, "even"),
        ({"effect": 1, "layout": "between", "n_plates": 7}, "even number of plates"),
        ({"effect": 1, "target": "cells"}, "target 'cells'"),
        ({"effect": 1, "cells_per_well": 0}, "cells_per_well"),
    ],
)
def test_what_cannot_be_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        power(TRUE, **{"cells_per_well": 20, **options})


def test_pilots_that_cannot_say_are_refused():
    with pytest.raises(ValueError, match="Which measurement"):
        power(study(), effect=1)
    with pytest.raises(ValueError, match="replicates"):
        variance_components("area", study(3, 2, 5))
    with pytest.raises(ValueError, match="expected 'wells'"):
        power({"well": 1.0}, effect=1)
    with pytest.raises(ValueError, match="0 or more"):
        Variances(cells=-1.0, wells=1.0)
    with pytest.raises(TypeError, match="pilot"):
        power([1, 2], effect=1)


def test_one_plate_says_nothing_about_others():
    found = power(study(1, 8, 5), "area", effect=1.0)
    assert any("One batch only" in n for n in found.attrs["notes"])
    assert found["n_plates"].min() == 1
