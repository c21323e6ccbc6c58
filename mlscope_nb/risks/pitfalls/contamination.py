"""What the test has seen before: features chosen with all labels, and cells photographed twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.risks.lesson import Found, gaps, over_repeats
from mlscope_nb.risks.pitfalls.drawn import as_cells, draw, first_wells, layout, statistics
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, predicted, tested
from mlscope_nb.study.splits import split

STUDIES = 4
TWO = ("granular", "bundled")
WELLS = 32
PARTS = 4
KEPT = 20
WEAK = 0.25
AGAIN = 0.1
"""How far two photographs of one cell lie apart in a feature, in standard deviations of cells."""


def selection(dose: float, seed: int) -> Found:
    """Keep 20 of `dose` features of 32 wells whose labels mean nothing, chosen with the labels of all wells."""
    rows, picture = [], pd.DataFrame()
    for study in range(3 * STUDIES):
        rng = np.random.default_rng([seed, 6, study])
        values, new = _profiles(round(dose), rng)
        labels, parts = pd.Series(np.resize(TWO, WELLS)), np.arange(WELLS) // 2 % PARTS
        best = _best(values, labels)
        widest = np.argsort(-values.var(axis=0))[:KEPT]
        rows.append(
            {
                "chosen on all": _validated(values, labels, parts, best),
                "chosen inside the fold": _validated(values, labels, parts, None),
                "chosen without labels": _validated(values, labels, parts, widest),
                "new wells": balanced_accuracy(
                    predicted(values[:, best], labels, new[:, best], pd.Series(np.resize(TWO, len(new))))
                ),
            }
        )
        shown = values[:, best[:2]]
        picture = picture if study else pd.DataFrame(shown, columns=["best", "second"]).assign(label=labels.to_numpy())
    table = pd.DataFrame(rows)
    sentence = (
        f"20 of {round(dose):,} features, chosen with all labels, said {table['chosen on all'].mean():.2f}, and new "
        f"wells say {table['new wells'].mean():.2f}; chosen inside each fold they say "
        f"{table['chosen inside the fold'].mean():.2f} (balanced accuracy; these labels mean nothing)."
    )
    # Labels without a meaning: what is true is 0.5.
    gaps = [over_repeats(table[c] - 0.5) for c in table.columns[:3]]
    return Found(gaps[0], gaps[1], gaps[2], sentence, {"studies": table, "chosen": picture})


def duplicates(dose: float, seed: int) -> Found:
    """Photograph the share `dose` of the cells again as cells of another well of their treatment."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 7, study])
        plain, new = first_wells(draw(layout(1, TWO, 40), 12, rng, strength=WEAK, well=0.5), 8)
        twice = rng.permutation(len(plain))[: round(dose * len(plain))]
        nearest = Nearest()
        row = {}
        for arm, cells in (
            ("elsewhere", again(plain, twice, rng)), ("there", again(plain, twice, rng, elsewhere=False)),
        ):  # fmt: skip
            row[f"{arm} said"] = _grouped(cells, nearest, study)
            row[f"{arm} truth"] = balanced_accuracy(tested(cells, new, nearest))
            if arm == "elsewhere":
                kept = cells.subset(~is_copy(cells))
                row["remedy said"] = _grouped(kept, nearest, study)
                row["remedy truth"] = balanced_accuracy(tested(kept, new, nearest))
                picture = picture if study else nearest_distances(cells).to_frame()
        rows.append(row)
    table = pd.DataFrame(rows)
    sentence = (
        f"With {percent(dose)} of the cells photographed twice, held-out wells said "
        f"{table['elsewhere said'].mean():.2f}, and new wells say {table['elsewhere truth'].mean():.2f}; without the "
        f"second photographs held-out wells say {table['remedy said'].mean():.2f} (balanced accuracy, guessing is "
        "0.50)."
    )
    damage, mitigated, control = gaps(table, "elsewhere", "remedy", "there")
    return Found(damage, mitigated, control, sentence, {"studies": table, "distances": picture})


class Nearest:
    """A model that calls a cell what the most similar known cell is called: it forgets nothing."""

    def fit(self, values: np.ndarray, second: np.ndarray) -> Nearest:
        """Remember the cells."""
        self.values, self.second = values, second
        return self

    def predict_proba(self, new: np.ndarray) -> np.ndarray:
        """Return 0 or 1 for either class."""
        apart = (self.values**2).sum(axis=1) - 2 * new @ self.values.T
        says = self.second[apart.argmin(axis=1)].astype(float)
        return np.column_stack([1 - says, says])


def again(cells: Cells, rows: np.ndarray, rng: np.random.Generator, *, elsewhere: bool = True) -> Cells:
    """Return the cells and second photographs of some, as cells of the next well of their treatment (or their own)."""
    values, obs = cells.table().to_numpy(), cells.obs[["plate", "well", "treatment"]]
    copies = obs.iloc[rows].copy()
    if elsewhere:
        wells = np.sort(obs["well"].unique())
        following = dict(zip(wells, np.roll(wells, -len(TWO)), strict=True))
        copies["well"] = copies["well"].map(following)
    noise = AGAIN * rng.normal(size=(len(rows), values.shape[1]))
    return as_cells(pd.concat([obs, copies]).reset_index(drop=True), np.concatenate([values, values[rows] + noise]))


def nearest_distances(cells: Cells) -> pd.Series:
    """Return how far each cell is from the one that is most like it."""
    values = cells.table().to_numpy()
    squares = (values**2).sum(axis=1)
    apart = squares[:, None] + squares[None, :] - 2 * values @ values.T
    np.fill_diagonal(apart, np.inf)
    return pd.Series(np.sqrt(np.clip(apart.min(axis=1), 0, None)), index=cells.ids, name="nearest cell")


def is_copy(cells: Cells) -> np.ndarray:
    """Return the second of every two cells that are far more alike than cells are: less than half of the usual."""
    values, nearest = cells.table().to_numpy(), nearest_distances(cells)
    limit = nearest.quantile(0.9) / 2
    suspects = np.flatnonzero((nearest < limit).to_numpy())
    found = np.zeros(len(cells), bool)
    for row in suspects:
        earlier = values[:row]
        found[row] = bool(len(earlier)) and np.linalg.norm(earlier - values[row], axis=1).min() < limit
    return found


def _grouped(cells: Cells, model: Any, seed: int) -> float:
    return balanced_accuracy(held_out(cells, split(cells, n_splits=PARTS, seed=seed), model))


def _profiles(n_features: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Profiles of wells and of new ones: features of a network, made of the measured ones and of noise."""
    mixing = rng.normal(size=(24, n_features)) / np.sqrt(24)
    wells = rng.normal(size=(4 * WELLS, 24)) @ statistics()["well"]
    spread = wells.std()
    values = wells / spread @ mixing + rng.normal(size=(4 * WELLS, n_features))
    return values[:WELLS], values[WELLS:]


def _best(values: np.ndarray, labels: pd.Series) -> np.ndarray:
    """The features in which the classes lie farthest apart, best first."""
    first, second = (values[(labels == t).to_numpy()] for t in TWO)
    apart = (first.mean(axis=0) - second.mean(axis=0)) / np.sqrt(first.var(axis=0) + second.var(axis=0))
    return np.argsort(-np.abs(apart))[:KEPT]


def _validated(values: np.ndarray, labels: pd.Series, parts: np.ndarray, chosen: np.ndarray | None) -> float:
    tables = []
    for part in range(PARTS):
        train, test = parts != part, parts == part
        columns = _best(values[train], labels[train]) if chosen is None else chosen
        tables.append(predicted(values[train][:, columns], labels[train], values[test][:, columns], labels[test]))
    return balanced_accuracy(pd.concat(tables))
