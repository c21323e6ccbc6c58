"""What filters do to the headline result: right numbers, and intervals over batches."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


def study(n_plates=4, seed=0):
    """Cells whose feature tells the label, except for those that are spoilt."""
    rng = np.random.default_rng(seed)
    rows = [(f"P{p}", w, "ab"[w % 2]) for p in range(n_plates) for w in range(6) for _ in range(20)]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    spoilt = rng.random(len(obs)) < 0.3
    x = np.where(spoilt, rng.normal(size=len(obs)) * 20, (obs["drug"] == "b") * 4 + rng.normal(size=len(obs)))
    features = pd.DataFrame({"x": x}, index=obs.index)
    cells = ms.Cells(obs, features=features, label="drug", unit=("plate", "well"), batch="plate")
    return cells, pd.Series(np.where(spoilt, "spoilt", ""), index=obs.index)


def test_leaving_out_what_is_spoilt_raises_the_result_and_says_by_how_much():
    cells, reasons = study()
    table = ms.curate.filter_effect(cells, reasons, progress=False)
    assert table["n_dropped"].tolist() == [0, int((reasons == "spoilt").sum())]
    assert table.loc["spoilt", "low"] > 0.02 and table.loc["spoilt", "n_units"] == 4
    assert table.loc["nothing left out", "change"] == 0
    found = table.loc["spoilt", "estimate"] - table.loc["nothing left out", "estimate"]
    assert table.loc["spoilt", "change"] == pytest.approx(found)


def test_each_filter_alone_and_all_together():
    cells, reasons = study()
    reasons[reasons.index[::9]] = "at random"
    decisions = ms.curate.Decisions(cells).drop(reasons != "", reasons)
    table = ms.curate.filter_effect(cells, decisions, progress=False)
    assert list(table.index) == ["nothing left out", "at random", "spoilt", "all of these left out"]
    assert table["n_dropped"].iloc[-1] == (reasons != "").sum()
    assert table.loc["at random", "low"] < 0.02


def test_copies_of_all_cells_change_nothing():
    cells, reasons = study()
    twice = pd.concat([cells.obs, cells.obs.add_suffix("", axis=0).rename(index=lambda i: f"{i}-2")])
    features = pd.DataFrame(np.tile(cells.features.to_numpy(), (2, 1)), twice.index, ["x"])
    copies = ms.Cells(twice, features=features, label="drug", unit=("plate", "well"), batch="plate")
    again = pd.concat([reasons, reasons.rename(index=lambda i: f"{i}-2")])
    one, two = (ms.curate.filter_effect(c, r, progress=False) for c, r in ((cells, reasons), (copies, again)))
    width = one.loc["spoilt", "high"] - one.loc["spoilt", "low"]
    # The regression sees each cell twice, which weakens its penalty a little; the width stays.
    assert two.loc["spoilt", "high"] - two.loc["spoilt", "low"] == pytest.approx(width, rel=0.15)


def test_nothing_dropped_and_unknown_cells_are_refused():
    cells, reasons = study(n_plates=2)
    with pytest.raises(ValueError, match="Nothing is dropped"):
        ms.curate.filter_effect(cells, reasons * 0)
    with pytest.raises(KeyError, match="not found"):
        ms.curate.filter_effect(cells, pd.Series({"nobody": "gone"}))
