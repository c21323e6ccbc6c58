"""Group identity: can a model recognise the batch of a control, or the unit of a single cell?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import percent, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.probes import linear_probe
from mlscope_nb.risks.confounding import SAMPLING
from mlscope_nb.risks.findings import ALL, Finding, interval_words
from mlscope_nb.risks.recognition import recognise
from mlscope_nb.risks.trial import is_replicated, trial
from mlscope_nb.study.units import noun, plural

BATCH, UNIT = "batch from controls", "unit from cells"
KEY = "mlscope_batch"
ALPHA, UNEVEN = 0.05, 0.5
"""Shares of a class may differ between batches by so much of their mean before the batch can give the class away."""


def batch_from_controls(cells: Cells, table: pd.DataFrame, n: int, seed: int) -> list[Finding]:
    """Return for each batch whether its control cells are recognised, with whole units held out.

    That is amber where classes lie unevenly on batches, and green where each batch holds the classes in like shares:
    the batch then says nothing of the class.

    Parameters
    ----------
    cells : Cells
    table : DataFrame (N, P)
        What is known of each cell.
    n, seed : int
        Exchanges of batches between control units, and their seed.
    """
    reason = _why_not(cells)
    if reason:
        return [Finding(BATCH, ALL, "untestable", reason, "")]
    chosen = cells.ids[cells.controls.to_numpy()] if cells.design.control is not None else cells.ids
    part = cells.subset(chosen).with_obs(cells.batches_of[chosen].rename(KEY))
    made = trial(part.with_design(label=KEY, batch=None, control=None, treatment=None), n, seed)
    if isinstance(made, str):
        return [Finding(BATCH, ALL, "untestable", made, "More control units in each batch are needed.")]
    found = recognise(table.loc[made.cells.ids], made).table
    return [_of_batch(str(name), row, cells) for name, row in found.iterrows()]


def unit_from_cells(cells: Cells, table: pd.DataFrame, seed: int) -> Finding:
    """Return how much more often than by chance a cell's unit is recognised by other cells of it, within its batch.

    Parameters
    ----------
    cells : Cells
    table : DataFrame (N, P)
        What is known of each cell.
    seed : int
        Of the halves into which the cells of each unit are dealt.
    """
    if not is_replicated(cells) or len(cells) == cells.units.nunique():
        return Finding(UNIT, ALL, "untestable", "No unit is declared that several cells share.", "")
    units = cells.units
    codes, names = pd.factorize(units, sort=True)
    if len(names) < 2:
        return Finding(UNIT, ALL, "untestable", f"There is one {noun(cells.design.unit)} only.", "")
    half = pd.Series(np.random.default_rng(seed).random(len(codes))).groupby(codes).rank().to_numpy() % 2 == 0
    rows = [np.flatnonzero(half), np.flatnonzero(~half)]
    values = table.to_numpy(np.float64)
    batch = cells.batches_of if cells.design.batch else pd.Series("all", cells.ids)
    values = values - table.groupby(batch.to_numpy()).transform("mean").to_numpy()
    said = linear_probe(values, codes[:, None], [(rows[0], rows[1]), (rows[1], rows[0])])[:, 0]
    hits = float(pd.Series(said == codes).groupby(codes).mean().mean())
    chance = 1 / len(names)
    word = noun(cells.design.unit)
    reason = (
        f"A cell's {word} is recognised by other cells of it in {percent(hits, 1)} of cases, {percent(chance, 1)} by "
        f"chance: {'a random split over cells would reward that' if hits > 2 * chance else 'little'}."
    )
    return Finding(UNIT, ALL, "green", reason, f"Split by {plural(word)}, never by cells.", hits / chance)


def _why_not(cells: Cells) -> str:
    if not cells.design.batch or not is_replicated(cells):
        return "No batch and unit are declared: nothing says which cells were made together."
    if cells.batches_of.nunique() < 2:
        return "There is one batch only."
    if cells.design.control is not None and cells.controls.groupby(cells.units).any().sum() < 2:
        return "There is one control unit only."
    return ""


def _of_batch(name: str, row: pd.Series, cells: Cells) -> Finding:
    who = "controls" if cells.design.control is not None else "cells (no control is declared)"
    told = (
        f"AUROC {interval_words(float(row['auroc']), float(row['low']), float(row['high']))}, p = {row['p_value']:.2g}"
    )
    numbers = (float(row["auroc"]), float(row["low"]), float(row["high"]), float(row["p_value"]))
    if row["smallest_p"] > ALPHA or not np.isfinite(row["low"]):
        reason = f"Too few control units to say whether '{name}' is recognised ({told})."
        return Finding(BATCH, name, "untestable", reason, "More control units in each batch are needed.", *numbers)
    if row["p_value"] > ALPHA:
        return Finding(BATCH, name, "green", f"Its {who} are not told from those of others: {told}.", "", *numbers)
    uneven = uneven_classes(cells, name)
    words = f"Its {who} are told from those of others: {told}"
    if uneven:
        reason = f"{words}; and it holds other shares of {some(uneven, 4)} than the rest, so that it gives them away."
        step = "Compare within batches, normalise to the controls of each, and hold whole batches out."
        return Finding(BATCH, name, "amber", reason, step, *numbers, SAMPLING)
    reason = f"{words}; it holds all classes in about the shares of the rest, so that it gives none away."
    return Finding(BATCH, name, "green", reason, "Normalise to the controls of each batch all the same.", *numbers)


def uneven_classes(cells: Cells, batch: str) -> list[str]:
    """Return the classes whose share of a batch's units is far from that in all others."""
    if cells.design.label is None:
        return []
    frame = pd.DataFrame({"label": cells.labels, "unit": cells.units, "here": cells.batches_of == batch}).dropna()
    units = frame.drop_duplicates(["label", "unit"])
    table = pd.crosstab(units["label"].astype(str), units["here"]).astype(float)
    if table.shape[1] < 2:
        return []
    share = table / table.sum()
    expected = table.sum(axis=1) / table.to_numpy().sum()
    # Whole units cannot be dealt more evenly than one more or less.
    slack = np.maximum(UNEVEN * expected * table[True].sum(), 1.5)
    return list(table.index[(share[True] - expected).abs() * table[True].sum() > slack])
