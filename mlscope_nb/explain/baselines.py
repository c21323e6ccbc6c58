"""Baselines: the picture of nothing in particular, beside which a crop is explained."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.explained import crops_at_once
from mlscope_nb.predict.network import Network

Baseline = Literal["blurred", "background", "class mean"] | NDArray[Any]
NAMES = ("blurred", "background", "class mean")
BLUR = 0.1
"""Of the window: detail smaller than two deviations is gone, and how bright which half is stays."""
DARK = 0.02
"""The share of the darkest pixels that is background, as where a network's input is darkened."""


class Baselines:
    """Makes the baseline of each crop.

    Parameters
    ----------
    kind : {"blurred", "background", "class mean"} or array
        "blurred": the crop itself without detail. "background": its own dark level in each channel. "class mean": the
        mean crop of the classes that are not asked about, each class counting the same. An array (C, Y, X), or
        (N, C, Y, X) with one for each cell in question: prepared pixels (background 0, bright end 1), as large as the
        crops or as the network's window.
    network : Network
        Whose input it is.
    reference : Cells
        Cells with labels, for "class mean".
    n : int
        How many cells are explained.

    Raises
    ------
    ValueError
        No such baseline, an array of another shape, or no labels of two of the network's classes.
    """

    def __init__(self, kind: Baseline, network: Network, reference: Cells, n: int) -> None:
        self._kind = kind if isinstance(kind, str) else "array"
        self._given = torch.empty(0)
        if not isinstance(kind, str):
            self._given = _checked(np.asarray(kind), network, n)
        elif kind == "class mean":
            self._given = _other_classes(network, reference)
        elif kind not in NAMES:
            raise ValueError(f"baseline is {kind!r}, expected one of {some(NAMES)}, or an array of prepared pixels.")

    def of(self, rows: NDArray[np.intp], crops: Tensor, codes: Tensor) -> Tensor:
        """Return the baselines (n, C, side, side) of crops."""
        if self._kind == "blurred":
            return blurred(crops)
        if self._kind == "background":
            return background(crops)
        if self._kind == "class mean":
            return self._given.to(crops)[codes]
        found = self._given if self._given.ndim == 3 else self._given[torch.from_numpy(rows)]
        return found.to(crops).expand_as(crops).contiguous()


def blurred(crops: Tensor) -> Tensor:
    """Return crops (n, C, Y, X) blurred by a Gaussian of a tenth of their side; edges go on beyond themselves."""
    sigma = BLUR * min(crops.shape[2:])
    reach = int(np.ceil(3 * sigma))
    away = torch.arange(-reach, reach + 1, dtype=crops.dtype, device=crops.device)
    kernel = torch.exp(-(away**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    found = F.pad(crops.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    found = F.conv2d(F.conv2d(found, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return found[:, 0].unflatten(0, crops.shape[:2])


def background(crops: Tensor) -> Tensor:
    """Return crops (n, C, Y, X) that are everywhere as dark as the darkest pixels of their channel."""
    flat = crops.flatten(2)
    place = 1 + round(DARK * (flat.shape[2] - 1))
    return flat.kthvalue(place, dim=2).values[..., None, None].expand_as(crops).contiguous()


def _checked(given: NDArray[Any], network: Network, n: int) -> Tensor:
    side, shape = network.pixels.window, network.pixels.shape
    channels = len(network.channels)
    leads, sizes = ((channels,), (n, channels)), (shape, (side, side))
    if given.shape[:-2] not in leads or given.shape[-2:] not in sizes:
        raise ValueError(
            f"baseline has the shape {given.shape}, expected ({channels}, Y, X) or ({n}, {channels}, Y, X) with crops "
            f"of {shape} or windows of {(side, side)} pixels."
        )
    if given.dtype.kind not in "fiub" or not np.isfinite(given).all():
        raise ValueError("baseline holds what is no finite number. Give prepared pixels: background 0, bright end 1.")
    top, left = ((have - side) // 2 for have in given.shape[-2:])
    cut = given[..., top : top + side, left : left + side]
    return torch.from_numpy(np.ascontiguousarray(cut, dtype=np.float32))


def _other_classes(network: Network, cells: Cells) -> Tensor:
    """Return for each class the mean crop (K, C, side, side) of all other classes."""
    if cells.design.label is None:
        raise ValueError(
            'baseline="class mean" needs a declared label: cells.with_design(label=…), or reference=cells.'
        )
    codes = pd.Index(network.classes, dtype=object).get_indexer(pd.Index(cells.labels, dtype=object))
    k, side = len(network.classes), network.pixels.window
    sums = torch.zeros((k, len(network.channels), side, side), dtype=torch.float64)
    n = torch.from_numpy(np.bincount(codes[codes >= 0], minlength=k))
    start = 0
    for ids, crops in network.inputs(cells, crops_at_once(network)):
        here = codes[start : start + len(ids)]
        known = torch.from_numpy(np.flatnonzero(here >= 0))
        sums.index_add_(0, torch.from_numpy(here)[known], crops[known].double())
        start += len(ids)
    present = torch.nonzero(n)[:, 0]
    if len(present) < 2:
        raise ValueError(
            f'baseline="class mean" needs labelled cells of two classes at least of {some(network.classes)}, and there '
            f"is {len(present)}. Give more cells, or reference=cells of all classes."
        )
    means = sums / n.clamp_min(1)[:, None, None, None]
    others = [means[present[present != c]].mean(dim=0) for c in range(k)]
    return torch.stack(others).float()
