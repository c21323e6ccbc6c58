"""Augmentations that a microscope could have made: turned, shifted, brighter, noisier, blurred; never another stain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How far two views of one crop may differ; all but the shift in units of a channel's own contrast.

    Parameters
    ----------
    shift_px : int
        Largest shift along each axis; the rim is mirrored.
    gain, offset : float
        Standard deviation of the brightness factor (on a log scale) and of the background, for each channel.
    noise : float
        Largest standard deviation of added noise, for each channel.
    blur : float
        Share of views whose channels are blurred a little (Gaussian, 0.3 to 0.8 pixels).
    """

    shift_px: int = 4
    gain: float = 0.25
    offset: float = 0.1
    noise: float = 0.1
    blur: float = 0.3

    def __call__(self, images: Tensor, made: torch.Generator) -> Tensor:
        """Return one view of each crop (N, C, Y, X), with random numbers from `made`."""
        moved = _shifted(_turned(images, made), self.shift_px, made)
        shape = (*moved.shape[:2], 1, 1)
        device = moved.device

        def normal(size: tuple[int, ...]) -> Tensor:
            return torch.randn(size, generator=made).to(device)

        moved = moved * torch.exp(self.gain * normal(shape)) + self.offset * normal(shape)
        moved = self._blurred(moved, made)
        level = self.noise * torch.rand(shape, generator=made).to(device)
        return moved + level * normal(tuple(moved.shape))

    def _blurred(self, images: Tensor, made: torch.Generator) -> Tensor:
        chosen = torch.rand(len(images), generator=made) < self.blur
        if not chosen.any():
            return images
        sigma = 0.3 + 0.5 * torch.rand(1, generator=made)
        side = torch.exp(-0.5 / sigma**2)
        kernel = torch.stack([side, torch.ones(1), side]).flatten()
        kernel = (kernel / kernel.sum()).to(images.device)
        channels = images.shape[1]
        part = F.pad(images[chosen.to(images.device)], (1, 1, 1, 1), mode="replicate")
        part = F.conv2d(part, kernel.view(1, 1, 3, 1).expand(channels, 1, 3, 1), groups=channels)
        part = F.conv2d(part, kernel.view(1, 1, 1, 3).expand(channels, 1, 1, 3), groups=channels)
        result = images.clone()
        result[chosen.to(images.device)] = part
        return result


def _turned(images: Tensor, made: torch.Generator) -> Tensor:
    """Return each crop turned by a multiple of 90° and perhaps mirrored."""
    way = torch.randint(0, 8, (len(images),), generator=made)
    if images.shape[-1] != images.shape[-2]:
        way = way // 4 * 4 + way % 2 * 2
    result = torch.empty_like(images)
    for k in range(8):
        rows = (way == k).to(images.device)
        if not rows.any():
            continue
        part = torch.rot90(images[rows], k % 4, (2, 3))
        result[rows] = part.flip(3) if k >= 4 else part
    return result


def _shifted(images: Tensor, most: int, made: torch.Generator) -> Tensor:
    if most == 0:
        return images
    n, channels, height, width = images.shape
    padded = F.pad(images, (most, most, most, most), mode="reflect")
    start = torch.randint(0, 2 * most + 1, (2, n), generator=made).to(images.device)
    rows = start[0][:, None] + torch.arange(height, device=images.device)
    columns = start[1][:, None] + torch.arange(width, device=images.device)
    cells = torch.arange(n, device=images.device)[:, None, None, None]
    layers = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[cells, layers, rows[:, None, :, None], columns[:, None, None, :]]
