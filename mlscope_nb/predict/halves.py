"""Halves: each step of training in two halves at once, each in a thread of its own, added up in order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

LEAST = 8
"""Crops of a step that is worth halving."""


class Halves:
    """Gradients of a model from the two halves of a step.

    PyTorch gives each layer to all cores, and they wait for each other many times in each layer; where another program
    takes one of the cores, the other one waits most of the time. Two halves wait once, at the end of the step, and the
    outcome is the same on one core as on two. Batch norms see their half, and what they remember is averaged.

    Parameters
    ----------
    model : torch.nn.Module
        In training; its gradients are replaced.
    """

    def __init__(self, model: nn.Module) -> None:
        # The twin has the very same parameters: only what batch norms remember is its own.
        self.models = model, copy.deepcopy(model, {id(p): p for p in model.parameters()})
        self.learning = [p for p in model.parameters() if p.requires_grad]
        self._pool: Executor | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Give each half its share of the cores; on one core they take turns."""
        cores = torch.get_num_threads()
        each = max(1, cores // 2)
        torch.set_num_threads(each)
        try:
            with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(each,)) as pool:
                self._pool = pool if cores > 1 else None
                yield
        finally:
            self._pool = None
            torch.set_num_threads(cores)

    def backward(self, views: Tensor, codes: Tensor, loss: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> float:
        """Set the gradients of a loss that is the sum of those of the halves; return it."""
        halves = 2 if len(views) >= LEAST and views.device.type == "cpu" else 1
        parts = zip(self.models, views.chunk(halves), codes.chunk(halves), strict=False)
        jobs = [partial(self._gradients, loss, *part) for part in parts]
        second = self._pool.submit(jobs[1]) if self._pool is not None and halves == 2 else None
        found = [jobs[0](), second.result()] if second is not None else [job() for job in jobs]
        for k, parameter in enumerate(self.learning):
            both = [gradients[k] for _, gradients in found]
            parameter.grad = both[0] if len(both) == 1 else both[0] + both[1]
        if halves == 2:
            self._agree()
        return sum(value for value, _ in found)

    def _gradients(
        self, loss: Callable[[nn.Module, Tensor, Tensor], Tensor], model: nn.Module, views: Tensor, codes: Tensor
    ) -> tuple[float, tuple[Tensor, ...]]:
        value = loss(model, views, codes)
        return value.item(), torch.autograd.grad(value, self.learning)

    def _agree(self) -> None:
        """Let both batch norms remember the mean of what they saw."""
        for one, other in zip(*(model.modules() for model in self.models), strict=True):
            if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d):
                for name in ("running_mean", "running_var"):
                    mean, theirs = getattr(one, name), getattr(other, name)
                    theirs.copy_(mean.lerp_(theirs, 0.5))
