"""Cells in their fields: which object of a field's mask each cell is, so that one selection serves both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

COLUMNS = ("field_id", "y_px", "x_px")
# Centres written with fewer digits, or counted from the middle of a pixel, still belong to their object.
_NEAR_PX = 1.0
_RING_PX = 8.0


@dataclass(frozen=True)
class Spots:
    """The cells of one field.

    Attributes
    ----------
    rows : int array (n,)
        Positions among all cells.
    objects : int array (n,)
        Number of the cell's object in the field (see `_fieldpixels.ranked`), 0 where none fits.
    y, x, radius : float array (n,)
        Centre and half of the extent, in pixels; NaN where a cell has no place.
    """

    rows: np.ndarray
    objects: np.ndarray
    y: np.ndarray
    x: np.ndarray
    radius: np.ndarray

    def at(self, y: float, x: float, ranks: np.ndarray | None, reach_px: float) -> int | None:
        """Return the position of the cell whose object covers a place, or whose centre is near; None for none."""
        if ranks is not None and 0 <= y < ranks.shape[0] and 0 <= x < ranks.shape[1]:
            number = int(ranks[int(y), int(x)])
            hit = np.flatnonzero((self.objects == number) & (number > 0))
            if len(hit):
                return int(hit[0])
        # The centre of a pixel is at a whole number, its top left corner half a pixel before.
        far = np.hypot(self.y + 0.5 - y, self.x + 0.5 - x)
        far = np.where((self.objects == 0) & np.isfinite(far), far, np.inf)
        nearest = int(far.argmin()) if len(far) else -1
        return nearest if nearest >= 0 and far[nearest] <= reach_px else None

    def packed(self) -> bytes:
        """Return object, y, x, radius of each cell as float32; −1 for a place that is not known."""
        table = np.stack([self.objects, self.y, self.x, self.radius], axis=1).astype(np.float32)
        return np.where(np.isfinite(table), table, np.float32(-1)).tobytes()


class CellsInFields:
    """Which cells lie in which field.

    Parameters
    ----------
    fields : Fields
    cells : Cells
        Cut from these fields: obs has ``field_id``, ``y_px``, ``x_px``, and ``object`` where `ms.io.crop` made them.

    Raises
    ------
    KeyError
        A column is missing.
    ValueError
        A centre is no number, or no cell lies in any of these fields.
    """

    def __init__(self, fields: Fields, cells: Cells) -> None:
        obs = cells.obs
        missing = [c for c in COLUMNS if c not in obs.columns]
        if missing:
            raise KeyError(
                f"These cells do not say where they lie: obs has no {some(missing)}. Columns: {some(obs.columns, 20)}. "
                "Cells cut with ms.io.crop(fields) have them; others need the id of their field and the centre in "
                "pixels: cells.with_obs(table)."
            )
        self.y, self.x = (_numbers(obs[c]) for c in ("y_px", "x_px"))
        self.numbers = _objects(obs)
        names = pd.Index(obs["field_id"].astype(str), dtype=object)
        self.field = fields.ids.get_indexer(names)
        self.names = names
        if len(cells) and (self.field < 0).all():
            raise ValueError(
                f"None of the {count(len(cells), 'cell')} lies in these fields: their field_id is "
                f"{some(names.unique(), 3)}, the fields are {some(fields.ids, 3)}. "
                "Give the fields that the cells were cut from."
            )
        self._n_fields = len(fields)

    @property
    def elsewhere(self) -> str:
        """A sentence about cells whose field is not here; empty if there are none."""
        outside = self.names[self.field < 0]
        if not len(outside):
            return ""
        fields = outside.unique()
        return f"{count(len(outside), 'cell')} of other fields ({some(fields, 3)}) cannot be shown here."

    def counts(self, flags: np.ndarray) -> list[int]:
        """Return how many of the flagged cells lie in each field."""
        inside = self.field[flags & (self.field >= 0)]
        return [int(n) for n in np.bincount(inside, minlength=self._n_fields)]

    def spots(self, field: int, ranks: np.ndarray | None, labels: np.ndarray) -> Spots:
        """Return the cells of one field, with their objects in its mask (numbered by `ranks`; labels as they were)."""
        rows = np.flatnonzero(self.field == field)
        y, x = self.y[rows], self.x[rows]
        objects, radius = np.zeros(len(rows), np.int64), np.full(len(rows), _RING_PX)
        if ranks is None or not len(labels):
            return Spots(rows, objects, y, x, radius)
        boxes = ndimage.find_objects(ranks)
        under = _under(ranks, y, x)
        given = None if self.numbers is None else _rank_of(self.numbers[rows], labels)
        for i in range(len(rows)):
            number = int(under[i]) if given is None else int(given[i])
            if number and (number == under[i] or _is_centre(ranks, boxes[number - 1], number, y[i], x[i])):
                objects[i], radius[i] = number, _extent(boxes[number - 1], y[i], x[i])
        return Spots(rows, objects, y, x, radius)


def _numbers(column: pd.Series) -> np.ndarray:
    try:
        return pd.to_numeric(column).to_numpy(float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"obs['{column.name}'] holds something other than numbers ({error}). Expected centres in pixels."
        ) from None


def _objects(obs: pd.DataFrame) -> np.ndarray | None:
    if "object" not in obs.columns or not pd.api.types.is_numeric_dtype(obs["object"]):
        return None
    return np.asarray(obs["object"].to_numpy(float, na_value=np.nan), float)


def _rank_of(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    place = np.searchsorted(labels, numbers)
    known = (place < len(labels)) & (labels[np.minimum(place, len(labels) - 1)] == numbers)
    return np.where(known, place + 1, 0)


def _under(ranks: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the object under each centre, 0 for none."""
    with np.errstate(invalid="ignore"):
        inside = (y > -0.5) & (y < ranks.shape[0] - 0.5) & (x > -0.5) & (x < ranks.shape[1] - 0.5)
    rows = np.where(inside, np.rint(np.nan_to_num(y)), 0).astype(int)
    columns = np.where(inside, np.rint(np.nan_to_num(x)), 0).astype(int)
    return np.where(inside, ranks[np.where(inside, rows, 0), np.where(inside, columns, 0)], 0)


def _is_centre(ranks: np.ndarray, box: tuple[slice, slice], number: int, y: float, x: float) -> bool:
    """Say whether an object that does not cover its own centre (a crescent) has it there."""
    cy, cx = ndimage.center_of_mass(ranks[box] == number)
    return bool(abs(cy + box[0].start - y) <= _NEAR_PX and abs(cx + box[1].start - x) <= _NEAR_PX)


def _extent(box: tuple[slice, slice], y: float, x: float) -> float:
    """Return how far the corners of the object's box lie from its centre, at most."""
    rows, columns = np.array([box[0].start, box[0].stop]), np.array([box[1].start, box[1].stop])
    return float(np.hypot(np.abs(rows - 0.5 - y).max(), np.abs(columns - 0.5 - x).max()))
