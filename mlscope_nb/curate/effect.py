"""What each filter does to the headline result, before anybody chooses the filter that flatters it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb.cells import Cells
from mlscope_nb.curate.decisions import Decisions
from mlscope_nb.features.normalization import Normalizer
from mlscope_nb.features.probes import logistic_predictions
from mlscope_nb.study import leave_one_out, t_interval

Headline = Callable[[Cells], pd.Series]
NOTHING, ALL = "nothing left out", "all of these left out"


def label_by_batch(cells: Cells) -> pd.Series:
    """Return how well the label is predicted in each batch left out: balanced accuracy, by batch.

    A logistic regression on the features, normalised to the controls of each batch where controls are declared.

    Raises
    ------
    ValueError
        No features, label or batch, fewer than two batches, or a batch without controls.
    """
    labels = cells.labels.astype(str)
    scores = {}
    for part in leave_one_out(cells):
        train, test = cells.subset(part.train_ids), cells.subset(part.test_ids)
        if cells.design.control is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # few controls were warned of when they were declared
                fitted = Normalizer().fit(train)
                train, test = fitted.transform(train), fitted.transform(test)
        x, new = (c.table().to_numpy(np.float64) for c in (train, test))
        found = logistic_predictions(x, labels[train.ids].to_numpy(object), new)
        truth = labels[test.ids]
        scores[part.held_out[0]] = float((truth == found).groupby(truth).mean().mean())
    return pd.Series(scores, name="balanced_accuracy", dtype=float)


def filter_effect(
    cells: Cells, decisions: Decisions | pd.Series, headline: Headline = label_by_batch, *, progress: bool = True
) -> pd.DataFrame:
    """Return the headline result without each filter, with each one alone, and with all of them.

    Parameters
    ----------
    cells : Cells
        Untouched.
    decisions : Decisions, or Series of str
        The cells that were dropped and why; or a reason for each cell by its id, "" for cells that stay.
    headline : function
        Cells to one number per batch (or other unit): a Series. Default: the label predicted in batches left out.
    progress : bool
        Show it.

    Returns
    -------
    DataFrame
        One row per filter: n_dropped, estimate (mean over the batches), change against nothing left out, its 95 %
        interval over batches (low, high; NaN where they are too few), n_units. Each result is that of the cells
        which stay, as it would be reported: a filter that drops what is hard to predict raises it too.

    Raises
    ------
    ValueError
        Nothing is dropped, or what `headline` raises.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": list("112233"), "x": [1.0, 9, 2, 2, 3, 3]}, index=list("abcdef"))
    >>> reasons = pd.Series({"b": "odd"})
    >>> mean = lambda cells: cells.obs.groupby("plate")["x"].mean()
    >>> filter_effect(Cells(obs), reasons, mean, progress=False)["estimate"].round(2).to_dict()
    {'nothing left out': 3.33, 'odd': 2.0}
    """
    reasons = _reasons(cells, decisions)
    names = list(dict.fromkeys(reasons[reasons != ""].sort_values()))
    filters: dict[str, np.ndarray] = {NOTHING: np.zeros(len(cells), bool)}
    filters |= {name: (reasons == name).to_numpy() for name in names}
    if len(names) > 1:
        filters[ALL] = (reasons != "").to_numpy()
    rows, before = {}, pd.Series(dtype=float)
    for name, gone in tqdm(filters.items(), desc="Filters", leave=False, disable=not progress):
        found = headline(cells.subset(cells.ids[~gone])).astype(float)
        before = found if name == NOTHING else before
        rows[name] = {"n_dropped": int(gone.sum()), "estimate": float(found.mean()), **_change(found, before)}
    table = pd.DataFrame(list(rows.values()), index=pd.Index(rows, name="filter"))
    table.attrs["history"] = [_align.step("filter_effect", headline=getattr(headline, "__name__", "own function"))]
    return table


def _reasons(cells: Cells, decisions: Decisions | pd.Series) -> pd.Series:
    if isinstance(decisions, Decisions):
        dropped = decisions.dropped["reason"].replace("", "no reason given")
    else:
        dropped = decisions.dropna().astype(str)
        _align.positions(pd.Index(dropped.index), cells.ids)
    reasons = dropped.reindex(cells.ids).fillna("")
    if not (reasons != "").any():
        raise ValueError("Nothing is dropped, so there is no effect to measure. Drop cells with a reason first.")
    return reasons


def _change(found: pd.Series, before: pd.Series) -> dict[str, float]:
    both = found.index.intersection(before.index)
    change = t_interval(cast(np.ndarray, (found[both] - before[both]).to_numpy()))
    return {"change": change.estimate, "low": change.low, "high": change.high, "n_units": change.n_units}
