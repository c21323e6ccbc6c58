"""Patches: squares out of fields to learn from, turned, mirrored and differently stained each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MOST_VALUES = 40_000_000
"""Values (pixels of all channels, read and asked for) that are kept in memory at most: 160 MB."""
AT_OBJECTS = 0.5
"""Share of patches that hold an object where there are some: fields may be empty for the most part."""


@dataclass(frozen=True)
class Variation:
    """How patches differ from the fields that they are cut from; all but turns and mirrors are of what is read alone.

    Parameters
    ----------
    gain, offset : float
        Standard deviation of the factor (on a log scale) and of what is added, for each channel.
    gamma : float
        Standard deviation of the exponent, on a log scale.
    noise : float
        Largest standard deviation of added noise.
    blur : float
        Share of patches that are blurred by a pixel.
    zoom : float
        Standard deviation of the size, on a log scale; of what is asked for too.
    """

    gain: float = 0.0
    offset: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    zoom: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


VARIATIONS = {
    "stain": Variation(gain=0.1, offset=0.02, gamma=0.1),
    # Noise is what is to be learned: nothing may change it.
    "denoise": Variation(),
    "segment": Variation(gain=0.2, offset=0.05, gamma=0.2, noise=0.02, blur=0.2, zoom=0.3),
}


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures to read and what is to be said of them, in memory.

    Parameters
    ----------
    read : list of float tensors (C, Y, X)
        Scaled.
    asked : list of float tensors (O, Y, X)
        What is to be said.
    side : int
        Side of a patch.
    middles : list of int tensors (M, 2)
        Row and column of the middle of each object, field by field; empty where there are none to look for.
    """

    read: list[Tensor]
    asked: list[Tensor]
    side: int
    middles: list[Tensor] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.read)

    def draw(self, n: int, made: torch.Generator, vary: Variation) -> tuple[Tensor, Tensor]:
        """Return `n` patches read (n, C, side, side) and asked for (n, O, side, side), all fields equally often."""
        fields = torch.randint(len(self), (n,), generator=made).tolist()
        sizes = torch.exp(vary.zoom * torch.randn(n, generator=made)).clamp(0.5, 2.0).tolist()
        pairs = [self._patch(k, size, made) for k, size in zip(fields, sizes, strict=True)]
        read, asked = (torch.stack(part) for part in zip(*pairs, strict=True))
        return varied(read, made, vary), asked

    def fixed(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return the same `n` patches every time, unchanged, to judge by."""
        return self.draw(n, torch.Generator().manual_seed(seed), Variation())

    def _patch(self, k: int, size: float, made: torch.Generator) -> tuple[Tensor, Tensor]:
        read, asked = self.read[k], self.asked[k]
        height, width = read.shape[1:]
        window = min(max(8, round(self.side * size)), height, width)
        top, left = self._corner(k, window, (height, width), made)
        turns, mirrored = torch.randint(4, (1,), generator=made).item(), torch.rand(1, generator=made).item() < 0.5
        parts = []
        for whole in (read, asked):
            part = whole[:, top : top + window, left : left + window]
            if window != self.side:
                part = F.interpolate(part[None], size=(self.side, self.side), mode="bilinear", align_corners=False)[0]
            parts.append(turned(part, int(turns), mirrored))
        return parts[0], ways_turned(parts[1], int(turns), mirrored) if self.middles else parts[1]

    def _corner(self, k: int, window: int, shape: tuple[int, int], made: torch.Generator) -> tuple[int, int]:
        """Return where a window begins: anywhere, or so that it holds the middle of an object."""
        u = torch.rand(2, generator=made).tolist()
        if self.middles and len(self.middles[k]) and torch.rand(1, generator=made).item() < AT_OBJECTS:
            at = self.middles[k][int(torch.randint(len(self.middles[k]), (1,), generator=made).item())].tolist()
            start = [min(max(0, a - int(v * window)), n - window) for a, v, n in zip(at, u, shape, strict=True)]
        else:
            start = [int(v * (n - window + 1)) for v, n in zip(u, shape, strict=True)]
        return start[0], start[1]


def examples_of(
    read: Sequence[np.ndarray], asked: Sequence[np.ndarray], side: int, seed: int, *, objects: bool = False
) -> Examples:
    """Return examples of pictures (C, Y, X) and answers (O, Y, X); of too many pixels a window of each is kept.

    With `objects`, answers are foreground and ways to the middle, and half of the patches are to hold an object.
    """
    total = sum(a.size + b.size for a, b in zip(read, asked, strict=True))
    share = math.sqrt(min(1.0, MOST_VALUES / max(total, 1)))
    rng = np.random.default_rng(seed)
    kept: tuple[list[Tensor], list[Tensor]] = ([], [])
    for pair in zip(read, asked, strict=True):
        shape = pair[0].shape[1:]
        size = [min(n, max(side, math.floor(n * share))) for n in shape]
        start = [int(rng.integers(0, n - s + 1)) for n, s in zip(shape, size, strict=True)]
        for part, whole in zip(kept, pair, strict=True):
            window = whole[:, start[0] : start[0] + size[0], start[1] : start[1] + size[1]]
            more = [(0, max(0, side - n)) for n in window.shape[1:]]
            part.append(torch.from_numpy(np.ascontiguousarray(np.pad(window, [(0, 0), *more], mode="symmetric"))))
    # No way is left in the middle of an object, so that small ones are looked for as often as large ones.
    middles = [torch.nonzero((a[0] > 0) & (a[1:] == 0).all(dim=0)) for a in kept[1]] if objects else []
    return Examples(kept[0], kept[1], side, middles)


def turned(picture: Tensor, turns: int, mirrored: bool) -> Tensor:
    """Return a picture (..., Y, X) mirrored from left to right, and then turned by quarters."""
    return (picture.flip(-1) if mirrored else picture).rot90(turns, (-2, -1))


def ways_turned(said: Tensor, turns: int, mirrored: bool) -> Tensor:
    """Return what is said of objects (..., 3, Y, X), in a picture that was `turned`, with ways that point there too.

    Examples
    --------
    >>> ways_turned(torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1), 1, False).flatten().tolist()
    [1.0, -1.0, 0.0]
    """
    front, down, right = said.unbind(-3)
    right = -right if mirrored else right
    for _ in range(turns % 4):
        down, right = -right, down
    return torch.stack([front, down, right], dim=-3)


def varied(pictures: Tensor, made: torch.Generator, vary: Variation) -> Tensor:
    """Return pictures (N, C, Y, X) as another stain, camera or lens could have shown them."""
    shape = (*pictures.shape[:2], 1, 1)
    if vary.gamma:
        exponent = torch.exp(vary.gamma * torch.randn(shape, generator=made))
        pictures = pictures.clamp_min(0).pow(exponent) + pictures.clamp_max(0)
    if vary.gain or vary.offset:
        gain = torch.exp(vary.gain * torch.randn(shape, generator=made))
        pictures = pictures * gain + vary.offset * torch.randn(shape, generator=made)
    if vary.blur:
        chosen = (torch.rand(len(pictures), generator=made) < vary.blur)[:, None, None, None]
        pictures = torch.where(chosen, F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1), pictures)
    if vary.noise:
        level = vary.noise * torch.rand(shape, generator=made)
        pictures = pictures + level * torch.randn(pictures.shape, generator=made)
    return pictures
