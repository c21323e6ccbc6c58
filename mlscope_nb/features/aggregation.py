"""Aggregation: one profile for each unit, with the number of cells behind it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._categories import kinds_within
from mlscope_nb._design import Columns
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.study.units import columns_of, groups

N_CELLS = "n_cells"


def aggregate(cells: Cells, by: Columns = None, *, method: Literal["mean", "median"] = "median") -> Cells:
    """Make one row of each unit: the median (or mean) of its cells, and how many they are.

    Columns of `obs` that are the same for all cells of every unit are kept, the others are left out; so is a design
    that rests on them. Missing values are passed over.

    Parameters
    ----------
    cells : Cells
        With features.
    by : str or several, optional
        Columns that name the unit; default: the declared unit.
    method : {"median", "mean"}
        How the cells of a unit become one number.

    Returns
    -------
    Cells
        One row per unit with its features, the constant columns of `obs`, and ``n_cells``; no images.

    Raises
    ------
    ValueError
        No features, no unit, or the label differs between cells of a unit.

    References
    ----------
    pycytominer's aggregate.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": ["A", "A", "B"]}, index=list("xyz"))
    >>> wells = aggregate(Cells(obs, features=pd.DataFrame({"area": [1.0, 3.0, 9.0]}, index=list("xyz")), unit="well"))
    >>> wells.features["area"].to_dict(), wells.obs["n_cells"].tolist()
    ({'A': 2.0, 'B': 9.0}, [2, 1])
    """
    if method not in ("mean", "median"):
        raise ValueError(f"method is {method!r}, expected 'mean' or 'median'.")
    keys, columns = groups(cells, by), columns_of(cells, by) or cells.design.unit
    order = pd.Index(keys.unique())
    grouped = cells.table().groupby(keys.to_numpy(), sort=False)
    table = (grouped.median() if method == "median" else grouped.mean()).loc[order]
    obs, lost = _constant(cells.obs, keys, columns)
    _refuse_mixed_label(cells, lost)
    obs = obs.loc[order].assign(**{N_CELLS: keys.value_counts().loc[order].to_numpy()})
    obs.index.name = table.index.name = "cell_id"
    step = _align.step("aggregate", by=list(columns), method=method, n=len(obs), n_before=len(cells))
    if lost:
        step["note"] = f"left out, for they differ within a unit: {some(lost)}"
    return Cells(
        obs,
        features=table,
        channels=cells.channels or None,
        pixel_size_um=cells.pixel_size_um,
        history=[*cells.history, step],
        **_design(cells, columns, obs),  # type: ignore[arg-type]
    )


def _constant(obs: pd.DataFrame, keys: pd.Series, columns: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    varies = kinds_within(obs, keys.to_numpy()) > 1
    lost = [str(c) for c in obs.columns if varies[c].any() and c not in columns]
    first = obs[[c for c in obs.columns if c not in lost]]
    # The first row of each group as it is: pandas' own first() would pass over missing values.
    rows = np.flatnonzero(~pd.Series(keys.to_numpy()).duplicated().to_numpy())
    return first.iloc[rows].set_axis(pd.Index(keys.to_numpy()[rows]), axis=0), lost


def _refuse_mixed_label(cells: Cells, lost: list[str]) -> None:
    if cells.design.label in lost:
        raise ValueError(
            f"The label '{cells.design.label}' differs between cells of one unit, so that a unit has none. Choose "
            "another label (cells.with_design(label=None) for none), or units in which it is the same."
        )


def _design(cells: Cells, columns: tuple[str, ...], obs: pd.DataFrame) -> dict[str, object]:
    design, have = cells.design, set(obs.columns)
    control = design.control
    needed = {control} if isinstance(control, str) else set(control or ())
    return {
        "unit": columns,
        "batch": design.batch if set(design.batch) <= have else None,
        "label": design.label if design.label in have else None,
        "treatment": design.treatment if design.treatment in have else None,
        "control": control if needed <= have else None,
    }
