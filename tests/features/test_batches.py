"""The batch report: batch and biology before and after, with controls that took no part in fitting."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import Cells
from mlscope_nb.features import Normalizer, batch_report, normalize, select
from mlscope_nb.features.batch_figures import LABEL, MIXING, PROBE, REPLICATES
from mlscope_nb.features.batches import _halves, _Recipe, _refitted
from mlscope_nb.features.probes import exchanged, linear_probe


def study(n_plates=4, controls=4, treated=4, cells=25, batch=2.0, effect=2.0, seed=0, n_features=6):
    """Plates with controls and two treatments; `batch` is how far plates lie apart, `effect` how far treatments do."""
    rng = np.random.default_rng(seed)
    drugs = ["DMSO"] * controls + ["x", "y"] * (treated // 2)
    rows = [(f"p{p}", f"w{w}", d) for p in range(n_plates) for w, d in enumerate(drugs) for _ in range(cells)]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    values = rng.normal(size=(len(obs), n_features))
    for p in range(n_plates):
        values[obs["plate"] == f"p{p}"] += rng.normal(scale=batch, size=n_features)
    for d in ("x", "y"):
        values[obs["drug"] == d] += effect * rng.normal(size=n_features)
    obs["state"] = obs["drug"].map({"DMSO": "none", "x": "ex", "y": "why"})
    features = pd.DataFrame(values, index=obs.index).add_prefix("Cells_F_")
    return Cells(
        obs, features=features, unit=("plate", "well"), batch="plate", control={"drug": "DMSO"}, label="state",
        treatment="drug",
    )  # fmt: skip


@pytest.fixture(scope="module")
def report():
    cells = study()
    return batch_report(cells, normalize(cells), n_permutations=30)


def test_a_batch_that_is_removed_and_a_biology_that_stays(report):
    table = report.table
    assert table.loc[PROBE, "before"] > 0.8
    assert abs(table.loc[PROBE, "after"] - table.loc[PROBE, "null"]) < 0.12
    assert abs(table.loc[PROBE, "null"] - 0.25) < 0.03
    assert table.loc[MIXING, "after"] > table.loc[MIXING, "before"] + 0.3
    assert table.loc[REPLICATES, "after"] > 0.95 > table.loc[REPLICATES, "before"]
    assert table.loc[LABEL, "after"] > table.loc[LABEL, "before"] + 0.1
    assert report.warnings == ()
    assert table.loc[PROBE, "n_units"] == 16
    assert table.loc[LABEL, "n_units"] == 4


def test_the_normaliser_itself_gives_the_same_report(report):
    again = batch_report(study(), Normalizer(), n_permutations=30)
    assert again.to_dict() == report.to_dict()


def test_results_are_plain_and_escaped(report):
    assert json.loads(json.dumps(report.to_dict()))["figures"][PROBE]["side"] == "batch"
    assert "batch predicted from held-out controls" in report._repr_html_()
    assert str(report).count("\n") == 3
    cells = study(cells=6, controls=3, treated=2)
    obs = cells.obs.assign(drug=lambda o: o["drug"].replace("x", "<script>"))
    odd = cells.with_obs(obs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert "<script>" not in batch_report(odd, Normalizer(), n_permutations=5)._repr_html_()


def test_without_a_batch_effect_the_probe_is_at_chance():
    cells = study(batch=0.0)
    table = batch_report(cells, Normalizer(), n_permutations=30).table
    assert abs(table.loc[PROBE, "before"] - table.loc[PROBE, "null"]) < 0.1


def test_probed_controls_take_no_part_in_fitting():
    cells = study()
    parts = _halves(cells, seed=0)
    assert len(parts) == 2
    for half, probed in parts:
        assert not (half & probed).any()
        assert set(cells.units[half]).isdisjoint(cells.units[probed])
        assert cells.controls[half | probed].all()
        assert cells.obs[half].groupby("plate")["well"].nunique().tolist() == [2] * 4
        changed = cells.features.copy()
        changed[probed] += 1000.0
        recipe = _Recipe(cells, Normalizer(), list(cells.features.columns), [])
        a = _refitted(cells, recipe, half, probed).features[half]
        b = _refitted(cells.with_features(changed), recipe, half, probed).features[half]
        pd.testing.assert_frame_equal(a, b)


def test_a_correction_that_takes_the_biology_with_it_is_warned_of():
    cells = study(batch=0.0)
    rng = np.random.default_rng(1)
    noise = pd.DataFrame(rng.normal(size=cells.features.shape), index=cells.ids, columns=cells.features.columns)
    found = batch_report(cells, cells.with_features(noise), n_permutations=10)
    assert found.warnings[0].startswith("Over-correction: ")
    assert LABEL in found.warnings[0] and REPLICATES in found.warnings[0]
    assert "taken as they are" in found.notes[0]


def test_a_batch_that_stays_is_warned_of():
    cells = study()
    found = batch_report(cells, Normalizer(by=()), n_permutations=20)
    assert found.warnings[-1].startswith("The batch is still there")


def test_a_selection_after_the_normalisation_is_followed():
    cells = study()
    twin = cells.features.assign(Cells_Twin=cells.features["Cells_F_0"] * 2)
    wide = cells.with_features(twin)
    after = select(normalize(wide))
    assert after.features.shape[1] == 6
    found = batch_report(wide, after, n_permutations=10)
    assert found.notes == ()
    assert found.table.loc[PROBE, "after"] < 0.45


def test_what_cannot_be_measured_is_said():
    cells = study(controls=2)
    found = batch_report(cells, Normalizer(), n_permutations=5)
    assert np.isnan(found.table.loc[PROBE, "after"])
    assert "three control units in each" in found.table.loc[PROBE, "note"]
    assert found.table.loc[REPLICATES, "after"] > 0.9
    bare = cells.with_design(label=None, treatment=None)
    assert "no treatment or label is declared" in batch_report(bare, Normalizer()).table.loc[REPLICATES, "note"]
    assert json.dumps(found.to_dict())


def test_wrong_input_is_refused():
    cells = study(cells=4)
    with pytest.raises(ValueError, match="expected the same cells"):
        batch_report(cells, normalize(cells, control={"drug": ["DMSO", "x"]}).subset(cells.ids[:50]))
    with pytest.raises(ValueError, match="No control is declared"):
        batch_report(cells.with_design(control=None), cells)
    with pytest.raises(TypeError, match="expected normalised Cells or a Normalizer"):
        batch_report(cells, "standardize")


def test_exchanged_labels_stay_with_units_and_folds():
    unit = np.repeat(np.array([f"u{i}" for i in range(12)], object), 3)
    fold, codes = np.repeat(np.arange(12) % 2, 3), np.repeat(np.arange(12) // 2 % 3, 3)
    drawn = exchanged(codes, unit, fold, 20, seed=0)
    for column in drawn.T:
        assert pd.Series(column).groupby(unit).nunique().max() == 1
        for f in (0, 1):
            assert sorted(column[fold == f]) == sorted(codes[fold == f])
    assert (drawn != codes[:, None]).any()


def test_the_linear_probe_is_a_ridge_regression_with_a_chosen_penalty():
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 8)), rng.integers(0, 3, 90)
    x[:, 0] += y
    train, test = np.arange(60), np.arange(60, 90)
    scale = StandardScaler().fit(x[train])
    target = (y[train][:, None] == np.arange(3)).astype(float)
    peer = RidgeCV(alphas=np.logspace(0, 5, 6)).fit(scale.transform(x[train]), target)
    expected = peer.predict(scale.transform(x[test])).argmax(axis=1)
    assert (linear_probe(x, y[:, None], [(train, test)])[test, 0] == expected).all()


def test_normalised_to_whole_plates_the_probed_wells_still_take_no_part():
    cells = study()
    half, probed = _halves(cells, seed=0)[0]
    norm = Normalizer(control="all")
    done = _Recipe(cells, norm, list(cells.features.columns), [])
    seen = _refitted(cells, done, half, probed)
    spoilt = cells.with_features(cells.features.where(~pd.Series(probed, cells.ids), 1e6, axis=0))
    other = _refitted(spoilt, done, half, probed)
    pd.testing.assert_frame_equal(seen.features[~probed], other.features[~probed])
    means = seen.features[~probed].groupby(cells.batches_of[~probed]).mean().to_numpy()
    np.testing.assert_allclose(means, 0, atol=1e-9)


def test_whole_plates_with_other_treatments_are_warned_of():
    cells = study()
    odd = cells.subset(cells.ids[~((cells.obs["plate"] == "p0") & (cells.obs["drug"] == "x"))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        even = normalize(cells, "tvn", control="all")
    assert "same treatments" in str(even.history)
    with pytest.warns(UserWarning, match="batches did not get the same treatments"):
        normalize(odd, control="all")
