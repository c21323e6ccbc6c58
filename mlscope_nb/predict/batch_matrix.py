"""Transfer: what a model of one batch does on every other, and what normalisation brings back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.normalization import Normalizer
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict import validation
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.predict.folds import Folds
from mlscope_nb.predict.intervals import contributions, counts
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.runs import Run, run
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.tables import Features
from mlscope_nb.study._result import number
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import MIN_UNITS, check_level
from mlscope_nb.study.splits import Split, split
from mlscope_nb.study.units import noun, plural

OTHERS = "all others"
NONE = "none"
MOST_PARTS = 5


def transfer(
    cells: Cells,
    model: ModelName | Any | Learner = "logistic",
    normalize: Normalize | Sequence[Normalize] = (None, "standardize"),
    *,
    features: Features = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Train on each batch (plate) alone and test on every other one, beside what the model does within a batch.

    Within a batch whole units are held out (up to five parts). A model that loses from batch to batch what it could do
    within one has learned the batch. Only classes that every batch holds are compared.

    Parameters
    ----------
    cells : Cells
        With a declared label, unit and batch.
    model, features
        As in `cross_validate`.
    normalize : str, Normalizer or several
        Normalisations to compare, each learned from the training cells. Default: None and "standardize".
    level : float
        Confidence level.
    seed : int
        Seed.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame (normalisation and training batch by tested batch)
        Balanced accuracy. The diagonal is within the batch; the rows "all others" train on all batches but the tested
        one. ``attrs["gaps"]`` holds for each normalisation: within, new (mean over pairs), gap with low and high
        (jackknife over batches, NaN for fewer than 3), others, and recovered (how much smaller the gap is than with
        the first normalisation) with its interval; ``pd.DataFrame(table.attrs["gaps"]).T`` shows it.

    Raises
    ------
    ValueError
        No label, unit or batch, one batch, or fewer than two classes that all batches hold.

    References
    ----------
    Efron & Stein 1981, Ann Stat 9:586 (jackknife of a statistic of pairs); Koh et al. 2021, arXiv:2012.07421 (what new
    batches cost, WILDS).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(3) for w in range(6) for _ in range(5)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> shift = obs["plate"].map({"p0": 0.0, "p1": 30.0, "p2": -30.0})
    >>> area = pd.DataFrame({"area": (obs["drug"] == "b") * 4 + shift + rng.normal(size=len(obs))})
    >>> found = transfer(Cells(obs, features=area, label="drug", unit="well", batch="plate"))
    >>> gaps = pd.DataFrame(found.attrs["gaps"]).T
    >>> gaps["gap"].round(1).to_dict()
    {'none': 0.5, 'standardize': 0.0}
    """
    check_level(level)
    shared, notes = _comparable(cells)
    asked: list[Any] = list(normalize) if isinstance(normalize, list | tuple) else [normalize]
    if not asked:
        raise ValueError("normalize is empty: name a normalisation, or None for features as they are.")
    batches = sorted(shared.batches_of.unique())
    plans = [*[_from_one(shared, b) for b in batches], [_to_one(shared, b) for b in batches]]
    inside = [_inside(shared, b, seed) for b in batches]
    tables, gaps = {}, {}
    work = tqdm(total=len(asked) * (2 * len(batches) + 1), desc="Batches", leave=False, disable=not progress, delay=2)
    for option in asked:
        job = _Job(shared, model, option, features, [p for parts in (*plans, *inside) for p in parts], seed)
        rows = [job.scores(parts, batches, work) for parts in plans]
        within = [job.scores(parts, batches, work)[k] if parts else np.nan for k, parts in enumerate(inside)]
        table = np.array(rows)
        table[np.arange(len(batches)), np.arange(len(batches))] = within
        name = _name(option)
        tables[name] = pd.DataFrame(table, index=[*batches, OTHERS], columns=batches)
        gaps[name] = _gap(table, level)
        notes += [n for n in job.notes if n not in notes]
    work.close()
    first = next(iter(tables.values())).to_numpy()
    for name, each in tables.items():
        gaps[name].update(_recovered(first, each.to_numpy(), level))
    found = pd.concat(tables, names=["normalize", "train"]).rename_axis(columns="test")
    found.attrs["gaps"] = gaps
    word = noun(cells.design.batch)
    found.attrs["notes"] = [*_said(gaps, len(batches), word, level), *(validation._sentence(n) for n in notes)]
    options = {"normalize": list(gaps), "model": job.model, "level": level, "seed": seed}
    found.attrs["history"] = [*cells.history, _align.step("transfer", **options)]
    return found


@dataclass(eq=False)
class _Job:
    """A model under one normalisation, and what it says of the tests of given splits."""

    cells: Cells
    given: Any
    normalize: Normalize
    features: Features
    parts: list[Split]
    seed: int

    def __post_init__(self) -> None:
        folds = Folds(self.parts, self.cells.units, "batch", "batch", True, ())
        self.learner, self.whole, self.notes = validation._learner(
            self.cells, self.given, self.normalize, self.features, folds, self.seed
        )
        of_features = isinstance(self.learner, FeatureLearner)
        self.model = self.learner.recipe.name if of_features else validation._name(self.given)  # type: ignore[union-attr]
        self.classes = ordered(self.cells.labels)

    def scores(self, parts: list[Split], batches: list[str], work: Any) -> Floats:
        """Return the balanced accuracy on each batch; NaN where it was not tested."""
        made = run(self.whole, self.learner, parts, [self.cells.labels], self.classes, progress=False)[0]
        work.update()
        return np.array([_score(made, self.cells, batch, self.classes) for batch in batches])


def _score(made: Run, cells: Cells, batch: str, classes: list[Any]) -> float:
    """Return the mean recall of the classes on one batch, every cell counting the same in its class."""
    rows = (made.fold >= 0) & (cells.batches_of == batch).to_numpy()
    if not rows.any():
        return float("nan")
    truth = pd.Index(classes, dtype=object).get_indexer(pd.Index(cells.labels[rows], dtype=object))
    right = (made.probabilities[rows].argmax(axis=1) == truth).astype(float)
    return float(contributions(*counts(truth, right, pd.Series("", index=range(len(truth))))).mean())


def _comparable(cells: Cells) -> tuple[Cells, list[str]]:
    """Return the cells of classes that every batch holds, and what was left out."""
    design = cells.design
    missing = [role for role in ("label", "unit", "batch") if not getattr(design, role)]
    if missing:
        raise ValueError(f"No {' and no '.join(missing)} declared. Name them: cells.with_design({missing[0]}=…).")
    labels, batch = cells.labels, cells.batches_of
    word, batches = noun(design.batch), batch[labels.notna()].nunique()
    if batches < 2:
        raise ValueError(f"{count(batches, word, plural(word))} with labels: transfer takes two at least.")
    held = batch[labels.notna()].groupby(labels.dropna(), observed=True).nunique()
    everywhere = [c for c in ordered(labels) if held[c] == batches]
    if len(everywhere) < 2:
        raise ValueError(
            f"{count(len(everywhere), 'class stands', 'classes stand')} on every {word}: {some(everywhere) or 'none'}. "
            f"Two are needed that all {plural(word)} hold; leave {plural(word)} out that lack them."
        )
    rest = [c for c in held.index if c not in everywhere]
    notes = [f"Left out, for not every {word} holds them: {some(rest)}."] if rest else []
    # Cells without a label help to normalise, and take no other part.
    usable = (labels.isin(everywhere) | labels.isna()).to_numpy() & batch.isin(batch[labels.notna()]).to_numpy()
    return (cells if usable.all() else cells.subset(usable)), notes


def _from_one(cells: Cells, batch: str) -> list[Split]:
    mine = (cells.batches_of == batch).to_numpy()
    return [Split(cells.ids[mine], cells.ids[~mine], "batch")]


def _to_one(cells: Cells, batch: str) -> Split:
    mine = (cells.batches_of == batch).to_numpy()
    return Split(cells.ids[~mine], cells.ids[mine], "batch")


def _inside(cells: Cells, batch: str, seed: int) -> list[Split]:
    """Return splits of one batch by units; none where a class has one unit there."""
    mine = cells.subset((cells.batches_of == batch).to_numpy())
    units = mine.units.groupby(mine.labels, observed=True).nunique()
    if units.min() < 2:
        return []
    return split(mine, n_splits=int(min(MOST_PARTS, mine.units[mine.labels.notna()].nunique())), seed=seed)


def _name(option: Normalize) -> str:
    if option is None:
        return NONE
    return str(option.to_dict()["method"]) if isinstance(option, Normalizer) else str(option)


def _difference(table: Floats) -> float:
    """Return the mean over tested batches of the score within minus that of models of other batches."""
    n = table.shape[1]
    square = table[:n]
    within = np.diag(square)
    use = np.isfinite(within)
    if n < 2 or not use.any():
        return float("nan")
    other = (square.sum(axis=0, where=~np.eye(n, dtype=bool))) / (n - 1)
    return float((within - other)[use].mean())


def _jackknife(statistic: Any, n: int, level: float) -> tuple[float, float]:
    """Return the interval of a statistic of batches, each left out as trained on and as tested on."""
    from scipy.stats import t

    if n < MIN_UNITS:
        return float("nan"), float("nan")
    everything = np.arange(n)
    without = np.array([statistic(np.delete(everything, k)) for k in range(n)])
    whole = statistic(everything)
    half = float(t.ppf((1 + level) / 2, n - 1)) * float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return whole - half, whole + half


def _gap(table: Floats, level: float) -> dict[str, float]:
    n = table.shape[1]
    square, off = table[:n], ~np.eye(n, dtype=bool)
    low, high = _jackknife(lambda keep: _difference(square[np.ix_(keep, keep)]), n, level)
    return {
        "within": _mean(np.diag(square)),
        "new": _mean(square[off]),
        "gap": _difference(square),
        "low": low,
        "high": high,
        "others": _mean(table[n]),
    }


def _recovered(first: Floats, table: Floats, level: float) -> dict[str, float]:
    n = table.shape[1]

    def less(keep: Any) -> float:
        chosen = np.ix_(keep, keep)
        return _difference(first[:n][chosen]) - _difference(table[:n][chosen])

    low, high = _jackknife(less, n, level)
    return {"recovered": less(np.arange(n)), "recovered_low": low, "recovered_high": high}


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _said(gaps: dict[str, dict[str, float]], n: int, word: str, level: float) -> list[str]:
    lines = []
    for k, (name, g) in enumerate(gaps.items()):
        how = "With features as they are" if name == NONE else f"After '{name}'"
        over = f"{level * 100:g} % interval over {count(n, word, plural(word))}"
        known = f"{over}: {number(g['low'], 0.1)} to {number(g['high'], 0.1)}"
        interval = known if np.isfinite(g["low"]) else f"no interval: {MIN_UNITS} {plural(word)} are needed"
        text = (
            f"{how}: {number(g['within'], 0.1)} on new wells of the same {word}, {number(g['new'], 0.1)} on another "
            f"{word}; the gap is {number(g['gap'], 0.1)} ({interval}). Trained on all other {plural(word)}: "
            f"{number(g['others'], 0.1)}."
        )
        if k:
            ends = f"{number(g['recovered_low'], 0.1)} to {number(g['recovered_high'], 0.1)}"
            text += f" The gap is smaller by {number(g['recovered'], 0.1)}" + (
                f" ({ends})." if np.isfinite(g["recovered_low"]) else "."
            )
        lines.append(text)
    if not np.isfinite(next(iter(gaps.values()))["within"]):
        lines.append(f"No {word} has two units of each class, so nothing is known about new units within a {word}.")
    lines.append(
        f"A model within a {word} is trained on fewer units than one of the whole {word}: the gap is, if anything, "
        "larger than shown."
    )
    return lines
