"""Selection: features that say nothing, or what another one says, are left out, with the reason for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import count
from mlscope_nb.cells import Cells

NORMALISED = "normalize"


def select(
    cells: Cells,
    *,
    missing: float | None = 0.05,
    variance: float | None = 1e-6,
    outlier: float | None = 500.0,
    correlation: float | None = 0.9,
    absolute: bool = False,
) -> Cells:
    """Leave out features that are missing, constant, wild, or nearly the same as another one.

    The four questions are asked one after the other, each of what the ones before have left; None skips one. All
    are asked of the features alone, never of labels.

    Parameters
    ----------
    cells : Cells
        With features, normalised or not.
    missing : float, optional
        Largest share of cells without a value.
    variance : float, optional
        Smallest variance; before normalisation it counts relative to the squared mean, so that units do not matter.
    outlier : float, optional
        Largest absolute value, in deviations of the controls; asked only of normalised features.
    correlation : float, optional
        Largest correlation of two features; of a pair that one goes which correlates more with all others.
    absolute : bool
        Count strong negative correlations as well. pycytominer does not.

    Returns
    -------
    Cells
        With the features that stay, in their order. ``features.attrs["dropped"]`` gives the reason for each of the
        others, and the history lists them.

    Raises
    ------
    ValueError
        No features, a limit out of range, or nothing would be left.

    References
    ----------
    pycytominer's feature_select: drop_na_columns, variance_threshold, drop_outliers, correlation_threshold.

    Examples
    --------
    >>> table = pd.DataFrame({"area": [1.0, 2.0, 4.0], "size": [1.1, 2.1, 4.1], "flag": [7.0, 7.0, 7.0]})
    >>> kept = select(Cells(pd.DataFrame(index=["a", "b", "c"]), features=table.set_axis(["a", "b", "c"])))
    >>> list(kept.features.columns), kept.features.attrs["dropped"]["flag"]
    (['size'], 'constant')
    """
    _check(missing, variance, outlier, correlation)
    table = cells.table()
    normalised = any(step.get("step") == NORMALISED for step in cells.history)
    dropped: dict[str, str] = {}
    questions: list[tuple[str, float | None, Callable[[pd.DataFrame, float], list[str]]]] = [
        ("missing", missing, missing_columns),
        ("constant", variance, partial(constant_columns, relative=not normalised)),
        ("outliers", outlier if normalised else None, outlier_columns),
        ("near-duplicate", correlation, partial(duplicate_columns, absolute=absolute)),
    ]
    for reason, limit, find in questions:
        if limit is not None:
            dropped.update(dict.fromkeys(find(table.drop(columns=list(dropped)), limit), reason))
    kept = table.drop(columns=list(dropped))
    if not kept.shape[1]:
        raise ValueError(f"None of {count(table.shape[1], 'feature')} would be left. Loosen a limit, or skip it: None.")
    kept.attrs = {"history": [_step(dropped, table.shape[1], normalised, outlier)], "dropped": dropped}
    return cells.with_features(kept)


def missing_columns(table: pd.DataFrame, limit: float) -> list[str]:
    """Return features with a larger share of missing values."""
    return list(table.columns[table.isna().mean() > limit])


def constant_columns(table: pd.DataFrame, limit: float, *, relative: bool = False) -> list[str]:
    """Return features whose variance is not above the limit, or above it times the squared mean."""
    spread = table.var(ddof=0)
    scale = np.square(table.mean()) if relative else 1.0
    return list(table.columns[~(spread > limit * scale)])


def outlier_columns(table: pd.DataFrame, limit: float) -> list[str]:
    """Return features with an absolute value above the limit."""
    return list(table.columns[table.abs().max() > limit])


def duplicate_columns(table: pd.DataFrame, limit: float, *, absolute: bool = False) -> list[str]:
    """Return of each pair that correlates above the limit the one that correlates more with all features."""
    if table.shape[1] < 2:
        return []
    # The sums decide which of a pair goes: the same functions as pycytominer's, so that the last digit agrees.
    gaps = bool(table.isna().to_numpy().any())
    r = table.corr() if gaps else pd.DataFrame(np.corrcoef(table.T), index=table.columns, columns=table.columns)
    order = pd.Index(r.abs().sum().sort_values().index).get_indexer(table.columns)
    found = np.tril((r.abs() if absolute else r).to_numpy() > limit, k=-1)
    first, second = np.nonzero(found)
    gone = np.unique(np.where(order[first] > order[second], first, second))
    return [str(table.columns[i]) for i in gone]


def _step(dropped: dict[str, str], n: int, normalised: bool, outlier: float | None) -> dict[str, object]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in dropped.items():
        by_reason.setdefault(reason, []).append(name)
    skipped = outlier is not None and not normalised
    note = "outliers were not looked for: the features are not normalised" if skipped else None
    return _align.step("select", n_features=n - len(dropped), n_before=n, dropped=by_reason, note=note)


def _check(missing: float | None, variance: float | None, outlier: float | None, correlation: float | None) -> None:
    for name, value in (("missing", missing), ("correlation", correlation)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}, expected a share between 0 and 1, or None to skip it.")
    for name, value in (("variance", variance), ("outlier", outlier)):
        if value is not None and not value >= 0:
            raise ValueError(f"{name} is {value}, expected 0 or more, or None to skip it.")
