"""A filter is a bias too: does it take away more of one class, or of one plate, than of the rest?"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlscope_nb._align import aligned
from mlscope_nb._words import count, percent
from mlscope_nb.cells import Cells
from mlscope_nb.study import Interval, difference_interval, t_interval
from mlscope_nb.study._result import Result

LEVEL = 0.95


@dataclass(frozen=True)
class FilterBias(Result):
    """How often each class and each plate is flagged, and whether one is flagged more than the rest.

    Parameters
    ----------
    table : DataFrame
        One row per class and plate: ``kind``, ``name``, ``n_cells``, ``n_flagged``, ``n_units``, ``rate``, ``low`` and
        ``high`` (95 % interval over units), ``difference`` from the rest with ``difference_low`` and
        ``difference_high`` (at a level that allows for looking at several), ``warning``.
    warnings : tuple of str
        In words.
    """

    table: pd.DataFrame
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        flagged, cells = int(self.table.attrs["n_flagged"]), int(self.table.attrs["n_cells"])
        first = f"{flagged:,} of {count(cells, 'cell')} flagged ({percent(flagged / max(cells, 1), 1)})."
        if self.warnings:
            return "\n".join([first, *(textwrap.fill(warning, 100) for warning in self.warnings)])
        return f"{first} No class or plate is shown to lose more than the rest."

    def _repr_html_(self) -> str:
        head: str = super()._repr_html_()
        return head + str(self.table.round(4).to_html(index=False, escape=True))


def filter_bias(flags: pd.DataFrame | pd.Series, cells: Cells) -> FilterBias:
    """Report how often each class and plate is flagged, with intervals over units, and warn of a filter that picks.

    Parameters
    ----------
    flags : DataFrame with a column ``flagged``, or boolean Series
        As from `flag_quality`, one row per cell.
    cells : Cells
        With a declared unit; classes are the declared label (or treatment), plates the batch.

    Returns
    -------
    FilterBias
        A class counts as picked where the interval of its difference from the rest lies above 0; the level is raised by
        Bonferroni's rule for the number of classes (or plates) looked at.

    Raises
    ------
    ValueError, KeyError
        No unit is declared, or the flags do not fit the cells.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> cells, truth = ms.datasets.simulate(1, 4, 20, seed=1)
    >>> flags = (truth.obs["fault"] != "none").rename("flagged")
    >>> filter_bias(flags, cells).table["kind"].unique().tolist()
    ['class', 'plate']
    """
    column = flags[["flagged"]] if isinstance(flags, pd.DataFrame) and "flagged" in flags else flags
    if isinstance(column, pd.DataFrame) and list(column.columns) != ["flagged"]:
        raise KeyError("The flags have no column 'flagged'. Make them with ms.curate.flag_quality(cells).")
    found = aligned(column if isinstance(column, pd.DataFrame) else column.rename("flagged"), cells.ids, "the flags")
    rates = found["flagged"].astype(float)
    small, means = _of_units(rates, cells)
    rows = []
    for kind, groups in _kinds(cells).items():
        names = [g for g in pd.unique(groups) if pd.notna(g)]
        alike = groups.loc[small.ids]
        for name in names:
            here = groups == name
            counts = int(here.sum()), int(rates[here].sum())
            rows.append(_row(kind, name, counts, alike, means, small, len(names)))
    columns = ["kind", "name", "n_cells", "n_flagged", "n_units", "rate", "low", "high"]
    columns += ["difference", "difference_low", "difference_high", "warning"]
    table = pd.DataFrame(rows, columns=columns)
    table.attrs.update(n_flagged=int(rates.sum()), n_cells=len(rates))
    return FilterBias(table, tuple(w for w in table["warning"] if w))


def _kinds(cells: Cells) -> dict[str, pd.Series]:
    kinds = {}
    name = cells.design.label or cells.design.treatment
    if name is not None:
        kinds["class"] = cells.obs[name]
    if cells.design.batch:
        kinds["plate"] = cells.batches_of
    return kinds


def _of_units(rates: pd.Series, cells: Cells) -> tuple[Cells, pd.Series]:
    """Return one cell for each unit with the unit's mean; all cells where classes or plates differ within units.

    Intervals are over means of units, so they are the same and take a fraction of the time.
    """
    units = cells.units
    within = pd.DataFrame(_kinds(cells)).groupby(units).nunique(dropna=False)
    if units.isna().any() or (within > 1).any(axis=None):
        return cells, rates
    small = cells.subset(cells.ids[~units.duplicated()])
    means = rates.groupby(units).mean()
    return small, pd.Series(means.loc[units.loc[small.ids]].to_numpy(), index=small.ids, name=rates.name)


def _row(
    kind: str, name: object, counts: tuple[int, int], groups: pd.Series, means: pd.Series, small: Cells, n: int
) -> tuple[object, ...]:
    here = (groups == name).to_numpy()
    own = t_interval(means[here], small.units[here], level=LEVEL)
    other = _against_rest(here, means, small, kind, 1 - (1 - LEVEL) / max(n, 1)) if n > 1 else None
    warning = ""
    if other is not None and other.known and other.low > 0:
        warning = (
            f"The filter takes more of {kind} '{name}': {percent(own.estimate, 1)} flagged, {other.estimate * 100:.1f} "
            f"points more than of the rest (interval over units: {other.low * 100:.1f} to {other.high * 100:.1f}). "
            "Look at what it takes before leaving it out."
        )
    difference = (np.nan,) * 3 if other is None else (other.estimate, other.low, other.high)
    n_units = int(small.units[here].nunique())
    return (kind, name, *counts, n_units, own.estimate, own.low, own.high, *difference, warning)


def _against_rest(here: np.ndarray, rates: pd.Series, cells: Cells, kind: str, level: float) -> Interval:
    side = pd.Series(np.where(here, "this", "rest"), index=cells.ids, name="side")
    two = cells.with_obs(side).with_design(label="side", **({"batch": None} if kind == "plate" else {}))
    return difference_interval(rates, two, between=("rest", "this"), level=level)
