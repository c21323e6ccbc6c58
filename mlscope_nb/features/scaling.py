"""Scaling: every batch on the scale of its own reference cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def none() -> Floats:
    """Return the array of what was not fitted yet."""
    return np.empty((0, 0))


class Map(Protocol):
    """What is done to the rows of one batch."""

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between the rows fitted on."""

    def __call__(self, values: Floats) -> Floats:
        """Return the rows on the new scale."""


@dataclass(frozen=True, eq=False)
class Line:
    """Subtract a centre and divide by a spread, feature by feature."""

    centre: Floats
    spread: Floats
    constant: NDArray[np.bool_]

    def __call__(self, values: Floats) -> Floats:
        """Return the rows on the new scale."""
        return (values - self.centre) / self.spread


@dataclass(frozen=True, eq=False)
class Ranks:
    """Give each value the normal score of its rank among the reference values of its feature."""

    ordered: tuple[Floats, ...]
    constant: NDArray[np.bool_]

    def __call__(self, values: Floats) -> Floats:
        """Return the normal scores of the rows."""
        from scipy.special import ndtri

        result = np.full(values.shape, np.nan)
        for j, known in enumerate(self.ordered):
            if not len(known):
                continue
            below, upto = np.searchsorted(known, values[:, j], "left"), np.searchsorted(known, values[:, j], "right")
            result[:, j] = ndtri(((below + upto) / 2 + 0.5) / (len(known) + 1))
        return np.where(np.isnan(values), np.nan, result)


@dataclass(frozen=True, eq=False)
class Bounded:
    """Median 0 and scaled median absolute deviation 1, and nothing farther out than a limit.

    A few spoilt cells (saturated, debris) would else decide the means and covariances of a few dozen controls.
    """

    centre: Floats
    spread: Floats
    constant: NDArray[np.bool_]
    farthest: float

    def __call__(self, values: Floats) -> Floats:
        """Return the rows on the new scale; gaps stay gaps."""
        return np.clip((values - self.centre) / self.spread, -self.farthest, self.farthest)


def bounded(values: Floats, farthest: float) -> Bounded:
    """Return the map to the robust scale of these rows, cut off at `farthest`."""
    line = robust(values)
    known = ~np.isnan(values).all(axis=0)
    wide = np.zeros(values.shape[1])
    wide[known] = np.sqrt(np.nanmean((values[:, known] - line.centre[known]) ** 2, axis=0))
    # A feature that is the same for most cells has no median deviation; its standard deviation is taken then.
    spread = np.where(line.constant, np.where(wide > 0, wide, 1.0), line.spread)
    return Bounded(line.centre, spread, known & (wide == 0), farthest)


def standard(values: Floats) -> Line:
    """Return the map to mean 0 and standard deviation 1 (divided by n, as scikit-learn's StandardScaler)."""
    return _line(values, np.nanmean, lambda v, centre: np.sqrt(np.nanmean((v - centre) ** 2, axis=0)))


def robust(values: Floats) -> Line:
    """Return the map to median 0 and scaled median absolute deviation 1 (as pycytominer's RobustMAD)."""
    return _line(values, np.nanmedian, lambda v, centre: 1.4826 * np.nanmedian(np.abs(v - centre), axis=0))


def ranked(values: Floats) -> Ranks:
    """Return the map to normal scores of ranks."""
    ordered = tuple(np.sort(column[~np.isnan(column)]) for column in values.T)
    return Ranks(ordered, np.array([len(v) > 0 and v[0] == v[-1] for v in ordered], dtype=bool))


@dataclass(frozen=True, eq=False)
class PerBatch:
    """One map for each batch, fitted on the reference cells of that batch.

    Parameters
    ----------
    fit_one : function
        Makes a map from the reference rows of a batch.
    maps : dict
        The maps by batch.
    """

    fit_one: Callable[[Floats], Map]
    maps: Mapping[str, Map] = field(default_factory=dict)

    def fit(self, values: Floats, batch: NDArray[Any]) -> PerBatch:
        """Return this with the batches of these reference cells, beside those known before."""
        new = {str(b): self.fit_one(values[batch == b]) for b in sorted(set(batch))}
        return replace(self, maps={**self.maps, **new})

    extend = fit

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values, each row on the scale of its batch."""
        result = np.empty_like(values)
        for b in sorted(set(batch)):
            result[batch == b] = self.maps[str(b)](values[batch == b])
        return result

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between the reference cells of some batch."""
        found: NDArray[np.bool_] = np.any([m.constant for m in self.maps.values()], axis=0)
        return found


def filled(values: Floats) -> Floats:
    """Return the values with gaps at 0, the average after standardising."""
    return np.where(np.isnan(values), 0.0, values)


def _line(values: Floats, centre_of: Callable[..., Any], spread_of: Callable[[Floats, Floats], Floats]) -> Line:
    known = ~np.isnan(values).all(axis=0)
    centre, spread = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    if known.any():
        centre[known] = centre_of(values[:, known], axis=0)
        spread[known] = spread_of(values[:, known], centre[known])
    # A feature without spread is centred only: dividing by almost nothing would make it the largest of all.
    constant = known & (spread <= 1e-12 * np.maximum(1.0, np.abs(centre)))
    return Line(centre, np.where(constant, 1.0, spread), constant)
