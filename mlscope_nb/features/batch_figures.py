"""The figures of a batch report: what can be told of the batch, and of the biology, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.features.aggregation import aggregate
from mlscope_nb.features.mixing import lisi
from mlscope_nb.features.normalization import Normalizer
from mlscope_nb.features.precision import average_precision, null_precision
from mlscope_nb.features.probes import Rows, exchanged, linear_probe, logistic_predictions, prepared
from mlscope_nb.features.scaling import Floats
from mlscope_nb.study._result import Result
from mlscope_nb.study.intervals import Interval, t_interval
from mlscope_nb.study.splits import leave_one_out, split

PROBE = "batch predicted from held-out controls"
MIXING = "batches among the neighbours of held-out controls (iLISI)"
REPLICATES = "treated wells find their replicates on other batches (mAP)"
LABEL = "label predicted in batches left out"
BATCH, UNIT = "mlscope_batch", "mlscope_unit"
MOST_FOLDS = 4
N_COMPONENTS = 20
Pairs = list[tuple[Cells, Cells]]


@dataclass(frozen=True, eq=False)
class Figure(Result):
    """One figure before and after.

    Parameters
    ----------
    name : str
        What is measured.
    side : {"batch", "biology"}
        What it speaks of.
    better : {"lower", "higher"}
        Where it should go.
    before, after, change : Interval
        Over units, and the change of the same units.
    null : float
        What chance gives.
    note : str
        Why it could not be measured, or how.
    """

    name: str
    side: Literal["batch", "biology"]
    better: Literal["lower", "higher"]
    before: Interval
    after: Interval
    change: Interval
    null: float
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Return the figure as one row of a table."""
        ends = {"before": self.before.estimate, "after": self.after.estimate, "change": self.change.estimate}
        return {
            "figure": self.name, "side": self.side, "better": self.better, **ends, "low": self.change.low,
            "high": self.change.high, "null": self.null, "n_units": self.change.n_units, "note": self.note,
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as plain numbers and text."""
        plain = super().to_dict()
        return {**plain, **{k: getattr(self, k).to_dict() for k in ("before", "after", "change")}}

    def __str__(self) -> str:
        if self.change.n_units == 0:
            return f"{self.name}: not known ({self.note})"
        text = f"{self.name}: {self.before.estimate:.2f} → {self.after.estimate:.2f}, change {self.change}"
        return f"{text}; {self.null:.2f} by chance"


def plate_probe(pairs: Pairs, n_permutations: int, seed: int) -> Figure:
    """Return how well the batch of control cells is predicted, whole units held out (balanced accuracy)."""
    if not pairs or pairs[0][0].batches_of.nunique() < 2:
        return _unknown(PROBE, "batch", "lower", "needs two batches, and three control units in each")
    hits: list[list[pd.Series]] = [[], []]
    nulls = []
    for before, after in pairs:
        batch, unit = before.batches_of, before.units
        codes, fold, folds = _folds(before, seed)
        drawn = exchanged(codes, unit.to_numpy(object), fold, n_permutations, seed)
        labellings = np.concatenate([codes[:, None], drawn], axis=1)
        for k, cells in enumerate((before, after)):
            found = linear_probe(_values(cells), labellings, folds) == labellings
            hits[k].append(_per_unit(found[:, 0], unit, batch))
            # Chance is what exchanged plates give, in features that are free of the batch or not.
            nulls.append(np.mean([_per_unit(column, unit, drawn[:, i]).mean() for i, column in enumerate(found.T[1:])]))
    values = [pd.concat(parts) for parts in hits]
    return _figure(PROBE, "batch", "lower", values[0], values[1], float(np.mean(nulls)))


def mixing(pairs: Pairs, seed: int) -> Figure:
    """Return how mixed the batches are around control cells: 0 not at all, 1 all batches equally near."""
    if not pairs or pairs[0][0].batches_of.nunique() < 2:
        return _unknown(MIXING, "batch", "higher", "needs two batches, and three control units in each")
    smallest = min(len(before) for before, _ in pairs)
    perplexity = min(30.0, (smallest - 1) / 3 - 1)
    if perplexity < 5:
        return _unknown(MIXING, "batch", "higher", f"{smallest} control cells are too few for neighbourhoods")
    rng = np.random.default_rng(seed)
    values: list[list[pd.Series]] = [[], []]
    nulls = []
    for before, after in pairs:
        batch = before.batches_of.to_numpy(object)
        n = len(set(batch))
        for k, cells in enumerate((before, after)):
            points = components(_values(cells), N_COMPONENTS)
            found = (lisi(points, batch, perplexity=perplexity) - 1) / (n - 1)
            values[k].append(pd.Series(found).groupby(before.units.to_numpy()).mean())
        mixed = lisi(points, rng.permutation(batch), perplexity=perplexity)
        nulls.append(float(((mixed - 1) / (n - 1)).mean()))
    joined = [pd.concat(parts) for parts in values]
    return _figure(MIXING, "batch", "higher", joined[0], joined[1], float(np.mean(nulls)))


def replicates(before: Cells, after: Cells, seed: int) -> Figure:
    """Return the mean average precision of treated units for those of their treatment on other batches."""
    column = before.design.treatment or before.design.label
    if column is None:
        return _unknown(REPLICATES, "biology", "higher", "no treatment or label is declared")
    bare = [_with_keys(cells) for cells in (before, after)]
    if bare[0].obs.groupby(UNIT)[column].nunique(dropna=False).max() > 1:
        return _unknown(REPLICATES, "biology", "higher", f"'{column}' differs within units")
    profiles = [aggregate(cells, method="median") for cells in bare]
    obs = profiles[0].obs
    drug, batch = obs[column].astype(str).to_numpy(), obs[BATCH].to_numpy()
    same = drug[:, None] == drug[None]
    positive, negative = same & (batch[:, None] != batch[None]), ~same
    treated = ~before.controls.groupby(before.units).any().loc[obs.index].to_numpy()
    found = [average_precision(_scaled(p), positive, negative)[treated] for p in profiles]
    known = found[0]["average_precision"].notna() & found[1]["average_precision"].notna()
    if not known.any():
        return _unknown(REPLICATES, "biology", "higher", "no treatment has units in two batches")
    sizes = found[0].loc[known, ["n_positive", "n_total"]].drop_duplicates().to_numpy()
    null = float(np.mean([null_precision(int(m), int(t), 500, seed).mean() for m, t in sizes]))
    scores = [f.loc[known, "average_precision"] for f in found]
    return _figure(REPLICATES, "biology", "higher", scores[0], scores[1], null)


def label_probe(before: Cells, after: Cells, normalizer: Normalizer | None, columns: list[str]) -> Figure:
    """Return the balanced accuracy of the label in each batch left out, the normalisation fitted on the others."""
    if before.design.label is None or before.labels.nunique() < 2:
        return _unknown(LABEL, "biology", "higher", "no label with two classes is declared")
    if before.batches_of.nunique() < 2:
        return _unknown(LABEL, "biology", "higher", "needs two batches")
    labels = before.labels.astype(str)
    rows: dict[str, tuple[float, float]] = {}
    for part in leave_one_out(before):
        train, test = before.subset(part.train_ids), before.subset(part.test_ids)
        done = _in_fold(train, test, normalizer, columns) or (after.subset(train.ids), after.subset(test.ids))
        scores = [_score(labels, a, b) for a, b in ((train, test), done)]
        rows[part.held_out[0]] = (scores[0], scores[1])
    table = pd.DataFrame.from_dict(rows, orient="index")
    unseen = "" if normalizer is not None else "the normalisation was not fitted within the folds"
    return _figure(LABEL, "biology", "higher", table[0], table[1], 1 / labels.nunique(), unseen)


def components(values: Floats, n: int) -> Floats:
    """Return the first principal components of standardised features."""
    scaled, _ = prepared(values, values[:0])
    left, strength, _ = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    result: Floats = left[:, :n] * strength[:n]
    return result


def _in_fold(
    train: Cells, test: Cells, normalizer: Normalizer | None, columns: list[str]
) -> tuple[Cells, Cells] | None:
    if normalizer is None:
        return None
    fitted = Normalizer(**normalizer.to_dict()).fit(train)
    done = fitted.transform(train), fitted.transform(test)
    return done[0].with_features(done[0].table()[columns]), done[1].with_features(done[1].table()[columns])


def _score(labels: pd.Series, train: Cells, test: Cells) -> float:
    truth = labels[test.ids]
    found = logistic_predictions(_values(train), labels[train.ids].to_numpy(object), _values(test))
    return float((truth == found).groupby(truth).mean().mean())


def _folds(cells: Cells, seed: int) -> tuple[Rows, Rows, list[tuple[Rows, Rows]]]:
    """Return the batch number of each cell, its fold, and the folds: units whole, each batch in each fold."""
    keyed = _with_keys(cells).with_design(label=BATCH)
    codes = pd.factorize(cells.batches_of, sort=True)[0]
    fewest = int(keyed.obs.groupby(BATCH)[UNIT].nunique().min())
    parts = split(keyed, n_splits=min(MOST_FOLDS, fewest), seed=seed)
    rows = [(keyed.ids.get_indexer(p.train_ids), keyed.ids.get_indexer(p.test_ids)) for p in parts]
    fold = np.empty(len(cells), dtype=np.intp)
    for k, (_, test) in enumerate(rows):
        fold[test] = k
    return codes, fold, rows


def _with_keys(cells: Cells) -> Cells:
    """Return the cells with unit and batch as one column each, and no label."""
    keys = pd.DataFrame({BATCH: cells.batches_of, UNIT: cells.units}, index=cells.ids)
    return cells.with_obs(keys).with_design(label=None, treatment=None, unit=UNIT, batch=BATCH)


def _per_unit(hits: np.ndarray, unit: pd.Series, group: Any) -> pd.Series:
    """Return the share of hits of each unit, weighted so that the mean over units counts each group the same."""
    table = pd.DataFrame({"hit": hits.astype(float), "unit": unit.to_numpy(), "group": np.asarray(group)})
    means = table.groupby("unit").agg(hit=("hit", "mean"), group=("group", "first"))
    size = means.groupby("group")["hit"].transform("size")
    return means["hit"] * len(means) / (size * means["group"].nunique())


def _values(cells: Cells) -> Floats:
    return cells.table().to_numpy(np.float64)


def _scaled(profiles: Cells) -> Floats:
    values = _values(profiles)
    return prepared(values, values[:0])[0]


def _figure(
    name: str, side: Any, better: Any, before: pd.Series, after: pd.Series, null: float, note: str = ""
) -> Figure:
    change = after.to_numpy() - before.to_numpy()
    made = [t_interval(np.asarray(v), target=name) for v in (before, after, change)]
    return Figure(name, side, better, made[0], made[1], made[2], null, note)


def _unknown(name: str, side: Any, better: Any, why: str) -> Figure:
    empty = t_interval(np.array([], dtype=float), target=name)
    return Figure(name, side, better, empty, empty, empty, float("nan"), why)
