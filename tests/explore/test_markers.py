"""Markers: what is tested over units, what is not tested at all, and what the naive test does."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlscope_nb.cells import Cells
from mlscope_nb.explore import cluster, markers
from mlscope_nb.explore.comparisons import compare
from mlscope_nb.explore.extremes import drawn_in
from mlscope_nb.explore.markers import adjusted
from mlscope_nb.study import difference_interval


def null_study(seed, n_plates=4, wells=8, per_well=(5, 25), features=6, effect=0.0, unit_sd=0.5):
    """Plates and wells differ, features are correlated, and drugs do nothing unless an effect is asked for."""
    rng = np.random.default_rng(seed)
    n_wells = n_plates * wells
    plate = np.repeat(np.arange(n_plates), wells)
    drug = np.concatenate([rng.permutation(np.resize(["DMSO", "a", "DMSO", "b"], wells)) for _ in range(n_plates)])
    well = np.repeat(np.arange(n_wells), rng.integers(*per_well, n_wells))
    mixing = rng.normal(size=(features, features))
    x = rng.normal(size=(len(well), features)) + rng.normal(scale=unit_sd, size=(n_wells, features))[well]
    x = x @ mixing + rng.normal(scale=2, size=(n_plates, features))[plate[well]]
    x[drug[well] == "a", 0] += effect * x[:, 0].std()
    obs = pd.DataFrame(
        {"plate": plate[well], "well": well, "drug": drug[well]}, index=[f"c{i}" for i in range(len(well))]
    )
    table = pd.DataFrame(x, index=obs.index).add_prefix("F")
    return Cells(obs, features=table, unit="well", batch="plate", treatment="drug", control={"drug": "DMSO"})


def test_each_feature_is_compared_as_difference_interval_does():
    cells = null_study(0, effect=1.0)
    table = cells.table().copy()
    table.iloc[:40, 1] = np.nan  # some wells of one feature are gone
    for design in (cells, cells.with_design(batch=None), cells.with_design(unit="plate", batch=None)):
        second = cells.obs["drug"].map({"a": True, "DMSO": False}).astype(object)
        found = compare(design, table, second, level=0.9)
        labelled = design.with_obs(second.map({True: "2", False: "1"}).rename("which")).with_design(label="which")
        for name in ("F0", "F1"):
            one = difference_interval(table[name], labelled, between=("1", "2"), level=0.9)
            scale = one.estimate / found.loc[name, "effect"]
            np.testing.assert_allclose(
                found.loc[name, ["low", "high"]].astype(float) * scale, [one.low, one.high], rtol=1e-9
            )
            assert (found.loc[name, "p_value"] < 0.1) == one.excludes(0)


def test_copies_of_every_cell_change_nothing():
    cells = null_study(1, effect=0.5)
    twice = pd.concat([cells.obs, cells.obs.set_axis(cells.ids + "x")])
    table = pd.concat([cells.table(), cells.table().set_axis(cells.ids + "x")])
    copied = Cells(twice, features=table, unit="well", batch="plate", treatment="drug", control={"drug": "DMSO"})
    once, again = markers(cells, "drug"), markers(copied, "drug")
    pd.testing.assert_frame_equal(once, again, rtol=1e-9)
    found = {"chosen": cells.ids[cells.table()["F0"] > 0]}
    both = {
        "chosen": twice.index[np.tile(cells.table()["F0"] > 0, 2)],
        "others": twice.index[np.tile(cells.table()["F0"] <= 0, 2)],
    }
    found["others"] = cells.ids[cells.table()["F0"] <= 0]
    pd.testing.assert_frame_equal(markers(cells, found), markers(copied, both), rtol=1e-9)


def test_false_positives_of_given_groups_are_few():
    p = np.concatenate([markers(null_study(seed), "drug")["p_value"] for seed in range(100, 140)])
    assert 0.02 < (p < 0.05).mean() < 0.09  # 480 tests, correlated: the study counts more of them
    assert stats.kstest(p, "uniform").statistic < 0.1


def test_an_effect_is_found_in_its_feature_first():
    found = markers(null_study(2, effect=1.5), "drug")
    assert list(found.columns[:2]) == ["group", "feature"] and set(found["group"]) == {"a", "b"}
    first = found[found["group"] == "a"].iloc[0]
    assert first["feature"] == "F0" and first["q_value"] < 0.05 and first["low"] > 0.5
    assert first["n_units"] == 8
    np.testing.assert_allclose(found["q_value"], stats.false_discovery_control(found["p_value"]))


def test_groups_that_were_found_get_no_p_values():
    cells = null_study(3)
    lasso = cells.ids[cells.table()["F0"] > 0]
    found = markers(cells, lasso)
    assert "p_value" not in found and "q_value" not in found
    assert found.attrs["found"] and "found in the same features" in found.attrs["reason"]
    assert found[found["group"] == "chosen"].iloc[0]["feature"] == "F0"
    asked = markers(cells, lasso, found=False)  # a person's labels from elsewhere: compared within units
    assert "p_value" in asked and not asked.attrs["found"]


def test_who_says_whether_groups_were_found():
    cells = null_study(4)
    assert not markers(cells, "drug").attrs["found"]
    assert not markers(cells, "treatment").attrs["found"]
    assert not markers(cells, cells.obs["drug"]).attrs["found"]  # whole wells of many cells
    clusters = pd.Series(np.where(cells.table()["F1"] > 0, "1", "2"), cells.ids)
    assert markers(cells, clusters).attrs["found"]
    assert markers(cells, "drug", found=True).attrs["found"]
    one_per_unit = cells.with_obs(pd.Series(cells.ids, cells.ids, name="own")).with_design(unit="own", batch=None)
    assert markers(one_per_unit, clusters).attrs["found"]  # a cluster of profiles holds whole units of one row each


def test_the_naive_test_says_so_and_is_wrong():
    cells = null_study(5, unit_sd=1.0)
    naive = markers(cells, "drug", method="naive")
    assert "every cell as independent" in naive.attrs["reason"]
    honest = markers(cells, "drug")
    assert (naive["p_value"] < 0.05).mean() > 0.5 > (honest["p_value"] < 0.05).mean()
    split = pd.Series(np.where(cells.table()["F0"] > cells.table()["F0"].median(), "1", "2"), cells.ids)
    wrong = markers(cells, split, method="naive")
    assert (wrong["p_value"] < 0.05).mean() > 0.5


def test_the_reference_can_be_chosen():
    cells = null_study(6, effect=1.0)
    with_controls = markers(cells, "drug").set_index(["group", "feature"])
    assert "DMSO" not in with_controls.index.get_level_values(0)
    others = markers(cells, "drug", against="others").set_index(["group", "feature"])
    assert {"DMSO", "a", "b"} == set(others.index.get_level_values(0))
    b = markers(cells, "drug", against="b").set_index(["group", "feature"])
    np.testing.assert_allclose(
        b.loc[("a", "F0"), "mean_group"] - b.loc[("a", "F0"), "mean_reference"],
        with_controls.loc[("a", "F0"), "mean_group"] - with_controls.loc[("b", "F0"), "mean_group"],
    )
    with pytest.raises(KeyError, match="No group 'c'"):
        markers(cells, "drug", against="c")
    with pytest.raises(ValueError, match="controls are not a group of their own"):
        markers(cells, cells.table()["F0"] > 0, against="control")


def test_too_few_units_give_effects_and_no_p():
    cells = null_study(7)
    two = cells.subset(
        cells.obs["well"].isin(cells.obs.groupby("drug")["well"].unique().map(lambda w: w[:2]).explode()).to_numpy()
    )
    found = markers(two.with_design(batch=None), "drug")
    assert found["p_value"].isna().all() and found["effect"].notna().all() and found["q_value"].isna().all()
    assert "fewer than 3 units" in found.attrs["reason"]


def test_bad_input_is_refused():
    cells = null_study(8)
    with pytest.raises(ValueError, match="Only one group"):
        markers(cells, pd.Series("x", cells.ids))
    with pytest.raises(ValueError, match="No unit is declared"):
        markers(cells.with_design(unit=None), "drug")
    with pytest.raises(ValueError, match="method is 'cells'"):
        markers(cells, "drug", method="cells")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flat = cells.with_features(cells.table().assign(flat=1.0, empty=np.nan))
        found = markers(flat, "drug").set_index(["group", "feature"])
    assert found.loc[("a", "flat"), "p_value"] != found.loc[("a", "flat"), "p_value"]
    assert np.isnan(found.loc[("a", "empty"), "effect"])
    assert adjusted(pd.Series([np.nan, 0.01, 0.02])).round(3).tolist()[1:] == [0.02, 0.02]


def test_clusters_of_whole_wells_are_found_and_get_no_p_values():
    cells = null_study(3, unit_sd=0.0)
    apart = cells.with_features(cells.table() + 50.0 * (cells.obs[["well"]] % 2).to_numpy())
    found = cluster(apart, n_clusters=2, n_bootstrap=0)
    assert (found.labels.groupby(apart.units).nunique() == 1).all()
    for groups in (found, found.labels, found.to_obs(), "cluster"):
        result = markers(apart.with_obs(found.to_obs()), groups)
        assert result.attrs["found"] and "p_value" not in result
    assert "p_value" in markers(apart, found, found=False)


@pytest.mark.parametrize("kind", ["string", "category", "Int64"])
def test_missing_groups_of_any_type_take_no_part(kind):
    cells = null_study(4, effect=1.0)
    drug = cells.obs["drug"].map({"DMSO": 0, "a": 1, "b": 2}) if kind == "Int64" else cells.obs["drug"].copy()
    drug = drug.astype(kind)
    drug.iloc[:7] = pd.NA
    against = 0 if kind == "Int64" else "DMSO"
    found = markers(cells.with_obs(drug.rename("given")), "given", against=against, found=False)
    less = markers(cells.subset(cells.ids[7:]), "drug", against="DMSO")
    np.testing.assert_allclose(found["p_value"], less["p_value"])


def test_spoilt_cells_do_not_hide_what_a_treatment_does():
    cells = null_study(3, effect=1.5, unit_sd=0.1, per_well=(20, 30))
    table = cells.table().copy()
    spoilt = np.random.default_rng(0).choice(len(cells), len(cells) // 30, replace=False)
    table.iloc[spoilt] = 80.0 * table.std().to_numpy()
    dusty = cells.with_features(table)
    of_a = [
        m.set_index(["group", "feature"]).loc[("a", "F0")] for m in (markers(dusty, "drug"), markers(cells, "drug"))
    ]
    assert of_a[0]["p_value"] < 1e-6 and abs(of_a[0]["effect"] / of_a[1]["effect"] - 1) < 0.25
    as_they_are = markers(dusty, "drug", clip=None).set_index(["group", "feature"]).loc[("a", "F0")]
    assert as_they_are["p_value"] > 0.01 and as_they_are["effect"] < 0.4
    assert markers(dusty, "drug").attrs["history"][-1]["clip"] == 5.0
    with pytest.raises(ValueError, match="clip is 0"):
        markers(cells, "drug", clip=0)


def test_a_large_effect_is_not_drawn_in():
    """Cells are far from the other groups, but not from their own well."""
    cells = null_study(4, effect=30.0)
    drawn, plain = (
        markers(cells, "drug", clip=c).set_index(["group", "feature"]).loc[("a", "F0"), "effect"] for c in (5.0, None)
    )
    assert drawn > 20 and abs(drawn / plain - 1) < 0.05


def test_extremes_are_drawn_in_to_their_part():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 2))
    values[:200] += 50
    values[7, 0], values[300, 1] = 500.0, np.nan
    part, batch = np.arange(400) // 50, np.zeros(400, int)
    found = drawn_in(values, part, batch, 5.0)
    middle = np.nanmedian(values[:50, 0])
    scale = 1.4826 * np.nanmedian(
        np.abs(values[:, 0] - np.repeat([np.median(v) for v in values[:, 0].reshape(8, 50)], 50))
    )
    assert found[7, 0] == pytest.approx(middle + 5 * scale) and np.isnan(found[300, 1])
    changed = ~np.isclose(found, values, equal_nan=True)
    assert changed.sum() == 1
    counted = np.zeros((50, 1))
    counted[:3] = 1.0
    assert (drawn_in(counted, np.zeros(50), np.zeros(50), 5.0) == counted).all()  # most have none: still counted
