"""Label swaps: units whose cells do not look like their label, as when wells were mixed up."""

from __future__ import annotations

import warnings

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.curate.label_errors import find_label_errors
from mlscope_nb.curate.swaps import suspected_swaps
from mlscope_nb.explore.copies import first_of_each
from mlscope_nb.risks.findings import ALL, Finding
from mlscope_nb.study.units import noun, plural

CHECK = "swapped units"


def label_swaps(cells: Cells, seed: int = 0) -> tuple[list[Finding], pd.DataFrame | None]:
    """Return the units that look like another class, and the table of all units.

    A cell that stands in its unit again with the same features counts once: the models know more of more cells.

    Parameters
    ----------
    cells : Cells
        With features, one label in each unit.
    seed : int
        Of the folds.
    """
    reason = _why_not(cells)
    if reason:
        return [Finding(CHECK, ALL, "untestable", reason, "")], None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            different = cells.subset(first_of_each(cells.table(), cells.units))
            errors = find_label_errors(different, given_per="unit", seed=seed)
        except ValueError as error:
            return [Finding(CHECK, ALL, "untestable", str(error), "")], None
    table = suspected_swaps(errors)
    word = noun(cells.design.unit)
    if not errors.attrs["recognised"]:
        return [Finding(CHECK, ALL, "untestable", errors.attrs["words"], "")], table
    flagged = table[table["flagged"]]
    if not len(flagged):
        reason = f"None of {count(len(table), word, plural(word))} looks more like another class than like its own."
        return [Finding(CHECK, ALL, "green", reason, "", 0.0)], table
    return [_finding(str(unit), row, flagged, word) for unit, row in flagged.iterrows()], table


def _finding(unit: str, row: pd.Series, flagged: pd.DataFrame, word: str) -> Finding:
    reason = (
        f"Labelled '{row['given']}', looks like '{row['suggested']}' (its label is right with p = {row['score']:.2g})."
    )
    partner = flagged.index[
        (flagged["given"].astype(str) == str(row["suggested"]))
        & (flagged["suggested"].astype(str) == str(row["given"]))
    ]
    if len(partner):
        reason += f" It may have been exchanged with '{partner[0]}'."
    step = f"Check this {word} against the protocol; do not relabel it by what it looks like."
    return Finding(CHECK, unit, "amber", reason, step, float(row["score"]))


def _why_not(cells: Cells) -> str:
    if cells.design.label is None or not cells.design.unit:
        return "Without a declared label and unit no unit can be said to be mixed up."
    labels = cells.labels
    known = labels.notna()
    if labels[known].nunique() < 2:
        return "Only one class: nothing could be mixed up."
    per_unit = labels[known].astype(str).groupby(cells.units[known]).nunique()
    if (per_unit > 1).any():
        return "Labels differ within units: single cells were labelled, see ms.curate.find_label_errors."
    if len(per_unit) == known.sum():
        return "Each row is a unit of its own: a row alone does not show that it was mixed up."
    if cells.features is None:
        return "There are neither features nor masks to measure them by: give features."
    return ""
