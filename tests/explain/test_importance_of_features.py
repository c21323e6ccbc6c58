"""Importance of features, Shapley values, prototypes and what a region is about: closed forms and invariances."""

import itertools
import math
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

import mlscope_nb as ms
from mlscope_nb.explain.feature_blocks import feature_blocks


def study(n_classes=2, n_plates=4, n_wells=6, n_cells=6, seed=0, effect=1.5):
    """Wells of one class each; `area` and `size` (much alike) tell the class, `depth` and `grain` do not."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"w{w}", "abc"[w % n_classes]) for p in range(n_plates) for w in range(n_wells)
        for _ in range(n_cells)
    ]  # fmt: skip
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i:04d}" for i in range(len(rows))])
    x = rng.normal(size=(len(obs), 4))
    x[:, 0] += effect * obs["drug"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    x[:, 1] = x[:, 0] + 0.3 * x[:, 1]
    table = pd.DataFrame(x, index=obs.index, columns=["area", "size", "depth", "grain"])
    return ms.Cells(obs, features=table, label="drug", unit=("plate", "well"), batch="plate")


def twice(cells):
    parts = [cells.obs, cells.obs.rename(index=lambda i: f"{i}-copy")]
    tables = [cells.features, cells.features.rename(index=lambda i: f"{i}-copy")]
    design = {k: getattr(cells.design, k) for k in ("label", "unit", "batch")}
    return ms.Cells(pd.concat(parts), features=pd.concat(tables), **design)


def test_what_was_planted_comes_first_with_its_sign_and_an_interval():
    found = ms.explain.importance(study(), progress=False)
    first = found.blocks.iloc[0]
    assert set(first["features"]) == {"area", "size"} and first["low"] > 0 and first["rank"] == 1
    assert first["sign"] == (1 if first["class"] == "b" else -1)
    assert found.blocks.loc[["depth", "grain"], "importance"].abs().max() < first["importance"] / 5
    assert "area" in str(found) or "size" in str(found)
    values = study().features[first["feature"]]
    assert values[list(first["low_cells"])].max() < values.median() < values[list(first["high_cells"])].min()
    assert found.probability.n_units == 24


def test_a_block_is_told_by_the_feature_that_speaks_and_not_by_the_one_in_its_middle():
    cells = study()
    rng = np.random.default_rng(3)
    size, longer = rng.normal(size=len(cells)), 0.4 * (cells.labels == "b") + 0.2 * rng.normal(size=len(cells))
    table = pd.DataFrame(
        {"area": size, "length": size + longer, "width": size - longer, "depth": cells.features["depth"]}
    )
    found = ms.explain.importance(cells.with_features(table), progress=False)
    first = found.blocks.iloc[0]
    assert first.name == "area" and set(first["features"]) == {"area", "length", "width"}
    towards = 1 if first["class"] == "b" else -1
    assert first["sign"] * towards == {"length": 1, "width": -1}[first["feature"]]
    values = table[first["feature"]]
    assert values[list(first["low_cells"])].max() < values.median() < values[list(first["high_cells"])].min()
    assert f"1. {first['feature']} and 2 features like it" in str(found)


def test_a_feature_that_is_there_again_changes_nothing_but_the_lists():
    cells = study()
    more = cells.features.assign(again=cells.features["depth"], turned=3 - 2 * cells.features["area"], flat=1.0)
    plain = ms.explain.importance(cells, progress=False)
    found = ms.explain.importance(cells.with_features(more), progress=False)
    same = ["rank", "importance", "low", "high", "accuracy_lost", "class", "sign"]
    pd.testing.assert_frame_equal(plain.blocks[same], found.blocks[same])
    assert found.blocks["n_features"].sum() == 6
    assert found.features.loc["again", "same_as"] == "depth"
    assert any("flat" in note for note in found.notes)


def test_neither_the_order_of_rows_nor_copies_of_cells_change_anything():
    cells = study()
    plain = ms.explain.importance(cells, progress=False).blocks
    turned = ms.explain.importance(cells.subset(cells.ids[::-1]), progress=False).blocks
    np.testing.assert_allclose(plain["importance"], turned.loc[plain.index, "importance"], atol=1e-6)
    copied = ms.explain.importance(twice(cells), progress=False).blocks
    # The solver stops a little elsewhere: the same model to its tolerance.
    np.testing.assert_allclose(plain["importance"], copied.loc[plain.index, "importance"], atol=2e-3)


def test_other_models_and_more_classes():
    found = ms.explain.importance(study(3), "forest", by="plate", n_repeats=2, progress=False)
    assert set(found.blocks.iloc[0]["features"]) == {"area", "size"} and found.shapley is None
    assert found.by_class.columns.tolist() == ["a", "b", "c"] and found.probability.n_units == 4


def test_importance_refuses():
    cells = study()
    with pytest.raises(ValueError, match="correlation is 0"):
        ms.explain.importance(cells, correlation=0)
    with pytest.raises(TypeError, match="models of features"):
        ms.explain.importance(cells, ms.predict.train_network)
    with pytest.raises(ValueError, match="No feature varies"):
        ms.explain.importance(cells.with_features(cells.features * 0))


def test_blocks_do_not_join_what_only_plates_join():
    rng = np.random.default_rng(1)
    batch = np.repeat([0, 1, 2, 3], 100)
    table = pd.DataFrame(rng.normal(size=(400, 2)) + 20 * batch[:, None], columns=["a", "b"])
    assert len(feature_blocks(table).members) == 1
    assert len(feature_blocks(table, batch).members) == 2


def test_shapley_values_of_a_linear_model_are_the_closed_form():
    cells = study()
    model = ms.predict.train_model(cells, LogisticRegression())
    found = ms.explain.shapley(model, cells)
    x = cells.features.to_numpy()
    (inner,) = model.models.values()
    np.testing.assert_allclose(found, inner.coef_[0] * (x - x.mean(axis=0)), atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapley_values_of_the_projects_model_add_up_to_what_it_says(n_classes):
    cells = study(n_classes)
    tables = {"one": cells.features[["area", "depth"]], "two": cells.features[["size", "grain"]]}
    model = ms.predict.train_model(cells, features=tables)
    whole = cells.with_features(pd.concat(tables.values(), axis=1))
    found = ms.explain.shapley(model, whole, target="b")
    log = np.log(model.predict_proba(whole))
    score = log["b"] - (log["a"] if n_classes == 2 else log.mean(axis=1))
    np.testing.assert_allclose(found.sum(axis=1), score - score.mean(), atol=1e-8)
    assert found.attrs["mean_score"] == pytest.approx(score.mean(), abs=1e-8)


def test_shapley_values_are_those_of_the_definition():
    cells = study(n_plates=2, n_wells=4, n_cells=3)
    cells = cells.with_features(cells.features.iloc[:, :3])
    model = ms.predict.train_model(cells)
    x = cells.features.to_numpy()
    found = ms.explain.shapley(model, cells).to_numpy()

    def value(row, known):
        mixed = x.copy()
        mixed[:, list(known)] = x[row, list(known)]
        p = model.predict_proba(cells.with_features(pd.DataFrame(mixed, cells.ids, cells.features.columns)))
        return float((np.log(p["b"]) - np.log(p["a"])).mean())

    for row in (0, 17):
        for j in range(3):
            others = [k for k in range(3) if k != j]
            total = 0.0
            for size in range(3):
                share = math.factorial(size) * math.factorial(2 - size) / math.factorial(3)
                for known in itertools.combinations(others, size):
                    total += share * (value(row, (*known, j)) - value(row, known))
            assert found[row, j] == pytest.approx(total, abs=1e-8)


def test_shapley_refuses(monkeypatch):
    cells = study(3)
    model = ms.predict.train_model(cells)
    with pytest.raises(ValueError, match="target="):
        ms.explain.shapley(model, cells)
    with pytest.raises(KeyError, match="No class 'z'"):
        ms.explain.shapley(model, cells, target="z")
    with pytest.raises(ValueError, match="not found"):
        ms.explain.shapley(model, cells.with_features(cells.features[["area"]]), target="a")
    with pytest.raises(TypeError, match="neither adds up"):
        ms.explain.shapley(ms.predict.train_model(cells, SVC()), cells, target="a")
    with pytest.raises(TypeError, match="train_model"):
        ms.explain.shapley("logistic", cells)
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match=r'pip install "mlscope_nb\[shap\]"'):
        ms.explain.shapley(ms.predict.train_model(cells, "forest"), cells, target="a")


def heaps(seed=0):
    """Two heaps of 60 and 30 cells, and one cell far from both."""
    rng = np.random.default_rng(seed)
    x = np.r_[rng.normal(0, 1, (60, 3)), rng.normal(9, 1, (30, 3)), [[30.0, -20, 5]]]
    obs = pd.DataFrame({"drug": "x", "plate": "p", "well": "w"}, index=[f"c{i:03d}" for i in range(len(x))])
    table = pd.DataFrame(x, index=obs.index, columns=["a", "b", "c"])
    return ms.Cells(obs, features=table, label="drug", unit=("plate", "well"), batch="plate")


def test_prototypes_stand_for_both_heaps_and_the_odd_cell_is_criticised():
    found = ms.explain.prototypes(heaps(), n=3, n_criticisms=2)
    first = found[found["kind"] == "prototype"]
    assert {int(i[1:]) // 60 for i in first.index} == {0, 1}
    assert first["share"].sum() == pytest.approx(1)
    assert "c090" in found.index[found["kind"] == "criticism"]


def test_prototypes_do_not_see_copies_or_the_order_of_rows():
    cells = heaps()
    found = ms.explain.prototypes(cells, n=3)
    pd.testing.assert_frame_equal(found, ms.explain.prototypes(cells.subset(cells.ids[::-1]), n=3))
    assert ms.explain.prototypes(twice(cells), n=3).index.tolist() == found.index.tolist()
    with pytest.raises(ValueError, match="n is 0"):
        ms.explain.prototypes(cells, n=0)


def test_about_names_a_block_once():
    cells = study()
    more = cells.with_features(cells.features.assign(again=cells.features["area"] * 2))
    chosen = cells.labels.eq("b")
    found = ms.explain.about(more, chosen)
    assert set(found.iloc[0]["features"]) == {"area", "size", "again"} and found.iloc[0]["low"] > 0
    assert len(found) == 3
    assert found.iloc[0]["effect"] == ms.explore.distinguish(cells, chosen)["effect"].iloc[0]
