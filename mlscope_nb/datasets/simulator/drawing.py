"""Bodies turned into light: several at once, each on a canvas of its own, before the microscope sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mlscope_nb.datasets.simulator.bodies import Body, radius_at
from mlscope_nb.datasets.simulator.scene import N_CHANNELS, Layer
from mlscope_nb.datasets.simulator.texture import Waves, Window, column, stained

Floats = np.ndarray
_MARGIN = 5  # pixels around an outline that a body may still light
_BLOB_PATCH = np.arange(-3, 5)  # pixels around a chromocentre or micronucleus; wider than any
_WHOLE = np.float32(1)


def draw(bodies: Sequence[Body], waves: Waves, centres: Floats, edge: int) -> list[Layer]:
    """Draw each body on a square canvas that is wide enough to hold it; `centres` are (N, 2), or (1, 2) for all.

    All are drawn in one window, of which each layer keeps as much as its own body needs.
    """
    windows = _windows(bodies, centres, edge)
    frame = _around(windows)
    y, x = _positions(frame, centres)
    reach, inside = _membership(np.array([body.outline for body in bodies]), y, x)
    near, within, nuclei = _nuclei(bodies, y, x)
    light = np.empty((len(bodies), N_CHANNELS, *reach.shape[1:]), np.float32)
    grains = stained(waves.seen("grains", _moved(near, frame, 1)), [body.grain_contrast for body in bodies])
    grains *= within
    _fill_dna(light[:, 0], bodies, grains, near, (y, x))
    within *= np.float32(-0.3)
    within += _WHOLE  # what the nucleus leaves of the light of the cytoplasm
    thick = _dome(reach)
    fibres = stained(waves.seen("fibres", frame), [body.fibre_contrast for body in bodies])
    _fill_actin(light[:, 1], bodies, inside, _cortex(reach, thick, within, near), fibres)
    _fill_haze(light[:, 2], bodies, inside, thick, within, near)
    own = [_moved(window, frame, -1) for window in windows]
    _deposit(light[:, 2], bodies, own, (y, x))
    nucleus = np.zeros(reach.shape, bool)
    nucleus[:, *near] = nuclei & (reach[:, *near] <= 1)
    layers = zip(windows, own, reach, light, nucleus, strict=True)
    return [Layer(window, far[part], shine[:, *part], inner[part]) for window, part, far, shine, inner in layers]


def _windows(bodies: Sequence[Body], centres: Floats, edge: int) -> list[Window]:
    """Return the part of its canvas that each body needs."""
    found = []
    for body, centre in zip(bodies, np.broadcast_to(centres, (len(bodies), 2)).tolist(), strict=True):
        reach = float(body.outline.max()) + _MARGIN
        rows, columns = (slice(max(math.floor(c - reach), 0), min(math.ceil(c + reach) + 1, edge)) for c in centre)
        found.append((rows, columns))
    return found


def _around(windows: Sequence[Window]) -> Window:
    """Return the window that holds all of these."""
    rows, columns = (
        slice(min(p.start for p in part), max(p.stop for p in part)) for part in zip(*windows, strict=True)
    )
    return rows, columns


def _moved(window: Window, frame: Window, way: int) -> Window:
    """Return a window of a frame as a window of the canvas (way 1), or the other way round (-1)."""
    rows, columns = (
        slice(part.start + way * around.start, part.stop + way * around.start)
        for part, around in zip(window, frame, strict=True)
    )
    return rows, columns


def _positions(frame: Window, centres: Floats) -> tuple[Floats, Floats]:
    """Return the rows (N, y) and columns (N, x) of a frame as pixels from the centres."""
    y, x = (
        np.arange(part.start, part.stop, dtype=np.float32) - centres[:, [k]].astype(np.float32)
        for k, part in enumerate(frame)
    )
    return y, x


def _membership(outlines: Floats, y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return distance in units of the outline (N, y, x), and how much of each pixel lies inside."""
    inside = radius_at(outlines, y[:, :, None], x[:, None, :])
    distance = np.sqrt(np.square(y)[:, :, None] + np.square(x)[:, None, :])
    reach = distance / inside
    inside -= distance
    inside += np.float32(0.5)
    return reach, np.clip(inside, 0, 1, out=inside)


def _dome(reach: Floats) -> Floats:
    """Return the thickness of a round body, 1 in its middle and 0 at its outline."""
    thickness = reach * reach
    np.subtract(_WHOLE, thickness, out=thickness)
    np.maximum(thickness, 0, out=thickness)
    return np.sqrt(thickness, out=thickness)


def _nuclei(bodies: Sequence[Body], y: Floats, x: Floats) -> tuple[Window, Floats, Floats]:
    """Return the window that holds all nuclei, how much nucleus lies in each of its pixels, and where one is."""
    n = len(bodies)
    second = [k for k, body in enumerate(bodies) if len(body.nuclei) > 1]
    nuclei = [*(body.nuclei[0] for body in bodies), *(bodies[k].nuclei[1] for k in second)]
    middles, outlines = np.array([nucleus[:2] for nucleus in nuclei]), np.array([nucleus[2] for nucleus in nuclei])
    around = [np.broadcast_to(axis, (n, axis.shape[1]))[[*range(n), *second]] for axis in (y, x)]
    rows, columns = (_span(axis, middles[:, k], outlines.max(1) + 1) for k, axis in enumerate(around))
    y, x = (
        axis[:, part] - middles[:, [k]].astype(np.float32)
        for k, (axis, part) in enumerate(zip(around, (rows, columns), strict=True))
    )
    reach, soft = _membership(outlines, y, x)
    where = reach <= 1
    bulk = _dome(reach)
    bulk *= np.float32(0.55)
    bulk += np.float32(0.45)
    bulk *= soft
    bulk[second] = np.maximum(bulk[second], bulk[n:])
    where[second] |= where[n:]
    return (rows, columns), bulk[:n], where[:n]


def _span(axis: Floats, middles: Floats, reach: Floats) -> slice:
    """Return which of the pixels (N, y) are needed to hold what reaches so far from each middle."""
    low, high = (middles + way * reach - axis[:, 0] for way in (-1, 1))
    return slice(max(math.floor(low.min()), 0), min(math.ceil(high.max()) + 1, axis.shape[1]))


def _fill_dna(
    light: Floats, bodies: Sequence[Body], stain: Floats, near: Window, places: tuple[Floats, Floats]
) -> None:
    """Make the light of nuclei from their stain, with chromocentres and micronuclei in it, in photons."""
    light[:] = 0
    light[:, *near] = stain
    owner = np.repeat(np.arange(len(bodies)), [len(body.blobs) for body in bodies])
    if len(owner):
        _add_blobs(light, owner, np.concatenate([body.blobs for body in bodies]), places)
    light *= column([body.dna for body in bodies])


def _add_blobs(light: Floats, owner: Floats, blobs: Floats, places: tuple[Floats, Floats]) -> None:
    """Add round blobs to the canvases that they belong to."""
    (rows, dy, in_rows), (columns, dx, in_columns) = (
        _patch(np.broadcast_to(axis, (len(light), axis.shape[1]))[owner], blobs[:, k]) for k, axis in enumerate(places)
    )
    distance = np.hypot(dy[:, :, None], dx[:, None, :])
    share = ((blobs[:, 2] + 0.5).astype(np.float32)[:, None, None] - distance).clip(0, 1)
    share *= column(blobs[:, 3])
    blob, row, col = np.nonzero((share > 0) & in_rows[:, :, None] & in_columns[:, None, :])
    # one after the other where blobs lie on top of each other
    np.add.at(light, (owner[blob], rows[blob, row], columns[blob, col]), share[blob, row, col])


def _patch(axis: Floats, middle: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the pixels (N, 8) around a middle on an axis (N, y), how far away they are, and which of them exist."""
    index = np.floor(middle - axis[:, 0]).astype(int)[:, None] + _BLOB_PATCH
    last = axis.shape[1] - 1
    away = np.take_along_axis(axis, index.clip(0, last), 1) - middle[:, None].astype(np.float32)
    return index, away, (index >= 0) & (index <= last)


def _cortex(reach: Floats, thick: Floats, left: Floats, near: Window) -> Floats:
    """Return how much actin lies in each pixel: some everywhere, most at the rim."""
    rim = reach - np.float32(0.93)
    rim *= np.float32(10)
    np.square(rim, out=rim)
    np.negative(rim, out=rim)
    np.exp(rim, out=rim)
    rim *= np.float32(0.8)
    body = np.float32(0.55) * thick
    body[:, *near] *= left
    body += rim
    return body


def _fill_actin(light: Floats, bodies: Sequence[Body], inside: Floats, cortex: Floats, stain: Floats) -> None:
    np.multiply(inside, column([body.actin for body in bodies]), out=light)
    light *= cortex
    light *= stain


def _fill_haze(
    light: Floats, bodies: Sequence[Body], inside: Floats, thick: Floats, left: Floats, near: Window
) -> None:
    np.multiply(inside, column([body.haze for body in bodies]), out=light)
    haze = np.float32(0.75) * thick
    haze += np.float32(0.25)
    light *= haze
    light[:, *near] *= left


def _deposit(light: Floats, bodies: Sequence[Body], own: Sequence[Window], places: tuple[Floats, Floats]) -> None:
    """Add the spots of each body, each shared by the four pixels around it, as far as they lie in its own window."""
    owner = np.repeat(np.arange(len(bodies)), [len(body.spots) for body in bodies])
    spots = np.concatenate([body.spots for body in bodies])
    first, between, ok = [], [], np.ones(len(spots), bool)
    for k, axis in enumerate(places):
        start, stop = (np.array([getattr(window[k], end) for window in own]) for end in ("start", "stop"))
        axis = np.broadcast_to(axis, (len(bodies), axis.shape[1]))
        place = spots[:, k] - axis[np.arange(len(bodies)), start][owner]
        ok &= (place >= 0) & (place < (stop - start - 1)[owner])
        whole = place.astype(np.intp)
        first.append(whole + start[owner])
        between.append(place - whole)
    height, width = light.shape[1:]
    corner = ((owner * height + first[0]) * width + first[1])[ok]
    (dy, dx), shine = (each[ok] for each in between), spots[ok, 2]
    low, high = shine * (1 - dy), shine * dy
    share = np.concatenate([low * (1 - dx), low * dx, high * (1 - dx), high * dx])
    pixel = np.concatenate([corner, corner + 1, corner + width, corner + width + 1])
    light += np.bincount(pixel, share, light.size).reshape(light.shape).astype(np.float32)
