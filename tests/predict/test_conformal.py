"""Prediction sets: those of MAPIE and crepes, the promised coverage, and refusals when units are too few."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

REFERENCE = Path(__file__).parents[1] / "reference" / "peers_conformal.json"
conformal, coverage = ms.predict.conformal, ms.predict.coverage


def softmax(logits):
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True)


def drawn(n_units=40, n_cells=5, well=0.0, shift=0.0, seed=0, n_plates=4, classes="xyz"):
    """Cells whose class is drawn from probabilities; wells have a bias of their own, and a shift spoils the model."""
    rng = np.random.default_rng(seed)
    n = n_units * n_cells
    logits = rng.normal(size=(n, len(classes))) * 1.5
    bias = well * np.repeat(rng.normal(size=(n_units, len(classes))), n_cells, axis=0)
    true = softmax(logits + bias)
    truth = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    unit = np.repeat(np.arange(n_units), n_cells)
    ids = pd.Index([f"c{i}" for i in range(n)])
    obs = pd.DataFrame({"well": [f"w{u}" for u in unit], "plate": [f"p{u % n_plates}" for u in unit]}, index=ids)
    obs["drug"] = np.array(list(classes))[truth]
    seen = softmax(logits + shift * np.linspace(1, -1, len(classes)))
    cells = ms.Cells(obs, label="drug", unit="well", batch="plate")
    return cells, pd.DataFrame(seen, index=ids, columns=list(classes))


def held(sets, cells):
    return sets.to_numpy()[np.arange(len(sets)), sets.columns.get_indexer(cells.labels.loc[sets.index])]


@pytest.fixture(scope="module", name="answers")
def peers():
    return json.loads(REFERENCE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("which", ["mapie lac", "mapie aps", "crepes lac", "crepes aps", "crepes lac by class"])
def test_sets_are_those_of_peers(which, answers):
    from tests.reference.peers_conformal import LEVEL, N, packed, table

    given, truth = table()
    ids = pd.Index([f"c{i}" for i in range(2 * N)])
    frame = pd.DataFrame(given, index=ids, columns=list("0123"))
    cells = ms.Cells(pd.DataFrame({"drug": truth.astype(str)}, index=ids), label="drug")
    method, by_class = which.split()[1], which.endswith("class")
    found = conformal(frame, cells.subset(ids[:N]), method=method, by_class=by_class, by="cell", level=LEVEL)
    assert packed(found.sets(frame.loc[ids[N:]])) == answers[which]


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_coverage_over_exchangeable_splits(method):
    # Eight classes: with few, many cells score 1 by "aps" (the last class of all), and more is kept than promised.
    cells, given = drawn(n_units=800, n_cells=1, seed=1, classes="abcdefgh")
    rng, found = np.random.default_rng(2), []
    for _ in range(200):
        order = rng.permutation(len(cells))
        part, rest = (cells.subset(cells.ids[np.sort(o)]) for o in (order[:400], order[400:]))
        sets = conformal(given, part, method=method, by="cell").sets(given.loc[rest.ids])
        found.append(held(sets, rest).mean())
    assert np.mean(found) == pytest.approx(0.9, abs=0.01)


def test_new_wells_are_covered_and_vary_less_than_when_cells_count():
    by_unit, by_cell = [], []
    for seed in range(60):
        cells, given = drawn(n_units=30, n_cells=6, well=2.5, seed=seed)
        first = cells.subset(cells.ids[: 12 * 6])
        rest = cells.subset(cells.ids[12 * 6 :])
        for found, by in ((by_unit, None), (by_cell, "cell")):
            found.append(held(conformal(given, first, by=by).sets(given.loc[rest.ids]), rest).mean())
    # With K units the coverage lies between the level and the level plus 1 / (K + 1), here 0.077.
    assert 0.89 <= np.mean(by_unit) <= 0.987
    assert np.std(by_unit) < np.std(by_cell)


def test_a_shift_breaks_the_promise_and_the_report_shows_it():
    cells, given = drawn(n_units=400, seed=3)
    found = conformal(given, cells)
    new, spoilt = drawn(n_units=400, shift=2.5, seed=4)
    report = coverage(found.sets(spoilt), new.labels, new)
    assert list(report.index) == ["p0", "p1", "p2", "p3", "all"]
    assert (report["coverage"] <= 0.85).all() and (report["high"] <= 0.9).all()
    assert report.loc["all", "n_units"] == 400 and report.loc["all", "n_cells"] == 2000
    fresh, good = drawn(n_units=400, seed=5)
    assert coverage(found.sets(good), fresh.labels, fresh).loc["all", "coverage"] == pytest.approx(0.9, abs=0.03)


def test_copies_of_cells_change_nothing():
    cells, given = drawn(seed=6)
    again = ms.Cells(
        pd.concat([cells.obs, cells.obs.rename(index=lambda i: f"{i}-copy")]), label="drug", unit="well", batch="plate"
    )
    both = pd.concat([given, given.rename(index=lambda i: f"{i}-copy")])
    assert conformal(both, again).thresholds.to_dict() == conformal(given, cells).thresholds.to_dict()


def test_each_class_keeps_its_promise():
    cells, given = drawn(n_units=900, n_cells=2, shift=1.5, seed=7)
    first, rest = cells.subset(cells.ids[:900]), cells.subset(cells.ids[900:])
    shares = {}
    for by_class in (True, False):
        right = held(conformal(given, first, by_class=by_class).sets(given.loc[rest.ids]), rest)
        shares[by_class] = pd.Series(right).groupby(rest.labels.to_numpy()).mean()
    assert shares[True].min() > 0.86 > shares[False].min()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "8 wells: a level of 0.9 takes 9 at least, and with 8 no more than 88 %"),
        ({"by": "batch"}, "4 plates: a level of 0.9 takes 9"),
        ({"by_class": True, "level": 0.85}, "of the class"),
        ({"method": "raps"}, "expected one of 'lac', 'aps'"),
        ({"level": 1.0}, "between 0 and 1"),
    ],
)
def test_too_few_units_are_refused(options, message):
    cells, given = drawn(n_units=8, n_cells=1)
    with pytest.raises(ValueError, match=message):
        conformal(given, cells, **options)


def test_bad_tables_are_refused():
    cells, given = drawn(n_units=12)
    with pytest.raises(ValueError, match="sum to 1"):
        conformal(given * 2, cells)
    with pytest.raises(ValueError, match="No probabilities for 1 cell"):
        conformal(given.iloc[1:], cells)
    with pytest.raises(ValueError, match="No probabilities for the class 'z'"):
        conformal(pd.DataFrame({"x": 0.5, "y": 0.5}, index=given.index), cells)
    with pytest.raises(ValueError, match="No unit of independence"):
        conformal(given, cells.with_design(unit=None))
    with pytest.raises(TypeError, match="found list"):
        conformal([0.5], cells)


def test_predictions_instead_of_probabilities_are_told(study):
    cells = study()
    found = ms.predict.cross_validate(cells, progress=False)
    with pytest.raises(ValueError, match=r"hold no numbers: .*'predicted'.* give .probabilities or the whole"):
        ms.predict.evaluate(found.predictions, cells)


def test_a_model_and_an_evaluation_can_be_calibrated(study):
    cells = study(n_plates=4, n_wells=12)
    train, rest = (cells.where(f"plate {sign} ['p0', 'p1']") for sign in ("in", "not in"))
    model = ms.predict.train_model(train)
    found = conformal(model, rest)
    assert found.sets(rest).equals(found.sets(model.predict_proba(rest)))
    assert "24 wells" in str(found) or "24 units" in str(found)
    judged = ms.predict.cross_validate(cells, by="plate", baselines=False, progress=False)
    assert "approximate" in str(conformal(judged, cells))
    with pytest.raises(ValueError, match="No model was calibrated"):
        conformal(judged, cells).sets(cells)
