"""Distances: how far cells are from the cells that are known, in directions that known cells decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats

Codes = NDArray[np.intp]
Seen = Callable[[Floats], Floats]

NEIGHBOURS = 0.05
"""Share of the known cells that the distance reaches to, so that a fault that 4 % of them have still is far."""
FEWEST_NEIGHBOURS = 5
LEADING = 20
"""Directions in which known cells vary most, made equally long."""
TAIL = 3.0
"""Up to so many deviations values count as they are, beyond by their logarithm."""
CORE = 0.75
"""Share of the known cells that decide on directions and spread: those with a fault must not."""
SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Known:
    """The cells to compare with.

    Parameters
    ----------
    values : array (M, P)
        Their features, comparable between batches.
    unit : int array (M,)
        Their units; a cell is never compared with its own unit.
    label : int array (M,)
        Their classes, -1 where there is none.
    """

    values: Floats
    unit: Codes
    label: Codes


def drawn_in(values: Floats) -> Floats:
    """Return values with long tails drawn in, so that one feature cannot outweigh all others."""
    return np.asarray(TAIL * np.arcsinh(values / TAIL))


Scores = tuple[Floats, Floats]
"""Of the cells, and of the known ones."""


def neighbour_scores(values: Floats, unit: Codes, known: Known, k: int | None = None, *, turn: bool = True) -> Scores:
    """Return how unusual each cell is, and each known one, by the distance to its k-th nearest known cell.

    Twice: by all features alike, and by the leading directions of ordinary cells. What is odd in one of the two is odd:
    a fault of a few features moves no leading direction, and one that shifts many features a little (a cell out of
    focus) stands out in directions only.
    """
    wanted = k or max(FEWEST_NEIGHBOURS, round(NEIGHBOURS * len(known.unit)))
    plain = _both(values, unit, known, drawn_in, wanted)
    if not turn:
        return _usual(*plain), _usual(plain[1], plain[1])
    core = plain[1] <= np.quantile(plain[1], CORE)
    axes = leading(drawn_in(known.values[core]))
    turned = _both(values, unit, known, axes.of, wanted)
    own = np.maximum(_usual(plain[1], plain[1]), _usual(turned[1], turned[1]))
    return np.maximum(_usual(*plain), _usual(*turned)), own


def centre_scores(values: Floats, known: Known, *, turn: bool = True) -> Scores:
    """Return how unusual each cell is, and each known one, by its distance to the nearest class in deviations.

    Twice, as in `neighbour_scores`: in all features (each in deviations within classes), and in the leading directions
    within classes, which is the Mahalanobis distance there. Only the ordinary cells of each class decide on centres and
    deviations: distances in all directions at once would give most weight to those that hold nothing.
    """
    near, mine = drawn_in(known.values), drawn_in(values)
    code = np.unique(known.label, return_inverse=True)[1]
    core = np.ones(len(near), dtype=bool)
    for _ in range(2):
        centres = _centres(near[core], code[core])
        rest = near[core] - centres[code[core]]
        spread = np.maximum(rest.std(axis=0), SMALLEST)
        own = _nearest(near / spread, centres / spread)
        core = own <= np.quantile(own, CORE)
        core[np.unique(code, return_index=True)[1]] = True
    plain = _nearest(mine / spread, centres / spread), own
    if not turn:
        return _usual(*plain), _usual(own, own)
    axes = leading(rest)
    turned = tuple(_nearest(axes.turned(rows), axes.turned(centres)) for rows in (mine, near))
    return np.maximum(_usual(*plain), _usual(*turned)), np.maximum(_usual(own, own), _usual(turned[1], turned[1]))


@dataclass(frozen=True, eq=False)
class Leading:
    """The leading directions of some cells, made equally long.

    Parameters
    ----------
    middle, spread : arrays (P,)
        Mean and deviation of each feature.
    axes : array (P, D)
        Directions over the deviations along them.
    """

    middle: Floats
    spread: Floats
    axes: Floats

    def of(self, values: Floats) -> Floats:
        """Return features (N, P), not yet drawn in, along these directions (N, D)."""
        return self.turned(drawn_in(values))

    def turned(self, values: Floats) -> Floats:
        """Return features (N, P) that were drawn in before along these directions."""
        return np.asarray((values - self.middle) / self.spread @ self.axes)


def leading(rows: Floats, n: int = LEADING) -> Leading:
    """Return the directions in which these rows vary most.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 3)) * [1, 2, 3]
    >>> along = leading(rows, 2)
    >>> along.axes.shape
    (3, 2)
    """
    from scipy.linalg import eigh

    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    varies = spread > SMALLEST * max(float(spread.max()), SMALLEST)
    spread = np.where(varies, spread, 1.0)
    z = np.where(varies, (rows - middle) / spread, 0.0)
    p = z.shape[1]
    variances, axes = eigh(z.T @ z / len(z), subset_by_index=(max(0, p - n), p - 1))
    use = variances > SMALLEST * max(float(variances[-1]), SMALLEST)
    return Leading(middle, spread, axes[:, use] / np.sqrt(variances[use]))


def _both(values: Floats, unit: Codes, known: Known, seen: Seen, k: int) -> tuple[Floats, Floats]:
    """Return the distances of the cells, and those of the known cells among themselves."""
    near = seen(known.values).astype(np.float32)
    return (
        _kth(seen(values).astype(np.float32), unit, near, known.unit, k),
        _kth(near, known.unit, near, known.unit, k),
    )


def _kth(values: NDArray[np.float32], unit: Codes, near: NDArray[np.float32], near_unit: Codes, k: int) -> Floats:
    """Return the distance to the k-th nearest known cell that is of another unit."""
    from sklearn.neighbors import NearestNeighbors

    sizes = np.bincount(near_unit)
    others = len(near_unit) - (sizes[unit[unit < len(sizes)]].max(initial=0) if len(unit) else 0)
    k = max(1, min(k, int(others)))
    most = min(len(near_unit), k + int(sizes.max()))
    away, rows = NearestNeighbors(n_neighbors=most, algorithm="brute").fit(near).kneighbors(values)
    foreign = near_unit[rows] != unit[:, None]
    place = np.argmax(np.cumsum(foreign, axis=1) >= k, axis=1)
    return np.asarray(away[np.arange(len(values)), place], dtype=np.float64)


def _usual(away: Floats, own: Floats) -> Floats:
    """Return distances on the scale of the known cells: 0 is their median, 1 a deviation above it, in logarithms.

    The deviation is taken from the upper quartile: the known cells may have faults too.
    """
    middle, upper = np.quantile(np.log(np.maximum(own, 1e-300)), [0.5, 0.75])
    return np.asarray((np.log(np.maximum(away, 1e-300)) - middle) / max((upper - middle) / 0.6745, SMALLEST))


def _centres(rows: Floats, code: Codes) -> Floats:
    return np.stack([rows[code == k].mean(axis=0) for k in range(int(code.max()) + 1)])


def _nearest(rows: Floats, centres: Floats) -> Floats:
    away = [((rows - centre) ** 2).mean(axis=1) for centre in centres]
    return np.asarray(np.sqrt(np.min(away, axis=0)))
