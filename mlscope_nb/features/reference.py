"""Reference cells: the batch of each cell, and the cells of each batch that a normalisation is fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study.units import columns_of, groups, plural

Control = str | Mapping[str, Any] | None
ALL = "all cells"
"""The name of the one batch when none is declared, and of the reference when no controls are."""
EVERY = "all"
"""What to name as control to take every cell of a batch as its reference."""
MIN_UNITS = 2
MIN_CELLS = 20
MOST_UNLIKE = 0.1


@dataclass(frozen=True, eq=False)
class Reference:
    """What a normalisation is fitted on.

    Parameters
    ----------
    batch : array of str (N,)
        Batch of each cell.
    rows : array of bool (N,)
        True for reference cells: the controls, or all cells where no control is declared.
    unit : array of str (N,)
        Unit of each cell; the cell itself where no unit is declared.
    by : tuple of str
        Columns that name the batch.
    what : str
        "controls" or "all cells".
    note : str
        What a reader has to know.
    """

    batch: np.ndarray
    rows: np.ndarray
    unit: np.ndarray
    by: tuple[str, ...]
    what: str
    note: str = ""

    @property
    def batches(self) -> list[str]:
        """The batches, in order of their names."""
        return sorted(set(self.batch))

    def without(self) -> list[str]:
        """The batches that have no reference cell."""
        return sorted(set(self.batch) - set(self.batch[self.rows]))


def batch_of(cells: Cells, by: Columns = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the batch of each cell and the columns that name it; one batch where none is declared.

    Raises
    ------
    KeyError, ValueError
        No such column, or a cell without a batch.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame({"plate": ["p1", "p2"]}, index=["a", "b"]), batch="plate")
    >>> batch_of(cells)[0].tolist(), batch_of(cells, by=())[0].tolist()
    (['p1', 'p2'], ['all cells', 'all cells'])
    """
    columns = cells.design.batch if by is None else columns_of(cells, by)
    if not columns:
        return np.full(len(cells), ALL, dtype=object), ()
    return groups(cells, columns).to_numpy(dtype=object), columns


def reference(cells: Cells, by: Columns = None, control: Control = None, *, force: bool = False) -> Reference:
    """Find the batch of each cell and the cells to fit on.

    Parameters
    ----------
    cells : Cells
        Cells with a declared control, or without: then all cells are the reference.
    by : str or several, optional
        Columns that name the batch; () for none. Default: the declared batch.
    control : str or dict, optional
        Which cells are controls; default: the declared ones. "all" takes all cells of a batch, which is steadier
        where controls are few and right only where every batch got the same treatments: warned of where it did not.
    force : bool
        Allow controls that are defined by the predicted label.

    Raises
    ------
    ValueError
        The controls are defined by the label, or there are none.

    Examples
    --------
    >>> obs = pd.DataFrame({"drug": ["DMSO", "x"]}, index=["a", "b"])
    >>> reference(Cells(obs, control={"drug": "DMSO"})).rows.tolist()
    [True, False]
    """
    batch, columns = batch_of(cells, by)
    unit = (cells.units if cells.design.unit else pd.Series(cells.ids)).to_numpy(dtype=object)
    if control == EVERY and EVERY not in cells.obs.columns:
        return Reference(batch, np.ones(len(cells), bool), unit, columns, ALL, _warn_if_unlike(cells, batch, unit))
    declared = cells if control is None else cells.with_design(control=control)
    if declared.design.control is None:
        note = "no controls are declared: each batch was compared with all of its cells, whatever was done to them"
        return Reference(batch, np.ones(len(cells), bool), unit, columns, ALL, note)
    _refuse_label(declared, force)
    rows = declared.controls.to_numpy()
    return Reference(batch, rows, unit, columns, "controls", _same_as_label(declared, rows))


def warn_if_few(found: Reference, batches: list[str]) -> str:
    """Warn when a batch has fewer reference cells or units than a mean and a spread need; return the words."""
    few = []
    for name in batches:
        mine = found.rows & (found.batch == name)
        n_cells, n_units = int(mine.sum()), len(set(found.unit[mine]))
        # Where every unit is one row (profiles of wells), only the number of units can be asked for.
        profiles = n_units == n_cells
        if n_units < MIN_UNITS or (n_cells < MIN_CELLS and not profiles):
            few.append(f"{name} ({count(n_cells, 'cell')} of {count(n_units, 'unit')})")
    if not few:
        return ""
    what = "cells" if found.what == ALL else found.what
    text = (
        f"Few {what} to normalise with in {count(len(few), 'batch', plural('batch'))}: {some(few)}. At least "
        f"{MIN_UNITS} units and {MIN_CELLS} cells are needed for a trustworthy centre and spread; what one odd well "
        "shows would be taken for the batch."
    )
    warnings.warn(text, UserWarning, stacklevel=4)
    return text


def _warn_if_unlike(cells: Cells, batch: np.ndarray, unit: np.ndarray) -> str:
    """Warn when batches did not get the same treatments, so that their mean holds biology; return the words."""
    note = "each batch was compared with all of its cells"
    column = cells.design.treatment or cells.design.label
    if column is None:
        return f"{note}, whatever was done to them"
    rows = pd.DataFrame({"batch": batch, "unit": unit, "treatment": cells.obs[column].astype(str).to_numpy()})
    shares = rows.drop_duplicates().groupby("batch")["treatment"].value_counts(normalize=True).unstack().fillna(0.0)
    if float(shares.max().sub(shares.min()).max()) <= MOST_UNLIKE:
        return f"{note}, which got the same treatments"
    text = (
        f"{note}, but batches did not get the same treatments ('{column}' differs): what the treatments do is taken "
        "for the batch there, and removed. Use declared controls instead."
    )
    warnings.warn(text[0].upper() + text[1:], UserWarning, stacklevel=5)
    return text


def _refuse_label(cells: Cells, force: bool) -> None:
    design = cells.design
    given = design.to_dict().get("control")
    named = [given] if isinstance(given, str) else list(given or ())
    if design.label is None or design.label not in named or force:
        return
    raise ValueError(
        f"The controls (control={given!r}) are defined by the label to be predicted ('{design.label}'): normalising to "
        "them tells every cell something about its label. Name controls by another column than the label "
        "(control={column: value}), take all cells of each batch (control='all'), or accept it with force=True."
    )


def _same_as_label(cells: Cells, rows: np.ndarray) -> str:
    if cells.design.label is None:
        return ""
    labels = cells.labels
    inside = labels[rows].unique()
    if len(inside) == 1 and not (labels[~rows] == inside[0]).any():
        return f"the controls are exactly the cells labelled '{inside[0]}'"
    return ""
