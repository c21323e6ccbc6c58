"""Where smoothed maps point, those of networks that have forgotten, and the brightest place of each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.hits import Bools, Sign, pointing, strengths
from mlscope_nb.explain.trivial import lights


class Asked(NamedTuple):
    """What is asked of maps of the cells that are graded: (n, Y, X) each."""

    evidence: Bools
    where: Bools


def blank(forgotten: Mapping[str, NDArray[Any]], named: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return maps (K, N, Y, X) of networks that have forgotten, by name."""
    found = {}
    for name, values in forgotten.items():
        if name not in named:
            raise ValueError(f"forgotten holds maps named '{name}', expected names of the maps: {some(named)}.")
        each = np.asarray(values)[None] if np.ndim(values) == 3 else np.asarray(values)
        if each.ndim != 4 or not len(each) or each.shape[1:] != named[name].shape or not np.isfinite(each).all():
            raise ValueError(
                f"The forgotten maps '{name}' have the shape {np.shape(values)}, expected finite numbers of "
                f"(K, N, Y, X) or (N, Y, X), with {named[name].shape} for (N, Y, X)."
            )
        found[name] = each
    return found


def smoothed(
    table: pd.DataFrame, maps: NDArray[Any], blank: Sequence[NDArray[Any]], sign: Sign, smooth_px: float, asked: Asked
) -> pd.DataFrame:
    """Return the grades of a method's maps, with pointing of the smoothed map, and of those that have forgotten."""
    right = [pointing(strengths(m, sign, asked.where, smooth_px), *asked) for m in (maps, *blank)]
    found = table.assign(pointing=right[0], pointing_unsmoothed=table["pointing"])
    if not blank:
        return found
    without = np.mean(right[1:], axis=0)
    return found.assign(forgotten=without, learned=right[0] - without)


def brightest(
    pixels: NDArray[Any], images: Cells | NDArray[Any], asked: Asked, keys: NDArray[Any] | None
) -> dict[str, float]:
    """Return by channel how often its brightest place is right, as a mean over units."""
    names = list(images.channels) if isinstance(images, Cells) else [f"channel {k + 1}" for k in range(pixels.shape[1])]
    found = {}
    for k, light in enumerate(lights(pixels).swapaxes(0, 1)):
        right = pd.Series(pointing(np.where(asked.where, light, 0.0), *asked))
        means = right if keys is None else right.groupby(np.asarray(keys)).mean()
        found[str(names[k])] = float(means.mean())
    return found
