"""Deletion and insertion: what becomes of the logit when the strongest pixels go, or are all that stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import factorized
from torch import Tensor

from mlscope_nb.cells import Cells
from mlscope_nb.explain.explained import Explained, explained, logits
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.predict.network import Network

Floats = NDArray[np.float64]
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Of the window that is taken away, or kept."""
NEIGHBOURS = (
    (0, 1, 1 / 6), (1, 0, 1 / 6), (0, -1, 1 / 6), (-1, 0, 1 / 6),
    (1, 1, 1 / 12), (1, -1, 1 / 12), (-1, 1, 1 / 12), (-1, -1, 1 / 12),
)  # fmt: skip
GRAIN = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12
MAD = 1.4826


def infilled(pixels: Floats, removed: NDArray[np.bool_]) -> Floats:
    """Return a crop (C, Y, X) whose removed pixels (Y, X) are what their neighbours make of them.

    Each is the weighted mean of its eight neighbours, whether these are known or removed too: a smooth continuation,
    which the network has not been given away by a black or blurred patch.

    References
    ----------
    Rong et al. 2022, arXiv 2202.00449 (ROAD: remove and debias, noisy linear imputation).

    Examples
    --------
    >>> ramp = np.tile(np.arange(5.0), (1, 5, 1)); hole = np.zeros((5, 5), bool); hole[2, 2] = True
    >>> bool(np.allclose(infilled(np.where(hole, 99.0, ramp), hole), ramp))
    True
    """
    if not removed.any() or removed.all():
        return pixels.copy()
    height, width = removed.shape
    number = np.full(removed.shape, -1)
    number[removed] = np.arange(int(removed.sum()))
    y, x = np.nonzero(removed)
    rows, columns, weights = [], [], []
    known, total = np.zeros((len(y), len(pixels))), np.zeros(len(y))
    for dy, dx, weight in NEIGHBOURS:
        v, u = y + dy, x + dx
        inside = np.flatnonzero((v >= 0) & (v < height) & (u >= 0) & (u < width))
        v, u = v[inside], u[inside]
        total[inside] += weight
        open_too = removed[v, u]
        rows.append(inside[open_too])
        columns.append(number[v, u][open_too])
        weights.append(np.full(int(open_too.sum()), -weight))
        known[inside[~open_too]] += weight * pixels[:, v[~open_too], u[~open_too]].T
    n = np.arange(len(y))
    entries = np.concatenate([*weights, total]), (np.concatenate([*rows, n]), np.concatenate([*columns, n]))
    solve = factorized(sparse.csc_matrix(entries, shape=(len(y), len(y))))
    filled = pixels.copy()
    for channel, right in zip(filled, known.T, strict=True):
        channel[removed] = solve(right)
    return filled


def grain(pixels: Floats) -> Floats:
    """Return how far (C,) a pixel of a crop (C, Y, X) usually is from the mean of its neighbours: noise and texture."""
    away = pixels - np.stack([ndimage.convolve(channel, GRAIN) for channel in pixels])
    return np.asarray(MAD * np.median(np.abs(away), axis=(1, 2)))


def deletion(network: Network, cells: Cells, strong: Floats, ids: pd.Index, target: Any, seed: int) -> pd.DataFrame:
    """Return for each cell by how much the logit falls, in the mean over shares of the window.

    ``deletion``: when the strongest 2, 5, 10, 20 and 40 % of the pixels are taken away; high for a map that is right.
    ``insertion``: when all others are; low for a map that is right.

    Parameters
    ----------
    strong : array (n, Y, X)
        Maps of the cells `ids`, in the pixels of the crops.
    """
    found = np.zeros((len(ids), 2))
    side = network.pixels.window
    top, left = ((n - side) // 2 for n in network.pixels.shape)
    noise = np.random.default_rng(seed).normal(size=(len(network.channels), side, side))
    # Among equals (often 0) pixels go in an order that means nothing.
    order = np.random.default_rng(seed + 1).random((side, side)) * 1e-12
    with usable_threads():
        for part in explained(network, cells, ids, target):
            maps = strong[part.rows, top : top + side, left : left + side]
            most = maps.max(axis=(1, 2), keepdims=True)
            found[part.rows] = _falls(network, part, maps / np.where(most > 0, most, 1.0) + order, noise)
    return pd.DataFrame(found, index=ids, columns=["deletion", "insertion"])


def _falls(network: Network, part: Explained, maps: Floats, noise: Floats) -> Floats:
    falls = np.zeros((len(part.rows), 2))
    with torch.inference_mode():
        for i, crop in enumerate(part.crops.cpu().numpy().astype(np.float64)):
            pictures = _pictures(crop, maps[i], noise)
            many = torch.from_numpy(pictures).to(part.crops)
            said = _logits(network, many, part.codes[i])
            falls[i] = said[0] - said[1:].reshape(2, len(SHARES)).mean(axis=1)
    return falls


def _logits(network: Network, crops: Tensor, code: Tensor) -> Floats:
    return logits(network.model, crops, code.repeat(len(crops))).double().cpu().numpy()


def _pictures(crop: Floats, strong: Floats, noise: Floats) -> Floats:
    """Return the crop, the crop without its strongest pixels (by share), and with these only."""
    ends = np.quantile(strong, [1 - share for share in SHARES])
    gone = [strong > end for end in ends] + [strong <= end for end in ends]
    level = grain(crop)[:, None, None]
    return np.stack([crop, *(np.where(g, infilled(crop, g) + level * noise, crop) for g in gone)])
