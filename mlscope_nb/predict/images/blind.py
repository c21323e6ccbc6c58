"""Blind spots: pixels are hidden from the network that has to say them, so that noise cannot be copied."""

from __future__ import annotations

import torch
from torch import Tensor

from mlscope_nb.predict.images.unet import around

STEP = 3
"""Every third pixel along both axes is hidden at a time: its eight neighbours are all there."""
N_PHASES = STEP * STEP


def hidden(rows: Tensor, columns: Tensor, phase: int) -> Tensor:
    """Return True (Y, X) where pixels are hidden in one of the `N_PHASES` phases; all phases together are all pixels.

    Parameters
    ----------
    rows, columns : int tensors (Y,), (X,)
        Where the pixels lie in the picture: beyond its rim it is mirrored, and mirror images have to be hidden too.
    phase : int
        From 0.

    Examples
    --------
    >>> int(sum(hidden(torch.arange(7), torch.arange(8), k).int() for k in range(N_PHASES)).unique())
    1
    """
    return (rows % STEP == phase // STEP)[:, None] & (columns % STEP == phase % STEP)[None, :]


def filled(pictures: Tensor, where: Tensor) -> Tensor:
    """Return pictures (N, C, Y, X) in which hidden pixels, in all channels, are the mean of their eight neighbours.

    What is said about a hidden pixel is then no function of it (J-invariance).

    References
    ----------
    Batson & Royer 2019, ICML, arXiv 1901.11365 (Noise2Self).
    """
    return torch.where(where.to(pictures.device), around(pictures), pictures)
