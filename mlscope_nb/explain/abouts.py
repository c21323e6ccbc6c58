"""About: what chosen cells (a cluster, a region of the map) have that others have not, by blocks of features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb.cells import Cells
from mlscope_nb.explain.feature_blocks import feature_blocks
from mlscope_nb.explore.distinguish import distinguish
from mlscope_nb.features.glossary import describe


def about(cells: Cells, ids: Any, *, correlation: float = 0.5, level: float = 0.95) -> pd.DataFrame:
    """Say what a region of the map is about: the blocks of features in which its cells differ from all others.

    Effects and intervals are those of ``ms.explore.distinguish``, over units. Features that say the same stand in one
    row, under the name of the one that differs most, so that ten sizes are one finding. There are no p-values: cells
    that were chosen by looking differ because they were chosen.

    Parameters
    ----------
    cells : Cells
        With features and a declared unit (without one there are no intervals).
    ids : ids, or boolean Series or array (N,)
        The chosen cells.
    correlation : float
        As in `importance`.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        By feature, the largest effect first: effect (chosen minus others, in deviations of cells), low, high, n_units,
        n_features and features (of the block), says (what the feature means).

    Raises
    ------
    ValueError, KeyError
        No cells or all cells are chosen, there are no features, or an id is not known.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCC")}, index=list("abcdef"))
    >>> table = pd.DataFrame({"Cells_AreaShape_Area": [1.0, 5, 2, 6, 3, 8]}, index=obs.index)
    >>> found = about(Cells(obs, features=table, unit="well"), ["b", "d", "f"])
    >>> found["effect"].round(1).to_dict(), found["says"].iloc[0]
    ({'Cells_AreaShape_Area': 4.1}, 'Area of the cell: the number of pixels in its mask.')
    """
    found = distinguish(cells, ids, level=level)
    batch = pd.factorize(cells.batches_of)[0] if cells.design.batch else np.zeros(len(cells), np.intp)
    blocks = feature_blocks(cells.table(), batch, correlation=correlation)
    place = {name: k for k, name in enumerate(found.index)}
    rows = {}
    for names in blocks.members.values():
        known = [name for name in names if name in place]
        if known:
            first = min(known, key=lambda name: place[name])
            rows[first] = {**found.loc[first, ["effect", "low", "high", "n_units"]], "n_features": len(names),
                           "features": tuple(names), "says": _says(first)}  # fmt: skip
    columns = ["effect", "low", "high", "n_units", "n_features", "features", "says"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("feature")
    table = table.iloc[np.argsort(-table["effect"].abs().to_numpy(np.float64), kind="stable")]
    table.attrs = {"history": [*found.attrs["history"], _align.step("about", correlation=correlation, level=level)]}
    return table


def _says(name: str) -> str:
    try:
        return str(describe(name))
    except ValueError:
        return ""
