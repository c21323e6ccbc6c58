"""Noise: from what a model says about cells to the probability that a given label is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

LEAST_PROBABLE = 0.05
FEWEST_PAIRS = 100


class Noise(NamedTuple):
    """How often a label stands for any one class that the cell is not, and a link from model to probability.

    ``floor`` is that rate. The link is a mixture of two logistic curves in the model's log odds, with ``weights``,
    ``shifts`` and ``slopes``: for some cells the model is to be believed, for others (that did not respond, that are
    out of focus) less than it believes itself.
    """

    floor: float
    weights: tuple[float, float]
    shifts: tuple[float, float]
    slopes: tuple[float, float]
    n_classes: int

    @property
    def rate(self) -> float:
        """Share of labels that are wrong, if errors go to all other classes alike."""
        return self.floor * (self.n_classes - 1)

    def of_class(self, probabilities: Floats) -> Floats:
        """Return the probability that a cell truly is of a class, noise taken away."""
        odds = _log_odds(probabilities)
        parts = zip(self.weights, self.shifts, self.slopes, strict=True)
        return np.asarray(sum(weight * expit(shift + slope * odds) for weight, shift, slope in parts))

    def of_label(self, probabilities: Floats) -> Floats:
        """Return the probability that a label, once given, is right.

        Parameters
        ----------
        probabilities : array
            What the model says of the class that was given.
        """
        true = self.of_class(probabilities)
        right, wrong = (1 - self.rate) * true, self.floor * (1 - true)
        return np.asarray(right / (right + wrong))


def estimate_noise(labels: Codes, probabilities: Floats) -> Noise:
    """Estimate the noise in labels from how often they name a class that the model all but excludes.

    Pairs of a cell and a class are ordered by probability. In the lowest twentieth the class is hardly ever the true
    one, so how often it was given there is how often labels stand for any one wrong class. Where classes overlap, or
    errors go to some classes only, this is not known from the data: the estimate is a rough one.

    Parameters
    ----------
    labels : int array (N,)
        Given labels, from 0.
    probabilities : array (N, K)
        Of each class, by a model that was not trained on the cell.
    """
    n_classes = probabilities.shape[1]
    given = labels[:, None] == np.arange(n_classes)
    order = np.argsort(probabilities, axis=None, kind="stable")
    hits = given.ravel()[order]
    lowest = hits[: min(len(hits) // n_classes, max(FEWEST_PAIRS, int(LEAST_PROBABLE * len(hits))))]
    # Half an event more: with none seen, the rate is still not known to be zero, and scores keep their order.
    floor = min((lowest.sum() + 0.5) / (len(lowest) + 1), 0.5 / n_classes)
    return Noise(
        float(floor), *_link(_log_odds(probabilities).ravel(), given.ravel(), float(floor), n_classes), n_classes
    )


def expected_precision(scores: Floats) -> Floats:
    """Return for each cell the share of wrong labels to expect among it and all with lower scores.

    Examples
    --------
    >>> expected_precision(np.array([0.5, 0.0, 1.0])).tolist()
    [0.75, 1.0, 0.5]
    """
    order = np.argsort(scores, kind="stable")
    found = np.full(len(scores), np.nan)
    known = order[~np.isnan(scores[order])]
    found[known] = np.cumsum(1 - scores[known]) / np.arange(1, len(known) + 1)
    return found


Pair = tuple[float, float]


def _link(log_odds: Floats, given: NDArray[np.bool_], floor: float, n_classes: int) -> tuple[Pair, Pair, Pair]:
    """Fit weights, shifts and slopes by maximum likelihood, the floor held."""
    scale = 1 - n_classes * floor

    def loss(theta: Floats) -> tuple[float, Floats]:
        share, slopes = expit(theta[0]), np.exp(theta[3:])
        curves = expit(theta[1:3, None] + slopes[:, None] * log_odds)
        chance = np.clip(floor + scale * (share * curves[0] + (1 - share) * curves[1]), 1e-12, 1 - 1e-12)
        pull = np.where(given, 1 / chance, -1 / (1 - chance)) * scale / len(given)
        bend = curves * (1 - curves) * np.array([[share], [1 - share]])
        slant = (bend * log_odds) @ pull * slopes
        gradient = np.r_[share * (1 - share) * (pull @ (curves[0] - curves[1])), bend @ pull, slant]
        return float(-np.log(np.where(given, chance, 1 - chance)).mean()), -gradient

    bounds = [(-3, 6), (-6, 6), (-6, 6), (-4, 2), (-4, 2)]
    found = minimize(loss, np.array([2.0, 0, 0, 0, -2]), jac=True, method="L-BFGS-B", bounds=bounds).x
    share = float(expit(found[0]))
    slopes = float(np.exp(found[3])), float(np.exp(found[4]))
    return (share, 1 - share), (float(found[1]), float(found[2])), slopes


def _log_odds(probabilities: Floats) -> Floats:
    return np.asarray(logit(np.clip(probabilities, 1e-12, 1 - 1e-12)))
