"""What counterfactuals find: how often a region turns the answer, and which region decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.intervals import Interval, of_share, t_interval
from mlscope_nb.study.units import plural

PASTE, SHAM, REMOVE = "paste", "sham", "remove"
AS_GOOD = 0.1
"""Of regions whose flip rates differ by no more than this, the smallest one is named."""


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactual(Result):
    """What happens to a network's answer when regions are exchanged or removed.

    Parameters
    ----------
    table : DataFrame
        One row per region and class (target): n_cells, n_units; flip_rate, flip_low, flip_high (cells of other classes
        that are taken for the target once they have the region of one of its cells); sham_rate (with the region of a
        cell of their own class); increase, increase_low, increase_high (flip_rate minus sham_rate); change,
        change_low, change_high (of the log odds of the target when pasted); removed_rate, removed_low, removed_high
        (cells of the target that are no longer taken for it without the region); removed_change; area (share of what
        the network reads); outside (True: no part of the cell).
    per_cell : DataFrame
        One row per cell, region and edit ("paste", "sham", "remove"): cell_id, donor, unit, given, target, said_before,
        said_after, before and after (log odds of the target), change, flipped.
    deciding : DataFrame
        By class: region (the smallest of those that turn most cells into it), flip_rate, increase with its interval,
        outside, area. Classes that no region turns cells into are not there.
    n_cells : int
        How many cells were asked.
    unit : str
        The word for what the intervals rest on.
    level : float
        Their level.
    notes : tuple of str
        What a reader has to know.
    """

    table: pd.DataFrame
    per_cell: pd.DataFrame
    deciding: pd.DataFrame
    n_cells: int
    unit: str
    level: float
    notes: tuple[str, ...] = ()

    @property
    def shortcuts(self) -> pd.DataFrame:
        """Classes for which a region without a part of the cell decides."""
        return self.deciding[self.deciding["outside"].astype(bool)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but single cells as plain values."""
        found = super().to_dict()
        found.pop("per_cell")
        return found

    def __str__(self) -> str:
        lines = [
            f"What turns the answer, in {count(self.n_cells, 'cell')}, by regions put into cells of other classes:"
        ]
        order = self.deciding.sort_values(["outside", "flip_rate"], ascending=False, kind="stable")
        lines += [self._line(target, row) for target, row in order.iterrows()]
        silent = [t for t in pd.unique(self.table["target"]) if t not in self.deciding.index]
        if silent:
            lines.append(f"No region alone turns cells into {', '.join(repr(str(t)) for t in silent)}.")
        return "\n".join([*lines, *self.notes])

    def _line(self, target: Any, row: pd.Series) -> str:
        ends = ""
        if np.isfinite(row["flip_low"]):
            over = count(int(row["n_units"]), self.unit, plural(self.unit))
            ends = f" ({self.level * 100:g} % interval over {over}: {row['flip_low']:.2f} to {row['flip_high']:.2f})"
        what = (
            f"'{target}': the {row['region']} decides. With that of a '{target}' cell, {row['flip_rate']:.2f} of other "
            f"cells are taken for '{target}'{ends}; with that of a cell of their own class {row['sham_rate']:.2f}."
        )
        if np.isfinite(row["removed_rate"]):
            what += f" Without it {number(row['removed_rate'], 0.1)} of '{target}' cells no longer are."
        return what + (" No part of the cell lies there: this is a shortcut." if row["outside"] else "")


def summary(
    per_cell: pd.DataFrame, area: Mapping[str, float], outside: Mapping[str, bool], level: float
) -> pd.DataFrame:
    """Return one row per region and class, with intervals over units."""
    rows = []
    for region in area:
        of_region = per_cell[per_cell["region"] == region]
        for target in sorted(pd.unique(of_region["target"]), key=str):
            part = of_region[of_region["target"] == target]
            pasted, sham, removed = (part[part["edit"] == e].reset_index(drop=True) for e in (PASTE, SHAM, REMOVE))
            if pasted.empty:
                continue
            flips = pasted["flipped"].astype(float)
            rows.append({
                "region": region, "target": target, "n_cells": len(pasted), "n_units": pasted["unit"].nunique(),
                **_ends("flip", "flip_rate", flips, pasted["unit"], level, (0, 1)),
                "sham_rate": _ends("sham", "rate", sham["flipped"].astype(float), sham["unit"], level, (0, 1))["rate"],
                **_ends("increase", "increase", flips - sham["flipped"].astype(float), pasted["unit"], level, (-1, 1)),
                **_ends("change", "change", pasted["change"], pasted["unit"], level),
                **_ends("removed", "removed_rate", removed["flipped"].astype(float), removed["unit"], level, (0, 1)),
                "removed_change": removed["change"].groupby(removed["unit"]).mean().mean() if len(removed) else np.nan,
                "area": area[region], "outside": outside[region],
            })  # fmt: skip
    return pd.DataFrame(rows)


def deciding(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each class the smallest of the regions that turn most cells into it, more than the sham does."""
    columns = [
        "region", "flip_rate", "flip_low", "flip_high", "sham_rate", "increase", "increase_low", "increase_high",
        "removed_rate", "n_units", "area", "outside",
    ]  # fmt: skip
    rows = {}
    for target, part in table.groupby("target", sort=False):
        # Without an interval (fewer than three units) the estimate has to do.
        sure = part["increase_low"].where(part["increase_low"].notna(), part["increase"])
        able = part[(sure > 0) & (part["increase"] > AS_GOOD)]
        if len(able):
            best = able[able["increase"] >= able["increase"].max() - AS_GOOD]
            rows[target] = best.sort_values("area", kind="stable").iloc[0][columns]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("target")


def _ends(
    name: str, estimate: str, values: pd.Series, units: pd.Series, level: float,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> dict[str, float]:  # fmt: skip
    if not len(values):
        return {estimate: np.nan, f"{name}_low": np.nan, f"{name}_high": np.nan}
    found: Interval = t_interval(values.to_numpy(), units.to_numpy().astype(str), level=level)
    if bounds == (0.0, 1.0):
        low, high = of_share(found)
    else:
        low, high = (float(np.clip(end, *bounds)) for end in (found.low, found.high))
    return {estimate: found.estimate, f"{name}_low": low, f"{name}_high": high}
