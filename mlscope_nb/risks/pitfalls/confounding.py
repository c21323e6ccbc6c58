"""Batch confounding: each treatment on its own plates, so that nothing tells the treatment from the plate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.explore.maps import pca
from mlscope_nb.features.normalization import normalize
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import CONTROL, draw
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, tested
from mlscope_nb.study.splits import split

STUDIES = 6
TWO = ("granular", "bundled")
WEAK = 0.4
PLATES = 6
TREATED = 8
CONTROLS = 4
CELLS = 6
PARTS = 3


def batch_confounding(dose: float, seed: int) -> Found:
    """Put the share `dose` of the wells that should be mixed on plates of one treatment each."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        row = {}
        for arm, plate in (("differ", 1.0), ("alike", 0.0)):
            rng = np.random.default_rng([seed, 3, study])
            cells = draw(wells(dose), CELLS, rng, strength=WEAK, plate=plate)
            new = draw(wells(0), CELLS, rng, strength=WEAK, plate=plate, prefix="new ")
            row[f"{arm} said"] = balanced_accuracy(held_out(cells, split(cells, n_splits=PARTS, seed=study)))
            row[f"{arm} new plates"] = balanced_accuracy(tested(cells, new))
            if arm == "differ":
                compared = normalize(cells)
                plates = split(cells, by="batch", n_splits=PARTS, seed=study)
                row["remedy said"] = balanced_accuracy(held_out(compared, plates))
                row["remedy new plates"] = balanced_accuracy(tested(compared, normalize(new)))
                picture = picture if study else _map(cells)
        rows.append(row)
    table = pd.DataFrame(rows)
    said, truth, remedy = (table[c] for c in ("differ said", "differ new plates", "remedy said"))
    sentence = (
        f"Other wells of the same plates said {said.mean():.2f}, new plates say {truth.mean():.2f}. Compared with the "
        f"controls beside them, held-out plates said {remedy.mean():.2f}, new plates say "
        f"{table['remedy new plates'].mean():.2f} (balanced accuracy, guessing is 0.50)."
    )
    return Found(
        over_repeats(said - truth), over_repeats(remedy - table["remedy new plates"]),
        over_repeats(table["alike said"] - table["alike new plates"]), sentence, {"studies": table, "map": picture},
    )  # fmt: skip


def wells(dose: float) -> pd.DataFrame:
    """Return the layout: of a plate's treated wells, this share of one half is moved to plates of its own treatment."""
    own = TREATED // 2 + round(dose * TREATED / 2)
    rows = []
    for plate in range(PLATES):
        first, second = TWO if plate % 2 else TWO[::-1]
        treatments = [CONTROL] * CONTROLS + [first] * own + [second] * (TREATED - own)
        rows += [(f"P{plate + 1}", f"W{w + 1:02d}", t) for w, t in enumerate(treatments)]
    return pd.DataFrame(rows, columns=["plate", "well", "treatment"])


def _map(cells: Cells) -> pd.DataFrame:
    """Return the map of principal components, with plate and treatment of each cell."""
    return pca(cells)[["x", "y"]].join(cells.obs[["plate", "treatment"]])
