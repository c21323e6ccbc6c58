"""Importance: what a model of features loses when a block of them is mixed up, in cells that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.feature_blocks import Blocks, feature_blocks
from mlscope_nb.explain.importance_result import Importance, Mixed, blocks_table, features_table
from mlscope_nb.explain.shapley import is_linear, on_scale, weights
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.feature_model import FeatureClassifier, FeatureLearner
from mlscope_nb.predict.folds import Folds, make_folds
from mlscope_nb.predict.models import ModelName, log_probabilities, recipe
from mlscope_nb.predict.scale import Normalize, with_usable_controls
from mlscope_nb.predict.tables import Features, combined
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.splits import Split


def importance(
    cells: Cells,
    model: ModelName | Any = "logistic",
    by: Columns = None,
    normalize: Normalize = None,
    *,
    features: Features = None,
    correlation: float = 0.5,
    n_repeats: int = 10,
    n_splits: int | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Importance:
    """Say which features a model needs, by blocks of features that say the same, in cells that it has not seen.

    Features of cells come in crowds: of ten ways to measure the length, a model can do without any one. So features
    that correlate are mixed up together: each held-out cell gets the values of another cell of its plate in the whole
    block, and what the model's probability of the right class loses is what the block is worth to it. That is what
    this model uses, and not all that a block knows: another block may say it too.

    Parameters
    ----------
    cells, model, by, normalize, features, n_splits, seed
        As in `cross_validate`; models of features only. A feature that is there twice is given to the model once.
    correlation : float
        Features are put together while they correlate by this much on average (ranks, within plates, either sign).
    n_repeats : int
        How often each cell's block is exchanged.
    level : float
        Confidence level.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    Importance
        ``.blocks``, the most important first, with intervals over what was held out; ``.features``; ``.by_class``.

    Raises
    ------
    ValueError, KeyError, TypeError
        As in `cross_validate`; a correlation that is none; or a model that learns from images (see `attribute`).

    References
    ----------
    Breiman 2001, Machine Learning 45:5 (permutation); Gregorutti et al. 2015, Comput Stat Data Anal 90:15 (groups of
    features); Hooker et al. 2021, Stat Comput 31:82 (why features that go together must not be parted).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(4) for w in range(6) for _ in range(5)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> area = (obs["drug"] == "b") * 3 + rng.normal(size=len(obs))
    >>> table = pd.DataFrame({"area": area, "size": area * 2, "depth": rng.normal(size=len(obs))})
    >>> found = importance(Cells(obs, features=table, label="drug", unit="well", batch="plate"), by="plate")
    >>> found.blocks.index.tolist(), found.blocks.loc["area", "features"]
    (['area', 'depth'], ('area', 'size'))
    """
    check_level(level)
    if not 0 < correlation <= 1 or n_repeats < 1:
        raise ValueError(f"correlation is {correlation} and n_repeats {n_repeats}, expected 0 to 1, and 1 or more.")
    if callable(model) and not isinstance(model, type) and not hasattr(model, "get_params"):
        raise TypeError(
            "This is for models of features. What a network looks at: ms.explain.attribute(network, cells)."
        )
    folds = make_folds(cells, by, n_splits, seed)
    whole, origins = combined(cells.with_images(None), features)
    batch = pd.factorize(cells.batches_of)[0] if cells.design.batch else np.zeros(len(cells), np.intp)
    blocks = feature_blocks(whole.table(), batch, correlation=correlation)
    if not blocks.members:
        raise ValueError("No feature varies between these cells. Measure them: ms.features.measure(cells).")
    use = set(blocks.different)
    origins = {name: kept for name, c in origins.items() if (kept := [f for f in c if f in use])}
    whole = whole.with_features(whole.table()[[f for c in origins.values() for f in c]])
    whole, notes = with_usable_controls(whole, normalize, folds.splits)
    learner = FeatureLearner(recipe(model, seed), origins, normalize)
    donors = _donors(whole, batch, n_repeats, seed)
    mixed = Mixed.empty(cells.ids, ordered(cells.labels), list(blocks.members), blocks.different)
    for part in tqdm(folds.splits, desc="Folds", leave=False, disable=not progress, delay=2):
        _one_fold(learner, whole, cells.labels, part, blocks, donors, mixed)
    return _result(cells, mixed, blocks, folds, notes, learner, level, seed)


def _one_fold(
    learner: FeatureLearner, cells: Cells, labels: pd.Series, part: Split, blocks: Blocks,
    donors: NDArray[np.intp], mixed: Mixed,
) -> None:  # fmt: skip
    """Train once, and write down for each held-out cell what the model says with each block exchanged."""
    prepared = learner.prepared(cells.subset(part.train_ids))
    model = prepared.fitted(labels[part.train_ids])
    rows = cells.ids.get_indexer(part.test_ids)
    rows = rows[labels.iloc[rows].notna().to_numpy()]
    table = prepared.scale.transform(cells).table()
    values = {name: table[c].to_numpy(np.float64) for name, c in learner.origins.items()}
    logs = {name: _logs(model, name, v[rows]) for name, v in values.items()}
    places = np.array([mixed.classes.index(c) for c in model.classes])
    said = _probabilities(logs)
    mixed.write(rows, places, said)
    for number, names in enumerate(blocks.members.values()):
        total = np.zeros_like(said)
        hits = np.zeros(len(rows))
        for donor in donors[:, rows]:
            other = dict(logs)
            for name, columns in learner.origins.items():
                mine = np.flatnonzero(np.isin(columns, names))
                if len(mine):
                    changed = values[name][rows]
                    changed[:, mine] = values[name][donor][:, mine]
                    other[name] = _logs(model, name, changed)
            now = _probabilities(other)
            total += now
            hits += places[now.argmax(axis=1)] == mixed.codes(labels.iloc[rows])
        mixed.write_block(number, rows, places, said - total / len(donors), hits / len(donors))
    if is_linear(model):
        mixed.write_shapley(rows, labels.iloc[rows], *_own(model, values, rows, learner))


def _own(model: FeatureClassifier, values: dict[str, Floats], rows: NDArray[np.intp], learner: FeatureLearner) -> Any:
    """Return what each feature adds for each class, weight × (value - 0): (P, K), and values on that scale (n, P)."""
    weight, _ = weights(model)
    steps = model.prepared.steps
    train = np.flatnonzero(~np.isin(np.arange(len(next(iter(values.values())))), rows))
    placed, scaled = [], []
    for name in learner.origins:
        now = on_scale(steps[name], values[name][rows])
        # Held-out cells are compared with the mean of the cells that were trained on.
        scaled.append(now - on_scale(steps[name], values[name][train]).mean(axis=0))
        placed.append(weight[name])
    names = [c for columns in learner.origins.values() for c in columns]
    return names, model.classes, np.vstack(placed), np.hstack(scaled)


def _logs(model: FeatureClassifier, name: str, values: Floats) -> Floats:
    return log_probabilities(model.models[name], model.prepared.steps[name].transform(values))


def _probabilities(logs: dict[str, Floats]) -> Floats:
    from scipy.special import softmax

    return np.asarray(softmax(np.sum(list(logs.values()), axis=0), axis=1))


def _donors(cells: Cells, batch: NDArray[np.intp], n: int, seed: int) -> NDArray[np.intp]:
    """Return for each cell `n` other cells of its batch (n, N), from which it gets a block of features.

    Only the features decide who gets whose, so that neither the order of cells nor copies of them change anything.
    Where a batch holds one class, cells of all batches exchange: otherwise nothing of the label would be mixed up.
    """
    classes = pd.Series(pd.factorize(cells.labels)[0]).groupby(batch).nunique()
    pool = batch if (classes > 1).all() else np.zeros(len(batch), np.intp)
    table = cells.table().sort_index(axis=1).reset_index(drop=True)
    key = pd.util.hash_pandas_object(table, index=False).to_numpy()
    found = np.empty((n, len(pool)), np.intp)
    for k in np.unique(pool):
        rows = np.flatnonzero(pool == k)
        _, first, of, times = np.unique(key[rows], return_index=True, return_inverse=True, return_counts=True)
        shares = np.cumsum(times) / times.sum()
        rng = np.random.default_rng([seed, len(first)])
        for r in range(n):
            # A strip of the pool for each cell, so that all of them are asked equally often.
            place = (rng.permutation(len(first)) + rng.random()) / len(first)
            chosen = np.minimum(np.searchsorted(shares, place, side="right"), len(first) - 1)
            found[r, rows] = rows[first[chosen[of]]]
    return found


def _result(
    cells: Cells, mixed: Mixed, blocks: Blocks, folds: Folds, notes: list[str], learner: FeatureLearner,
    level: float, seed: int,
) -> Importance:  # fmt: skip
    table, by_class = blocks_table(cells, mixed, blocks, folds, level)
    said = [*folds.notes, *(f"{n[0].upper()}{n[1:]}." for n in notes)]
    if blocks.constant:
        said.append(f"Left out, for they do not vary: {some(blocks.constant)}.")
    if blocks.copies:
        said.append(f"Given to the model once, for they are another feature again: {some(sorted(blocks.copies))}.")
    step = _align.step("importance", model=learner.recipe.name, by=folds.by, n_splits=len(folds.splits), seed=seed)
    table.attrs = {"history": [step]}
    score = mixed.score(cells.labels, folds, level)
    return Importance(
        model=learner.recipe.name,
        by=folds.by,
        blocks=table,
        features=features_table(mixed, blocks, cells.labels),
        by_class=by_class,
        probability=replace(score, target=f"probability of the right class on {folds.target}"),
        shapley=mixed.contributions if mixed.has_shapley else None,
        notes=tuple(dict.fromkeys(said)),
    )
