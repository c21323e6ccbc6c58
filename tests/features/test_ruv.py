"""RUV: what differs between control wells goes, what was done to the others stays."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import Cells
from mlscope_nb.features import Normalizer, batch_report, normalize


def study(seed=0, n_plates=5, copies=1, odd=3.0):
    """Wells that differ along two directions, as two stains do, and a treatment that shows in a third."""
    rng = np.random.default_rng(seed)
    rows = [(f"P{p}", f"w{w}", "DMSO" if w < 4 else "x") for p in range(n_plates) for w in range(10)]
    wells = np.repeat(np.array(rows, object), 20, axis=0)
    obs = pd.DataFrame(wells, columns=["plate", "well", "drug"])
    stains = rng.normal(scale=odd, size=(len(rows), 2)) + np.repeat(
        rng.normal(size=(n_plates, 2)) * odd / 2, 10, axis=0
    )
    values = rng.normal(size=(len(obs), 12)) + np.repeat(stains, 20, axis=0) @ np.eye(12)[:2]
    values[obs["drug"] == "x", 5] += 2
    obs, values = pd.concat([obs] * copies), np.tile(values, (copies, 1))
    obs.index = [f"c{i}" for i in range(len(obs))]
    features = pd.DataFrame(values, obs.index, [f"F{i}" for i in range(12)])
    design = {"unit": ("plate", "well"), "batch": "plate", "control": {"drug": "DMSO"}, "treatment": "drug"}
    return Cells(obs, features=features, **design)


def between_wells(cells, column):
    return cells.features[column].groupby(cells.units).mean().var()


def test_the_directions_of_the_wells_go_and_the_treatment_stays():
    before = study()
    after = normalize(before, "ruv")
    assert max(between_wells(after, f) for f in ("F0", "F1")) < 0.3 < 5 < between_wells(before, "F0")
    gap = after.features["F5"].groupby(before.obs["drug"]).mean()
    assert gap["x"] - gap["DMSO"] == pytest.approx(2, rel=0.15)


def test_two_directions_are_found_and_copies_of_all_cells_find_the_same():
    fits = [Normalizer("ruv").fit(study(copies=n))._fitted.model for n in (1, 3)]
    assert [f.n_directions for f in fits] == [2, 2]
    assert np.allclose(fits[0].keep, fits[1].keep, atol=1e-8)


def test_nothing_is_removed_where_wells_do_not_differ():
    removed = [Normalizer("ruv").fit(study(seed, odd=0.0))._fitted.model.n_directions for seed in range(8)]
    assert max(removed) <= 1 and np.mean(removed) < 0.5


def test_the_plate_is_harder_to_guess_than_after_standardising_to_two_wells():
    cells = study(seed=1)
    tables = {m: batch_report(cells, Normalizer(m), n_permutations=5).table.iloc[0] for m in ("standardize", "ruv")}
    assert tables["ruv"]["after"] < tables["standardize"]["after"] - 0.05
    assert tables["ruv"]["after"] - tables["ruv"]["null"] < 0.1


def test_a_plate_never_seen_needs_no_centre_of_its_own():
    cells = study()
    first = cells.ids[cells.obs["plate"] != "P4"]
    fitted = Normalizer("ruv").fit(cells.subset(first))
    treated = cells.ids[(cells.obs["plate"] == "P4") & ~cells.controls]
    new = fitted.transform(cells.subset(treated))
    assert not any("own_controls" in step for step in new.history)
    assert between_wells(new, "F0") < 0.5


def test_gaps_stay_gaps_and_odd_values_are_held():
    cells = study()
    values = cells.features.copy()
    values.iloc[3, 0], values.iloc[4, 1] = np.nan, 1e9
    after = normalize(cells.with_features(values), "ruv").features
    assert np.isnan(after.iloc[3, 0]) and after.notna().to_numpy().sum() == after.size - 1
    assert np.abs(after.iloc[4]).max() < 20


def test_too_few_wells_and_odd_numbers_are_refused():
    cells = study(n_plates=1)
    two = cells.where("well in ('w0', 'w1', 'w5')")
    with pytest.raises(ValueError, match="found 2, expected at least 3"):
        normalize(two, "ruv")
    with pytest.raises(ValueError, match="expected a whole number"):
        Normalizer("ruv", directions=1.5)
    assert Normalizer("ruv", directions=1).fit(cells)._fitted.model.n_directions == 1
