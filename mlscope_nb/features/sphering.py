"""Sphering: directions in which control cells vary anyway are made to count less (sphering, TVN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats, PerBatch, bounded, filled, none, standard

FARTHEST = 5.0


@dataclass(frozen=True, eq=False)
class Sphering:
    """Standardise each batch, then decorrelate all with one rotation that turns features into themselves.

    Within one batch this is ZCA-cor as in pycytominer's ``Spherize``: after it the reference cells of all batches
    together are uncorrelated, and each column stays as near as possible to the feature whose name it has.

    Parameters
    ----------
    epsilon : float
        Added to each singular value: larger ones leave directions with little variation alone.
    """

    epsilon: float = 1e-6
    local: PerBatch = field(default_factory=lambda: PerBatch(standard))
    weights: Floats = field(default_factory=none)

    def fit(self, values: Floats, batch: NDArray[Any]) -> Sphering:
        """Return this fitted on reference cells."""
        local = self.local.fit(values, batch)
        return replace(self, local=local, weights=zca(filled(local.apply(values, batch)), self.epsilon))

    def extend(self, values: Floats, batch: NDArray[Any]) -> Sphering:
        """Return this with the scale of further batches; the rotation stays."""
        return replace(self, local=self.local.fit(values, batch))

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values sphered; gaps stay gaps, and count as average in the other columns."""
        scaled = self.local.apply(values, batch)
        return np.where(np.isnan(scaled), np.nan, filled(scaled) @ self.weights)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between the reference cells of some batch."""
        return self.local.constant


@dataclass(frozen=True, eq=False)
class TVN:
    """Typical variation normalisation: principal components of controls made equal, then batch by batch aligned.

    Standardise to all reference cells, rotate to their principal components, standardise each batch to its own,
    and give the covariance of each batch's reference cells the common shape (CORAL); at last everything is rotated
    back, so that columns keep the names of their features. Two things are added for designs with few controls: no cell
    counts as farther out than 5 robust deviations, and components that hold hardly any variation are left out.
    Whitened, they would count as much as the others, and the error of each batch's mean in them marks the batch anew.

    Parameters
    ----------
    shrink : float
        Added to the variances before the covariances are aligned.
    keep : float
        Share of the variance of the reference cells that the components must hold; 1 keeps all.

    References
    ----------
    Ando, McLean, Berndl 2017, bioRxiv 161422; with the steps of Celik et al. 2024, PLoS Comput Biol 20:e1012463.
    """

    shrink: float = 0.5
    keep: float = 0.97
    own: PerBatch = field(default_factory=lambda: PerBatch(lambda values: bounded(values, FARTHEST)))
    whole: PerBatch = field(default_factory=lambda: PerBatch(standard))
    axes: Floats = field(default_factory=none)
    local: PerBatch = field(default_factory=lambda: PerBatch(standard))
    target: Floats = field(default_factory=none)
    turns: Mapping[str, Floats] = field(default_factory=dict)

    def fit(self, values: Floats, batch: NDArray[Any]) -> TVN:
        """Return this fitted on reference cells."""
        own = self.own.fit(values, batch)
        near = own.apply(values, batch)
        whole = self.whole.fit(near, _one(batch))
        scaled = filled(whole.apply(near, _one(batch)))
        axes = _axes(scaled, self.keep)
        local = self.local.fit(scaled @ axes, batch)
        target = _power(self._covariance(local.apply(scaled @ axes, batch)), 0.5)
        return replace(self, whole=whole, axes=axes, local=local, target=target).extend(values, batch)

    def extend(self, values: Floats, batch: NDArray[Any]) -> TVN:
        """Return this with further batches aligned to the same shape."""
        own = self.own.fit(values, batch)
        scores = filled(self.whole.apply(own.apply(values, batch), _one(batch))) @ self.axes
        local = self.local.fit(scores, batch)
        aligned = local.apply(scores, batch)
        new = {str(b): _power(self._covariance(aligned[batch == b]), -0.5) @ self.target for b in sorted(set(batch))}
        return replace(self, own=own, local=local, turns={**self.turns, **new})

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values normalised; gaps stay gaps, and count as average in the other columns."""
        scaled = self.whole.apply(self.own.apply(values, batch), _one(batch))
        scores = self.local.apply(filled(scaled) @ self.axes, batch)
        for b in sorted(set(batch)):
            scores[batch == b] = scores[batch == b] @ self.turns[str(b)]
        return np.where(np.isnan(scaled), np.nan, scores @ self.axes.T)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between the reference cells."""
        return self.whole.constant

    def _covariance(self, values: Floats) -> Floats:
        p = values.shape[1]
        spread = np.cov(values, rowvar=False, ddof=1).reshape(p, p) if len(values) > 1 else np.zeros((p, p))
        return spread + self.shrink * np.eye(p)


def zca(values: Floats, epsilon: float) -> Floats:
    """Return the whitening matrix (P, P) of centred rows (n, P), rotated back to the features.

    Directions in which the rows do not vary get the weight of the weakest one in which they do.

    References
    ----------
    Kessy, Lewin, Strimmer 2018, The American Statistician 72:309.
    """
    n, p = values.shape
    _, strength, axes = np.linalg.svd(values, full_matrices=True)
    rank = int((strength > strength[0] * max(n, p) * np.finfo(float).eps).sum()) if len(strength) else 0
    if rank == 0:
        return np.eye(p)
    strength = np.concatenate([strength[:rank], np.full(p - rank, strength[rank - 1])]) + epsilon
    return (axes.T / strength) @ axes * np.sqrt(max(n - 1, 1))


def _one(batch: NDArray[Any]) -> NDArray[Any]:
    return np.full(len(batch), "all", dtype=object)


def _axes(values: Floats, keep: float) -> Floats:
    """Return the principal components (P, K) that hold this share of the variance."""
    _, strength, axes = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    known = int((strength > strength[0] * max(values.shape) * np.finfo(float).eps).sum())
    share = np.cumsum(strength**2) / max(float((strength**2).sum()), 1e-300)
    enough = int(np.searchsorted(share, keep - 1e-12)) + 1
    return axes[: min(known, enough)].T


def _power(symmetric: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * values**exponent) @ vectors.T
