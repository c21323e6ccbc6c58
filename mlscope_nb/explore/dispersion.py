"""The gap: how much tighter points are cut into groups than points of one group would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.explore.nulls import CopulaNull

Floats = NDArray[np.float64]
MOST_GROUPS = 10
PER_GROUP = 4
"""Points that a group holds on average at least, when the number of groups is tried."""


class Gap(NamedTuple):
    """How points compare with the null of one group, for each number of groups."""

    p_value: float
    statistic: float
    n_groups: int
    table: pd.DataFrame
    layout: int = 0


def gap(
    points: NDArray[Any],
    draw: Callable[[int], Floats] | None = None,
    layouts: Sequence[Callable[[Floats], Floats]] = (np.asarray,),
    *,
    n_null: int = 99,
    seed: int = 0,
) -> Gap:
    """Compare how well points fall into groups with points of one group of the same marginals and covariance.

    Ward's tree gives the sum of squares within 2 to 10 groups, in that of all points. Its logarithm is compared with
    the same of nulls (`copula_null`): the statistic is the largest difference over the numbers of groups, each in
    standard deviations of the nulls. The nulls get the same treatment, so trying several numbers costs no error.

    Parameters
    ----------
    points : array (N, D)
        Independent points in a space of few directions.
    draw : function, optional
        Gives the points of a null for a seed; by default the null is that of the points (`copula_null`).
    layouts : functions
        Each turns points into the places that are cut; the nulls are laid out in the same ways, so trying several
        costs no error either. As they are by default.
    n_null : int
        How many nulls; the least p-value is 1 / (n_null + 1).
    seed : int
        Same seed, same nulls.

    Returns
    -------
    Gap
        p_value, statistic, n_groups (the fewest whose gap is within one deviation of the nulls of the best; 1 is
        among them), the table (gap and error by number of groups), and the layout that they are of.

    References
    ----------
    Tibshirani, Walther & Hastie (2001) J R Stat Soc B 63:411, with another null and a test over all numbers; Ward
    (1963) JASA 58:236.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one = rng.normal(size=(120, 2))
    >>> gap(one).p_value > 0.05, gap(one + 8.0 * np.eye(3)[np.arange(120) % 3, :2]).n_groups
    (True, 3)
    """
    most = min(MOST_GROUPS, len(points) // PER_GROUP)

    def measured(values: Floats) -> Floats:
        return np.array([_log_within(layout(values), most) for layout in layouts])

    observed = measured(points)
    draw = draw or CopulaNull(points, one_peak=True).draw
    seeds = np.random.SeedSequence(seed).generate_state(n_null)
    drawn = np.array([measured(draw(int(s))) for s in seeds])
    middle, spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0, ddof=1), 1e-12)
    tighter = (middle - observed) / spread
    statistic = float(tighter.max())
    of_null = ((middle - drawn) / spread).max(axis=(1, 2))
    p_value = (1 + int((of_null >= statistic).sum())) / (n_null + 1)
    used = int(tighter.max(axis=1).argmax())
    gaps = np.concatenate([[0.0], (middle - observed)[used]])
    error = np.concatenate([[0.0], spread[used] * np.sqrt(1 + 1 / n_null)])
    standard = np.concatenate([[0.0], tighter[used]])
    n_groups = 1 + int(np.flatnonzero(standard >= standard.max() - 1)[0])
    table = pd.DataFrame({"gap": gaps, "error": error}, index=pd.RangeIndex(1, most + 1, name="groups"))
    return Gap(p_value, statistic, n_groups, table, used)


def _log_within(points: Floats, most: int) -> Floats:
    """Return the logarithm of the share of the sum of squares that is left within 2, 3, … groups."""
    from scipy.cluster.hierarchy import linkage

    cost = linkage(points, "ward")[:, 2] ** 2 / 2  # what each merging adds to the sum of squares within groups
    left = 1 - np.cumsum(cost[::-1][: most - 1]) / max(float(cost.sum()), 1e-300)
    logs: Floats = np.log(np.maximum(left, 1e-12))
    return logs
