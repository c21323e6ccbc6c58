"""Effective units: how many independent units a training set is worth, for wells of one plate resemble each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.smaller_studies import Study
from mlscope_nb.study.splits import Split

N_RATIOS = 15
"""Values that stand for what is known of the ratio, all equally likely."""


def noise_ratios(
    values: Floats | None,
    table: pd.DataFrame,
    control: pd.Series | None = None,
    *,
    normalized: bool = False,
    seed: int = 0,
) -> Floats:
    """Return how much units of one class differ within a batch, relative to units on different batches.

    Near 1, a second unit on the same plate is as good as one on another plate; near 0, it says hardly anything new.

    Parameters
    ----------
    values : array (units, features), or None
        Means of the units as the model reads them; None where it reads something else.
    table : DataFrame (units)
        ``label`` and ``batch``.
    control : bool Series (units), optional
        What batches were normalised to: it hides how batches differ, and is asked about its own batch only.
    normalized : bool
        Whether batches were put on one scale. What they differ by as a whole is then the noise of that, which becomes
        less with more units, so that only what they do to single classes counts.
    seed : int
        Of the error of the ratio.

    Returns
    -------
    array (15,)
        Equally likely values: around the ratio of the two variances with its error (Satterthwaite's degrees of
        freedom); anything from 0 to 1 where no batch holds two units of a class; 1 where there is one batch.

    References
    ----------
    Kish 1965, Survey Sampling, 5.4 (the ratio is 1 minus the intraclass correlation); Satterthwaite 1946, Biometrics
    Bulletin 2:110.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wells = pd.DataFrame({"label": np.repeat(list("ab"), 40), "batch": np.tile(np.repeat(range(10), 4), 2)})
    >>> plates = rng.normal(size=(20, 9))[np.repeat(range(20), 4)]
    >>> float(np.median(noise_ratios(plates + rng.normal(size=(80, 9)), wells)).round(1))
    0.5
    """
    middle = (np.arange(N_RATIOS) + 0.5) / N_RATIOS
    if table["batch"].nunique() < 2:
        return np.ones(N_RATIOS)
    cell = table.groupby(["label", "batch"], observed=True).ngroup().to_numpy()
    freedom = len(cell) - len(np.unique(cell))
    treated = np.ones(len(table), bool) if control is None else ~control.to_numpy(bool)
    if values is None or not freedom:
        return np.asarray(middle)
    off = values - pd.DataFrame(values).groupby(cell).transform("mean").to_numpy()
    within = float((off**2).sum()) / freedom
    across = _across(values[treated], table[treated], within, normalized)
    if not across > 0:
        return np.asarray(middle)
    spread = np.linalg.svd(off, compute_uv=False) ** 2
    directions = float(spread.sum() ** 2 / np.maximum((spread**2).sum(), 1e-300))
    chance = np.random.default_rng(seed).chisquare(freedom * directions, 4000) / (freedom * directions)
    return np.clip(within / across * np.quantile(1 / chance, middle), 0.0, 1.0)


def _across(values: Floats, table: pd.DataFrame, within: float, normalized: bool) -> float:
    """Return half the mean squared distance of units of one class on different batches, mean over classes."""
    per_batch = table.groupby("batch", observed=True)
    n_classes, n_units = float(per_batch["label"].nunique().mean()), float(per_batch.size().mean())
    raw = _apart(values, table)
    if not normalized or n_classes <= 1 or not raw > 0:
        return raw
    # Without what batches add to all classes, part of what they do to one is gone too: one by the number of classes.
    left = _apart(_without_batches(values, table), table) - within * (1 - 1 / n_units)
    return within + max(left, 0.0) * n_classes / (n_classes - 1)


def _apart(values: Floats, table: pd.DataFrame) -> float:
    found = []
    for rows in table.reset_index(drop=True).groupby("label", observed=True).indices.values():
        mine, batch = values[rows], table["batch"].to_numpy()[rows]
        squares = (mine**2).sum(axis=1)
        apart = (squares[:, None] + squares[None] - 2 * mine @ mine.T) / 2
        other = batch[:, None] != batch[None]
        if other.any():
            found.append(apart[other].mean())
    return float(np.mean(found)) if found else 0.0


def _without_batches(values: Floats, table: pd.DataFrame) -> Floats:
    """Return the values without what batches add to all classes (least squares)."""
    classes, batches = (pd.get_dummies(table[name]).to_numpy(np.float64) for name in ("label", "batch"))
    found = np.linalg.lstsq(np.hstack([classes, batches]), values, rcond=None)[0]
    return np.asarray(values - batches @ found[classes.shape[1] :])


def effective(study: Study, dealt: Sequence[Sequence[Split]], ratios: Floats, times: float = 1.0) -> Floats:
    """Return how many independent units of a class the training sets are worth, for each ratio.

    The error of a class's mean is that of ``w / n + (1 - w) * sum(share ** 2)`` units, by its shares of the batches.

    Parameters
    ----------
    study : Study
        Units, labels and batches.
    dealt : sequence of sequence of Split
        Studies with their splits.
    ratios : array (W,)
        What `noise_ratios` returned.
    times : float
        How many times as many units are looked ahead to. Those to come are taken to be spread evenly, for classes that
        stand on several batches now.

    Returns
    -------
    array (W,)
        Mean over classes and training sets (of the inverse).
    """
    alone, shared = [], []
    for splits in dealt:
        for part in splits:
            counts = study.counts(part.train_ids)
            n = counts.sum(axis=1)
            share = ((counts / n[:, None]) ** 2).sum(axis=1)
            if times > 1:
                places = np.where((counts > 0).sum(axis=1) > 1, counts.shape[1], 1)
                share = 1 / np.minimum(places, np.maximum(n * times, 1))
            alone.append((1 / (n * times)).mean())
            shared.append(share.mean())
    return np.asarray(1 / (ratios * np.mean(alone) + (1 - ratios) * np.mean(shared)))


def unevenness(study: Study, dealt: Sequence[Sequence[Split]]) -> float:
    """Return how far classes are from lying evenly on the batches of training sets: 0 where each has its share.

    It is the mean of the sum of squared shares, less what it is for equal shares; classes of one batch do not count.

    Parameters
    ----------
    study : Study
        Units, labels and batches.
    dealt : sequence of sequence of Split
        Studies with their splits.
    """
    found = []
    batches = study.table.groupby("label", observed=True)["batch"].nunique()
    for part in (part for splits in dealt for part in splits):
        mine = study.table.loc[study.table.index.isin(study.units[part.train_ids].unique())]
        table = pd.crosstab(mine["label"], mine["batch"])
        # By name: labels that are True and False would be taken for a mask.
        counts, crossed = table.to_numpy(np.float64), (batches.reindex(table.index) > 1).to_numpy()
        share = ((counts / counts.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
        found.append(float((share - 1 / counts.shape[1])[crossed].sum() / len(counts)))
    return max(float(np.mean(found)), 0.0)
