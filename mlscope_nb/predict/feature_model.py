"""Models of features: one model for each table, their evidence added, everything learned from the training cells."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.models import ModelName, Recipe, fitted, log_probabilities, recipe
from mlscope_nb.predict.scale import Normalize, Scale, with_usable_controls
from mlscope_nb.predict.tables import Features, Origins, combined
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.splits import MANY_CLASSES


class Classifier(Protocol):
    """What every trained model can do, whether it reads features or images."""

    def predict_proba(self, cells: Cells) -> pd.DataFrame:
        """Return probabilities: one row for each cell by its id, one column for each class, rows summing to 1."""


Learner = Callable[[Cells], Classifier]
"""A function of cells with labels that returns a classifier; it sees nothing but the cells that it is given."""


@dataclass(frozen=True, eq=False)
class FeatureLearner:
    """How to make a classifier of features from labelled cells.

    Parameters
    ----------
    recipe : Recipe
        The model, the same for each table.
    origins : dict
        The columns of each table.
    normalize : str or Normalizer, optional
        Learned from the training cells.
    """

    recipe: Recipe
    origins: Origins
    normalize: Normalize = None

    def __call__(self, cells: Cells) -> FeatureClassifier:
        """Return the classifier that these cells make."""
        return self.prepared(cells).fitted(cells.labels)

    def prepared(self, cells: Cells) -> PreparedLearner:
        """Return what can be learned without labels, so that many labellings of the same cells share it."""
        from sklearn.base import clone

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            scale = Scale(self.normalize).fit(cells)
            table = scale.transform(cells).table()
        notes = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
        steps: dict[str, Any] = {}
        values: dict[str, Floats] = {}
        for name, columns in self.origins.items():
            rows = table[columns].to_numpy(np.float64)
            steps[name] = clone(self.recipe.prepare).fit(rows)
            values[name] = steps[name].transform(rows)
            if not values[name].shape[1]:
                raise ValueError(
                    f"None of {count(len(columns), 'feature')} ({name}) varies between these "
                    f"{count(len(cells), 'cell')}, so there is nothing to learn from. Leave this table out, or measure "
                    "again: ms.features.measure(cells)."
                )
        return PreparedLearner(self, scale, steps, values, cells.ids, tuple(dict.fromkeys(notes)))


@dataclass(frozen=True, eq=False)
class PreparedLearner:
    """A learner that has seen the features of its training cells, and no label yet."""

    learner: FeatureLearner
    scale: Scale
    steps: dict[str, Any]
    values: dict[str, Floats]
    ids: pd.Index
    notes: tuple[str, ...] = ()

    def ready(self, cells: Cells) -> dict[str, Floats]:
        """Return the features of cells as each table's model reads them."""
        with warnings.catch_warnings():
            # What is odd about the scale was said when it was learned.
            warnings.simplefilter("ignore", UserWarning)
            table = self.scale.transform(cells).table()
        values = {name: table[columns].to_numpy(np.float64) for name, columns in self.learner.origins.items()}
        return {name: self.steps[name].transform(rows) for name, rows in values.items()}

    def fitted(self, labels: pd.Series) -> FeatureClassifier:
        """Return the classifier for these labels of the training cells; cells without one are not learned from.

        Raises
        ------
        ValueError
            Fewer than two classes, or labels that are measurements.
        """
        given = labels.reindex(self.ids)
        if pd.api.types.is_float_dtype(given) and given.nunique() > MANY_CLASSES:
            raise ValueError(
                f"The label '{labels.name}' holds {given.nunique():,} different numbers: a measurement, not a class. "
                "Cut it into classes first (pandas.cut)."
            )
        classes = ordered(given)
        if len(classes) < 2:
            raise ValueError(
                f"{count(len(classes), 'class', 'classes')} to learn from: {some(classes) or 'no cell has a label'}. "
                "There have to be two at least."
            )
        known = given.notna().to_numpy()
        codes = pd.Index(classes, dtype=object).get_indexer(pd.Index(given[known], dtype=object))
        n = len(self.values)
        models = {name: fitted(self.learner.recipe, v[known], codes, n) for name, v in self.values.items()}
        return FeatureClassifier(self, models, tuple(classes))


@dataclass(frozen=True, eq=False)
class FeatureClassifier:
    """A trained model of features.

    Parameters
    ----------
    prepared : PreparedLearner
        Normalisation and components, as learned.
    models : dict
        The classifier of each table, from scikit-learn.
    classes : tuple
        The classes in order.
    """

    prepared: PreparedLearner
    models: dict[str, Any]
    classes: tuple[Any, ...]

    def predict_proba(self, cells: Cells) -> pd.DataFrame:
        """Return the probability of each class (columns) for each cell (rows, in order).

        Log probabilities of several tables are added. Where the model normalises without controls, cells of a new
        batch are put on the scale of those given: give all of its cells at once.

        Raises
        ------
        ValueError
            A feature is missing.
        """
        names = [c for columns in self.prepared.learner.origins.values() for c in columns]
        table = cells.table()
        missing = sorted(set(names) - set(table.columns))
        if missing:
            raise ValueError(
                f"{count(len(missing), 'feature')} that the model was trained on not found: {some(missing)}. Measure "
                "these cells as those it was trained on."
            )
        mine = cells if list(table.columns) == names else cells.with_features(table[names])
        result = pd.DataFrame(self.of(self.prepared.ready(mine)), cells.ids, pd.Index(self.classes, dtype=object))
        result.attrs["history"] = [_align.step("predict_proba", model=self.prepared.learner.recipe.name)]
        return result

    def of(self, ready: dict[str, Floats]) -> Floats:
        """Return probabilities (N, K) of what `PreparedLearner.ready` has made of cells."""
        total = np.sum([log_probabilities(self.models[name], values) for name, values in ready.items()], axis=0)
        return np.asarray(np.exp(total - logsumexp(total, axis=1, keepdims=True)))

    def predict(self, cells: Cells) -> pd.Series:
        """Return the most probable class of each cell."""
        found = self.predict_proba(cells)
        best = np.asarray(found.columns, dtype=object)[found.to_numpy().argmax(axis=1)]
        return pd.Series(best, index=cells.ids, name="predicted")


def train_model(
    cells: Cells,
    model: ModelName | Any = "logistic",
    normalize: Normalize = None,
    *,
    features: Features = None,
    seed: int = 0,
) -> FeatureClassifier:
    """Train a model on the features of labelled cells: all of them, so judge it with `cross_validate` first.

    Parameters
    ----------
    cells : Cells
        With features and a declared label; cells without a label help to normalise.
    model : str or classifier
        As in `cross_validate`.
    normalize : str or Normalizer, optional
        As in `cross_validate`: to controls, or to all cells of a batch where the label defines the controls.
    features : DataFrame, sequence or mapping of DataFrames, optional
        As in `cross_validate`; new cells then need these columns among their own features.
    seed : int
        Seed.

    Returns
    -------
    FeatureClassifier
        ``.predict_proba(cells)``, ``.predict(cells)``, ``.classes``.

    Raises
    ------
    ValueError, TypeError
        No label, no features, fewer than two classes, or no such model.

    Examples
    --------
    >>> obs = pd.DataFrame({"drug": list("xxxyyy")}, index=list("abcdef"))
    >>> table = pd.DataFrame({"area": [1.0, 2, 3, 7, 8, 9]}, index=obs.index)
    >>> cells = Cells(obs, features=table, label="drug")
    >>> train_model(cells).predict(cells).tolist()
    ['x', 'x', 'x', 'y', 'y', 'y']
    """
    whole, found = combined(cells, features)
    whole, _ = with_usable_controls(whole, normalize, [])
    return FeatureLearner(recipe(model, seed), found, normalize)(whole)
