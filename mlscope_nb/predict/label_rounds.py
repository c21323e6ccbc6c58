"""Label rounds: train on the labels given so far, ask about doubtful cells, and score on units locked away."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.active import side_by_side
from mlscope_nb.predict.feature_model import FeatureClassifier, FeatureLearner, PreparedLearner
from mlscope_nb.predict.intervals import score_interval
from mlscope_nb.predict.models import ModelName, recipe
from mlscope_nb.predict.queries import Strategy, check_strategy, doubts, query
from mlscope_nb.predict.scale import Normalize, with_usable_controls
from mlscope_nb.predict.tables import Features, combined
from mlscope_nb.study._result import Result
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import Interval
from mlscope_nb.study.splits import CELL, split
from mlscope_nb.study.units import noun, plural

LOCKED = 3
"""One unit in so many is locked away."""


@dataclass(frozen=True, eq=False)
class Round(Result):
    """One round of training.

    Parameters
    ----------
    number : int
        From 1 on.
    n_labelled, n_classes : int
        Labels that were learned from; none of them in a locked unit.
    n_changed : int
        Labels that are new or other than in the round before.
    score : Interval
        Balanced accuracy on locked units, with its interval over them; NaN where none of their cells has an answer.
    n_tested : int
        Locked cells that it rests on.
    seconds : float
        What the round took.
    model : FeatureClassifier
        What was trained.
    """

    number: int
    n_labelled: int
    n_classes: int
    n_changed: int
    score: Interval
    n_tested: int
    seconds: float
    model: FeatureClassifier = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        counted = ("number", "n_labelled", "n_classes", "n_changed", "n_tested", "seconds")
        ends = {"balanced_accuracy": self.score.estimate, "low": self.score.low, "high": self.score.high}
        return {name: getattr(self, name) for name in counted} | ends | {"n_units": self.score.n_units}


class LabelRounds:
    """Training in rounds, on labels that grow and change between them.

    Every third unit is locked away: its cells are never learned from and never asked about. They are scored against the
    column `truth`, or, without one, against labels given to them by hand.

    Parameters
    ----------
    cells : Cells
        With features; with a declared unit, or single cells are locked.
    truth : str, optional
        Column of `obs` with the right answers, for practice.
    model, normalize, features
        As in `ms.predict.cross_validate`; normalize defaults to "standardize" where a batch is declared.
    seed : int
        Which units are locked; also of the model.

    Raises
    ------
    ValueError, KeyError
        No features, fewer units than 3, or no such column.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame({"well": np.arange(60) // 5, "kind": np.tile(list("ab"), 30)})
    >>> table = pd.DataFrame({"area": 4.0 * (obs["kind"] == "b") + rng.normal(size=60)})
    >>> rounds = LabelRounds(Cells(obs, features=table, unit="well"), truth="kind")
    >>> first = rounds.train(obs["kind"].set_axis(rounds.cells.ids)[rounds.open[:6]])
    >>> first.n_labelled, first.score.estimate > 0.8, len(rounds.doubtful(5))
    (6, True, 5)
    """

    def __init__(
        self,
        cells: Cells,
        *,
        truth: str | None = None,
        model: ModelName | Any = "logistic",
        normalize: Normalize = None,
        features: Features = None,
        seed: int = 0,
    ) -> None:
        if truth is not None and truth not in cells.obs.columns:
            raise KeyError(f"No column '{truth}' with the right answers. Columns: {some(cells.obs.columns, 20)}.")
        normalize = "standardize" if normalize is None and cells.design.batch else normalize
        whole, origins = combined(cells.with_images(None), features)
        whole, _ = with_usable_controls(whole, normalize, [])
        self.cells = whole
        self.answers = whole.obs[truth] if truth is not None else None
        part = split(whole.with_design(label=truth), None if whole.design.unit else CELL, LOCKED, seed)[0]
        self.open, self.locked = part.train_ids, part.test_ids
        self.rounds: list[Round] = []
        self._learner = FeatureLearner(recipe(model, seed), origins, normalize)
        self._ready: tuple[PreparedLearner, dict[str, Any]] | None = None
        self._labels = pd.Series(dtype=object)
        self._seed = seed

    def train(self, labels: pd.Series) -> Round:
        """Train on labels, by cell id; missing ones are none. Those of locked cells test and are not learned from.

        Raises
        ------
        ValueError
            Fewer than two classes among cells that are not locked.
        """
        began = time.perf_counter()
        given = labels.dropna().astype(str)
        mine = given[given.index.isin(self.open)]
        if mine.nunique() < 2:
            found = f"one class only: {some(mine.unique())}" if len(mine) else "no label on a cell outside of the test"
            raise ValueError(f"Training takes two classes, found {found}. Label some cells of another kind too.")
        prepared, ready = self._prepared()
        model = prepared.fitted(mine.reindex(self.open))
        score, n_tested = self._score(model, ready, given)
        before = self._labels.reindex(mine.index)
        self._labels = mine
        made = Round(
            number=len(self.rounds) + 1,
            n_labelled=len(mine),
            n_classes=mine.nunique(),
            n_changed=int((before != mine).sum()),
            score=score,
            n_tested=n_tested,
            seconds=time.perf_counter() - began,
            model=model,
        )
        self.rounds.append(made)
        return made

    @property
    def history(self) -> pd.DataFrame:
        """One row per round: labels, classes, changes, balanced accuracy with low and high, test cells and units."""
        return pd.DataFrame([one.to_dict() for one in self.rounds])

    def probabilities(self) -> pd.DataFrame:
        """Return what the last model says of all cells that are not locked.

        Raises
        ------
        ValueError
            Nothing was trained yet.
        """
        if not self.rounds:
            raise ValueError("Nothing was trained yet: label about ten cells of two kinds or more, then train.")
        model = self.rounds[-1].model
        return pd.DataFrame(model.of(self._prepared()[0].values), self.open, list(model.classes))

    def doubtful(self, n: int = 30, strategy: Strategy = "margin") -> pd.Index:
        """Return the ids of the unlabelled cells that the last model doubts most, the most doubtful first."""
        check_strategy(strategy)
        said = self.probabilities()
        asked = np.flatnonzero(~said.index.isin(self._labels.index))
        side = side_by_side(self._prepared()[0].values)
        chosen = asked[query(said.to_numpy()[asked], side[asked], n, strategy, seed=self._seed + len(self.rounds))]
        doubt = doubts(said.to_numpy()[chosen])
        return said.index[chosen[np.argsort(-doubt, kind="stable")]]

    def _prepared(self) -> tuple[PreparedLearner, dict[str, Any]]:
        if self._ready is None:
            prepared = self._learner.prepared(self.cells.subset(self.open))
            self._ready = prepared, prepared.ready(self.cells.subset(self.locked))
        return self._ready

    def _score(self, model: FeatureClassifier, ready: dict[str, Any], given: pd.Series) -> tuple[Interval, int]:
        """Return the score on locked cells with an answer, and how many there are."""
        right = self.answers.loc[self.locked] if self.answers is not None else given.reindex(self.locked)
        known = right.notna().to_numpy()
        word, unit = CELL, pd.Series(self.locked, index=self.locked)
        if self.cells.design.unit:
            columns = [c for c in self.cells.design.unit if c not in self.cells.design.batch]
            word, unit = noun(tuple(columns)), self.cells.units[self.locked]
        target = f"locked {plural(word)}"
        if not known.any():
            note = f"no cell of the {count(unit.nunique(), f'locked {word}', target)} has an answer: label some of them"
            return Interval(np.nan, np.nan, np.nan, 0.95, 0, target, "none", word, note), 0
        truth = right[known].astype(str)
        said = np.asarray(model.classes, dtype=object)[model.of(ready).argmax(axis=1)][known]
        codes = pd.Index(ordered(truth), dtype=object).get_indexer(pd.Index(truth, dtype=object))
        hits = (said == truth.to_numpy()).astype(np.float64)
        found = score_interval(codes, hits, unit[known], large=False, word=word, target=target, seed=self._seed)
        return replace(found, target=target), int(known.sum())
