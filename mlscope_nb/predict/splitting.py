"""Splits for prediction: the very ones of ``ms.study``, so that no chapter cuts units in a way of its own."""

from __future__ import annotations

from mlscope_nb.study.splits import Split, split

__all__ = ["Split", "split"]
