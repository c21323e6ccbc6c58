"""Smaller studies: shares of a study's units, each cross-validated by itself as the whole study is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb.cells import Cells
from mlscope_nb.predict.baselines import predictions
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.predict.folds import Folds, make_folds
from mlscope_nb.predict.lent_controls import Lender
from mlscope_nb.predict.runs import run
from mlscope_nb.predict.subsets import arcs, on_a_circle, unit_table
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.splits import Split

TRIES = 10
"""Ways to deal units that are tried before a size counts as too small to hold all classes."""


@dataclass(frozen=True, eq=False)
class Study:
    """A study of which smaller ones are made.

    Parameters
    ----------
    cells : Cells
        All cells; what they look like does not matter here.
    folds : Folds
        How the whole is cross-validated.
    by, n_splits, seed
        With what these folds were made.
    given : bool
        Whether the splits are the user's own.
    units : Series
        The unit of each cell.
    """

    cells: Cells
    folds: Folds
    by: Columns
    n_splits: int | None
    seed: int
    given: bool
    units: pd.Series

    @cached_property
    def grows(self) -> bool:
        """Whether a larger study tests on more units too: what is tested in one fold is trained on in others."""
        return set(self.units[_all(self.folds.splits, "test_ids")]) <= set(self.units[self._trained])

    @cached_property
    def training(self) -> float:
        """Units with a label that a fold trains on, on average."""
        known = self.cells.labels.notna()
        return float(np.mean([self.units[p.train_ids][known[p.train_ids]].nunique() for p in self.folds.splits]))

    @cached_property
    def most_parts(self) -> int:
        """How many smaller studies there can be at most, each with every class that the whole can learn."""
        mine = pd.DataFrame({"unit": self.units, "label": self.cells.labels.astype(object)}).loc[self._trained].dropna()
        n_units = mine.groupby("label", observed=True)["unit"].nunique()
        learned = n_units[~n_units.index.isin(unlearned(self.folds.splits, self.cells.labels))]
        # One unit is held out, another has to be learned from.
        return int(learned.min()) // (2 if self.grows else 1) if len(learned) else 0

    def dealt(self, share: float, rng: np.random.Generator) -> list[list[Split]] | None:
        """Return the splits of smaller studies that together hold all units, each of them a share.

        None where some would lack a class that the whole study can learn.
        """
        if 1 / share > self.most_parts + 1e-9:
            return None
        for _ in range(TRIES):
            parts = []
            for units in arcs(on_a_circle(self.table, rng), share):
                part = self._splits(units)
                if part is None:
                    break
                parts.append(part)
            else:
                return parts
        return None

    @cached_property
    def table(self) -> pd.DataFrame:
        """Label and batch of each unit that is trained on."""
        cells, ids = self.cells, self.cells.ids[self.cells.ids.isin(self._trained)]
        batch = cells.batches_of if cells.design.batch else pd.Series("", index=cells.ids)
        return unit_table(self.units[ids], cells.labels[ids], batch[ids])

    def counts(self, ids: pd.Index) -> np.ndarray:
        """Return the units of these cells, by class (rows) and batch (columns)."""
        mine = self.table.loc[self.table.index.isin(self.units[ids].unique())]
        return pd.crosstab(mine["label"], mine["batch"]).to_numpy(np.float64)

    @cached_property
    def _trained(self) -> pd.Index:
        return _all(self.folds.splits, "train_ids")

    def _splits(self, units: Sequence[Any]) -> list[Split] | None:
        """Return how a smaller study of these units is cross-validated, None where it would lack a class."""
        mine = self.units.isin(units).to_numpy()
        found = self._within(mine) if self.given else self._afresh(mine)
        return found if found and self._complete(found) else None

    def _within(self, mine: np.ndarray) -> list[Split]:
        """Return the user's own splits without the other units; tests that are locked stay as they are."""
        ids = self.cells.ids[mine]
        cut = [(p, p.test_ids[p.test_ids.isin(ids)] if self.grows else p.test_ids) for p in self.folds.splits]
        return [replace(p, train_ids=p.train_ids[p.train_ids.isin(ids)], test_ids=test) for p, test in cut if len(test)]

    def _afresh(self, mine: np.ndarray) -> list[Split]:
        try:
            return make_folds(self.cells.subset(mine), self.by, self.n_splits, self.seed).splits
        except ValueError:
            # Too few units, or classes in one group each: not a study.
            return []

    def _complete(self, splits: list[Split]) -> bool:
        labels, whole = self.cells.labels, self.folds.splits
        same = set(labels[_all(splits, "test_ids")].dropna()) == set(labels[_all(whole, "test_ids")].dropna())
        return same and unlearned(splits, labels) <= unlearned(whole, labels)


def unlearned(splits: Sequence[Split], labels: pd.Series) -> set[Any]:
    """Return the classes that some split tests without having trained on them."""
    return {c for p in splits for c in set(labels[p.test_ids].dropna()) - set(labels[p.train_ids].dropna())}


def judged(
    study: Study,
    cells: Cells,
    learner: FeatureLearner | Learner,
    splits: Sequence[Split],
    lender: Lender,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the predictions of one study, the whole or a smaller one: one row for each tested cell.

    Parameters
    ----------
    study : Study
        What it is part of.
    cells : Cells
        The cells as the learner reads them.
    learner : function
        Trains on cells.
    splits : sequence of Split
        How the study is cross-validated.
    lender : Lender
        Lends it controls.
    rng : Generator
        Which controls are lent.
    """
    labels, found = study.cells.labels, []
    classes = ordered(labels)
    for part in splits:
        # What is lent is there to normalise with: it is neither learned from nor tested.
        shown = labels.astype(object).where(labels.index.isin(part.train_ids.append(part.test_ids)))
        made = run(cells, learner, [lender.lent(part, rng)], [shown], classes, progress=False)[0]
        found.append(predictions(made, labels, study.folds, classes))
    return pd.concat(found)


def _all(splits: Sequence[Split], name: str) -> pd.Index:
    return pd.Index(np.unique(np.concatenate([getattr(part, name) for part in splits])), dtype=object)
