"""The causal effect: re-rendered cells, on one scale, and no other difference."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mlscope_nb as ms
from mlscope_nb.explain import causal_effect
from mlscope_nb.predict import Network
from mlscope_nb.predict.network_input import Inputs, learned


class Corner(nn.Module):
    """Score of class "marked": the light of the whole crop, so that whatever is rendered away shows."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(50.0))

    def forward(self, images):
        light = images.mean(dim=(1, 2, 3)) * self.factor
        return torch.stack([-light, light], dim=1)


def network_of(pixels, classes=("DMSO", "clustered")):
    settings = {"model": "test", "epochs": 1, "best_epoch": 1, "arithmetic": "float32"}
    return Network(Corner().eval(), pixels, classes, settings, records=[{"loss": 0.0}])


@pytest.fixture(scope="module")
def simulated():
    cells, truth = ms.datasets.simulate(2, 8, 3, seed=3, shortcut=1.0, tied_to="clustered", faults=0)
    kept = cells.obs.index[cells.labels.isin(["DMSO", "clustered"])]
    return cells.subset(kept), truth.subset(kept)


def plain(cells):
    return network_of(Inputs(cells.channels, tuple(cells.images.shape[2:]), False, 64, None))


def test_the_effect_is_the_difference_of_two_renderings_and_nothing_else(simulated):
    cells, truth = simulated
    network = plain(cells)
    found = causal_effect(network, cells, truth, "shortcut", target="clustered")
    marked = truth.obs["shortcut"].to_numpy()
    assert marked.any() and not marked.all() and found["changed"].tolist() == marked.tolist()
    assert (found.loc[~marked, "effect"] == 0).all() and not found.loc[~marked, "flips"].any()
    without = cells.with_images(truth.render(cells.ids, without="shortcut"))
    light = [np.concatenate([x.numpy() for _, x in network.inputs(c)]).mean(axis=(1, 2, 3)) for c in (cells, without)]
    np.testing.assert_allclose(found["effect"], 50 * (light[0] - light[1]), atol=1e-4)
    np.testing.assert_allclose(found["effect"], found["logit"] - found["logit_without"], atol=1e-9)
    np.testing.assert_allclose(found["probability"], network.predict_proba(cells)["clustered"], atol=1e-6)
    assert found["predicted"].tolist() == network.predict(cells).tolist()
    assert (found["flips"] == (found["predicted"] != found["predicted_without"])).all()


def test_target_order_and_choice_of_cells(simulated):
    cells, truth = simulated
    network = plain(cells)
    true = causal_effect(network, cells, truth)
    assert true["class"].tolist() == truth.obs["label"].tolist()
    said = causal_effect(network, cells, truth, target="predicted")
    assert said["class"].tolist() == network.predict(cells).tolist()
    some = cells.ids[[5, 0, 3]]
    pd.testing.assert_frame_equal(causal_effect(network, cells, truth, ids=some), true.loc[some], rtol=1e-4)
    with pytest.raises(ValueError, match="target is None"):
        causal_effect(network, cells, truth, target=None)


@pytest.mark.parametrize("tied_to", ["clustered", "DMSO"])
def test_a_new_plate_keeps_the_scale_of_its_controls_as_they_are(tied_to):
    # With marked controls, what is rendered without the mark must not be a control itself.
    cells, truth = ms.datasets.simulate(2, 8, 3, seed=3, shortcut=1.0, tied_to=tied_to, faults=0)
    first = sorted(cells.batches_of.unique())[0]
    known = (cells.batches_of == first).to_numpy()
    options = {"without": "shortcut", "target": "clustered"}
    on_all, on_first = (network_of(learned(c, "controls", False)) for c in (cells, cells.subset(known)))
    truly = causal_effect(on_all, cells, truth, **options)
    assert truly.loc[~known, "changed"].any() and truly.loc[truly["changed"], "effect"].abs().min() > 0
    np.testing.assert_allclose(causal_effect(on_first, cells, truth, **options)["effect"], truly["effect"], atol=1e-3)
    alone = causal_effect(on_first, cells.subset(~known), truth, **options)
    np.testing.assert_allclose(alone["effect"], truly.loc[~known, "effect"], atol=1e-3)


def test_crops_that_are_not_those_of_the_answer_key_are_refused(simulated):
    cells, truth = simulated
    network = plain(cells)
    with pytest.raises(ValueError, match="not as the answer key renders them"):
        causal_effect(network, cells.with_images(cells.images[:, :, ::-1].copy()), truth)
    with pytest.raises(KeyError, match="does not know 1 cell"):
        causal_effect(network, cells, truth.subset(cells.ids[1:]))


def test_no_cell_with_what_is_left_out_is_warned_of(simulated):
    cells, truth = simulated
    with pytest.warns(UserWarning, match=r"None of 2 cells holds a fault: effects of 0 say nothing"):
        found = causal_effect(plain(cells), cells, truth, "fault", ids=cells.ids[:2])
    assert not found["changed"].any()
