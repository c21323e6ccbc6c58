"""A model that is trained already, judged on cells that it has not seen."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb import Cells


def study(n_plates=4, seed=0, names="p"):
    rng = np.random.default_rng(seed)
    rows = [(f"{names}{p}", f"{p}{w}", "ab"[w % 2]) for p in range(n_plates) for w in range(6) for _ in range(5)]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"{names}{i}" for i in range(len(rows))])
    table = pd.DataFrame({"area": (obs["drug"] == "b") * 2 + rng.normal(size=len(obs))})
    return Cells(obs, features=table, label="drug", unit=("plate", "well"), batch="plate")


def test_score_and_interval_are_those_of_the_same_answers_in_cross_validation():
    cells = study()
    crossed = ms.predict.cross_validate(cells, by="plate", baselines=False)
    found = ms.predict.evaluate(crossed, cells, by="plate")
    assert found.balanced_accuracy == crossed.balanced_accuracy
    assert (found.interval.low, found.interval.high) == (crossed.interval.low, crossed.interval.high)
    assert found.confusion.equals(crossed.confusion) and found.unit == "plate" and found.n_units == 4
    assert (found.auprc, found.macro_f1) == (crossed.auprc, crossed.macro_f1)


def test_a_model_is_asked_and_copies_of_cells_are_no_evidence():
    model = ms.predict.train_model(study())
    new = study(2, seed=1, names="q")
    found = ms.predict.evaluate(model, new)
    assert found.balanced_accuracy > 0.7 and found.n_units == 12 and found.unit == "well"
    obs = pd.concat([new.obs, new.obs.set_axis([f"{i}-again" for i in new.ids])])
    features = pd.concat([new.features] * 2).set_axis(obs.index)
    double = Cells(obs, features=features, label="drug", unit=("plate", "well"), batch="plate")
    again = ms.predict.evaluate(model, double)
    assert again.interval.low == pytest.approx(found.interval.low)
    assert again.interval.high == pytest.approx(found.interval.high)


def test_a_class_that_is_missing_here_may_still_be_said():
    cells = study()
    said = pd.DataFrame({"a": 0.2, "b": 0.3, "c": 0.5}, index=cells.ids)
    found = ms.predict.evaluate(said, cells)
    assert found.balanced_accuracy == 0 and list(found.confusion.columns) == ["a", "b", "c"]


def test_cells_that_taught_the_model_are_refused():
    class Knows:
        units = ("p0 00", "p1 10")

        def predict_proba(self, cells):
            return pd.DataFrame({"a": 0.5, "b": 0.5}, index=cells.ids)

    model, cells = Knows(), study()
    model.units = tuple(pd.unique(cells.units)[:2])
    with pytest.raises(ValueError, match="2 units of these cells taught the model"):
        ms.predict.evaluate(model, cells)
    rest = cells.subset((~cells.units.isin(model.units)).to_numpy())
    assert ms.predict.evaluate(model, rest).balanced_accuracy == 0.5


def test_what_is_no_model_and_labels_that_it_does_not_know_are_refused():
    cells = study()
    with pytest.raises(TypeError, match="Expected probabilities"):
        ms.predict.evaluate("network", cells)
    with pytest.raises(ValueError, match="No probabilities for the class 'b'"):
        ms.predict.evaluate(pd.DataFrame({"a": 0.5, "c": 0.5}, index=cells.ids), cells)
    with pytest.raises(ValueError, match="No label"):
        ms.predict.evaluate(pd.DataFrame({"a": 0.5, "b": 0.5}, index=cells.ids), Cells(cells.obs, unit="well"))


def test_a_model_normalised_where_the_label_defines_the_controls_takes_a_new_plate():
    known, new = (study(n, n, name).with_design(control={"drug": "a"}) for n, name in ((4, "p"), (1, "q")))
    model = ms.predict.train_model(known, normalize="standardize")
    assert (model.predict(new) == new.labels).mean() > 0.7
    assert model.predict(new).equals(model.predict(new.with_design(control=None)))
