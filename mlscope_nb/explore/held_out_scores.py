"""Scores from one group of cells to another, each cell placed by a model that saw neither its unit nor its plate."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.cells import Cells
from mlscope_nb.explore.copies import worth
from mlscope_nb.explore.directions import means_of
from mlscope_nb.study.blocks import different
from mlscope_nb.study.units import noun, plural

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Bools = NDArray[np.bool_]
MOST_FOLDS = 10
FEWEST_REFERENCE = 10
"""Different control cells that a batch must have for its own middle to be theirs; copies of a cell are one."""
CLIPPED = 5.0
COMPONENTS = 150
RIDGE = 0.1
"""Share of the covariance that is a sphere, as in `unit_profiles`: what hardly varies must not be blown up."""


START, END, OTHER = 0, 2, 1


class Scores(NamedTuple):
    """A score for each cell (larger: more like the end), the fold that it was held out with, and what was held out."""

    values: Floats
    fold: Codes
    held_out: str
    note: str


def held_out_scores(cells: Cells, start: Bools, end: Bools, *, seed: int = 0) -> Scores:
    """Score every cell between two groups, with whole batches held out, or whole units where batches do not allow it.

    Batches do not allow it where one of them holds all cells of a group, or where units lie in several of them.

    Features are put on the scale of the controls of each batch (of all its cells where there are fewer than ten), and
    clipped, so that one odd value decides nothing; more than 150 become as many principal components, found without
    groups. The model is Fisher's linear discriminant: the difference of the groups, units counting the same, in the
    covariance of all training cells within their units, shrunk. Cells that do not respond make that difference smaller
    and do not turn it; copies of cells change nothing.

    Parameters
    ----------
    cells : Cells
        With features.
    start, end : arrays of bool (N,)
        The two groups; other cells are scored and not learned from.
    seed : int
        Seed of the folds.

    References
    ----------
    Fisher 1936, Annals of Eugenics 7:179; Friedman 1989, JASA 84:165 (the shrunk covariance). Hastie, Tibshirani &
    Friedman 2009, The Elements of Statistical Learning, 7.10 (what looks at the groups is fitted inside the fold; what
    does not may see all cells).
    """
    from threadpoolctl import threadpool_limits

    values = on_scale(cells)
    fold, held_out, note = _folds(cells, start, end, seed)
    group = np.where(end, END, np.where(start, START, OTHER))
    unit = np.asarray(pd.factorize(cells.units)[0]) if cells.design.unit else np.arange(len(cells))
    scores = np.full(len(values), np.nan)
    with threadpool_limits(1):  # of matrices as small as these threads would only wait
        for k in range(int(fold.max()) + 1):
            test = fold == k
            scores[test] = values[test] @ _direction(values[~test], unit[~test], group[~test])
    return Scores(scores, fold, held_out, note)


def reference_rows(cells: Cells, batch: Codes) -> Bools:
    """Return the cells that say what is usual in each batch: its controls, or all where those are too few."""
    everyone = np.ones(len(batch), bool)
    if cells.design.control is None:
        return everyone
    controls = cells.controls.to_numpy()
    different_cells = np.bincount(batch[controls], cell_worth(cells)[controls], minlength=int(batch.max()) + 1)
    enough = np.round(different_cells) >= FEWEST_REFERENCE
    rows: Bools = np.where(enough[batch], controls, everyone)
    return rows


def cell_worth(cells: Cells) -> Floats:
    """Return what each cell counts: copies in one unit are one cell together."""
    return worth(cells.table(), cells.units) if cells.design.unit else np.ones(len(cells))


def batch_codes(cells: Cells) -> Codes:
    """Return the number of the batch of each cell; one for all where none is declared."""
    if not cells.design.batch:
        return np.zeros(len(cells), np.intp)
    return np.asarray(pd.factorize(cells.batches_of, sort=True)[0])


def on_scale(cells: Cells) -> Floats:
    """Return the numbers that scores are made of: features on the scale of each batch, or their components."""
    values = cells.table().to_numpy(np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    values = values[:, ~np.isnan(values).all(axis=0)]
    if not values.shape[1]:
        raise ValueError("There are no features with values. Measure them: ms.features.measure(cells).")
    batch = batch_codes(cells)
    usual = reference_rows(cells, batch)
    for k in range(int(batch.max()) + 1):
        rows = batch == k
        values[rows] = _robust(values[rows], values[rows & usual])
    return _components(np.clip(np.nan_to_num(values), -CLIPPED, CLIPPED))


def _components(values: Floats) -> Floats:
    """Return the leading principal components of many features; they are found without any group."""
    from scipy.linalg import eigh

    n = values.shape[1]
    if n <= COMPONENTS:
        return values
    centred = values - values.mean(axis=0)
    directions = eigh(centred.T @ centred, subset_by_index=[n - COMPONENTS, n - 1])[1]
    return np.asarray(centred @ directions)


def _robust(values: Floats, among: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature without values in this batch stays without
        middle = np.nanmedian(among, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(among - middle), axis=0)
        other = np.nanstd(among, axis=0)
    spread = np.where(spread > 1e-9 * other, spread, other)
    scaled: Floats = (values - middle) / np.where(spread > 0, spread, 1.0)
    return scaled


def _folds(cells: Cells, start: Bools, end: Bools, seed: int) -> tuple[Codes, str, str]:
    """Return the fold of each cell: the largest parts that can be held out with both groups left to learn from."""
    choices: list[tuple[Codes, str]] = []
    unit = np.asarray(pd.factorize(cells.units, sort=True)[0]) if cells.design.unit else None
    batch = batch_codes(cells)
    # A donor who is on several plates would be learned from with one of them held out.
    if cells.design.batch and (unit is None or int(different(unit, batch).max()) == 1):
        choices.append((batch, noun(cells.design.batch)))
    if unit is not None:
        choices.append((unit, noun(cells.design.unit)))
    for keys, word in choices:
        fold = _dealt(keys, start, end, seed)
        if fold is not None:
            return fold, word, ""
    word = plural(choices[-1][1]) if choices else "units"
    fold = _dealt(np.arange(len(cells)), start, end, seed)
    if fold is None:
        raise ValueError("A direction between two groups needs at least two cells in each of them.")
    note = f"A group lies in too few {word} to hold whole {word} out: single cells were held out instead."
    return fold, "cell", note


def _dealt(keys: Codes, start: Bools, end: Bools, seed: int) -> Codes | None:
    """Deal the keys to folds, those with cells of both groups first, or return None where a fold would take it all."""
    n_keys = int(keys.max()) + 1
    rng = np.random.default_rng(seed)
    has = [np.bincount(keys[rows], minlength=n_keys) > 0 for rows in (start, end)]
    order = np.lexsort((rng.random(n_keys), has[1], has[0]))
    n_folds = min(MOST_FOLDS, n_keys)
    of_key = np.empty(n_keys, np.intp)
    of_key[order] = np.arange(n_keys) % n_folds
    fold = of_key[keys]
    left = [np.bincount(fold[rows], minlength=n_folds) < rows.sum() for rows in (start, end)]
    return fold if n_folds > 1 and left[0].all() and left[1].all() else None


def _direction(values: Floats, unit: Codes, group: Codes) -> Floats:
    """Return the weights of the linear discriminant from the start to the end."""
    item, of_item = np.unique(unit * (END + 1) + group, return_inverse=True)
    means = means_of(values, of_item)
    difference = means[item % (END + 1) == END].mean(axis=0) - means[item % (END + 1) == START].mean(axis=0)
    inside = values - means[of_item]
    if np.abs(inside).max() <= 1e-9 * np.abs(values).max():  # units of one cell do not vary: then cells of a group do
        of_group = np.unique(group, return_inverse=True)[1]
        inside = values - means_of(values, of_group)[of_group]
    covariance = inside.T @ inside / len(inside)
    size = float(np.trace(covariance)) / len(covariance)
    if size == 0 or not difference.any():
        raise ValueError("None of the features varies between the cells of the two groups: there is no direction.")
    shrunk = (1 - RIDGE) * covariance + RIDGE * size * np.eye(len(covariance))
    return np.asarray(np.linalg.solve(shrunk, difference))
