"""Augmentations that a microscope could have made: turned, shifted, brighter, noisier, blurred; never another stain."""

from __future__ import annotations

import math
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
        moved = _moved(images, self.shift_px, made)
        shape = (*moved.shape[:2], 1, 1)
        device = moved.device
        gain = torch.exp(self.gain * torch.randn(shape, generator=made)).to(device)
        offset = (self.offset * torch.randn(shape, generator=made)).to(device)
        moved = self._blurred(moved.mul_(gain).add_(offset), made)
        level = (self.noise * torch.rand(shape, generator=made)).to(device)
        return moved.addcmul_(level, _noise(tuple(moved.shape), made).to(device))

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


def _moved(images: Tensor, most: int, made: torch.Generator) -> Tensor:
    """Return each crop turned by a multiple of 90°, perhaps mirrored, and shifted; the rim is mirrored."""
    n, channels, height, width = images.shape
    device = images.device
    rows, columns = (_places(n, size, most, made).to(device) for size in (height, width))
    cells = torch.arange(n, device=device)[:, None, None, None]
    layers = torch.arange(channels, device=device)[None, :, None, None]
    moved = images[cells, layers, rows[:, None, :, None], columns[:, None, None, :]]
    if height == width:
        # Mirrored along either axis and, for half of them, along the diagonal: all eight ways to lay a square.
        swapped = (torch.rand(n, generator=made) < 0.5).to(device)
        moved[swapped] = moved[swapped].transpose(2, 3)
    return moved


def _places(n: int, size: int, most: int, made: torch.Generator) -> Tensor:
    """Return which row (or column) each row of the view shows, (n, size): shifted, mirrored at the rim and in all."""
    most = min(most, size - 1)
    start = torch.randint(-most, most + 1, (n, 1), generator=made)
    place = (start + torch.arange(size)).abs()
    place = torch.where(place >= size, 2 * (size - 1) - place, place)
    return torch.where(torch.rand((n, 1), generator=made) < 0.5, place.flip(1), place)


def _noise(shape: tuple[int, ...], made: torch.Generator) -> Tensor:
    """Return normal noise; crops share one long strip of it at places of their own, for it is slow to draw."""
    size = math.prod(shape[1:])
    strip = torch.randn(8 * size, generator=made)
    start = torch.randint(0, 7 * size, (shape[0],), generator=made)
    return torch.stack([strip[k : k + size] for k in start.tolist()]).view(shape)
