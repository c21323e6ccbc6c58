"""Tables by origin, components, and models that are trained and used again."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

import mlscope_nb as ms
from mlscope_nb.predict.components import Components, leading
from mlscope_nb.predict.tables import combined, origins


def test_split_is_the_one_of_study():
    assert ms.predict.split is ms.study.split


def test_columns_are_told_apart_by_what_made_them():
    measured = ["Cells_AreaShape_Area", "Cells_Texture_Contrast_DNA_3_00_256", "Cells_Intensity_MeanIntensity_DNA"]
    lite = [f"Cells_EfficientNetLite0_{c}_{i:04d}" for c in ("DNA", "RNA") for i in range(1280)]
    own = [f"Cells_SelfSupervised_DNA_{i:04d}" for i in range(64)]
    found = origins([*lite[:1280], *measured, *own, *lite[1280:]])
    assert {k: len(v) for k, v in found.items()} == {"EfficientNetLite0": 2560, "measured": 3, "SelfSupervised": 64}
    assert found["measured"] == measured
    assert list(origins([f"feature_{i}" for i in range(99)])) == ["measured"]


def test_tables_that_do_not_fit_are_refused(study):
    cells = study()
    with pytest.raises(ValueError, match="c0"):
        combined(cells, [cells.features, cells.features.iloc[1:]])
    with pytest.raises(TypeError, match="table 2 is a ndarray"):
        combined(cells, [cells.features, np.zeros((len(cells), 2))])
    with pytest.raises(TypeError, match="nothing"):
        combined(cells, [])
    with pytest.raises(ValueError, match="no columns"):
        combined(cells, pd.DataFrame(index=cells.ids))


@pytest.mark.parametrize("shape", [(300, 40), (80, 900)])
def test_full_whitening_is_that_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])) * 0.1
    z = np.arcsinh(2 * (x - x.mean(axis=0)) / x.std(axis=0))
    found = Components(n_components=10, whitening=1.0).fit_transform(x)
    expected = PCA(10, whiten=True, svd_solver="full").fit_transform(z / z.std(axis=0))
    ratio = found / expected
    assert np.allclose(np.abs(ratio), np.sqrt(shape[0] / (shape[0] - 1)), rtol=1e-6)


def test_the_quick_way_for_large_tables_finds_the_same_space():
    rng = np.random.default_rng(1)
    strong = rng.normal(size=(700, 20)) @ rng.normal(size=(20, 800)) * np.linspace(3, 1, 20).mean()
    z = strong + rng.normal(size=(700, 800)) * 0.1
    z -= z.mean(axis=0)
    variances, directions = leading(z, 20)
    exact = np.linalg.svd(z, full_matrices=False)
    assert variances == pytest.approx(exact[1][:20] ** 2 / 700, rel=1e-3)
    assert np.linalg.svd(exact[2][:20] @ directions)[1].min() > 0.999


def test_gaps_constants_and_wild_values_do_no_harm():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 5))
    x[:, 3], x[:, 4] = 7.0, np.nan
    fitted = Components().fit(x)
    new = rng.normal(size=(4, 5))
    new[0, 0], new[1, 1], new[2, 4] = np.nan, 1e12, 5.0
    found = fitted.transform(new)
    assert np.isfinite(found).all() and np.abs(found).max() < 50 and found.shape == (4, 3)


def test_a_model_is_trained_once_and_asked_again(study):
    cells = study(n_classes=3, effect=3)
    known = cells.obs["plate"] != "p3"
    model = ms.predict.train_model(cells.subset(known.to_numpy()))
    new = cells.subset((~known).to_numpy())
    said = model.predict_proba(new)
    assert list(said.columns) == ["a", "b", "c"] and np.allclose(said.sum(axis=1), 1)
    assert (model.predict(new) == new.labels).mean() > 0.6
    extra = new.with_features(new.features.assign(other=1.0)[["other", *reversed(new.features.columns)]])
    assert np.allclose(model.predict_proba(extra), said)
    with pytest.raises(ValueError, match="not found: 'AreaShape_F0'"):
        model.predict_proba(new.with_features(new.features.drop(columns="AreaShape_F0")))


def test_a_wide_table_of_few_profiles_is_read_well():
    rng = np.random.default_rng(3)
    compounds = [(m, f"{m}-{k}") for m in "abcdefghijkl" for k in range(3)]
    rows = [(m, c, f"w{k}") for m, c in compounds for k in range(3)]
    obs = pd.DataFrame(rows, columns=["mechanism", "compound", "well"], index=[f"r{i}" for i in range(len(rows))])
    of_mechanism = {m: rng.normal(size=30) for m in "abcdefghijkl"}
    of_compound = {c: 0.3 * rng.normal(size=30) for _, c in compounds}
    hidden = np.array([of_mechanism[m] + of_compound[c] + 0.5 * rng.normal(size=30) for m, c, _ in rows])
    x = hidden @ rng.normal(size=(30, 300)) + rng.normal(size=(len(rows), 300))
    table = pd.DataFrame(x, obs.index, [f"Cells_Feature_{chr(97 + i % 26)}{i}x" for i in range(300)])
    cells = ms.Cells(obs, features=table, label="mechanism", unit="compound")
    found = ms.predict.cross_validate(cells, by="compound", progress=False, baselines=False)
    assert found.balanced_accuracy > 0.9 and found.n_units == 36 and found.unit == "compound"
