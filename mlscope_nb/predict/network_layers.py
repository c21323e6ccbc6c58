"""The networks that learn to tell classes: a small one from scratch, and one that begins with pretrained weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlscope_nb.features.lite0 import HEAD, Lite0, random_state

ModelOfPixels = Literal["small", "finetune"]
PATCH = 5
LEAST_VARIANCE = 0.01
"""Share of the mean variance below which a direction of patches is camera noise, and is not enlarged."""
EMPTY = 1e-6
LEAST_CONTRAST = 0.05
"""Of a patch that counts, in deviations of all pixels: empty background teaches nothing."""
TAIL = 2
"""Layers of Lite0 behind its blocks: a convolution and its ReLU."""


class Convolution(nn.Module):
    """A convolution whose weights are one matrix (out, in × k × k), as optimisers of matrices want them."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.inside, self.kernel, self.stride = inside, kernel, stride
        self.weight = nn.Parameter(torch.empty(out, inside * kernel * kernel))

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (N, in, Y, X)."""
        weight = self.weight.view(-1, self.inside, self.kernel, self.kernel)
        return F.conv2d(x, weight.contiguous(memory_format=torch.channels_last), None, self.stride, self.kernel // 2)


class Block(nn.Module):
    """Two convolutions added to what came in."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first, self.first_norm = Convolution(inside, out, 3, stride), nn.BatchNorm2d(out)
        self.second, self.second_norm = Convolution(out, out, 3), nn.BatchNorm2d(out)
        self.skip = Convolution(inside, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, Y / stride, X / stride)."""
        y = F.relu(self.first_norm(self.first(x)))
        same = F.avg_pool2d(x, self.stride, ceil_mode=True) if self.stride > 1 else x
        return F.relu(self.second_norm(self.second(y)) + self.skip(same))


class SmallNetwork(nn.Module):
    """Patches on one scale, three residual blocks, and the mean and largest value of each map.

    The first layer begins with the principal directions of patches of the training cells, each scaled to variance 1
    (`whitened`): grain and edges hold hardly any of the variance of a micrograph, and would take the longest to learn.

    Parameters
    ----------
    channels, classes : int
        Channels of the crops, classes to tell.
    width : int
        Outputs of the first block; the others have 2 and 4 times as many, and the first layer three quarters (at most
        25 for each channel).
    """

    spread: Tensor

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        first = min(max(1, 3 * width // 4), channels * PATCH * PATCH)
        self.register_buffer("spread", torch.ones(channels, 1, 1))
        self.patches = Convolution(channels, first, PATCH, 2)
        self.patches_norm = nn.BatchNorm2d(first, affine=False)
        # The first block keeps all pixels: a nucleus is no more than a few of them wide after the first layer.
        self.body = nn.Sequential(
            Block(2 * first, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)
        )  # fmt: skip
        self.head = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N, classes) of crops (N, C, Y, X) with background 0 and bright end 1."""
        scaled = images / self.spread
        x = self.patches_norm(self.patches(scaled.contiguous(memory_format=torch.channels_last)))
        x = self.body(F.relu(torch.cat([x, -x], dim=1)))
        found: Tensor = self.head(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))
        return found

    def begin(self, images: Tensor, window: int, seed: int) -> None:
        """Draw all weights from the seed (He et al. 2015); the first layer is learned from crops (N, C, Y, X)."""
        made = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, Convolution):
                    scale = math.sqrt(2 / layer.weight.shape[1])
                    layer.weight.copy_(torch.randn(layer.weight.shape, generator=made) * scale)
            ends = 1 / math.sqrt(self.head.in_features)
            self.head.weight.copy_((2 * torch.rand(self.head.weight.shape, generator=made) - 1) * ends)
            self.head.bias.zero_()
            self.spread.copy_(images.std(dim=(0, 2, 3)).clamp_min(EMPTY)[:, None, None])
            found = whitened(middle(images / self.spread, window), PATCH)
            self.patches.weight.copy_(found[: len(self.patches.weight)])


class FineTuned(nn.Module):
    """EfficientNet-Lite0 for each channel alone, its last blocks free to learn, and one linear layer on all channels.

    Parameters
    ----------
    channels, classes : int
        Channels of the crops, classes to tell.
    blocks : int
        How many of the 16 blocks learn; those before stay as they were trained on photographs.
    weights : dict of tensors
        Weights of EfficientNet-Lite0.
    """

    def __init__(self, channels: int, classes: int, blocks: int, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        layers = list(Lite0(weights, grey=True).layers)
        free = min(len(layers), blocks + TAIL)
        self.fixed, self.free = nn.Sequential(*layers[: len(layers) - free]), nn.Sequential(*layers[-free:])
        self.free.requires_grad_(True)
        self.scale = nn.BatchNorm1d(channels * HEAD, affine=False)
        self.head = nn.Linear(channels * HEAD, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N, classes) of crops (N, C, Y, X) with background 0 and bright end 1."""
        alone = (2 * images - 1).flip(2, 3).flatten(0, 1)[:, None]
        found: Tensor = self.free(self.fixed(alone.contiguous(memory_format=torch.channels_last)))
        return self.head(self.scale(found.mean(dim=(2, 3)).reshape(len(images), -1)))


def new_model(settings: Mapping[str, Any], channels: int, classes: int, *, pretrained: bool) -> nn.Module:
    """Return a network as the settings describe it, to be trained or filled with saved weights."""
    with torch.random.fork_rng(devices=[]):
        if settings["model"] == "small":
            return SmallNetwork(channels, classes, int(settings["width"])).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        from mlscope_nb.features.weight_files import installed_weights

        weights = installed_weights() if pretrained else random_state(0)
        return FineTuned(channels, classes, int(settings["blocks"]), weights)


def middle(crops: Tensor, side: int) -> Tensor:
    """Return the square in the middle of crops (N, C, Y, X)."""
    top, left = ((n - side) // 2 for n in crops.shape[2:])
    return crops[:, :, top : top + side, left : left + side]


def whitened(images: Tensor, kernel: int) -> Tensor:
    """Return principal directions of the patches of crops (N, C, Y, X), (C × k × k, C × k × k), scaled to variance 1.

    Directions that hold next to nothing are left as small as they are. Patches of the empty background do not count.

    References
    ----------
    Jordan 2024, arXiv 2404.00498 (the frozen first layer of its networks; here it goes on learning).
    """
    patches = F.unfold(images.float(), kernel, stride=3).transpose(1, 2).flatten(0, 1)
    filled = patches[patches.std(dim=1) > LEAST_CONTRAST]
    if len(filled) < 2:
        return torch.eye(patches.shape[1])
    values, directions = torch.linalg.eigh(torch.cov(filled.T))
    enlarged = directions / torch.sqrt(values.clamp_min(0) + LEAST_VARIANCE * values.mean() + EMPTY)
    return enlarged.flip(1).T
