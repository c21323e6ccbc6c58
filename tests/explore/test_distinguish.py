"""What distinguishes chosen cells: effects and intervals against plain loops, measured coverage, refusals."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

import mlscope_nb as ms

distinguish = ms.explore.distinguish


def study(n_units=30, per=20, n_features=6, seed=0, shift=0.0, whole=False, gaps=0.0, **design):
    """Cells with unit effects of their own for each feature, of which some are chosen; the true effect is `shift`."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), rng.integers(per // 2, per * 2, n_units))
    share = rng.uniform(0.1, 0.6, n_units)
    chosen = np.isin(unit, rng.permutation(n_units)[::2]) if whole else rng.random(len(unit)) < share[unit]
    values = 0.7 * rng.normal(size=(n_units, n_features))[unit] + rng.normal(size=(len(unit), n_features))
    values += shift * math.sqrt(1.49) * chosen[:, None]
    if gaps:
        values[rng.random(values.shape) < gaps] = np.nan
    ids = [f"c{i}" for i in range(len(unit))]
    table = pd.DataFrame(values, ids, [f"f{i}" for i in range(n_features)])
    obs = pd.DataFrame({"well": [f"w{u}" for u in unit]}, index=ids)
    return ms.Cells(obs, features=table, **{"unit": "well", **design}), pd.Series(chosen, ids)


def plainly(values, chosen, units, level=0.95):
    """The same numbers for one feature, the way one would do it by hand: leave out each unit in turn."""

    def effect(rows):
        x, y = values[rows & chosen], values[rows & ~chosen]
        pooled = math.sqrt((((x - x.mean()) ** 2).sum() + ((y - y.mean()) ** 2).sum()) / (len(x) + len(y)))
        return (x.mean() - y.mean()) / pooled

    known = np.isfinite(values)
    names = np.unique(units[known])
    without = np.array([effect(known & (units != name)) for name in names])
    error = math.sqrt((len(names) - 1) / len(names) * ((without - without.mean()) ** 2).sum())
    fewer = min(len(np.unique(units[known & chosen])), len(np.unique(units[known & ~chosen])))
    middle, half = effect(known), student.ppf((1 + level) / 2, fewer - 1) * error
    return [middle, middle - half, middle + half, fewer, values[known & chosen].mean(), values[known & ~chosen].mean()]


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("whole", [False, True])
def test_the_numbers_are_those_of_a_plain_loop(gaps, whole):
    cells, chosen = study(n_units=9, per=8, shift=0.8, gaps=gaps, whole=whole, seed=4)
    found = distinguish(cells, chosen, level=0.9)
    columns = ["effect", "low", "high", "n_units", "mean_selected", "mean_others"]
    assert list(found.columns) == columns and found.index.name == "feature"
    units = cells.units.to_numpy()
    for name in cells.features.columns:
        expected = plainly(cells.features[name].to_numpy(float), chosen.to_numpy(), units, 0.9)
        np.testing.assert_allclose(found.loc[name].to_numpy(float), expected, rtol=1e-10)
    assert found.attrs["reason"] == "" and found.attrs["history"][0]["step"] == "distinguish"


def test_a_feature_missing_in_whole_units_rests_on_the_others():
    cells, chosen = study(n_units=9, per=8, seed=4)
    table = cells.features.copy()
    table.loc[cells.units.isin(["w0", "w1"]).to_numpy(), "f0"] = np.nan
    found = distinguish(cells.with_features(table), chosen)
    expected = plainly(table["f0"].to_numpy(), chosen.to_numpy(), cells.units.to_numpy())
    np.testing.assert_allclose(found.loc["f0"].to_numpy(float), expected, rtol=1e-10)
    assert found.loc["f0", "n_units"] == 7 and found.loc["f1", "n_units"] == 9


@pytest.mark.parametrize("whole", [False, True])
def test_copying_every_cell_changes_nothing(whole):
    cells, chosen = study(n_units=7, shift=0.5, whole=whole, gaps=0.1)
    twice = cells.obs.index.repeat(3) + ["", "x", "y"] * len(cells)
    copied = ms.Cells(
        cells.obs.loc[cells.ids.repeat(3)].set_axis(twice),
        features=cells.features.loc[cells.ids.repeat(3)].set_axis(twice),
        unit="well",
    )
    once, thrice = distinguish(cells, chosen), distinguish(copied, chosen.to_numpy().repeat(3))
    pd.testing.assert_frame_equal(once, thrice, rtol=1e-9)


def test_the_order_of_cells_and_the_scale_of_a_feature_do_not_matter():
    cells, chosen = study(shift=0.5)
    first = distinguish(cells, chosen)
    mixed = cells.subset(np.random.default_rng(1).permutation(cells.ids))
    pd.testing.assert_frame_equal(first, distinguish(mixed, chosen.index[chosen]), rtol=1e-9)
    scaled = distinguish(cells.with_features(cells.features * 1e-9 + 5), chosen)
    names = ["effect", "low", "high"]
    np.testing.assert_allclose(scaled.loc[first.index, names], first[names], rtol=1e-5, atol=1e-7)


def coverage(shift, **options):
    """How often the interval holds the true effect: each feature is a study of its own."""
    hit = []
    for seed in range(5):
        cells, chosen = study(n_features=300, seed=seed, shift=shift, **options)
        found = distinguish(cells, chosen)
        hit += list((found["low"] <= shift) & (shift <= found["high"]))
    return np.mean(hit)


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("whole", [False, True])
def test_intervals_hold_the_truth_as_often_as_they_say(shift, whole):
    assert 0.92 <= coverage(shift, n_units=40, per=12, whole=whole) <= 0.98


def test_intervals_over_cells_would_not():
    cells, chosen = study(n_features=300, n_units=40, whole=True)
    each = cells.with_obs(pd.Series(cells.ids, cells.ids, name="each")).with_design(unit="each")
    found = distinguish(each, chosen)
    assert ((found["low"] <= 0) & (found["high"] >= 0)).mean() < 0.75


def test_sorted_by_size_and_only_what_was_asked_for():
    cells, chosen = study(n_features=8)
    table = cells.features.copy()
    table["f3"] -= 5 * chosen
    cells = cells.with_features(table).with_obs(pd.Series(table["f0"] * 2, name="density"))
    found = distinguish(cells, chosen.index[chosen])
    assert found.index[0] == "f3" and found["effect"].iloc[0] < -2
    assert (found["effect"].abs().diff().dropna() <= 0).all()
    assert set(distinguish(cells, chosen, columns=["density", "f1"]).index) == {"density", "f1"}
    assert list(distinguish(cells, chosen, columns="f1").index) == ["f1"]


def test_features_without_variation_are_left_out_and_named():
    cells, chosen = study(n_features=2)
    table = cells.features.assign(flat=3.3, gone=np.nan, split=np.where(chosen, 2.0, 1.0))
    table["half"] = table["f0"].where(chosen)
    table.iloc[0, 1] = np.inf
    found = distinguish(cells.with_features(table), chosen)
    assert found.attrs["constant"] == ["flat"] and found.attrs["empty"] == ["gone"]
    assert found.index[0] == "split" and found.loc["split", "effect"] == np.inf  # nothing tells them apart better
    assert np.isnan(found.loc["half", "effect"]) and found.index[-1] == "half"
    assert np.isfinite(found.loc[["f0", "f1"], ["effect", "low", "high"]].to_numpy()).all()
    assert "2 features" in found.attrs["reason"]


def test_without_units_there_are_effects_and_no_intervals():
    cells, chosen = study(unit=None)
    found = distinguish(cells, chosen)
    assert found[["low", "high"]].isna().all(axis=None) and found["effect"].notna().all()
    assert "unit=" in found.attrs["reason"] and (found["n_units"] == 0).all()


def test_chosen_cells_of_one_unit_have_no_interval():
    cells, chosen = study()
    found = distinguish(cells, chosen & (cells.units == "w3").to_numpy())
    assert found["low"].isna().all() and (found["n_units"] == 1).all()
    assert "fewer than two wells" in found.attrs["reason"]


def test_units_of_several_columns_are_told_apart():
    cells, chosen = study(n_units=8)
    plate = pd.Series(np.where(cells.obs["well"].isin(["w0", "w1", "w2", "w3"]), 1, 2), cells.ids, name="plate")
    well = cells.obs["well"].replace({"w4": "w0", "w5": "w1", "w6": "w2", "w7": "w3"})
    again = cells.with_obs(pd.concat([plate, well], axis=1)).with_design(unit=("plate", "well"))
    pd.testing.assert_frame_equal(distinguish(cells, chosen), distinguish(again, chosen))


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ([], ValueError, "No cells are chosen"),
        (slice(None), ValueError, "no others to compare"),
        (["c1", "nobody"], KeyError, "nobody"),
        (["c1", "c1"], ValueError, "c1"),
    ],
)
def test_what_cannot_be_compared(ids, error, words):
    cells, _ = study(n_units=4)
    with pytest.raises(error, match=words):
        distinguish(cells, cells.ids if isinstance(ids, slice) else ids)


def test_without_features_it_says_how_to_get_them():
    with pytest.raises(ValueError, match=r"ms\.features\.measure"):
        distinguish(ms.Cells(pd.DataFrame(index=["a", "b"])), ["a"])
    with pytest.raises(ValueError, match="level is 95"):
        distinguish(*study(), level=95)
