"""What happens before the analysis: conversion to 8 bit, saturation, and pictures out of focus."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.curate.quality import score_quality
from mlscope_nb.datasets import simulate
from mlscope_nb.risks.lesson import Found, over_repeats

WELLS, CELLS = 8, 5
BLUR_PX = 1.5
PARTS = 5
"""Cells are dealt to so many parts, over which intervals are taken."""
FULL = 255


class Crops(NamedTuple):
    """Crops of one channel (N, Y, X) without the darkness of the camera, masks of cell and nucleus."""

    images: np.ndarray
    cell: np.ndarray
    nucleus: np.ndarray


@lru_cache(maxsize=4)
def crops(seed: int) -> tuple[Crops, Cells]:
    """Render a plate of controls and others without faults; the DNA of its cells."""
    cells, _ = simulate(
        n_plates=1, wells_per_plate=WELLS, cells_per_well=CELLS, seed=seed, faults=0, duplicates=0, rare=0
    )
    images = np.asarray(cells.images)[:, list(cells.channels).index("DNA")].astype(float)
    cell = np.asarray(cells.masks) == 1
    nucleus = np.asarray(cells.compartments["nucleus"]) == 1
    return Crops(images, cell, nucleus), cells


def eight_bit(dose: float, seed: int) -> Found:
    """Convert 16 bit to 8, stretching each picture by itself to the share `dose`; none: one scale for all."""
    known, _ = crops(seed)
    arms = {
        "each by itself": converted(known.images, dose),
        "one scale": converted(known.images, 0.0),
        "with a wedge": converted(_with_wedge(known.images), dose),
    }
    true = _mean(known.images, known.nucleus)
    bright = {name: _mean(images, known.nucleus) for name, images in arms.items()}
    lost = {name: _lost(true, values) for name, values in bright.items()}
    sentence = (
        f"{percent(lost['each by itself'].mean())} of what tells bright nuclei from dim ones was lost in conversion; "
        f"with one scale for all pictures {percent(lost['one scale'].mean())}."
    )
    table = pd.DataFrame({"16 bit": true, **bright})
    figures = [over_repeats(part, "part of the cells", "parts of the cells") for part in lost.values()]
    shown = _shown(known, arms["each by itself"])
    return Found(figures[0], figures[1], figures[2], sentence, {"brightness": table, "crops": shown})


def saturation(dose: float, seed: int) -> Found:
    """Expose `dose` times as long; what is brighter than the camera can count is cut off."""
    known, _ = crops(seed)
    end = np.quantile(known.images, 0.9999)
    pilot = np.quantile(known.images[::4], 0.999)
    arms = {"cut": dose, "set by the brightest": min(dose, end / pilot), "dim": dose / 16}
    true = _mean(known.images, known.nucleus)
    bright = {name: _mean(np.minimum(known.images * factor, end), known.nucleus) for name, factor in arms.items()}
    lost = {name: _compressed(true, values) for name, values in bright.items()}
    clipped = float((known.images * dose >= end)[known.nucleus].mean())
    sentence = (
        f"{percent(clipped)} of the pixels of nuclei were saturated, and {percent(lost['cut'].mean())} of the "
        "difference between bright and dim nuclei was gone; with an exposure set by the brightest cells "
        f"{percent(lost['set by the brightest'].mean())}."
    )
    table = pd.DataFrame({"true": true, **bright})
    over = [over_repeats(part, "part of the cells", "parts of the cells") for part in lost.values()]
    shown = _shown(known, np.minimum(known.images * dose, end))
    return Found(over[0], over[1], over[2], sentence, {"brightness": table, "crops": shown})


def defocus(dose: float, seed: int) -> Found:
    """Put the share `dose` of the cells of one group out of focus; nothing else differs between the groups."""
    known, _ = crops(seed)
    rng = np.random.default_rng([seed, 19])
    n = len(known.images)
    place = rng.permutation(n)
    # Pairs of places stand next to each other in both groups: the same share of each is hit.
    group, rank = place % 2 == 1, place // 2 / (n // 2)
    sharp, blurred = _grain(known.images, known), _grain(gaussian_filter(known.images, (0, BLUR_PX, BLUR_PX)), known)
    hit = rank < dose
    values, both = np.where(hit & group, blurred, sharp), np.where(hit, blurred, sharp)
    focus = _focus(seed)
    score = np.where(hit & group, focus[1], focus[0])
    middle = np.median(score[~group])
    kept = score > middle - 3 * 1.4826 * np.median(np.abs(score[~group] - middle))
    spread = sharp.std()
    part = rng.permutation(n) % PARTS
    arms = {
        "all cells": (values, np.ones(n, bool)),
        "without flagged": (values, kept),
        "both groups": (both, kept | ~kept),
    }
    gaps = {name: _false_effect(v, sharp, group, keep, part) / spread for name, (v, keep) in arms.items()}
    sentence = (
        f"Focus alone made the groups differ by {gaps['all cells'].mean():.2f} standard deviations in the grain of "
        f"DNA; without the {int((~kept).sum())} cells flagged for their focus {gaps['without flagged'].mean():.2f}."
    )
    table = pd.DataFrame({"group": np.where(group, "B", "A"), "grain": values, "focus": score, "kept": kept})
    over = [over_repeats(part, "part of the cells", "parts of the cells") for part in gaps.values()]
    shown = _shown(known, gaussian_filter(known.images, (0, BLUR_PX, BLUR_PX)))
    return Found(over[0], over[1], over[2], sentence, {"cells": table, "crops": shown})


def converted(images: np.ndarray, own: float) -> np.ndarray:
    """Return 8 bit pictures; the ends of the scale are each picture's own to this share, and otherwise common."""
    low, high = images.min(axis=(1, 2), keepdims=True), images.max(axis=(1, 2), keepdims=True)
    low, high = own * low + (1 - own) * images.min(), own * high + (1 - own) * images.max()
    return np.asarray(np.round(np.clip((images - low) / (high - low), 0, 1) * FULL))


def _with_wedge(images: np.ndarray) -> np.ndarray:
    """Return pictures that all hold the same darkest and brightest pixel, as with a grey wedge in each."""
    marked = images.copy()
    marked[:, 0, 0], marked[:, 0, 1] = images.min(), images.max()
    return marked


@lru_cache(maxsize=4)
def _focus(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The focus of each cell by ``ms.curate.score_quality``, as it is and out of focus."""
    _, cells = crops(seed)
    images = np.asarray(cells.images)
    soft = gaussian_filter(images.astype(float), (0, 0, BLUR_PX, BLUR_PX)).astype(images.dtype)
    scores = []
    for pictures in (images, soft):
        made = Cells(cells.obs, pictures, masks=cells.masks, channels=cells.channels)
        scores.append(score_quality(made, progress=False)["focus"].to_numpy(float))
    return scores[0], scores[1]


def _mean(images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean brightness in the mask above what lies around the cell."""
    background = np.median(images, axis=(1, 2))
    return np.asarray((images * mask).sum(axis=(1, 2)) / mask.sum(axis=(1, 2)) - background)


def _grain(images: np.ndarray, known: Crops) -> np.ndarray:
    """How uneven the DNA of a nucleus is: standard deviation by mean."""
    mean = (images * known.nucleus).sum(axis=(1, 2)) / known.nucleus.sum(axis=(1, 2))
    rest = (images - mean[:, None, None]) * known.nucleus
    return np.asarray(np.sqrt((rest**2).sum(axis=(1, 2)) / known.nucleus.sum(axis=(1, 2))) / mean)


def _lost(true: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """One minus the squared correlation, in each part of the cells."""
    parts = np.arange(len(true)) % PARTS
    return np.array([1 - np.corrcoef(true[parts == k], seen[parts == k])[0, 1] ** 2 for k in range(PARTS)])


def _compressed(true: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How much of the differences (on a scale of doublings) is gone, in each part of the cells."""
    parts, x, y = np.arange(len(true)) % PARTS, np.log2(true), np.log2(seen)
    return np.array([1 - np.polyfit(x[parts == k], y[parts == k], 1)[0] for k in range(PARTS)])


def _false_effect(
    values: np.ndarray, sharp: np.ndarray, group: np.ndarray, keep: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """By how much the second group is smoother than the first beyond what it is in focus; each part left out once."""
    found = []
    for k in range(PARTS):
        used = part != k
        difference = [v[group & used & w].mean() - v[~group & used & w].mean() for v, w in
                      ((values, keep), (sharp, keep))]  # fmt: skip
        found.append(difference[1] - difference[0])
    return np.array(found)


def _shown(known: Crops, after: np.ndarray) -> pd.DataFrame:
    """The pixels of a bright and a dim cell before and after."""
    order = np.argsort(_mean(known.images, known.nucleus))
    # Of the dim cells one without a bright neighbour in the picture.
    dim = min(order[: len(order) // 4], key=lambda row: known.images[row].max())
    rows = []
    for name, row in (("dim", dim), ("bright", order[-1 - len(order) // 10])):
        y, x = np.indices(known.images[row].shape)
        rows.append(pd.DataFrame({"cell": name, "y": y.ravel(), "x": x.ravel(),
                                  "before": known.images[row].ravel(), "after": after[row].ravel()}))  # fmt: skip
    return pd.concat(rows, ignore_index=True)
