"""Transfer: the matrix against single trainings, its gaps, and what normalisation brings back."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict import transfer


def shifted(cells, size=6.0):
    """The same cells with every plate moved along the feature that tells the class."""
    table = cells.features.copy()
    number = pd.factorize(cells.batches_of)[0]
    table["AreaShape_F0"] += size * (number - number.mean())
    return cells.with_features(table)


@pytest.fixture(scope="module")
def moved(study):
    cells = shifted(study(n_plates=4, effect=3.0))
    return cells, transfer(cells, progress=False)


def test_an_entry_is_the_score_of_a_model_of_one_batch_on_another(moved):
    cells, table = moved
    train, test = (cells.subset((cells.batches_of == b).to_numpy()) for b in ("p0", "p2"))
    said = ms.predict.train_model(train).predict(test)
    recall = (said == test.labels).groupby(test.labels).mean().mean()
    assert table.loc[("none", "p0"), "p2"] == pytest.approx(recall)
    rest = cells.subset((cells.batches_of != "p2").to_numpy())
    said = ms.predict.train_model(rest).predict(test)
    assert table.loc[("none", "all others"), "p2"] == pytest.approx(
        (said == test.labels).groupby(test.labels).mean().mean()
    )


def test_the_diagonal_holds_out_whole_units_of_the_batch(moved):
    cells, table = moved
    mine = cells.subset((cells.batches_of == "p1").to_numpy())
    within = ms.predict.cross_validate(
        mine, splits=ms.study.split(mine, n_splits=5), baselines=False, progress=False
    ).balanced_accuracy
    assert table.loc[("none", "p1"), "p1"] == pytest.approx(within)


def test_a_shift_of_plates_makes_a_gap_that_normalisation_closes(moved):
    _, table = moved
    gaps = table.attrs["gaps"]
    assert gaps["none"]["low"] > 0.2
    assert abs(gaps["standardize"]["gap"]) < 0.1
    assert gaps["standardize"]["recovered_low"] > 0.2
    square = table.loc["none"].iloc[:4].to_numpy()
    off = ~np.eye(4, dtype=bool)
    assert gaps["none"]["gap"] == pytest.approx(np.diag(square).mean() - square[off].mean())
    assert "smaller by" in table.attrs["notes"][1]


def test_plates_that_do_not_differ_have_no_gap(study):
    gaps = [
        transfer(study(n_plates=4, plate=0.0, seed=s), normalize=None, progress=False).attrs["gaps"]["none"]
        for s in range(4)
    ]
    assert abs(np.mean([g["gap"] for g in gaps])) < 0.06
    assert sum(g["low"] <= 0 <= g["high"] for g in gaps) >= 3


def test_copies_of_cells_change_nothing(moved, doubled):
    cells, table = moved
    again = transfer(doubled(cells), progress=False)
    np.testing.assert_allclose(again.to_numpy(), table.to_numpy(), atol=1e-12)
    for name, values in table.attrs["gaps"].items():
        assert again.attrs["gaps"][name] == pytest.approx(values, nan_ok=True)


def test_two_batches_have_a_gap_without_an_interval(study):
    table = transfer(study(n_plates=2), normalize=None, progress=False)
    gap = table.attrs["gaps"]["none"]
    assert np.isfinite(gap["gap"]) and np.isnan(gap["low"])
    assert "no interval" in table.attrs["notes"][0]


def test_classes_that_some_batch_lacks_are_left_out_and_named(study):
    cells = study(n_classes=3)
    kept = ~((cells.labels == "c") & (cells.batches_of == "p0")).to_numpy()
    table = transfer(cells.subset(kept), normalize=None, progress=False)
    assert any("not every plate" in n and "'c'" in n for n in table.attrs["notes"])
    assert table.notna().all().all()


def test_a_class_with_one_unit_on_a_batch_leaves_the_diagonal_open(study):
    cells = study(n_wells=6)
    once = ~((cells.labels == "b") & (cells.batches_of == "p0") & ~cells.obs["well"].isin(["B01"])).to_numpy()
    table = transfer(cells.subset(once), normalize=None, progress=False)
    assert np.isnan(table.loc[("none", "p0"), "p0"])
    assert np.isfinite(table.attrs["gaps"]["none"]["gap"])


def test_what_cannot_be_compared_is_refused(study):
    cells = study()
    with pytest.raises(ValueError, match="batch"):
        transfer(cells.with_design(batch=None))
    with pytest.raises(ValueError, match="takes two"):
        transfer(study(n_plates=1))
    nested = cells.with_obs((cells.batches_of < "p2").map({True: "x", False: "y"}).rename("drug"))
    with pytest.raises(ValueError, match="Two are needed"):
        transfer(nested)
    with pytest.raises(ValueError, match="empty"):
        transfer(cells, normalize=[])
