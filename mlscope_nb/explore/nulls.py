"""Cells as they would be if they were one group: unimodal, with the marginals and the covariance of the real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BODY_STEPS = 128
"""Steps of a fitted marginal between its tails; in the tails every power of two of cells is a step."""
PER_STEP = 8
"""Cells that a step holds at least: fewer, and the fit would follow chance."""
MODE_STEP = 8
"""The mode is searched in steps of so many, then around the best of them."""
DISCRETE = 0.2
"""A feature with fewer different values than this share of its cells is counted, not measured."""
N_HERMITE = 16


def copula_null(values: NDArray[Any], seed: int = 0, *, n: int | None = None) -> Floats:
    """Draw cells of one group whose features have the marginals and the covariance of these.

    A Gaussian copula: correlated normal numbers, each column turned into its marginal. Columns that are shuffled would
    lose the covariance, which alone makes a map look grouped. Marginals are made unimodal, because a column with two
    peaks would carry the groups into the null: such a column gets the nearest distribution with one peak (the one of
    the dip test: a density that rises up to the mode and falls after it), stretched to the mean and deviation of the
    column. A column whose peaks are no more than chance (5 %) stays as it is, its tails too. Counted features (few
    different values) keep the values that occur, with one peak among their frequencies.

    Parameters
    ----------
    values : array (N, P)
        Numbers of the cells, none missing, in any scale.
    seed : int
        Same seed, same null.
    n : int, optional
        How many cells to draw; as many as there are by default.

    Returns
    -------
    array (n, P)
        The null.

    Raises
    ------
    ValueError
        Not a table of numbers, fewer than three cells, or a value is missing or infinite.

    References
    ----------
    Hartigan & Hartigan (1985) Annals of Statistics 13:70, for the nearest unimodal distribution; Cario & Nelson (1997)
    "Modeling and generating random vectors with arbitrary marginal distributions", for the correlations of the normal
    numbers that give those of the columns.

    Examples
    --------
    >>> two = np.random.default_rng(0).normal(size=(400, 2)) + np.repeat([[0.0], [9.0]], 200, axis=0)
    >>> null = copula_null(two)
    >>> between = [np.mean((x[:, 0] > 3.5) & (x[:, 0] < 5.5)) for x in (two, null)]
    >>> bool(between[0] < 0.01), bool(between[1] > 0.05)
    (True, True)
    """
    return CopulaNull(values).draw(seed, n)


class CopulaNull:
    """The null of some cells, fitted once and drawn as often as wanted; see `copula_null`.

    Parameters
    ----------
    values : array (N, P)
        Numbers of the cells, none missing.
    one_peak : bool
        Give every column the fit with one peak, also where its peaks may be chance: for tests, whose null must not
        hold what they look for.
    limit : float
        Numbers beyond plus or minus this are drawn as the limit itself. How they lie beyond it still says whether they
        are a long tail or a peak of their own: cut first, every long tail would end in a peak.
    """

    def __init__(self, values: NDArray[Any], *, one_peak: bool = False, limit: float = np.inf) -> None:
        values = _checked(values)
        self.n, self.n_columns = values.shape
        self.varies = np.ptp(values, axis=0) > 1e-12 * np.maximum(np.abs(values).max(axis=0), 1e-300)
        self.constants: Floats = np.clip(values[0], -limit, limit)
        used = values[:, self.varies]
        self.marginals = [Marginal(column, one_peak=one_peak, limit=limit) for column in used.T]
        self.root = _root(np.clip(used, -limit, limit), self.marginals)

    def draw(self, seed: int = 0, n: int | None = None) -> Floats:
        """Return cells (n, P) of the null."""
        from scipy.special import ndtr

        n = self.n if n is None else n
        drawn = np.tile(self.constants, (n, 1))
        if self.marginals:
            normal = np.random.default_rng(seed).standard_normal((n, self.root.shape[1])) @ self.root.T
            share = ndtr(normal)
            columns = [marginal.at(share[:, i]) for i, marginal in enumerate(self.marginals)]
            drawn[:, self.varies] = np.column_stack(columns)
        return drawn


class Marginal:
    """A column's own distribution if that has one peak; else the nearest one with one peak, mean and deviation kept.

    Parameters
    ----------
    column : array (N,)
        Numbers that vary.
    one_peak : bool
        Fit in any case.
    limit : float
        Quantiles beyond plus or minus this are the limit.
    """

    def __init__(self, column: Floats, *, one_peak: bool = False, limit: float = np.inf) -> None:
        ordered = _drawn_in(np.sort(column), limit)
        self.limit = limit
        chance = 0.0 if one_peak else _by_chance(len(ordered))
        self.values = _counted(ordered)
        if self.values is not None:
            seen = np.searchsorted(ordered, self.values, side="right") / len(ordered)
            steps = np.arange(len(seen) + 1, dtype=np.float64)
            fitted, away = _one_peak(steps, np.concatenate([[0.0], seen]), chance)
            self.places, self.share = self.values, fitted[1:] if away > chance else seen
            return
        places, share = _steps(ordered)
        fitted, away = _one_peak(places, share, chance)
        if away > chance:
            self.places, self.share = _stretched(places, fitted, ordered, limit), fitted
        else:
            self.places, self.share = ordered, np.linspace(0.0, 1.0, len(ordered))

    def at(self, share: Floats) -> Floats:
        """Return the quantiles of these shares (0 to 1)."""
        if self.values is not None:
            rows = np.searchsorted(self.share, share, side="left")
            found: Floats = self.values[np.minimum(rows, len(self.values) - 1)]
        else:
            found = np.interp(share, self.share, self.places)
        return np.clip(found, -self.limit, self.limit)


def _by_chance(n: int) -> float:
    """Return how far the distribution of `n` draws from one peak may be from its fit, at 5 %."""
    # The dip of n uniform numbers is below 0.47/sqrt(n) in 95 of 100 cases (Hartigan & Hartigan 1985), and the dip
    # is half of the distance to a fit that lies on one side of the distribution function, as ours does.
    return 2 * 0.47 / float(np.sqrt(n))


def _steps(ordered: Floats) -> tuple[Floats, Floats]:
    """Return the places and cumulated shares between which a marginal is fitted."""
    share = _shares(len(ordered))
    places, first = np.unique(np.quantile(ordered, share), return_index=True)
    last = np.append(first[1:] - 1, len(share) - 1)  # at equal places the last share counts: so many are at or below
    share = share[last]
    share[0] = 0.0
    return places, share


def _drawn_in(ordered: Floats, limit: float) -> Floats:
    """Return numbers whose distances beyond a limit are logarithms: a tail that falls stays one, a far peak a peak."""
    beyond = np.abs(ordered) - limit
    far = beyond > 0
    drawn = ordered.copy()
    drawn[far] = np.sign(ordered[far]) * (limit + np.log1p(beyond[far]))
    return drawn


def _stretched(places: Floats, share: Floats, ordered: Floats, limit: float) -> Floats:
    """Return the places moved and stretched so that, within the limit, mean and deviation are those of the column."""
    bounded = np.clip(places, -limit, limit)
    middle, width, mass = (bounded[1:] + bounded[:-1]) / 2, np.diff(bounded), np.diff(share)
    mean = float(mass @ middle)
    spread = float(np.sqrt(mass @ ((middle - mean) ** 2 + width**2 / 12)))
    within = np.clip(ordered, -limit, limit)
    moved: Floats = within.mean() + (places - mean) * (within.std() / spread)
    return moved


def _checked(values: NDArray[Any]) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 2 or len(numbers) < 3:
        raise ValueError(f"values has shape {numbers.shape}, expected (cells, features) with at least 3 cells.")
    missing = int((~np.isfinite(numbers)).sum())
    if missing:
        raise ValueError(
            f"{missing:,} of {numbers.size:,} values are missing or infinite; a null is made of complete numbers. "
            "Fill the gaps first, as in values.fillna(values.median())."
        )
    return numbers


def _shares(n: int) -> Floats:
    """Return where a marginal is fitted: even steps in the body, finer and finer ones in the tails."""
    steps = int(np.clip(n // PER_STEP, 2, BODY_STEPS))
    body = np.arange(1, steps) / steps
    tail = 2.0 ** np.arange(0, 40) / (n - 1)
    tail = tail[tail < 1 / steps]
    return np.concatenate([[0.0], tail, body, 1 - tail[::-1], [1.0]])


def _one_peak(places: Floats, share: Floats, enough: float) -> tuple[Floats, float]:
    """Return the distribution function with one peak that is nearest to this one (or near enough), and how far."""
    width, mass = np.diff(places), np.diff(share)
    coarse = range(0, len(places), MODE_STEP)
    found = {mode: _with_mode(mode, width, mass) for mode in coarse}
    best = min(found, key=lambda mode: found[mode][1])
    if found[best][1] <= enough:
        return found[best]
    for mode in range(max(best - MODE_STEP + 1, 0), min(best + MODE_STEP, len(places))):
        found.setdefault(mode, _with_mode(mode, width, mass))
    return min(found.values(), key=lambda fit: fit[1])


def _with_mode(mode: int, width: Floats, mass: Floats) -> tuple[Floats, float]:
    """Return the nearest distribution function that rises ever more up to a place and ever less after it."""
    density = mass / width
    parts = [_monotone(density[:mode], width[:mode], True), _monotone(density[mode:], width[mode:], False)]
    fitted = np.concatenate([[0.0], np.cumsum(np.concatenate(parts) * width)])
    return fitted / fitted[-1], float(np.abs(fitted[1:] - np.cumsum(mass)).max())


def _monotone(density: Floats, width: Floats, rising: bool) -> Floats:
    from scipy.optimize import isotonic_regression

    if not len(density):
        return density
    fitted: Floats = isotonic_regression(density, weights=width, increasing=rising).x
    return fitted


def _counted(ordered: Floats) -> Floats | None:
    """Return the different values of a counted feature; None for a measured one."""
    values = np.unique(ordered)
    return values if len(values) < DISCRETE * len(ordered) else None


def _root(values: Floats, marginals: list[Marginal]) -> Floats:
    """Return the matrix that gives normal numbers the correlations from which the columns get theirs."""
    if not marginals:
        return np.zeros((0, 0))
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    wanted = np.clip(standard.T @ standard / len(values), -1.0, 1.0)
    latent = _latent(wanted, np.array([_hermite(marginal) for marginal in marginals]))
    power, direction = np.linalg.eigh((latent + latent.T) / 2)
    kept = power > 1e-10 * power[-1]
    direction = direction[:, kept]
    # The symmetric root: where columns do not correlate, directions are a matter of rounding, and the root is not.
    root = (direction * np.sqrt(power[kept])) @ direction.T
    # Negative powers are left out (the nearest correlation matrix would cost more and change as little).
    scaled: Floats = root / np.linalg.norm(root, axis=1, keepdims=True)
    return scaled


def _hermite(marginal: Marginal) -> Floats:
    """Return the first coefficients of a standardised marginal in normalised Hermite polynomials of a normal number."""
    from scipy.special import ndtri

    share = (np.arange(2048) + 0.5) / 2048
    z = ndtri(share)
    x = marginal.at(share)
    spread = x.std()
    x = (x - x.mean()) / (spread if spread > 0 else 1.0)
    terms = [np.ones_like(z), z]
    for k in range(2, N_HERMITE + 1):
        terms.append((z * terms[-1] - np.sqrt(k - 1) * terms[-2]) / np.sqrt(k))
    found = np.array([(x * term).mean() for term in terms[1:]])
    # What the polynomials leave of the variance is given to the last: then correlations of 1 stay 1.
    found[-1] = np.sqrt(max(found[-1] ** 2 + 1 - float(found @ found), 0.0))
    scaled: Floats = found / np.linalg.norm(found)
    return scaled


def _latent(wanted: Floats, hermite: Floats) -> Floats:
    """Return the correlations of normal numbers for which the columns correlate as wanted, by bisection."""
    low, high = np.full_like(wanted, -1.0), np.ones_like(wanted)
    for _ in range(30):
        middle = (low + high) / 2
        reached = np.zeros_like(wanted)
        for k in range(hermite.shape[1] - 1, -1, -1):
            reached = (reached + hermite[:, k][:, None] * hermite[:, k]) * middle
        below = reached < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    latent = (low + high) / 2
    np.fill_diagonal(latent, 1.0)
    return latent
