"""Probabilities as they are given: by a table, an evaluation or a model, brought to the order of the cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.feature_model import Classifier
from mlscope_nb.study.splits import CELL
from mlscope_nb.study.units import columns_of, groups, noun

Codes = NDArray[np.intp]
Source = pd.DataFrame | Evaluation | Classifier
TOLERANCE = 1e-3


def probabilities_of(source: Source, cells: Cells) -> pd.DataFrame:
    """Return the probabilities of these cells, in their order.

    Parameters
    ----------
    source : DataFrame, Evaluation or model
        Probabilities (one row per cell by id, one column per class), what `cross_validate` returned, or a model.
    cells : Cells
        Whose probabilities are wanted.

    Raises
    ------
    ValueError, TypeError
        Cells without probabilities, numbers that are no probabilities, or something else than a source.
    """
    if isinstance(source, Evaluation):
        table = source.probabilities
    elif isinstance(source, pd.DataFrame):
        table = source
    elif hasattr(source, "predict_proba"):
        table = source.predict_proba(cells)
    else:
        raise TypeError(
            f"Expected probabilities (a table, an Evaluation or a trained model), found {type(source).__name__}."
        )
    if not table.index.is_unique:
        raise ValueError(
            "Some ids stand twice in the table of probabilities, expected one row per cell. Keep one of them."
        )
    missing = cells.ids.difference(table.index, sort=False)
    if len(missing):
        raise ValueError(
            f"No probabilities for {count(len(missing), 'cell')}: {some(missing)}. Leave them out "
            "(cells.subset(probabilities.index)) or predict them too."
        )
    return checked(table.loc[cells.ids])


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table; raise a ValueError unless each row holds probabilities that sum to 1."""
    words = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
    if words:
        raise ValueError(
            f"Columns that hold no numbers: {some(words)}. Expected one column of probabilities for each class; of "
            "what cross_validate returned, give .probabilities or the whole, not .predictions."
        )
    values = table.to_numpy(np.float64)
    odd = ~(np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1))
    odd |= ~(np.abs(values.sum(axis=1) - 1) <= TOLERANCE)
    if table.shape[1] < 2 or odd.any():
        which = f"rows {some(table.index[odd])} do not" if odd.any() else "there is one class"
        raise ValueError(f"Probabilities of two or more classes that sum to 1 in each row are expected; {which}.")
    return table


def labelled(source: Source, cells: Cells) -> tuple[Cells, pd.DataFrame, Codes]:
    """Return the cells with a label, their probabilities, and the column of each one's class.

    Raises
    ------
    ValueError
        No label is declared, no cell has one, or a class is unknown to the model.
    """
    if cells.design.label is None:
        raise ValueError("No label is declared, so nothing can be compared. Name it: cells.with_design(label=…).")
    known = cells.subset(cells.ids[cells.labels.notna().to_numpy()])
    if not len(known):
        raise ValueError(f"No cell has a label in '{cells.design.label}'. Label some, or declare another column.")
    table = probabilities_of(source, known)
    return known, table, codes_of(known.labels, table.columns)


def codes_of(labels: pd.Series, classes: pd.Index) -> Codes:
    """Return the number of each label among the classes; raise a ValueError for one that is none of them."""
    found = pd.Index(classes, dtype=object).get_indexer(pd.Index(labels, dtype=object))
    unknown = pd.unique(labels[found < 0])
    if len(unknown):
        raise ValueError(
            f"No probabilities for the class {some(unknown)}; there are: {some(classes)}. Leave its cells out."
        )
    return np.asarray(found, dtype=np.intp)


def units_of(cells: Cells, by: Columns) -> tuple[pd.Series, str]:
    """Return what counts as one (the unit, unless `by` names another or "cell"), and the word for it.

    Raises
    ------
    ValueError
        No unit is declared and none is named.
    """
    if by == CELL:
        return pd.Series(cells.ids.astype(str), index=cells.ids), CELL
    if by is None and not cells.design.unit:
        raise ValueError(
            "No unit of independence is declared: cells of one well are right or wrong together, so counting cells "
            "promises too much. Name its column: cells.with_design(unit=…), or accept that by name: by='cell'."
        )
    return groups(cells, by), noun(columns_of(cells, by))


def unit_weights(units: NDArray[Any] | pd.Series) -> tuple[Floats, int]:
    """Return the weight of each cell, with which every unit weighs 1, and the number of units.

    Examples
    --------
    >>> unit_weights(np.array(["A", "A", "B"]))
    (array([0.5, 0.5, 1. ]), 2)
    """
    codes, names = pd.factorize(np.asarray(units))
    return np.asarray(1.0 / np.bincount(codes, minlength=len(names))[codes]), len(names)
