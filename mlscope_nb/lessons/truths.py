"""The right answers of exercises, computed from the learner's own data."""

from __future__ import annotations

from collections.abc import Sequence

from mlscope_nb.cells import Cells


def cells_at_edge(cells: Cells) -> int:
    """How many cells touch the edge of their field.

    Examples
    --------
    >>> import pandas as pd
    >>> cells_at_edge(Cells(pd.DataFrame({"at_edge": [True, False, True]})))
    2
    """
    return int(cells.obs["at_edge"].sum())


def largest_share(values: Sequence[object]) -> float:
    """Which part of the values is equal to the most frequent one, 0 to 1.

    Examples
    --------
    >>> largest_share(["a", "a", "b", "a"])
    0.75
    """
    import pandas as pd

    return float(pd.Series(list(values)).value_counts(normalize=True).max())
