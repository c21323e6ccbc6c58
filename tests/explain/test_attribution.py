"""Maps: closed forms for linear networks, the window, the class in question, and what a map may not depend on."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mlscope_nb.explain import attribute, attribute_channels, completeness, layers
from mlscope_nb.explain.baselines import background, blurred
from mlscope_nb.explain.gradcam import Placement, grad_cam, placement, resized
from mlscope_nb.explain.gradients import integrated_gradients
from mlscope_nb.predict import train_network

METHODS = ["gradient", "smoothgrad", "integrated_gradients", "occlusion", "gradcam", "hirescam"]


def prepared(network, cells):
    return np.concatenate([crops.numpy() for _, crops in network.inputs(cells)])


def inside(maps):
    return maps[..., 2:14, 2:14]


def test_the_gradient_of_a_linear_network_is_its_weights_and_zero_outside_of_the_window(linear, cells):
    network, weight = linear
    for method in ("gradient", "smoothgrad"):
        maps = attribute_channels(network, cells, method=method, target="spot", views=1)
        assert maps.shape == (10, 2, 16, 16) and maps.dtype == np.float32
        np.testing.assert_allclose(inside(maps), np.broadcast_to(weight[1], (10, 2, 12, 12)), atol=1e-5)
        outside = np.ones((16, 16), bool)
        outside[2:14, 2:14] = False
        assert (maps[..., outside] == 0).all()
        whole = attribute(network, cells, method=method, target="spot", views=1)
        np.testing.assert_allclose(whole, maps.sum(1), atol=1e-5)


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_a_linear_network_is_taken_apart_exactly(linear, cells, method):
    network, weight = linear
    zero = np.zeros((2, 12, 12))
    maps = attribute_channels(
        network, cells, method=method, target="none", baseline=zero, steps=3, patch_px=1, stride_px=1
    )
    np.testing.assert_allclose(inside(maps), weight[0] * prepared(network, cells), atol=1e-4)
    together = attribute(network, cells, method=method, target="none", baseline=zero, steps=3, patch_px=1, stride_px=1)
    np.testing.assert_allclose(together, maps.sum(axis=1), atol=1e-4)


def test_patches_give_the_mean_fall_over_those_that_cover_a_pixel(linear, cells):
    network, weight = linear
    way = {"method": "occlusion", "baseline": np.zeros((2, 16, 16)), "patch_px": 4, "stride_px": 2}
    maps = attribute(network, cells, target="spot", **way)
    part = (weight[1] * prepared(network, cells)).sum(axis=1)
    total, cover = np.zeros_like(part), np.zeros((12, 12))
    for y in (0, 2, 4, 6, 8):
        for x in (0, 2, 4, 6, 8):
            total[:, y : y + 4, x : x + 4] += part[:, y : y + 4, x : x + 4].sum(axis=(1, 2), keepdims=True)
            cover[y : y + 4, x : x + 4] += 1
    np.testing.assert_allclose(inside(maps), total / cover, atol=1e-4)


@pytest.mark.parametrize("baseline", ["blurred", "background", "class mean"])
def test_integrated_gradients_sum_to_the_difference_of_logits(spotted, baseline):
    cells, _, network = spotted
    maps = attribute(network, cells, method="integrated_gradients", baseline=baseline)
    error = completeness(network, cells, maps, baseline=baseline)
    assert error.index.equals(cells.ids) and error.max() <= 0.01
    assert completeness(network, cells, 1.5 * maps, baseline=baseline).min() > 0.3


def test_too_few_steps_are_noticed_and_done_again():
    class Kinked(nn.Module):
        def forward(self, images):
            return torch.relu(images.flatten(1).sum(dim=1, keepdim=True) - 3.7).repeat(1, 2)

    crops, codes = torch.full((3, 1, 2, 2), 1.0), torch.zeros(3, dtype=torch.long)
    options = {"baselines": torch.zeros_like(crops), "steps": 2, "at_once": 8}
    rough = integrated_gradients(Kinked(), crops, codes, tolerance=None, **options)
    fine = integrated_gradients(Kinked(), crops, codes, tolerance=0.01, **options)
    assert abs(rough.sum() / 3 - 0.3) > 0.1
    np.testing.assert_allclose(fine.sum(dim=(1, 2, 3)), 0.3, rtol=0.01)


class Bent(nn.Module):
    """Falls to 0 on the way and rises again: ends that hardly differ, from slopes that nearly cancel."""

    passes = 0

    def forward(self, images):
        self.passes += len(images)
        return (images.flatten(1).mean(dim=1, keepdim=True) - 0.499).abs().repeat(1, 2)


def test_steps_go_where_the_gradient_jumps(monkeypatch):
    model, crops, codes = Bent(), torch.ones(1, 1, 2, 2), torch.zeros(1, dtype=torch.long)
    options = {"baselines": torch.zeros_like(crops), "steps": 50, "at_once": 64, "tolerance": 0.01}
    assert abs(integrated_gradients(model, crops, codes, **options).sum() / 0.002 - 1) < 0.01
    assert model.passes < 600
    monkeypatch.setattr("mlscope_nb.explain.refinement.MOST_STEPS", 70)
    with pytest.warns(UserWarning, match="off by more than 1.0 % in 1 cell, with all steps"):
        integrated_gradients(model, crops, codes, **options)


@pytest.mark.parametrize("method", METHODS)
def test_a_map_is_of_its_own_cell_whatever_the_order_and_the_batches(spotted, method, monkeypatch):
    cells, _, network = spotted
    whole = attribute(network, cells, method=method, samples=4)
    order = np.random.default_rng(0).permutation(len(cells))
    shuffled = attribute(network, cells.subset(cells.ids[order]), method=method, samples=4)
    np.testing.assert_allclose(shuffled, whole[order], atol=1e-4 * np.abs(whole).max())
    some = attribute(network, cells, method=method, samples=4, ids=cells.ids[[7, 2]])
    np.testing.assert_allclose(some, whole[[7, 2]], atol=1e-4 * np.abs(whole).max())
    monkeypatch.setattr("mlscope_nb.explain.explained.PIXELS_AT_ONCE", 3 * 24 * 24)
    np.testing.assert_allclose(
        attribute(network, cells, method=method, samples=4), whole, atol=1e-4 * np.abs(whole).max()
    )


@pytest.mark.parametrize("method", METHODS)
def test_with_eight_views_maps_turn_with_the_crop(spotted, method):
    cells, _, network = spotted
    options = {"method": method, "views": 8, "target": "spot", "samples": 4, "patch_px": 4, "stride_px": 4, "steps": 4}
    options |= {"ids": cells.ids[:4], "tolerance": None}
    whole = attribute(network, cells, **options)
    turned = attribute(network, cells.with_images(np.rot90(cells.images, axes=(2, 3)).copy()), **options)
    np.testing.assert_allclose(turned, np.rot90(whole, axes=(1, 2)), atol=1e-3 * np.abs(whole).max())


def test_methods_of_one_pass_look_from_all_sides_and_the_others_once(linear, cells):
    network, _ = linear
    for method, views in (("gradient", 8), ("occlusion", 1), ("smoothgrad", 1)):
        found = attribute(network, cells, method=method)
        np.testing.assert_array_equal(found, attribute(network, cells, method=method, views=views))
        assert not np.allclose(found, attribute(network, cells, method=method, views=9 - views))


def test_the_class_in_question(linear, cells):
    network, _ = linear
    own = attribute(network, cells, target=cells.labels)
    for name in ("none", "spot"):
        rows = (cells.labels == name).to_numpy()
        np.testing.assert_array_equal(own[rows], attribute(network, cells, target=name)[rows])
    found = attribute(network, cells)
    np.testing.assert_array_equal(found, attribute(network, cells, target=network.predict(cells)))
    np.testing.assert_array_equal(own, attribute(network, cells, target=cells.labels[::-1]))
    np.testing.assert_array_equal(own, attribute(network, cells, target=list(cells.labels)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lime"}, "method is 'lime'"),
        ({"target": "drug"}, "target asks for 'drug'"),
        ({"target": ["spot"]}, "1 classes for 10 cells"),
        ({"target": pd.Series(["spot"], index=["c00"])}, "no class for 9 cells"),
        ({"baseline": "black"}, "baseline is 'black'"),
        ({"baseline": np.zeros((3, 12, 12))}, "shape"),
        ({"baseline": np.full((2, 12, 12), np.nan)}, "no finite number"),
        ({"views": 4}, "views is 4"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 1.5}, "steps is 1.5, expected a whole number"),
        ({"noise": "little"}, "noise is 'little', expected more than 0"),
        ({"method": "occlusion", "patch_px": 13}, "patch_px is 13"),
        ({"method": "occlusion", "patch_px": 2, "stride_px": 3}, "stride"),
        ({"resize": "nearest"}, "resize"),
    ],
)
def test_what_cannot_be_is_refused(linear, cells, options, message):
    with pytest.raises(ValueError, match=message):
        attribute(linear[0], cells, **options)


def test_class_mean_needs_two_classes(linear, cells):
    network, _ = linear
    one = cells.where("drug == 'spot'")
    with pytest.raises(ValueError, match="two classes"):
        attribute(network, one, method="integrated_gradients", baseline="class mean")
    maps = attribute(network, one, method="integrated_gradients", baseline="class mean", reference=cells)
    np.testing.assert_array_equal(
        maps,
        attribute(network, cells, method="integrated_gradients", baseline="class mean", ids=one.ids),
    )


def test_baselines():
    crops = torch.rand((2, 3, 20, 20), generator=torch.Generator().manual_seed(0)) + 1
    dull = blurred(crops)
    assert dull.shape == crops.shape and float(dull.std()) < float(crops.std()) / 3
    np.testing.assert_allclose(blurred(torch.full((1, 1, 20, 20), 3.0)), 3.0, rtol=1e-5)
    dark = background(crops)
    assert (dark == dark[:, :, :1, :1]).all() and ((crops < dark).flatten(2).float().mean(dim=2) < 0.025).all()


def test_grad_cam_of_a_network_that_is_linear_behind_its_layer(spotted):
    cells, _, network = spotted
    crops = torch.from_numpy(prepared(network, cells))
    codes = torch.ones(len(crops), dtype=torch.long)
    found = grad_cam(network.model, crops, codes, "second")
    with torch.no_grad():
        maps = network.model.second(torch.relu(network.model.first(crops)))
    # The score is 100 / n × the sum of squares of what is above 0.
    slopes = 200 * torch.relu(maps) / maps[0, 0].numel()
    np.testing.assert_allclose(found[:, 0], (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1), rtol=1e-4)


@pytest.mark.parametrize("flipped", [False, True])
def test_places_lie_on_the_pixels_that_they_look_at(flipped):
    class Strided(nn.Module):
        def __init__(self):
            super().__init__()
            self.look = nn.Conv2d(1, 1, 3, stride=4, padding=1)
            nn.init.ones_(self.look.weight)

        def forward(self, images):
            return self.look(images.flip(2, 3) if flipped else images).mean(dim=(2, 3)).repeat(1, 2)

    found = placement(Strided(), "look", 1)
    assert found.stride == 4 and found.flipped == flipped and abs(found.offset) < 0.05
    crops = torch.zeros(1, 1, 24, 24)
    crops[..., 8, 16] = 1
    model = Strided()
    maps = model.look(crops.flip(2, 3) if flipped else crops) - model.look.bias.view(1, 1, 1, 1)
    high = resized(maps.detach(), 24, found)[0, 0]
    y, x = divmod(int(high.argmax()), 24)
    assert abs(y - 8) <= 1 and abs(x - 16) <= 1


def test_stretching_is_what_torch_does():
    maps = torch.rand((2, 1, 5, 5), generator=torch.Generator().manual_seed(0))
    assert resized(maps, 20, None).shape == (2, 1, 20, 20)
    flat = resized(maps, 5, Placement(1, 0.0, False))
    np.testing.assert_allclose(flat, maps, atol=1e-6)


def test_layers_and_channels_of_networks_that_were_trained(cells):
    large = cells.with_images(np.random.default_rng(0).integers(0, 999, (10, 2, 32, 32)).astype(np.uint16))
    small = train_network(large, epochs=1, width=4, stop_early=False)
    table = layers(small)
    assert table["height"].tolist() == [16, 8, 4] and table.index[table["default"]].tolist() == ["body.1"]
    with pytest.raises(ValueError, match="mixed the channels"):
        attribute_channels(small, large, method="gradcam")
    with pytest.raises(ValueError, match="expected a layer that makes maps"):
        attribute(small, large, method="gradcam", layer="body.9")
    fine = attribute(small, large, method="gradcam", layer="body.0")
    assert fine.shape == (10, 32, 32) and np.isfinite(fine).all() and np.ptp(fine) > 0
    by_place = [attribute(small, large, method="hirescam", layer=layer) for layer in (None, "body.0", "body.1")]
    assert (by_place[0] == by_place[1]).all() and not (by_place[0] == by_place[2]).all()


@pytest.mark.slow
def test_a_finetuned_network_keeps_channels_apart(cells):
    large = cells.with_images(np.random.default_rng(0).integers(0, 999, (10, 2, 32, 32)).astype(np.uint16))
    network = train_network(large, model="finetune", epochs=1, stop_early=False)
    for method in METHODS:
        options = {"method": method, "ids": large.ids[:2], "steps": 4, "tolerance": None, "samples": 2, "patch_px": 16}
        maps = attribute_channels(network, large, **options)
        assert maps.shape == (2, 2, 32, 32) and np.isfinite(maps).all()
        if method != "occlusion":
            together = attribute(network, large, **options)
            np.testing.assert_allclose(together, maps.sum(axis=1), atol=1e-4 * np.abs(maps).max())
