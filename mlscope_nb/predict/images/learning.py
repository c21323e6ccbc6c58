"""Learning: the steps of one training of a network of images, the state after each epoch, and the best so far."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from mlscope_nb.predict.arithmetic import mixed
from mlscope_nb.predict.halves import Halves
from mlscope_nb.predict.images.blind import N_PHASES, filled, hidden
from mlscope_nb.predict.images.patches import Examples, Variation
from mlscope_nb.predict.images.unet import UNet, around, set_detail
from mlscope_nb.predict.muon import Muon
from mlscope_nb.predict.resumable import Resumable, State, copied

Task = Literal["stain", "denoise", "segment"]
AVERAGED = 0.99
WEIGHT_DECAY = 1e-3
MUON = 7.0
"""How much farther a step of Muon goes than one of AdamW: its steps have length one, not about one per weight."""
JUDGED = 24
"""Patches of held-out units that judge an epoch."""


class Learning(Resumable):
    """A network, its running average, its optimisers, and what is kept after each finished epoch.

    Parameters
    ----------
    settings : dict
        As `train` records them.
    learned, held : Examples
        To learn from; to judge each epoch by, or None.
    vary : Variation
        How patches differ from their fields.
    device : str
        "cpu" or "cuda".
    state : dict, optional
        Of an earlier training, to go on exactly there.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        learned: Examples,
        held: Examples | None,
        vary: Variation,
        device: str,
        state: State | None = None,
    ) -> None:
        self.settings, self.learned, self.held, self.vary, self.device = settings, learned, held, vary, device
        if "missing" not in settings:
            settings |= beginning(settings, learned)
        model = new_network(settings)
        set_detail(model, _sample(learned, settings["seed"])[0])
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.model, avg_fn=_average, use_buffers=True)
        self.optimisers = _optimisers(model, settings["learning_rate"])
        self.records: list[dict[str, float]] = []
        self.best: State = {}
        self.kept: State = {}
        if state is not None:
            self._take(state)

    @property
    def done(self) -> int:
        """Epochs finished."""
        return len(self.records)

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest loss of held-out units; the last where none are held out (from 1)."""
        return best_of(self.records)

    def epoch(self) -> dict[str, float]:
        """Take the steps of one epoch, judge the network, and keep the state."""
        number, steps = self.done, self.settings["steps"]
        made = torch.Generator().manual_seed(self.settings["seed"] * 100_003 + number)
        halves = Halves(self.model.train())
        total = 0.0
        with halves.working():
            for k in range(steps):
                self._set_rate(number + k / steps)
                total += self._step(halves, made)
        self.records.append({"loss": total / steps, **self._judged()})
        if self.best_epoch == self.done:
            self.best = copied(self.average.module.state_dict())
        self.kept = self._state()
        return self.records[-1]

    def _step(self, halves: Halves, made: torch.Generator) -> float:
        """Learn from some patches; return the loss."""
        size = self.settings["batch_size"]
        read, asked = self.learned.draw(size, made, self.vary)
        phase = int(torch.randint(N_PHASES, (1,), generator=made).item())

        def loss(model: torch.nn.Module, read: Tensor, asked: Tensor) -> Tensor:
            return self._loss(model, read, asked, phase) * (len(read) / size)

        found = halves.backward(read.to(self.device), asked.to(self.device), loss=loss)
        for optimiser in self.optimisers:
            optimiser.step()
        self.average.update_parameters(self.model)
        return found

    def _loss(self, model: torch.nn.Module, read: Tensor, asked: Tensor, phase: int) -> Tensor:
        read, asked = (x.to(self.device, memory_format=torch.channels_last) for x in (read, asked))
        task = self.settings["task"]
        if task == "segment":
            return _of_objects(self._said(model, read), asked)
        if not self.settings["blind"]:
            start = begun(read, self.settings["own"]) if task == "denoise" else None
            return F.mse_loss(self._said(model, read), self._missing(start, asked))
        where = hidden(torch.arange(read.shape[2]), torch.arange(read.shape[3]), phase).to(self.device)
        seen = filled(read, where)
        return (self._said(model, seen) - self._missing(seen, asked))[:, :, where].square().mean()

    def _said(self, model: torch.nn.Module, pictures: Tensor) -> Tensor:
        with mixed(self.settings["arithmetic"], self.device):
            said: Tensor = model(pictures)
        return said.float()

    def _missing(self, start: Tensor | None, asked: Tensor) -> Tensor:
        """Return what the network has to say: what is missing at the start, in units of what usually is."""
        middle, amount = (torch.tensor(k, device=asked.device)[:, None, None] for k in self.settings["missing"])
        return (asked - (middle if start is None else start)) / amount

    def _judged(self) -> dict[str, float]:
        """Return the loss of the averaged network in patches of units that it does not learn from."""
        if self.held is None:
            return {}
        model = self.average.module.eval()
        read, asked = self.held.fixed(JUDGED, self.settings["seed"])
        with torch.inference_mode():
            parts = zip(read.split(8), asked.split(8), strict=True)
            losses = [float(self._loss(model, a, b, phase)) for phase, (a, b) in enumerate(parts)]
        return {"held_out_loss": float(np.mean(losses))}


def _of_objects(said: Tensor, asked: Tensor) -> Tensor:
    """Return how wrong foreground is, and in it the ways to the middle: where there is no object there is no way."""
    front = asked[:, :1]
    wrong = ((said[:, 1:] - asked[:, 1:]).square() * front).sum() / front.sum().clamp_min(1)
    return F.binary_cross_entropy_with_logits(said[:, :1], front) + wrong


def _optimisers(model: UNet, rate: float) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the convolutions, and AdamW for the rest, as `train_network` has them."""
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim != 2]
    blocks = {"params": matrices, "lr": rate * MUON, "most": rate * MUON, "weight_decay": WEIGHT_DECAY}
    others = {"params": rest, "lr": rate, "most": rate, "weight_decay": 0.0}
    return [Muon([blocks]), torch.optim.AdamW([others])]


def beginning(settings: dict[str, Any], learned: Examples) -> dict[str, list[Any]]:
    """Return where the network begins, and what is usually missing there.

    Returns
    -------
    dict
        ``own``: for each channel to denoise, how much a pixel itself counts beside the mean of its neighbours, by least
        squares (0 where it is hidden). ``missing``: mean and standard deviation, for each channel made, of what is to
        be added; the network speaks in these units, for a channel with little noise would drown in one with much.
    """
    n = settings["n_outputs"]
    if settings["task"] == "segment":
        return {"own": [0.0] * n, "missing": [[0.0] * n, [1.0] * n]}
    read, asked = _sample(learned, settings["seed"])
    own, middle = torch.zeros(n), torch.zeros(n)
    if settings["task"] == "stain":
        middle = asked.mean(dim=(0, 2, 3))
        wrong = asked - middle[:, None, None]
    else:
        if not settings["blind"]:
            near = around(read)
            apart = read - near
            most = apart.square().sum(dim=(0, 2, 3)).clamp_min(1e-12)
            own = (((asked - near) * apart).sum(dim=(0, 2, 3)) / most).clamp(0, 1)
        wrong = asked - begun(read, own.tolist())
    amount = wrong.square().mean(dim=(0, 2, 3)).sqrt().clamp_min(1e-6)
    return {"own": own.tolist(), "missing": [middle.tolist(), amount.tolist()]}


def begun(pictures: Tensor, own: list[float]) -> Tensor:
    """Return pictures (N, C, Y, X) in which each pixel is mixed with the mean of its neighbours."""
    near = around(pictures)
    return near + torch.tensor(own, device=pictures.device)[:, None, None] * (pictures - near)


def _sample(learned: Examples, seed: int) -> tuple[Tensor, Tensor]:
    return learned.fixed(max(JUDGED, len(learned)), seed)


def best_of(records: list[dict[str, float]]) -> int:
    """Return the epoch (from 1) with the lowest loss of held-out units, or the last."""
    if not records or "held_out_loss" not in records[0]:
        return len(records)
    return 1 + int(np.argmin([r["held_out_loss"] for r in records]))


def new_network(settings: dict[str, Any]) -> UNet:
    """Return a network with the first weights of its seed; other random numbers are left as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        size = len(settings["inputs"]), settings["n_outputs"], settings["width"], settings["depth"]
        # Networks that were written before there was a choice say nothing of it.
        return UNet(*size, pretrained=settings.get("pretrained", False))


def _average(mean: Tensor, new: Tensor, n: Tensor | int) -> Tensor:
    """Return the running average after one more step: of few steps at first, so that the beginning is forgotten."""
    kept = min(AVERAGED, (1 + int(n)) / (10 + int(n)))
    return torch.lerp(mean, new, 1 - kept) if mean.is_floating_point() else new
