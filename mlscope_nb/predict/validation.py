"""Cross-validation: how well a label is predicted for what the model has not seen, beside what it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.predict import scores
from mlscope_nb.predict.baselines import baselines as beside
from mlscope_nb.predict.baselines import judge, predictions
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.predict.folds import Folds, make_folds
from mlscope_nb.predict.models import ModelName, recipe, settings
from mlscope_nb.predict.runs import run
from mlscope_nb.predict.scale import Normalize, with_usable_controls
from mlscope_nb.predict.tables import Features, Origins, combined
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.permutations import permute_labels
from mlscope_nb.study.splits import Split

DRAWN = "'permuted labels': labels that were exchanged between whole units {times}"


def cross_validate(
    cells: Cells,
    model: ModelName | Any | Learner = "logistic",
    by: Columns = None,
    normalize: Normalize = None,
    *,
    features: Features = None,
    n_splits: int | None = None,
    splits: Iterable[Split] | None = None,
    baselines: bool = True,
    n_permutations: int | None = None,
    annotator: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Evaluation:
    """Train a model on a part of the cells and test it on the rest, each part once, with whole units held out.

    Everything is learned from the training cells alone: filling of gaps, scales, components, normalisation. Features
    of different origin (measured ones, those of a network) are read by a model each, and their log probabilities are
    added: one model on all columns drowns a few dozen measured features in thousands of a network.

    Parameters
    ----------
    cells : Cells
        With a declared label and unit, and features (unless tables are given, or the model reads images).
    model : str, classifier or function
        "logistic", "svm" (linear), "forest", "boosting"; any classifier of scikit-learn; or a function that takes
        labelled cells and returns something with ``predict_proba(cells)``, as ``ms.predict.train_network`` does.
    by : str or several, optional
        What is held out, in whole: columns of `obs`, "batch", or the unit (default). ``by="cell"`` is a random split
        over cells, which flatters, and says so.
    normalize : str or Normalizer, optional
        A method of ``ms.features.normalize``, learned inside the fold: to the controls of each batch; where controls
        are missing or defined by the label, to all of its cells.
    features : DataFrame, sequence or mapping of DataFrames, optional
        Tables with one row per cell, each read by a model of its own. Default: the features of the cells, those of
        each network apart (``ms.predict.origins``).
    n_splits : int, optional
        Number of parts; default: every group by itself up to 12, otherwise 10; 5 for a random split.
    splits : sequence of Split, optional
        Splits of one's own.
    baselines : bool
        Judge what a model has to beat on the same folds: the commonest class, cell count, area, intensity, density,
        background pixels and metadata alone, and the same model on permuted labels.
    n_permutations : int, optional
        How often labels are exchanged between units for that. Default: 3 times for "logistic" and "svm", once for other
        models of features, not at all for functions (networks take minutes).
    annotator : str, optional
        Column with another person's labels: how far two people agree is the most that can be expected.
    level : float
        Confidence level.
    seed : int
        Of splits, models, permutations and intervals.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    Evaluation
        ``.balanced_accuracy``, ``.interval``, ``.confusion``, ``.predictions``, ``.baselines`` and more.

    Raises
    ------
    ValueError, KeyError, TypeError
        No label, unit or features; one class; classes that stand in one group each; infinite values; no such model.

    References
    ----------
    Roberts et al. 2017, Ecography 40:913, on holding out whole groups; logistic regression, forests and boosting are
    scikit-learn's.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(4) for w in range(6) for _ in range(5)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> table = pd.DataFrame({"area": (obs["drug"] == "b") * 2 + rng.normal(size=len(obs))})
    >>> cells = Cells(obs, features=table, label="drug", unit="well", batch="plate")
    >>> found = cross_validate(cells, by="plate", baselines=False)
    >>> found.unit, found.n_units, found.balanced_accuracy > 0.75
    ('plate', 4, True)
    """
    check_level(level)
    folds = make_folds(cells, by, n_splits, seed, splits)
    learner, whole, notes = _learner(cells, model, normalize, features, folds, seed)
    labels, classes = cells.labels, ordered(cells.labels)
    exchanged = _exchanged(cells, _how_often(learner, n_permutations) if baselines else 0, seed)
    runs = run(whole, learner, folds.splits, [labels, *exchanged], classes, progress=progress)
    judged = judge(folds, classes, level, seed)
    interval, mine = judged(runs[0], labels)
    table = pd.DataFrame()
    if baselines:
        pairs = list(zip(runs[1:], exchanged, strict=True))
        table = beside(cells, folds, classes, judged, mine, pairs, annotator=annotator, level=level)
    found = predictions(runs[0], labels, folds, classes)
    said = [*folds.notes, *notes, *runs[0].notes, _drawn(len(exchanged))]
    step = _step(learner, model, by, folds, seed)
    return Evaluation(
        model=step["model"],
        by=folds.by,
        interval=interval,
        predictions=found,
        probabilities=_probabilities(runs[0].probabilities, found, cells, classes),
        baselines=table,
        unit=folds.word,
        n_units=interval.n_units,
        tables={k: len(v) for k, v in learner.origins.items()} if isinstance(learner, FeatureLearner) else {},
        notes=tuple(dict.fromkeys(_sentence(n) for n in said if n)),
        history=(*whole.history, step),
        chance=1 / len(classes),
        **scores_of(found, runs[0].probabilities[runs[0].fold >= 0], classes),
    )


def _learner(
    cells: Cells, model: Any, normalize: Normalize, features: Features, folds: Folds, seed: int
) -> tuple[FeatureLearner | Learner, Cells, list[str]]:
    """Return what trains, the cells as it sees them, and what a reader has to know."""
    if callable(model) and not isinstance(model, type) and not hasattr(model, "get_params"):
        if normalize is not None or features is not None:
            raise ValueError("normalize and features are for models of features; this one gets the cells as they are.")
        return model, cells, []
    made = recipe(model, seed)
    whole, origins = combined(cells.with_images(None), features)
    whole, notes = with_usable_controls(whole, normalize, folds.splits)
    return FeatureLearner(made, origins, normalize), whole, [*_gaps(whole, origins), *notes]


def _gaps(cells: Cells, origins: Origins) -> list[str]:
    table = cells.table()
    gaps = table.isna()
    empty = table.columns[gaps.all()]
    some_gaps = gaps.any() & ~gaps.all()
    notes = [f"Left out, for no cell has a value: {some(empty)}."] if len(empty) else []
    if some_gaps.any():
        n = int(gaps.loc[:, some_gaps].any(axis=1).sum())
        notes.append(
            f"{count(n, 'cell')} without a value in some of {count(int(some_gaps.sum()), 'feature')}: filled with the "
            "median of the training cells."
        )
    if len(origins) > 1:
        parts = ", ".join(f"{name} ({len(columns):,})" for name, columns in origins.items())
        notes.append(f"One model for each table of features, log probabilities added: {parts}.")
    return notes


def _how_often(learner: Any, n: int | None) -> int:
    if n is not None:
        return n
    return (3 if learner.recipe.quick else 1) if isinstance(learner, FeatureLearner) else 0


def _exchanged(cells: Cells, n: int, seed: int) -> list[pd.Series]:
    if n < 1 or not cells.design.unit:
        return []
    return list(permute_labels(cells, n, seed=seed))


def _drawn(n: int) -> str:
    if not n:
        return ""
    return DRAWN.format(times="once" if n == 1 else f"{n} times (low, high: lowest and highest of these)")


def scores_of(found: pd.DataFrame, probabilities: np.ndarray, classes: list[Any]) -> dict[str, Any]:
    """Return the scores of an `Evaluation`, by their names there."""
    index = pd.Index(classes, dtype=object)
    truth, said = (index.get_indexer(pd.Index(found[c], dtype=object)) for c in ("given", "predicted"))
    table = scores.confusion(truth, said, classes)
    each = scores.per_class(table, truth, probabilities)
    each["n_groups"] = found["group"].groupby(truth).nunique().reindex(range(len(classes)), fill_value=0).to_numpy()
    return {
        "balanced_accuracy": scores.balanced_accuracy(table),
        "macro_f1": float(each["f1"].mean()),
        "auprc": float(each["average_precision"].mean()),
        "confusion": table,
        "per_class": each,
    }


def _probabilities(values: np.ndarray, found: pd.DataFrame, cells: Cells, classes: list[Any]) -> pd.DataFrame:
    rows = cells.ids.get_indexer(found.index)
    return pd.DataFrame(values[rows], index=found.index, columns=pd.Index(classes, dtype=object))


def _step(learner: Any, model: Any, by: Columns, folds: Folds, seed: int) -> dict[str, Any]:
    of_features = isinstance(learner, FeatureLearner)
    name = learner.recipe.name if of_features else _name(model)
    more: dict[str, Any] = {}
    if of_features:
        scale = learner.normalize if isinstance(learner.normalize, str) or learner.normalize is None else None
        own = learner.normalize.to_dict() if learner.normalize is not None and scale is None else scale
        more = {"settings": dict(settings(learner.recipe)), "normalize": own}
    held = list(by) if by is not None and not isinstance(by, str) else by
    return _align.step("cross_validate", model=name, by=held or folds.by, n_splits=len(folds.splits), seed=seed, **more)


def _name(model: Callable[..., Any]) -> str:
    inner = getattr(model, "func", model)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
