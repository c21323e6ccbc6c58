"""Sentences of the field viewer."""

from __future__ import annotations

import numpy as np

from mlscope_nb._words import count
from mlscope_nb.fields import Fields
from mlscope_nb.views._fieldcells import Spots


def described(fields: Fields, row: int, n_objects: int | None, step: int) -> str:
    """Say what a field is: its size, its channels, how many objects, how much of it is shown."""
    channels, height, width = fields.images.shapes[row]
    parts = [f"{height} × {width} pixels, {count(channels, 'channel')}"]
    if n_objects is not None:
        parts.append(f"{count(n_objects, 'object')} outlined")
    if step > 1:
        parts.append(f"one pixel in {step} shown, all of them when enlarged")
    return " · ".join(parts)


def linked_words(flags: np.ndarray, here: Spots) -> str:
    """Say how many cells are selected, and how many of them lie in the field that is shown."""
    chosen = int(flags.sum())
    if not chosen:
        how = "Click one to find it, shift and click to select it."
        return f"{count(len(here.rows), 'cell')} in this field, none selected. {how}"
    return f"{count(chosen, 'cell')} selected, {int(flags[here.rows].sum()):,} of them in this field."


def misfits(here: Spots, ranks: np.ndarray | None) -> str:
    """Say how many cells of a field belong to none of its outlines; empty if all do."""
    lost = int((here.objects == 0).sum())
    if ranks is None or not lost:
        return ""
    return f"{count(lost, 'cell')} of this field fit none of its outlines (other masks?) and have a circle instead."
