"""A threshold tuned by a slider: what it would leave out, from whom, and how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlscope_nb._align import aligned
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.curate import cutoff
from mlscope_nb.curate.cutoff import Side
from mlscope_nb.curate.thresholds import RULES
from mlscope_nb.views._crops import Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views.thresholdview import ThresholdView


def tune_threshold(
    cells: Cells,
    scores: pd.DataFrame,
    column: str | None = None,
    *,
    truth: pd.Series | None = None,
    threshold: float | None = None,
    side: Side | None = None,
    channels: Sequence[str] | None = None,
    contrast: Contrast | None = None,
    size: int = 72,
    rows: int = 2,
) -> ThresholdView:
    """Drag a threshold over a score and watch the gallery of the cells that it would leave out.

    One threshold holds for all plates, in units of the score: it is what a sentence in a methods section says, and
    classes or plates that lose more by it are named. `flag_quality` learns a threshold for each plate; those stand as
    marks on the axis, and the view begins at their median. ``any_fault`` counts in them: a threshold of 1 is that of
    `flag_quality` on every plate, over all scores, and moving it moves the strictness of them all.

    The cells that would be left out are the selection of every view of these cells. Nothing is removed.

    Parameters
    ----------
    cells : Cells
    scores : DataFrame
        One row per cell: `ms.curate.score_quality`, or any other numbers. A missing score never leaves a cell out.
    column : str, optional
        The score to begin with; "focus" or else the first by default.
    truth : boolean Series, optional
        True for cells that are truly faulty: precision and recall are shown.
    threshold : float, optional
        Where to begin; by default the median of the plates' thresholds, or for other scores where 1 % are beyond.
    side : "below" or "above", optional
        On which side cells are left out; that of the faults by default.
    channels, contrast, size
        Of the crops, as in `ms.views.gallery`.
    rows : int
        Rows of crops on a page.

    Returns
    -------
    ThresholdView
        With ``threshold``, ``column``, ``side``, ``flags`` (boolean Series), ``selected`` (ids), ``precision``,
        ``recall``, ``bias`` (`ms.curate.filter_bias`), ``code`` (the line that flags the same cells), ``set(…)``.

    Raises
    ------
    TypeError, KeyError, ValueError
        Not Cells, no such score, scores or truth that do not fit the cells, or a truth that is not True and False.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame(index=list("abcd")), np.zeros((4, 1, 8, 8), "uint8"), channels=["DNA"])
    >>> scores = pd.DataFrame({"focus": [0.1, 0.6, 0.5, 0.2]}, index=list("abcd"))
    >>> tuner = tune_threshold(cells, scores, truth=pd.Series([True, False, True, False], index=list("abcd")))
    >>> tuner.set(threshold=0.3).selected.tolist(), tuner.precision, tuner.recall
    (['a', 'd'], 0.5, 0.5)
    >>> tuner.code
    'flags = scores["focus"] < 0.3'
    """
    refuse_other_than_cells(cells)
    if not len(cells):
        raise ValueError("There are no cells to judge: 0 rows.")
    if not (16 <= size <= 400 and 1 <= rows <= 50):
        raise ValueError(f"size={size} and rows={rows}, expected 16 to 400 pixels and 1 to 50 rows.")
    table = _numbers(scores, cells)
    crops = None if cells.images is None else Crops(cells, channels=channels, contrast=contrast)
    traits = {"_tile": size, "_height": rows * (size + 10), "_room": rows * 10, "crops": crops}
    view = ThresholdView(cells, table, _faulty(truth, cells), **traits)
    first = column if column is not None else "focus" if "focus" in table else str(table.columns[0])
    return view.set(column=first, threshold=threshold, side=side)


def _numbers(scores: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    if not isinstance(scores, pd.DataFrame):
        raise TypeError(f"scores is a {type(scores).__name__}, expected a table of ms.curate.score_quality(cells).")
    table = aligned(scores, cells.ids, "the table of scores")
    numeric = [c for c in table if pd.api.types.is_numeric_dtype(table[c]) and not pd.api.types.is_bool_dtype(table[c])]
    if not numeric:
        raise ValueError(f"No column of the scores holds numbers. Columns: {some(table.columns, 12) or 'none'}.")
    known = [c for c in (cutoff.ANY, *RULES) if c in numeric]
    return table[[*known, *(c for c in numeric if c not in known)]].astype(float)


def _faulty(truth: pd.Series | None, cells: Cells) -> np.ndarray | None:
    if truth is None:
        return None
    if not isinstance(truth, pd.Series) or not pd.api.types.is_bool_dtype(truth) or truth.isna().any():
        raise TypeError("truth: expected a Series of True and False by cell id, such as truth.obs['fault'] != 'none'.")
    return aligned(truth.rename("truth"), cells.ids, "the truth")["truth"].to_numpy(bool)
