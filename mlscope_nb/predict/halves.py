"""Halves: each step of training in two halves at once, each in a thread of its own, added up in order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

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

    def backward(self, *rows: Tensor, loss: Callable[..., Tensor]) -> float:
        """Set the gradients of a loss that is the sum of those of the halves; return it.

        Parameters
        ----------
        *rows : tensors (N, ...)
            What is halved: `loss` gets the model and its half of each.
        loss : function
            Returns the loss of some rows, as a tensor.
        """
        halves = 2 if len(rows[0]) >= LEAST and self.learning[0].device.type == "cpu" else 1
        parts = zip(*(tensor.chunk(halves) for tensor in rows), strict=True)
        jobs = [partial(self._gradients, loss, model, *part) for model, part in zip(self.models, parts, strict=False)]
        found = self.together(jobs)
        for k, parameter in enumerate(self.learning):
            both = [gradients[k] for _, gradients in found]
            parameter.grad = both[0] if len(both) == 1 else both[0] + both[1]
        if halves == 2:
            self._agree()
        return sum(value for value, _ in found)

    def together(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Return what each job gives: the first works beside the others where there are cores for both."""
        pool = self._pool
        if pool is None:
            return [job() for job in jobs]
        others = [pool.submit(job) for job in jobs[1:]]
        return [*(job() for job in jobs[:1]), *(other.result() for other in others)]

    def _gradients(
        self, loss: Callable[..., Tensor], model: nn.Module, *rows: Tensor
    ) -> tuple[float, tuple[Tensor, ...]]:
        value = loss(model, *rows)
        return value.item(), torch.autograd.grad(value, self.learning)

    def _agree(self) -> None:
        """Let both batch norms remember the mean of what they saw."""
        for one, other in zip(*(model.modules() for model in self.models), strict=True):
            if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d):
                for name in ("running_mean", "running_var"):
                    mean, theirs = getattr(one, name), getattr(other, name)
                    theirs.copy_(mean.lerp_(theirs, 0.5))
