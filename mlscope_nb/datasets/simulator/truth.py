"""The answer key of a simulated study: what each cell really is, where its cue lies, and the same cell without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from mlscope_nb._align import positions, read_only
from mlscope_nb.datasets.simulator.plan import CellPlan, Plan
from mlscope_nb.datasets.simulator.render import Without, cue_reaches, cues, mark, render


class Pictures(Protocol):
    """What draws the pictures of an answer key again: crops of cells, or whole fields."""

    ids: pd.Index
    size: int

    def images(self, rows: np.ndarray, without: Without | None) -> Iterator[np.ndarray]:
        """Return the images (C, Y, X) of some rows."""

    def cues(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Return the pixels (Y, X) of their cues."""

    def reaches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Return the pixels (Y, X) that their cues reach through the microscope."""

    def marks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Return the pixels (Y, X) of their shortcuts."""

    def chosen(self, rows: np.ndarray) -> Pictures:
        """Return the pictures of some rows."""


class CropPictures:
    """Crops, one for each cell of a plan."""

    def __init__(self, plan: Plan, ids: pd.Index, rows: np.ndarray | None = None) -> None:
        self.ids, self.size = ids, plan.study.size
        self._plan, self._rows = plan, np.arange(len(ids)) if rows is None else rows

    def images(self, rows: np.ndarray, without: Without | None) -> Iterator[np.ndarray]:
        """Return the images (C, Y, X) of some rows."""
        return (made.image for made in render(self._plan, self._cells(rows), without))

    def cues(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Return the pixels (Y, X) of their cues."""
        return cues(self._plan, self._cells(rows))

    def reaches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Return the pixels (Y, X) that their cues reach through the microscope."""
        return cue_reaches(self._plan, self._cells(rows))

    def marks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Return the pixels (Y, X) of their shortcuts."""
        drawn = mark(self.size) > 0
        return (drawn & cell.shortcut for cell in self._cells(rows))

    def chosen(self, rows: np.ndarray) -> CropPictures:
        """Return the crops of some rows."""
        return CropPictures(self._plan, self.ids[rows], self._rows[rows])

    def _cells(self, rows: np.ndarray) -> list[CellPlan]:
        return [self._plan.cells[k] for k in self._rows[rows]]


class Truth:
    """What is known about a simulated study and is not to be found in its cells or fields.

    Attributes
    ----------
    obs : DataFrame
        One row per cell, in the order of the cells:

        - ``label``: what the well really got (the cells may say otherwise)
        - ``fault``: "none", "defocus", "saturation", "debris", "empty", "touching" or "cut"
        - ``duplicate_of``: id of the cell that this is another photograph of, or None
        - ``mislabelled``: the label in the cells is wrong; ``swapped_well``: because its well was mixed up
        - ``responder``: shows the phenotype of its treatment; ``strength``: how strongly (0: not at all)
        - ``shortcut``: carries the mark in the corner
        - ``phenotype``: what it shows ("none", a treatment's name, or "binucleate", the rare one)
    fields : DataFrame or None
        One row per field, with its ``fault`` and ``shortcut``, where whole fields were simulated.
    ids : Index
        Of what `render` and `cues` show: cells, or whole fields.
    """

    def __init__(self, obs: pd.DataFrame, pictures: Pictures, fields: pd.DataFrame | None = None) -> None:
        self._obs, self._pictures, self._fields = obs, pictures, fields
        self._cues: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._pictures.ids)

    @property
    def obs(self) -> pd.DataFrame:
        """A copy of the truth, one row per cell."""
        return self._obs.copy()

    @property
    def fields(self) -> pd.DataFrame | None:
        """A copy of the truth about whole fields, or None."""
        return None if self._fields is None else self._fields.copy()

    @property
    def ids(self) -> pd.Index:
        """The ids of the pictures: cells, or fields."""
        return self._pictures.ids

    @property
    def cues(self) -> np.ndarray:
        """Pixels (N, Y, X) that carry the phenotype: those that change when it is taken away, before any blur."""
        if self._cues is None:
            self._cues = read_only(self._stack(self.ids, "cues"))
        return self._cues

    @property
    def marks(self) -> np.ndarray:
        """Pixels (N, Y, X) of the shortcut's mark."""
        return self._stack(self.ids, "marks")

    def cue_reach(self, ids: Iterable[str] | str) -> np.ndarray:
        """Return the pixels (n, Y, X) that can differ without the cue: the cue as wide as the microscope makes it."""
        return self._stack(ids, "reaches")

    def render(self, ids: Iterable[str] | str, without: Without | None = None) -> np.ndarray:
        """Render again, with the same noise, as it would have been without something.

        Parameters
        ----------
        ids : ids of cells (or of fields, where fields were simulated)
        without : {"cue", "shortcut", "fault"}, optional
            What to leave out: the phenotype, the mark in the corner, or the fault. None: as they are.

        Returns
        -------
        numpy.ndarray
            Images (n, C, Y, X), uint16. Those that have nothing to leave out are equal byte for byte.

        Raises
        ------
        KeyError
            There is no such cell.
        ValueError
            `without` is none of the three.

        Examples
        --------
        >>> from mlscope_nb.datasets import simulate
        >>> cells, truth = simulate(1, 2, 2)
        >>> bool((truth.render(cells.ids) == cells.images).all())
        True
        """
        if without not in (None, "cue", "shortcut", "fault"):
            raise ValueError(f"without={without!r}, expected 'cue', 'shortcut', 'fault' or None.")
        chosen = positions(ids, self.ids)
        images = np.zeros((len(chosen), 3, self._pictures.size, self._pictures.size), np.uint16)
        for i, image in enumerate(self._pictures.images(chosen, without)):
            images[i] = image
        return images

    def subset(self, ids: Iterable[str] | str) -> Truth:
        """Return the truth about these cells (or fields), in this order, as ``cells.subset`` does."""
        rows = positions(ids, self.ids)
        pictures = self._pictures.chosen(rows)
        if self._fields is None:
            new = Truth(self._obs.iloc[rows], pictures)
        else:
            obs = self._obs[self._obs["field_id"].isin(pictures.ids)]
            new = Truth(obs, pictures, self._fields.iloc[rows])
        if self._cues is not None:
            new._cues = read_only(self._cues[rows])
        return new

    def __repr__(self) -> str:
        known = self._obs
        counts = {
            "responding": int(known["responder"].sum()),
            "with a fault": int((known["fault"] != "none").sum()),
            "photographed twice": int(known["duplicate_of"].notna().sum()),
            "with a wrong label": int(known["mislabelled"].sum()),
            "with a shortcut": int(known["shortcut"].sum()),
        }
        said = ", ".join(f"{n:,} {what}" for what, n in counts.items())
        where = "" if self._fields is None else f" in {len(self._fields):,} fields"
        return f"Truth about {len(known):,} cells{where}: {said}"

    def _stack(self, ids: Iterable[str] | str, what: Literal["cues", "reaches", "marks"]) -> np.ndarray:
        chosen = positions(ids, self.ids)
        stack = np.zeros((len(chosen), self._pictures.size, self._pictures.size), bool)
        for i, pixels in enumerate(getattr(self._pictures, what)(chosen)):
            stack[i] = pixels
        return stack
