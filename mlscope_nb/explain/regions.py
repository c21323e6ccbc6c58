"""Regions: parts of crops that are taken away or exchanged, in the window that a network reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mlscope_nb._words import some
from mlscope_nb.cells import Cells

Where = str | NDArray[Any] | Sequence[int] | Mapping[str, Any] | None
Bools = NDArray[np.bool_]
CELL, OUTSIDE, BORDER = "cell", "outside the cell", "border"
CORNERS = ("upper left corner", "upper right corner", "lower left corner", "lower right corner")
RIM = 2
"""Pixels around a mask that still are the cell: the light of its edge."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the crops.

    Parameters
    ----------
    name : str
        In words.
    pixels : bool array (1 or N, side, side)
        The same for all cells, or one for each, in the window that the network reads.
    channels : tuple of int
        In which channels; nothing means all.
    outside : bool
        Pixels of the cell itself (of both cells, where two exchange) are no part of it.
    """

    name: str
    pixels: Bools
    channels: tuple[int, ...] = ()
    outside: bool = False

    def of(self, row: int) -> Bools:
        """Return the pixels (side, side) of one cell."""
        return np.asarray(self.pixels[row if len(self.pixels) > 1 else 0])


def own_pixels(cells: Cells, side: int) -> Bools | None:
    """Return which pixels (N, side, side) are the cell itself and its rim; None without masks."""
    return None if cells.masks is None else _grown(np.asarray(cells.masks[:]) == 1, side)


def regions_of(cells: Cells, region: Where, side: int, *, seen_outside: bool) -> tuple[list[Region], list[str]]:
    """Return the regions that are meant, and what a reader has to know.

    Parameters
    ----------
    cells : Cells
        The cells, with masks where there are any.
    region : str, array, box or dict, optional
        See `counterfactual`.
    side : int
        Side of the window that the network reads.
    seen_outside : bool
        Whether the network sees anything outside of the cell.

    Raises
    ------
    ValueError
        No such region, or an array of another shape.
    """
    known = _standard(cells, side)
    if region is None:
        found = list(known.values())
    elif isinstance(region, Mapping):
        found = [_given(cells, str(name), where, known, side) for name, where in region.items()]
    else:
        found = [_given(cells, "region", region, known, side)]
    notes: list[str] = []
    if cells.masks is None:
        notes.append("There are no masks: what is inside and outside of a cell is not known.")
    hidden = [r.name for r in found if not r.pixels.any() or (r.outside and not seen_outside)]
    if hidden and len(hidden) == len(found):
        raise ValueError(
            f"The network reads nothing of {some(hidden)}: it was trained with masked=True, which darkens what is not "
            "the cell, or on a smaller window."
        )
    if hidden:
        notes.append(
            f"Left out, for the network reads nothing there (what is not the cell is darkened): {some(hidden)}."
        )
    return [r for r in found if r.name not in hidden], notes


def _standard(cells: Cells, side: int) -> dict[str, Region]:
    height, width = (int(n) for n in cells.images.shape[2:])
    y, x = np.mgrid[:height, :width]
    own = own_pixels(cells, side)
    quarter, rim = (max(height // 4, 1), max(width // 4, 1)), max(min(height, width) // 8, 1)
    near = [(y < quarter[0]), (y >= height - quarter[0]), (x < quarter[1]), (x >= width - quarter[1])]
    fixed = dict(
        zip(CORNERS, [near[0] & near[2], near[0] & near[3], near[1] & near[2], near[1] & near[3]], strict=True)
    )
    fixed[BORDER] = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x)) < rim
    apart = own is not None
    found = {name: Region(name, _cut(at[None], side), outside=apart) for name, at in fixed.items()}
    everything = np.ones((1, side, side), bool)
    if own is not None:
        found[OUTSIDE] = Region(OUTSIDE, everything, outside=True)
        found[CELL] = Region(CELL, own)
    else:
        middle = ~(near[0] | near[1] | near[2] | near[3])
        found["middle"] = Region("middle", _cut(middle[None], side))
    for name, mask in cells.compartments.items():
        found[name] = Region(name, _cut(np.asarray(mask[:]) == 1, side))
    for k, channel in enumerate(cells.channels):
        found[f"channel {channel}"] = Region(f"channel {channel}", everything, (k,))
    return found


def _given(cells: Cells, name: str, where: Any, known: Mapping[str, Region], side: int) -> Region:
    if isinstance(where, str):
        chosen = where if where in known else f"channel {where}"
        if chosen not in known:
            raise ValueError(f"No region {where!r}. There are: {some(known, 30)}; or give a mask (Y, X), or a box.")
        return Region(
            chosen if name == "region" else name, known[chosen].pixels, known[chosen].channels, known[chosen].outside
        )
    height, width = (int(n) for n in cells.images.shape[2:])
    array = np.asarray(where)
    if array.shape == (4,) and array.dtype.kind in "iu":
        top, bottom, left, right = (int(n) for n in array)
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise ValueError(
                f"The box {(top, bottom, left, right)} does not lie in crops of {height} × {width} pixels."
            )
        mask = np.zeros((1, height, width), bool)
        mask[0, top:bottom, left:right] = True
        word = f"rows {top} to {bottom}, columns {left} to {right}" if name == "region" else name
        return Region(word, _cut(mask, side))
    if array.dtype.kind not in "bui" or array.shape not in ((height, width), (len(cells), height, width)):
        raise ValueError(
            f"The region is an array of {array.dtype} with shape {array.shape}, expected True and False for each "
            f"pixel, ({height}, {width}) or ({len(cells)}, {height}, {width}), or a box (top, bottom, left, right)."
        )
    return Region(name, _cut((array != 0).reshape(-1, height, width), side))


def _cut(masks: NDArray[Any], side: int) -> Bools:
    """Return the window in the middle, where networks look."""
    top, left = ((n - side) // 2 for n in masks.shape[1:])
    return np.ascontiguousarray(masks[:, top : top + side, left : left + side], dtype=bool)


def _grown(masks: Bools, side: int) -> Bools:
    around = ndimage.generate_binary_structure(2, 1)[None]
    return _cut(ndimage.binary_dilation(masks, around, iterations=RIM), side)
