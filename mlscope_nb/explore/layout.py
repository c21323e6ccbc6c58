"""UMAP's layout: points are pulled along edges of a graph and pushed from random others, a little less each time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlscope_nb.explore.compiling import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


STEP_BITS = 17
"""How many of the 23 bits after a float32's leading one lie between two entries of `powers`."""

REST, LARGEST = 2**STEP_BITS - 1, 0x7F7FFFFF


class Curve(NamedTuple):
    """How alike two points of a map are at a distance d: 1 / (1 + a d^2b)."""

    a: float
    b: float


class Schedule(NamedTuple):
    """How long and how strongly points are moved; the names and defaults are those of umap-learn."""

    n_epochs: int
    curve: Curve
    learning_rate: float = 1.0
    repulsion_strength: float = 1.0
    negative_sample_rate: int = 5


def fitted_curve(spread: float, min_dist: float) -> Curve:
    """Return the smooth curve closest to "alike up to `min_dist`, then falling over `spread`", as in umap-learn."""
    from scipy.optimize import curve_fit

    x = np.linspace(0, spread * 3, 300)
    wanted = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    (a, b), _ = curve_fit(lambda d, a, b: 1.0 / (1.0 + a * d ** (2 * b)), x, wanted)
    return Curve(float(a), float(b))


def optimised(
    start: NDArray[np.float32],
    graph: Any,
    schedule: Schedule,
    rng_state: NDArray[np.int64],
    *,
    fixed: NDArray[np.float32] | None = None,
    n_threads: int = 1,
    after_epoch: Callable[[], object] | None = None,
) -> NDArray[np.float32]:
    """Return the places of points after UMAP's optimisation: the same steps, in the same order, as umap-learn's.

    One thread gives the same result each time. Several threads move points while others read them (as umap-learn does
    without a seed), so results differ a little from run to run.

    Parameters
    ----------
    start : array (N, 2)
        Where the points begin.
    graph : sparse matrix (N, N), or (N, M) with `fixed`
        How strongly points hold together; edges too weak to be drawn once are left out.
    schedule : Schedule
        Epochs, curve and rates.
    rng_state : array (3,)
        The beginning of the random numbers that choose which points push each other apart.
    fixed : array (M, 2), optional
        A map that stays where it is while the points are placed on it.
    n_threads : int
        How many threads.
    after_epoch : function, optional
        Called when an epoch is done: a progress bar's ``update``.

    References
    ----------
    McInnes, Healy, Melville 2018, arXiv 1802.03426; umap-learn (BSD-3), ``layouts.optimize_layout_euclidean``.
    """
    points = np.array(start, dtype=np.float32, order="C")
    others = points if fixed is None else np.ascontiguousarray(fixed, dtype=np.float32)
    edges = _edges(graph, schedule.n_epochs)
    if not len(edges[0]):
        return points
    state = np.full((len(points), 3), rng_state, dtype=np.int64)
    state += points[:, :1].astype(np.float64).view(np.int64)  # each point its own numbers, as in umap-learn
    every = edges[2] / schedule.negative_sample_rate
    moments = (*edges, edges[2].copy(), every, every.copy())
    a, b = (np.float32(value) for value in schedule.curve)
    shape = (a, b, np.float32(schedule.repulsion_strength), powers(float(b)))
    parts = _parts(len(edges[0]), n_threads)
    epoch = _kernel()
    with ThreadPoolExecutor(len(parts)) if len(parts) > 1 else nullcontext() as pool:
        for n in range(schedule.n_epochs):
            alpha = np.float32(schedule.learning_rate * (1.0 - max(n - 1, 0) / schedule.n_epochs))
            steady = (points, others, *moments, state, *shape, fixed is None, alpha, n)
            if pool is None:
                epoch(*parts[0], *steady)
            else:
                list(pool.map(lambda part: epoch(*part, *steady), parts))  # noqa: B023 - all done before the next turn
            if after_epoch is not None:
                after_epoch()
    return points


def _edges(graph: Any, n_epochs: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return both ends of each edge and how many epochs pass from one pull along it to the next."""
    graph = graph.tocoo()
    largest = graph.data.max(initial=0.0)
    kept = (graph.data >= largest / n_epochs) & (graph.data > 0)
    head, tail = graph.row[kept].astype(np.int32), graph.col[kept].astype(np.int32)
    # in float32 as umap-learn counts, so that the same edges fall on the same epochs
    drawn = n_epochs * (graph.data[kept] / largest)
    return head, tail, float(n_epochs) / drawn.astype(np.float64)


def powers(exponent: float) -> NDArray[np.float32]:
    """Return x ** `exponent` for 64 numbers between each power of two and the next, over all that float32 can hold.

    Half of a layout's time would be spent in raising distances to one fixed power. The upper 15 bits of a positive
    float32 number its entry here, and the straight line to the next one is right to 3e-6 for the default curve, and
    to 1e-4 for any that `fitted_curve` makes.
    """
    numbers = (np.arange(256 * 64 + 1, dtype=np.int64) << STEP_BITS).clip(max=LARGEST).astype(np.int32)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and so is what was meant
        return (numbers.view(np.float32).astype(np.float64) ** exponent).astype(np.float32)


def _parts(n_edges: int, n_threads: int) -> list[tuple[int, int]]:
    ends = np.linspace(0, n_edges, max(1, n_threads) + 1).astype(int).tolist()
    return list(pairwise(ends))


@cache
def _kernel() -> Callable[..., None]:
    return compiled(_epoch, fastmath=True)


def _epoch(
    first: int,
    last: int,
    points: Any,
    others: Any,
    head: Any,
    tail: Any,
    epochs_per_pull: Any,
    next_pull: Any,
    epochs_per_push: Any,
    next_push: Any,
    state: Any,
    a: Any,
    b: Any,
    repulsion: Any,
    power_of: Any,
    move_others: bool,
    alpha: Any,
    n: int,
) -> None:
    one, two, four, near = np.float32(1), np.float32(2), np.float32(4), np.float32(0.001)
    pull, push = -two * a * b, two * repulsion * b
    step = np.float32(1 / (REST + 1))
    n_others = others.shape[0]
    for i in range(first, last):
        if next_pull[i] > n:
            continue
        j, k = head[i], tail[i]
        x, y = points[j, 0], points[j, 1]
        dx, dy = x - others[k, 0], y - others[k, 1]
        squared = dx * dx + dy * dy
        if squared > 0:
            bits = np.float32(squared).view(np.int32)
            power = power_of[bits >> STEP_BITS]
            power += np.float32(bits & REST) * step * (power_of[(bits >> STEP_BITS) + 1] - power)
            strength = pull * power / (squared * (a * power + one))
            step_x = min(four, max(-four, strength * dx)) * alpha
            step_y = min(four, max(-four, strength * dy)) * alpha
            x += step_x
            y += step_y
            if move_others:
                others[k, 0] -= step_x
                others[k, 1] -= step_y
        next_pull[i] += epochs_per_pull[i]
        pushes = int((n - next_push[i]) / epochs_per_push[i])
        s0, s1, s2 = state[j, 0], state[j, 1], state[j, 2]
        for _ in range(pushes):
            s0 = (((s0 & 4294967294) << 12) & 0xFFFFFFFF) ^ ((((s0 << 13) & 0xFFFFFFFF) ^ s0) >> 19)
            s1 = (((s1 & 4294967288) << 4) & 0xFFFFFFFF) ^ ((((s1 << 2) & 0xFFFFFFFF) ^ s1) >> 25)
            s2 = (((s2 & 4294967280) << 17) & 0xFFFFFFFF) ^ ((((s2 << 3) & 0xFFFFFFFF) ^ s2) >> 11)
            k = np.int32(s0 ^ s1 ^ s2) % n_others
            if move_others and k == j:
                continue  # no point pushes itself
            dx, dy = x - others[k, 0], y - others[k, 1]
            squared = dx * dx + dy * dy
            if squared > 0:
                bits = np.float32(squared).view(np.int32)
                power = power_of[bits >> STEP_BITS]
                power += np.float32(bits & REST) * step * (power_of[(bits >> STEP_BITS) + 1] - power)
                strength = push / ((near + squared) * (a * power + one))
                x += min(four, max(-four, strength * dx)) * alpha
                y += min(four, max(-four, strength * dy)) * alpha
        state[j, 0], state[j, 1], state[j, 2] = s0, s1, s2
        points[j, 0], points[j, 1] = x, y
        next_push[i] += pushes * epochs_per_push[i]
