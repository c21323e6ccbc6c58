"""Surroundings: what a crop shows where its cell is not, read in coarse pieces that know nothing of shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from tqdm.auto import tqdm

from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features.scaling import Floats

GRID = 4
"""Pieces along each side: a mark in a corner fills much of one, and they are few enough for a few hundred cells."""
RIM = 16
"""The rim is a sixteenth of a side wide, at least two pixels."""
MARGIN_PX = 2
"""Pixels around masks that are left out as well: masks end where light falls to half, and lenses spread it further."""
LEAST = 0.1
"""Share of a piece that has to be uncovered for its mean to be used."""
LEVELS = (5, 50, 95)
SIZE = 500
DELAY = 2


class Surroundings(NamedTuple):
    """Tables per cell: of the rim of the crop, of all uncovered pixels, and of the cell in the middle."""

    border: pd.DataFrame
    background: pd.DataFrame | None
    cell: pd.DataFrame | None


def surroundings(cells: Cells, *, progress: bool = True) -> Surroundings:
    """Return what rim and background of each crop show, channel by channel.

    With masks, pixels that any mask covers, and those beside them, are left out of both. Without masks the outermost
    rim is all that can be taken for background, and there is no other table.

    Parameters
    ----------
    cells : Cells
        With images, and masks where there are any.
    progress : bool
        Show a bar when it takes longer than two seconds.
    """
    parts: dict[str, list[Floats]] = {}
    with tqdm(desc="Reading surroundings", total=len(cells), unit="cell", delay=DELAY, disable=not progress) as shown:
        for batch in cells.batches(SIZE):
            for name, values in _batch(batch).items():
                parts.setdefault(name, []).append(values)
            shown.update(len(batch.ids))
    found = {
        name: pd.DataFrame(np.concatenate(blocks), index=cells.ids).add_prefix(f"{name} ")
        for name, blocks in parts.items()
    }
    return Surroundings(found["border"], found.get("background"), found.get("cell"))


def allowed_for(table: pd.DataFrame, covariates: pd.DataFrame, unit: pd.Series) -> pd.DataFrame:
    """Return a table without what goes with other numbers of the same cells inside their units.

    A bright or large cell lights up what lies around it, and so do neighbours. Slopes are taken from differences within
    units, so that what sets a class apart takes no part in them; differences between units stay.

    Parameters
    ----------
    table, covariates : DataFrame (N rows)
    unit : Series (N,)

    Examples
    --------
    >>> x = pd.DataFrame({"light": np.arange(6.0)})
    >>> left = allowed_for(3 * x, x, pd.Series(list("AAABBB")))
    >>> bool(np.allclose(left, left.iloc[0]))
    True
    """
    own = pd.DataFrame({c: covariates[c].fillna(covariates[c].median()) for c in covariates}).fillna(0.0)
    spread = own.std().to_numpy()
    own = (own - own.mean()).loc[:, spread > 0] / spread[spread > 0]
    if own.shape[1] == 0:
        return table
    inside = _inside(own, unit)
    result = {}
    for name in table:
        y = table[name]
        known = y.notna().to_numpy()
        if known.sum() <= own.shape[1] + 2:
            result[name] = y
            continue
        dy = _inside(y[known].to_frame(), unit[known]).to_numpy()[:, 0]
        slope = np.linalg.lstsq(inside.to_numpy()[known], dy, rcond=1e-6)[0]
        result[name] = y - own.to_numpy() @ slope
    return pd.DataFrame(result, index=table.index)


def _inside(table: pd.DataFrame, unit: pd.Series) -> pd.DataFrame:
    keys = unit.to_numpy()
    return table - table.groupby(keys).transform("mean")


def _batch(batch: Batch) -> dict[str, Floats]:
    images = np.asarray(batch.images, dtype=np.float32)
    rim = _rim(images.shape[-2:])
    if batch.masks is None:
        free = np.broadcast_to(rim, (len(images), *rim.shape))
        return {"border": np.hstack([_pieces(images, free, rim), _levels(images, free)])}
    masks = np.asarray(batch.masks)
    structure = ndimage.generate_binary_structure(2, 2)[None]
    free = ~ndimage.binary_dilation(masks > 0, structure, iterations=MARGIN_PX)
    edge = free & rim
    return {
        "border": np.hstack([_pieces(images, edge, rim), _levels(images, edge)]),
        "background": np.hstack([_pieces(images, free, np.ones_like(rim)), _levels(images, free)]),
        "cell": _of_cell(images, masks),
    }


def _of_cell(images: NDArray[np.float32], masks: NDArray[np.generic]) -> Floats:
    """Return share of the crop that the cell covers and that others cover, and the brightness of both."""
    found = [np.mean(masks == 1, axis=(1, 2))[:, None], np.mean(masks > 1, axis=(1, 2))[:, None]]
    for which in (masks == 1, masks > 1):
        size = which.sum(axis=(1, 2))
        light = np.einsum("ncyx,nyx->nc", images, which.astype(np.float32))
        found.append(light / np.maximum(size, 1)[:, None])
    return np.hstack(found).astype(np.float64)


def _rim(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = np.indices(shape)
    wide = [max(2, side // RIM) for side in shape]
    inner = (y >= wide[0]) & (y < shape[0] - wide[0]) & (x >= wide[1]) & (x < shape[1] - wide[1])
    return np.asarray(~inner)


def _pieces(images: NDArray[np.float32], free: NDArray[np.bool_], region: NDArray[np.bool_]) -> Floats:
    """Return mean and spread of the free pixels of each piece of a region; NaN where too few of it are free."""
    edges = [np.linspace(0, side, GRID + 1).astype(int)[:-1] for side in images.shape[-2:]]
    weight = free.astype(np.float32)

    def summed(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.add.reduceat(np.add.reduceat(values, edges[0], axis=-2), edges[1], axis=-1)

    size, area = summed(weight), summed(region.astype(np.float32))
    # Relative to the middle of each picture, so that squares of large numbers do not eat up the digits.
    middle = images.mean(axis=(2, 3), keepdims=True)
    light = (images - middle) * weight[:, None]
    counted = np.where(size > 0, size, np.nan)[:, None]
    mean = summed(light) / counted
    spread = np.sqrt(np.maximum(summed(light * (images - middle)) / counted - mean**2, 0))
    enough = ((size > 0) & (size >= LEAST * area))[:, None]
    found = [np.where(enough, part, np.nan) for part in (mean + middle, spread)]
    return np.concatenate([part.reshape(len(images), -1) for part in found], axis=1).astype(np.float64)


def _levels(images: NDArray[np.float32], free: NDArray[np.bool_]) -> Floats:
    """Return the darkest, middle and brightest of the free pixels of each channel (5, 50 and 95 %)."""
    hidden = np.where(free[:, None], images, np.nan).reshape(*images.shape[:2], -1)
    found = np.full((*images.shape[:2], len(LEVELS)), np.nan)
    some = free.any(axis=(1, 2))
    hidden = np.sort(hidden[some], axis=-1)  # NaN last
    count = free.reshape(len(free), -1).sum(axis=1)[some]
    for k, level in enumerate(LEVELS):
        at = np.round((count - 1) * level / 100).astype(int)
        found[some, :, k] = np.take_along_axis(hidden, at[:, None, None].repeat(hidden.shape[1], 1), axis=2)[..., 0]
    return found.reshape(len(images), -1)


def unit_of(cells: Cells) -> pd.Series:
    """Return the unit of each cell; all cells together where none is declared."""
    return cells.units if cells.design.unit else pd.Series("all", index=cells.ids)
