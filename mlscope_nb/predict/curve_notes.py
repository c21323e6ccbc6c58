"""Words about a learning curve: what was measured, what is foreseen, and when not to rely on it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.predict.folds import Folds
from mlscope_nb.predict.intervals import score_interval
from mlscope_nb.study._result import number
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.units import noun, plural

MEASURED, FORESEEN = "measured", "foreseen"


def said(found: pd.DataFrame, folds: Folds, cells: Cells, word: str, grows: bool, level: float) -> list[str]:
    """Say how good it is, what is foreseen, and what the interval holds."""
    words = plural(word)
    last = found[found["kind"] == MEASURED].iloc[-1]
    lines = [
        f"Balanced accuracy with {last['n_units']:,} {words} to train on: {number(last['balanced_accuracy'], 0.1)}, "
        f"on {folds.target}."
    ]
    for row in found[found["kind"] == FORESEEN].to_dict("records"):
        value, low, high = (number(row[name], 0.1) for name in ("curve", "low", "high"))
        known = (
            f"{level * 100:g} % interval {low} to {high}"
            if np.isfinite(row["low"])
            else f"too few {words} to say how surely"
        )
        lines.append(
            f"Foreseen for {row['n_units']:,} ({row['n_study_units']:,} in the whole study): {value} ({known})."
        )
    batches = f"on the same {plural(noun(cells.design.batch))}, " if cells.design.batch else ""
    other = f"that other {words} would be trained{' and tested' if grows else ''} on"
    lines.append(
        f"The interval is about this study with more {words}, {batches}cross-validated in the same way: it holds the "
        f"error of the fitted curve and {other}."
    )
    return lines


def uneven(cells: Cells, units: pd.Series, unit: str) -> list[str]:
    """Say where batches lack classes, for then a curve cannot foresee what evenly spread units would bring."""
    if not cells.design.batch:
        return []
    known = cells.labels.notna()
    pairs = pd.DataFrame({"unit": units, "label": cells.labels.astype(object), "batch": cells.batches_of})[known]
    held = pairs.drop_duplicates().groupby(["label", "batch"], observed=True).size().unstack(fill_value=0)
    lacking = int((held == 0).sum().sum())
    words, word = plural(unit), noun(cells.design.batch)
    few = int(held.to_numpy().min())
    if lacking:
        return [
            f"Classes are spread unevenly: {count(lacking, f'pair of class and {word}', f'pairs of class and {word}')} "
            f"without a {unit}. A model then takes the {word} for the class in part, and {words} that fill the "
            "gaps may bring far more than the interval says."
        ]
    if few == 1:
        return [
            f"Some classes have one {unit} on a {word}, so that smaller studies inside this one lack classes on "
            f"some {plural(word)} and do worse for that: more {words} may bring less than the curve says."
        ]
    return []


def over_batches(table: pd.DataFrame, folds: Folds, n: int, words: str, seed: int) -> str:
    """Say how far the score of the largest size goes for new groups, which is another question."""
    classes = pd.Index(ordered(table["given"]), dtype=object)
    truth = classes.get_indexer(pd.Index(table["given"], dtype=object))
    right = (table["given"] == table["predicted"]).to_numpy(np.float64)
    found = score_interval(
        truth, right, table["group"], large=folds.large, word=folds.word, target=folds.target, seed=seed
    )
    more = f" More {words} do not narrow what {plural(folds.word)} differ by." if folds.large else ""
    return f"On {folds.target}, with {n:,} {words} to train on: {found}.{more}"
