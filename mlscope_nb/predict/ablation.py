"""Ablation: features left out or kept alone by the channel they read, and images blurred before they are measured."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.features.measurements import measure

SHAPE = "shape"
"""What reads no channel: masks, and where cells lie."""


def channels_of(column: str, channels: Sequence[str]) -> tuple[str, ...]:
    """Return the channels that a feature reads, by its name as CellProfiler makes them.

    Parameters
    ----------
    column : str
        ``Cells_Correlation_RWC_DNA_actin`` reads two; ``Cells_AreaShape_Area`` none.
    channels : sequence of str
        The channels there are.

    Examples
    --------
    >>> channels_of("Cells_Correlation_RWC_DNA_actin_2", ["DNA", "actin_2", "actin"])
    ('DNA', 'actin_2')
    >>> channels_of("Nuclei_Texture_Contrast_DNA_3_01_256", ["DNA"])
    ('DNA',)
    """
    # The first word is the part of the cell, which may be called as a channel is.
    left = "_" + column.partition("_")[2] + "_" if "_" in column else f"_{column}_"
    found = set()
    for channel in sorted(channels, key=len, reverse=True):
        pattern = rf"(?<=_){re.escape(channel)}(?=_)"
        if re.search(pattern, left):
            found.add(channel)
            # What a longer name has claimed is not there for a shorter one inside it.
            left = re.sub(pattern, "\0", left)
    return tuple(c for c in channels if c in found)


def by_channel(columns: Sequence[str], channels: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Return the columns of each channel alone and without it, and those of shape likewise.

    A feature of two channels needs both, so that it belongs to neither alone and goes with either.

    Examples
    --------
    >>> found = by_channel(["C_I_Mean_a", "C_I_Mean_b", "C_Correlation_K_a_b", "C_AreaShape_Area"], ["a", "b"])
    >>> found[("a", "alone")], found[("a", "without")]
    (['C_I_Mean_a'], ['C_I_Mean_b', 'C_AreaShape_Area'])
    """
    reads = {column: channels_of(column, channels) for column in columns}
    sets = {}
    for channel in channels:
        sets[(channel, "alone")] = [c for c, r in reads.items() if r == (channel,)]
        sets[(channel, "without")] = [c for c, r in reads.items() if channel not in r]
    sets[(SHAPE, "alone")] = [c for c, r in reads.items() if not r]
    sets[(SHAPE, "without")] = [c for c, r in reads.items() if r]
    return {key: chosen for key, chosen in sets.items() if 0 < len(chosen) < len(columns)}


def blurred(cells: Cells, sigma_px: float) -> Cells:
    """Return the cells with images blurred by a Gaussian, masks as they were.

    Examples
    --------
    >>> image = np.zeros((1, 1, 9, 9)); image[0, 0, 4, 4] = 1
    >>> soft = blurred(Cells(pd.DataFrame(index=["a"]), image), 1.0)
    >>> bool(soft.images[0, 0, 4, 4] < 0.2), round(float(soft.images.sum()), 2)
    (True, 1.0)
    """
    from scipy.ndimage import gaussian_filter

    parts = [gaussian_filter(np.asarray(b.images, np.float32), (0, 0, sigma_px, sigma_px)) for b in cells.batches(250)]
    return cells.with_images(np.concatenate(parts))


def measured_blurred(cells: Cells, sigmas_px: Sequence[float], *, progress: bool = True) -> dict[float, pd.DataFrame]:
    """Return what is measured on the pixels of cells after each blur: brightness and texture, not the shape of masks.

    Masks were drawn on the sharp image, so that their shape would keep fine detail that the blur takes.
    """
    sharp = blurred(cells, 0.0)
    scale = max(float(np.max(sharp.images)), 1e-9)
    return {
        sigma: measure(blurred(sharp, sigma), ["intensity", "texture"], full_scale=scale, progress=progress)
        for sigma in sigmas_px
    }


def same_per_unit(cells: Cells, most: int, seed: int) -> Cells:
    """Return at most so many cells, equally many from each unit as far as it has them.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": ["A"] * 6 + ["B"] * 2}, index=list("abcdefgh"))
    >>> same_per_unit(Cells(obs, unit="well"), 4, 0).units.value_counts().to_dict()
    {'A': 2, 'B': 2}
    """
    if len(cells) <= most:
        return cells
    units = cells.units
    drawn = pd.Series(np.random.default_rng(seed).random(len(cells)), index=cells.ids)
    rank = drawn.groupby(units.to_numpy()).rank(method="first")
    return cells.subset((rank <= max(most // units.nunique(), 2)).to_numpy())
