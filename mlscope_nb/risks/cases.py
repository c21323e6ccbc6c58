"""Case: a study with three problems planted in it, to be found by whoever audits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.datasets import simulate
from mlscope_nb.study._result import Result

DESIGN: dict[str, Any] = {"n_plates": 4, "wells_per_plate": 16, "cells_per_well": 20}
MARKED, COPIED = 0.9, 0.06
WORDS = {
    "marked": "the treatment with a mark",
    "nested": "the treatment on one plate alone",
    "copied": "whether cells stand in two wells",
}


@dataclass(frozen=True, eq=False, repr=False)
class Case(Result):
    """A study to audit, and what was planted in it.

    Parameters
    ----------
    cells : Cells
        The study.
    planted : dict
        ``marked`` and ``nested``: classes; ``copied``: True.
    """

    cells: Cells
    planted: dict[str, str | bool] = field(default_factory=dict)

    def score(self, marked: object = None, nested: object = None, copied: object = None) -> str:
        """Say how many of the planted problems were found, which are still open, and which answers are not right.

        Parameters
        ----------
        marked, nested : str
            The class that carries a mark, and the one of one plate alone. None or ``...``: not found.
        copied : bool
            Whether cells were copied into other wells.

        Examples
        --------
        >>> import pandas as pd
        >>> study = Case(Cells(pd.DataFrame({"x": [1]})), {"marked": "a", "nested": "b", "copied": True})
        >>> study.score("a", copied=True)
        'You found 2 of 3. Still open: the treatment on one plate alone.'
        """
        given = {"marked": marked, "nested": nested, "copied": copied}
        missed = [name for name, value in given.items() if value is None or value is ... or value is False]
        right = [name for name, value in given.items() if name not in missed and _same(value, self.planted[name])]
        wrong = [name for name in given if name not in right + missed]
        parts = [f"You found {len(right)} of {len(given)}."]
        parts += [f"Still open: {', '.join(WORDS[name] for name in missed)}."] if missed else []
        parts += [f"Not right: {', '.join(WORDS[name] for name in wrong)}."] if wrong else []
        return " ".join(parts)

    def __str__(self) -> str:
        return f"A study of {count(len(self.cells), 'cell')}. Three things are wrong with it."


def _same(value: object, truth: object) -> bool:
    """Whether an answer is the truth; names are compared without case and without spaces around."""
    if isinstance(value, str) and isinstance(truth, str):
        return value.strip().casefold() == truth.casefold()
    return value is truth


def case(seed: int = 0) -> Case:
    """Return a simulated study with three problems in it: a mark, a class on one plate alone, and copied cells.

    Parameters
    ----------
    seed : int
        Of the study, and of which classes have the problems.

    Returns
    -------
    Case
        ``.cells`` to audit, ``.score(…)`` for what was found, ``.planted`` when all is over.

    Examples
    --------
    >>> print(case(1))
    A study of 1,160 cells. Three things are wrong with it.
    """
    rng = np.random.default_rng(seed)
    plain, _ = simulate(1, DESIGN["wells_per_plate"], 1, seed=seed)
    control = str(plain.labels[plain.controls.to_numpy()].iloc[0])
    marked, nested = rng.choice(sorted(set(plain.labels) - {control}), 2, replace=False).tolist()
    cells, _ = simulate(**DESIGN, seed=seed, shortcut=MARKED, tied_to=marked, leaked=COPIED)
    plates = sorted(cells.obs["plate"].unique())
    kept = (cells.labels != nested) | (cells.obs["plate"] == plates[int(rng.integers(len(plates)))])
    return Case(cells.subset(cells.ids[kept.to_numpy()]), {"marked": marked, "nested": nested, "copied": True})
