"""Calibration: scikit-learn's temperature and curves, errors counted by hand, and what new plates do to them."""

import warnings

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict.calibrators import Isotonic, Temperature, fit_calibrator, log_losses

calibrate, reliability = ms.predict.calibrate, ms.predict.reliability


def drawn(n=3000, k=3, sharpness=1.0, seed=0, n_units=30):
    """Cells whose class is drawn from probabilities, and what a model that is too sure by `sharpness` says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    said = p**sharpness / (p**sharpness).sum(axis=1, keepdims=True)
    ids = pd.Index([f"c{i}" for i in range(n)])
    obs = pd.DataFrame({"kind": np.array(list("xyz"))[truth], "well": [f"w{i % n_units}" for i in range(n)]}, ids)
    return ms.Cells(obs, label="kind", unit="well"), pd.DataFrame(said, ids, list("xyz")), truth


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_it_is_what_scikit_learn_does(method):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class AsGiven(ClassifierMixin, BaseEstimator):
        def fit(self, x, y):
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, x):
            return x

        def predict(self, x):
            return self.classes_[x.argmax(axis=1)]

    _, said, truth = drawn(sharpness=2.5)
    values = said.to_numpy()
    mine = fit_calibrator(values[:2000], truth[:2000], method).apply(values[2000:])
    model = CalibratedClassifierCV(FrozenEstimator(AsGiven().fit(values, truth)), method=method)
    with warnings.catch_warnings():
        # scikit-learn takes probabilities that sum to 1 but for a rounding error for scores, and warns.
        warnings.simplefilter("ignore")
        theirs = model.fit(values[:2000], truth[:2000]).predict_proba(values[2000:])
    np.testing.assert_allclose(mine, theirs, atol=2e-4)


def test_the_right_temperature_is_found_and_mends_the_error():
    for sharpness in (0.5, 1.0, 3.0):
        cells, said, truth = drawn(sharpness=sharpness, n=20_000)
        found = fit_calibrator(said.to_numpy(), truth, "temperature")
        assert found.value == pytest.approx(sharpness, rel=0.05)
        mended = pd.DataFrame(found.apply(said.to_numpy()), said.index, said.columns)
        before, after = (reliability(t, cells).attrs["expected_calibration_error"].estimate for t in (said, mended))
        assert after < 0.02 and (sharpness == 1.0 or before > 3 * after)
        assert (mended.to_numpy().argmax(axis=1) == said.to_numpy().argmax(axis=1)).all()
    assert log_losses(mended.to_numpy(), truth).mean() < log_losses(said.to_numpy(), truth).mean()


def test_the_table_is_counted_by_hand():
    cells, said, truth = drawn(n=400, sharpness=2.0)
    found = reliability(said, cells, n_bins=5)
    sure, right = said.max(axis=1).to_numpy(), said.to_numpy().argmax(axis=1) == truth
    error = 0.0
    for row in found.itertuples(index=False):
        rows = (sure > row[0] + 1e-12) & (sure <= row[1] + 1e-12)
        assert row.n_cells == rows.sum() and row.accuracy == pytest.approx(right[rows].mean())
        assert row.confidence == pytest.approx(sure[rows].mean()) and row.low <= row.accuracy <= row.high
        error += rows.mean() * abs(sure[rows].mean() - right[rows].mean())
    assert found["n_cells"].sum() == 400
    assert found.attrs["expected_calibration_error"].estimate == pytest.approx(error)
    over = found.attrs["overconfidence"]
    assert over.estimate == pytest.approx(sure.mean() - right.mean()) and over.n_units == 30 and over.excludes(0)


def test_copies_of_cells_change_no_interval():
    cells, said, _ = drawn(n=300)
    obs = pd.concat([cells.obs, cells.obs.rename(index=lambda i: f"{i}-copy")])
    twice = pd.concat([said, said.rename(index=lambda i: f"{i}-copy")])
    one = reliability(said, cells).attrs["overconfidence"]
    two = reliability(twice, ms.Cells(obs, label="kind", unit="well")).attrs["overconfidence"]
    assert (one.low, one.high) == pytest.approx((two.low, two.high))


@pytest.fixture(scope="module", name="shifted")
def shifted_study(study):
    """Plates differ so much that a model is far too sure of a new one."""
    return calibrate(study(n_plates=8, n_wells=8, n_cells=20, n_features=60, plate=1.5), progress=False)


def test_new_plates_are_another_matter(shifted):
    table = shifted.table
    new = table.loc["new plates"]
    assert new.loc["nothing", "ece"] > table.loc[("same plates", "nothing"), "ece"] + 0.05
    assert new.loc["nothing", "overconfidence_low"] > 0
    # What was calibrated on wells of known plates does not mend it, what was on held-out plates does.
    assert new.loc["held-out wells", "log_loss_change_low"] > 0
    assert new.loc["held-out plates", "ece"] < 0.5 * new.loc["nothing", "ece"]
    assert new.loc["held-out plates", "log_loss"] < new.loc["nothing", "log_loss"]
    assert new.loc["held-out plates", "temperature"] > 1.2 * new.loc["held-out wells", "temperature"]
    assert shifted.calibrated_on == "held-out plates" and shifted.temperature > 1
    assert (table["accuracy"].groupby(level=0).nunique() == 1).all()
    assert new["n_units"].tolist() == [8, 8, 8]
    text = str(shifted)
    assert "Calibrating on held-out wells hurts on new plates" in text and "calibrated on held-out plates." in text


def test_a_part_is_never_calibrated_on_itself(study):
    cells = study(n_plates=4, n_wells=8, n_cells=10)
    new = ms.predict.cross_validate(cells, by="batch", baselines=False, progress=False)
    same = ms.predict.cross_validate(cells, baselines=False, progress=False)
    found = calibrate(cells, same=same, new=new)
    values = new.probabilities.to_numpy()
    truth = (new.predictions["given"] == "b").to_numpy().astype(int)
    temperatures = [
        fit_calibrator(values[part], truth[part], "temperature").value
        for part in ((new.predictions["group"] != p).to_numpy() for p in ("p0", "p1", "p2", "p3"))
    ]
    assert found.table.loc[("new plates", "held-out plates"), "temperature"] == pytest.approx(np.mean(temperatures))
    with pytest.raises(ValueError, match="no model here"):
        found.predict_proba(cells)
    pd.testing.assert_frame_equal(found.apply(new), found.apply(new.probabilities))


def of_plates(sharpness, n=400, seed=0):
    """Cells of as many plates as there are numbers; on each a model is too sure by that number, and what it says."""
    parts = [drawn(n, 3, s, seed + i, n_units=4)[:2] for i, s in enumerate(sharpness)]
    obs = pd.concat(
        [c.obs.assign(plate=f"p{i}").rename(index=lambda k, i=i: f"{i}{k}") for i, (c, _) in enumerate(parts)]
    )
    said = pd.concat([t.rename(index=lambda k, i=i: f"{i}{k}") for i, (_, t) in enumerate(parts)])
    return ms.Cells(obs, label="kind", unit=("plate", "well"), batch="plate"), said


def judged(cells, said, by):
    """The Evaluation of a model that says these probabilities."""

    class AsGiven:
        def predict_proba(self, some):
            return said.loc[some.ids]

    return ms.predict.cross_validate(cells, lambda train: AsGiven(), by=by, baselines=False, progress=False)


def as_said(sharpness):
    cells, said = of_plates(sharpness)
    return calibrate(cells, same=judged(cells, said, None), new=judged(cells, said, "batch")), said


def test_one_odd_plate_among_four_corrects_nothing():
    found, said = as_said([1, 1, 1, 4])
    row = found.table.loc[("new plates", "held-out plates")]
    assert row["log_loss_change"] > -row["log_loss_change_error"] and row["temperature"] > 1.1
    assert found.calibrated_on == "nothing" and found.temperature == 1
    pd.testing.assert_frame_equal(found.apply(said), said, check_names=False, check_column_type=False)
    assert "stay as they are" in str(found) and "calibrated on held-out plates, log loss on new plates" in str(found)


def test_what_all_plates_share_is_corrected():
    found, said = as_said([2.5, 3, 2, 2.5])
    assert found.calibrated_on == "held-out plates" and 2 < found.temperature < 3
    assert (found.apply(said).max(axis=1) < said.max(axis=1) + 1e-12).all()


def test_it_can_be_asked_for_all_the_same(study):
    cells = study(n_plates=4, n_wells=8, n_cells=10)
    asked = calibrate(cells, always=True, progress=False)
    assert asked.calibrated_on == "held-out plates" and asked.history[-1]["always"] is True


def test_it_predicts_corrected_probabilities(shifted, study):
    cells = study(n_plates=1, n_features=60, seed=5)
    said, raw = shifted.predict_proba(cells), shifted.model.predict_proba(cells)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said.max(axis=1) <= raw.max(axis=1) + 1e-12).all() and said.idxmax(axis=1).equals(raw.idxmax(axis=1))
    assert shifted.to_dict()["temperature"] == shifted.temperature and "<table" in shifted._repr_html_()
    with pytest.raises(ValueError, match="expected those calibrated"):
        shifted.apply(said.rename(columns={"a": "other"}))


def test_with_two_plates_nothing_is_said_about_new_ones(study):
    found = calibrate(study(n_plates=2), progress=False, always=True)
    assert set(found.table.index.get_level_values(0)) == {"same plates"} and found.calibrated_on == "held-out wells"
    assert "Nothing is known about new plates" in str(found)
    bare = calibrate(study(n_plates=2).with_design(batch=None), progress=False)
    assert bare.table.index.tolist()[0] == ("new units", "nothing") and "No batch is declared" in str(bare)


def test_curves_take_many_cells_and_odd_requests_are_refused(study):
    with pytest.raises(ValueError, match="takes 1,000 at least"):
        calibrate(study(), method="isotonic", progress=False)
    with pytest.raises(ValueError, match="expected 'temperature' or 'isotonic'"):
        calibrate(study(), method="platt", progress=False)
    cells, said, truth = drawn(n=1500)
    assert isinstance(fit_calibrator(said.to_numpy(), truth, "isotonic"), Isotonic)
    assert Temperature(1.0).apply(said.to_numpy()) == pytest.approx(said.to_numpy())
    with pytest.raises(ValueError, match="2 at least"):
        reliability(said, cells, n_bins=1)
    with pytest.raises(ValueError, match="No unit"):
        reliability(said, cells.with_design(unit=None))
