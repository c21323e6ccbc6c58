"""Bodies drawn side by side: light per pixel before the microscope, and which pixel belongs to which cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Floats = np.ndarray
N_CHANNELS = 3
_THINNED = np.float32(0.35)  # light of a cell where another one lies on top of it


@dataclass(slots=True)
class Layer:
    """One body on its part of a canvas: distance from its centre (1 at the outline), light, nucleus."""

    window: tuple[slice, slice]
    reach: Floats  # (y, x)
    light: Floats  # (C, y, x) photons
    nucleus: Floats  # (y, x) bool


@dataclass(slots=True)
class Scene:
    """Several bodies on a canvas."""

    light: Floats  # (C, Y, X) photons
    labels: Floats  # (Y, X) whole numbers; 1 is the first body
    nuclei: Floats  # (Y, X), numbered as the cells


def moved(layer: Layer, down: int, right: int, edge: int) -> Layer | None:
    """Move a layer by whole pixels onto a canvas of edge × edge; None where nothing of it is left in sight."""
    window, inner = [], []
    for part, step in zip(layer.window, (down, right), strict=True):
        first, last = part.start + step, part.stop + step
        if first >= edge or last <= 0:
            return None
        window.append(slice(max(first, 0), min(last, edge)))
        inner.append(slice(max(-first, 0), part.stop - part.start - max(last - edge, 0)))
    y, x = inner
    seen = (np.ascontiguousarray(part) for part in (layer.reach[y, x], layer.light[:, y, x], layer.nucleus[y, x]))
    return Layer((window[0], window[1]), *seen)


def turned(layer: Layer, way: int, edge: int) -> Layer:
    """Turn a layer on its canvas in one of eight ways: four quarter turns, each also seen in a mirror."""
    rows, columns = layer.window
    flip_y, flip_x, swap = way & 1, way & 2, way & 4

    def way_of(array: Floats) -> Floats:
        array = array[..., ::-1, :] if flip_y else array
        array = array[..., ::-1] if flip_x else array
        return array.swapaxes(-1, -2) if swap else array

    if flip_y:
        rows = slice(edge - rows.stop, edge - rows.start)
    if flip_x:
        columns = slice(edge - columns.stop, edge - columns.start)
    window = (columns, rows) if swap else (rows, columns)
    return Layer(window, way_of(layer.reach), way_of(layer.light), way_of(layer.nucleus))


def compose(layers: Sequence[Layer], height: int, width: int) -> Scene:
    """Lay bodies side by side: a pixel belongs to the one whose centre is nearest in units of its own outline."""
    numbers = np.uint8 if len(layers) < np.iinfo(np.uint8).max else np.int32
    nearest = np.full((height, width), np.inf, np.float32)
    owner, nuclei = np.zeros((2, height, width), numbers)
    for k, layer in enumerate(layers, start=1):
        near, of = nearest[layer.window], owner[layer.window]
        # later numbers are larger, so the larger one is the later one
        np.maximum(of, _numbered(layer.reach < near, numbers(k)), out=of)
        np.minimum(near, layer.reach, out=near)
    light = np.zeros((N_CHANNELS, height, width), np.float32)
    for k, layer in enumerate(layers, start=1):
        mine = owner[layer.window] == k
        _shine(light[:, *layer.window], layer.light, mine, first=k == 1)
        inner = nuclei[layer.window]
        mine &= layer.nucleus
        inner += _numbered(mine, numbers(k))
    owner *= nearest <= 1
    return Scene(light, owner, nuclei)


def _numbered(where: Floats, number: np.integer) -> Floats:
    """Return a number where it belongs and 0 elsewhere."""
    marked: Floats = where.view(np.uint8) * number
    return marked


def _shine(canvas: Floats, light: Floats, mine: Floats, *, first: bool) -> None:
    """Add the light of one body, dimmed where another one lies on top; the first one finds nothing there yet."""
    share = mine.astype(np.float32)
    np.maximum(share, _THINNED, out=share)
    if first:
        np.multiply(light, share, out=canvas)
    else:
        canvas += light * share
