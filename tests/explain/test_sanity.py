"""Sanity checks: maps that follow the weights, one that follows the picture, and changes that mean nothing."""

import numpy as np
import pandas as pd
import pytest
import torch

from mlscope_nb.explain import attribute, mix_weights, sanity_check
from mlscope_nb.explain.likeness_of_maps import likeness
from mlscope_nb.explain.randomised import cascade, parts


def test_parts_are_mixed_up_from_the_answer_on_and_keep_their_weights(spotted):
    _, _, network = spotted
    before = {k: v.clone() for k, v in network.model.state_dict().items()}
    assert parts(network.model) == ["first", "second", "head"]
    changed = []
    for name, forgetful in cascade(network, 3, 0):
        state = forgetful.model.state_dict()
        changed.append((name, {k.split(".")[0] for k in state if not torch.equal(state[k], before[k])}))
        for k in state:
            assert torch.equal(state[k].flatten().sort().values, before[k].flatten().sort().values)
    assert [name for name, _ in changed] == ["head", "second", "first"]
    assert changed[0][1] == {"head"} and changed[2][1] == {"head", "second", "first"}
    assert all(torch.equal(v, before[k]) for k, v in network.model.state_dict().items())
    assert [name for name, _ in cascade(network, 2, 0)] == ["second", "first"]


def test_mixed_up_weights_are_the_end_of_the_cascade_and_leave_the_network_alone(spotted):
    cells, _, network = spotted
    before = network.predict_proba(cells)
    mixed = mix_weights(network, seed=3)
    _, last = list(cascade(network, 3, 3))[-1]
    assert all(torch.equal(a, b) for a, b in zip(mixed.model.parameters(), last.model.parameters(), strict=True))
    pd.testing.assert_frame_equal(network.predict_proba(cells), before)
    other = mix_weights(network, seed=4).predict_proba(cells)
    assert np.abs(mixed.predict_proba(cells) - other).to_numpy().max() > 1e-6


def test_the_gradient_of_a_linear_network_follows_its_weights_alone(linear, cells):
    network, _ = linear
    found = sanity_check(network, cells, "gradient", target="spot", stages=1, views=1)
    weights, shift, turn = (found[found["check"] == k].iloc[0] for k in ("weights", "shift", "turn"))
    # All cells have the same map: nothing is special to one of them, and its gradient cannot turn with the crop.
    assert weights["between_cells"] == pytest.approx(1) and abs(weights["signed"]) < 0.4
    assert shift["spearman"] == pytest.approx(1) and abs(turn["signed"]) < 0.4
    assert "Adebayo" in found.attrs["text"] and "Binder" in found.attrs["text"]


def test_verdicts_and_intervals(spotted):
    cells, _, network = spotted
    found = sanity_check(network, cells, "integrated_gradients", target="spot", stages=2).set_index("check")
    assert found.loc["shift", "spearman"] > 0.95 and found.loc["shift", "verdict"] == "stays, as it should"
    assert (found["n_units"] == 5).all() and (found["n_cells"] == 12).all()
    assert (found["kept_low"] <= found["kept"]).all() and (found["kept"] <= found["kept_high"]).all()
    assert found["should"].tolist() == ["change", "change", "stay", "stay"]


def test_a_baseline_that_does_not_move_along_is_caught_by_the_shift(spotted):
    cells, _, network = spotted
    options = {"target": "spot", "stages": 1, "baseline": np.zeros((1, 24, 24))}
    still = sanity_check(network, cells, "integrated_gradients", **options).set_index("check")
    moving = sanity_check(network, cells, "integrated_gradients", **{**options, "baseline": "background"})
    assert still.loc["shift", "ssim"] < moving.set_index("check").loc["shift", "ssim"] - 0.05


def test_labels_are_exchanged_between_units_before_training(spotted):
    cells, _, network = spotted
    design = pd.Series(np.where(cells.obs["well"].isin(["A00", "A02"]), "spot", "none"), cells.ids, name="drug")
    seen = []

    def train(given):
        seen.append(given)
        return network

    found = sanity_check(network, cells.with_obs(design), "gradient", train=train, stages=1)
    assert found["check"].tolist() == ["weights", "labels", "shift", "turn"]
    assert found.set_index("check").loc["labels", "spearman"] == pytest.approx(1)
    (given,) = seen
    assert given.labels.groupby(given.units).nunique().max() == 1 and set(given.labels) == {"spot", "none"}


def test_it_needs_cells_and_known_options(linear, cells):
    with pytest.raises(ValueError, match="expected 2 at least"):
        sanity_check(linear[0], cells, ids=cells.ids[:1])
    with pytest.raises(ValueError, match="method is 'lime'"):
        sanity_check(linear[0], cells, "lime")
    with pytest.raises(ValueError, match="stages is 0, expected a whole number"):
        sanity_check(linear[0], cells, stages=0)


def test_likeness():
    rng = np.random.default_rng(0)
    maps, other = rng.normal(size=(2, 5, 16, 16))
    same = likeness(maps, maps)
    assert all(np.allclose(values, 1) for values in same.values())
    apart = likeness(maps, other)
    assert all(np.abs(values).max() < 0.3 for values in apart.values())
    assert all((values == 0).all() for values in likeness(maps, np.zeros_like(maps)).values())


def test_a_map_drawn_from_the_picture_is_told(spotted, monkeypatch):
    cells, _, network = spotted
    from mlscope_nb.explain import mapping

    def edges(self, model, crops, codes, baselines):
        return crops.diff(dim=2, prepend=crops[:, :, :1]).abs()

    monkeypatch.setattr(mapping.Mapper, "__call__", edges)
    found = sanity_check(network, cells, target="spot", stages=1).set_index("check")
    assert found.loc["weights", "verdict"] == "stays: drawn from the picture"
    assert attribute(network, cells).shape == (12, 24, 24)
