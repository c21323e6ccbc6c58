"""Advice: the answer that a study deserves, with its numbers, and no model where none is due."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.predict import candidates
from mlscope_nb.predict.advice import _ahead
from mlscope_nb.predict.shown_better import Reasons


def study(effect=2.0, n_plates=4, n_wells=8, n_cells=10, seed=0, nested=False, copies=1, images=False):
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(n_plates):
        for w in range(n_wells):
            drug = "ab"[p % 2] if nested else "ab"[w % 2]
            rows += [(f"p{p}", f"p{p}w{w}", drug)] * n_cells
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    wells = pd.DataFrame(0.3 * rng.normal(size=(n_plates * n_wells, 6)), obs["well"].unique())
    table = pd.DataFrame(rng.normal(size=(len(obs), 6)) + wells.loc[obs["well"]].to_numpy(), obs.index)
    table.columns = [f"Cells_Texture_{i}" for i in range(6)]
    table.iloc[:, 0] += effect * (obs["drug"] == "b").to_numpy()
    more = (
        {"images": rng.integers(0, 900, (len(obs), 1, 32, 32), dtype=np.uint16), "channels": ["DNA"]} if images else {}
    )
    if copies > 1:
        table = pd.concat([table] * copies).set_axis([f"c{i}" for i in range(copies * len(obs))])
        obs = pd.concat([obs] * copies).set_axis(table.index)
    return ms.Cells(obs, features=table, label="drug", unit="well", batch="plate", **more)


def advised(cells, **options):
    return ms.predict.recommend(cells, progress=False, **options)


def test_a_clear_difference_gets_a_model_and_every_reason_a_number():
    found = advised(study())
    assert found.choice == "classical" and found.train
    assert found.evaluations["classical"].balanced_accuracy > 0.75
    numbers = found.reasons.loc[found.reasons["figure"] != "", "value"]
    assert len(numbers) >= 4 and numbers.notna().all()
    assert found.options.loc["classical", "balanced_accuracy"] == found.evaluations["classical"].balanced_accuracy


@pytest.mark.parametrize("seed", range(4))
def test_labels_without_meaning_get_no_model(seed):
    found = advised(study(effect=0.0, seed=seed))
    assert found.choice == "nothing here beats the baseline" and not found.train
    missed = found.reasons.loc["Could a worthwhile difference have been missed?"]
    limits = found.evaluations["classical"].baselines.drop(index="permuted labels")
    assert missed["value"] in limits["gain_high"].tolist() and missed["answer"].startswith(("Yes", "No"))
    assert missed["answer"].startswith("Yes") == (missed["value"] >= 0.05)


def test_labels_nested_in_plates_are_refused_before_anything_is_trained():
    found = advised(study(nested=True))
    assert found.choice == "not identifiable" and not found.evaluations and "one class" in found.text


def test_two_wells_of_a_class_are_too_few():
    found = advised(study(n_plates=1, n_wells=4))
    assert found.choice == "get more units" and found.reasons["value"].iloc[-1] == 2


@pytest.mark.parametrize(
    ("then", "low", "choice"), [(0.9, 0.8, "get more units"), (0.9, 0.7, "classical"), (0.76, 0.76, "classical")]
)
def test_more_wells_come_first_where_they_surely_bring_more(monkeypatch, then, low, choice):
    curve = pd.DataFrame({"n_units": [16, 32, 64], "kind": ["measured", "measured", "foreseen"]})
    curve["curve"], curve["low"], curve["high"] = [0.6, 0.75, then], [0.5, 0.7, low], [0.7, 0.8, 0.95]
    monkeypatch.setattr("mlscope_nb.predict.candidates.Runner.curve", lambda self, name: curve)
    found = advised(study())
    assert found.choice == choice
    row = found.reasons.loc["Would twice as many units help?"]
    assert np.isclose(row["value"], then - 0.75) and row["answer"].startswith("0.75 now")


def test_the_curve_of_another_model_is_named_or_its_score_would_seem_to_contradict_the_choice():
    curve = pd.DataFrame({"kind": ["measured", "foreseen"], "curve": [0.63, 0.65], "low": [0.6, 0.63], "high": 0.67})
    runner = SimpleNamespace(cells=study(), curve=lambda name: curve)
    reasons = Reasons()
    _ahead(runner, "classical and pretrained", reasons)
    assert reasons.last == "With 'classical': 0.63 now, 0.65 foreseen (0.63 to 0.67)."


def test_copies_of_cells_change_no_advice():
    one, three = advised(study(seed=3)), advised(study(seed=3, copies=3))
    assert one.choice == three.choice
    assert np.allclose(one.options.to_numpy(), three.options.to_numpy(), atol=1e-3)


def test_with_images_three_models_run_and_the_simple_one_wins_where_pixels_are_noise():
    found = advised(study(images=True, n_plates=3, n_cells=4), n_permutations=3)
    assert list(found.evaluations) == ["classical", "pretrained", "classical and pretrained"]
    assert found.choice == "classical"
    assert "'classical and pretrained' better than 'classical'" in " ".join(found.reasons.index)


def embedded(cells, effect, seed=1):
    """Cells with 40 outputs of a network beside what was measured; the first ones tell the drug, or nothing does."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(cells), 40))
    values[:, :4] += effect * (cells.labels == "b").to_numpy()[:, None]
    names = [f"Cells_EfficientNetLite0_DNA_{k:04d}" for k in range(40)]
    return cells.with_features(pd.concat([cells.features, pd.DataFrame(values, cells.ids, names)], axis=1))


def test_embeddings_that_cells_have_are_used_and_win_where_measured_features_say_nothing():
    found = advised(embedded(study(effect=0.0), 1.5), n_permutations=3)
    assert list(found.options.index) == ["classical", "pretrained", "classical and pretrained"]
    assert found.options.loc["pretrained", "balanced_accuracy"] > 0.8
    assert found.choice == "pretrained"


def test_one_standard_error_decides_for_the_costlier_model():
    found = advised(embedded(study(effect=1.0, seed=2), 0.6), n_permutations=3)
    for question, row in found.reasons[found.reasons.index.str.startswith("Is '")].iterrows():
        half_width = (row["high"] - row["low"]) / 2
        one_error = half_width / 3.182  # Student's t for 4 plates, 95 %
        assert row["answer"].startswith("Yes") == (row["value"] > one_error), question


def test_where_the_simplest_model_sees_nothing_the_one_with_the_highest_score_is_asked(monkeypatch):
    # With so few units a costlier model is never better beyond one standard error.
    monkeypatch.setattr("mlscope_nb.predict.advice.standard_error", lambda gain: 1.0)
    found = advised(embedded(study(effect=0.0), 1.5), candidates=["classical", "pretrained"])
    assert found.choice in ("pretrained", "get more units") and "'pretrained'" in found.text
    asked = found.reasons["answer"]
    assert asked["Is it better than with exchanged labels?"].startswith("No")
    assert asked["And is 'pretrained', which has the highest score, better than with exchanged labels?"].startswith(
        "Yes"
    )
    # What was chosen by its score has to beat the luck of both.
    limits = found.reasons.loc[[q for q in found.reasons.index if "exchanged" in q], "value"]
    assert limits.iloc[1] >= limits.iloc[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_second_model_is_no_second_chance_for_labels_without_meaning(seed, monkeypatch):
    monkeypatch.setattr("mlscope_nb.predict.advice.standard_error", lambda gain: 1.0)
    found = advised(embedded(study(effect=0.0, seed=seed), 0.0, seed + 7), candidates=["classical", "pretrained"])
    assert found.choice == "nothing here beats the baseline"


def test_something_that_is_not_shown_on_new_plates_asks_for_more_wells(monkeypatch):
    def unsure(self, name, *, baselines=True):
        found = run(self, name, baselines=baselines)
        if baselines:
            found.baselines.loc["majority", ["gain", "gain_low", "gain_high"]] = [0.2, -0.1, 0.5]
            found.baselines.drop(index=[n for n in found.baselines.index if n not in kept], inplace=True)
        return found

    kept = ("majority", "permuted labels")
    run = candidates.Runner.run
    monkeypatch.setattr(candidates.Runner, "run", unsure)
    found = advised(study())
    assert found.choice == "get more units" and "there is something" in found.text
    assert advised(study(effect=0.0)).choice == "nothing here beats the baseline"


def test_crops_without_masks_are_measured_on_a_guess():
    yy, xx = np.mgrid[:32, :32]
    disc = (yy - 16) ** 2 + (xx - 16) ** 2 < 81
    cells = study(n_plates=3, n_wells=6, n_cells=3)
    rng = np.random.default_rng(0)
    level = np.where((cells.labels == "b").to_numpy(), 3000, 2000)[:, None, None, None]
    pixels = (200 + level * disc + 30 * rng.normal(size=(len(cells), 1, 32, 32))).astype(np.uint16)
    bare = ms.Cells(cells.obs, pixels, channels=["DNA"], label="drug", unit="well", batch="plate")
    found = advised(bare, candidates=["classical"], n_permutations=3)
    assert found.evaluations["classical"].balanced_accuracy > 0.9


def test_a_network_and_what_it_is_compared_with_are_tested_on_the_same_two_folds():
    cells = study(images=True, n_plates=4, n_wells=6, n_cells=2)
    found = advised(cells, candidates=["classical", "small network"], epochs=1, n_permutations=3)
    for one in found.evaluations.values():
        assert one.predictions["fold"].nunique() == 2
    assert found.choice != "small network"


def test_what_cannot_be_run_is_refused():
    with pytest.raises(ValueError, match="'magic'"):
        advised(study(), candidates=["magic"])
    with pytest.raises(ValueError, match="only tables"):
        advised(study(), candidates=["pretrained"])
    with pytest.raises(ValueError, match="No label is declared"):
        advised(ms.Cells(pd.DataFrame(index=["a", "b"])))


def test_words_are_escaped_and_ready_for_a_file():
    cells = study(n_plates=1, n_wells=4)
    found = advised(cells.with_obs(cells.obs["drug"].map({"a": "<i>a", "b": "&b"}).rename("drug")))
    assert "<i>a" in str(found) and "<i>a" not in found._repr_html_() and "&lt;i&gt;a" in found._repr_html_()
    assert found.to_dict()["choice"] == found.choice
