"""Advice: the answer that a study deserves, with its numbers, and no model where none is due."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


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
    assert np.isclose(found.reasons.loc["Would twice as many units help?", "value"], then - 0.75)


def test_copies_of_cells_change_no_advice():
    one, three = advised(study(seed=3)), advised(study(seed=3, copies=3))
    assert one.choice == three.choice
    assert np.allclose(one.options.to_numpy(), three.options.to_numpy(), atol=1e-3)


def test_with_images_two_models_run_and_the_simple_one_wins_where_pixels_are_noise():
    found = advised(study(images=True, n_plates=3, n_cells=4), n_permutations=3)
    assert list(found.evaluations) == ["classical", "classical and pretrained"]
    assert found.choice == "classical"
    assert "'classical and pretrained' better than 'classical'" in " ".join(found.reasons.index)


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
