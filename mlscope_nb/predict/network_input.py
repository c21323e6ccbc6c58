"""What a trained network gets to see: crops on one scale, darkened around the cell, and the window that holds it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import count
from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features.augmentations import SMALLEST
from mlscope_nb.features.encoder import check_images
from mlscope_nb.features.network_input import darkened, stretched
from mlscope_nb.features.pixels import PixelNormalizer

NormalizePixels = Literal["auto", "controls", "crop"]
Half = NDArray[np.float16]
LOW, HIGH = -1.0, 5.0
"""Pixels beyond these (background is 0, the bright end of a control cell 1) are dust, and are cut."""
PIXELS_OF_A_CELL, CELLS_THAT_FIT = 0.98, 0.9
STEP = 4
"""Windows are multiples of it."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """How crops are prepared, learned from the training cells.

    Parameters
    ----------
    channels : tuple of str
        The channels that are expected, in this order.
    shape : (int, int)
        Height and width of the crops.
    masked : bool
        Darken what is not this cell.
    window : int
        Side of the square in the middle that the network reads.
    normalizer : PixelNormalizer, optional
        Fitted on the controls of each batch; None where each crop is stretched to its own ends.
    notes : tuple of str
        What a reader has to know.
    """

    channels: tuple[str, ...]
    shape: tuple[int, int]
    masked: bool
    window: int
    normalizer: PixelNormalizer | None
    notes: tuple[str, ...] = ()

    @property
    def normalize(self) -> str:
        """How pixels were normalised: "controls" or "crop"."""
        return "crop" if self.normalizer is None else "controls"

    def batches(self, cells: Cells, size: int = 500) -> Iterator[tuple[pd.Index, Half]]:
        """Yield ids and prepared crops (n, C, Y, X): background about 0, bright end about 1.

        Raises
        ------
        ValueError
            No images, other channels, another size, or a new batch without controls of its own.
        """
        self._check(cells)
        with warnings.catch_warnings():
            # What is odd about the controls was said when they were learned.
            warnings.simplefilter("ignore", UserWarning)
            read = cells.batches(size) if self.normalizer is None else self.normalizer.batches(cells, size)
            for batch in read:
                yield batch.ids, self._prepared(batch)

    def _prepared(self, batch: Batch) -> Half:
        pixels = darkened(batch) if self.masked else batch.images
        if self.normalizer is None:
            return ((stretched(pixels) + 1) / 2).astype(np.float16)
        return np.clip(pixels, LOW, HIGH).astype(np.float16)

    def _check(self, cells: Cells) -> None:
        check_images(cells)
        if cells.channels != self.channels:
            raise ValueError(f"The channels are {cells.channels}, expected {self.channels}, in this order.")
        if tuple(cells.images.shape[2:]) != self.shape:
            raise ValueError(
                f"The crops are {tuple(cells.images.shape[2:])} pixels, expected {self.shape} as in training: cut them "
                f"alike, with ms.io.crop(fields, size={self.shape[0]})."
            )
        if self.masked and cells.masks is None:
            raise ValueError(
                "The network was trained on cells whose surroundings were darkened, and these have no masks. Add them "
                "with cells.with_masks(…), or train with masked=False."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for a file."""
        return {
            "channels": list(self.channels), "shape": list(self.shape), "masked": self.masked, "window": self.window,
            "normalizer": None if self.normalizer is None else self.normalizer.to_dict(), "notes": list(self.notes),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Inputs:
        """Return what `to_dict` has described."""
        scale = None if found["normalizer"] is None else PixelNormalizer.from_dict(found["normalizer"])
        height, width = (int(k) for k in found["shape"])
        return cls(
            tuple(found["channels"]), (height, width), bool(found["masked"]), int(found["window"]), scale,
            tuple(found["notes"]),
        )  # fmt: skip


def learned(cells: Cells, normalize: NormalizePixels, masked: bool) -> Inputs:
    """Learn from training cells how crops are prepared.

    Parameters
    ----------
    cells : Cells
        With images.
    normalize : {"auto", "controls", "crop"}
        See `train_network`.
    masked : bool
        Darken what is not this cell, where there are masks.

    Raises
    ------
    ValueError
        No images, crops too small, no such normalisation, or controls that do not serve.
    """
    check_images(cells)
    if normalize not in ("auto", "controls", "crop"):
        raise ValueError(f"normalize is {normalize!r}, expected 'auto', 'controls' or 'crop'.")
    why_not = _why_not(cells) if normalize == "auto" else ""
    scale, notes = None, []
    if normalize == "controls" or (normalize == "auto" and not why_not):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            scale = PixelNormalizer().fit(cells)
        notes = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    elif normalize == "auto":
        notes = [f"Each crop was stretched to its own darkest and brightest pixels, for {why_not}."]
    dark = masked and cells.masks is not None
    height, width = (int(k) for k in cells.images.shape[2:])
    window = _window(cells) if dark else min(height, width)
    return Inputs(cells.channels, (height, width), dark, window, scale, tuple(notes))


def _why_not(cells: Cells) -> str:
    """Say why the controls cannot give the scale of each batch; nothing where they can."""
    design = cells.design
    if design.control is None or not design.batch:
        return f"no {'controls are' if design.control is None else 'batch is'} declared"
    named = (design.control,) if isinstance(design.control, str) else tuple(design.control)
    if design.label in named:
        return "the controls are defined by the label"
    rows = cells.controls.to_numpy()
    lacking = set(cells.batches_of) - set(cells.batches_of[rows])
    return f"{count(len(lacking), 'batch has', 'batches have')} no controls" if lacking else ""


def _window(cells: Cells) -> int:
    """Return the side of the square in the middle in which nine of ten cells lie at any angle.

    Most of a crop is empty; reading it takes as long as reading the cell.
    """
    height, width = cells.images.shape[2:]
    y, x = np.ogrid[:height, :width]
    away = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    reach: list[float] = []
    for batch in cells.batches(500):
        masks = np.zeros((0, height, width)) if batch.masks is None else batch.masks
        reach += [float(np.quantile(away[own], PIXELS_OF_A_CELL)) for own in masks == 1 if own.any()]
    most = min(height, width)
    if not reach:
        return int(most)
    side = STEP * math.ceil(2 * float(np.quantile(reach, CELLS_THAT_FIT)) / STEP)
    return int(min(max(side, SMALLEST), most))
