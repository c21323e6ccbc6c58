"""Models: what each name stands for, as scikit-learn pipelines that are fitted inside the fold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from mlscope_nb.features.scaling import Floats

ModelName = Literal["logistic", "svm", "forest", "boosting"]

STRENGTH = 20.0
"""How much the labels count against the penalty, for all rows and tables together: copies of rows then change nothing,
and several tables, whose evidence is added, are together no surer than one."""
TREES = 200
ROUNDS = 100
FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class Recipe:
    """A model in two steps: what looks at features alone, and what learns the labels.

    Parameters
    ----------
    name : str
        For the record.
    prepare : transformer
        From scikit-learn; never sees a label, so that it serves every labelling of the same rows.
    estimator : classifier
        From scikit-learn.
    relative : bool
        The penalty ``C`` is given for all rows and tables together, and divided by their numbers.
    quick : bool
        Fits in a moment, so that exchanged labels can be tried more than once.
    """

    name: str
    prepare: Any
    estimator: Any
    relative: bool = False
    quick: bool = False


def recipe(model: ModelName | Any, seed: int = 0) -> Recipe:
    """Return the steps of a model by name, or of any classifier of scikit-learn.

    Parameters
    ----------
    model : "logistic", "svm", "forest", "boosting", or a classifier
        Whatever has ``fit`` and ``predict_proba`` or ``decision_function`` in scikit-learn's way.
    seed : int
        Of what is random in the named ones.

    Raises
    ------
    ValueError, TypeError
        No such name, or something that is no classifier.

    Examples
    --------
    >>> recipe("svm").name
    'svm'
    """
    if isinstance(model, str):
        if model not in get_args(ModelName):
            names = ", ".join(repr(n) for n in get_args(ModelName))
            raise ValueError(f"No model {model!r}. There are {names}, and any classifier of scikit-learn.")
        return _named(model, seed)
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise TypeError(
            f"model is {model!r}, expected a name such as 'logistic', a classifier of scikit-learn with its "
            "parameters (SVC(probability=True)), or a function that trains on cells."
        )
    if not (hasattr(model, "predict_proba") or hasattr(model, "decision_function")):
        raise TypeError(
            f"{type(model).__name__} gives neither probabilities nor scores for classes: it is no classifier, or has "
            "to be told to (SVC(probability=True))."
        )
    return Recipe(type(model).__name__, _filled(), model)


def _named(model: str, seed: int) -> Recipe:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    from mlscope_nb.predict.components import Components

    if model == "logistic":
        logistic = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300, tol=1e-3)
        return Recipe(model, Components(), logistic, relative=True, quick=True)
    if model == "svm":
        svm = LinearSVC(C=STRENGTH, class_weight="balanced", random_state=seed, max_iter=5000)
        return Recipe(model, Components(), svm, relative=True, quick=True)
    if model == "forest":
        forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed, n_jobs=1)
        return Recipe(model, _filled(), forest)
    boosting = HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_features=0.3, class_weight="balanced", early_stopping=False, random_state=seed
    )
    return Recipe(model, _filled(), boosting)


def fitted(recipe: Recipe, values: Floats, labels: NDArray[Any], n_tables: int = 1) -> Any:
    """Return the estimator of a recipe, fitted on prepared rows and their labels, one of `n_tables` for them."""
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    estimator = clone(recipe.estimator)
    if recipe.relative:
        estimator.set_params(C=estimator.get_params()["C"] / (len(values) * n_tables))
    # Many small products: threads would wait for each other most of the time.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A penalised model that has not quite converged ranks classes as one that has.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(values, labels)


def log_probabilities(estimator: Any, values: Floats) -> Floats:
    """Return log probabilities (N, K) in the order of ``classes_``; scores without probabilities go through a softmax.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> always = DummyClassifier(strategy="prior").fit(np.zeros((4, 1)), ["a", "a", "a", "b"])
    >>> np.exp(log_probabilities(always, np.zeros((1, 1)))).round(2).tolist()
    [[0.75, 0.25]]
    """
    if hasattr(estimator, "predict_proba"):
        # A tree may be certain after a few cells; a table of another origin must be able to overrule it.
        found = np.clip(np.asarray(estimator.predict_proba(values), dtype=np.float64), FLOOR, None)
        return np.asarray(np.log(found / found.sum(axis=1, keepdims=True)))
    scores = np.asarray(estimator.decision_function(values), dtype=np.float64)
    if scores.ndim == 1:
        scores = np.column_stack([-scores, scores])
    return np.asarray(log_softmax(scores, axis=1))


def settings(recipe: Recipe) -> Mapping[str, Any]:
    """Return the parameters of the estimator that differ from scikit-learn's own, for the record."""
    mine = recipe.estimator.get_params(deep=False)
    usual = {}
    if not hasattr(type(recipe.estimator), "steps"):
        from inspect import signature

        usual = {k: v.default for k, v in signature(type(recipe.estimator).__init__).parameters.items()}
    kept = {k: v for k, v in mine.items() if k in usual and not _same(usual[k], v)}
    return {k: v if isinstance(v, str | int | float | bool | type(None)) else str(v) for k, v in kept.items()}


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _filled() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)
