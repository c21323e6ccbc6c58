"""Novelty: what is far from everything known is found, on the scale of its plate and against other wells."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import mlscope_nb as ms

novelty = ms.predict.novelty
METHODS = ("knn", "mahalanobis")


def with_odd_ones(study, n=12, away=6.0, columns=(2, 3), **more):
    """A study in which the last cells of some wells are far away in two features."""
    cells = study(n_features=8, n_cells=12, **more)
    table = cells.features.copy()
    odd = np.zeros(len(cells), bool)
    odd[np.linspace(5, len(cells) - 1, n).astype(int)] = True
    table.loc[odd, [table.columns[c] for c in columns]] += away
    return cells.with_features(table), odd


@pytest.mark.parametrize("method", METHODS)
def test_cells_far_from_all_others_are_found_and_flagged(study, method):
    cells, odd = with_odd_ones(study, away=10.0)
    found = novelty(cells, method=method)
    assert found.index.equals(cells.ids)
    assert roc_auc_score(odd, found["novelty"]) > 0.98 and found["flagged"][~odd].mean() < 0.02
    assert found["flagged"][odd].mean() > 0.5
    # A classifier is no less sure of them: the features it looks at are untouched.
    assert abs(roc_auc_score(odd, -found["max_probability"].astype(float)) - 0.5) < 0.25
    assert set(found["predicted"]) == {"a", "b"}


@pytest.mark.parametrize("method", METHODS)
def test_a_plate_of_another_scale_is_not_novel(study, method):
    cells, odd = with_odd_ones(study)
    other = (cells.obs["plate"] == "p1").to_numpy()
    table = cells.features.copy()
    table[other] = table[other] * 3.0 + 20.0
    shifted = novelty(cells.with_features(table), method=method, model=None)["novelty"]
    np.testing.assert_allclose(shifted, novelty(cells, method=method, model=None)["novelty"], atol=1e-6)
    assert roc_auc_score(odd, shifted) > 0.98
    raw = novelty(cells.with_features(table), method=method, model=None, normalize=None)["novelty"]
    assert abs(roc_auc_score(other, shifted) - 0.5) < 0.1 < abs(roc_auc_score(other, raw) - 0.5)


def test_a_spoilt_well_does_not_vouch_for_itself(study):
    cells = study(n_features=6, n_cells=30, n_plates=2)
    spoilt = ((cells.obs["plate"] == "p0") & (cells.obs["well"] == "B01")).to_numpy()
    table = cells.features.copy()
    table.loc[spoilt, table.columns[3]] += 15.0
    cells = cells.with_features(table)
    own = novelty(cells.with_design(unit=None), k=5, model=None, normalize=None)["novelty"]
    others = novelty(cells, k=5, model=None, normalize=None)["novelty"]
    assert others[spoilt].min() > own[spoilt].max() and others[spoilt].min() > others[~spoilt].quantile(0.99)


def test_an_unknown_class_is_novel_by_reference_of_every_kind(study):
    cells = study(n_classes=3, n_cells=15, plate=0.0, well=0.1)
    unknown = cells.labels == "c"
    table = cells.features.copy()
    table.loc[unknown, table.columns[2:]] += 5.0
    cells = cells.with_features(table)
    by_mask = novelty(cells, ~unknown, normalize=None)
    by_ids = novelty(cells, cells.ids[~unknown], normalize=None)
    pd.testing.assert_frame_equal(by_mask, by_ids)
    assert roc_auc_score(unknown, by_mask["novelty"]) > 0.95
    assert set(by_mask["predicted"]) == {"a", "b"} and by_mask.loc[unknown, "p_value"].median() < 0.05
    new, known = cells.subset(cells.ids[unknown]), cells.subset(cells.ids[~unknown])
    apart = novelty(new, known, normalize=None)
    # Alone they are on the scale of the known cells only.
    assert np.corrcoef(apart["novelty"], by_mask.loc[unknown, "novelty"])[0, 1] > 0.9
    assert apart["p_value"].median() < 0.05
    assert set(apart["predicted"]) <= {"a", "b"} and list(apart.index) == list(new.ids)


def test_given_probabilities_stand_beside_it_and_no_labels_give_none(study):
    cells = study()
    table = pd.DataFrame({"a": 0.8, "b": 0.2}, index=cells.ids)
    found = novelty(cells, probabilities=table)
    assert set(found["predicted"]) == {"a"} and (found["max_probability"] == 0.8).all()
    bare = novelty(cells.with_design(label=None))
    assert bare["max_probability"].isna().all() and bare["predicted"].isna().all()
    np.testing.assert_array_equal(bare["novelty"], found["novelty"])


def test_probabilities_come_from_models_that_never_saw_the_unit(study):
    # Labels without meaning that are the same throughout a well: only a model that saw the well knows them.
    cells = study(effect=0.0, well=3.0, n_cells=20, n_features=10)
    found = novelty(cells)
    assert (found["predicted"] == cells.labels).mean() < 0.75


def test_gaps_and_constant_features_do_no_harm(study):
    cells, odd = with_odd_ones(study)
    table = cells.features.copy()
    table["Cells_Empty"], table["Cells_Same"] = np.nan, 1.0
    table.iloc[3, 0] = np.nan
    assert roc_auc_score(odd, novelty(cells.with_features(table), model=None)["novelty"]) > 0.98


def test_pictures_show_what_lies_outside_of_the_mask():
    cells, _ = ms.datasets.simulate(1, 12, 20, seed=4, faults=0)
    cells = cells.with_features(ms.features.measure(cells, progress=False))
    pixels = np.array(cells.images[:])
    dirty = np.arange(7, len(cells), 40)
    inside = np.asarray(cells.masks[:]) > 0
    for i in dirty:
        spot = np.hypot(*(np.indices(pixels.shape[2:]) - np.array([6, 6])[:, None, None])) < 5
        pixels[i, 0][spot & ~inside[i]] = pixels[:, 0].max() // 2
    spoilt = ms.Cells(
        cells.obs, pixels, masks=cells.masks, features=cells.features, channels=cells.channels, unit=("plate", "well")
    )
    odd = np.isin(np.arange(len(cells)), dirty)
    seen, unseen = (novelty(spoilt, model=None, pictures=p)["novelty"] for p in (True, False))
    assert roc_auc_score(odd, seen) > 0.9 > roc_auc_score(odd, unseen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lof"}, "expected one of knn, mahalanobis"),
        ({"cut": 0}, "positive number of deviations"),
        ({"reference": ["c1", "c2"]}, "takes 20 at least"),
        ({"k": 1000}, "fewer than the 192 cells"),
    ],
)
def test_what_cannot_be_judged_is_refused(study, options, message):
    with pytest.raises(ValueError, match=message):
        novelty(study(), **options)


def test_other_features_and_infinite_values_are_refused(study):
    cells = study()
    with pytest.raises(ValueError, match=r"not found in the reference: 'AreaShape_F3'"):
        novelty(cells, study(n_features=3))
    table = cells.features.copy()
    table.iloc[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"Infinite values in 'AreaShape_F0'"):
        novelty(cells.with_features(table))
