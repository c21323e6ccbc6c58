"""Small sharp objects inside large faint ones: nuclei in cells that are stained as a whole."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mlscope_nb.io.foreground import find_foreground, find_inner
from mlscope_nb.io.splitting import neck_of, split_touching

# Set on 84 fields of five kinds: each of these three alone lets some wrong ones through, together none.
SMALLER = 3.3
SHARPER = 0.9
ENCLOSED = 0.54
COMPACT = 0.93


def label_innermost(
    unit: np.ndarray, foreground: np.ndarray, *, reach_px: float, threshold: float = 1.0, split: float = 1.0
) -> tuple[np.ndarray, int]:
    """Label the objects of a foreground, or of its inner parts where these are the objects, and say which level it is.

    In transmitted light a whole cell absorbs and its nucleus absorbs more; the first threshold then finds cells, not
    nuclei. The foreground is thresholded twice more within itself. Its inner parts replace it when they are much
    smaller (`SMALLER`: ratio of diameters), lie well inside (`ENCLOSED`: share of their wider surroundings that is
    foreground) and have edges as sharp (`SHARPER`: ratio of gradients). Texture inside a nucleus fails the last,
    bright nuclei among dim ones the second. The level is decided with the automatic threshold; `threshold` (see
    `find_foreground`) moves only the outline of the objects of that level, and `split` how readily they are cut apart.

    Returns
    -------
    labels : int32 array (Y, X)
    level : int
        1 the foreground itself, 2 its inner parts, 3 the inner parts of these.
    """
    inner = find_inner(unit, foreground, reach_px=reach_px)
    # Most fields end here, before the costly part.
    level, objects, core = 1, foreground, inner
    if _enclosed(inner, foreground, round(reach_px / 2)) >= ENCLOSED:
        core = find_inner(unit, inner, reach_px=reach_px)
        if _is_smaller_and_sharp(unit, foreground, core):
            # The second level when its parts are compact already: a third cut would only find their centres.
            level, objects = (2, inner) if _ellipse_fill(inner) >= COMPACT else (3, core)
    if threshold != 1:
        around = {2: foreground, 3: inner}.get(level)
        objects = (
            find_foreground(unit, reach_px=reach_px, threshold=threshold)[0]
            if around is None
            else find_inner(unit, around, reach_px=reach_px, threshold=threshold)
        )
    return split_touching(objects, unit, neck=neck_of(split)), level


def _is_smaller_and_sharp(unit: np.ndarray, outer: np.ndarray, core: np.ndarray) -> bool:
    if not core.any():
        return False
    gradient = ndimage.gaussian_gradient_magnitude(unit, 1.0)
    if _edge(gradient, core) < SHARPER * _edge(gradient, outer):
        return False
    return _diameter(split_touching(outer)) >= SMALLER * _diameter(split_touching(core))


def _edge(gradient: np.ndarray, foreground: np.ndarray) -> float:
    outline = foreground & ~ndimage.binary_erosion(foreground, border_value=1)
    return float(gradient[outline].mean()) if outline.any() else 0.0


def _enclosed(inner: np.ndarray, outer: np.ndarray, distance_px: int) -> float:
    """Return the share of the pixels at a distance from the inner parts that lies in the outer ones."""
    near = ndimage.binary_dilation(inner, iterations=max(distance_px - 1, 1))
    ring = ndimage.binary_dilation(near) & ~near
    return float(outer[ring].mean()) if ring.any() else 0.0


def _diameter(labels: np.ndarray) -> float:
    """Return the diameter of the disc of mean size, each object counted by its area so that specks do not matter."""
    area = np.bincount(labels.ravel())[1:].astype(float)
    return float(np.sqrt((area * area).sum() / max(area.sum(), 1.0) * 4 / np.pi))


def _ellipse_fill(foreground: np.ndarray, *, least_px: int = 25) -> float:
    """Return the mean share that parts fill of the ellipse with their second moments (1 for an ellipse), by area."""
    labels, n = ndimage.label(foreground)
    y, x = np.nonzero(labels)
    part = labels[y, x]
    area = np.maximum(np.bincount(part, minlength=n + 1), 1).astype(float)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(part, values, n + 1) / area

    my, mx = mean(y), mean(x)
    # 1/12 is the second moment of a single pixel, a square and not a point.
    yy, xx, xy = mean(y * y) - my**2 + 1 / 12, mean(x * x) - mx**2 + 1 / 12, mean(x * y) - mx * my
    fill = np.minimum(area / (4 * np.pi * np.sqrt(np.maximum(yy * xx - xy * xy, 1 / 144))), 1)
    large = area >= least_px
    large[0] = False
    return float((fill * area)[large].sum() / max(area[large].sum(), 1.0))
