"""Outliers: cells unlike all others of the study, and what makes them so."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.curate.held_out import normalised
from mlscope_nb.curate.measured import with_features
from mlscope_nb.features.glossary import describe
from mlscope_nb.features.normalization import Method as Normalization
from mlscope_nb.features.selection import duplicate_columns

Floats = NDArray[np.float64]
Method = Literal["knn", "isolation_forest", "lof"]
FEWEST_CELLS = 20
REFERENCE = 2000
SHARE_OF_NEIGHBOURS = 0.05
LOF_NEIGHBOURS = 20
FARTHEST = 10.0
CUT = 3.5
N_REASONS = 3


def find_outliers(
    cells: Cells,
    method: Method = "knn",
    *,
    k: int | None = None,
    normalize: Normalization | None = "robust",
    cut: float = CUT,
    seed: int = 0,
) -> pd.DataFrame:
    """Score how unlike all others each cell is, in features on the scale of its plate's controls.

    An outlier is a reason to look, not to drop: rare phenotypes are outliers too.

    Parameters
    ----------
    cells : Cells
        With features; without, images are measured first.
    method : {"knn", "isolation_forest", "lof"}
        "knn": distance to the k-th nearest of (at most 2,000) cells of the study, which found most planted faults.
        "isolation_forest": how few random cuts part the cell from all others. "lof": how much sparser it is around
        the cell than around its neighbours; faults that resemble each other are each other's neighbours and look
        normal, so that it falls to chance or below. It is here to show that.
    k : int, optional
        Neighbours, for "knn" (default: 5 % of the cells compared with, so that a group as large still is odd) and
        "lof" (default 20).
    normalize : str, optional
        How features of plates are made comparable, as in `ms.features.Normalizer`; None leaves them as they are.
    cut : float
        Flagged is a score this many deviations above the median, on a log scale (the deviation is taken from the
        upper quartile), of a cell that has a feature as many deviations from usual.
    seed : int
        Seed of the forest, and of which cells are compared with.

    Returns
    -------
    DataFrame (N rows, in order)
        score (higher is odder), rank (1 the oddest), flagged, reason (the features that are furthest, in words). In
        ``attrs``: "history", "threshold", "notes".

    Raises
    ------
    ValueError
        Fewer than 20 cells, nothing to judge by, infinite values, or no such method.

    References
    ----------
    Liu, Ting & Zhou 2008 (ICDM, isolation forest); Ramaswamy, Rastogi & Shim 2000 (SIGMOD, k-th neighbour); Breunig et
    al. 2000 (SIGMOD, LOF). Isolation forest and LOF are scikit-learn's.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"Cells_AreaShape_Area": np.r_[rng.normal(100, 5, 99), 900]})
    >>> found = find_outliers(Cells(pd.DataFrame(index=table.index), features=table))
    >>> list(found.index[found["flagged"]]), found.loc["99", "reason"][:48]
    (['99'], 'area of the cell (149.8 deviations above usual)')
    """
    _check(cells, method, k, cut)
    cells, notes = with_features(cells)
    table = cells.table()
    infinite = np.isinf(table.to_numpy()).any(axis=0)
    if infinite.any():
        raise ValueError(f"Infinite values in {some(table.columns[infinite])}. Make them NaN, or leave these out.")
    bare = cells.with_design(label=None)
    (values, _), scale = normalised(bare, bare, normalize)
    names, values, more = _complete(list(map(str, table.columns)), values)
    near = np.clip(values, -FARTHEST, FARTHEST) if normalize is not None else values
    scores = _scores(near, method, k, seed)
    threshold = _threshold(scores, cut)
    found = pd.DataFrame(
        {
            "score": scores,
            "rank": pd.Series(-scores).rank(method="first").astype(int).to_numpy(),
            "flagged": (scores > threshold) & (np.abs(values).max(axis=1) > (cut if normalize is not None else 0)),
            "reason": _reasons(values, names) if normalize is not None else "",
        },
        index=cells.ids,
    )
    step = _align.step("find_outliers", method=method, k=k, normalize=normalize, cut=cut, seed=seed)
    found.attrs = {"history": [step], "threshold": threshold, "notes": [*notes, scale, *more]}
    return found


def _check(cells: Cells, method: str, k: int | None, cut: float) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}, expected one of {', '.join(get_args(Method))}.")
    if len(cells) < FEWEST_CELLS:
        raise ValueError(f"{count(len(cells), 'cell')}: to tell what is unusual takes {FEWEST_CELLS} at least.")
    if k is not None and not 1 <= k < len(cells):
        raise ValueError(f"k is {k}, expected at least 1 and fewer than the {len(cells):,} cells.")
    if not cut > 0:
        raise ValueError(f"cut is {cut}, expected a positive number of deviations.")


def _complete(names: list[str], values: Floats) -> tuple[list[str], Floats, list[str]]:
    """Return the features that vary, gaps filled with medians, and what was left out or filled."""
    gaps = np.isnan(values)
    known = ~gaps.all(axis=0)
    filled = values[:, known]
    if gaps[:, known].any():
        filled = np.where(np.isnan(filled), np.nanmedian(filled, axis=0), filled)
    varies = filled.max(axis=0) > filled.min(axis=0)
    kept = np.array(names)[known][varies].tolist()
    if not kept:
        raise ValueError(f"None of {count(len(names), 'feature')} varies between these cells. Give features that do.")
    notes = []
    if len(kept) < len(names):
        notes.append(f"left out, for they are empty or constant: {some(n for n in names if n not in set(kept))}")
    if gaps[:, known].any():
        notes.append(f"{count(int(gaps[:, known].sum()), 'missing value')} filled with medians")
    return kept, filled[:, varies], notes


def _scores(values: Floats, method: Method, k: int | None, seed: int) -> Floats:
    if method == "isolation_forest":
        from sklearn.ensemble import IsolationForest

        return np.asarray(-IsolationForest(n_estimators=200, random_state=seed).fit(values).score_samples(values))
    from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

    if method == "lof":
        model = LocalOutlierFactor(n_neighbors=min(k or LOF_NEIGHBOURS, len(values) - 1)).fit(values)
        return np.asarray(-model.negative_outlier_factor_)
    rows = np.sort(np.random.default_rng(seed).permutation(len(values))[: max(REFERENCE, (k or 0) + 1)])
    wanted = k or max(5, round(SHARE_OF_NEIGHBOURS * len(rows)))
    search = NearestNeighbors(n_neighbors=wanted + 1, algorithm="brute").fit(values[rows])
    distances, _ = search.kneighbors(values)
    # A cell that is itself compared with has itself as its nearest.
    own = np.isin(np.arange(len(values)), rows)
    return np.where(own, distances[:, wanted], distances[:, wanted - 1])


def _threshold(scores: Floats, cut: float) -> float:
    """Return the score beyond which a cell is flagged, by the usual half of the cells alone."""
    middle, upper = np.quantile(np.log(np.maximum(scores, 1e-300)), [0.5, 0.75])
    return float(np.exp(middle + cut * (upper - middle) / 0.6745))


def _reasons(values: Floats, names: list[str]) -> list[str]:
    """Say of each cell which features are furthest from what is usual, of those that do not say the same twice."""
    alike = set(duplicate_columns(pd.DataFrame(values, columns=names), 0.9, absolute=True))
    kept = np.array([name not in alike for name in names])
    values, shown = values[:, kept], [_in_words(n) for n, keep in zip(names, kept, strict=True) if keep]
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :N_REASONS]
    return [
        "; ".join(
            f"{shown[j]} ({abs(row[j]):.1f} deviations {'above' if row[j] > 0 else 'below'} usual)" for j in columns
        )
        for row, columns in zip(values, order, strict=True)
    ]


def _in_words(name: str) -> str:
    """Return what a feature measures, shortly; the name itself where the glossary does not know it."""
    try:
        sentence = describe(name)
    except ValueError:
        return name
    short = sentence.partition(":")[0].rstrip(".")
    return short[0].lower() + short[1:] if short[1:2].islower() else short
