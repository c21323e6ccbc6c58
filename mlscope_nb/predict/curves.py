"""Learning curve: how the score grows with the number of units to train on, and what more of them would bring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.predict import validation
from mlscope_nb.predict.baselines import predictions
from mlscope_nb.predict.evaluation import group_values
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.predict.folds import Folds, make_folds
from mlscope_nb.predict.intervals import score_interval
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.power_law import Measured, foreseen
from mlscope_nb.predict.runs import run
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.subsets import beginning, complete_from, default_sizes, orders
from mlscope_nb.predict.tables import Features
from mlscope_nb.study._result import number
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.splits import CELL, Split
from mlscope_nb.study.units import noun, plural

FEWEST_DRAWS = 3
MEASURED, FORESEEN = "measured", "foreseen"


def learning_curve(
    cells: Cells,
    model: ModelName | Any | Learner = "logistic",
    by: Columns = None,
    normalize: Normalize = None,
    *,
    features: Features = None,
    sizes: Sequence[int] | None = None,
    extrapolate_to: int | Sequence[int] | None = None,
    n_draws: int = 5,
    n_splits: int | None = None,
    splits: Iterable[Split] | None = None,
    level: float = 0.8,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the score against the number of units (wells) to train on, and say what more of them would bring.

    Smaller studies are drawn inside this one: whole units, each class with its share, spread over the batches, each
    holding the one before. All are tested on the same held-out units. An inverse power law is fitted to the scores and
    carried on. Copies of cells change nothing; only units count.

    Parameters
    ----------
    cells : Cells
        With a declared label and unit, and features (unless tables are given, or the model reads images).
    model, normalize, features, n_splits
        As in `cross_validate`.
    by : str or several, optional
        What is held out. Default: whole batches (plates) where they are declared and hold several classes each, else
        units.
    sizes : sequence of int, optional
        Numbers of units to train on. Default: six, from an eighth of all (one for each class at least) to all.
    extrapolate_to : int or several, optional
        Numbers of units in training to look ahead to. Default: twice and four times as many as there are.
    n_draws : int
        How often smaller studies are drawn, 3 or more.
    splits : sequence of Split, optional
        Splits of one's own. Where what they test on is never trained on, the test stays as it is in a larger study.
    level : float
        How often the interval shall hold what more units then show. Lower than elsewhere (0.8): it is to plan by, and
        most of its width is chance of the wells to come, which no fit takes away.
    seed : int
        Of draws, models and intervals.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame (one row per size)
        n_units (in training), kind ("measured", "foreseen"), balanced_accuracy, sd_draws (between draws of units;
        NaN where there is one way to draw), curve, low, high, n_study_units (in the whole study). ``low`` and
        ``high`` hold the score that this study would show, cross-validated in the same way on the same batches,
        with as many units; that is the error of the fit and what other units would have shown. New batches may
        differ by more: their interval stands in ``attrs["notes"]``.

    Raises
    ------
    ValueError, KeyError, TypeError
        As in `cross_validate`; too few units for a curve; sizes that are not there.

    References
    ----------
    Figueroa et al. 2012, BMC Med Inform Decis Mak 12:8. How often the interval holds what more wells then show is
    measured in ``studies/predict_quantity.py``: not often enough where classes are spread unevenly over batches or
    stand once on each, for then small and large studies differ in more than their size. A note says so.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(3) for w in range(8) for _ in range(5)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> table = pd.DataFrame({"area": (obs["drug"] == "b") * 2 + rng.normal(size=len(obs))})
    >>> found = learning_curve(Cells(obs, features=table, label="drug", unit="well", batch="plate"), n_draws=3)
    >>> found["n_units"].tolist(), found["kind"].tolist()[-2:]
    ([2, 3, 5, 7, 11, 16, 32, 64], ['foreseen', 'foreseen'])
    """
    check_level(level)
    if n_draws < FEWEST_DRAWS:
        raise ValueError(f"n_draws is {n_draws}, expected {FEWEST_DRAWS} at least: draws of units differ.")
    folds = _held_out(cells, by, n_splits, splits, seed)
    plan = _plan(cells, folds, sizes, n_draws, seed)
    every = [part for parts in plan.parts.values() for part in parts]
    learner, whole, notes = validation._learner(
        cells, model, normalize, features, replace(folds, splits=[*folds.splits, *every]), seed
    )
    scores, parts = _measure(whole, learner, folds, plan, progress)
    measured, grows = _spread(plan, scores, parts, folds)
    ahead = _ahead(extrapolate_to, plan)
    curves, studies = foreseen(measured, np.array([*plan.sizes, *ahead], float), grows=grows, seed=seed)
    found = _table(plan, scores, ahead, curves, studies, level)
    found.attrs["notes"] = [
        *_said(found, plan, folds, cells, grows, level),
        *_uneven(cells, plan),
        _over_batches(parts[(plan.sizes[-1], 0)], folds, plan, seed),
        *(validation._sentence(n) for n in [*folds.notes, *notes] if n),
    ]
    step = validation._step(learner, model, by, folds, seed)
    more = {"sizes": plan.sizes, "extrapolate_to": ahead, "n_draws": n_draws, "level": level}
    found.attrs["history"] = [*whole.history, {**step, **_align.step("learning_curve", **more)}]
    return found


@dataclass(frozen=True, eq=False)
class _Plan:
    """Which units are trained on at each size and draw."""

    sizes: list[int]
    n_draws: int
    parts: dict[tuple[int, int], list[Split]]
    pool: int
    units: pd.Series
    word: str
    study: float
    """Units with a label in the whole study, for each one that is trained on."""

    def key(self, size: int, draw: int) -> tuple[int, int]:
        """All units can be drawn in one way only."""
        return (size, draw if size < self.pool else 0)


def _held_out(cells: Cells, by: Columns, n_splits: int | None, splits: Iterable[Split] | None, seed: int) -> Folds:
    if by == CELL:
        raise ValueError(
            "by='cell' holds out cells of units that are trained on, so more units would seem to bring nothing. Hold "
            "out units or batches."
        )
    return make_folds(
        cells, by if by is not None or splits is not None else whole_batches(cells), n_splits, seed, splits
    )


def whole_batches(cells: Cells) -> Columns:
    """Return "batch" where batches can be held out as a whole: there are several, and each holds several classes."""
    if not cells.design.batch or cells.design.label is None:
        return None
    known = cells.labels.notna()
    classes = cells.labels[known].groupby(cells.batches_of[known], observed=True).nunique()
    return "batch" if len(classes) > 1 and (classes > 1).all() else None


def _plan(cells: Cells, folds: Folds, sizes: Sequence[int] | None, n_draws: int, seed: int) -> _Plan:
    units = cells.units if cells.design.unit else folds.group
    word = _word(cells) if cells.design.unit else folds.word
    batch = cells.batches_of if cells.design.batch else pd.Series("", index=cells.ids)
    rng = np.random.default_rng(seed)
    made = [orders(units, cells.labels, batch, folds.splits, rng) for _ in range(n_draws)]
    pool = round(np.mean([len(order) for order in made[0]]))
    smallest = max(complete_from(order, units, cells.labels) for drawn in made for order in drawn)
    chosen = default_sizes(smallest, pool, word) if sizes is None else _checked(sizes, smallest, pool, word)
    parts = {
        # A fold that has more units than others gives more of them; all can be drawn in one way only.
        (n, draw): [
            beginning(part, order, max(smallest, round(n / pool * len(order))), units)
            for part, order in zip(folds.splits, drawn, strict=True)
        ]
        for draw, drawn in enumerate(made)
        for n in chosen
        if n < pool or draw == 0
    }
    n_all = units[cells.labels.notna()].nunique()
    return _Plan(chosen, n_draws, parts, pool, units, word, n_all / pool)


def _word(cells: Cells) -> str:
    inner = tuple(c for c in cells.design.unit if c not in cells.design.batch)
    return noun(inner) if len(inner) == 1 else noun(cells.design.unit)


def _checked(sizes: Sequence[int], smallest: int, largest: int, word: str) -> list[int]:
    chosen = sorted({int(n) for n in sizes})
    if len(chosen) < 3 or chosen[0] < smallest or chosen[-1] > largest:
        raise ValueError(
            f"sizes is {list(sizes)}, expected three numbers or more from {smallest} (fewer "
            f"{plural(word)} miss a class) to {largest} (all that a fold trains on)."
        )
    return chosen


def _ahead(extrapolate_to: int | Sequence[int] | None, plan: _Plan) -> list[int]:
    if extrapolate_to is None:
        return [2 * plan.pool, 4 * plan.pool]
    wanted = [extrapolate_to] if isinstance(extrapolate_to, int | np.integer) else list(extrapolate_to)
    ahead = sorted({int(n) for n in wanted})
    if any(n <= plan.sizes[-1] for n in ahead):
        raise ValueError(
            f"extrapolate_to is {extrapolate_to}, but up to {count(plan.sizes[-1], plan.word, plural(plan.word))} in "
            "training the score is measured. Name larger numbers."
        )
    return ahead


def _measure(
    cells: Cells, learner: FeatureLearner | Learner, folds: Folds, plan: _Plan, progress: bool
) -> tuple[np.ndarray, dict[tuple[int, int], pd.DataFrame]]:
    """Return the score of each size and draw, and the predictions behind it."""
    labels, classes = cells.labels, ordered(cells.labels)
    found = {}
    for key, parts in tqdm(plan.parts.items(), desc="Draws", leave=False, disable=not progress, delay=2):
        made = run(cells, learner, parts, [labels], classes, progress=False)[0]
        found[key] = predictions(made, labels, replace(folds, splits=parts), classes)
    score = {key: _values(table, plan).mean() for key, table in found.items()}
    return np.array([[score[plan.key(n, k)] for k in range(plan.n_draws)] for n in plan.sizes]), found


def _values(table: pd.DataFrame, plan: _Plan) -> np.ndarray:
    """Return what each tested unit adds to the balanced accuracy, whose mean that is."""
    return group_values(table.assign(group=plan.units[table.index]), ordered(table["given"]))


def _spread(
    plan: _Plan, scores: np.ndarray, parts: dict[tuple[int, int], pd.DataFrame], folds: Folds
) -> tuple[Measured, bool]:
    """Return the scores with what they vary by, and whether a larger study tests on more units."""
    table = parts[(plan.sizes[0], 0)]
    values = np.array(
        [np.mean([_values(parts[plan.key(n, k)], plan) for k in range(plan.n_draws)], axis=0) for n in plan.sizes]
    )
    off = values - values.mean(axis=1, keepdims=True)
    n = values.shape[1]
    trained = {i for part in folds.splits for i in plan.units[part.train_ids].unique()}
    grows = bool(plan.units[table.index].isin(trained).all())
    change = off - off[-1]
    tested = float(off[-1] @ off[-1]) / (n - 1)
    return Measured(np.array(plan.sizes, float), scores, plan.pool, change @ change.T / (n - 1) / n, tested, n), grows


def _table(
    plan: _Plan, scores: np.ndarray, ahead: list[int], curves: np.ndarray, studies: np.ndarray, level: float
) -> pd.DataFrame:
    n = np.array([*plan.sizes, *ahead])
    gone = np.full(len(ahead), np.nan)
    deviation = np.where(np.array(plan.sizes) < plan.pool, scores.std(axis=1, ddof=1), np.nan)
    curve = np.median(curves, axis=0)
    low, high = np.quantile(studies, [(1 - level) / 2, (1 + level) / 2], axis=0)
    table = {
        "n_units": n,
        "kind": [MEASURED] * len(plan.sizes) + [FORESEEN] * len(ahead),
        "balanced_accuracy": [*scores.mean(axis=1), *curve[len(plan.sizes) :]],
        "sd_draws": [*deviation, *gone],
        "curve": curve,
        "low": low,
        "high": high,
        "n_study_units": np.round(n * plan.study).astype(int),
    }
    return pd.DataFrame(table)


def _said(found: pd.DataFrame, plan: _Plan, folds: Folds, cells: Cells, grows: bool, level: float) -> list[str]:
    words = plural(plan.word)
    last = found[found["kind"] == MEASURED].iloc[-1]
    lines = [
        f"Balanced accuracy with {last['n_units']:,} {words} to train on: {number(last['balanced_accuracy'], 0.1)}, "
        f"on {folds.target}."
    ]
    for row in found[found["kind"] == FORESEEN].to_dict("records"):
        value, low, high = (number(row[name], 0.1) for name in ("curve", "low", "high"))
        lines.append(
            f"Foreseen for {row['n_units']:,} ({row['n_study_units']:,} in the whole study): {value} "
            f"({level * 100:g} % interval {low} to {high})."
        )
    batches = f"on the same {plural(noun(cells.design.batch))}, " if cells.design.batch else ""
    other = f"that other {words} would be trained{' and tested' if grows else ''} on"
    lines.append(
        f"The interval is about this study with more {words}, {batches}cross-validated in the same way: it holds the "
        f"error of the fitted curve and {other}."
    )
    return lines


def _uneven(cells: Cells, plan: _Plan) -> list[str]:
    """Say where batches lack classes, for then a curve cannot foresee what evenly spread units would bring."""
    if not cells.design.batch:
        return []
    known = cells.labels.notna()
    pairs = pd.DataFrame({"unit": plan.units, "label": cells.labels.astype(object), "batch": cells.batches_of})[known]
    held = pairs.drop_duplicates().groupby(["label", "batch"], observed=True).size().unstack(fill_value=0)
    lacking = int((held == 0).sum().sum())
    words, word = plural(plan.word), noun(cells.design.batch)
    few = int(held.to_numpy().min())
    if lacking:
        return [
            f"Classes are spread unevenly: {count(lacking, f'pair of class and {word}', f'pairs of class and {word}')} "
            f"without a {plan.word}. A model then takes the {word} for the class in part, and {words} that fill the "
            "gaps may bring far more than the interval says."
        ]
    if few == 1:
        return [
            f"Some classes have one {plan.word} on a {word}, so that smaller studies inside this one lack classes on "
            f"some {plural(word)} and do worse for that: more {words} may bring less than the curve says."
        ]
    return []


def _over_batches(table: pd.DataFrame, folds: Folds, plan: _Plan, seed: int) -> str:
    """Say how far the score of the largest size goes for new groups, which is another question."""
    classes = pd.Index(ordered(table["given"]), dtype=object)
    truth = classes.get_indexer(pd.Index(table["given"], dtype=object))
    right = (table["given"] == table["predicted"]).to_numpy(np.float64)
    found = score_interval(
        truth, right, table["group"], large=folds.large, word=folds.word, target=folds.target, seed=seed
    )
    more = f" More {plural(plan.word)} do not narrow what {plural(folds.word)} differ by." if folds.large else ""
    return f"On {folds.target}, with {plan.sizes[-1]:,} {plural(plan.word)} to train on: {found}.{more}"
