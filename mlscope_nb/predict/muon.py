"""Muon: an optimiser that moves all directions of a matrix equally far, in arithmetic that every CPU is quick at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
COEFFICIENTS = 3.4445, -4.7750, 2.0315
STEPS = 5
SMALLEST = 1e-7


class Muon(torch.optim.Optimizer):
    """Gradient descent with Nesterov momentum, each step replaced by a nearly orthogonal matrix.

    As ``torch.optim.Muon`` with ``adjust_lr_fn="original"``, but in single precision and on the small Gram matrix: the
    original works in bfloat16, which takes ten to fifty times as long where a CPU has to imitate it.

    Parameters
    ----------
    params : iterable of Parameter or dict
        Matrices.
    lr : float
        Step width.
    weight_decay : float
        Share of each weight, times the step width, that is taken away at each step.

    References
    ----------
    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move all matrices that have a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
                move = orthogonal(matrix.grad.lerp(mean, MOMENTUM))
                rows, columns = matrix.shape
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(move, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return the matrix (n, m) with its singular values moved near to 1 (0.7 to 1.2), those next to nothing less far.

    Each step of Newton and Schulz multiplies by a polynomial of the Gram matrix. All of them commute, so they are
    multiplied with each other first, and with the large matrix once.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp_min(SMALLEST)
    a, b, c = COEFFICIENTS
    one = torch.eye(len(wide), dtype=wide.dtype, device=wide.device)
    gram = wide @ wide.T
    product = factor = torch.addmm(torch.add(a * one, gram, alpha=b), gram, gram, alpha=c)
    for _ in range(STEPS - 1):
        gram = factor @ gram @ factor
        factor = torch.addmm(torch.add(a * one, gram, alpha=b), gram, gram, alpha=c)
        product = factor @ product
    found = product @ wide
    return found if matrix.shape[0] <= matrix.shape[1] else found.T
