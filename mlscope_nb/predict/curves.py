"""Learning curve: how the score grows with the number of units to train on, and what more of them would bring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.predict import validation
from mlscope_nb.predict.curve_errors import Plan, Scores, measured_of
from mlscope_nb.predict.curve_notes import FORESEEN, MEASURED, over_batches, said, uneven
from mlscope_nb.predict.effective_units import effective, noise_ratios
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.predict.folds import make_folds
from mlscope_nb.predict.lent_controls import Lender
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.power_law import foreseen
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.smaller_studies import Study, judged
from mlscope_nb.predict.tables import Features
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.splits import CELL, Split
from mlscope_nb.study.units import noun, plural

FEWEST_DRAWS = 3
PARTS = (1, 2, 3, 4, 6)
"""In how many smaller studies the units are dealt by default."""
FEWEST_SIZES = 2


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
    level: float = 0.9,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the score against the number of units (wells) to train on, and say what more of them would bring.

    The units of the study are dealt to two, three and more smaller studies, each class and batch with its share, and
    each of these is cross-validated by itself as the whole is: with half of the wells there are half as many to train
    on, to test on and to normalise with. So every size tests all units. An inverse power law is fitted to the scores
    and carried on. Copies of cells change nothing; only units count.

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
        Numbers of units to train on. Default: what the whole, a half, third, quarter and sixth of the study train on,
        as far as every class can be held out and learned. The whole is always measured.
    extrapolate_to : int or several, optional
        Numbers of units in training to look ahead to. Default: twice and four times as many as there are.
    n_draws : int
        How often the units are dealt, 3 or more.
    splits : sequence of Split, optional
        Splits of one's own. Where what they test on is never trained on, the test stays as it is in a larger study.
    level : float
        How often the interval shall hold what more units then show.
    seed : int
        Of draws, models and intervals.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame (one row per size)
        n_units (in training), kind ("measured", "foreseen"), balanced_accuracy, sd_draws (between ways to deal the
        units; NaN where there is one), curve, low, high, n_study_units (in the whole study). ``low`` and
        ``high`` hold the score that this study would show, cross-validated in the same way on the same batches,
        with as many units; that is the error of the fit and what the units to come add. NaN where each class has one
        unit that is tested. New batches may differ by more: their interval stands in ``attrs["notes"]``.

    Raises
    ------
    ValueError, KeyError, TypeError
        As in `cross_validate`; too few units for a curve; sizes that are not there.

    References
    ----------
    Figueroa et al. 2012, BMC Med Inform Decis Mak 12:8. How often the interval holds what more wells then show is
    measured in ``studies/predict_quantity.py``. Where classes are spread unevenly over batches or stand once on each,
    small and large studies differ in more than their size: a note says so, and where they are uneven the interval is
    wider. Normalise (``normalize="standardize"``), or what plates do to their classes is part of the curve.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(3) for w in range(8) for _ in range(5)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> table = pd.DataFrame({"area": (obs["drug"] == "b") * 2 + rng.normal(size=len(obs))})
    >>> found = learning_curve(Cells(obs, features=table, label="drug", unit="well", batch="plate"), n_draws=3)
    >>> found["n_units"].tolist(), found["kind"].tolist()[-2:]
    ([3, 4, 5, 8, 16, 32, 64], ['foreseen', 'foreseen'])
    """
    check_level(level)
    if n_draws < FEWEST_DRAWS:
        raise ValueError(f"n_draws is {n_draws}, expected {FEWEST_DRAWS} at least: ways to deal the units differ.")
    own = None if splits is None else list(splits)
    study = _study(cells, by, n_splits, own, seed)
    word = _word(cells) if cells.design.unit else study.folds.word
    rng = np.random.default_rng(seed)
    plan = _plan(study, sizes, n_draws, word, rng)
    ahead = _ahead(extrapolate_to, max(plan), word)
    learner, whole, notes = validation._learner(cells, model, normalize, features, study.folds, seed)
    scores = _measure(study, whole, learner, plan, rng, progress)
    measured = measured_of(scores, study, plan)
    worth = _worth(study, plan, ahead, whole, learner, seed)
    curves, studies = foreseen(measured, np.array(ahead, float), worth, seed=seed)
    n_units = study.units[cells.labels.notna()].nunique() / study.training
    found = _table(sorted(plan), ahead, measured.scores, curves, studies, n_units, level)
    if measured.freedom < 1:
        found[["low", "high"]] = np.nan
    at = scores[max(plan)][0][0]
    found.attrs["notes"] = [
        *said(found, study.folds, cells, word, study.grows, level),
        *uneven(cells, study.units, word),
        over_batches(at, study.folds, max(plan), plural(word), seed),
        *(validation._sentence(n) for n in [*study.folds.notes, *notes] if n),
    ]
    step = validation._step(learner, model, by, study.folds, seed)
    more = {"sizes": sorted(plan), "extrapolate_to": ahead, "n_draws": n_draws, "level": level}
    found.attrs["history"] = [*whole.history, {**step, **_align.step("learning_curve", **more)}]
    return found


def _study(cells: Cells, by: Columns, n_splits: int | None, splits: list[Split] | None, seed: int) -> Study:
    if by == CELL:
        raise ValueError(
            "by='cell' holds out cells of units that are trained on, so more units would seem to bring nothing. Hold "
            "out units or batches."
        )
    held = by if by is not None or splits is not None else whole_batches(cells)
    folds = make_folds(cells, held, n_splits, seed, splits)
    units = cells.units if cells.design.unit else folds.group
    design = cells.design
    # Smaller studies are made of names alone, so that dealing copies no features and no pixels.
    names = Cells(cells.obs, label=design.label, unit=design.unit, batch=design.batch)
    return Study(names, folds, held, n_splits, seed, splits is not None, units)


def whole_batches(cells: Cells) -> Columns:
    """Return "batch" where batches can be held out as a whole: there are several, and each holds several classes."""
    if not cells.design.batch or cells.design.label is None:
        return None
    known = cells.labels.notna()
    classes = cells.labels[known].groupby(cells.batches_of[known], observed=True).nunique()
    return "batch" if len(classes) > 1 and (classes > 1).all() else None


def _word(cells: Cells) -> str:
    inner = tuple(c for c in cells.design.unit if c not in cells.design.batch)
    return noun(inner) if len(inner) == 1 else noun(cells.design.unit)


def _plan(study: Study, sizes: Sequence[int] | None, n_draws: int, word: str, rng: np.random.Generator) -> Plan:
    pool = round(study.training)
    if sizes is None:
        shares = {round(study.training / k): 1 / k for k in reversed(PARTS)}
    else:
        shares = {n: n / study.training for n in _checked(sizes, pool, word)}
    found: Plan = {pool: [[study.folds.splits]]}
    for n in sorted(set(shares) - {pool}, reverse=True):
        made = [study.dealt(shares[n], rng) for _ in range(n_draws)]
        parts = [one for one in made if one is not None]
        if len(parts) == n_draws:
            found[n] = parts
        elif sizes is not None:
            raise ValueError(
                f"sizes is {list(sizes)}, but with {n} {plural(word)} to train on a smaller study misses a class: "
                f"{_fewest(study, word)}"
            )
        else:
            break
    if len(found) < FEWEST_SIZES:
        raise ValueError(
            f"{count(pool, word, plural(word))} to train on are too few for a curve: {_fewest(study, word)} Add "
            f"{plural(word)}, or leave rare classes out."
        )
    return found


def _checked(sizes: Sequence[int], pool: int, word: str) -> list[int]:
    chosen = {int(n) for n in sizes}
    if not chosen or min(chosen) < 1 or max(chosen) > pool or chosen == {pool}:
        raise ValueError(
            f"sizes is {list(sizes)}, expected numbers of {plural(word)} to train on, some of them below {pool}, which "
            f"is what a fold of the whole study trains on, and none beyond."
        )
    return sorted(chosen | {pool})


def _fewest(study: Study, word: str) -> str:
    n = 2 if study.grows else 1
    kept = "to hold out one and to learn from another" if study.grows else "to learn from"
    return f"each smaller study needs {count(n, word, plural(word))} of every class, {kept}."


def _ahead(extrapolate_to: int | Sequence[int] | None, pool: int, word: str) -> list[int]:
    if extrapolate_to is None:
        return [2 * pool, 4 * pool]
    wanted = [extrapolate_to] if isinstance(extrapolate_to, int | np.integer) else list(extrapolate_to)
    ahead = sorted({int(n) for n in wanted})
    if any(n <= pool for n in ahead):
        raise ValueError(
            f"extrapolate_to is {extrapolate_to}, but up to {count(pool, word, plural(word))} in training the score is "
            "measured. Name larger numbers."
        )
    return ahead


def _measure(
    study: Study,
    cells: Cells,
    learner: FeatureLearner | Learner,
    plan: Plan,
    rng: np.random.Generator,
    progress: bool,
) -> Scores:
    """Return the predictions of every study, the whole and the smaller ones."""
    lender = Lender.of(cells, learner, study.units)
    found: Scores = {n: [] for n in sorted(plan)}
    todo = [(n, parts) for n, dealt in plan.items() for parts in dealt]
    for n, parts in tqdm(todo, desc="Draws", leave=False, disable=not progress, delay=2):
        found[n].append([judged(study, cells, learner, splits, lender, rng) for splits in parts])
    return found


def _worth(
    study: Study, plan: Plan, ahead: list[int], cells: Cells, learner: FeatureLearner | Learner, seed: int
) -> np.ndarray:
    """Return how many independent units each size is worth, in several equally likely ways."""
    values = control = None
    normalized = isinstance(learner, FeatureLearner) and learner.normalize is not None
    if isinstance(learner, FeatureLearner):
        rows = np.hstack(list(learner.prepared(cells).values.values()))
        values = pd.DataFrame(rows).groupby(study.units[cells.ids].to_numpy()).mean().loc[study.table.index].to_numpy()
        if normalized and cells.design.control is not None:
            control = cells.controls.groupby(study.units[cells.ids]).any().loc[study.table.index]
    ratios = noise_ratios(values, study.table, control, normalized=normalized, seed=seed)
    pool = max(plan)
    studies = {n: [splits for dealt in plan[n] for splits in dealt] for n in sorted(plan)}
    now = [effective(study, found, ratios) for found in studies.values()]
    later = [effective(study, studies[pool], ratios, n / pool) for n in ahead]
    return np.array([*now, *later]).T


def _table(
    sizes: list[int],
    ahead: list[int],
    scores: np.ndarray,
    curves: np.ndarray,
    studies: np.ndarray,
    n_units: float,
    level: float,
) -> pd.DataFrame:
    n, gone = np.array([*sizes, *ahead]), np.full(len(ahead), np.nan)
    deviation = np.where(np.array(sizes) < sizes[-1], scores.std(axis=1, ddof=1), np.nan)
    curve = np.median(curves, axis=0)
    low, high = np.quantile(studies, [(1 - level) / 2, (1 + level) / 2], axis=0)
    table = {
        "n_units": n,
        "kind": [MEASURED] * len(sizes) + [FORESEEN] * len(ahead),
        "balanced_accuracy": [*scores.mean(axis=1), *curve[len(sizes) :]],
        "sd_draws": [*deviation, *gone],
        "curve": curve,
        "low": low,
        "high": high,
        "n_study_units": np.round(n * n_units).astype(int),
    }
    return pd.DataFrame(table)
