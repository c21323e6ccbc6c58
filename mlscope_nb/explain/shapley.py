"""Shapley values: what each feature of each cell adds to what a model says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.feature_model import FeatureClassifier

EXTRA = 'Shapley values of trees are an extra. Install it: python -m pip install "mlscope_nb[shap]"'


def shapley(
    model: FeatureClassifier, cells: Cells, *, target: Any = None, background: Cells | None = None
) -> pd.DataFrame:
    """Return what each feature adds to the model's score for a class, for each cell: exact, and signed.

    The logistic model and the linear SVM add up features one by one: each is standardised, its tails drawn in, and
    counts with one weight (components only put weights together, and tables add their evidence). Shapley values are
    then known in closed form, whatever features have to do with each other: weight × (value − mean value), on the
    scale on which the model adds up. Rows sum to the score of the cell minus the mean score of the background.

    Parameters
    ----------
    model : FeatureClassifier
        From `train_model`: "logistic", "svm", any linear classifier of scikit-learn, or one of trees (an extra:
        ``pip install "mlscope_nb[shap]"``; the values are then shap's, of the only table of features).
    cells : Cells
        With the features that the model was trained on.
    target : optional
        The class. Default: the second of two; with more classes it has to be named.
    background : Cells, optional
        What the mean is over. Default: the cells that the model was trained on.

    Returns
    -------
    DataFrame (N, P)
        By cell id and feature. In ``attrs``: "target"; "mean_score", what rows are relative to; "scale", what a score
        is: of two classes the log odds of this one, of more classes its score minus the mean of all classes (logistic:
        of the logarithm of the probability); of trees what shap explains.

    Raises
    ------
    ValueError, KeyError, TypeError
        No such class or feature, no model of features, or one that adds nothing up.
    ImportError
        A model of trees, and shap is not installed.

    References
    ----------
    Lundberg & Lee 2017, arXiv 1705.07874 (Shapley values; linear models in closed form); Lundberg et al. 2020, Nat Mach
    Intell 2:56 (trees).

    Examples
    --------
    >>> from mlscope_nb.predict import train_model
    >>> obs = pd.DataFrame({"drug": list("xxxyyy")}, index=list("abcdef"))
    >>> table = pd.DataFrame({"area": [1.0, 2, 3, 7, 8, 9]}, index=obs.index)
    >>> cells = Cells(obs, features=table, label="drug")
    >>> found = shapley(train_model(cells), cells)
    >>> found["area"].gt(0).tolist(), found.attrs["target"]
    ([False, False, False, True, True, True], 'y')
    """
    if not isinstance(model, FeatureClassifier):
        raise TypeError(
            f"model is a {type(model).__name__}, expected a model of features: ms.predict.train_model(cells)."
        )
    k = class_number(model.classes, target)
    if is_linear(model):
        ready = standing(model, cells)
        middle = (
            _middle(model)
            if background is None
            else {n: v.mean(axis=0) for n, v in standing(model, background).items()}
        )
        values, base, scale = _linear(model, ready, middle, k)
    else:
        values, base, scale = _of_trees(model, cells, k)
    found = pd.DataFrame(values, index=cells.ids, columns=_names(model))
    found.attrs = {
        "target": model.classes[k], "mean_score": base, "scale": scale,
        "history": [_align.step("shapley", model=model.prepared.learner.recipe.name, target=str(model.classes[k]))],
    }  # fmt: skip
    return found


def class_number(classes: tuple[Any, ...], target: Any) -> int:
    """Return the number of a class; of two classes the second by default."""
    if target is None and len(classes) != 2:
        raise ValueError(
            f"{count(len(classes), 'class', 'classes')}: {some(classes)}. Name the one to explain: target=…"
        )
    if target is None:
        return 1
    if target not in classes:
        raise KeyError(f"No class {target!r}. Classes: {some(classes)}.")
    return classes.index(target)


def is_linear(model: FeatureClassifier) -> bool:
    """Whether all models add up features that were standardised one by one (or not at all)."""
    from sklearn.impute import SimpleImputer

    from mlscope_nb.predict.components import Components

    steps = all(isinstance(s, Components | SimpleImputer) for s in model.prepared.steps.values())
    return steps and all(hasattr(m, "coef_") and hasattr(m, "intercept_") for m in model.models.values())


def standing(model: FeatureClassifier, cells: Cells) -> dict[str, Floats]:
    """Return features (N, P) of each table as a linear model adds them up; 0 where they say nothing."""
    origins = model.prepared.learner.origins
    names = [c for columns in origins.values() for c in columns]
    missing = sorted(set(names) - set(cells.table().columns))
    if missing:
        raise ValueError(f"{count(len(missing), 'feature')} that the model was trained on not found: {some(missing)}.")
    mine = cells if list(cells.table().columns) == names else cells.with_features(cells.table()[names])
    table = model.prepared.scale.transform(mine).table()
    return {n: on_scale(model.prepared.steps[n], table[c].to_numpy(np.float64)) for n, c in origins.items()}


def on_scale(step: Any, rows: Floats) -> Floats:
    """Return the rows (N, P) of a table as `standing` does."""
    from mlscope_nb.predict.components import Components

    if not isinstance(step, Components):
        return np.asarray(step.transform(rows), dtype=np.float64)
    found = np.zeros(rows.shape)
    found[:, step.varies_] = step.standardised(rows)
    return found


def weights(model: FeatureClassifier) -> tuple[dict[str, Floats], Floats]:
    """Return for each table what a feature on that scale counts for each class (P, K), and the constant (K,).

    Of two classes it is the log odds of each; of more the score of each minus their mean.
    """
    from mlscope_nb.predict.components import Components

    found: dict[str, Floats] = {}
    constant = np.zeros(len(model.classes))
    for name, estimator in model.models.items():
        step = model.prepared.steps[name]
        inner = _of_classes(np.asarray(estimator.coef_, dtype=np.float64))
        constant += _of_classes(np.asarray(estimator.intercept_, dtype=np.float64)[:, None])[:, 0]
        if isinstance(step, Components):
            of_features = np.zeros((len(step.varies_), len(inner)))
            of_features[step.varies_] = step.axes_ @ inner.T
        else:
            of_features = inner.T
        found[name] = of_features
    return found, constant


def _of_classes(rows: Floats) -> Floats:
    """Return one row per class; scikit-learn keeps one for two classes."""
    if len(rows) == 1:
        return np.vstack([-rows, rows])
    return rows - rows.mean(axis=0)


def _linear(
    model: FeatureClassifier, ready: dict[str, Floats], middle: dict[str, Floats], k: int
) -> tuple[Floats, float, str]:
    weight, constant = weights(model)
    parts = [(ready[name] - middle[name]) * weight[name][:, k] for name in ready]
    base = float(constant[k] + sum(middle[name] @ weight[name][:, k] for name in ready))
    scale = "log odds" if len(model.classes) == 2 else "score minus the mean of all classes"
    return np.hstack(parts), base, scale


def _middle(model: FeatureClassifier) -> dict[str, Floats]:
    """Return the mean of each feature over the cells trained on: 0 where the model has standardised it by them."""
    from mlscope_nb.predict.components import Components

    steps, values = model.prepared.steps, model.prepared.values
    return {
        name: np.zeros(len(step.varies_)) if isinstance(step, Components) else values[name].mean(axis=0)
        for name, step in steps.items()
    }


def _names(model: FeatureClassifier) -> list[str]:
    return [c for columns in model.prepared.learner.origins.values() for c in columns]


def _of_trees(model: FeatureClassifier, cells: Cells, k: int) -> tuple[Floats, float, str]:
    estimator = next(iter(model.models.values()))
    name = model.prepared.learner.recipe.name
    if not _has_trees(estimator):
        raise TypeError(
            f"'{name}' neither adds up features nor is made of trees, so there is no exact way to share out what it "
            "says. Ask what it loses without each block of features: importance(cells, model=…)."
        )
    if len(model.models) > 1:
        raise ValueError(
            "Trees of several tables of features give probabilities that are multiplied, which cannot be shared out. "
            "Train on one table: train_model(cells, model, features=table)."
        )
    shap = _shap()
    explainer = shap.TreeExplainer(estimator)
    found = np.asarray(explainer.shap_values(next(iter(model.prepared.ready(cells).values()))), dtype=np.float64)
    base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=np.float64))
    if found.ndim == 2:
        # One output for two classes: the log odds of the second.
        sign = 1.0 if k == 1 else -1.0
        return sign * found, float(sign * base[0]), "log odds"
    scale = "probability" if name in ("forest", "RandomForestClassifier", "ExtraTreesClassifier") else "score"
    return found[:, :, k], float(base[k]), scale


def _has_trees(estimator: Any) -> bool:
    return hasattr(estimator, "estimators_") or hasattr(estimator, "tree_") or hasattr(estimator, "_predictors")


def _shap() -> Any:
    try:
        import shap
    except ImportError as error:
        raise ImportError(EXTRA) from error
    return shap
