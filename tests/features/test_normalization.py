"""Normalisation: agrees with its peers, fits on controls alone, and refuses what would leak."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import Cells
from mlscope_nb.features import Normalizer, normalize
from tests.reference.peers_normalization import table as peer_table

PEERS = json.loads((Path(__file__).parents[1] / "reference" / "peers_normalization.json").read_text(encoding="utf-8"))
CENTRED = ["standardize", "robust", "rank", "sphering", "tvn", "combat"]
METHODS = [*CENTRED, "ruv"]  # which centres no batch


def peer_cells(**roles):
    features, obs = peer_table()
    ids = [f"c{i}" for i in range(len(obs))]
    roles = {"unit": ("plate", "well"), "batch": "plate", "control": {"drug": "DMSO"}, **roles}
    return Cells(obs.set_axis(ids), features=features.set_axis(ids), **roles)


def study(n_plates=3, wells=4, cells=30, shift=3.0, seed=0, n_features=5):
    """Controls and treated wells on plates that each add a shift and a factor of their own."""
    rng = np.random.default_rng(seed)
    rows = [(f"p{p}", f"w{w}", "DMSO" if w < wells // 2 else "x") for p in range(n_plates) for w in range(wells)]
    obs = pd.DataFrame(np.repeat(np.array(rows, object), cells, axis=0), columns=["plate", "well", "drug"])
    values = rng.normal(size=(len(obs), n_features)) @ rng.normal(size=(n_features, n_features))
    values[obs["drug"] == "x", 0] += 2
    for p in range(n_plates):
        mine = obs["plate"] == f"p{p}"
        values[mine] = values[mine] * rng.uniform(0.5, 2, n_features) + rng.normal(scale=shift, size=n_features)
    ids = [f"c{i}" for i in range(len(obs))]
    features = pd.DataFrame(values, index=ids, columns=[f"Cells_F_{i}" for i in range(n_features)])
    return Cells(obs.set_axis(ids), features=features, unit=("plate", "well"), batch="plate", control={"drug": "DMSO"})


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args, **kwargs)


@pytest.mark.parametrize(("method", "options"), [("standardize", {}), ("robust", {}), ("sphering", {"by": ()})])
def test_agrees_with_pycytominer(method, options):
    found = quiet(normalize, peer_cells(), method, **options).features.to_numpy()
    assert np.abs(found - np.array(PEERS[method])).max() < 1e-6


def test_combat_agrees_with_neurocombat():
    found = quiet(normalize, peer_cells(control=None), "combat").features.to_numpy()
    assert np.abs(found / np.array(PEERS["combat"]) - 1).max() < 1e-6


@pytest.mark.parametrize("method", CENTRED)
def test_controls_of_all_plates_come_to_the_same_place(method):
    before = study()
    after = normalize(before, method)
    assert list(after.features.columns) == list(before.features.columns)
    assert after.ids.equals(before.ids)

    def plate_spread(cells):
        controls = cells.features[cells.controls]
        centres = controls.groupby(cells.batches_of[cells.controls]).mean()
        return float((centres.std() / controls.std()).mean())

    # medians, ranks and shrunk estimates bring means near, not exactly to, the same place
    assert plate_spread(before) > 0.4
    assert plate_spread(after) < 0.12


@pytest.mark.parametrize("method", METHODS)
def test_treated_cells_do_not_change_what_controls_become(method):
    cells = study()
    changed = cells.features.copy()
    changed[~cells.controls] += 100.0
    other = cells.with_features(changed)
    a, b = (normalize(c, method).features[cells.controls] for c in (cells, other))
    pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize("method", METHODS)
def test_fit_and_transform_apart_give_the_same_as_together(method):
    cells = study()
    together = normalize(cells, method).features
    fitted = Normalizer(method).fit(cells)
    part = cells.subset(cells.ids[::3])
    np.testing.assert_allclose(fitted.transform(part).features, together.iloc[::3], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", CENTRED)
def test_a_new_plate_is_put_on_its_own_controls_and_that_is_recorded(method):
    cells = study()
    train, new = cells.where("plate != 'p2'"), cells.where("plate == 'p2'")
    after = Normalizer(method).fit(train).transform(new)
    (step,) = [s for s in after.history if s["step"] == "normalize"]
    assert step["own_controls"] == ["p2"]
    assert step["n_fitted_on"] == len(train)
    known = normalize(train, method).features[train.controls]
    off = (after.features[new.controls].mean() - known.mean()).abs() / known.std()
    raw = (new.features[new.controls].mean() - train.features[train.controls].mean()).abs() / known.std()
    assert float(off.max()) < 0.25
    assert float(raw.max()) > 0.5


def test_a_new_plate_without_controls_is_refused():
    cells = study()
    fitted = Normalizer().fit(cells.where("plate != 'p2'"))
    treated = cells.where("plate == 'p2' and drug == 'x'")
    with pytest.raises(ValueError, match="not fitted on: 'p2'"):
        fitted.transform(treated)
    without = study().with_design(control=None)
    fitted = Normalizer().fit(without.where("plate != 'p2'"))
    with pytest.raises(ValueError, match="Declare control"):
        fitted.transform(without.where("plate == 'p2'"))


def test_cells_of_a_known_plate_need_no_controls_to_be_transformed():
    cells = study()
    treated = cells.where("drug == 'x'")
    expected = normalize(cells).features.loc[treated.ids]
    pd.testing.assert_frame_equal(Normalizer().fit(cells).transform(treated).features, expected)


def test_a_batch_without_controls_is_refused_when_fitting():
    cells = study().where("not (plate == 'p1' and drug == 'DMSO')")
    with pytest.raises(ValueError, match="No control cell in 1 batch: 'p1'"):
        normalize(cells)


def test_controls_defined_by_the_label_are_refused_unless_forced():
    cells = study().with_design(label="drug")
    # What was given is named, and what is advised is another column.
    with pytest.raises(ValueError, match=r"\(control=\{'drug': 'DMSO'\}\) are defined by the label .* than the label"):
        normalize(cells)
    assert normalize(cells, force=True).history[-2]["force"] is True
    obs = cells.obs.assign(state=lambda o: np.where(o["drug"] == "DMSO", "healthy", "ill"))
    coincides = cells.with_obs(obs[["state"]]).with_design(label="state")
    assert (
        "exactly the cells labelled 'healthy'"
        in next(s for s in normalize(coincides).history if s["step"] == "normalize")["note"]
    )


def test_without_controls_all_cells_are_the_reference_and_that_is_said():
    after = normalize(study().with_design(control=None))
    step = next(s for s in after.history if s["step"] == "normalize")
    assert step["n_reference"] == len(after)
    assert "no controls are declared" in step["note"]
    means = after.features.groupby(after.batches_of).mean()
    assert np.abs(means).to_numpy().max() < 1e-9


def test_few_controls_are_warned_of():
    with pytest.warns(UserWarning, match=r"Few controls .*p0 \(30 cells of 1 unit\)"):
        normalize(study(wells=2))
    with pytest.warns(UserWarning, match=r"Few controls .*10 cells of 2 units"):
        normalize(study(cells=5))


def test_enough_controls_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        normalize(study())


def test_a_constant_feature_is_centred_and_warned_of():
    cells = study()
    cells = cells.with_features(cells.features.assign(Cells_Flag=7.0))
    for method in ("standardize", "robust", "rank", "sphering", "tvn"):
        with pytest.warns(UserWarning, match="^1 feature that does not vary between controls .*: 'Cells_Flag'. It was"):
            after = normalize(cells, method)
        assert np.abs(after.features["Cells_Flag"]).max() < 1e-9
        assert np.isfinite(after.features.to_numpy()).all()
    with pytest.warns(UserWarning, match="'Cells_Flag'"):
        assert (normalize(cells, "combat").features["Cells_Flag"] == 7.0).all()


@pytest.mark.parametrize("method", METHODS)
def test_missing_values_stay_missing_and_spoil_nothing_else(method):
    cells = study()
    holes = cells.features.copy()
    holes.iloc[::7, 1] = np.nan
    after = normalize(cells.with_features(holes), method).features
    assert after.isna().equals(holes.isna())


@pytest.mark.parametrize("method", METHODS)
def test_a_feature_missing_on_one_plate_is_missing_there_only(method):
    cells = study()
    holes = cells.features.copy()
    holes.loc[cells.obs["plate"] == "p1", "Cells_F_2"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = normalize(cells.with_features(holes), method).features
    assert after.isna().equals(holes.isna())


def test_sphered_controls_are_uncorrelated():
    cells = study()
    after = normalize(cells, "sphering").features[cells.controls]
    np.testing.assert_allclose(np.cov(after.T), np.eye(5), atol=0.02)
    np.testing.assert_allclose(
        np.cov(normalize(cells, "sphering", by=()).features[cells.controls].T), np.eye(5), atol=1e-4
    )


def test_tvn_gives_the_controls_of_all_plates_one_covariance():
    cells = study(cells=200)

    def distance(after):
        parts = [after.features[cells.controls & (cells.batches_of == p)].cov().to_numpy() for p in ("p0", "p1", "p2")]
        return max(np.abs(a - b).max() for a in parts for b in parts)

    assert distance(normalize(cells, "tvn", shrink=0.01)) < 0.1 * distance(normalize(cells, "tvn", shrink=1e9))


def test_tvn_leaves_out_what_hardly_varies_and_bounds_spoilt_cells():
    cells = study(cells=200)
    nearly = cells.features["Cells_F_0"] + 1e-3 * np.random.default_rng(0).normal(size=len(cells))
    wide = cells.with_features(cells.features.assign(Cells_F_9=nearly))
    rank = [np.linalg.matrix_rank(normalize(wide, "tvn", keep=k).features.to_numpy(), tol=1e-6) for k in (0.999, 1)]
    assert rank == [5, 6]
    far, farther = cells.features.copy(), cells.features.copy()
    far.iloc[0], farther.iloc[0] = 1e3, 1e9
    after = [normalize(cells.with_features(f), "tvn").features for f in (far, farther)]
    pd.testing.assert_frame_equal(*after)


def test_more_features_than_controls_is_warned_of_for_sphering():
    with pytest.warns(UserWarning, match="blown up"):
        normalize(study(n_plates=1, cells=12, n_features=40), "sphering")


def test_ranks_do_not_depend_on_the_scale():
    cells = study()
    other = cells.with_features(np.exp(cells.features))
    pd.testing.assert_frame_equal(normalize(cells, "rank").features, normalize(other, "rank").features)


def test_wells_as_rows_can_be_normalised_without_a_warning_about_cells():
    from mlscope_nb.features import aggregate

    wells = aggregate(study(wells=6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        normalize(wells)


def test_what_is_wrong_is_said():
    cells = study()
    with pytest.raises(ValueError, match="expected one of standardize"):
        Normalizer("zscore")
    with pytest.raises(TypeError, match="does not know 'epsilon'"):
        Normalizer("rank", epsilon=1)
    with pytest.raises(ValueError, match="not fitted yet"):
        Normalizer().transform(cells)
    with pytest.raises(ValueError, match="1 feature that the normaliser was fitted on not found: 'Cells_F_4'"):
        Normalizer().fit(cells).transform(cells.with_features(cells.features.iloc[:, :4]))
    with pytest.raises(KeyError, match="No column 'plates'"):
        normalize(cells, by="plates")
    with pytest.raises(ValueError, match="no features yet"):
        normalize(Cells(cells.obs, batch="plate"))


def test_the_history_can_make_the_normaliser_again():
    cells = study()
    first = Normalizer("sphering", by="plate", control={"drug": "DMSO"}, epsilon=1e-3)
    again = Normalizer(**first.to_dict())
    pd.testing.assert_frame_equal(
        first.fit(cells).transform(cells).features, again.fit(cells).transform(cells).features
    )


def test_harmony_without_its_package_says_how_to_install_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "harmonypy", None)
    with pytest.raises(ImportError, match=r'pip install "mlscope_nb\[harmony\]"'):
        normalize(study(), "harmony")


def test_harmony_refuses_other_cells(monkeypatch):
    import sys
    import types

    calls = []

    def run_harmony(scores, meta, column, **options):
        calls.append(scores.shape)
        moved = scores - pd.DataFrame(scores).groupby(meta[column].to_numpy()).transform("mean").to_numpy()
        return types.SimpleNamespace(Z_corr=moved)

    monkeypatch.setitem(sys.modules, "harmonypy", types.SimpleNamespace(run_harmony=run_harmony))
    cells = study()
    after = normalize(cells, "harmony")
    assert calls == [(len(cells), 5)]
    assert np.abs(after.features.groupby(after.batches_of).mean()).to_numpy().max() < 1e-9
    with pytest.raises(ValueError, match="cannot place others later"):
        Normalizer("harmony").fit(cells).transform(cells.subset(cells.ids[:50]))
