"""Maps are captum's own on the same inputs (tests/reference/peers_captum.py made them)."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from mlscope_nb.explain.explained import gradient
from mlscope_nb.explain.gradcam import grad_cam, resized
from mlscope_nb.explain.gradients import integrated_gradients, noise_of, smooth_gradient
from mlscope_nb.explain.occlusion import occlusion

SCRIPT = Path(__file__).parents[1] / "reference" / "peers_captum.py"


@pytest.fixture(scope="module")
def peer():
    """The script, which holds network and inputs; captum itself is imported only where it runs as a program."""
    spec = importlib.util.spec_from_file_location("peers_captum", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def theirs(peer):
    with np.load(peer.FILE, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def test_the_version(theirs):
    assert str(theirs["captum_version"]).startswith("0.9")


def test_gradient_and_integrated_gradients(peer, theirs):
    model, (crops, baselines, codes) = peer.Small().eval(), peer.inputs()
    np.testing.assert_allclose(gradient(model, crops, codes), theirs["gradient"], atol=1e-6)
    for at_once in (1, 7, 500):
        found = integrated_gradients(model, crops, codes, baselines, steps=peer.STEPS, tolerance=None, at_once=at_once)
        np.testing.assert_allclose(found, theirs["integrated_gradients"], atol=1e-6)
    assert np.abs(theirs["integrated_gradients"]).max() > 1e-2


@pytest.mark.parametrize("each", [False, True])
def test_occlusion(peer, theirs, each):
    model, (crops, baselines, codes) = peer.Small().eval(), peer.inputs()
    options = {"patch": peer.PATCH, "stride": peer.STRIDE, "each_channel": each, "at_once": 40}
    found = occlusion(model, crops, codes, baselines, **options)
    expected = theirs["occlusion_each" if each else "occlusion_together"]
    assert found.shape[1] == (2 if each else 1) and np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(np.broadcast_to(found, expected.shape), expected, atol=1e-5)


def test_grad_cam(peer, theirs):
    model, (crops, _, codes) = peer.Small().eval(), peer.inputs()
    found = grad_cam(model, crops, codes, "second")
    np.testing.assert_allclose(found, theirs["gradcam"], atol=1e-6)
    np.testing.assert_allclose(resized(found, 16, None), theirs["gradcam_stretched"], atol=1e-6)


def test_hirescam_is_gradient_times_activation_and_says_where_the_logit_comes_from(peer, theirs):
    model, (crops, _, codes) = peer.Small().eval(), peer.inputs()
    found = grad_cam(model, crops, codes, "second", by_place=True)
    np.testing.assert_allclose(found, theirs["hirescam"], atol=1e-6)
    with torch.no_grad():
        gap = model(crops).gather(1, codes[:, None])[:, 0] - model.head.bias[codes]
    # Behind the layer are a ReLU, means and largest values: the logit is the sum over places. Grad-CAM's is not.
    np.testing.assert_allclose(found.sum(dim=(1, 2, 3)), gap, atol=1e-5)
    assert float((grad_cam(model, crops, codes, "second").sum(dim=(1, 2, 3)) - gap).abs().max()) > 0.1


def test_smoothgrad_agrees_as_far_as_the_random_numbers_do(peer, theirs):
    model, (crops, _, codes) = peer.Small().eval(), peer.inputs()
    noise = noise_of(2000, tuple(crops.shape[1:]), peer.NOISE, 0)
    found = smooth_gradient(model, crops, codes, noise=noise, at_once=600).numpy()
    plain = theirs["gradient"]
    error = np.abs(found - theirs["smoothgrad"]).mean()
    assert error < 0.05 * np.abs(theirs["smoothgrad"]).mean()
    assert np.abs(plain - theirs["smoothgrad"]).mean() > 5 * error
    assert torch.equal(noise[0], -noise[1])
