"""Active learning: whether asking about doubtful cells teaches a model more than labelling cells at random."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict import scores
from mlscope_nb.predict.feature_model import FeatureLearner, PreparedLearner
from mlscope_nb.predict.folds import make_folds
from mlscope_nb.predict.models import ModelName, recipe
from mlscope_nb.predict.queries import Strategy, check_strategy, query
from mlscope_nb.predict.scale import Normalize, with_usable_controls
from mlscope_nb.predict.tables import Features, combined
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.splits import Split, split
from mlscope_nb.study.units import noun, plural

RANDOM: Strategy = "random"
TEST_SHARE = 0.3
FEWEST_BATCHES = 3
"""From so many batches one in three is locked away besides, for a test on new ones."""


def active_learning(
    cells: Cells,
    strategies: Sequence[Strategy] = ("uncertainty", "margin", "diverse"),
    *,
    start: int = 10,
    per_round: int = 10,
    rounds: int = 10,
    n_repeats: int = 10,
    model: ModelName | Any = "logistic",
    normalize: Normalize = "standardize",
    features: Features = None,
    by: Columns = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Play rounds of labelling with known labels: by strategies that ask, and at random, from the same start.

    In each repetition whole units are locked away for testing, and whole batches too where there are three or more; no
    query ever sees them. A few cells are labelled at random, at least one of each class. Then a model is trained, asks
    for the labels of further cells, is trained again, and so on. All strategies start from the same cells.

    Parameters
    ----------
    cells : Cells
        With labels, a declared unit and features.
    strategies : sequence of str
        "uncertainty", "margin", "diverse" (`ms.predict.active_learning` always runs "random" beside them).
    start, per_round, rounds : int
        Cells labelled at first, cells asked about in a round, number of rounds.
    n_repeats : int
        Repetitions with other locked units and another start.
    model, normalize, features
        As in `cross_validate`. Scales and components are learned from the cells that may be asked about, which takes no
        label.
    by : str or several, optional
        What is locked away; default the unit.
    level : float
        Confidence level.
    seed : int
        Of everything that is drawn. The order of rows does not matter.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame
        One row for each strategy, test ("new wells", "new plates") and number of labelled cells: balanced_accuracy
        (mean of the repetitions), low, high; gain over random from the same start, with its paired interval (gain_low,
        gain_high); n_repeats; seconds (mean time of a round). In ``attrs``: "history", and "runs", a table with the
        score of each repetition. Repetitions share cells, so intervals are widened as Nadeau & Bengio have it; they are
        about other splits of these cells, not about other studies.

    Raises
    ------
    ValueError
        No label, unit or features, too few units, or more cells asked for than there are.

    References
    ----------
    Settles 2009, Active Learning Literature Survey; Nadeau & Bengio 2003, Machine Learning 52:239.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame({"well": np.arange(300) // 10, "kind": np.tile(list("abc"), 100)})
    >>> table = pd.DataFrame(rng.normal(size=(300, 4)) + 2 * (obs["kind"] == "b").to_numpy()[:, None]).add_prefix("f")
    >>> cells = Cells(obs, features=table, label="kind", unit="well")
    >>> found = active_learning(cells, ["margin"], rounds=2, n_repeats=3)
    >>> found.loc[("margin", "new wells", 30), ["n_repeats"]].tolist(), len(found)
    ([3], 6)
    """
    check_level(level)
    chosen = list(dict.fromkeys([RANDOM, *([strategies] if isinstance(strategies, str) else strategies)]))
    for name in chosen:
        check_strategy(name)
    if min(start, per_round, rounds) < 1 or n_repeats < 2:
        raise ValueError("start, per_round and rounds have to be 1 at least, and n_repeats 2, for an interval.")
    whole, origins = combined(cells.with_images(None), features)
    folds = make_folds(whole, by, 2, seed)
    # What is drawn is drawn by row: in the order of ids the same cells are, however the table is sorted.
    whole, _ = with_usable_controls(whole.subset(whole.ids.sort_values()), normalize, [])
    learner = FeatureLearner(recipe(model, seed), origins, normalize)
    plan = _Plan(start, per_round, rounds, tuple(ordered(whole.labels)), folds.by)
    rows = []
    bar = tqdm(range(n_repeats), desc="Repetitions", leave=False, disable=not progress, delay=2)
    for repeat in bar:
        rows += _repeat(whole, learner, chosen, plan, by, seed + repeat)
    runs = pd.DataFrame(rows).assign(repeat=lambda t: t["seed"] - seed)
    found = _summary(runs, level)
    step = _align.step("active_learning", strategies=chosen, start=start, per_round=per_round, rounds=rounds, seed=seed)
    found.attrs = {"history": [*cells.history, step], "runs": runs}
    return found


@dataclass(frozen=True)
class _Plan:
    """How a repetition goes."""

    start: int
    per_round: int
    rounds: int
    classes: tuple[Any, ...]
    word: str


def _repeat(
    cells: Cells, learner: FeatureLearner, strategies: Sequence[Strategy], plan: _Plan, by: Columns, seed: int
) -> list[dict[str, Any]]:
    pool, tests = locked(cells, by, seed, plan.word)
    prepared = learner.prepared(pool)
    ready = {name: (prepared.ready(part), part.labels) for name, part in tests.items()}
    first = _start(pool.labels, plan, seed)
    rows = []
    for strategy in strategies:
        for n, seconds, model in _rounds(prepared, pool.labels, first, strategy, plan, seed):
            for name, (values, labels) in ready.items():
                said = np.asarray(model.classes, dtype=object)[model.of(values).argmax(axis=1)]
                score = _score(labels, said, plan.classes)
                row = {"strategy": strategy, "test": name, "n_labelled": n, "balanced_accuracy": score}
                rows.append({**row, "seconds": seconds, "seed": seed, "test_share": len(labels) / len(cells)})
    return rows


def locked(cells: Cells, by: Columns, seed: int, word: str) -> tuple[Cells, dict[str, Cells]]:
    """Return the cells that may be asked about, and those locked away: whole units, and whole batches where possible.

    Raises
    ------
    ValueError
        A class stands in the locked or in the open cells only, however it is drawn.
    """
    tests: dict[str, Cells] = {}
    rest = cells.subset(cells.labels.notna().to_numpy())
    if by is None and cells.design.batch and rest.batches_of.nunique() >= FEWEST_BATCHES:
        part = _part(rest, "batch", FEWEST_BATCHES, seed)
        tests[f"new {plural(noun(cells.design.batch))}"] = cells.subset(part.test_ids)
        rest = cells.subset(part.train_ids)
    part = _part(rest, by, round(1 / TEST_SHARE), seed)
    tests = {f"new {plural(word)}": cells.subset(part.test_ids), **tests}
    return cells.subset(part.train_ids), tests


def _part(cells: Cells, by: Columns, n: int, seed: int) -> Split:
    parts = split(cells, by=by, n_splits=n, seed=seed)
    return parts[seed % len(parts)]


def _start(labels: pd.Series, plan: _Plan, seed: int) -> NDArray[np.intp]:
    """Return the rows labelled at first: one of each class, and the rest at random."""
    order = np.random.default_rng(seed).permutation(len(labels))
    known = labels.to_numpy(dtype=object)[order]
    each = [order[np.flatnonzero(known == c)[0]] for c in plan.classes if (known == c).any()]
    wanted = max(plan.start, len(each))
    if wanted + plan.per_round * plan.rounds > len(labels):
        raise ValueError(
            f"{count(wanted + plan.per_round * plan.rounds, 'label')} asked for in all, and {len(labels):,} cells are "
            "not locked away. Use fewer rounds, or fewer cells in a round."
        )
    others = [row for row in order if row not in set(each)]
    return np.asarray([*each, *others[: wanted - len(each)]], dtype=np.intp)


def _rounds(
    prepared: PreparedLearner, labels: pd.Series, first: NDArray[np.intp], strategy: Strategy, plan: _Plan, seed: int
) -> Iterator[tuple[int, float, Any]]:
    """Return, round by round, the number of labelled cells, the seconds of the round, and the model."""
    known = np.zeros(len(labels), dtype=bool)
    known[first] = True
    side = side_by_side(prepared.values)
    for number in range(plan.rounds + 1):
        began = time.perf_counter()
        model = prepared.fitted(labels.where(known))
        n = int(known.sum())
        asked = np.flatnonzero(~known)
        said = model.of({name: values[asked] for name, values in prepared.values.items()})
        chosen = query(said, side[asked], plan.per_round, strategy, seed=1000 * seed + number)
        yield n, time.perf_counter() - began, model
        known[asked[chosen]] = True


def side_by_side(values: dict[str, Floats]) -> Floats:
    """Return the components of all tables in one array, for telling which cells are alike."""
    return np.hstack([v / max(float(np.sqrt((v**2).mean())), 1e-12) for v in values.values()])


def _score(labels: pd.Series, said: NDArray[Any], classes: Sequence[Any]) -> float:
    index = pd.Index(classes, dtype=object)
    truth, found = (index.get_indexer(pd.Index(v, dtype=object)) for v in (labels, said))
    return scores.balanced_accuracy(scores.confusion(truth, found, list(classes)))


def _summary(runs: pd.DataFrame, level: float) -> pd.DataFrame:
    keys = ["test", "n_labelled", "seed"]
    random = runs[runs["strategy"] == RANDOM].set_index(keys)["balanced_accuracy"]
    gain = runs["balanced_accuracy"].to_numpy() - random.loc[pd.MultiIndex.from_frame(runs[keys])].to_numpy()
    rows = {}
    for key, part in runs.assign(gain=gain).groupby(["strategy", "test", "n_labelled"], sort=False):
        share = float(part["test_share"].mean())
        score, low, high = _over_repeats(part["balanced_accuracy"].to_numpy(), share, level)
        more, more_low, more_high = _over_repeats(part["gain"].to_numpy(), share, level)
        rows[key] = {
            "balanced_accuracy": score,
            "low": max(low, 0.0),
            "high": min(high, 1.0),
            "gain": more,
            "gain_low": more_low,
            "gain_high": more_high,
            "n_repeats": len(part),
            "seconds": float(part["seconds"].mean()),
        }
    found = pd.DataFrame.from_dict(rows, orient="index").astype({"n_repeats": int})
    found.index = pd.MultiIndex.from_tuples(found.index, names=["strategy", "test", "n_labelled"])
    found.loc[[RANDOM], ["gain", "gain_low", "gain_high"]] = np.nan
    return found


def _over_repeats(values: Floats, share: float, level: float) -> tuple[float, float, float]:
    """Return the mean with Student's t interval, widened for repetitions that share cells (Nadeau & Bengio)."""
    from scipy.stats import t

    n, mean = len(values), float(values.mean())
    error = math.sqrt((1 / n + share / (1 - share)) * float(values.var(ddof=1)))
    half = float(t.ppf((1 + level) / 2, n - 1)) * error
    return mean, mean - half, mean + half
