"""Refinement: integrated gradients of a cell whose gradient jumps on the way, with more steps where it does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlscope_nb.explain.explained import gradient, logits

Floats = NDArray[np.float64]
FIRST = 16
"""Pieces that the way is cut into at first."""
NODES = 4
"""Steps in each piece."""
MOST_STEPS = 3200
SPLIT = 0.25
"""Pieces that are off by more than this share of the worst are halved."""

SMALL = 1e-3
"""A difference of logits below which its relative error means nothing."""


def refined(
    model: nn.Module, crop: Tensor, code: Tensor, baseline: Tensor, *, tolerance: float, at_once: int
) -> Tensor:
    """Return integrated gradients (1, C, Y, X) of one crop.

    Each piece of the way has a sum that is known: the difference of the logits at its ends. The pieces that are
    furthest off are halved until the whole is within the `tolerance`, relative, or 3,200 steps are done. More steps
    everywhere would go for the most part where the gradient is smooth.

    References
    ----------
    Globally adaptive quadrature as in QUADPACK, Piessens et al. 1983; the method is Sundararajan et al. 2017,
    arXiv 1703.01365.
    """
    way = _Way(model, crop, code, baseline, at_once)
    ends = np.linspace(0, 1, FIRST + 1)
    starts, stops = ends[:-1], ends[1:]
    allowed = tolerance * max(abs(way.gaps(ends[:1], ends[-1:])[0]), SMALL)
    maps, off = way.pieces(starts, stops)
    steps = NODES * FIRST
    while abs(off.sum()) > allowed:
        bad = np.abs(off) >= SPLIT * np.abs(off).max()
        steps += 2 * NODES * int(bad.sum())
        if steps > MOST_STEPS:
            break
        middles = (starts[bad] + stops[bad]) / 2
        halves = np.r_[starts[bad], middles], np.r_[middles, stops[bad]]
        more, more_off = way.pieces(*halves)
        starts, stops = np.r_[starts[~bad], halves[0]], np.r_[stops[~bad], halves[1]]
        maps, off = torch.cat([maps[torch.from_numpy(~bad).to(maps.device)], more]), np.r_[off[~bad], more_off]
    return maps.sum(dim=0, keepdim=True, dtype=torch.float64).to(crop.dtype)


class _Way(NamedTuple):
    model: nn.Module
    crop: Tensor
    code: Tensor
    baseline: Tensor
    at_once: int

    def pieces(self, starts: Floats, stops: Floats) -> tuple[Tensor, Floats]:
        """Return the part of the map (pieces, C, Y, X) that each piece of the way gives, and how far each is off."""
        places, weights = np.polynomial.legendre.leggauss(NODES)
        at = starts[:, None] + (stops - starts)[:, None] * (1 + places) / 2
        slopes = self._slopes(at.ravel()).unflatten(0, at.shape)
        share = torch.from_numpy((stops - starts)[:, None] * weights / 2).to(slopes)
        maps = torch.einsum("pn,pncyx->pcyx", share, slopes) * (self.crop - self.baseline)
        sums = maps.flatten(1).sum(dim=1, dtype=torch.float64).cpu().numpy()
        return maps, sums - self.gaps(starts, stops)

    def gaps(self, starts: Floats, stops: Floats) -> Floats:
        """Return the difference of the logits at the ends of each piece."""
        with torch.no_grad():
            at = torch.from_numpy(np.r_[starts, stops])
            parts = [logits(self.model, *self._crops(part)) for part in at.split(self.at_once)]
        found = torch.cat(parts).double().cpu().numpy()
        differences: Floats = found[len(starts) :] - found[: len(starts)]
        return differences

    def _slopes(self, at: Floats) -> Tensor:
        return torch.cat(
            [gradient(self.model, *self._crops(part)) for part in torch.from_numpy(at).split(self.at_once)]
        )

    def _crops(self, at: Tensor) -> tuple[Tensor, Tensor]:
        share = at.to(self.crop).view(-1, 1, 1, 1)
        return self.baseline + share * (self.crop - self.baseline), self.code.expand(len(at))
