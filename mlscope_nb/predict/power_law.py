"""Power law: a curve of scores against numbers of units, carried on beyond the last one, with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlscope_nb.features.scaling import Floats

EXPONENTS = np.linspace(0.25, 2.0, 15)
"""How fast a score nears its limit: 0.5 and 1 come from theory, measured curves lie between and around."""
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
        One score for each draw of units.
    pool : float
        Units that were drawn from.
    paired : array (S, S)
        Covariance of the score at each size minus that at the last, from the units tested on.
    tested : float
        Variance of one tested unit's part in the score.
    n_tested : float
        Units tested on.
    """

    sizes: Floats
    scores: Floats
    pool: float
    paired: Floats
    tested: float
    n_tested: float

    @property
    def drawn(self) -> float:
        """Variance of the score that one training unit more or less makes, times their number."""
        free = 1 / self.sizes - 1 / self.pool
        use = free > 1e-9
        if self.scores.shape[1] < 2 or not use.any():
            return 0.0
        return float((self.scores[use].var(axis=1, ddof=1) / free[use]).mean())

    @property
    def covariance(self) -> Floats:
        """Covariance of the mean scores, apart from what all sizes share.

        A subset of n among N units, each adding its part, varies by 1/n - 1/N; nested ones share the larger's part.
        """
        larger = np.maximum.outer(self.sizes, self.sizes)
        train = self.drawn * (1 / larger - 1 / self.pool) / self.scores.shape[1]
        bend = BEND * np.log2(self.sizes[-1] / self.sizes) ** 2
        return np.asarray(train + self.paired + np.diag(FLOOR**2 + bend**2))


def foreseen(measured: Measured, sizes: Floats, *, grows: bool, seed: int = 0) -> tuple[Floats, Floats]:
    """Return curves that agree with the scores, and what a study of each size may show.

    The curve is ``limit - b * n ** -c``. Limit and slope are normal given c (generalised least squares), c is spread by
    how well it fits, falling curves count as flat. To the curve comes what other units would have shown: beyond those
    there are, new training units (and, where the tests grow too, new tested ones) move the score.

    Parameters
    ----------
    measured : Measured
        The scores.
    sizes : array (T,)
        Where to look.
    grows : bool
        Whether a larger study tests on more units too.
    seed : int
        Of the draws.

    Returns
    -------
    array (draws, T), array (draws, T)
        Curves; and curves with what new units add.

    References
    ----------
    Figueroa et al. 2012, BMC Med Inform Decis Mak 12:8 (inverse power law); Viering & Loog 2022, TPAMI (its shapes).

    Examples
    --------
    >>> n = np.array([10.0, 20, 40, 80])
    >>> scores = np.tile(0.9 - 1.5 / n, (5, 1)).T
    >>> exact = Measured(n, scores, 80, np.zeros((4, 4)), 0.0, 96)
    >>> curves, _ = foreseen(exact, np.array([160.0]), grows=True)
    >>> bool(abs(np.median(curves) - (0.9 - 1.5 / 160)) < 0.002)
    True
    """
    rng = np.random.default_rng(seed)
    means, covariance = measured.scores.mean(axis=1), measured.covariance
    fits = [_fit(measured.sizes, means, covariance, c) for c in EXPONENTS]
    evidence = np.array([f[2] for f in fits])
    chances = np.exp(evidence - evidence.max())
    chosen = rng.choice(len(EXPONENTS), N_DRAWS, p=chances / chances.sum())
    curves = np.empty((N_DRAWS, len(sizes)))
    for k in np.unique(chosen):
        mine = chosen == k
        drawn = rng.multivariate_normal(fits[k][0], fits[k][1], int(mine.sum()), method="cholesky")
        # More to learn from is no reason to do worse.
        level, rise = drawn[:, 0], np.maximum(drawn[:, 1], 0.0)
        curves[mine] = level[:, None] + rise[:, None] * _shape(sizes, measured.sizes, EXPONENTS[k])
    curves = np.clip(curves, 0.0, 1.0)
    return curves, np.clip(curves + _other_units(measured, sizes, grows, rng), 0.0, 1.0)


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


def _other_units(measured: Measured, sizes: Floats, grows: bool, rng: np.random.Generator) -> Floats:
    """Return how far units that are not there yet may move the score, (draws, T)."""
    beyond = np.maximum(1 / measured.pool - 1 / sizes, 0.0)
    free = max(measured.scores.shape[1] - 1, 0) * len(measured.sizes) / 2
    # The variance between draws is itself known from a few draws only; sizes share about half of their units.
    wide = free / rng.chisquare(free, N_DRAWS) if free >= 1 else np.ones(N_DRAWS)
    variance = measured.drawn * np.outer(wide, beyond)
    if grows:
        variance = variance + measured.tested * beyond * measured.pool / measured.n_tested
    return np.asarray(np.sqrt(variance) * rng.standard_normal((N_DRAWS, 1)))
