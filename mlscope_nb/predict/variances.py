"""Variances: how much of what is measured differs between plates, between wells of a plate and between cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explore.copies import first_of_each
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.units import paired, plural


@dataclass(frozen=True)
class Variances(Result):
    """Variance components of one measurement, in its units squared.

    Parameters
    ----------
    cells : float
        Between cells of one well.
    wells : float
        Between wells of one class on one plate, apart from what their cells make.
    class_on_plate : float
        Between plates in what tells a class from the others: the effect differs from plate to plate by twice that.
    plates : float
        Between plates, for all classes alike.
    cells_per_well : float
        Harmonic mean, in the pilot.
    free_wells, free_plates : float
        Degrees of freedom that the pilot has for wells and for plates; NaN where values were given, not estimated.
    unit, batch : str
        The words for a well and a plate.
    notes : tuple of str
        What a reader has to know.
    """

    cells: float
    wells: float
    class_on_plate: float = 0.0
    plates: float = 0.0
    cells_per_well: float = math.nan
    free_wells: float = math.nan
    free_plates: float = math.nan
    unit: str = "well"
    batch: str = "plate"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("cells", "wells", "class_on_plate", "plates"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"The variance of {name} is {value}, expected a number of 0 or more.")

    def of_well(self, cells_per_well: float) -> float:
        """Return the variance of the mean of a well with so many cells."""
        return self.wells + self.cells / cells_per_well

    def __str__(self) -> str:
        parts = {
            f"{self.batch}": self.plates,
            f"class on {self.batch}": self.class_on_plate,
            self.unit: self.wells,
            "cell": self.cells,
        }
        found = ", ".join(f"{name} {number(math.sqrt(value))}" for name, value in parts.items())
        return f"Standard deviations: {found}."


def variance_components(values: str | pd.Series | np.ndarray, cells: Cells) -> Variances:
    """Estimate how much a measurement differs between plates, wells and cells, from a pilot study.

    Cells count through the mean of their well alone, so copies of cells change no variance of well means, and a cell
    that stands there again with the same features (without features: the same value; but not where all are whole
    numbers) is left out, for it would make the mean of a well seem better known. Estimates are of the analysis of
    variance on well means (unweighted); negative ones count as 0.

    Parameters
    ----------
    values : Series or array (N,), or str
        One number per cell, or the name of a feature or obs column.
    cells : Cells
        With a declared unit; batch and label are taken into account where declared.

    Raises
    ------
    ValueError
        No two units of the same class in one batch, or labels that vary within units.

    References
    ----------
    Searle, Casella & McCulloch 1992, Variance Components, on the analysis of variance of unweighted means.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCCDD"), "plate": list("11112222")}, index=list("abcdefgh"))
    >>> found = variance_components(np.array([1.0, 3, 2, 4, 6, 8, 7, 9]), Cells(obs, unit="well", batch="plate"))
    >>> found.cells, found.wells, found.plates
    (2.0, 0.0, 12.25)
    """
    from mlscope_nb.study.intervals import unit_word

    wells, notes = _wells(values, cells)
    inside = float(wells["squares"].sum() / free) if (free := float((wells["n"] - 1).sum())) > 0 else 0.0
    if not free:
        notes.append("One value per unit: what cells of a unit differ by is part of the units' variance.")
    groups = wells.groupby(["batch", "label"], observed=True)["mean"]
    free_wells = len(wells) - groups.ngroups
    unit = unit_word(cells)
    if free_wells < 1:
        raise ValueError(
            f"No two {plural(unit)} of the same class on one batch, so nothing says what {plural(unit)} differ by. "
            "A pilot needs replicates."
        )
    between = float((wells["mean"] - groups.transform("mean")).pow(2).sum() / free_wells)
    own = max(between - inside * float((1 / wells["n"]).mean()), 0.0)
    classes, plates, free_plates = _over_batches(groups, between, notes) if cells.design.batch else (0.0, 0.0, 0.0)
    if not cells.design.batch:
        notes.append("No batch is declared: what plates differ by is not known, and taken as nothing.")
    harmonic = 1 / float((1 / wells["n"]).mean())
    word = unit_word(cells.batches_of) if len(cells.design.batch) == 1 else "batch"
    return Variances(inside, own, classes, plates, harmonic, free_wells, free_plates, unit, word, tuple(notes))


def _wells(values: str | pd.Series | np.ndarray, cells: Cells) -> tuple[pd.DataFrame, list[str]]:
    """Return n, mean, sum of squares, label and batch of each unit with a value."""
    numbers, units = paired(values, cells)
    known = numbers.notna()
    labels = cells.labels if cells.design.label is not None else pd.Series("", index=cells.ids)
    known &= labels.notna()
    batch = cells.batches_of if cells.design.batch else pd.Series("", index=cells.ids)
    n_known = int(known.sum())
    known &= _first_of_copies(cells, numbers, units)
    table = pd.DataFrame({"value": numbers, "unit": units, "label": labels.astype(object), "batch": batch})[known]
    if not len(table):
        raise ValueError("No cell has both a value and a label: there is nothing to estimate variances from.")
    varying = table.groupby("unit")[["label", "batch"]].nunique().max(axis=1)
    if (varying > 1).any():
        raise ValueError(
            f"{count(int((varying > 1).sum()), 'unit')} with several classes or batches: "
            f"{some(varying.index[varying > 1])}. Power is about groups of whole units: declare the unit that was "
            "treated."
        )
    grouped = table.groupby("unit", sort=True)
    found = grouped[["label", "batch"]].first()
    found["n"], found["mean"] = grouped.size(), grouped["value"].mean()
    found["squares"] = (table["value"] - grouped["value"].transform("mean")).pow(2).groupby(table["unit"]).sum()
    lacking, copies = len(cells) - n_known, n_known - len(table)
    notes = [f"{count(lacking, 'cell')} without a value or label left out."] if lacking else []
    return found, [*notes, f"{count(copies, 'copy', 'copies')} of cells left out."] if copies else notes


def _first_of_copies(cells: Cells, numbers: pd.Series, units: pd.Series) -> NDArray[np.bool_]:
    """Return False for each cell that stands above in its unit already."""
    features = pd.DataFrame(index=cells.ids) if cells.features is None else cells.features
    known = features.assign(**{"the value": numbers})
    whole = known.select_dtypes("number").dropna(axis=1, how="all").mod(1).fillna(0)
    if not whole.to_numpy().any():
        return np.ones(len(known), bool)  # counts are equal without being copies
    return first_of_each(known, units)


def _over_batches(groups: Any, between: float, notes: list[str]) -> tuple[float, float, float]:
    """Return the variances of classes on plates and of plates, with the degrees of freedom for them."""
    means = groups.mean().unstack("label")
    share = float((1 / groups.size()).mean())
    if len(means) < 2:
        notes.append("One batch only: what batches differ by is not known, and taken as nothing.")
        return 0.0, 0.0, 0.0
    plates, rest, free = _additive(means.to_numpy(np.float64))
    held = float(means.notna().sum(axis=1).mean())
    if free < 1:
        notes.append(
            "No two batches hold the same two classes: how much an effect differs from batch to batch is not known, "
            "and taken as nothing. For new batches that promises too much."
        )
        return 0.0, max(float(plates.var(ddof=1)) - between * share / held, 0.0), len(means) - 1
    spread = rest / free
    return max(spread - between * share, 0.0), max(float(plates.var(ddof=1)) - spread / held, 0.0), free


def _additive(means: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Return the plate effects of an additive fit of plates and classes, the squares left over, and their number."""
    rows, columns = np.nonzero(np.isfinite(means))
    n_plates, n_classes = means.shape
    design = np.zeros((len(rows), n_plates + n_classes - 1))
    design[np.arange(len(rows)), rows] = 1
    later = columns > 0
    design[np.flatnonzero(later), n_plates + columns[later] - 1] = 1
    y = means[rows, columns]
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    free = len(rows) - int(np.linalg.matrix_rank(design))
    return weights[:n_plates], float(((y - design @ weights) ** 2).sum()), free
