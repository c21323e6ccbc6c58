"""Tiny networks whose maps are known: linear ones, and one that looks for a bright spot."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mlscope_nb import Cells
from mlscope_nb.predict import Network
from mlscope_nb.predict.network_input import Inputs

SIDE = 16


class Linear(nn.Module):
    """Scores that are sums of pixels: the gradient of class k is weight[k] everywhere."""

    def __init__(self, weight):
        super().__init__()
        self.head = nn.Linear(weight[0].numel(), len(weight))
        with torch.no_grad():
            self.head.weight.copy_(weight.flatten(1))

    def forward(self, images):
        return self.head(images.flatten(1))


class Spots(nn.Module):
    """Two convolutions, the second with a stride; the score of class "spot" is how bright the brightest places are."""

    def __init__(self, channels=1):
        super().__init__()
        self.first = nn.Conv2d(channels, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.head = nn.Linear(3, 2)
        made = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for layer in (self.first, self.second):
                layer.weight.copy_(torch.rand(layer.weight.shape, generator=made) / layer.weight[0].numel() + 0.02)
                layer.bias.zero_()
            self.head.weight.copy_(torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
            self.head.bias.zero_()

    def forward(self, images):
        found = torch.relu(self.second(torch.relu(self.first(images))))
        return self.head(found.square().mean(dim=(2, 3)) * 100)


def make_cells(n=10, channels=2, side=SIDE, seed=0):
    """Noise in `n` cells of five wells; prepared as crops stretched to their own ends, without masks."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(
        {"well": [f"A{k % 5:02d}" for k in range(n)], "drug": ["none" if k % 2 else "spot" for k in range(n)]},
        index=[f"c{k:02d}" for k in range(n)],
    )
    images = rng.integers(0, 1000, (n, channels, side, side)).astype(np.uint16)
    return Cells(obs, images, channels=["DNA", "actin"][:channels], label="drug", unit="well")


def make_network(model, channels=2, side=SIDE, window=None, classes=("none", "spot")):
    pixels = Inputs(("DNA", "actin")[:channels], (side, side), False, window or side, None)
    settings = {"model": "test", "epochs": 1, "best_epoch": 1, "arithmetic": "float32"}
    return Network(model.eval(), pixels, tuple(classes), settings, records=[{"loss": 0.0}])


@pytest.fixture
def cells():
    return make_cells()


@pytest.fixture
def linear():
    """A linear network of two channels that reads a window of 12 of 16 pixels, and its weights (2, C, 12, 12)."""
    weight = torch.randn((2, 2, 12, 12), generator=torch.Generator().manual_seed(3))
    return make_network(Linear(weight), window=12), weight.numpy()


@pytest.fixture
def spotted():
    """Cells of one channel with one bright spot each, where it is (N, Y, X), and a network that looks for it."""
    rng = np.random.default_rng(4)
    plain = make_cells(12, 1, 24)
    evidence = np.zeros((12, 24, 24), bool)
    for k, (y, x) in enumerate(rng.integers(3, 20, (12, 2))):
        evidence[k, y - 1 : y + 2, x - 1 : x + 2] = True
    images = rng.integers(0, 60, (12, 1, 24, 24)) + 1000 * evidence[:, None]
    return plain.with_images(images.astype(np.uint16)), evidence, make_network(Spots(), 1, 24)
