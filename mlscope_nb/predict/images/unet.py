"""U-Net: a small network from picture to picture, and how far a pixel of its answer looks."""

from __future__ import annotations

from itertools import zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlscope_nb.predict.images.borrowed import Borrowed


class Convolution(nn.Module):
    """A convolution of 3 × 3 pixels whose weights are one matrix (outputs, inputs × 9), as Muon wants them.

    Parameters
    ----------
    inputs, outputs : int
        Channels that come in and go out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs * 9))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (N, outputs, Y, X) for (N, inputs, Y, X)."""
        return F.conv2d(pictures, self.weight.view(len(self.weight), -1, 3, 3), padding=1)


class UNet(nn.Module):
    """A U-Net that works at half the resolution: each 2 × 2 pixels come in as channels, and go out as pixels again.

    Nothing is lost by that, and it is more than twice as fast. Channels grow with the level, they do not double.
    Beside each channel the network reads how its pixels differ from those around them: grain and edges hold hardly any
    of the variance of a micrograph, and would be found late or not at all.

    Parameters
    ----------
    inputs, outputs : int
        Channels that come in and go out.
    width : int
        Channels at half the resolution; level k below has k + 1 times as many.
    depth : int
        How often the picture is halved again.
    pretrained : bool
        Read at each level, beside what comes from above, what a network trained on photographs sees there.

    References
    ----------
    Ronneberger, Fischer & Brox 2015, MICCAI, arXiv 1505.04597; Shi et al. 2016, CVPR, arXiv 1609.05158 (pixels out of
    channels); Zhang, Zuo & Zhang 2018, IEEE Trans Image Process 27:4608, arXiv 1710.04026 (and into them).

    Examples
    --------
    >>> UNet(2, 1, width=4, depth=2)(torch.zeros(1, 2, 16, 24)).shape
    torch.Size([1, 1, 16, 24])
    """

    def __init__(self, inputs: int, outputs: int, width: int = 24, depth: int = 2, *, pretrained: bool = False) -> None:
        super().__init__()
        sizes = [width * (k + 1) for k in range(depth + 1)]
        self.borrowed = Borrowed(depth) if pretrained else None
        more = self.borrowed.channels if self.borrowed else ()
        self.norms = nn.ModuleList(map(nn.BatchNorm2d, more))
        into = [a + b for a, b in zip_longest([8 * inputs, *sizes[:-1]], more, fillvalue=0)]
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(into, sizes, strict=True))
        self.up = nn.ModuleList(_block(sizes[k + 1] + sizes[k], sizes[k]) for k in reversed(range(depth)))
        self.register_buffer("fine", torch.ones(inputs))
        self.last = nn.Conv2d(width, 4 * outputs, 1)
        # The first answer is nothing at all, so that training begins at what the answer is added to.
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    fine: Tensor
    """Usual size of the detail of each channel (root mean square), by which it is divided."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Return answers (N, outputs, Y, X) for pictures (N, inputs, Y, X); Y and X are multiples of `grid`."""
        detail = (pictures - around(pictures)) / self.fine[:, None, None]
        seen = self._seen(pictures)
        kept: list[Tensor] = []
        x = F.pixel_unshuffle(torch.cat([pictures, detail], dim=1), 2)
        for block, more in zip_longest(self.down, seen):
            x = F.max_pool2d(x, 2) if kept else x
            x = block(x if more is None else torch.cat([x, more], dim=1))
            kept.append(x)
        kept.pop()
        for block in self.up:
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), kept.pop()], dim=1))
        return F.pixel_shuffle(self.last(x), 2)

    def _seen(self, pictures: Tensor) -> list[Tensor]:
        """Return what the network trained on photographs sees, level by level."""
        if self.borrowed is None:
            return []
        return [norm(seen) for norm, seen in zip(self.norms, self.borrowed(pictures), strict=True)]

    @property
    def reach(self) -> int:
        """A bound of how many pixels away a pixel can change the answer, a multiple of `grid`."""
        depth = len(self.up)
        more = self.borrowed.reach if self.borrowed else 0
        return reach(depth) + -(-more // grid(depth)) * grid(depth)


def around(pictures: Tensor) -> Tensor:
    """Return the mean of the eight neighbours of each pixel (N, C, Y, X), those at the sides counted twice.

    Summed neighbour by neighbour: a convolution would let a pixel itself in by rounding.
    """
    p = F.pad(pictures, (1, 1, 1, 1), mode="reflect")
    up, here, down = p[..., :-2, :], p[..., 1:-1, :], p[..., 2:, :]
    sides = up[..., 1:-1] + down[..., 1:-1] + here[..., :-2] + here[..., 2:]
    corners = up[..., :-2] + up[..., 2:] + down[..., :-2] + down[..., 2:]
    return (2 * sides + corners) / 12


def grid(depth: int) -> int:
    """Return what height and width of a picture have to be multiples of."""
    return int(2 ** (depth + 1))


def reach(depth: int) -> int:
    """Return a bound of how many pixels away a pixel can change the answer, a multiple of `grid`.

    At each level two convolutions of 3 pixels down and two up, two at the bottom, and the cells of the halved grids,
    each in units of its level; all that at half the resolution. And a pixel each for 2 × 2, detail, and blind spots.

    Examples
    --------
    >>> reach(1), reach(2)
    (24, 56)
    """
    convolved = sum(4 * 2**k for k in range(depth)) + 2 * 2**depth
    halved = sum(2**k for k in range(depth))
    step = grid(depth)
    return int(-(-(2 * (convolved + halved) + 3) // step) * step)


def set_detail(model: UNet, pictures: Tensor) -> None:
    """Tell a new network how large details usually are in pictures (N, C, Y, X) like these."""
    size = (pictures - around(pictures)).square().mean(dim=(0, 2, 3)).sqrt()
    model.fine.copy_(torch.where(size > 0, size, torch.ones_like(size)))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_layer(inputs, outputs), *_layer(outputs, outputs))


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    # Statistics of training, not of the picture: what is seen in a tile may not depend on where it was cut.
    return Convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
