"""Resumable: what trainings of networks keep after each epoch, so that they go on exactly where they stopped."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

State = dict[str, Any]


class Resumable:
    """A network in training with its running average and its optimisers; classes that train make these attributes."""

    settings: dict[str, Any]
    model: nn.Module
    average: AveragedModel
    optimisers: list[torch.optim.Optimizer]
    records: list[dict[str, float]]
    best: State
    kept: State

    def _set_rate(self, progress: float) -> None:
        """Raise the step width in the first epoch, then lower it along a cosine: the first epoch knows no end yet."""
        epochs = self.settings["epochs"]
        if progress < 1:
            factor = min(1.0, 0.05 + progress)
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (progress - 1) / max(epochs - 1, 1)))
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["most"] * factor

    def _state(self) -> State:
        """Return a copy of everything that the next epoch depends on."""
        inner = [optimiser.state_dict() for optimiser in self.optimisers]
        moments = [{**s, "state": {i: copied(m) for i, m in s["state"].items()}} for s in inner]
        return {
            "model": copied(self.model.state_dict()), "average": copied(self.average.state_dict()),
            "optimisers": moments, "best": self.best, "records": [dict(r) for r in self.records],
        }  # fmt: skip

    def _take(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimiser, moments in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(moments)
        self.best, self.kept = state["best"], state
        self.records = [dict(r) for r in state["records"]]


def copied(state: State) -> State:
    """Return a copy of tensors in main memory, and of the rest as it is."""
    return {k: v.detach().cpu().clone() if isinstance(v, Tensor) else v for k, v in state.items()}
