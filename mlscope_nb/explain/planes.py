"""Planes: crops and their masks, all cells lying the same way, small enough to learn from in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.network_input import Inputs

INSIDE = 0.5
"""Where a drawn mask counts as mask."""
AT_ONCE = 100
"""Cells that are laid flat together: whole crops take much more room than what is made of them."""


@dataclass(frozen=True, eq=False)
class Planes:
    """Crops, masks and compartments side by side, cells turned so that their long axis lies flat.

    Parameters
    ----------
    values : array (N, P, size, size)
        Channels as networks read them (background 0, bright end 1), then the mask, then compartments.
    channels, compartments : tuple of str
        What the planes are, the mask between the two.
    """

    values: NDArray[np.float32]
    channels: tuple[str, ...]
    compartments: tuple[str, ...]

    def cells(self, values: Floats, obs: pd.DataFrame) -> Cells:
        """Return drawn planes (N, P, size, size) as cells that can be measured."""
        c = len(self.channels)
        own = _largest(values[:, c] > INSIDE)
        parts = {
            name: (own & (values[:, c + 1 + k] > INSIDE)).astype(np.uint8) for k, name in enumerate(self.compartments)
        }
        images = np.ascontiguousarray(values[:, :c], dtype=np.float32)
        return Cells(obs, images, masks=own.astype(np.uint8), compartments=parts, channels=self.channels)


def planes_of(cells: Cells, pixels: Inputs, size: int) -> Planes:
    """Return the planes of cells with masks.

    Raises
    ------
    ValueError
        There are no masks, or the images do not fit.
    """
    if cells.masks is None:
        raise ValueError(
            "The cells have no masks, so what changes could not be measured. Let them be guessed: "
            "cells.with_masks(ms.features.foreground(cells))."
        )
    made, start = [], 0
    for _, part in pixels.batches(cells, AT_ONCE):
        rows = slice(start, start + len(part))
        masks = [np.asarray(m[rows]) == 1 for m in (cells.masks, *cells.compartments.values())]
        stacked = np.concatenate([part, np.stack(masks, axis=1)], axis=1, dtype=np.float32)
        made.append(_laid_flat(torch.from_numpy(stacked), masks[0], pixels.window, size).numpy())
        start = rows.stop
    return Planes(np.concatenate(made), tuple(cells.channels), tuple(cells.compartments))


def _laid_flat(stacked: torch.Tensor, own: NDArray[np.bool_], window: int, size: int) -> torch.Tensor:
    """Turn and move each cell so that its mask lies flat in the middle, its heavier end to the right and below."""
    height, width = stacked.shape[2:]
    place = np.zeros((len(own), 2, 3), np.float32)
    for row, mask in enumerate(own):
        y, x = np.nonzero(mask)
        if len(y) < 3:
            y, x = np.array([0, height - 1, height - 1]), np.array([0, width - 1, 0])
        middle = np.array([x.mean(), y.mean()])
        away = np.stack([x, y], axis=1) - middle
        axes = np.linalg.eigh(away.T @ away)[1][:, ::-1]
        along = away @ axes
        axes = axes * np.where((along**3).sum(axis=0) < 0, -1.0, 1.0)
        # Where each pixel of the new picture comes from, in halves of the old one (F.affine_grid).
        scale = window / np.array([width, height])
        place[row, :, :2] = axes * scale[:, None]
        place[row, :, 2] = (2 * middle + 1) / np.array([width, height]) - 1
    grid = F.affine_grid(torch.from_numpy(place), [len(own), 1, size, size], align_corners=False)
    # Averaged over the pixels that one of the new ones holds, by reading between them.
    fine = F.interpolate(stacked, scale_factor=min(1.0, size / window), mode="area") if size < window else stacked
    return F.grid_sample(fine, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _largest(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece of each mask."""
    from scipy import ndimage

    found = np.zeros_like(masks)
    for row, mask in enumerate(masks):
        pieces, n = ndimage.label(mask)
        if n:
            found[row] = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    return found
