"""Occlusion: how far the logit falls when a patch of the crop is replaced by the baseline."""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor, nn

from mlscope_nb.explain.explained import logits

Box = tuple[slice, slice, slice]


def occlusion(
    model: nn.Module,
    crops: Tensor,
    codes: Tensor,
    baselines: Tensor,
    *,
    patch: int,
    stride: int,
    each_channel: bool,
    at_once: int,
) -> Tensor:
    """Return the mean fall of the logit over the patches that cover each pixel, (n, C, Y, X) or (n, 1, Y, X).

    Parameters
    ----------
    patch, stride : int
        Side of the square that is replaced, and how far the next one is, in pixels.
    each_channel : bool
        Replace one channel at a time; otherwise all of them together, which gives one map.

    References
    ----------
    Zeiler & Fergus 2014, arXiv 1311.2901; patches lie and overlap as captum's do.
    """
    n, channels, height, width = crops.shape
    layers = channels if each_channel else 1
    total = torch.zeros((n, layers, height, width), dtype=torch.float64, device=crops.device)
    cover = torch.zeros((1, layers, height, width), dtype=torch.float64, device=crops.device)
    with torch.inference_mode():
        whole = logits(model, crops, codes)
        boxes = _boxes(layers, height, width, patch, stride)
        every = max(1, at_once // n)
        for start in range(0, len(boxes), every):
            part = boxes[start : start + every]
            many = crops.repeat(len(part), 1, 1, 1)
            for k, box in enumerate(part):
                where = (slice(k * n, (k + 1) * n), *_filled(box, each_channel))
                many[where] = baselines[(slice(None), *_filled(box, each_channel))]
            falls = whole - logits(model, many, codes.repeat(len(part))).unflatten(0, (len(part), n))
            for fall, box in zip(falls, part, strict=True):
                total[(slice(None), *box)] += fall[:, None, None, None]
                cover[(slice(None), *box)] += 1
    return (total / cover).to(crops.dtype).clone()


def _boxes(layers: int, height: int, width: int, patch: int, stride: int) -> list[Box]:
    tops, lefts = (range(0, stride * _steps(n, patch, stride), stride) for n in (height, width))
    return [
        (slice(c, c + 1), slice(y, y + patch), slice(x, x + patch)) for c, y, x in product(range(layers), tops, lefts)
    ]


def _steps(side: int, patch: int, stride: int) -> int:
    """Return how many patches stand in a row; the last one may reach over the end."""
    return max(0, math.ceil((side - patch) / stride)) + 1


def _filled(box: Box, each_channel: bool) -> Box:
    return box if each_channel else (slice(None), *box[1:])
