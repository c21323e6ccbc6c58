"""Debris: light where cells of the plate have none, odd because not all channels see it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from mlscope_nb.curate.outlines import worn
from mlscope_nb.curate.pictures import Bools, Pictures, grown

Floats = NDArray[np.floating]
PARTS = ("far", "halo", "rim", "inside", "core")
_RIM_PX, _CORE_PX, _HALO_PX = 2, 5, 4
MAD_TO_SD = 1.4826


def brightest(seen: Pictures) -> dict[str, Floats]:
    """Return the brightest place (n, C), averaged over 3 × 3 pixels, far from all cells, around this one and within it.

    Names as ``far``, ``halo``, ``rim``, ``inside``, ``core``; in grey values above the background.
    """
    smooth = ndimage.uniform_filter(seen.images, (0, 0, 3, 3), mode="nearest") - seen.level[..., None, None]
    return {
        name: np.where(part[:, None], smooth, 0).max((2, 3)) for name, part in zip(PARTS, _parts(seen), strict=True)
    }


def oddness(table: pd.DataFrame, channels: Sequence[str], plates: NDArray[np.integer]) -> Floats:
    """Return how much brighter a place of each cell is than such places of its plate, more so than in all channels.

    Each place in each channel is compared with the plate's median, in units of how far the brighter half of the cells
    lies above it. What raises every channel (exposure, a thick cell) is taken out; with one channel it cannot be.

    Parameters
    ----------
    table : DataFrame
        Columns of `brightest` as ``far_DNA``.
    channels : sequence of str
    plates : array (N,)
        Number of the plate of each cell.
    """
    values = np.stack([[table[f"{p}_{c}"].to_numpy() for c in channels] for p in PARTS]).transpose(2, 0, 1)
    own = values[:, 2:].max(1)
    exposure = np.median(own / np.maximum(_median(own, plates), 1e-9), axis=1)
    values = values / np.maximum(exposure, 1)[:, None, None]
    flat = values.reshape(len(values), -1)
    away = flat - _median(flat, plates)
    spread = MAD_TO_SD * _median(np.where(away > 0, away, np.nan), plates)
    # a hundredth of a cell's own light is nothing to wonder at, however even the plate is
    least = 0.01 * np.tile(_median(own, plates), len(PARTS))
    standard = np.maximum(away / np.maximum(np.maximum(np.nan_to_num(spread), least), 1e-9), 0)
    highest = standard.reshape(values.shape).max(1)
    alike = highest.min(1) if len(channels) > 1 else 0.0
    out: Floats = highest.max(1) - alike
    return out


def _parts(seen: Pictures) -> tuple[Bools, ...]:
    other = seen.other if seen.has_masks else np.zeros_like(seen.other)
    # light of cells beyond the crop falls on its border
    inner = np.zeros_like(seen.real)
    inner[:, 2:-2, 2:-2] = seen.real[:, 2:-2, 2:-2]
    around, others = grown(seen.own, _HALO_PX), grown(other, _HALO_PX)
    rim, core = worn(seen.own, _RIM_PX), worn(seen.own, _CORE_PX)
    halo = around & ~grown(seen.own, 1) & ~others & seen.real
    return inner & ~around & ~others, halo, seen.own & ~rim, rim & ~core, core


def _median(values: Floats, plates: NDArray[np.integer]) -> Floats:
    """Return the median of each column over the cells of the same plate, for each cell."""
    out: Floats = pd.DataFrame(values).groupby(plates).transform("median").to_numpy()
    return out
