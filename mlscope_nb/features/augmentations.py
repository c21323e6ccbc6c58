"""Augmentations that a microscope could have made: turned, shifted, brighter, noisier, blurred; never another stain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 16
"""The smallest side of a crop, and of a view of it, that the network can look at."""


@dataclass(frozen=True)
class Augmentation:
    """How far two views of one crop may differ; brightness in units of a channel's own contrast.

    Parameters
    ----------
    share : float
        Side of a view, as a share of the shorter side of the crop; views are square.
    turn : float
        Largest turn in degrees. Half of the views are mirrored as well.
    zoom : float
        Largest change of size, on a log scale.
    shift_px : float
        Largest shift along each axis; beyond the rim the crop is mirrored.
    gain, offset : float
        Standard deviation of the brightness factor (on a log scale) and of the background, for each channel.
    noise : float
        Largest standard deviation of added noise, for each channel.
    blur : float
        Share of views whose channels are blurred a little (Gaussian, 0.3 to 0.8 pixels).
    """

    share: float = 0.625
    turn: float = 180.0
    zoom: float = 0.2
    shift_px: float = 4.0
    gain: float = 0.25
    offset: float = 0.1
    noise: float = 0.1
    blur: float = 0.3

    def __call__(self, images: Tensor, made: torch.Generator) -> Tensor:
        """Return one view of each crop (N, C, Y, X), with random numbers from `made`."""
        moved = self._moved(images, made)
        shape = (*moved.shape[:2], 1, 1)
        device = moved.device
        gain = torch.exp(self.gain * torch.randn(shape, generator=made)).to(device)
        offset = (self.offset * torch.randn(shape, generator=made)).to(device)
        moved = self._blurred(moved.mul_(gain).add_(offset), made)
        level = (self.noise * torch.rand(shape, generator=made)).to(device)
        return moved.addcmul_(level, _noise(tuple(moved.shape), made).to(device))

    def _moved(self, images: Tensor, made: torch.Generator) -> Tensor:
        """Return a square out of each crop: turned, perhaps mirrored, larger or smaller, and shifted."""
        n, channels, height, width = images.shape
        side = min(max(SMALLEST, round(self.share * min(height, width))), height, width)
        even = 2 * torch.rand((4, n), generator=made) - 1
        angle, size = math.radians(self.turn) * even[0], torch.exp(self.zoom * even[1])
        hand = torch.where(torch.rand(n, generator=made) < 0.5, -1.0, 1.0)
        # Where each pixel of the view comes from, in units of half the crop from its middle (F.affine_grid).
        across = torch.stack([size * hand * angle.cos(), -size * angle.sin()], dim=1) * side / width
        down = torch.stack([size * hand * angle.sin(), size * angle.cos()], dim=1) * side / height
        start = 2 * self.shift_px * even[2:].T / torch.tensor([width, height])
        place = torch.cat([torch.stack([across, down], dim=1), start[:, :, None]], dim=2).to(images.device)
        grid = F.affine_grid(place, [n, channels, side, side], align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

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
        images[chosen.to(images.device)] = part
        return images


def _noise(shape: tuple[int, ...], made: torch.Generator) -> Tensor:
    """Return normal noise; crops share one long strip of it at places of their own, for it is slow to draw."""
    size = math.prod(shape[1:])
    strip = torch.randn(8 * size, generator=made)
    start = torch.randint(0, 7 * size, (shape[0],), generator=made)
    return torch.stack([strip[k : k + size] for k in start.tolist()]).view(shape)
