"""Wrong labels: cells of one class that carry the name of the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.curate.label_errors import find_label_errors
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import draw, layout
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, tested

STUDIES = 3
TWO = ("granular", "bundled")


def label_noise(dose: float, seed: int) -> Found:
    """Call the share `dose` of the cells of one treatment by the name of the other, and test on true labels."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 11, study])
        cells = draw(layout(1, TWO, 8), 10, rng, penetrance=1.0)
        new = draw(layout(1, TWO, 40), 10, rng, penetrance=1.0, plate=0.0)
        new = new.with_features(new.features + (cells.features.mean() - new.features.mean()))
        wrong = (rng.random(len(cells)) < dose) & (cells.labels == TWO[0]).to_numpy()
        given = cells.with_obs(cells.labels.where(~wrong, TWO[1]).rename("label"))
        errors = find_label_errors(given, given_per="cell", composition=False, n_splits=4)
        kept = given.subset(~errors["flagged"].to_numpy())
        clean = balanced_accuracy(tested(cells, new))
        rows.append(
            {
                "true labels": clean,
                "wrong labels": balanced_accuracy(tested(given, new)),
                "flagged left out": balanced_accuracy(tested(kept, new)),
                "as many left out": balanced_accuracy(tested(cells.subset(~wrong), new)),
            }
        )
        picture = picture if study else _shown(errors, wrong)
    table = pd.DataFrame(rows)
    sentence = (
        f"Trained on true labels the model is right {table['true labels'].mean():.2f}, with {dose:.0%} of one class "
        "wrong "
        f"{table['wrong labels'].mean():.2f}, and without the flagged cells {table['flagged left out'].mean():.2f} "
        "(balanced accuracy on true labels)."
    )
    lost = [over_repeats(table["true labels"] - table[c]) for c in table.columns[1:]]
    return Found(lost[0], lost[1], lost[2], sentence, {"studies": table, "scores": picture})


def _shown(errors: pd.DataFrame, wrong: np.ndarray) -> pd.DataFrame:
    """The score of each cell (0: the label is surely wrong), and whether it was wrong."""
    return errors[["given", "score", "flagged"]].assign(wrong=wrong).reset_index(drop=True)
