"""Given probabilities: what another model says of the cells, checked before it is believed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.curate.held_out import Given

TOLERANCE = 1e-3


def checked_probabilities(table: pd.DataFrame, ids: pd.Index, given: Given) -> tuple[NDArray[np.float64], Given]:
    """Return probabilities (N, K) in the order of the cells, and the labels numbered by their columns.

    Columns may name classes that no cell is labelled with.

    Raises
    ------
    TypeError, ValueError
        No DataFrame, other ids, no column for a class, gaps, negative values, or rows that do not sum to 1.

    Examples
    --------
    >>> table = pd.DataFrame({"b": [0.9, 0.2], "a": [0.1, 0.8]}, index=["x", "y"])
    >>> ids = pd.Index(["y", "x"], name="cell_id")
    >>> found, labels = checked_probabilities(table, ids, Given(["a"], np.zeros(2, int)))
    >>> found.tolist(), labels.classes, labels.codes.tolist()
    ([[0.2, 0.8], [0.9, 0.1]], ['b', 'a'], [1, 1])
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"probabilities are a {type(table).__name__}, expected a DataFrame with a row for each cell id and a "
            "column for each class: pandas.DataFrame(p, index=cells.ids, columns=model.classes_)."
        )
    numbers = _align.numbers(table, ids, "the table of probabilities")
    columns, wanted = list(numbers.columns), [str(c) for c in given.classes]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise ValueError(
            f"No column in probabilities for {count(len(missing), 'class', 'classes')}: {some(missing)}. "
            f"Columns: {some(columns, 20)}. Each label needs one."
        )
    values = numbers.to_numpy(np.float64)
    _refuse(np.asarray(~np.isfinite(values).all(axis=1)), ids, "with missing or infinite probabilities")
    _refuse(np.asarray((values < 0).any(axis=1)), ids, "with negative probabilities")
    off: NDArray[np.bool_] = np.abs(values.sum(axis=1) - 1) > TOLERANCE
    _refuse(off, ids, "whose probabilities do not sum to 1")
    place = np.array([columns.index(name) for name in wanted], dtype=np.intp)
    kept = dict(zip(wanted, given.classes, strict=True))
    codes = np.where(given.codes >= 0, place[given.codes], -1)
    return values, Given([kept.get(name, name) for name in columns], codes)


def _refuse(bad: NDArray[np.bool_], ids: pd.Index, what: str) -> None:
    if bad.any():
        raise ValueError(
            f"{count(int(bad.sum()), 'cell')} {what}: {some(ids[bad])}. Expected one probability between 0 and 1 for "
            "each class, from a model that was not trained on the cell (predict_proba on held-out cells)."
        )
