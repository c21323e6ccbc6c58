"""Neighbours: how far the next cells are, how many are near, and how much of the outline touches others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.features.regions import Floats, Regions

POSITION = ("field_id", "y_px", "x_px")
TOUCHING = ("Neighbors_NumberOfNeighbors_Adjacent", "Neighbors_PercentTouching_Adjacent")
CROWD = 5


def known(cells: Cells) -> bool:
    """Say whether the positions of the cells in their fields are known."""
    return set(POSITION) <= set(cells.obs.columns)


def require(cells: Cells) -> None:
    """Refuse cells without positions.

    Raises
    ------
    ValueError
        A column of the position is missing.
    """
    missing = [name for name in POSITION if name not in cells.obs.columns]
    if missing:
        raise ValueError(
            f"Neighbours need to know where cells lie: obs has no {some(missing)}. Cells cut with ms.io.crop have it; "
            "or add the columns with with_obs, or leave out the family 'neighbours'."
        )


def touching(masks: NDArray[np.integer], regions: Regions) -> dict[str, Floats]:
    """Measure how many other cells (codes 2 and more) touch each cell (code 1), and what percentage of its outline.

    As CellProfiler's "Adjacent": cells touch across an edge; a pixel of the outline touches across a corner too.
    """
    around = regions.padded(masks, 0)
    codes = [around[regions.places + step] for step in regions.around(corners=True)]
    outline = np.any([code != 1 for code in codes], axis=0)
    shared = np.any([code > 1 for code in codes], axis=0)
    most = int(masks.max(initial=0)) + 1
    pairs = [regions.cell[code > 1] * most + code[code > 1] for code in codes[:4]]
    number = np.bincount(np.unique(np.concatenate(pairs)) // most, minlength=len(regions))
    length = regions.total(outline)
    there = np.where(length > 0, length, np.nan)
    return dict(zip(TOUCHING, (number * there / there, 100 * regions.total(shared) / there), strict=True))


def completed(table: pd.DataFrame, cells: Cells, objects: str, near_px: float) -> pd.DataFrame:
    """Add distances in the field to a table that holds what touches, and take that back where no mask shows others."""
    names = [f"{objects}_{name}" for name in TOUCHING]
    if names[0] in table and not (table[names[0]] > 0).any():
        # masks with nothing but 0 and 1 do not say that nothing touches
        table = table.drop(columns=names)
    return pd.concat([table, distances(cells, near_px).add_prefix(f"{objects}_")], axis=1)


def distances(cells: Cells, near_px: float) -> pd.DataFrame:
    """Measure distances between the centres of cells of one field; NaN where a field has too few cells."""
    obs = cells.obs
    place = obs[["y_px", "x_px"]].to_numpy(np.float64)
    columns = (
        "FirstClosestDistance", "SecondClosestDistance", "AngleBetweenNeighbors", f"NumberWithin_{near_px:g}",
        f"LocalDensity_{CROWD}",
    )  # fmt: skip
    values = np.full((len(obs), len(columns)), np.nan)
    for rows in obs.groupby("field_id", sort=False, observed=True).indices.values():
        rows = rows[np.isfinite(place[rows]).all(1)]
        if len(rows):
            values[rows] = _in_field(place[rows], near_px)
    return pd.DataFrame(values, index=obs.index, columns=[f"Neighbors_{name}" for name in columns])


def _in_field(place: Floats, near_px: float) -> Floats:
    """Return the five measures of each cell of one field."""
    from scipy.spatial import cKDTree

    tree = cKDTree(place)
    result = np.full((len(place), 5), np.nan)
    far, index = tree.query(place, k=[2, 3, CROWD + 1])
    first, second = index[:, 0], index[:, 1]
    result[:, 0], result[:, 1] = far[:, 0], far[:, 1]
    both = np.isfinite(far[:, 1])
    a, b = place[first[both]] - place[both], place[second[both]] - place[both]
    length = np.hypot(*a.T) * np.hypot(*b.T)
    cosine = (a * b).sum(1) / np.where(length > 0, length, np.nan)
    result[both, 2] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    result[:, 3] = tree.query_ball_point(place, near_px, return_length=True) - 1
    # cells per 10,000 square pixels, in the circle that reaches the fifth
    reach = np.where((far[:, 2] > 0) & np.isfinite(far[:, 2]), far[:, 2], np.nan)
    result[:, 4] = CROWD / (np.pi * reach**2) * 1e4
    result[~np.isfinite(result)] = np.nan
    return result
