"""Novelty: cells unlike anything that a model has learned from, which its probabilities do not tell."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.curate.held_out import normalised
from mlscope_nb.curate.measured import with_features
from mlscope_nb.curate.quality import score_quality
from mlscope_nb.features.normalization import Method as Normalization
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.distances import Known, centre_scores, neighbour_scores
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.feature_model import train_model
from mlscope_nb.predict.given_probabilities import Source, probabilities_of
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.validation import cross_validate

Method = Literal["knn", "mahalanobis"]
Reference = Cells | pd.Series | Iterable[str] | None

FEWEST = 20
JOINT = "any_fault"
"""The score that sums up the others."""
MOST_KNOWN = 2000
CUT = 3.5
UNBATCHED: Normalization = "robust"
N_SPLITS = 5


def novelty(
    cells: Cells,
    reference: Reference = None,
    method: Method = "knn",
    *,
    pictures: bool = True,
    k: int | None = None,
    probabilities: Source | None = None,
    model: ModelName | Any | None = "logistic",
    normalize: Normalization | None = "robust",
    cut: float = CUT,
    seed: int = 0,
) -> pd.DataFrame:
    """Score how unlike the cells of reference each cell is, beside how sure a classifier is of it.

    A classifier has to choose among the classes that it knows and may be sure of a piece of dirt. Novelty asks whether
    anything like this cell was there to learn from, on the scale of each plate. It is a reason to look at a cell.

    Parameters
    ----------
    cells : Cells
        With features; without, images are measured first.
    reference : Cells, ids or boolean Series, optional
        What is known: other cells with the same features (those a model was trained on), or some of these. Default:
        all cells, each compared with those of other units, so that a spoilt well does not vouch for itself.
    method : {"knn", "mahalanobis"}
        "knn": the distance to the k-th nearest known cell. "mahalanobis": the distance to the centre of the nearest
        class, in deviations of its ordinary cells. Both by all features, by the directions in which ordinary cells vary
        most, and by the picture: what is odd in one of them is odd.
    pictures : bool
        Look at the scores of quality too (`ms.curate.score_quality`: focus, debris, …) where there are images. Much of
        what is wrong with a picture lies outside of the mask, where no feature is measured.
    k : int, optional
        For "knn"; default 5 % of the known cells (at most 2,000 of them are compared with).
    probabilities : DataFrame, Evaluation or model, optional
        Where the probability beside it comes from.
    model : str or classifier, optional
        Otherwise trained on the labels of the reference, whole units held out; None for none.
    normalize : str, optional
        How features of batches are made comparable, as in `ms.features.Normalizer`, to all cells of each batch: what
        is usual there is better known from all of them than from a few controls. None: all cells on one scale.
    cut : float
        Flagged is a novelty of so many deviations.
    seed : int
        Which cells are compared with; also of the model.

    Returns
    -------
    DataFrame (N rows, in order)
        novelty (deviations above the median of the reference, on a log scale), p_value (share of reference cells that
        are as far from the others), flagged, predicted and max_probability (None and NaN without labels). In
        ``attrs``: "history", "notes".

    Raises
    ------
    ValueError, KeyError
        Fewer than 20 cells in the reference, other features, unknown ids, or nothing to judge by.

    References
    ----------
    Sun et al. 2022, ICML (k-th nearest neighbours); Lee et al. 2018, NeurIPS (Mahalanobis distance); Hendrycks &
    Gimpel 2017, ICLR (the maximum probability). Which finds what is measured in ``studies/predict_novelty.py``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.normal(size=(100, 3)), columns=list("abc"))
    >>> table.loc[99] = 9.0
    >>> found = novelty(Cells(pd.DataFrame(index=table.index), features=table))
    >>> found.index[found["flagged"]].tolist()
    ['99']
    """
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}, expected one of {', '.join(get_args(Method))}.")
    if not cut > 0:
        raise ValueError(f"cut is {cut}, expected a positive number of deviations.")
    cells, notes = with_features(cells)
    known, rows = _reference(cells, reference)
    unit, near_unit = _units(cells, known, rows)
    chosen = _sample(len(known), k, seed)
    label = _classes(known)[chosen]
    scores = []
    for mine, theirs, turn in _views(cells, known, rows, pictures):
        values, near, more = _values(mine, theirs, rows, normalize)
        notes = list(dict.fromkeys([*notes, *more]))
        compared = Known(near[chosen], near_unit[chosen], label)
        scores.append(
            neighbour_scores(values, unit, compared, k, turn=turn)
            if method == "knn"
            else centre_scores(values, compared, turn=turn)
        )
    away, own = (np.max(parts, axis=0) for parts in zip(*scores, strict=True))
    said = _said(cells, known, rows, probabilities, model, seed)
    found = pd.DataFrame({"novelty": away, "p_value": _share(away, own), "flagged": away > cut}, index=cells.ids)
    found = pd.concat([found, said], axis=1)
    step = _align.step(
        "novelty",
        method=method,
        pictures=len(scores) > 1,
        k=k,
        n_reference=len(known),
        normalize=normalize,
        cut=cut,
        seed=seed,
    )
    found.attrs = {"history": [step], "notes": notes}
    return found


def _reference(cells: Cells, reference: Reference) -> tuple[Cells, NDArray[np.intp] | None]:
    """Return the known cells, and their rows where they are among these cells."""
    if isinstance(reference, Cells):
        known, names = with_features(reference)[0], list(cells.table().columns)
        missing = [c for c in names if c not in set(known.table().columns)]
        if missing:
            raise ValueError(
                f"{count(len(missing), 'feature')} of the cells not found in the reference: {some(missing)}. Measure "
                "both in the same way."
            )
        known, rows = known.with_features(known.table()[names]), None
    else:
        wanted = cells.ids if reference is None else reference
        known = cells.subset(wanted if isinstance(wanted, pd.Series) else list(wanted))
        rows = cells.ids.get_indexer(known.ids)
    if len(known) < FEWEST:
        raise ValueError(f"{count(len(known), 'cell')} of reference: to tell what is usual takes {FEWEST} at least.")
    return known, rows


def _classes(known: Cells) -> NDArray[np.intp]:
    return np.asarray(pd.factorize(known.labels)[0] if known.design.label else np.full(len(known), -1), dtype=np.intp)


def _views(
    cells: Cells, known: Cells, rows: NDArray[np.intp] | None, pictures: bool
) -> Iterator[tuple[Cells, Cells, bool]]:
    """Return cells and known ones with what to compare them by, and whether its leading directions count too."""
    yield cells.with_images(None), known.with_images(None), True
    if not pictures or cells.images is None or known.images is None:
        return
    mine = score_quality(cells, progress=False).drop(columns=JOINT)
    theirs = mine.loc[known.ids] if rows is not None else score_quality(known, progress=False).drop(columns=JOINT)
    yield cells.with_images(None).with_features(mine), known.with_images(None).with_features(theirs), False


def _values(
    cells: Cells, known: Cells, rows: NDArray[np.intp] | None, normalize: Normalization | None
) -> tuple[Floats, Floats, list[str]]:
    """Return features of the cells and of the known ones on one scale, without gaps, and what they are compared with.

    Raises
    ------
    ValueError
        Infinite values, or no feature that varies.
    """
    table = cells.table()
    infinite = np.isinf(table.to_numpy()).any(axis=0)
    if infinite.any():
        raise ValueError(f"Infinite values in {some(table.columns[infinite])}. Make them NaN, or leave these out.")
    bare, apart = (c.with_design(label=None, control=None) for c in (cells, known))
    if normalize is None:
        bare, apart = (c.with_design(batch=None) for c in (bare, apart))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        (near, values), note = normalised(apart if rows is None else bare, bare, normalize or UNBATCHED)
    if rows is not None:
        near = values[rows]
    use = ~np.isnan(near).all(axis=0)
    middle = np.zeros(near.shape[1])
    middle[use] = np.nanmedian(near[:, use], axis=0)
    values, near = (np.where(np.isnan(v), middle, v) for v in (values, near))
    use &= near.max(axis=0) > near.min(axis=0)
    if not use.any():
        raise ValueError(f"None of {count(len(use), 'feature')} varies in the reference. Give features that do.")
    return values[:, use], near[:, use], [note, *(str(w.message) for w in caught)]


def _units(cells: Cells, known: Cells, rows: NDArray[np.intp] | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the unit of each cell and of each known one as numbers; other cells are of other units, whatever named."""
    mine = pd.factorize(cells.units if cells.design.unit else pd.Series(cells.ids))[0]
    if rows is not None:
        return mine, mine[rows]
    theirs = pd.factorize(known.units if known.design.unit else pd.Series(known.ids))[0]
    return mine + int(theirs.max()) + 1, theirs


def _sample(n: int, k: int | None, seed: int) -> NDArray[np.intp]:
    if k is not None and not 1 <= k < n:
        raise ValueError(f"k is {k}, expected at least 1 and fewer than the {n:,} cells of reference.")
    return np.sort(np.random.default_rng(seed).permutation(n)[: max(MOST_KNOWN, (k or 0) + 1)])


def _share(away: Floats, own: Floats) -> Floats:
    """Return the share of known cells that are at least as far from the others, counting the cell itself."""
    farther = len(own) - np.searchsorted(np.sort(own), away, side="left")
    return np.asarray((1 + farther) / (1 + len(own)))


def _said(
    cells: Cells, known: Cells, rows: NDArray[np.intp] | None, source: Source | None, model: Any, seed: int
) -> pd.DataFrame:
    """Return what a classifier says of each cell, never one that was trained on the cell's unit."""
    nothing = pd.DataFrame({"predicted": None, "max_probability": np.nan}, index=cells.ids)
    if source is None and (model is None or known.design.label is None):
        return nothing
    if source is not None:
        table = source.probabilities if isinstance(source, Evaluation) else probabilities_of(source, cells)
        return _surest(table.reindex(cells.ids))
    # To all cells of each batch: those of an unknown class may be without controls.
    known, cells = (c.with_images(None).with_design(control=None) for c in (known, cells))
    parts = []
    if rows is not None:
        held = cross_validate(
            known, model, normalize="standardize", n_splits=_parts(known), baselines=False, seed=seed, progress=False
        )
        parts.append(held.probabilities)
    rest = cells.ids if not parts else cells.ids[~cells.ids.isin(parts[0].index)]
    if len(rest):
        parts.append(train_model(known, model, "standardize", seed=seed).predict_proba(cells.subset(rest)))
    return _surest(pd.concat(parts).reindex(cells.ids))


def _parts(known: Cells) -> int:
    units = known.units if known.design.unit else pd.Series(known.ids, index=known.ids)
    return max(2, min(N_SPLITS, int(units[known.labels.notna()].nunique())))


def _surest(table: pd.DataFrame) -> pd.DataFrame:
    values = table.to_numpy(np.float64)
    gap = np.isnan(values).any(axis=1)
    best = np.asarray(table.columns, dtype=object)[np.where(gap[:, None], 0.0, values).argmax(axis=1)]
    found = {"predicted": np.where(gap, None, best), "max_probability": np.where(gap, np.nan, values.max(axis=1))}
    return pd.DataFrame(found, index=table.index)
