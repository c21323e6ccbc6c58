"""Structure: is there more than one group at all?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._align import step
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.explore.directions import DIRECTIONS_OF_CELLS, MOST_DIRECTIONS, flattest, principal_axes
from mlscope_nb.explore.dispersion import PER_GROUP, gap
from mlscope_nb.explore.grouping import CLIPPED, GroupSpace, Of, group_space
from mlscope_nb.explore.nulls import CopulaNull
from mlscope_nb.study._result import Result
from mlscope_nb.study.units import plural

Floats = NDArray[np.float64]
MOST_FEATURES = 300
"""With more features the null of cells is drawn in their leading principal components."""
MOST_CELLS = 800
"""Cells compared with the null where groups of cells are meant; drawn at random from more."""


@dataclass(frozen=True)
class Structure(Result):
    """Whether points fall into groups more than points of one group do.

    Parameters
    ----------
    p_value : float
        Share of simulated studies of one group (and the data) that fall apart as much.
    statistic : float
        How much tighter the groups are than the null's, in its standard deviations.
    n_groups : int
        The number of groups that the gap suggests; 1 where the null explains the data.
    of : str
        What was grouped: "units" or "cells".
    n_points, n_null : int
        Points compared, and nulls drawn.
    alpha : float
        Below or at this p-value it is called more than one group.
    gaps : DataFrame
        The gap for each number of groups, with its error.
    notes : tuple of str
        What a reader has to know.
    flat : bool
        Groups show most in the directions whose middle is emptiest, not in those in which cells vary most.

    Examples
    --------
    >>> print(Structure(0.62, -0.3, 1, "units", 48, 99, 0.05))
    One group explains these 48 units: 61 of 99 studies of one group fall apart as much (p = 0.62). That is no proof \
that there is only one; groups may be too alike or too few for this test.
    """

    p_value: float
    statistic: float
    n_groups: int
    of: str
    n_points: int
    n_null: int
    alpha: float
    gaps: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()
    flat: bool = False

    @property
    def more_than_one(self) -> bool:
        """True where one group does not explain the data."""
        return self.p_value <= self.alpha

    def __str__(self) -> str:
        what = count(self.n_points, self.of.removesuffix("s"), plural(self.of.removesuffix("s")))
        as_much = round(self.p_value * (self.n_null + 1)) - 1
        figure = f"{as_much} of {self.n_null} studies of one group fall apart as much (p = {self.p_value:.2g})"
        if self.more_than_one:
            said = f"More than one group: these {what} form some {self.n_groups} groups; {figure}."
        else:
            said = (
                f"One group explains these {what}: {figure}. That is no proof that there is only one; "
                "groups may be too alike or too few for this test."
            )
        return " ".join([said, *self.notes])


def structure(
    cells_or_table: Cells | pd.DataFrame,
    *,
    of: Of = "auto",
    n_null: int = 99,
    alpha: float = 0.05,
    seed: int = 0,
) -> Structure:
    """Ask whether there is more than one group, against a null that is unimodal with the same marginals and covariance.

    With 16 declared units or more the question is whether units (wells, donors) form groups: they are independent, and
    cells of one well are not. Batches are put on the median of their units first. Groups of cells that are in every
    unit alike (cell types, phases of the cycle) are asked for with ``of="cells"``; without units, cells are taken as
    independent.

    What is not one straight cloud is called groups, gaps or not: a continuum that is bent (a rolled sheet, a ring of
    phases) is cut into pieces too, for its pieces lie tighter than in a cloud of the same covariance. Look at the map
    before pieces are given names.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; see `group_space` for what is done to them.
    of : {"auto", "units", "cells"}
        Groups of units, or groups of cells within units.
    n_null : int
        Nulls; the least p-value is 1 / (n_null + 1).
    alpha : float
        The error accepted: at or below this p-value it is called more than one group.
    seed : int
        Seed of the nulls.

    Raises
    ------
    ValueError
        Too few cells or nulls, or nothing varies.

    References
    ----------
    The gap of Tibshirani, Walther & Hastie (2001) as a test, as SigClust (Liu et al. 2008) has one for two groups.

    Examples
    --------
    >>> numbers = pd.DataFrame(np.random.default_rng(1).normal(size=(60, 3)))
    >>> structure(numbers).more_than_one
    False
    """
    if n_null < 19 or not 0 < alpha < 1:
        raise ValueError(f"n_null={n_null}, alpha={alpha}: expected 19 nulls or more and an alpha between 0 and 1.")
    return of_space(group_space(cells_or_table, of=of, seed=seed), n_null=n_null, alpha=alpha, seed=seed)


def of_space(space: GroupSpace, *, n_null: int, alpha: float, seed: int) -> Structure:
    """Return the answer for cells that are points already."""
    notes = list(space.notes)
    if space.of == "units":
        points = _enough(space.unit_points)
        found = gap(points, n_null=n_null, seed=seed)
    else:
        rows = _sample(len(space.scaled), seed)
        if len(rows) < len(space.scaled):
            notes.append(f"{MOST_CELLS} of {len(space.scaled):,} cells, drawn at random, are compared.")
        uncut = space.scaled[rows] + space.beyond[rows].toarray()
        points = _enough(_leading(np.clip(uncut, -CLIPPED, CLIPPED), seed))
        draw = _null_of_features(uncut, seed)
        found = gap(points, draw, (np.asarray, lambda values: values @ flattest(values)), n_null=n_null, seed=seed)
    n_groups = max(2, found.n_groups) if found.p_value <= alpha else 1
    table = found.table.copy()
    table.attrs["history"] = [step("structure", of=space.of, n_null=n_null, alpha=alpha, seed=seed)]
    return Structure(
        p_value=found.p_value,
        statistic=found.statistic,
        n_groups=n_groups,
        of=space.of,
        n_points=len(points),
        n_null=n_null,
        alpha=alpha,
        gaps=table,
        notes=tuple(notes),
        flat=found.layout == 1,
    )


def _enough(points: Floats) -> Floats:
    if len(points) < 2 * PER_GROUP:
        raise ValueError(f"{len(points)} points are too few to look for groups, expected at least {2 * PER_GROUP}.")
    return points


def _sample(n: int, seed: int) -> NDArray[np.intp]:
    if n <= MOST_CELLS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_CELLS, replace=False))


def _leading(scaled: Floats, seed: int) -> Floats:
    centred = scaled - scaled.mean(axis=0)
    points: Floats = centred @ principal_axes(centred, DIRECTIONS_OF_CELLS, seed)
    return points


def _null_of_features(uncut: Floats, seed: int) -> Callable[[int], Floats]:
    """Return what draws a null in the features themselves, and lays it out as the cells are.

    A null of principal components would not do: where features are skewed, so that components depend on each other in
    other ways than by covariance, one group would look like several. Nor would one of features already cut:
    the cells at the end of a cut tail would be a second peak.
    """
    if uncut.shape[1] > MOST_FEATURES:
        cut = np.clip(uncut, -CLIPPED, CLIPPED)
        null = CopulaNull(cut @ principal_axes(cut, MOST_DIRECTIONS, seed), one_peak=True)
    else:
        null = CopulaNull(uncut, one_peak=True, limit=CLIPPED)
    return lambda s: _leading(null.draw(s), seed)
