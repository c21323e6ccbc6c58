"""Self-supervised training: a network learns from unlabelled crops that two views of a cell are the same cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.features.augmentations import Augmentation
from mlscope_nb.features.encoder import Encoder, check_images, new_network, packed, unpacked, whole_units
from mlscope_nb.features.pretrained import Device, device_name, usable_threads

Method = Literal["simclr", "vicreg"]
HIDDEN, PROJECTED = 256, 128
TEMPERATURE = 0.2
WEIGHT_DECAY = 1e-4
SHOWN, LEAST_EPOCHS, MOST_EPOCHS = 30_000, 5, 40


def train_selfsupervised(
    cells: Cells,
    *,
    train_ids: Iterable[str] | None = None,
    method: Method = "simclr",
    masked: bool = True,
    epochs: int | None = None,
    width: int = 24,
    batch_size: int = 32,
    learning_rate: float = 4e-3,
    augmentation: Augmentation | None = None,
    resume: Encoder | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
    device: Device = "auto",
    seed: int = 0,
) -> Encoder:
    """Train a small network on crops without labels.

    Two views of each crop are made by what a microscope could have done (turned, zoomed, shifted, another gain and
    background per channel, noise, a little blur), and the network learns to tell which views belong together, from each
    channel alone: from all of them at once it would learn the easiest one. Stopping it (the square button, Ctrl-C)
    keeps all finished epochs, and ``resume=encoder`` goes on exactly where it stopped.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X) and a declared unit.
    train_ids : ids, optional
        The cells to train on, in whole units; the network never sees the others. Default: all.
    method : {"simclr", "vicreg"}
        SimCLR contrasts each cell with the others of its batch; VICReg keeps the numbers varied and uncorrelated.
    masked : bool
        Where there are masks, darken what is not this cell: neighbours tell two crops apart too easily.
    epochs : int, optional
        How often each cell is seen in all, what `resume` has seen included. Default: so that some 30,000 crops are
        shown, which takes about a minute for 64 pixels and three channels; 5 times at least, 40 at most.
    width : int
        Size of the network: it gives 4 × width numbers per channel.
    batch_size : int
        Cells per step.
    learning_rate : float
        Largest step width (AdamW, warmed up and lowered along a cosine).
    augmentation : Augmentation, optional
        How far views may differ.
    resume : Encoder, optional
        Go on with this one: same cells, channels and settings.
    on_epoch : function, optional
        Called with the number of the epoch and its mean loss, for a live display.
    device : {"auto", "cpu", "cuda"}
        "auto" uses a GPU where there is one.
    seed : int
        Seed of weights, order and views. On one machine the same seed gives the same network.

    Returns
    -------
    Encoder
        ``.transform(cells)`` gives the numbers, ``.losses`` the loss of each epoch, ``.units`` what it has seen.

    Raises
    ------
    ValueError
        No images or unit, too few cells, a unit cut by `train_ids`, or an encoder that does not fit.

    References
    ----------
    Chen et al. 2020, arXiv 2002.05709 (SimCLR); Bardes, Ponce, LeCun 2022, arXiv 2105.04906 (VICReg).

    Examples
    --------
    >>> import pandas as pd
    >>> pixels = np.random.default_rng(0).integers(0, 4000, (16, 1, 16, 16), dtype=np.uint16)
    >>> obs = pd.DataFrame({"well": list("ABCD") * 4}, index=[f"c{i}" for i in range(16)])
    >>> cells = Cells(obs, pixels, channels=["DNA"], unit="well")
    >>> encoder = train_selfsupervised(cells, epochs=1, width=4, batch_size=8)
    >>> encoder.transform(cells).shape
    (16, 16)
    """
    check_images(cells)
    chosen = cells if train_ids is None else whole_units(cells, train_ids)
    if epochs is None:
        epochs = min(max(round(SHOWN / max(len(chosen), 1)), LEAST_EPOCHS), MOST_EPOCHS)
    _check(chosen, method, epochs, batch_size)
    settings = {
        "method": method, "masked": masked, "epochs": epochs, "width": width, "batch_size": batch_size,
        "learning_rate": learning_rate, "seed": seed,
    }  # fmt: skip
    run = _Run(chosen, settings, augmentation or Augmentation(), resume, device_name(device))
    try:
        with usable_threads(), tqdm(range(run.done, epochs), desc="Training", unit="epoch", leave=False) as bar:
            for epoch in bar:
                loss = run.epoch(epoch)
                bar.set_postfix(loss=f"{loss:.3f}")
                if on_epoch is not None:
                    on_epoch(epoch + 1, loss)
    except KeyboardInterrupt:
        return run.encoder(interrupted=True)
    return run.encoder(interrupted=False)


class _Run:
    """One training: crops in memory, network, head and optimiser, and the state after the last finished epoch."""

    def __init__(
        self, cells: Cells, settings: dict[str, Any], augmentation: Augmentation, resume: Encoder | None, device: str
    ) -> None:
        self.settings, self.augmentation, self.device = settings, augmentation, device
        self.channels, self.units = cells.channels, tuple(sorted(set(cells.units)))
        self.images = torch.from_numpy(
            np.concatenate([packed(b, masked=settings["masked"]) for b in cells.batches(500)])
        )
        self.losses: list[float] = []
        network = new_network(len(cells.channels), settings["width"], settings["seed"])
        head = _head(network.each, settings["seed"])
        self.model = nn.ModuleDict({"network": network, "head": head}).to(device)
        rate = settings["learning_rate"]
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
        if resume is not None:
            self._take(resume)
        self.kept = self._state()

    @property
    def done(self) -> int:
        return len(self.losses)

    def epoch(self, epoch: int) -> float:
        """Show every crop once; keep the state when all were shown."""
        made = torch.Generator().manual_seed(self.settings["seed"] * 100_003 + epoch)
        size = min(self.settings["batch_size"], len(self.images))
        order = torch.randperm(len(self.images), generator=made)
        steps = len(order) // size
        self.model.train()
        total = 0.0
        for step in range(steps):
            self._set_rate((epoch + step / steps) / self.settings["epochs"])
            batch = unpacked(self.images[order[step * size : (step + 1) * size]].to(self.device))
            views = torch.cat([self.augmentation(batch, made) for _ in range(2)])
            loss = self._loss(self.model["network"](views))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            total += loss.item()
        self.losses.append(total / steps)
        self.kept = self._state()
        return self.losses[-1]

    def _loss(self, found: Tensor) -> Tensor:
        """Return the mean over channels of the loss of one channel: each must know its cell by itself."""
        n, channels = len(found), len(self.channels)
        projected = self.model["head"](found.reshape(n * channels, -1)).reshape(n, channels, -1)
        one = LOSSES[self.settings["method"]]
        return torch.stack([one(part) for part in projected.unbind(1)]).mean()

    def encoder(self, *, interrupted: bool) -> Encoder:
        """Return the encoder as it was after the last finished epoch."""
        network = new_network(len(self.channels), self.settings["width"], self.settings["seed"])
        network.load_state_dict(self.kept["network"])
        training = {"head": self.kept["head"], "optimiser": self.kept["optimiser"]}
        losses = list(self.kept["losses"])
        return Encoder(network.eval(), self.channels, self.settings, self.units, losses, training, interrupted)

    def _state(self) -> dict[str, Any]:
        """Return a copy of everything that the next epoch depends on."""
        copied = {k: {n: t.detach().cpu().clone() for n, t in self.model[k].state_dict().items()} for k in self.model}
        inner = self.optimiser.state_dict()
        moments = {i: {n: t.detach().cpu().clone() for n, t in s.items()} for i, s in inner["state"].items()}
        return {**copied, "optimiser": {**inner, "state": moments}, "losses": list(self.losses)}

    def _take(self, resume: Encoder) -> None:
        if resume.channels != self.channels:
            raise ValueError(f"resume was trained on the channels {resume.channels}, these cells have {self.channels}.")
        if resume.units and set(resume.units) != set(self.units):
            raise ValueError(
                f"resume has seen {count(len(resume.units), 'unit')}, and these are {count(len(self.units), 'unit')} "
                "that are not the same: it could not be said what it has seen. Go on with the same cells."
            )
        fixed = ("method", "masked", "width", "batch_size", "seed", "epochs", "learning_rate")
        other = [k for k in fixed if resume.settings.get(k) != self.settings[k]]
        if other or not resume.training:
            changed = ", ".join(f"{k}={resume.settings.get(k)!r}" for k in other) or "no state to go on from"
            raise ValueError(f"resume was trained with other settings: {changed}. Give the same, to go on exactly.")
        self.model["network"].load_state_dict(resume.network.state_dict())
        self.model["head"].load_state_dict(resume.training["head"])
        self.optimiser.load_state_dict(resume.training["optimiser"])
        self.losses = list(resume.losses)

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress * 10)
        rate = self.settings["learning_rate"] * warm * 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.optimiser.param_groups:
            group["lr"] = rate


def simclr(projected: Tensor) -> Tensor:
    """Return the SimCLR loss of two views each, (2N, D): how surely each view finds the other one of its cell."""
    unit = F.normalize(projected, dim=1)
    similar = unit @ unit.T / TEMPERATURE
    similar.fill_diagonal_(-torch.inf)
    n = len(unit) // 2
    partner = torch.arange(2 * n, device=unit.device).roll(n)
    return F.cross_entropy(similar, partner)


def vicreg(projected: Tensor) -> Tensor:
    """Return the VICReg loss of two views each, (2N, D): alike views, varied and uncorrelated numbers."""
    a, b = projected.chunk(2)
    alike = F.mse_loss(a, b)
    varied = sum(F.relu(1 - torch.sqrt(x.var(dim=0) + 1e-4)).mean() for x in (a, b)) / 2
    apart = torch.zeros((), device=a.device)
    for x in (a, b):
        centred = x - x.mean(dim=0)
        covariance = centred.T @ centred / (len(x) - 1)
        apart = apart + (covariance.square().sum() - covariance.diagonal().square().sum()) / x.shape[1]
    return 25 * alike + 25 * varied + apart


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {"simclr": simclr, "vicreg": vicreg}


def _head(dimension: int, seed: int) -> nn.Sequential:
    made = torch.Generator().manual_seed(seed + 1)
    with torch.random.fork_rng(devices=[]):
        layers = nn.Sequential(
            nn.Linear(dimension, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, PROJECTED, bias=False),
        )  # fmt: skip
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=made) * math.sqrt(2 / layer.in_features))
    return layers


def _check(cells: Cells, method: str, epochs: int, batch_size: int) -> None:
    if method not in LOSSES:
        raise ValueError(f"method is {method!r}, expected 'simclr' or 'vicreg'.")
    if epochs < 1 or batch_size < 8:
        raise ValueError(f"epochs is {epochs} and batch_size {batch_size}, expected at least 1 epoch and 8 cells.")
    if len(cells) < 8:
        raise ValueError(f"{count(len(cells), 'cell')} to train on, expected at least 8 (and some thousand for use).")
