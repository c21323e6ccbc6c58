"""Simple readings of a study: what could give the label away without anybody looking at the cell."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features.scaling import Floats

WELL = re.compile(r"^\s*([A-P]{1,2}|A[A-F])0*(\d{1,2})\s*$")
PLACE = ("y_px", "x_px", "at_edge", "padded", "clipped")
FRAME = 8
"""Without masks the outer eighth of a crop stands for its background."""
LEVELS = (5, 50, 95)
MANY = 200

Reading = pd.DataFrame | None


def readings(cells: Cells) -> dict[str, pd.DataFrame]:
    """Return small tables of what a cell has apart from how it looks, by name; those that cannot be had are left out.

    Parameters
    ----------
    cells : Cells
        With a declared unit; images, masks and features where there are any.

    Returns
    -------
    dict of DataFrames (N rows)
        "cell count" of the unit, "area", "intensity", "density" (cells nearby), "background pixels", "metadata"
        (plate, position on the plate and in the field).

    Examples
    --------
    >>> obs = pd.DataFrame({"well": ["A01", "A01", "B02"]}, index=list("abc"))
    >>> found = readings(Cells(obs, unit="well"))
    >>> found["cell count"]["log_count"].round(2).tolist(), found["metadata"]["well row"].tolist()
    ([0.69, 0.69, 0.0], ['A', 'A', 'B'])
    """
    pixels = _of_pixels(cells)
    made: dict[str, Callable[[], Reading]] = {
        "cell count": lambda: _cell_count(cells),
        "area": lambda: _columns(cells, r"AreaShape_Area$", pixels.get("area")),
        "intensity": lambda: _columns(cells, r"Intensity_MeanIntensity_", pixels.get("intensity")),
        "density": lambda: _density(cells, pixels),
        "background pixels": lambda: pixels.get("background"),
        "metadata": lambda: _metadata(cells),
    }
    found = {name: make() for name, make in made.items()}
    return {name: table for name, table in found.items() if table is not None and _says_something(table)}


def _says_something(table: pd.DataFrame) -> bool:
    return table.shape[1] > 0 and bool((table.nunique(dropna=False) > 1).any())


def _cell_count(cells: Cells) -> Reading:
    if not cells.design.unit:
        return None
    units = cells.units
    return pd.DataFrame({"log_count": np.log(units.groupby(units).transform("size"))}, index=cells.ids)


def _columns(cells: Cells, pattern: str, otherwise: Reading) -> Reading:
    """Return the measured columns of the whole cell; what the pixels say where nothing was measured."""
    table = cells.features
    names = [] if table is None else [c for c in table.columns if re.search(pattern, c)]
    whole = [c for c in names if c.startswith("Cells_")] or names
    return table[whole] if table is not None and whole else otherwise


def _density(cells: Cells, pixels: dict[str, pd.DataFrame]) -> Reading:
    table, obs = cells.features, cells.obs
    names = [] if table is None else [c for c in table.columns if re.search(r"_Neighbors_|Neighbours?_", c)]
    parts = [] if table is None or not names else [table[names]]
    if "others" in pixels:
        parts.append(pixels["others"])
    if "field_id" in obs:
        field = obs["field_id"].astype(str)
        if cells.design.unit:
            field = cells.units + " " + field
        parts.append(pd.DataFrame({"in the field": np.log(field.groupby(field).transform("size"))}, index=cells.ids))
    return pd.concat(parts, axis=1) if parts else None


def _metadata(cells: Cells) -> Reading:
    obs, design = cells.obs, cells.design
    found: dict[str, pd.Series] = {}
    if design.batch:
        found["batch"] = cells.batches_of
    # A plate named P1 reads like a well, so that columns called "well" come first.
    wells = [c for c in obs.columns if "well" in c.lower()]
    for name in dict.fromkeys((*wells, *(c for c in design.unit if c not in design.batch))):
        place = obs[name].astype(str).str.extract(WELL.pattern)
        if name != design.label and name != design.treatment and place.notna().all(axis=None):
            found |= {"well row": place[0], "well column": place[1]}
            break
    for name in PLACE:
        if name in obs and name != design.label:
            found[name] = pd.to_numeric(obs[name], errors="coerce").astype(float)
    return pd.DataFrame(found, index=cells.ids) if found else None


def _of_pixels(cells: Cells) -> dict[str, pd.DataFrame]:
    if cells.images is None:
        return {}
    parts: dict[str, list[Floats]] = {}
    for batch in cells.batches(500):
        for name, values in _batch(batch).items():
            parts.setdefault(name, []).append(values)
    return {
        name: pd.DataFrame(np.concatenate(blocks), index=cells.ids).add_prefix(f"{name} ")
        for name, blocks in parts.items()
    }


def _batch(batch: Batch) -> dict[str, Floats]:
    images = np.asarray(batch.images, dtype=np.float64)
    if batch.masks is None:
        outside = np.broadcast_to(_frame(images.shape[-2:]), (len(images), *images.shape[-2:]))
        return {"background": _levels(images, outside), "intensity": images.mean(axis=(2, 3))}
    own, outside = batch.masks == 1, batch.masks == 0
    size = own.sum(axis=(1, 2))
    inside = np.einsum("ncyx,nyx->nc", images, own) / np.where(size > 0, size, np.nan)[:, None]
    others = np.column_stack([_n_others(batch.masks), np.mean(batch.masks > 1, axis=(1, 2))])
    found = {"background": _levels(images, outside), "intensity": inside, "area": size[:, None].astype(float)}
    return {**found, "others": others}


def _frame(shape: tuple[int, ...]) -> np.ndarray:
    y, x = np.indices(shape)
    thick = [max(1, side // FRAME) for side in shape]
    inner = (y >= thick[0]) & (y < shape[0] - thick[0]) & (x >= thick[1]) & (x < shape[1] - thick[1])
    return np.asarray(~inner)


def _levels(images: Floats, where: np.ndarray) -> Floats:
    """Return three grey levels and the spread of each channel, of the pixels that are chosen."""
    found = np.full((len(images), images.shape[1], len(LEVELS) + 1), np.nan)
    some = where.any(axis=(1, 2))
    hidden = np.where(where[some][:, None], images[some], np.nan).reshape(int(some.sum()), images.shape[1], -1)
    hidden.sort(axis=-1)  # NaN last
    last = where[some].reshape(len(hidden), -1).sum(axis=1) - 1
    for k, level in enumerate(LEVELS):
        at = last * level / 100
        ends = [np.take_along_axis(hidden, f(at).astype(int)[:, None, None], axis=2) for f in (np.floor, np.ceil)]
        found[some, :, k] = (ends[0] + (at % 1)[:, None, None] * (ends[1] - ends[0]))[..., 0]
    found[some, :, -1] = np.nanstd(hidden, axis=-1)
    return found.reshape(len(images), -1)


def _n_others(masks: np.ndarray) -> np.ndarray:
    """Return how many other cells each mask shows."""
    ordered = np.sort(masks.reshape(len(masks), -1), axis=1)
    new = np.diff(ordered, axis=1, prepend=0) != 0
    return np.asarray((new & (ordered > 1)).sum(axis=1))


def encoded(table: pd.DataFrame) -> Floats:
    """Return a small table as numbers in which a straight line can be any smooth curve.

    Names become one column each, numbers become splines over their quantiles; gaps count as a value of their own.
    """
    from sklearn.preprocessing import SplineTransformer

    blocks: list[Floats] = []
    for name in table.columns:
        column = table[name]
        if not pd.api.types.is_numeric_dtype(column):
            values = column.astype(str)
            common = values.value_counts().index[:MANY]
            blocks.append((values.to_numpy()[:, None] == common.to_numpy()[None, :]).astype(float))
            continue
        numbers = column.to_numpy(np.float64)[:, None]
        gaps = np.isnan(numbers)
        filled = np.where(gaps, np.nanmedian(numbers) if not gaps.all() else 0.0, numbers)
        if np.ptp(filled) > 0:
            ranks = pd.Series(filled[:, 0]).rank(pct=True).to_numpy()[:, None]
            blocks.append(SplineTransformer(n_knots=4, degree=2, include_bias=False).fit_transform(ranks))
        if gaps.any():
            blocks.append(gaps.astype(float))
    return np.hstack(blocks) if blocks else np.zeros((len(table), 1))
