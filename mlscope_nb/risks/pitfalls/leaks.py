"""Leaks: what the test should not know gets into training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import draw, first_wells, layout
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, tested
from mlscope_nb.study.splits import Split, split

STUDIES = 6
TWO = ("granular", "bundled")
WEAK = 0.25
WELL = 2.0
"""Wells differ twice as much as was measured, which is the dose of wells in the simulator's first version."""
PARTS = 4


def leakage(dose: float, seed: int) -> Found:
    """Cross-validate with splits that cut the share `dose` of the wells; new wells of the same plate know the truth."""
    rows: list[dict[str, float]] = []
    first: dict[str, pd.DataFrame] = {}
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 2, study])
        row: dict[str, float] = {}
        for arm, well in (("differ", WELL), ("alike", 0.0)):
            cells, new = _study(rng, well)
            known = balanced_accuracy(tested(cells, new))
            cut = held_out(cells, cutting_splits(cells, dose, rng))
            row |= {f"{arm} said": balanced_accuracy(cut), f"{arm} truth": known}
            if arm == "differ":
                row["whole"] = balanced_accuracy(held_out(cells, split(cells, n_splits=PARTS, seed=study)))
                first = first or {"cells": _seen(cells, cut)}
        rows.append(row)
    table = pd.DataFrame(rows)
    said, truth, whole = (table[c] for c in ("differ said", "differ truth", "whole"))
    sentence = (
        f"Cross-validation said {said.mean():.2f}, new wells say {truth.mean():.2f}; with wells kept whole it says "
        f"{whole.mean():.2f} (balanced accuracy, guessing is 0.50)."
    )
    return Found(
        over_repeats(said - truth), over_repeats(whole - truth),
        over_repeats(table["alike said"] - table["alike truth"]), sentence, {"studies": table, **first},
    )  # fmt: skip


def cutting_splits(cells: Cells, share: float, rng: np.random.Generator, parts: int = PARTS) -> list[Split]:
    """Return splits that keep wells whole, but for a share of them, whose cells are dealt out one by one."""
    units = cells.units
    part = pd.Series(-1, index=cells.ids)
    for number, s in enumerate(split(cells, n_splits=parts, seed=int(rng.integers(2**31)))):
        part[s.test_ids] = number
    names = rng.permutation(units.unique())
    cut = units.isin(names[: round(share * len(names))]).to_numpy()
    part[cut] = rng.integers(parts, size=int(cut.sum()))
    return [Split(cells.ids[(part != k).to_numpy()], cells.ids[(part == k).to_numpy()]) for k in range(parts)]


def _study(rng: np.random.Generator, well: float) -> tuple[Cells, Cells]:
    """Return the cells of six wells of each treatment, and cells of 18 new wells of each, on the same plate."""
    return first_wells(draw(layout(1, TWO, 24), 12, rng, strength=WEAK, well=well), 6)


def _seen(cells: Cells, cut: pd.DataFrame) -> pd.DataFrame:
    """Return which wells were told right."""
    right = (cut["given"] == cut["predicted"]).groupby(cells.units.reindex(cut.index)).mean()
    return right.rename("told right").rename_axis("well").reset_index()
