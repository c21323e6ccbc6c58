"""Whether a split is one: no cell and no unit on both sides, and every cell known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study.splits import Split


def check_split(cells: Cells, splits: Split | Iterable[Split | tuple[Iterable[str], Iterable[str]]]) -> None:
    """Raise when a split shares cells or units between training and test, or names cells that are not there.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit.
    splits : Split or several
        Also pairs of train and test ids from elsewhere.

    Raises
    ------
    TypeError
        Not Cells first.
    ValueError
        A unit straddles, a cell stands on both sides, a side is empty, or an id is unknown.

    Examples
    --------
    >>> from mlscope_nb.study.splits import split
    >>> obs = pd.DataFrame({"well": list("ABCD")}, index=list("abcd"))
    >>> cells = Cells(obs, unit="well")
    >>> check_split(cells, split(cells, n_splits=2))
    """
    if not isinstance(cells, Cells):
        raise TypeError(
            f"Expected Cells first, found {type(cells).__name__}. Give cells, then splits: check_split(cells, splits)."
        )
    units, names = pd.factorize(cells.units, sort=True)
    for number, part in enumerate([splits] if isinstance(splits, Split) else splits):
        train, test = (pd.Index(list(ids), dtype=object) for ids in part)
        where = f"Split {number}"
        if not len(train) or not len(test):
            raise ValueError(f"{where} has no cells to {'train' if not len(train) else 'test'} on.")
        rows = [cells.ids.get_indexer(ids) for ids in (train, test)]
        unknown = train[rows[0] < 0].append(test[rows[1] < 0])
        if len(unknown):
            raise ValueError(f"{where} names cells that are not there: {some(unknown)}. Give ids of these cells.")
        twice = train.intersection(test)
        if len(twice):
            raise ValueError(
                f"{where} trains and tests on {count(len(twice), 'same cell')}: {some(twice)}. Keep each in one part."
            )
        shared = names[np.intersect1d(units[rows[0]], units[rows[1]])]
        if len(shared):
            raise ValueError(
                f"{where} has cells of {count(len(shared), 'unit')} in training and test: {some(shared)}. "
                "The score would be about cells of known units. Split with ms.study.split(cells)."
            )
