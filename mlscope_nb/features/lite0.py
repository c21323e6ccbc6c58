"""EfficientNet-Lite0 for reading only: batch norms folded into convolutions, padding without copies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


class Stage(NamedTuple):
    """Blocks of one kind: how much they widen inside, kernel, stride of the first, channels in and out, how many."""

    expand: int
    kernel: int
    stride: int
    channels_in: int
    channels_out: int
    repeats: int


STEM, HEAD, EPSILON = 32, 1280, 1e-3
STAGES = (
    Stage(1, 3, 1, 32, 16, 1),
    Stage(6, 3, 2, 16, 24, 2),
    Stage(6, 5, 2, 24, 40, 2),
    Stage(6, 3, 2, 40, 80, 3),
    Stage(6, 5, 1, 80, 112, 3),
    Stage(6, 5, 2, 112, 192, 4),
    Stage(6, 3, 1, 192, 320, 1),
)
State = Mapping[str, Tensor]


class Block(nn.Module):
    """Widen, look around, narrow; added to what came in where the shape allows."""

    def __init__(self, layers: list[nn.Module], skip: bool) -> None:
        super().__init__()
        self.body, self.skip = nn.Sequential(*layers), skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.body(x)
        return y.add_(x) if self.skip else y


class Lite0(nn.Module):
    """EfficientNet-Lite0 up to its last average, for images that were turned upside down and left to right.

    TensorFlow pads a stride of 2 at the right and below. On the turned image (with turned kernels) the same pixels
    are padded at the left and above, which ordinary symmetric padding does: nothing has to be copied.

    Parameters
    ----------
    state : dict of tensors
        Weights under the names of efficientnet_lite_pytorch.
    grey : bool
        Take one channel that stands for three equal ones: the first convolution is summed over them.

    References
    ----------
    Tan & Le 2019, arXiv 1905.11946; the Lite variants of the TensorFlow TPU repository.
    """

    def __init__(self, state: State, *, grey: bool = False) -> None:
        super().__init__()
        stem = _conv(state, "_conv_stem", "_bn0", stride=2)
        self.layers = nn.Sequential(
            _summed(stem) if grey else stem, nn.ReLU6(inplace=True), *_blocks(state),
            _conv(state, "_conv_head", "_bn1"), nn.ReLU6(inplace=True),
        )  # fmt: skip
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 1280) for images (N, C, Y, X) as they are, not turned."""
        turned = images.flip(2, 3).contiguous(memory_format=torch.channels_last)
        found: Tensor = self.layers(turned).mean(dim=(2, 3))
        return found


def random_state(seed: int) -> dict[str, Tensor]:
    """Return weights drawn at random (He et al. 2015), batch norms without effect: the control for pretrained ones."""
    made = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def draw(name: str, norm: str, out: int, inside: int, kernel: int) -> None:
        scale = math.sqrt(2 / (inside * kernel * kernel))
        state[f"{name}.weight"] = torch.randn(out, inside, kernel, kernel, generator=made) * scale
        ones, zeros = torch.ones(out), torch.zeros(out)
        state.update({
            f"{norm}.weight": ones, f"{norm}.bias": zeros, f"{norm}.running_mean": zeros, f"{norm}.running_var": ones,
        })  # fmt: skip

    draw("_conv_stem", "_bn0", STEM, 3, 3)
    for i, stage, _ in _numbered():
        name, wide = f"_blocks.{i}", stage.channels_in * stage.expand
        if stage.expand > 1:
            draw(f"{name}._expand_conv", f"{name}._bn0", wide, stage.channels_in, 1)
        draw(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, stage.kernel)
        draw(f"{name}._project_conv", f"{name}._bn2", stage.channels_out, wide, 1)
    draw("_conv_head", "_bn1", HEAD, STAGES[-1].channels_out, 1)
    return state


def _numbered() -> list[tuple[int, Stage, int]]:
    """Return every block with its number and stride; only the first of a stage widens and strides."""
    found: list[tuple[int, Stage, int]] = []
    for stage in STAGES:
        for k in range(stage.repeats):
            inside = stage.channels_in if k == 0 else stage.channels_out
            found.append((len(found), stage._replace(channels_in=inside), stage.stride if k == 0 else 1))
    return found


def _blocks(state: State) -> list[Block]:
    made = []
    for i, stage, stride in _numbered():
        name = f"_blocks.{i}"
        layers: list[nn.Module] = []
        if stage.expand > 1:
            layers += [_conv(state, f"{name}._expand_conv", f"{name}._bn0"), nn.ReLU6(inplace=True)]
        layers += [_conv(state, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride), nn.ReLU6(inplace=True)]
        layers += [_conv(state, f"{name}._project_conv", f"{name}._bn2")]
        made.append(Block(layers, skip=stride == 1 and stage.channels_in == stage.channels_out))
    return made


def _conv(state: State, name: str, norm: str, *, stride: int = 1) -> nn.Conv2d:
    mean, variance, factor, shift = (
        state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    weight, bias = fuse_conv_bn_weights(state[f"{name}.weight"], None, mean, variance, EPSILON, factor, shift)
    out, inside, kernel, _ = weight.shape
    depthwise = "depthwise" in name
    conv = nn.Conv2d(
        out if depthwise else inside, out, kernel, stride, kernel // 2, groups=out if depthwise else 1, device="meta"
    )
    conv.weight, conv.bias = nn.Parameter(weight.detach().flip(2, 3)), nn.Parameter(bias.detach())
    return conv


def _summed(conv: nn.Conv2d) -> nn.Conv2d:
    made = nn.Conv2d(1, conv.out_channels, 3, 2, 1, device="meta")
    made.weight, made.bias = nn.Parameter(conv.weight.detach().sum(dim=1, keepdim=True)), conv.bias
    return made
