"""The answer key of a simulated study: what each cell really is, where its cue lies, and the same cell without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from mlscope_nb._align import positions, read_only
from mlscope_nb.datasets.simulator.plan import Plan
from mlscope_nb.datasets.simulator.render import Without, cue, cue_reach, mark, render

Pictures = Callable[[int], np.ndarray]


class Truth:
    """What is known about simulated cells and not to be found in the cells themselves.

    Attributes
    ----------
    obs : DataFrame
        One row per cell, in the order of the cells:

        - ``label``: what the well really got (the cells may say otherwise)
        - ``fault``: "none", "defocus", "saturation", "debris", "empty", "touching" or "cut"
        - ``duplicate_of``: id of the cell that this is another photograph of, or None
        - ``mislabelled``: the label in the cells is wrong; ``swapped_well``: with its whole well
        - ``responder``: shows the phenotype of its treatment; ``strength``: how strongly (0 = not)
        - ``shortcut``: carries the mark in the corner
        - ``phenotype``: what it shows ("none", a treatment's name, or "binucleate", the rare one)
    """

    def __init__(self, obs: pd.DataFrame, plan: Plan, rows: Sequence[int] | None = None) -> None:
        self._obs, self._plan = obs, plan
        self._rows = range(len(obs)) if rows is None else rows
        self._cues: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._obs)

    @property
    def obs(self) -> pd.DataFrame:
        """A copy of the truth, one row per cell."""
        return self._obs.copy()

    @property
    def ids(self) -> pd.Index:
        """The cell ids in order."""
        return self._obs.index

    @property
    def cues(self) -> np.ndarray:
        """Pixels (N, Y, X) that carry the phenotype: those that change when it is taken away, before any blur."""
        if self._cues is None:
            self._cues = read_only(self._stack(self.ids, lambda row: cue(self._plan, self._plan.cells[row]), bool))
        return self._cues

    @property
    def marks(self) -> np.ndarray:
        """Pixels (N, Y, X) of the shortcut's mark."""
        drawn = mark(self._plan.study.size) > 0
        marks: np.ndarray = self._obs["shortcut"].to_numpy(bool)[:, None, None] & drawn
        return marks

    def cue_reach(self, ids: Iterable[str] | str) -> np.ndarray:
        """Return the pixels (n, Y, X) that can differ without the cue: the cue as wide as the microscope makes it."""
        return self._stack(ids, lambda row: cue_reach(self._plan, self._plan.cells[row]), bool)

    def render(self, ids: Iterable[str] | str, without: Without | None = None) -> np.ndarray:
        """Render cells again, with the same noise, as they would have been without something.

        Parameters
        ----------
        ids : ids of cells
        without : {"cue", "shortcut", "fault"}, optional
            What to leave out: the phenotype, the mark in the corner, or the fault. None: as they are.

        Returns
        -------
        numpy.ndarray
            Images (n, C, Y, X), uint16. Cells that have nothing to leave out are equal byte for byte.

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
        return self._stack(ids, lambda row: render(self._plan, self._plan.cells[row], without).image, np.uint16)

    def subset(self, ids: Iterable[str] | str) -> Truth:
        """Return the truth about these cells, in this order, as ``cells.subset`` does."""
        chosen = positions(ids, self.ids)
        new = Truth(self._obs.iloc[chosen], self._plan, [self._rows[r] for r in chosen])
        if self._cues is not None:
            new._cues = read_only(self._cues[chosen])
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
        return f"Truth about {len(self):,} cells: {said}"

    def _stack(self, ids: Iterable[str] | str, picture: Pictures, dtype: type) -> np.ndarray:
        chosen = positions(ids, self.ids)
        size = self._plan.study.size
        shape = (3, size, size) if dtype is np.uint16 else (size, size)
        stack = np.zeros((len(chosen), *shape), dtype)
        for i, row in enumerate(chosen):
            stack[i] = picture(self._rows[row])
        return stack
