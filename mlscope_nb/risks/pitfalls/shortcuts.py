"""Shortcut: a mark beside the cell tells the treatment, and the model learns the mark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.risks.lesson import Found, gaps
from mlscope_nb.risks.pitfalls.drawn import MARKED, draw, layout, statistics
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, tested
from mlscope_nb.study.splits import split

STUDIES = 6
TWO = ("granular", "bundled")
WEAK = 0.4
PARTS = 3


def shortcut(dose: float, seed: int) -> Found:
    """Mark the share `dose` of the cells of one treatment; cells of a new study carry no marks."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 4, study])
        plain = draw(layout(2, TWO, 4), 12, rng, strength=WEAK)
        new = draw(layout(6, TWO, 4), 12, rng, strength=WEAK, prefix="new ")
        chosen = rng.random(len(plain)) < dose
        cells = marked(plain, chosen & (plain.labels == TWO[1]).to_numpy())
        both = marked(plain, chosen)
        parts = split(cells, n_splits=PARTS, seed=study)
        row = {}
        for arm, known, fresh in (
            ("marked", cells, new), ("remedy", without_surroundings(cells), without_surroundings(new)),
            ("both", both, new),
        ):  # fmt: skip
            row[f"{arm} said"] = balanced_accuracy(held_out(known, parts))
            row[f"{arm} truth"] = balanced_accuracy(tested(known, fresh))
        rows.append(row)
        picture = picture if study else cells.table()[[MARKED]].join(cells.obs["treatment"])
    table = pd.DataFrame(rows)
    said, truth = table["marked said"].mean(), table["marked truth"].mean()
    sentence = (
        f"Held-out wells said {said:.2f}, cells without a mark say {truth:.2f}. From the cell alone it is "
        f"{table['remedy said'].mean():.2f} and {table['remedy truth'].mean():.2f} (balanced accuracy, guessing is "
        "0.50)."
    )
    damage, mitigated, control = gaps(table, "marked", "remedy", "both")
    return Found(damage, mitigated, control, sentence, {"studies": table, "mark": picture})


def marked(cells: Cells, which: np.ndarray) -> Cells:
    """Return the cells with the mark on some of them, as bright as it was measured."""
    table = cells.table().copy()
    table.loc[which, MARKED] += statistics()["mark"][statistics()["features"].index(MARKED)]
    return cells.with_features(table)


def without_surroundings(cells: Cells) -> Cells:
    """Return the cells without what was measured beside them."""
    return cells.with_features(cells.table().drop(columns=MARKED))
