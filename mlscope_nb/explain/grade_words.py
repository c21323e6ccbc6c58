"""What grades of maps say, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlscope_nb._words import percent

CANNOT_TELL = 0.5
"""Where a trivial map points into the evidence this often, pointing there says little about a network."""
NEAR_CHANCE = 0.05
"""Maps of networks that have forgotten point as guessing does when they are no farther from it."""


def verdict(table: pd.DataFrame, name: str, brightest: Mapping[str, float]) -> str:
    """Return what the row of a map says of it, beside trivial maps and the brightest place of each channel."""
    row: pd.Series = table.loc[name]  # type: ignore[assignment]
    if row["kind"] == "trivial":
        return "knows no network"
    best = row["best_trivial"]
    if table.loc[best, "pointing"] > CANNOT_TELL:
        return f"pointing cannot tell: '{best}' alone is right in {percent(table.loc[best, 'pointing'])}"
    if not np.isfinite(row["above_trivial_low"]):
        return f"too few units to say whether it points better than '{best}'"
    if row["above_trivial_low"] > 0:
        return f"points better than '{best}'{_but(brightest)}{_unlearned(row)}"
    if row["above_trivial_high"] < 0:
        return f"points worse than '{best}'"
    return f"not shown to point better than '{best}'"


def note(table: pd.DataFrame, brightest: Mapping[str, float], least: float | None, carries: int, *, units: bool) -> str:
    """Return what was graded, and what has to be known to read it.

    Parameters
    ----------
    least : float, optional
        The least effect of the cells that were graded, where effects were given.
    carries : int
        How many cells have evidence.
    units : bool
        Whether there are units, and so intervals.
    """
    row = table.iloc[0]
    which = (
        "used by the network or not"
        if least is None
        else f"those that lose at least {least:g} logit{'' if least == 1 else 's'} without their cue"
    )
    said = [
        f"Graded: {int(row['n_cells']):,} of {carries:,} cells with evidence ({percent(row['graded'])}), {which}. "
        f"Guessing points right in {percent(row['chance'], 1)}."
    ]
    channel, easy = _easiest(brightest)
    if easy > CANNOT_TELL:
        said.append(
            f"The brightest place of '{channel}' alone is right in {percent(easy)}: pointing cannot tell there whether "
            "a map shows what the network has learned or what is bright."
        )
    if "forgotten" in table:
        said.append(_without_learning(table))
    return " ".join(said if units else [*said, "No units were given, so there are no intervals."])


def _but(brightest: Mapping[str, float]) -> str:
    channel, easy = _easiest(brightest)
    return f", but so does the brightest place of '{channel}' ({percent(easy)})" if easy > CANNOT_TELL else ""


def _unlearned(row: pd.Series) -> str:
    """Return how much of the pointing needs nothing learned, where that is more than guessing."""
    without = row.get("forgotten", np.nan)
    if not without - row["chance"] > NEAR_CHANCE:
        return ""
    if row["learned_low"] > 0:
        return f"; {percent(without)} are right without anything learned"
    return f"; not shown to owe that to learning: without it {percent(without)} are right"


def _easiest(brightest: Mapping[str, float]) -> tuple[str, float]:
    channel = max(brightest, key=lambda name: brightest[name])
    return channel, brightest[channel]


def _without_learning(table: pd.DataFrame) -> str:
    """Return which methods point by themselves, without anything learned."""
    far = table.index[(table["forgotten"] - table["chance"]).abs() > NEAR_CHANCE]
    if not len(far):
        return f"Maps of networks that have forgotten point right as often as guessing, within {NEAR_CHANCE:g}."
    best = table["best_trivial"].iloc[0]
    each = ", ".join(f"{name} ({percent(table.loc[name, 'forgotten'])})" for name in far)
    return (
        f"Of networks that have forgotten, these do not point as guessing does: {each}; '{best}' alone is right in "
        f"{percent(table.loc[best, 'pointing'])}. So much of their pointing is the picture's own: `learned` is the "
        "rest."
    )
