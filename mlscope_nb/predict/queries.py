"""Queries: which cells to ask about next."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mlscope_nb._words import some
from mlscope_nb.features.scaling import Floats

Strategy = Literal["random", "uncertainty", "margin", "diverse"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
SHORT_LIST = 10
"""How many times as many uncertain cells as are wanted are looked at for being different from each other."""
FLOOR = 1e-12


def doubts(probabilities: Floats, strategy: Strategy = "margin") -> Floats:
    """Return how much a model doubts each cell, from 0 (sure) to 1.

    Parameters
    ----------
    probabilities : array (N, K)
        Of each cell.
    strategy : str
        "uncertainty": entropy by that of equal probabilities; otherwise 1 minus the lead of the likeliest class over
        the next.

    Examples
    --------
    >>> doubts(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    if strategy == "uncertainty":
        p = np.clip(probabilities, FLOOR, 1)
        return np.asarray(np.clip(-(p * np.log(p)).sum(axis=1) / np.log(max(p.shape[1], 2)), 0, 1))
    top = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(1 - (top[:, -1] - top[:, 0]))


def query(
    probabilities: Floats, values: Floats, n: int, strategy: Strategy = "margin", *, seed: int = 0
) -> NDArray[np.intp]:
    """Return the rows of the cells to ask about, the most doubtful first.

    Parameters
    ----------
    probabilities : array (N, K)
        What the model says of the cells that nobody has labelled.
    values : array (N, D)
        Their features, for telling which are alike.
    n : int
        How many to ask about.
    strategy : str
        "random"; "uncertainty" (largest entropy); "margin" (smallest lead of the first class over the second);
        "diverse" (of ten times as many by margin, the one nearest to each of `n` weighted k-means centres).
    seed : int
        Of what is drawn.

    Raises
    ------
    ValueError
        No such strategy.

    References
    ----------
    Settles 2009, Active Learning Literature Survey; Zhdanov 2019, arXiv:1901.05954 (diverse mini-batches).

    Examples
    --------
    >>> query(np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]]), np.zeros((3, 1)), 2).tolist()
    [1, 2]
    """
    check_strategy(strategy)
    n = min(n, len(probabilities))
    if strategy == "random" or n == 0:
        return np.random.default_rng(seed).permutation(len(probabilities))[:n]
    doubt = doubts(probabilities, strategy)
    # Equal doubts in an order that is drawn, not in that of the table.
    order = np.lexsort([np.random.default_rng(seed).permutation(len(doubt)), -doubt])
    if strategy != "diverse" or n < 2:
        return np.asarray(order[:n], dtype=np.intp)
    return _spread(order[: SHORT_LIST * n], doubt, values, n, seed)


def check_strategy(strategy: str) -> None:
    """Raise a ValueError unless there is such a strategy."""
    if strategy not in STRATEGIES:
        raise ValueError(f"No strategy {strategy!r}. There are: {some(STRATEGIES)}.")


def _spread(rows: NDArray[np.intp], doubt: Floats, values: Floats, n: int, seed: int) -> NDArray[np.intp]:
    """Return the row nearest to each centre of these, and the most doubtful of the rest where centres share one."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    mine = values[rows]
    if len(np.unique(mine, axis=0)) < n:
        return rows[:n]
    with threadpool_limits(1):
        away = KMeans(n, n_init=1, random_state=seed).fit(mine, sample_weight=doubt[rows] + FLOOR).transform(mine)
    chosen = list(dict.fromkeys(away.argmin(axis=0).tolist()))
    rest = [i for i in range(len(rows)) if i not in set(chosen)]
    return np.asarray(rows[sorted(chosen + rest[: n - len(chosen)])], dtype=np.intp)
