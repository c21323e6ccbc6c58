"""Encoder: a small network that turns a crop into numbers, with all it takes to use it, save it and train it on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlscope_nb import _align, _weights
from mlscope_nb._words import count, some
from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features.augmentations import SMALLEST
from mlscope_nb.features.network_input import darkened, stretched
from mlscope_nb.features.pretrained import usable_threads

FORMAT = "mlscope encoder 2"
"""The share of a crop's pixels that are darker than its background."""
State = dict[str, Any]


class Network(nn.Module):
    """Three convolutions for each channel alone, the same for all; the mean and the largest value come out.

    So every channel is described by itself, not only the one that tells cells apart most easily. What two channels have
    in the same place is not seen: `measure` has correlations for that.

    Parameters
    ----------
    channels : int
        Channels of the crops.
    width : int
        Outputs of the first convolution; the others have twice as many.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        shapes = [(1, width, 5), (width, 2 * width, 3), (2 * width, 2 * width, 3)]
        layers: list[nn.Module] = []
        for inside, out, kernel in shapes:
            layers += [nn.Conv2d(inside, out, kernel, 2, kernel // 2, bias=False), nn.BatchNorm2d(out)]
            layers += [nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.each = 4 * width
        self.dimension = channels * self.each

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C × 4 × width) for crops (N, C, Y, X) with values around -1 to 1, channel after channel."""
        alone = images.flatten(0, 1)[:, None].contiguous(memory_format=torch.channels_last)
        found = self.body(alone)
        return torch.cat([found.mean(dim=(2, 3)), found.amax(dim=(2, 3))], dim=1).reshape(len(images), -1)


@dataclass(eq=False)
class Encoder:
    """A trained network and what it was trained on.

    Parameters
    ----------
    network : Network
        The network.
    channels : tuple of str
        The channels that it expects, in this order.
    settings : dict
        How it was trained (method, epochs, seed, width, …).
    units : tuple of str
        The units whose cells it has seen.
    losses : list of float
        Mean loss of each finished epoch.
    training : dict
        What training needs to go on: head and optimiser.
    interrupted : bool
        True when training was stopped before all epochs; ``train_selfsupervised(…, resume=encoder)`` goes on.
    """

    network: Network
    channels: tuple[str, ...]
    settings: dict[str, Any]
    units: tuple[str, ...] = ()
    losses: list[float] = field(default_factory=list)
    training: State = field(default_factory=dict, repr=False)
    interrupted: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.losses)

    def transform(self, cells: Cells, *, batch_size: int = 256) -> pd.DataFrame:
        """Return the numbers of each cell, (N, P).

        Raises
        ------
        ValueError
            No images, or other channels than the encoder was trained on.
        """
        check_images(cells)
        if cells.channels != self.channels:
            raise ValueError(f"The channels are {cells.channels}, expected {self.channels}, in this order.")
        device = next(self.network.parameters()).device
        self.network.eval()
        parts = []
        with usable_threads(), torch.inference_mode():
            for batch in cells.batches(batch_size):
                images = torch.from_numpy(packed(batch, masked=bool(self.settings["masked"]))).to(device)
                parts.append(self.network(unpacked(images)).cpu().numpy())
        values = np.concatenate(parts) if parts else np.empty((0, self.network.dimension), np.float32)
        word = "SelfSupervised" if self.epochs else "RandomEncoder"
        names = [f"Cells_{word}_{channel}_{i:04d}" for channel in self.channels for i in range(self.network.each)]
        table = pd.DataFrame(values, index=cells.ids, columns=names)
        seen = len(set(cells.units) & set(self.units)) if cells.design.unit else 0
        table.attrs["history"] = [
            _align.step("encode", **self.settings, epochs_done=self.epochs, n_units_seen_in_training=seen)
        ]
        return table

    def unseen(self, cells: Cells) -> pd.Series:
        """Return True for cells whose unit took no part in training."""
        return ~cells.units.isin(self.units).rename("unseen")

    def save(self, path: str | Path) -> Path:
        """Write the encoder to one file (weights and plain values, nothing that runs), whole or not at all."""
        content = {
            "format": FORMAT,
            "network": self.network.state_dict(),
            "channels": list(self.channels),
            "settings": self.settings,
            "units": list(self.units),
            "losses": self.losses,
            "training": self.training,
            "interrupted": self.interrupted,
        }
        return _weights.write(path, content)

    @classmethod
    def load(cls, path: str | Path) -> Encoder:
        """Read an encoder written by `save`; nothing in the file is run.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            It is damaged, or not an encoder.
        """
        return _weights.read(path, cls._from, kind=FORMAT, maker="Encoder", what="an encoder")

    @classmethod
    def _from(cls, found: dict[str, Any]) -> Encoder:
        network = Network(len(found["channels"]), int(found["settings"]["width"]))
        network.load_state_dict(found["network"])
        names = ("settings", "losses", "training", "interrupted")
        return cls(network, tuple(found["channels"]), units=tuple(found["units"]), **{k: found[k] for k in names})

    def __str__(self) -> str:
        state = f"{count(self.epochs, 'epoch')} of {self.settings.get('epochs', 0)}" if self.epochs else "not trained"
        last = f", loss {self.losses[-1]:.3f}" if self.losses else ""
        seen = f"cells of {count(len(self.units), 'unit')} seen" if self.units else "no unit seen"
        return f"Encoder of {some(self.channels)}: {state}{last}, {seen}"


def random_encoder(channels: Sequence[str], *, width: int = 24, masked: bool = True, seed: int = 0) -> Encoder:
    """Return the same network before any training: the control for what training brings.

    Examples
    --------
    >>> print(random_encoder(["DNA"]))
    Encoder of 'DNA': not trained, no unit seen
    """
    return Encoder(
        new_network(len(channels), width, seed), tuple(channels), {"width": width, "masked": masked, "seed": seed}
    )


def new_network(channels: int, width: int, seed: int) -> Network:
    """Return a network with weights drawn from the seed (He et al. 2015), other random numbers left alone."""
    with torch.random.fork_rng(devices=[]):
        network = Network(channels, width)
    made = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                fan = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=made) * math.sqrt(2 / fan))
    return network


def packed(batch: Batch, *, masked: bool) -> NDArray[np.uint8]:
    """Return crops with each channel stretched to its own ends, in 8 bit: a quarter of the memory.

    With `masked`, and where there are masks, all that is not this cell becomes as dark as its crop's background.
    """
    return np.round((stretched(darkened(batch) if masked else batch.images) + 1) * 127.5).astype(np.uint8)


def unpacked(images: Tensor) -> Tensor:
    """Return 8-bit crops as floats from -1 to 1."""
    return images.float().div_(127.5).sub_(1)


def check_images(cells: Cells) -> None:
    """Raise when there are no images, or they are too small for the network."""
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to use this function.")
    if min(cells.images.shape[2:]) < SMALLEST:
        raise ValueError(
            f"The crops are {cells.images.shape[2:]} pixels, expected at least {SMALLEST} along each side."
        )


def whole_units(cells: Cells, ids: Iterable[str]) -> Cells:
    """Return the cells with these ids; a unit that would be cut in two is refused."""
    chosen = cells.subset(list(ids))
    inside = cells.ids.isin(chosen.ids)
    units = cells.units.to_numpy()
    cut = sorted(set(units[inside]) & set(units[~inside]))
    if cut:
        raise ValueError(
            f"{count(len(cut), 'unit')} with some cells in training and some not: {some(cut)}. The network would have "
            "seen the units that are held out. Split by units: ms.study.split(cells)."
        )
    return chosen
