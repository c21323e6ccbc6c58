"""Whether a map is right about one cell: does it point into the evidence, and how much of it lies there."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

Sign = Literal["positive", "absolute"]
Bools = NDArray[np.bool_]
TIES = 1e-9


def strengths(maps: NDArray[Any], sign: Sign, within: Bools, smooth_px: float = 0.0) -> NDArray[np.float64]:
    """Return how strongly each pixel (N, Y, X) speaks for the class, 0 outside of the region; smoothed if wanted."""
    values = np.asarray(maps, dtype=np.float64)
    strong = np.abs(values) if sign == "absolute" else np.clip(values, 0, None)
    if smooth_px:
        strong = ndimage.gaussian_filter(strong, (0, smooth_px, smooth_px))
    return np.where(within, strong, 0.0)


def pointing(strong: NDArray[np.float64], evidence: Bools, within: Bools) -> NDArray[np.float64]:
    """Return for each map whether its strongest pixel lies in the evidence (N,): see `hits`."""
    flat, region = strong.reshape(len(strong), -1), within.reshape(len(strong), -1)
    inside = (evidence & within).reshape(len(strong), -1)
    most = flat.max(axis=1, initial=0.0)
    best = region & (flat >= (most * (1 - TIES))[:, None])
    found = (best & inside).sum(axis=1) / np.maximum(best.sum(axis=1), 1)
    return np.where(most > 0, found, inside.sum(axis=1) / np.maximum(region.sum(axis=1), 1))


def hits(strong: NDArray[np.float64], evidence: Bools, within: Bools) -> pd.DataFrame:
    """Return three grades of each map, all between 0 and 1; what guesses gets `chance` in all of them.

    ``pointing``: the strongest pixel lies in the evidence (the share of them, where several are equally strong).
    ``mass``: the share of the map's strength that lies there. ``top``: of as many of the strongest pixels as the
    evidence has, the share that lies there. A map of nothing gets what guessing gets.

    Parameters
    ----------
    strong : array (N, Y, X)
        See `strengths`.
    evidence, within : bool arrays (N, Y, X)
        Pixels that carry the cue, and pixels that a map may point to.

    References
    ----------
    Zhang et al. 2018, doi 10.1007/s11263-017-1059-x (pointing game); Arras et al. 2022, doi
    10.1016/j.inffus.2021.11.008 (relevance mass and rank accuracy).

    Examples
    --------
    >>> strong = np.array([[[3.0, 1.0], [0.0, 0.0]]])
    >>> evidence = np.array([[[True, False], [False, False]]])
    >>> hits(strong, evidence, np.ones((1, 2, 2), bool)).iloc[0].to_dict()
    {'pointing': 1.0, 'mass': 0.75, 'top': 1.0, 'chance': 0.25}
    """
    flat, region = strong.reshape(len(strong), -1), within.reshape(len(strong), -1)
    inside = (evidence & within).reshape(len(strong), -1)
    area = np.maximum(region.sum(axis=1), 1)
    chance = inside.sum(axis=1) / area
    most, total = flat.max(axis=1, initial=0.0), flat.sum(axis=1)
    says = most > 0
    mass = (flat * inside).sum(axis=1) / np.where(says, total, 1.0)
    table = {"mass": mass, "top": _top(flat, inside, region)}
    shares = {k: np.where(says, v, chance) for k, v in table.items()}
    return pd.DataFrame({"pointing": pointing(strong, evidence, within), **shares, "chance": chance})


def _top(flat: NDArray[np.float64], inside: Bools, region: Bools) -> NDArray[np.float64]:
    """Return the share of the K strongest pixels that lie in the evidence of K pixels; ties count in part."""
    found = np.zeros(len(flat))
    for i, (values, cue, where) in enumerate(zip(flat, inside, region, strict=True)):
        k = int(cue.sum())
        if not k:
            continue
        values, cue = values[where], cue[where]
        last = np.partition(values, len(values) - k)[len(values) - k]
        above, equal = values > last, values == last
        left = k - int(above.sum())
        found[i] = (cue[above].sum() + left * cue[equal].mean()) / k
    return found
