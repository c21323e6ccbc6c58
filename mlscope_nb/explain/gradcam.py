"""Grad-CAM: which places of an inner layer speak for a class, laid back on the pixels that they look at."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mlscope_nb._words import some
from mlscope_nb.explain.explained import logits
from mlscope_nb.predict.network import Network

Resize = Literal["aligned", "stretched"]
ENOUGH_PLACES = 8
"""Along a side of the default layer: fewer cannot tell the parts of a cell apart."""
CANVAS, PROBES = 192, 2
"""Side of the pictures of noise on which places are measured, larger than what most look at; how many they are."""


class Placement(NamedTuple):
    """Which pixel the places of a layer look at: `offset` + `stride` × place, from the far end where `flipped`."""

    stride: int
    offset: float
    flipped: bool


class _Seen:
    """The last output of every layer that makes maps, in the order in which they are made."""

    def __init__(self, model: nn.Module) -> None:
        self.outputs: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = [
            layer.register_forward_hook(self._keeper(name)) for name, layer in model.named_modules() if name
        ]

    def __enter__(self) -> _Seen:
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keeper(self, name: str):  # type: ignore[no-untyped-def]
        def keep(layer: nn.Module, _inputs: object, output: object) -> None:
            if not isinstance(output, Tensor) or output.ndim != 4:
                return
            # What a sequence returns was made by its last layer, and is listed there; a block stands for its parts.
            same = [known for known, other in self.outputs.items() if output is other]
            if same and _is_block(layer):
                del self.outputs[same[0]]
            if not same or _is_block(layer):
                self.outputs[name] = output

        return keep


def layers(network: Network) -> pd.DataFrame:
    """Return the layers that Grad-CAM can look at: the last one of each resolution, with its height and width.

    Parameters
    ----------
    network : Network
        From `train_network`.

    Returns
    -------
    DataFrame
        Indexed by the name to give as ``layer=``: height, width, maps, and whether it is the default.

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.predict import train_network
    >>> cells, _ = simulate(1, 8, 4)
    >>> layers(train_network(cells, epochs=1, width=4)).columns.tolist()
    ['height', 'width', 'maps', 'default']
    """
    side = network.pixels.window
    found = _stages(network.model, torch.zeros(1, len(network.channels), side, side))
    default = _default(found)
    rows = [(*output.shape[2:], output.shape[1], name == default) for name, output in found.items()]
    return pd.DataFrame(rows, index=pd.Index(list(found), name="layer"), columns=["height", "width", "maps", "default"])


def chosen_layer(
    network: Network, layer: str | None, *, usual: Literal["places", "finest", "deepest"] = "places"
) -> str:
    """Return the name of the layer; usually the deepest that has eight places along a side, or an end of the row.

    Raises
    ------
    ValueError
        There is no such layer, or it makes no maps.
    """
    side = network.pixels.window
    crops = torch.zeros(1, len(network.channels), side, side, device=next(network.model.parameters()).device)
    stages = _stages(network.model, crops)
    if layer is None:
        return {"finest": next(iter(stages)), "deepest": list(stages)[-1], "places": _default(stages)}[usual]
    with _Seen(network.model) as seen, torch.inference_mode():
        network.model(crops)
    if layer not in seen.outputs:
        raise ValueError(
            f"layer is {layer!r}, expected a layer that makes maps, for example {some(stages)}: "
            "ms.explain.layers(network) lists one for each resolution."
        )
    return layer


def grad_cam(model: nn.Module, crops: Tensor, codes: Tensor, layer: str, *, by_place: bool = False) -> Tensor:
    """Return the signed map (n, 1 or C, y, x) of a layer: its maps, weighted by their gradients.

    Grad-CAM takes the mean gradient of each map, one weight for all of its places. That is right for a network that
    ends with the mean of each map; where the largest value counts, as for a cue in one small place, all places where
    the map is bright get the weight of one. With `by_place` each place has its own gradient.

    The second axis has one entry for each channel where the network keeps channels apart, and one where it mixes them.

    References
    ----------
    Selvaraju et al. 2017, arXiv 1610.02391 (Grad-CAM, here without its last step that cuts what speaks against the
    class); Draelos & Carin 2020, arXiv 2011.08891 (HiResCAM, by place).
    """
    at = crops.detach().clone().requires_grad_(True)
    with _Seen(model) as seen:
        total = logits(model, at, codes).sum()
    maps = seen.outputs[layer]
    (slopes,) = torch.autograd.grad(total, maps)
    weights = slopes if by_place else slopes.mean(dim=(2, 3), keepdim=True)
    found = (weights * maps).sum(dim=1).detach()
    return found.unflatten(0, (len(crops), -1))


def resized(maps: Tensor, side: int, place: Placement | None) -> Tensor:
    """Return maps (n, k, y, x) on the pixels (n, k, side, side) between whose places they lie.

    Without a placement they are stretched from edge to edge, as torch and captum do.
    """
    if place is None:
        return F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)
    down, across = (_weights(n, side, place).to(maps) for n in maps.shape[2:])
    found: Tensor = down @ maps @ across.T
    return found


def placement(model: nn.Module, layer: str, channels: int) -> Placement:
    """Return where the places of a layer look, measured by gradients on noise.

    Layers with strides begin at the first pixel and not half a stride later, and EfficientNet-Lite0 reads its pictures
    upside down. A map stretched from edge to edge is off by up to several pixels for the one and turned for the other.
    """
    made = torch.Generator().manual_seed(0)
    at = torch.rand((PROBES, channels, CANVAS, CANVAS), generator=made).to(next(model.parameters()))
    at.requires_grad_(True)
    with _Seen(model) as seen:
        model(at)
    maps = seen.outputs[layer]
    places = maps.shape[2]
    stride, wide = round(CANVAS / places), max(1, places // 4)
    starts = (places // 2 - wide, places // 2)
    first, second = (_centre(maps, at, slice(start, start + wide)) for start in starts)
    if not np.isfinite(first + second):
        # No gradient comes through on noise: places are spread evenly.
        return Placement(stride, (stride - 1) / 2, False)
    flipped = second < first
    seen_at = [CANVAS - 1 - c if flipped else c for c in (first, second)]
    return Placement(stride, float(np.mean(seen_at)) - stride * (starts[1] - 0.5), flipped)


def _centre(maps: Tensor, at: Tensor, places: slice) -> float:
    """Return the pixel (along the diagonal) around which the gradient of a square of places lies."""
    # One weight for all places of a map, for else those would count more that happen to be bright.
    weights = torch.randn(maps.shape[1], generator=torch.Generator().manual_seed(1)).to(maps)
    total_of_maps = (maps[:, :, places, places].sum(dim=(0, 2, 3)) * weights).sum()
    (slopes,) = torch.autograd.grad(total_of_maps, at, retain_graph=True)
    strength = slopes.square().sum(dim=(0, 1)).double()
    total = strength.sum()
    pixels = torch.arange(at.shape[-1], device=at.device).double()
    down, across = (strength.sum(dim=d) @ pixels / total for d in (1, 0))
    return float((down + across) / 2) if float(total) > 0 else float("nan")


def _weights(places: int, side: int, place: Placement) -> Tensor:
    """Return what each place (columns) gives to each pixel (rows): linear between two places, flat beyond the last."""
    pixels = torch.arange(side).double()
    pixels = side - 1 - pixels if place.flipped else pixels
    at = ((pixels - place.offset) / place.stride).clamp(0, places - 1)
    return (1 - (at[:, None] - torch.arange(places).double()).abs()).clamp_min(0)


def _stages(model: nn.Module, crops: Tensor) -> dict[str, Tensor]:
    """Return the last maps of each resolution, from fine to coarse."""
    with _Seen(model) as seen, torch.inference_mode():
        model(crops.to(next(model.parameters()).device))
    whole = {name for name in seen.outputs if not _inside_a_block(model, name)}
    last = {tuple(seen.outputs[name].shape[2:]): name for name in seen.outputs if name in whole}
    return {name: seen.outputs[name] for _, name in sorted(last.items(), reverse=True)}


def _inside_a_block(model: nn.Module, name: str) -> bool:
    """Return True for parts of a layer that is more than a sequence: what such a block ends with is what it found."""
    parts = name.split(".")
    return any(_is_block(model.get_submodule(".".join(parts[:k]))) for k in range(1, len(parts)))


def _is_block(layer: nn.Module) -> bool:
    return not isinstance(layer, nn.Sequential) and next(layer.children(), None) is not None


def _default(stages: dict[str, Tensor]) -> str:
    fine = [name for name, output in stages.items() if min(output.shape[2:]) >= ENOUGH_PLACES]
    return fine[-1] if fine else next(iter(stages))
