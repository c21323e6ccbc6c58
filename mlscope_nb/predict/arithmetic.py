"""Arithmetic: sixteen bits per number in training where the processor multiplies those several times as fast."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch

Arithmetic = Literal["float32", "bfloat16"]


GAINS = {"small": ("amx_bf16", "avx512_bf16"), "images": ("amx_bf16",)}
"""What of a processor serves which model: matrix units for bfloat16, or vectors of it."""


def arithmetic(model: str, device: str) -> Arithmetic:
    """Return how a model of pixels multiplies in training on "cpu" or "cuda".

    Processors with matrix units for bfloat16 (AMX) gain most by it, those with vectors of it (AVX-512) a third; all
    others have to imitate it. An older PyTorch does not tell: that counts as no. With vectors, networks from picture to
    picture gained a fifth of the time and found a little less, so they keep float32. Where each channel is convolved
    alone, as in EfficientNet, no matrix is large enough, and float32 is faster everywhere.
    """
    tell = getattr(torch.cpu, "get_capabilities", None)
    can = tell() if tell is not None and torch.backends.mkldnn.is_available() else {}
    gains = any(can.get(name, False) for name in GAINS.get(model, ()))
    return "bfloat16" if gains and device == "cpu" else "float32"


def mixed(chosen: str, device: str) -> AbstractContextManager[object]:
    """Return a block in which layers multiply in this arithmetic; weights and sums stay as they are."""
    # Threads would share the cache, and each weight is read once in a step anyway.
    return torch.autocast(device, dtype=torch.bfloat16, enabled=chosen == "bfloat16", cache_enabled=False)
