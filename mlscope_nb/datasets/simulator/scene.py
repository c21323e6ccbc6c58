"""Bodies drawn side by side: light per pixel before the microscope, and which pixel belongs to which cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlscope_nb.datasets.simulator.bodies import Body, radius_at
from mlscope_nb.datasets.simulator.texture import Waves, stained

Floats = np.ndarray
N_CHANNELS = 3
_MARGIN = 5  # pixels around an outline that a body may still light
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
    labels: Floats  # (Y, X) int32; 1 is the first body
    nuclei: Floats  # (Y, X) int32, numbered as the cells


def draw(body: Body, waves: Waves, centre: tuple[float, float], edge: int) -> Layer:
    """Draw one body on a square canvas that is wide enough to hold it."""
    window = _window(float(body.outline.max()) + _MARGIN, centre, edge)
    rows, columns = window
    y = np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(centre[0])
    x = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(centre[1])
    reach, inside = _membership(body.outline, y, x)
    within, nucleus = _nucleus(body, y, x)
    light = np.empty((N_CHANNELS, len(y), len(x)), np.float32)
    light[0] = _dna(body, within * stained(waves.grains[window], body.grain_contrast), y, x)
    thick = _dome(reach)
    shade = np.float32(1) - np.float32(0.3) * within
    rim = np.exp(-np.square((reach - np.float32(0.93)) * np.float32(10)))
    cortex = np.float32(0.55) * thick * shade + np.float32(0.8) * rim
    light[1] = np.float32(body.actin) * inside * cortex * stained(waves.fibres[window], body.fibre_contrast)
    light[2] = np.float32(body.haze) * inside * (np.float32(0.25) + np.float32(0.75) * thick) * shade
    _deposit(light[2], body.spots[:, 0] - y[0], body.spots[:, 1] - x[0], body.spots[:, 2])
    return Layer(window, reach, light, nucleus & (reach <= 1))


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
    return Layer((window[0], window[1]), layer.reach[y, x], layer.light[:, y, x], layer.nucleus[y, x])


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
    nearest = np.full((height, width), np.inf, np.float32)
    owner = np.zeros((height, width), np.int32)
    for k, layer in enumerate(layers, start=1):
        closer = layer.reach < nearest[layer.window]
        np.copyto(nearest[layer.window], layer.reach, where=closer)
        np.copyto(owner[layer.window], k, where=closer)
    light = np.zeros((N_CHANNELS, height, width), np.float32)
    nuclei = np.zeros((height, width), np.int32)
    for k, layer in enumerate(layers, start=1):
        mine = owner[layer.window] == k
        light[(slice(None), *layer.window)] += layer.light * np.where(mine, np.float32(1), _THINNED)
        np.copyto(nuclei[layer.window], k, where=layer.nucleus & mine)
    owner[nearest > 1] = 0
    return Scene(light, owner, nuclei)


def _window(reach: float, centre: tuple[float, float], edge: int) -> tuple[slice, slice]:
    y, x = (slice(max(math.floor(c - reach), 0), min(math.ceil(c + reach) + 1, edge)) for c in centre)
    return y, x


def _membership(outline: Floats, y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return distance in units of the outline, and how much of each pixel lies inside."""
    radius = radius_at(outline, y[:, None], x[None, :])
    distance = np.sqrt(np.square(y)[:, None] + np.square(x)[None, :])
    return distance / radius, (radius - distance + np.float32(0.5)).clip(0, 1)


def _dome(reach: Floats) -> Floats:
    """Return the thickness of a round body, 1 in its middle and 0 at its outline."""
    thickness: Floats = np.sqrt(np.maximum(np.float32(1) - reach * reach, np.float32(0)))
    return thickness


def _nucleus(body: Body, y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return how much nucleus lies in each pixel, and where it is (or they are)."""
    parts = [_membership(outline, y - np.float32(ny), x - np.float32(nx)) for ny, nx, outline in body.nuclei]
    bulks = [soft * (np.float32(0.45) + np.float32(0.55) * _dome(reach)) for reach, soft in parts]
    bulk, where = bulks[0], parts[0][0] <= 1
    for other, (reach, _) in zip(bulks[1:], parts[1:], strict=True):
        bulk, where = np.maximum(bulk, other), where | (reach <= 1)
    return bulk, where


def _dna(body: Body, light: Floats, y: Floats, x: Floats) -> Floats:
    """Add chromocentres and micronuclei to the light of a nucleus, in photons."""
    for by, bx, radius, bright in body.blobs:
        rows, columns = (
            slice(max(math.floor(p - a[0] - radius), 0), max(math.ceil(p - a[0] + radius) + 1, 0))
            for a, p in ((y, by), (x, bx))
        )
        distance = np.hypot(y[rows, None] - np.float32(by), x[None, columns] - np.float32(bx))
        light[rows, columns] += np.float32(bright) * (np.float32(radius + 0.5) - distance).clip(0, 1)
    return light * np.float32(body.dna)


def _deposit(canvas: Floats, y: Floats, x: Floats, light: Floats) -> None:
    """Add points of light, each shared by the four pixels around it."""
    height, width = canvas.shape
    ok = (y >= 0) & (y < height - 1) & (x >= 0) & (x < width - 1)
    y, x, light = y[ok], x[ok], light[ok]
    top, left = y.astype(np.intp), x.astype(np.intp)
    dy, dx = y - top, x - left
    first = top * width + left
    place = np.concatenate([first, first + 1, first + width, first + width + 1])
    low, high = light * (1 - dy), light * dy
    share = np.concatenate([low * (1 - dx), low * dx, high * (1 - dx), high * dx])
    canvas += np.bincount(place, share, canvas.size).reshape(canvas.shape).astype(np.float32)
