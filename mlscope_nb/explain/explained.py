"""What is explained: prepared crops of chosen cells, and the class that the question is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlscope_nb._align import positions
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.network import Network, probabilities

PIXELS_AT_ONCE = 300_000
"""Pixels of all channels in one pass: what a pass keeps for the way back stays below some 200 MB."""
VIEWS = 8
Codes = NDArray[np.intp]


class Explained(NamedTuple):
    """A few cells: rows among those asked for, crops (n, C, side, side) and the code (n,) of the class in question."""

    rows: NDArray[np.intp]
    crops: Tensor
    codes: Tensor


def chosen_ids(cells: Cells, ids: Iterable[str] | str | None) -> pd.Index:
    """Return the ids that are asked for, in their order; all cells by default."""
    return cells.ids if ids is None else cells.ids[positions(ids, cells.ids)]


def crops_at_once(network: Network) -> int:
    """Return how many crops one pass may hold."""
    return max(1, PIXELS_AT_ONCE // (len(network.channels) * network.pixels.window**2))


def explained(network: Network, cells: Cells, ids: pd.Index, target: Any) -> Iterator[Explained]:
    """Yield the cells in question a few at a time, each with the class in question.

    Raises
    ------
    ValueError
        As in `Network.inputs`, or the network does not know a class.
    """
    wanted = codes_of(network, ids, target)
    for rows, crops in prepared(network, cells, ids):
        codes = predicted(network.model, crops) if wanted is None else torch.from_numpy(wanted[rows]).to(crops.device)
        yield Explained(rows, crops, codes)


def prepared(network: Network, cells: Cells, ids: pd.Index) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
    """Yield rows among `ids` and crops (n, C, side, side), a few at a time, on the scale that the network knows.

    All `cells` are read, because the controls among them set the scale of a new batch.
    """
    device = next(network.model.parameters()).device
    network.model.eval()
    for part_ids, crops in network.inputs(cells, crops_at_once(network)):
        rows = ids.get_indexer(part_ids)
        here = np.flatnonzero(rows >= 0)
        if len(here):
            yield rows[here], crops[torch.from_numpy(here)].to(device)


def codes_of(network: Network, ids: pd.Index, target: Any) -> Codes | None:
    """Return the code of the class in question for each cell; None where it is the class that is predicted."""
    if target is None:
        return None
    known = pd.Index(network.classes, dtype=object)
    if pd.api.types.is_scalar(target):
        named = pd.Series([target] * len(ids), index=ids, dtype=object)
    elif isinstance(target, pd.Series):
        lacking = ids.difference(target.index, sort=False)
        if len(lacking):
            raise ValueError(f"target names no class for {count(len(lacking), 'cell')}: {some(lacking)}.")
        named = target.loc[ids]
    else:
        values = list(target)
        if len(values) != len(ids):
            raise ValueError(f"target holds {len(values):,} classes for {count(len(ids), 'cell')}, expected one each.")
        named = pd.Series(values, index=ids, dtype=object)
    codes = known.get_indexer(pd.Index(named, dtype=object))
    if (codes < 0).any():
        unknown = pd.unique(pd.Series(named.to_numpy()[codes < 0], dtype=object))
        raise ValueError(
            f"The network tells {some(network.classes)}, and target asks for {some(unknown)}. Ask for one of those."
        )
    return np.asarray(codes, dtype=np.intp)


def predicted(model: nn.Module, crops: Tensor) -> Tensor:
    """Return the code of the most probable class, as `Network.predict` finds it."""
    with torch.inference_mode():
        found = probabilities(model, crops).argmax(dim=1)
    return found.clone()


def logits(model: nn.Module, crops: Tensor, codes: Tensor) -> Tensor:
    """Return the logit (n,) of the class in question: the number that maps take apart."""
    found: Tensor = model(crops).gather(1, codes[:, None])[:, 0]
    return found


def gradient(model: nn.Module, crops: Tensor, codes: Tensor) -> Tensor:
    """Return the gradient (n, C, Y, X) of the logit.

    References
    ----------
    Simonyan et al. 2013, arXiv 1312.6034.
    """
    at = crops.detach().clone().requires_grad_(True)
    (found,) = torch.autograd.grad(logits(model, at, codes).sum(), at)
    return found.detach()


def turned(images: Tensor, view: int) -> Tensor:
    """Return images (n, …, Y, X) in one of eight views: turned by quarters, from 4 on mirrored first."""
    return (images.flip(-1) if view >= VIEWS // 2 else images).rot90(view % (VIEWS // 2), (-2, -1))


def turned_back(images: Tensor, view: int) -> Tensor:
    """Undo `turned`."""
    back = images.rot90(-(view % (VIEWS // 2)), (-2, -1))
    return back.flip(-1) if view >= VIEWS // 2 else back
