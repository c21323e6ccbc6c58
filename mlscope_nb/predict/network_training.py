"""One training: crops in memory, steps, the state after each finished epoch, and the best so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from mlscope_nb.cells import Cells
from mlscope_nb.features.augmentations import Augmentation
from mlscope_nb.predict.arithmetic import mixed
from mlscope_nb.predict.halves import Halves
from mlscope_nb.predict.muon import Muon
from mlscope_nb.predict.network import BATCH
from mlscope_nb.predict.network_input import Inputs
from mlscope_nb.predict.network_layers import SmallNetwork, middle, new_model
from mlscope_nb.predict.resumable import Resumable, State, copied

SMOOTHED = 0.1
"""Of each label given to all classes: cells that did not respond carry the label of their well too."""
AVERAGED = 0.99
WEIGHT_DECAY = 1e-2
MUON = 7.0
"""How much farther a step of Muon goes than one of AdamW: its steps have length one, not about one per weight."""
SAMPLE = 400
"""Crops from which the first layer is learned."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Prepared crops in memory, and the class of each.

    Parameters
    ----------
    images : half tensor (N, C, Y, X)
        As `Inputs` prepares them, in the order of the ids: the order of rows does not matter.
    codes : int tensor (N,)
        Number of the class.
    weights : tensor (K,)
        What a cell of each class counts, so that classes count the same.
    """

    images: Tensor
    codes: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.codes)


def crops_of(cells: Cells, pixels: Inputs, codes: np.ndarray, n_classes: int) -> Crops:
    """Read and prepare all crops, in the order of their ids."""
    order = np.argsort(cells.ids.to_numpy(dtype=str), kind="stable")
    images = torch.from_numpy(np.concatenate([crops for _, crops in pixels.batches(cells)]))
    known = torch.from_numpy(codes[order].astype(np.int64))
    n = torch.bincount(known, minlength=n_classes).float()
    present = int((n > 0).sum())
    return Crops(images[torch.from_numpy(order)], known, len(known) / (present * n.clamp_min(1)))


class Training(Resumable):
    """A network, its running average, its optimisers, and what is kept after each finished epoch.

    Parameters
    ----------
    settings : dict
        As `train_network` records them.
    pixels : Inputs
        How crops were prepared.
    learned, held : Crops
        To learn from; to judge each epoch by, or None.
    augmentation : Augmentation
        How far the views of a cell may differ.
    device : str
        "cpu" or "cuda".
    state : dict, optional
        Of an earlier training, to go on exactly there.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        pixels: Inputs,
        learned: Crops,
        held: Crops | None,
        augmentation: Augmentation,
        device: str,
        state: State | None = None,
    ) -> None:
        self.settings, self.pixels, self.augmentation, self.device = settings, pixels, augmentation, device
        self.learned, self.held = learned, held
        self.records: list[dict[str, float]] = []
        n_classes = len(learned.weights)
        self.model = new_model(settings, len(pixels.channels), n_classes, pretrained=True)
        if isinstance(self.model, SmallNetwork):
            every = max(1, len(learned) // SAMPLE)
            self.model.begin(learned.images[::every].float(), pixels.window, settings["seed"])
        self.model.to(device)
        self.average = AveragedModel(self.model, avg_fn=_average, use_buffers=True)
        self.optimisers = _optimisers(self.model, settings["learning_rate"])
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
        if self.held is None:
            return self.done
        return 1 + int(np.argmin([r["held_out_loss"] for r in self.records]))

    @property
    def waited(self) -> int:
        """Epochs since the best one."""
        return self.done - self.best_epoch

    def epoch(self) -> dict[str, float]:
        """Show every crop once, judge the network, and keep the state."""
        number = self.done
        made = torch.Generator().manual_seed(self.settings["seed"] * 100_003 + number)
        halves = Halves(self.model.train())
        total, steps = 0.0, 0
        with halves.working():
            for progress, rows in self._steps(made):
                self._set_rate(number + progress)
                total, steps = total + self._step(halves, rows, made), steps + 1
        self.records.append({"loss": total / steps, **self._judged()})
        if self.best_epoch == self.done:
            self.best = copied(self.average.module.state_dict())
        self.kept = self._state()
        return self.records[-1]

    def _step(self, halves: Halves, rows: Tensor, made: torch.Generator) -> float:
        """Learn from some crops; return the loss."""
        weights = self.learned.weights.to(self.device)
        counted = weights[self.learned.codes[rows].to(self.device)].sum()

        def loss(model: nn.Module, rows: Tensor, seeds: Tensor) -> Tensor:
            # Each half draws its views by itself, from a seed of its own.
            views = self.augmentation(self.learned.images[rows].to(self.device).float(), _generator(seeds))
            codes = self.learned.codes[rows].to(self.device)
            with mixed(self.settings["arithmetic"], self.device):
                scores = model(views)
            total = F.cross_entropy(scores.float(), codes, weights, label_smoothing=SMOOTHED, reduction="sum")
            return total / counted

        found = halves.backward(rows, torch.randint(2**62, (len(rows),), generator=made), loss=loss)
        halves.together([optimiser.step for optimiser in self.optimisers])
        self.average.update_parameters(self.model)
        return found

    def _steps(self, made: torch.Generator) -> Iterator[tuple[float, Tensor]]:
        """Yield how far the epoch is, and the rows of each step; a last step of few cells is left out."""
        size = min(self.settings["batch_size"], len(self.learned))
        order = torch.randperm(len(self.learned), generator=made)
        steps = len(order) // size
        for k in range(steps):
            yield k / steps, order[k * size : (k + 1) * size]

    def _judged(self) -> dict[str, float]:
        """Return loss and balanced accuracy of the averaged network in the units that it does not learn from."""
        if self.held is None:
            return {}
        model = self.average.module.eval()
        with torch.inference_mode(), mixed(self.settings["arithmetic"], self.device):
            parts = self.held.images.split(BATCH)
            crops = (middle(part.float(), self.pixels.window).to(self.device) for part in parts)
            scores = torch.cat([model(part).float().cpu() for part in crops])
        codes = self.held.codes
        loss = F.cross_entropy(scores, codes, weight=self.held.weights)
        right = (scores.argmax(dim=1) == codes).float()
        classes = codes.unique().tolist()
        accuracy = float(np.mean([float(right[codes == k].mean()) for k in classes]))
        return {"held_out_loss": float(loss), "held_out_accuracy": accuracy}


def _optimisers(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the small network's blocks, and AdamW for the rest.

    Muon moves all directions of a matrix equally far, rare ones too, and needs far fewer epochs. Pretrained layers move
    a tenth as far as new ones, and only matrices are held small.
    """
    found: dict[tuple[str, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = "block" if name.startswith("body.") and parameter.ndim == 2 else "free" if "free." in name else "new"
            found.setdefault((kind, WEIGHT_DECAY if parameter.ndim > 1 else 0.0), []).append(parameter)
    matrices, far = found.pop(("block", WEIGHT_DECAY), []), rate * MUON
    most = {"free": rate / 10, "new": rate}
    rest = [{"params": p, "lr": most[k], "most": most[k], "weight_decay": w} for (k, w), p in found.items()]
    # Every other matrix to each of two, which work at once and take about as long.
    parts = [part for part in (matrices[::2], matrices[1::2]) if part]
    muons = [Muon([{"params": p, "lr": far, "most": far, "weight_decay": WEIGHT_DECAY}]) for p in parts]
    return [*muons, torch.optim.AdamW(rest)]


def _generator(seeds: Tensor) -> torch.Generator:
    """Return a generator that begins with the first of some seeds."""
    return torch.Generator().manual_seed(int(seeds[0]))


def _average(mean: Tensor, new: Tensor, n: Tensor | int) -> Tensor:
    """Return the running average after one more step: of few steps at first, so that the beginning is forgotten."""
    kept = min(AVERAGED, (1 + int(n)) / (10 + int(n)))
    return torch.lerp(mean, new, 1 - kept) if mean.is_floating_point() else new
