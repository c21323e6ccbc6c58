"""Discriminant: how probable each class is for new cells, by a model that wrong labels or odd cells hardly turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from scipy.stats import chi2

from mlscope_nb._words import count
from mlscope_nb.features.probes import prepared

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

CELLS_PER_COMPONENT = 10
RIDGE = 0.1
"""Share of the covariance that is taken to be without correlations."""


class Setting(NamedTuple):
    """How many components are looked at, and how far each class has a covariance of its own (0 to 1)."""

    n_components: int
    own_shape: float


SETTINGS = (Setting(100, 0.0), Setting(100, 0.5), Setting(100, 0.9), Setting(200, 0.0))
"""What is tried; units that are in training decide."""
USUAL = 0.9
"""A cell is as near to its class as this share of Gaussian cells would be, or it counts less."""
ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Classes as clouds, fitted so that cells far from their own class count little.

    Parameters
    ----------
    factors : array (K, P, P)
        Lower Cholesky factors of the covariance of each class.
    centres : array (K, P)
        Centres of the classes.
    log_shares : array (K,)
        Logarithms of the shares of cells.
    far : float
        Squared distance beyond which a cell says no more about which class it is.
    """

    factors: Floats
    centres: Floats
    log_shares: Floats
    far: float

    def evidence(self, values: Floats) -> Floats:
        """Return the log likelihood of each class, up to what all classes of a cell share."""
        distance = _distances(values[:, : self.centres.shape[1]], self.centres, self.factors)
        nearest = np.maximum(distance.min(axis=1, keepdims=True), 1e-12)
        volume = np.log(np.einsum("kpp->kp", self.factors)).sum(axis=1)
        # Debris lies far from every class: the difference of two huge distances is no evidence for either.
        found: Floats = -0.5 * distance * np.minimum(1.0, self.far / nearest) - (volume - volume.mean())
        return found


def fit(values: Floats, labels: Codes, n_classes: int, weights: Floats, setting: Setting) -> Discriminant:
    """Fit centres and covariances to labelled cells.

    Parameters
    ----------
    values : array (N, P)
        Without gaps.
    labels : int array (N,)
        From 0 to `n_classes` - 1, each at least once.
    n_classes : int
        Number of classes.
    weights : array (N,)
        How far each label is trusted, 0 to 1.
    setting : Setting
        The first so many columns are used.

    References
    ----------
    Friedman 1989, Journal of the American Statistical Association 84:165 (regularised discriminant analysis); the
    reweighting is that of M-estimators of location and scatter (Maronna 1976, Annals of Statistics 4:51).
    """
    values = values[:, : setting.n_components]
    usual = float(chi2.ppf(USUAL, values.shape[1]) / chi2.ppf(0.5, values.shape[1]))
    believed = np.maximum(weights, 1e-6)
    trust = believed
    for _ in range(ROUNDS + 1):
        centres, factors = _moments(values, labels, n_classes, trust, setting.own_shape)
        distance = _distances(values, centres, factors)
        own = distance[np.arange(len(labels)), labels]
        trust = believed * np.minimum(1.0, usual * np.median(own) / np.maximum(own, 1e-12))
    shares = np.bincount(labels, weights=believed, minlength=n_classes)
    return Discriminant(factors, centres, np.log(shares / shares.sum()), usual * float(np.median(distance.min(axis=1))))


def best_setting(values: Floats, labels: Codes, n_classes: int, kept_out: NDArray[np.bool_]) -> Setting:
    """Return the setting that says most about cells of the training part that are kept out."""
    rest = ~kept_out
    if len(np.unique(labels[rest])) < n_classes or not kept_out.any():
        return SETTINGS[0]
    losses = []
    for setting in SETTINGS:
        model = fit(values[rest], labels[rest], n_classes, np.ones(int(rest.sum())), setting)
        said = posterior(model.evidence(values[kept_out]), model.log_shares)
        fits = said[np.arange(len(said)), labels[kept_out]]
        # One label in ten may be wrong: it shall not decide by how sure the model is against it.
        losses.append(-float(np.log(0.9 * fits + 0.1 / n_classes).mean()))
    return SETTINGS[int(np.argmin(losses))]


def components(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Return both as leading principal components of the training rows, gaps filled and scaled by them.

    Many features that say the same would otherwise drown the classes.
    """
    x, new = prepared(train, test)
    if not x.shape[1]:
        raise ValueError(
            f"None of {count(train.shape[1], 'feature')} varies between {count(len(train), 'cell')} to learn from, so "
            "nothing tells classes apart. Measure again: ms.features.measure(cells)."
        )
    most = max(setting.n_components for setting in SETTINGS)
    n_components = max(1, min(x.shape[1], most, len(x) // CELLS_PER_COMPONENT))
    _, directions = np.linalg.eigh(x.T @ x)
    leading = directions[:, ::-1][:, :n_components]
    return np.asarray(x @ leading), np.asarray(new @ leading)


def posterior(evidence: Floats, log_shares: Floats) -> Floats:
    """Return probabilities from log likelihoods and the logarithms of the classes' shares."""
    joint = evidence + log_shares
    return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))


def _moments(values: Floats, labels: Codes, n_classes: int, weights: Floats, own_shape: float) -> tuple[Floats, Floats]:
    """Return weighted centres, and the Cholesky factors of the covariances around them."""
    member = np.zeros((len(values), n_classes))
    member[np.arange(len(values)), labels] = weights
    total = member.sum(axis=0)
    centres = (member.T @ values) / total[:, None]
    rest = (values - centres[labels]) * np.sqrt(weights)[:, None]
    shared = rest.T @ rest / weights.sum()
    if not own_shape:
        return centres, np.broadcast_to(_factor(shared), (n_classes, *shared.shape))
    own = [rest[labels == k].T @ rest[labels == k] / total[k] for k in range(n_classes)]
    return centres, np.stack([_factor((1 - own_shape) * shared + own_shape * one) for one in own])


def _factor(scatter: Floats) -> Floats:
    variance = np.diag(scatter)
    # A component without any spread inside classes would otherwise divide by zero.
    floor = 1e-9 * max(float(variance.max()), 1e-300)
    return np.asarray(np.linalg.cholesky((1 - RIDGE) * scatter + np.diag(RIDGE * variance + floor)), np.float64)


def _distances(points: Floats, centres: Floats, factors: Floats) -> Floats:
    """Return squared Mahalanobis distances (N, K)."""
    if factors.strides[0] == 0:  # one covariance for all
        points, centres = (solve_triangular(factors[0], v.T, lower=True).T for v in (points, centres))
        squared = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
        return np.asarray(np.maximum(squared, 0))
    columns = [
        (solve_triangular(one, (points - centre).T, lower=True) ** 2).sum(axis=0)
        for centre, one in zip(centres, factors, strict=True)
    ]
    return np.stack(columns, axis=1)
