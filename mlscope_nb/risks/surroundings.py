"""Surroundings: what a crop shows where its cell is not, read in coarse pieces that know nothing of shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from tqdm.auto import tqdm

from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.risks.means import means_of

GRID = 4
"""Pieces along each side: a mark in a corner fills much of one, and they are few enough for a few hundred cells."""
RIM = 16
"""The rim is a sixteenth of a side wide, at least two pixels."""
MARGIN_PX = 2
"""Pixels around masks that are left out as well: masks end where light falls to half, and lenses spread it further."""
LEAST = 0.1
"""Share of a piece that has to be uncovered for its mean to be used."""
LEVELS = (5, 50, 95)
HALF = 10
"""Quantiles in half of the pixels, when the commonest value is looked for."""
FAR = 4.0
"""Standard deviations from the rim beyond which a pixel is taken for the cell."""
SIZE = 500
DELAY = 2


class Surroundings(NamedTuple):
    """Tables per cell: of the rim of the crop, of all uncovered pixels, and of the cell in the middle.

    ``commonest`` holds what most of the uncovered rim shows, and how much that varies; no mark and no end of a cell
    changes it. ``guessed`` is True where no masks were given.
    """

    border: pd.DataFrame
    background: pd.DataFrame
    commonest: pd.DataFrame
    cell: pd.DataFrame
    guessed: bool


def surroundings(cells: Cells, *, progress: bool = True) -> Surroundings:
    """Return what rim and background of each crop show, channel by channel.

    Pixels that any mask covers, and those beside them, are left out of both. Without masks the cell is
    guessed: what differs from the rim and reaches into the middle. A long cell reaches the rim as well, and that shall
    not pass for its surroundings.

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
            images = np.asarray(batch.images, np.float32)
            masks = reaching(images) if batch.masks is None else np.asarray(batch.masks)
            for name, values in _batch(images, masks).items():
                parts.setdefault(name, []).append(values)
            shown.update(len(batch.ids))
    found = {
        name: pd.DataFrame(np.concatenate(blocks), index=cells.ids).add_prefix(f"{name} ")
        for name, blocks in parts.items()
    }
    return Surroundings(**found, guessed=cells.masks is None)


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
    own = covariates.fillna(covariates.median()).fillna(0.0).to_numpy(np.float64)
    spread = own.std(axis=0)
    plain = (own - own.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if plain.shape[1] == 0:
        return table
    codes = pd.factorize(unit)[0]
    values = table.to_numpy(np.float64)
    known = ~np.isnan(values)
    left = values.copy()
    # Pieces of a crop lack the same cells in all channels, so that there are few different gaps.
    patterns, of_column = np.unique(known, axis=1, return_inverse=True)
    for k, rows in enumerate(patterns.T):
        if rows.sum() <= plain.shape[1] + 2:
            continue
        columns = np.flatnonzero(of_column.ravel() == k)
        inside = _inside(np.hstack([plain[rows], values[np.ix_(rows, columns)]]), codes[rows])
        slope = np.linalg.lstsq(inside[:, : plain.shape[1]], inside[:, plain.shape[1] :], rcond=1e-6)[0]
        left[np.ix_(rows, columns)] -= plain[rows] @ slope
    return pd.DataFrame(left, index=table.index, columns=table.columns)


def _inside(values: Floats, codes: NDArray[np.intp]) -> Floats:
    middle = means_of(values, codes, int(codes.max()) + 1)
    return np.asarray(values - middle[codes])


def _batch(images: NDArray[np.float32], masks: NDArray[np.integer]) -> dict[str, Floats]:
    rim = _rim(images.shape[-2:])
    structure = ndimage.generate_binary_structure(2, 2)[None]
    free = ~ndimage.binary_dilation(masks > 0, structure, iterations=MARGIN_PX)
    edge = free & rim
    level, length = commonest(images, edge)
    return {
        "border": np.hstack([_pieces(images, edge, rim), _levels(images, edge)]),
        "background": np.hstack([_pieces(images, free, np.ones_like(rim)), _levels(images, free)]),
        "commonest": np.concatenate([level, length], axis=1),
        "cell": _of_cell(images, masks, level),
    }


def _of_cell(images: NDArray[np.float32], masks: NDArray[np.integer], level: Floats) -> Floats:
    """Return shares of the crop that the cell and others cover, and how much brighter both are than the rim."""
    found = [np.mean(masks == 1, axis=(1, 2))[:, None], np.mean(masks > 1, axis=(1, 2))[:, None]]
    for which in (masks == 1, masks > 1):
        size = which.sum(axis=(1, 2))[:, None]
        light = np.einsum("ncyx,nyx->nc", images, which.astype(np.float32))
        # Brightness itself would not do: a brighter lamp lights up cell and surroundings alike.
        found.append(np.where(size > 0, light / np.maximum(size, 1) - np.nan_to_num(level), 0.0))
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
    return _quantiles(images, free, np.array(LEVELS) / 100).reshape(len(images), -1)


def _quantiles(images: NDArray[np.float32], free: NDArray[np.bool_], shares: Floats) -> Floats:
    """Return quantiles of the free pixels of each crop and channel (n, C, Q); NaN where none is free."""
    found = np.full((*images.shape[:2], len(shares)), np.nan)
    some = free.any(axis=(1, 2))
    hidden = np.where(free[some][:, None], images[some], np.nan).reshape(int(some.sum()), images.shape[1], free[0].size)
    hidden.sort(axis=-1)  # NaN last
    last = free[some].sum(axis=(1, 2)) - 1
    at = np.round(last[:, None] * shares).astype(int)[:, None].repeat(images.shape[1], axis=1)
    found[some] = np.take_along_axis(hidden, at, axis=2)
    return found


def commonest(images: NDArray[np.float32], free: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the middle of the shortest half of the free pixels of each crop and channel, and how long that half is.

    Examples
    --------
    >>> picture = np.full((1, 1, 8, 8), 10.0, np.float32)
    >>> picture[..., :3, :] = 99
    >>> commonest(picture, np.ones((1, 8, 8), bool))[0].tolist()
    [[10.0]]
    """
    steps = _quantiles(images, free, np.linspace(0, 1, 2 * HALF + 1))
    length = steps[..., HALF:] - steps[..., : HALF + 1]
    first = np.where(np.isnan(length), np.inf, length).argmin(axis=-1)[..., None]
    middle = np.take_along_axis(steps, first + HALF // 2, axis=-1)
    return middle[..., 0], np.take_along_axis(length, first, axis=-1)[..., 0]


def reaching(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 1 where something differs from what is commonest at the rim and reaches into the middle of the crop.

    Meant to cover too much of the cell, not to outline it; `ms.features.foreground` does that, and takes its time.
    """
    shape = images.shape[-2:]
    smooth = ndimage.gaussian_filter(images, (0, 0, 1, 1))
    rim = np.broadcast_to(_rim(shape), (len(images), *shape))
    level, length = commonest(smooth, rim)
    # Half of normal numbers lie within 1.35 standard deviations.
    away = np.abs(smooth - level[..., None, None]) > (FAR / 1.35 * length)[..., None, None]
    flat = np.zeros((3, 3, 3), bool)
    flat[1] = ndimage.generate_binary_structure(2, 1)
    pieces, _ = ndimage.label(away.any(axis=1), flat)
    middle = pieces[:, shape[0] // 4 : -(shape[0] // 4) or None, shape[1] // 4 : -(shape[1] // 4) or None]
    kept = np.isin(pieces, np.setdiff1d(np.unique(middle), [0]))
    return kept.astype(np.uint8)


def alike(cells: Cells) -> pd.Series:
    """Return the unit of each cell, or its class where none is declared: groups that no shortcut sets apart inside."""
    if cells.design.unit and cells.units.nunique() < len(cells):
        return cells.units
    if cells.design.label is not None:
        return cells.labels.astype(str)
    return pd.Series("all", index=cells.ids)
