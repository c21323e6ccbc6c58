"""The wrong metric: where one class is rare, a model that never names it is right nearly always."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.risks.lesson import Found, gaps
from mlscope_nb.risks.pitfalls.drawn import draw, first_wells, layout
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, discriminant, held_out, tested
from mlscope_nb.study.splits import split

STUDIES = 6
TWO = ("granular", "bundled")
WEAK = 0.5
CELLS = 32
PARTS = 6


def imbalance(dose: float, seed: int) -> Found:
    """Make one class `dose` times as common as the other, and report the share of right answers."""
    rows, confusion = [], pd.DataFrame()
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 12, study])
        full, new = first_wells(draw(layout(1, TWO, 18), CELLS, rng, strength=WEAK), 6)
        left = round(CELLS / dose)
        cells, even = _thinned(full, {TWO[1]: left}), _thinned(full, dict.fromkeys(TWO, (left + CELLS) // 2))
        parts = split(cells, n_splits=PARTS, seed=study)
        careless, careful = held_out(cells, parts, Prior()), held_out(cells, parts)
        evenly = held_out(even, split(even, n_splits=PARTS, seed=study), Prior())
        rows.append(
            {
                "accuracy said": _accuracy(careless),
                "accuracy truth": balanced_accuracy(tested(cells, new, Prior())),
                "remedy said": balanced_accuracy(careful),
                "remedy truth": balanced_accuracy(tested(cells, new)),
                "even said": _accuracy(evenly),
                "even truth": balanced_accuracy(tested(even, new, Prior())),
            }
        )
        confusion = confusion if study else pd.crosstab(careless["given"], careless["predicted"]).reset_index()
    table = pd.DataFrame(rows)
    sentence = (
        f"With one class {dose:g} times as common, {percent(table['accuracy said'].mean())} of the answers were right; "
        f"of cells of each class in equal numbers it is {percent(table['accuracy truth'].mean())}. Balanced accuracy "
        f"said {percent(table['remedy said'].mean())}, and there it is {percent(table['remedy truth'].mean())}."
    )
    damage, mitigated, control = gaps(table, "accuracy", "remedy", "even")
    return Found(damage, mitigated, control, sentence, {"studies": table, "confusion": confusion})


class Prior:
    """The discriminant that counts on the common class to stay common."""

    def fit(self, values: np.ndarray, second: np.ndarray) -> Prior:
        """Learn slope, middle, and how common the second class is."""
        self.slope, self.middle = discriminant(values, second)
        self.middle -= np.log(second.mean() / (1 - second.mean()))
        return self

    def predict_proba(self, new: np.ndarray) -> np.ndarray:
        """Return the probability of either class."""
        says = 1 / (1 + np.exp(-np.clip(new @ self.slope - self.middle, -50, 50)))
        return np.column_stack([1 - says, says])


def _thinned(cells: Cells, left: dict[str, int]) -> Cells:
    """Return the cells with so many left in each well of these treatments."""
    number = cells.obs.groupby(["plate", "well"]).cumcount()
    most = cells.obs["treatment"].map(left).fillna(CELLS)
    return cells.subset((number < most).to_numpy())


def _accuracy(table: pd.DataFrame) -> float:
    return float((table["given"] == table["predicted"]).mean())
