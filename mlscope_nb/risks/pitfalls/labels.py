"""Wrong labels: cells of one class that carry the name of the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.curate.label_errors import find_label_errors
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import draw, first_wells, layout
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, tested
from mlscope_nb.study.splits import split

STUDIES = 5
TWO = ("granular", "bundled")
CELLS = 10
PARTS = 4
LOOKED_AT = 1 / 3
"""The share of the cells that a person looks at again: those whose label is doubted most."""


def label_noise(dose: float, seed: int) -> Found:
    """Call the share `dose` of the cells of one treatment by the name of the other, and test on true labels."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 11, study])
        drawn, new = first_wells(draw(layout(1, TWO, 40), 2 * CELLS, rng, penetrance=1.0), 8)
        first = drawn.obs.groupby("well").cumcount().to_numpy() < CELLS
        cells, spare = drawn.subset(first), drawn.subset(~first)
        wrong = (rng.random(len(cells)) < dose) & (cells.labels == TWO[0]).to_numpy()
        given = cells.with_obs(cells.labels.where(~wrong, TWO[1]).rename("label"))
        errors = find_label_errors(given, _probabilities(given, study), given_per="cell", composition=False)
        doubted = (errors["score"].rank(method="first") <= LOOKED_AT * len(errors)).to_numpy()
        corrected = given.with_obs(given.labels.where(~doubted, cells.labels).rename("label"))
        kept = given.subset(~errors["flagged"].to_numpy())
        # As many cells are others of the same well, rightly named: what the names do apart from the cells.
        replaced = drawn.subset(cells.ids[~wrong].append(spare.ids[wrong]))
        clean = balanced_accuracy(tested(cells, new))
        rows.append(
            {
                "true labels": clean,
                "wrong labels": balanced_accuracy(tested(given, new)),
                "doubted looked at": balanced_accuracy(tested(corrected, new)),
                "as many replaced": balanced_accuracy(tested(replaced, new)),
                "flagged left out": balanced_accuracy(tested(kept, new)),
            }
        )
        picture = picture if study else _shown(errors, wrong)
    table = pd.DataFrame(rows)
    sentence = (
        f"Trained on true labels the model is right {table['true labels'].mean():.2f}, with {percent(dose)} of one "
        f"class wrong {table['wrong labels'].mean():.2f}, and with the doubted third looked at again "
        f"{table['doubted looked at'].mean():.2f} (balanced accuracy on true labels)."
    )
    lost = [over_repeats(table["true labels"] - table[c]) for c in table.columns[1:4]]
    return Found(lost[0], lost[1], lost[2], sentence, {"studies": table, "scores": picture})


def _probabilities(given: Cells, seed: int) -> pd.DataFrame:
    """What a model that never saw a cell's well says of it."""
    said = held_out(given, split(given, n_splits=PARTS, seed=seed)).reindex(given.ids)
    first = np.where(said["predicted"] == TWO[0], said["sure"], 1 - said["sure"])
    return pd.DataFrame({TWO[0]: first, TWO[1]: 1 - first}, index=given.ids)


def _shown(errors: pd.DataFrame, wrong: np.ndarray) -> pd.DataFrame:
    """The score of each cell (0: the label is surely wrong), and whether it was wrong."""
    return errors[["given", "score", "flagged"]].assign(wrong=wrong).reset_index(drop=True)
