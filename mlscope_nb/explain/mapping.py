"""A way of making maps: method and options, checked once, then applied to crops of any model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mlscope_nb._options import check_positive
from mlscope_nb._words import some
from mlscope_nb.explain.explained import VIEWS, crops_at_once, gradient, turned, turned_back
from mlscope_nb.explain.gradcam import Placement, Resize, chosen_layer, grad_cam, placement, resized
from mlscope_nb.explain.gradients import integrated_gradients, noise_of, smooth_gradient
from mlscope_nb.explain.occlusion import occlusion
from mlscope_nb.predict.network import Network

Method = Literal["gradient", "integrated_gradients", "gradcam", "hirescam", "occlusion", "smoothgrad"]
METHODS: tuple[str, ...] = get_args(Method)
CAMS = ("gradcam", "hirescam")
ONE_PASS = ("gradient", *CAMS)
"""Methods that are quick enough to look at a crop from all sides, as the network does when it answers."""
WHOLE = ("steps", "samples", "patch_px", "stride_px")
PATCHES, PLACES = 8, 24
"""Patches of the default size along a side, and places that a patch is laid on: the strongest patch of a map is known
as well as its places are apart, which in crops of cells (40 to 64 pixels) is what a microscope resolves."""
NOISE = 0.03
"""Of the bright end: a little more than what is added while a network learns. The 0.1 to 0.2 that photographs are given
is more than it has ever seen. Maps pointed at micronuclei in 0.88 and 1.00 of the cells (of two networks) with 0.03, in
0.50 and 1.00 with 0.1, in 0.33 and 0.82 with 0.2; at clusters, which no level finds well, in 0.12 to 0.58 (of three),
in 0.08 to 0.58, and in 0.21 to 0.62. No level is best for both: where a gradient fails, more noise is no cure."""


@dataclass(frozen=True, eq=False)
class Mapper:
    """Makes maps of crops.

    Parameters
    ----------
    method : str
        See `attribute`, as for the other options.
    views, steps, tolerance, samples, noise, patch_px, stride_px, layer, resize, seed
        Options of `attribute`.
    each_channel : bool
        A map for each channel, or one.
    """

    method: str
    views: int | None = None
    steps: int = 50
    tolerance: float | None = 0.01
    samples: int = 32
    noise: float = NOISE
    patch_px: int | None = None
    stride_px: int | None = None
    layer: str | None = None
    resize: Resize = "aligned"
    seed: int = 0
    each_channel: bool = False
    _at_once: int = field(default=1, repr=False)
    _noise: Tensor = field(default_factory=lambda: torch.empty(0), repr=False)
    _place: Placement | None = field(default=None, repr=False)

    def for_network(self, network: Network) -> Mapper:
        """Return the same with all that depends on the network filled in, checked.

        Raises
        ------
        ValueError
            No such method or layer, or an option that cannot be.
        """
        self._check()
        side, channels = network.pixels.window, len(network.channels)
        patch = self.patch_px or max(1, round(side / PATCHES))
        made = {**self.__dict__, "_at_once": crops_at_once(network), "patch_px": patch}
        made["stride_px"] = self.stride_px or min(patch, max(1, round(side / PLACES)))
        made["views"] = self.views or (VIEWS if self.method in ONE_PASS else 1)
        if not made["stride_px"] <= patch <= side:
            raise ValueError(
                f"patch_px is {patch} and stride_px {made['stride_px']}, expected a stride no longer than the "
                f"patch, and a patch no larger than the window of {side} pixels."
            )
        if self.method == "smoothgrad":
            made["_noise"] = noise_of(self.samples, (channels, side, side), self.noise, self.seed)
        if self.method in CAMS:
            layer = chosen_layer(network, self.layer, usual="finest" if self.method == "hirescam" else "places")
            made["layer"] = layer
            made["_place"] = placement(network.model, layer, channels) if self.resize == "aligned" else None
        return Mapper(**made)

    @property
    def needs_baseline(self) -> bool:
        """True for methods that compare with a baseline."""
        return self.method in ("integrated_gradients", "occlusion")

    def __call__(self, model: nn.Module, crops: Tensor, codes: Tensor, baselines: Tensor) -> Tensor:
        """Return maps (n, C or 1, side, side), the mean over views."""
        total = torch.zeros(0)
        views = self.views or 1
        for view in range(views):
            found = self._one(model, turned(crops, view), codes, turned(baselines, view))
            back = turned_back(found, view)
            total = back if view == 0 else total + back
        return total / views

    def _one(self, model: nn.Module, crops: Tensor, codes: Tensor, baselines: Tensor) -> Tensor:
        if self.method == "occlusion":
            return occlusion(
                model, crops, codes, baselines, patch=int(self.patch_px or 1), stride=int(self.stride_px or 1),
                each_channel=self.each_channel, at_once=self._at_once,
            )  # fmt: skip
        if self.method in CAMS:
            maps = grad_cam(model, crops, codes, str(self.layer), by_place=self.method == "hirescam")
            return self._of_channels(resized(maps, crops.shape[-1], self._place), crops.shape[1])
        if self.method == "gradient":
            found = gradient(model, crops, codes)
        elif self.method == "smoothgrad":
            found = smooth_gradient(model, crops, codes, noise=self._noise.to(crops), at_once=self._at_once)
        else:
            found = integrated_gradients(
                model, crops, codes, baselines, steps=self.steps, tolerance=self.tolerance, at_once=self._at_once
            )
        return found if self.each_channel else found.sum(dim=1, keepdim=True)

    def _of_channels(self, maps: Tensor, channels: int) -> Tensor:
        if not self.each_channel:
            return maps.sum(dim=1, keepdim=True)
        if maps.shape[1] != channels:
            raise ValueError(
                f"The layer '{self.layer}' has mixed the channels, so Grad-CAM cannot tell them apart. Use method="
                "'integrated_gradients', 'gradient', 'smoothgrad' or 'occlusion' for a map of each channel."
            )
        return maps

    def _check(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}, expected one of {some(METHODS, 9)}.")
        if self.views not in (None, 1, VIEWS):
            raise ValueError(f"views is {self.views!r}, expected 1 (the crop as it lies) or 8 (all of its sides).")
        if self.resize not in get_args(Resize):
            raise ValueError(f"resize is {self.resize!r}, expected 'aligned' or 'stretched'.")
        numbers = (*WHOLE, "noise", "tolerance")
        check_positive({name: getattr(self, name) for name in numbers}, whole=WHOLE)
