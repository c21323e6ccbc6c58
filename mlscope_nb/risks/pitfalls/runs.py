"""Irreproducible runs: choices that nobody wrote down, made again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import draw, layout
from mlscope_nb.risks.pitfalls.scores import discriminant

STUDIES = 20
TWO = ("granular", "bundled")
WEAK = 0.5
CHOICES = ("which cells are left out", "scale", "training cells", "features")


class Study(NamedTuple):
    """Cells with two classes to learn from, and cells to be called."""

    values: np.ndarray
    second: np.ndarray
    new: np.ndarray


def irreproducible_runs(dose: float, seed: int) -> Found:
    """Run an analysis twice when `dose` of its four choices were not written down."""
    missing = round(dose)
    rows = []
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 17, study])
        cells = draw(layout(1, TWO, 8), 8, rng, strength=WEAK)
        new = draw(layout(1, TWO, 8), 8, rng, strength=WEAK).table().to_numpy()
        known = Study(cells.table().to_numpy(), (cells.labels == TWO[1]).to_numpy(), new)
        written = rng.integers(2**31, size=len(CHOICES))
        pairs = {}
        for arm, forgotten in (("forgotten", missing), ("written down", 0)):
            chosen = [np.r_[rng.integers(2**31, size=forgotten), written[forgotten:]] for _ in range(2)]
            pairs[arm] = float((_calls(known, chosen[0]) != _calls(known, chosen[1])).mean())
        order = rng.permutation(len(known.values)) if missing else np.arange(len(known.values))
        once, again = (discriminant(known.values[o], known.second[o]) for o in (np.arange(len(order)), order))
        pairs["order of rows"] = float(((new @ once[0] > once[1]) != (new @ again[0] > again[1])).mean())
        rows.append(pairs)
    table = pd.DataFrame(rows)
    named = ", ".join(CHOICES[:missing]) or "nothing"
    sentence = (
        f"Not written down: {named}. Run again, {percent(table['forgotten'].mean())} of the cells got another name; "
        f"with every choice and seed written down {percent(table['written down'].mean())}."
    )
    figures = [over_repeats(table[c]) for c in table]
    return Found(figures[0], figures[1], figures[2], sentence, {"studies": table})


def _calls(study: Study, choices: np.ndarray) -> np.ndarray:
    """Which class each new cell is called by an analysis with these choices (a seed for each)."""
    left_out, scale, cells, features = (np.random.default_rng(int(c)) for c in choices)
    n, p = study.values.shape
    rows = cells.permutation(n)[: round(0.85 * n)]
    columns = np.sort(features.permutation(p)[: round(0.6 * p)])
    power = scale.uniform(0.6, 1.4)
    values = np.sign(study.values) * np.abs(study.values) ** power
    new = np.sign(study.new) * np.abs(study.new) ** power
    away = np.abs(values - np.median(values, axis=0)).max(axis=1)
    kept = rows[away[rows] <= np.quantile(away[rows], left_out.uniform(0.85, 1.0))]
    slope, middle = discriminant(values[kept][:, columns], study.second[kept])
    return np.asarray(new[:, columns] @ slope > middle)
