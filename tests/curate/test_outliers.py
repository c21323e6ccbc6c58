"""Outliers: planted ones come first, plates do not matter, and LOF fails where faults resemble each other."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

from mlscope_nb import Cells
from mlscope_nb.curate import find_outliers
from mlscope_nb.datasets import simulate

METHODS = ["knn", "isolation_forest", "lof"]


def study(n=400, n_odd=8, p=6, together=False, shift=3.0, seed=0):
    """Cells of two plates that differ, some of them odd: each in its own way, or all in the same."""
    rng = np.random.default_rng(seed)
    odd = np.arange(n) % (n // n_odd) == 0
    plate = np.array(["p1", "p2"])[np.arange(n) // (n // 2)]
    values = rng.normal(size=(n, p))
    away = np.where(odd.sum() and together, np.ones((n, p)), rng.normal(size=(n, p)))
    away *= 12 / np.linalg.norm(away, axis=1, keepdims=True)
    values = np.where(odd[:, None], away + 0.2 * values, values)
    values[plate == "p2"] = values[plate == "p2"] * 2 + shift
    obs = pd.DataFrame({"plate": plate}, index=[f"c{i}" for i in range(n)])
    features = pd.DataFrame(values, index=obs.index).add_prefix("f")
    return Cells(obs, features=features, batch="plate"), odd


@pytest.mark.parametrize("method", METHODS)
def test_single_odd_cells_come_first(method):
    cells, odd = study()
    found = find_outliers(cells, method)
    assert list(found.index) == list(cells.ids)
    assert set(found["rank"][odd]) == set(range(1, odd.sum() + 1))
    assert found["flagged"][odd].all()
    assert found["flagged"][~odd].mean() <= 0.02


def test_a_heap_of_faults_hides_from_lof():
    cells, odd = study(n=1000, n_odd=50, together=True)
    auroc = {m: roc_auc_score(odd, find_outliers(cells, m)["score"]) for m in METHODS}
    assert auroc["knn"] > 0.99 and auroc["isolation_forest"] > 0.99
    assert auroc["lof"] < 0.5


def test_plates_that_differ_do_not_matter():
    near, far = (find_outliers(study(shift=s)[0]) for s in (0.0, 1000.0))
    assert np.allclose(near["score"], far["score"])
    assert (near["reason"] == far["reason"]).all()
    raw = find_outliers(study(shift=1000.0)[0], normalize=None)
    assert not np.allclose(raw["score"], near["score"])


@pytest.mark.parametrize("n_features", [2, 10, 100])
def test_clean_cells_are_hardly_flagged(n_features):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(1000, n_features))).add_prefix("f")
    cells = Cells(pd.DataFrame(index=table.index), features=table)
    for method in ("knn", "isolation_forest"):
        assert find_outliers(cells, method)["flagged"].mean() <= 0.02


def test_scores_are_those_of_scikit_learn():
    cells, _ = study()
    values = cells.features.to_numpy()
    lof = LocalOutlierFactor(n_neighbors=20).fit(values)
    forest = IsolationForest(n_estimators=200, random_state=0).fit(values)
    assert np.allclose(find_outliers(cells, "lof", normalize=None)["score"], -lof.negative_outlier_factor_)
    found = find_outliers(cells, "isolation_forest", normalize=None)["score"]
    assert np.allclose(found, -forest.score_samples(values))
    away = np.sort(np.linalg.norm(values[:, None] - values[None], axis=2), axis=1)
    assert np.allclose(find_outliers(cells, "knn", k=7, normalize=None)["score"], away[:, 7])


def test_the_reason_names_the_features_that_are_furthest():
    rng = np.random.default_rng(0)
    names = ["Nuclei_AreaShape_Area", "Cells_Intensity_MeanIntensity_DNA", "my_own"]
    table = pd.DataFrame(rng.normal(size=(200, 3)), columns=names, index=[f"c{i}" for i in range(200)])
    table.loc["c7", "my_own"], table.loc["c8", "Nuclei_AreaShape_Area"] = -40, 30
    table["twin"] = table["Nuclei_AreaShape_Area"] * 2  # says the same, and shall not be said twice
    found = find_outliers(Cells(pd.DataFrame(index=table.index), features=table))
    assert found.loc["c7", "reason"].startswith("my_own (") and "below usual" in found.loc["c7", "reason"]
    assert ("area of the nucleus (" in found.loc["c8", "reason"]) != ("twin (" in found.loc["c8", "reason"])
    assert found.loc[["c7", "c8"], "flagged"].all()


def test_gaps_and_constants_are_named():
    cells, odd = study()
    table = cells.features.copy()
    table.iloc[3, 0] = np.nan
    found = find_outliers(cells.with_features(table.assign(empty=np.nan, same=1.0)))
    notes = " ".join(found.attrs["notes"])
    assert "'empty', 'same'" in notes and "1 missing value filled" in notes
    assert found["flagged"][odd].all()


def test_cells_without_features_are_measured():
    cells, truth = simulate(1, 4, 10, seed=3)
    found = find_outliers(cells)
    assert any("measured" in note for note in found.attrs["notes"])
    assert found["score"].notna().all() and len(truth.obs) == len(found)


def test_bad_input_is_refused():
    cells, _ = study()
    with pytest.raises(ValueError, match="expected one of knn, isolation_forest, lof"):
        find_outliers(cells, "forest")
    with pytest.raises(ValueError, match="5 cells: to tell what is unusual takes 20"):
        find_outliers(cells.subset(cells.ids[:5]))
    with pytest.raises(ValueError, match="k is 0"):
        find_outliers(cells, k=0)
    with pytest.raises(ValueError, match="cut is 0"):
        find_outliers(cells, cut=0)
    with pytest.raises(ValueError, match="no features, and no images"):
        find_outliers(Cells(cells.obs))
    with pytest.raises(ValueError, match="None of 1 feature varies"):
        find_outliers(cells.with_features(pd.DataFrame({"f": 1.0}, index=cells.ids)))
    with pytest.raises(ValueError, match="Infinite values in 'f1'"):
        find_outliers(cells.with_features(cells.features.assign(f1=np.inf)))
