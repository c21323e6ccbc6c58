"""Planning: how many wells and plates find an effect, from what plates, wells and cells differ by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import percent, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.variances import Variances, variance_components
from mlscope_nb.study._result import number, plain
from mlscope_nb.study.intervals import MIN_UNITS, check_level
from mlscope_nb.study.units import plural

Target = Literal["wells", "plates"]
Layout = Literal["within", "between"]
PLATES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)
MOST_WELLS = 384
CAUTION = 0.8
"""How sure one wants to be that the variance is not larger than assumed (Browne 1995)."""


def power(
    pilot: Cells | Variances | Mapping[str, float],
    values: str | pd.Series | np.ndarray | None = None,
    *,
    effect: float,
    target: Target | None = None,
    layout: Layout = "within",
    n_plates: int | Sequence[int] | None = None,
    wells_per_plate: int | Sequence[int] | None = None,
    cells_per_well: float | None = None,
    wanted: float = 0.8,
    level: float = 0.95,
    most_wells: int = MOST_WELLS,
) -> pd.DataFrame:
    """Return how many wells and plates a comparison of two groups takes to find a stated effect.

    Wells are what is counted; cells only make the mean of their well less noisy. The test is Student's t: within plates
    (target "wells"), of the differences of plates (target "plates"), or of whole plates (layout "between").

    Parameters
    ----------
    pilot : Cells, Variances or mapping
        A pilot study with a declared unit (and batch and label), or variances: {"cells", "wells", "class_on_plate",
        "plates"}, in units of the measurement squared.
    values : Series or array (N,), or str
        The measurement, where the pilot is cells: a number for each, or the name of a feature or obs column.
    effect : float
        The difference of means that matters, in units of the measurement. State what would matter, not what a pilot
        happened to show: of many effects the one that is seen first is overestimated.
    target : {"wells", "plates"}, optional
        What the claim is about: new wells on these plates, or new plates too, on which the effect may differ. Default:
        "plates" where batches or variances of them are known.
    layout : {"within", "between"}
        Both groups on every plate, half of its wells each; or each plate with one group.
    n_plates : int or several, optional
        Numbers of plates to look at.
    wells_per_plate : int or several, optional
        Wells used on each plate. Default: the fewest that give the power that is wanted.
    cells_per_well : float, optional
        Cells measured in each well. Default: as in the pilot.
    wanted : float
        The power wanted: how often such a study finds the effect.
    level : float
        Confidence level of the test.
    most_wells : int
        Wells that a plate has.

    Returns
    -------
    DataFrame (one row per design)
        n_plates, wells_per_plate, n_wells, cells_per_well, power, power_cautious (with the 80 % upper limit of the
        variance, which a small pilot leaves wide; NaN where variances were given), enough. ``attrs["notes"]`` begins
        with the answer in a sentence; ``attrs["variances"]`` holds the components.

    Raises
    ------
    ValueError, TypeError
        No effect, variances that are none, a pilot without replicates, or designs that cannot be.

    References
    ----------
    Cohen 1988 (noncentral t); Browne 1995, Stat Med 14:1933 (upper limit of a pilot's variance); Lord et al. 2020,
    J Cell Biol 219:e202001064 (cells are no replicates). Held to simulated studies in ``tests/predict/test_power.py``.

    Examples
    --------
    >>> found = power({"cells": 1.0, "wells": 0.25}, effect=0.5, n_plates=[1, 2, 4], cells_per_well=40)
    >>> found[["n_plates", "wells_per_plate", "n_wells"]].to_numpy().tolist()
    [[1, 38, 38], [2, 20, 40], [4, 10, 40]]
    >>> found.attrs["notes"][0]
    'An effect of 0.50 is found with 80 % probability or more by 38 wells: 1 plate × 38 wells (19 of each group).'
    """
    check_level(level)
    if not math.isfinite(effect) or effect == 0:
        raise ValueError(f"effect is {effect}, expected the difference that matters, in units of the measurement.")
    if not 0 < wanted < 1 or layout not in get_args(Layout) or target not in (*get_args(Target), None):
        raise ValueError(
            f"wanted is {wanted} (expected a number between 0 and 1), layout '{layout}' ({some(get_args(Layout))}), "
            f"target '{target}' ({some(get_args(Target))})."
        )
    found = _variances(pilot, values)
    chosen = target or _default_target(found, layout)
    asked = _Comparison(found, float(effect), chosen, layout, _cells(cells_per_well, found), wanted, level)
    rows = [
        asked.row(plates, wells)
        for plates in _plates(n_plates, chosen, layout)
        for wells in (asked.fewest(plates, most_wells) if wells_per_plate is None else _given(wells_per_plate, layout))
    ]
    table = pd.DataFrame(rows)
    table.attrs["variances"] = plain(found.to_dict())
    table.attrs["notes"] = _said(table, asked, most_wells)
    options = {"effect": asked.effect, "target": chosen, "layout": layout, "wanted": wanted, "level": level}
    table.attrs["history"] = [_align.step("power", **options, cells_per_well=asked.cells_per_well)]
    return table


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Two groups to compare, and what their difference varies by."""

    variances: Variances
    effect: float
    target: Target
    layout: Layout
    cells_per_well: float
    wanted: float
    level: float

    def error(self, n_plates: int, wells: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the difference and its degrees of freedom, for wells per plate (an array)."""
        found, wells = self.variances, np.asarray(wells, float)
        of_well = found.of_well(self.cells_per_well)
        if self.layout == "between":
            each = found.plates + found.class_on_plate + of_well / wells
            return 4 / n_plates * each, np.full(wells.shape, n_plates - 2.0)
        own = of_well / (wells / 2)
        if self.target == "plates":
            return 2 / n_plates * (found.class_on_plate + own), np.full(wells.shape, n_plates - 1.0)
        return 2 / n_plates * own, n_plates * wells - n_plates - 1

    def fewest(self, n_plates: int, most: int) -> list[int]:
        """Return the fewest wells per plate that are enough, or the most there are."""
        step = 2 if self.layout == "within" else 1
        possible = np.arange(step, most + 1, step)
        enough = power_of_t(self.effect, *self.error(n_plates, possible), self.level) >= self.wanted
        return [int(possible[enough.argmax()]) if enough.any() else int(possible[-1])]

    def row(self, n_plates: int, wells: int) -> dict[str, Any]:
        """Return one design with its power."""
        variance, free = self.error(n_plates, wells)
        reached = float(power_of_t(self.effect, variance, free, self.level))
        return {
            "n_plates": n_plates,
            "wells_per_plate": wells,
            "n_wells": n_plates * wells,
            "cells_per_well": round(self.cells_per_well, 1),
            "power": reached,
            "power_cautious": float(power_of_t(self.effect, variance * self._upper(), free, self.level)),
            "enough": reached >= self.wanted,
        }

    def _upper(self) -> float:
        """Return by how much the variance may be larger than the pilot's estimate; NaN where it was given."""
        from scipy.stats import chi2

        of_wells = self.target == "wells" and self.layout == "within"
        free = self.variances.free_wells if of_wells else self.variances.free_plates
        return float(free / chi2.ppf(1 - CAUTION, free)) if math.isfinite(free) and free >= 1 else math.nan


def power_of_t(effect: float, variance: Any, free: Any, level: float = 0.95) -> np.ndarray:
    """Return how often a two-sided t test finds a difference whose estimate has this variance.

    Parameters
    ----------
    effect : float
        The true difference.
    variance, free : float or array
        Variance of the estimate, and degrees of freedom (none: 0).
    level : float
        Confidence level.

    Examples
    --------
    >>> power_of_t(0.5, 2 / 64, 126).round(3).tolist()
    0.801
    """
    from scipy.stats import nct, t

    variance, free = np.broadcast_arrays(np.asarray(variance, float), np.asarray(free, float))
    usable = free >= 1
    freedom = np.where(usable, free, 1.0)
    size = abs(effect) / np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    # Beyond such sizes the distribution has no digits left, and the answer is 1.
    size = np.minimum(size, 30.0)
    limit = t.ppf((1 + level) / 2, freedom)
    found = nct.sf(limit, freedom, size) + nct.cdf(-limit, freedom, size)
    return np.where(usable, np.clip(np.nan_to_num(found, nan=1.0), 0.0, 1.0), 0.0)


def _variances(pilot: Any, values: Any) -> Variances:
    if isinstance(pilot, Cells):
        if values is None:
            raise ValueError("Which measurement? Name a feature or obs column, or give one number per cell: values=….")
        return variance_components(values, pilot)
    if isinstance(pilot, Variances):
        return pilot
    if not isinstance(pilot, Mapping):
        raise TypeError(f"Expected a pilot study (Cells) or variances (a mapping), found {type(pilot).__name__}.")
    names = ("cells", "wells", "class_on_plate", "plates")
    unknown = [k for k in pilot if k not in names]
    if unknown or "wells" not in pilot:
        raise ValueError(f"Variances of {some(pilot)} found, expected 'wells' and any of {some(names)}.")
    return Variances(**{"cells": 0.0, **pilot})


def _default_target(found: Variances, layout: Layout) -> Target:
    over_plates = found.class_on_plate > 0 or (math.isfinite(found.free_plates) and found.free_plates >= 1)
    return "plates" if over_plates or layout == "between" else "wells"


def _cells(asked: float | None, found: Variances) -> float:
    k = found.cells_per_well if asked is None else float(asked)
    if math.isfinite(k) and k >= 1:
        return k
    if asked is None and found.cells == 0:
        return 1.0
    raise ValueError(f"cells_per_well is {asked}, expected how many cells are measured in each well (1 or more).")


def _plates(asked: int | Sequence[int] | None, target: Target, layout: Layout) -> list[int]:
    fewest = 2 * MIN_UNITS if layout == "between" else MIN_UNITS if target == "plates" else 1
    if asked is None:
        return [p for p in PLATES if p >= fewest and (layout == "within" or p % 2 == 0)]
    given = [asked] if isinstance(asked, int | np.integer) else list(asked)
    wrong = [p for p in given if p < fewest or (layout == "between" and p % 2)]
    if wrong or not given:
        kind = "an even number of plates, " if layout == "between" else ""
        raise ValueError(
            f"n_plates is {asked}: expected {kind}{fewest} or more, for a claim about new {target} (layout '{layout}')."
        )
    return sorted({int(p) for p in given})


def _given(asked: int | Sequence[int], layout: Layout) -> list[int]:
    step = 2 if layout == "within" else 1
    given = [asked] if isinstance(asked, int | np.integer) else list(asked)
    if not given or any(w < step or w % step for w in given):
        raise ValueError(
            f"wells_per_plate is {asked}, expected positive numbers"
            + (", even ones: half of the wells for each group." if step == 2 else ".")
        )
    return sorted({int(w) for w in given})


def _said(table: pd.DataFrame, asked: _Comparison, most: int) -> list[str]:
    found, about = asked.variances, f"new {asked.target}"
    size, share = number(abs(asked.effect)), f"{asked.wanted * 100:g} %"
    wells, plates = plural(found.unit), plural(found.batch)
    enough = table[table["enough"]]
    if enough.empty:
        best = f"the best reaches {percent(table['power'].max())}"
        lines = [f"No design of these finds an effect of {size} with {share} probability; {best}."]
    else:
        first = enough.sort_values(["n_wells", "n_plates"]).iloc[0]
        each = f" ({first['wells_per_plate'] // 2} of each group)" if asked.layout == "within" else ""
        on = f"{first['n_plates']} {found.batch if first['n_plates'] == 1 else plates}"
        lines = [
            f"An effect of {size} is found with {share} probability or more by {first['n_wells']:,} {wells}: "
            f"{on} × {first['wells_per_plate']} {wells}{each}."
        ]
    lines.append(f"The claim is about {about}; {found}")
    if asked.target == "wells" and asked.layout == "within":
        lines.append(f"On new {plates} the effect may differ; how much is not part of this (target='plates').")
    elif asked.layout == "within" and found.class_on_plate == 0:
        lines.append(f"No difference of the effect between {plates} is known or was seen: with any, more are needed.")
    if table["power_cautious"].notna().any():
        lines.append(
            f"The variances come from a pilot: 'power_cautious' is with the {percent(CAUTION)} upper limit of the "
            "variance."
        )
    if not table["enough"].all() and not enough.empty:
        lines.append(f"Rows that are not enough show what up to {most} {wells} reach.")
    return [*lines, *found.notes]
