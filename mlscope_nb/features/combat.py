"""ComBat: shift and spread of each batch estimated with what its other features say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats, none

TOLERANCE = 1e-9
"""Relative change at which the iteration stops; sva and neuroCombat stop at 1e-4, which shows in the fourth digit."""
MOST_STEPS = 1000


class Effect(NamedTuple):
    """What one batch does to each feature: a shift, and a factor of the variance."""

    shift: Floats
    factor: Floats


@dataclass(frozen=True, eq=False)
class ComBat:
    """Remove the shift and spread of each batch, both shrunk to what all its features have in common.

    Fitted on reference cells without covariates: with controls as reference nothing but the batch differs between
    batches. Values stay in the scale of the features.

    References
    ----------
    Johnson, Li, Rabinovic 2007, Biostatistics 8:118 (parametric; agrees with neuroCombat).
    """

    mean: Floats = field(default_factory=none)
    deviation: Floats = field(default_factory=none)
    effects: Mapping[str, Effect] = field(default_factory=dict)

    def fit(self, values: Floats, batch: NDArray[Any]) -> ComBat:
        """Return this fitted on reference cells."""
        centred = values.copy()
        mean = np.zeros(values.shape[1])
        known = (~np.isnan(values)).sum(axis=0)
        for b in sorted(set(batch)):
            rows = batch == b
            centre, n = _mean(values[rows]), (~np.isnan(values[rows])).sum(axis=0)
            centred[rows] -= centre
            mean += np.where(n > 0, n * np.where(np.isnan(centre), 0.0, centre), 0.0)
        mean = np.where(known > 0, mean / np.maximum(known, 1), np.nan)
        fitted = replace(self, mean=mean, deviation=np.sqrt(_mean(centred**2)))
        return fitted.extend(values, batch)

    def extend(self, values: Floats, batch: NDArray[Any]) -> ComBat:
        """Return this with the effects of further batches; overall mean and deviation stay."""
        usable = ~self.constant & ~np.isnan(self.deviation)
        scaled = (values - self.mean) / np.where(usable, self.deviation, 1.0)
        new = {str(b): _effect(scaled[batch == b], usable) for b in sorted(set(batch))}
        return replace(self, effects={**self.effects, **new})

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values without the effects of their batches; features that never vary are left alone."""
        result = values.copy()
        usable = ~self.constant
        scale = np.where(usable, self.deviation, 1.0)
        for b in sorted(set(batch)):
            rows, effect = batch == b, self.effects[str(b)]
            scaled = (values[rows] - self.mean) / scale
            result[rows] = np.where(
                usable, (scaled - effect.shift) / np.sqrt(effect.factor) * scale + self.mean, values[rows]
            )
        return result

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between reference cells of a batch."""
        found: NDArray[np.bool_] = self.deviation <= 1e-12 * np.maximum(1.0, np.abs(np.nan_to_num(self.mean)))
        return found


def _effect(scaled: Floats, usable: NDArray[np.bool_]) -> Effect:
    """Estimate shift and factor of one batch from its standardised reference cells."""
    p = scaled.shape[1]
    shift, factor = np.zeros(p), np.ones(p)
    counts = (~np.isnan(scaled)).sum(axis=0)
    use = usable & (counts > 1)
    if use.any():
        shift[use], factor[use] = _shrunk(scaled[:, use], counts[use])
    return Effect(np.where(usable & (counts == 0), np.nan, shift), factor)


def _shrunk(scaled: Floats, n: NDArray[Any]) -> tuple[Floats, Floats]:
    shift, factor = _mean(scaled), np.nanvar(scaled, axis=0, ddof=1)
    if len(shift) < 2 or np.ptp(shift) == 0 or np.ptp(factor) == 0:
        return shift, np.where(factor > 0, factor, 1.0)
    centre, spread = shift.mean(), shift.var(ddof=1)
    mean, variance = factor.mean(), factor.var(ddof=1)
    shape, rate = (2 * variance + mean**2) / variance, (mean * variance + mean**3) / variance
    old_shift, old_factor = shift, factor
    for _ in range(MOST_STEPS):
        new_shift = (spread * n * shift + old_factor * centre) / (spread * n + old_factor)
        squares = np.nansum((scaled - new_shift) ** 2, axis=0)
        new_factor = (0.5 * squares + rate) / (n / 2 + shape - 1)
        change = max(_change(new_shift, old_shift), _change(new_factor, old_factor))
        old_shift, old_factor = new_shift, new_factor
        if change <= TOLERANCE:
            break
    return old_shift, old_factor


def _change(new: Floats, old: Floats) -> float:
    return float(np.max(np.abs(new - old) / np.where(old == 0, 1.0, np.abs(old))))


def _mean(values: Floats) -> Floats:
    """Means of columns without gaps; NaN, and no warning, where a column has none."""
    known = (~np.isnan(values)).sum(axis=0)
    return np.where(known > 0, np.nansum(values, axis=0) / np.maximum(known, 1), np.nan)
