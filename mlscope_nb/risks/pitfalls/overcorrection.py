"""Over-correction: where plates hold different treatments, taking the plate away takes the treatment away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.features.normalization import normalize
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.confounding import CELLS, TWO, wells
from mlscope_nb.risks.pitfalls.drawn import CONTROL, draw, statistics

STUDIES = 8
EVEN = "clustered"
"""A treatment in four wells of every plate: whatever is done to plates, it keeps its distance to the controls."""


def over_correction(dose: float, seed: int) -> Found:
    """Compare each plate with all of its cells, when the share `dose` of the wells sits on plates of its treatment."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 10, study])
        cells = draw(_wells(dose), CELLS, rng)
        everything, controls = normalize(cells, control="all"), normalize(cells)
        rows.append(
            {
                "all cells": separation(everything, *TWO),
                "controls": separation(controls, *TWO),
                "even treatment, all cells": separation(everything, EVEN, CONTROL),
            }
        )
        picture = picture if study else _projected(everything, controls)
    table, true = pd.DataFrame(rows), {pair: _true(*pair) for pair in (TWO, (EVEN, CONTROL))}
    lost = 1 - table / [true[TWO], true[TWO], true[EVEN, CONTROL]]
    sentence = (
        "Of the difference between two treatments, comparing plates with all of their cells took away "
        f"{percent(lost['all cells'].mean())}, and comparing them with their controls "
        f"{percent(lost['controls'].mean())}."
    )
    gaps = [over_repeats(lost[c]) for c in lost]
    return Found(gaps[0], gaps[1], gaps[2], sentence, {"studies": lost, "cells": picture})


def separation(cells: Cells, one: str, other: str) -> float:
    """Return how far two treatments lie apart along the true direction, in deviations of control cells of a plate."""
    along = cells.table().to_numpy() @ _direction(one, other)
    treatment = cells.obs["treatment"].to_numpy()
    control = pd.Series(along[treatment == CONTROL])
    inside = control - control.groupby(cells.obs["plate"].to_numpy()[treatment == CONTROL]).transform("mean")
    return float((along[treatment == one].mean() - along[treatment == other].mean()) / inside.std())


def _true(one: str, other: str) -> float:
    """The same without plates: of many cells of one plate that nothing was done to."""
    rows = [
        ("P1", f"W{n}", t)
        for n, t in enumerate([one] * 100 + [other] * 100 + [CONTROL] * (100 if other != CONTROL else 0))
    ]
    layout = pd.DataFrame(rows, columns=["plate", "well", "treatment"])
    return separation(draw(layout, 20, np.random.default_rng(0), plate=0.0), one, other)


def _direction(one: str, other: str) -> np.ndarray:
    effects = statistics()["effects"]
    return np.asarray(effects[one] - effects.get(other, 0.0))


def _wells(dose: float) -> pd.DataFrame:
    """The layout of batch confounding, and four wells of one more treatment on every plate."""
    first = wells(dose)
    more = first[first["treatment"] == CONTROL].assign(treatment=EVEN)
    return pd.concat([first, more.assign(well="X" + more["well"])], ignore_index=True)


def _projected(everything: Cells, controls: Cells) -> pd.DataFrame:
    """Where the cells of both treatments lie along the true direction after each correction."""
    both = everything.obs["treatment"].isin(TWO).to_numpy()
    table = everything.obs.loc[both, ["plate", "treatment"]].reset_index(drop=True)
    for name, cells in (("all cells", everything), ("controls", controls)):
        along = cells.table().to_numpy() @ _direction(*TWO)
        table[name] = (along[both] - along[both].mean()) / along[both].std()
    return table
