"""Maps from gradients: how the logit answers to each pixel, here, on the way from a baseline, and under noise."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from mlscope_nb._words import count, percent
from mlscope_nb.explain.explained import gradient, logits
from mlscope_nb.explain.refinement import SMALL, refined


def integrated_gradients(
    model: nn.Module,
    crops: Tensor,
    codes: Tensor,
    baselines: Tensor,
    *,
    steps: int,
    tolerance: float | None,
    at_once: int,
) -> Tensor:
    """Return integrated gradients (n, C, Y, X): the mean gradient between baseline and crop, times their difference.

    The sum over pixels is the logit of the crop minus that of the baseline. Cells for which it is off by more than the
    `tolerance`, relative, are done again with more steps, up to 3,200, where the gradient jumps. Nodes are Gauss and
    Legendre's.

    References
    ----------
    Sundararajan et al. 2017, arXiv 1703.01365; as captum does it.
    """
    found = _integrated(model, crops, codes, baselines, steps, at_once)
    if tolerance is not None:
        off = completeness_error(model, crops, codes, baselines, found) > tolerance
        for row in np.flatnonzero(off.cpu().numpy()):
            one = slice(row, row + 1)
            found[one] = refined(model, crops[one], codes[one], baselines[one], tolerance=tolerance, at_once=at_once)
        still = int((completeness_error(model, crops, codes, baselines, found) > 1.1 * tolerance).sum())
        if still:
            warnings.warn(
                f"integrated gradients: the sum is off by more than {percent(tolerance, 1)} in {count(still, 'cell')}, "
                "with all steps that are allowed: there the logit is nearly that of the baseline. completeness(…) "
                "says by how much.",
                UserWarning,
                stacklevel=2,
            )
    return found


def completeness_error(model: nn.Module, crops: Tensor, codes: Tensor, baselines: Tensor, maps: Tensor) -> Tensor:
    """Return by how much (n,) the sum of maps (n, …) is off the difference of logits, relative to it."""
    with torch.no_grad():
        gap = logits(model, crops, codes).double() - logits(model, baselines, codes).double()
    return (maps.double().flatten(1).sum(dim=1) - gap).abs() / gap.abs().clamp_min(SMALL)


def smooth_gradient(model: nn.Module, crops: Tensor, codes: Tensor, *, noise: Tensor, at_once: int) -> Tensor:
    """Return the mean gradient (n, C, Y, X) of crops with noise added.

    Parameters
    ----------
    noise : tensor (samples, C, Y, X)
        The same for every cell, so that a map depends on no other cell.

    References
    ----------
    Smilkov et al. 2017, arXiv 1706.03825.
    """
    total = torch.zeros_like(crops)
    for part in noise.split(max(1, at_once // len(crops))):
        many = (crops[None] + part[:, None]).flatten(0, 1)
        total += gradient(model, many, codes.repeat(len(part))).unflatten(0, (len(part), -1)).sum(dim=0)
    return total / len(noise)


def noise_of(samples: int, shape: tuple[int, ...], level: float, seed: int) -> Tensor:
    """Return noise (samples, C, Y, X) in pairs of opposite sign, so that what is linear in it leaves no trace."""
    made = torch.Generator().manual_seed(seed)
    half = torch.randn((-(-samples // 2), *shape), generator=made) * level
    return torch.stack([half, -half], dim=1).flatten(0, 1)


def _integrated(model: nn.Module, crops: Tensor, codes: Tensor, baselines: Tensor, steps: int, at_once: int) -> Tensor:
    places, weights = np.polynomial.legendre.leggauss(steps)
    away = crops - baselines
    # Sums of hundreds of steps in 64 bits: rounding would show in the completeness.
    total = torch.zeros_like(crops, dtype=torch.float64)
    every = max(1, at_once // len(crops))
    shape = (-1, *[1] * crops.ndim)
    for start in range(0, steps, every):
        share = torch.from_numpy((1 + places[start : start + every]) / 2).to(crops).view(shape)
        weight = torch.from_numpy(weights[start : start + every] / 2).to(total).view(shape)
        many = (baselines[None] + share * away[None]).flatten(0, 1)
        slopes = gradient(model, many, codes.repeat(len(share))).unflatten(0, (len(share), -1))
        total += (weight * slopes).sum(dim=0)
    return (total * away).to(crops.dtype)
