"""Networks that have forgotten: weights mixed up from the answer down to the first layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from mlscope_nb.predict.network import Network


def parts(model: nn.Module) -> list[str]:
    """Return the parts of a model that hold weights, from the first layer to the answer.

    Sequences are taken apart, blocks are not.
    """
    found: list[str] = []

    def walk(module: nn.Module, name: str) -> None:
        for key, child in module.named_children():
            inner = f"{name}.{key}" if name else key
            if isinstance(child, nn.Sequential):
                walk(child, inner)
            elif next(child.parameters(), None) is not None:
                found.append(inner)

    walk(model, "")
    return found


def cascade(network: Network, stages: int, seed: int) -> Iterator[tuple[str, Network]]:
    """Yield networks with more and more of their parts mixed up, from the answer on: name of the last part, network.

    The weights of each layer change places, so that they are as large as before and mean nothing; where layers
    normalise by means and deviations that were learned, these stay.

    Parameters
    ----------
    stages : int
        How many networks at most; parts are then mixed up several at a time.
    seed : int
        Of the exchange.
    """
    names = parts(network.model)[::-1]
    made = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(network.model)
    n = min(stages, len(names))
    ends = [round((k + 1) * len(names) / n) for k in range(n)]
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        for name in names[start:end]:
            _mix(model.get_submodule(name), made)
        yield names[end - 1], replace(network, model=copy.deepcopy(model))


def _mix(layer: nn.Module, made: torch.Generator) -> None:
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(_mixed(weight, made))


def _mixed(weight: Tensor, made: torch.Generator) -> Tensor:
    order = torch.randperm(weight.numel(), generator=made).to(weight.device)
    return weight.flatten()[order].view_as(weight)
