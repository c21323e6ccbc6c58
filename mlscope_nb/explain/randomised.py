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


def mix_weights(network: Network, *, seed: int = 0) -> Network:
    """Return the network without anything that it has learned: the weights of each layer have changed places.

    What its maps show cannot come from learning. Make maps of it and `grade` them as those of the network itself: they
    point to the place of a cue as often as guessing does (`chance`, in the mean over a few seeds) as long as the cue is
    not drawn there. A cue that is brighter or finer than all around it draws any network, most of all in methods that
    multiply with the picture (integrated gradients) or with an inner layer (Grad-CAM): that much is no learning.

    Parameters
    ----------
    network : Network
        From `train_network`; it stays as it is.
    seed : int
        Of the exchange. One network without knowledge may prefer bright or dark places by chance; several do not.

    References
    ----------
    Adebayo et al. 2018, arXiv 1810.03292.

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.predict import train_network
    >>> cells, _ = simulate(1, 8, 4)
    >>> network = train_network(cells, epochs=1, width=4)
    >>> bool((mix_weights(network).predict_proba(cells) == network.predict_proba(cells)).to_numpy().all())
    False
    """
    *_, (_, found) = cascade(network, 1, seed)
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
