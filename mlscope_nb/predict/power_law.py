"""Power law: a curve of scores against numbers of units, carried on beyond the last one, with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlscope_nb.features.scaling import Floats

EXPONENTS = np.geomspace(0.25, 2.0, 16)
"""How fast a score nears its limit."""
USUAL, SPREAD = np.sqrt(0.5), 0.5
"""Theory has exponents of 0.5 and 1, and measured curves lie around: their logarithms are taken as normal around the
middle of these with this standard deviation. A few noisy points alone would leave anything possible."""
BEND = 0.005
"""How far real curves bend away from one power law, times the square of the doublings up to the largest size: small
studies, in which a class stands in one or two batches, say less about what comes."""
N_DRAWS = 4000
FLOOR = 1e-3
"""Error of a score that rounding leaves even where nothing was drawn."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Scores of smaller studies inside a study, and what they vary by.

    Parameters
    ----------
    sizes : array (S,)
        Units to train on, rising; the last are all that were measured.
    scores : array (S, R)
        One score for each way to deal the units.
    units : array (S, S)
        Covariance of the scores that comes from which units there are: it falls as units are added.
    fixed : array (S, S)
        Covariance that comes from units that stay the same in a larger study: tests that are locked.
    freedom : float
        Degrees of freedom that these covariances were estimated with.
    luck : float
        Variance of the last score that comes from where its units happen to lie, which a larger study does not share.
    """

    sizes: Floats
    scores: Floats
    units: Floats
    fixed: Floats
    freedom: float
    luck: float = 0.0

    @property
    def dealt(self) -> Floats:
        """Variance (S,) of the mean scores over ways to deal the units; none for the whole, dealt in one way only.

        The variance of a part of n among N units goes by 1/n - 1/N, so that all sizes together say how large it is.
        """
        free = np.maximum(1 / self.sizes - 1 / self.sizes[-1], 0.0)
        use = free > 0
        if self.scores.shape[1] < 2 or not use.any():
            return np.zeros(len(self.sizes))
        size = (self.scores[use].var(axis=1, ddof=1) / free[use]).mean()
        return np.asarray(size * free / self.scores.shape[1])

    @property
    def covariance(self) -> Floats:
        """Covariance (S, S) of the mean scores around a power law."""
        bend = BEND * np.log2(self.sizes[-1] / self.sizes) ** 2
        last = np.where(np.arange(len(self.sizes)) == len(self.sizes) - 1, self.luck, 0.0)
        return np.asarray(self.units + self.fixed + np.diag(self.dealt + FLOOR**2 + bend**2 + last))


def foreseen(measured: Measured, ahead: Floats, effective: Floats, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Return curves that agree with the scores, and what studies of the measured and of larger sizes may show.

    The curve is ``limit - b * n ** -c`` for n independent units. Limit and slope are normal given c and n (generalised
    least squares); c is spread by what is usual, and both by how well they fit; falling curves count as flat. A study
    with more units holds those that there are: how far these differ from others of their kind moves its score in part,
    and the others add to its error (universal kriging). Student's t, for the covariance is known from few units.

    Parameters
    ----------
    measured : Measured
        The scores.
    ahead : array (T,)
        Larger sizes to look at.
    effective : array (W, S + T)
        How many independent units the measured and the larger sizes are worth, W equally likely ways.
    seed : int
        Of the draws.

    Returns
    -------
    array (draws, S + T), array (draws, S + T)
        Curves; and scores of studies.

    References
    ----------
    Figueroa et al. 2012, BMC Med Inform Decis Mak 12:8 (inverse power law); Viering & Loog 2022, TPAMI (its shapes);
    Cressie 1993, Statistics for Spatial Data, 3.4 (universal kriging).

    Examples
    --------
    >>> n, none = np.array([10.0, 20, 40, 80]), np.zeros((4, 4))
    >>> exact = Measured(n, np.tile(0.9 - 1.5 / n, (5, 1)).T, none, none, 90)
    >>> curves, _ = foreseen(exact, np.array([160.0]), np.array([[10.0, 20, 40, 80, 160]]))
    >>> bool(abs(np.median(curves[:, -1]) - (0.9 - 1.5 / 160)) < 0.005)
    True
    """
    rng = np.random.default_rng(seed)
    means, covariance = measured.scores.mean(axis=1), measured.covariance
    choices = [(x, c) for x in effective for c in EXPONENTS]
    fits = [_fit(x[: len(means)], means, covariance, c) for x, c in choices]
    usual = np.array([-((np.log(c / USUAL) / SPREAD) ** 2) / 2 for _, c in choices])
    evidence = usual + np.array([f[2] for f in fits])
    chances = np.exp(evidence - evidence.max())
    chosen = rng.choice(len(choices), N_DRAWS, p=chances / chances.sum())
    # The covariance itself is known from so many units only.
    freedom = max(measured.freedom, 1.0)
    wide = np.sqrt(freedom / rng.chisquare(freedom, N_DRAWS))[:, None]
    curves = np.empty((N_DRAWS, effective.shape[1]))
    for k in np.unique(chosen):
        mine = chosen == k
        drawn = rng.multivariate_normal(np.zeros(2), fits[k][1], int(mine.sum()), method="cholesky")
        drawn = fits[k][0] + wide[mine] * drawn
        # More to learn from is no reason to do worse.
        level, rise = drawn[:, :1], np.maximum(drawn[:, 1:], 0.0)
        curves[mine] = level + rise * _shape(choices[k][0], choices[k][0][: len(means)], choices[k][1])
    kept, left = _kept(measured, ahead, covariance)
    own = (means - curves[:, : len(means)]) @ kept.T
    other = wide * rng.standard_normal((N_DRAWS, 1)) * np.sqrt(left)
    return np.clip(curves, 0.0, 1.0), np.clip(curves + own + other, 0.0, 1.0)


def _shape(at: Floats, measured: Floats, c: float) -> Floats:
    """Return the curve that is -1 at the smallest size that was measured and 0 at the largest."""
    first, last = measured[0] ** -c, measured[-1] ** -c
    return np.asarray((last - at**-c) / (first - last))


def _fit(sizes: Floats, means: Floats, covariance: Floats, c: float) -> tuple[Floats, Floats, float]:
    """Return the score at the largest size and the rise up to it, their covariance, and the evidence for c."""
    x = np.column_stack([np.ones(len(sizes)), _shape(sizes, sizes, c)])
    inverse = np.linalg.inv(covariance)
    spread = np.linalg.inv(x.T @ inverse @ x)
    found = spread @ x.T @ inverse @ means
    rest = means - x @ found
    # Flat in the two scores, which mean the same for every c, so that evidence can be compared.
    return found, spread, float(-rest @ inverse @ rest / 2 + np.linalg.slogdet(spread)[1] / 2)


def _kept(measured: Measured, ahead: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Return how much of each score's distance from the curve studies keep (S + T, S), and the variance that is left.

    Of n units the N that there are make N / n: so much of what they share with the measured scores stays.
    """
    share = measured.sizes[-1] / ahead
    later = [s * measured.units[-1] + measured.fixed[-1] for s in share]
    with_measured = np.vstack([measured.units + measured.fixed, *later])
    own = np.concatenate([np.diag(measured.units + measured.fixed), [row[-1] for row in later]])
    kept = np.linalg.solve(covariance, with_measured.T).T
    return kept, np.maximum(own - (kept * with_measured).sum(axis=1), 0.0)
