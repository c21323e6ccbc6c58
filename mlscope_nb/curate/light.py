"""Light: one smooth flat field and one dark level that explain many fields at once.

Each field is ``dark + flat * light``. Two things in it know the flat field, and both are used, each with the weight
that its own scatter between fields gives it:

* the background of a field is one level times the flat field, plus the dark level: very precise in shape, but it
  cannot tell a dark level from light;
* objects stand above their background by their own brightness times the flat field, and the dark level cancels:
  noisy, for no two objects are alike.

Where all fields have one background, its dark level is told by the objects and by photon noise, which vanishes with
the light (`mlscope_nb.curate.shot_noise`); what both leave open is decided so that the flat field suffers least.

The flat field is ``exp`` of a polynomial; Gauss-Newton steps with weights that fall to zero away from the background,
so that cells, debris and saturated places do not count as background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlscope_nb.curate.light_evidence import by_noise, from_background, from_objects
from mlscope_nb.curate.light_state import DEGREE, Floats, LightState, legendre_table, norm, orders
from mlscope_nb.curate.tiles import Tiles

_ITERATIONS, _SETTLE, _WITH_DARK = 40, 3, 6
_WIDE = (0.2, 0.1, 0.05)  # of the background: how far from it the first looks reach
_PRIOR_LIGHT = 0.3  # a vignette of 30 %; each further degree of the polynomial is expected to be half as strong
_PRIOR_DARK = 0.03  # of the full scale: cameras sit a little above zero
_GRID = 1000
_NO_BACKGROUND = 0.08  # scatter of the "background", as a share of its level and of the contrast of a field


@dataclass(frozen=True)
class Light:
    """What was found in one channel: log of the flat field as a polynomial, and the dark level.

    Parameters
    ----------
    terms : array (terms,)
        Coefficients of products of Legendre polynomials, of total degree 1 to `DEGREE`.
    dark : float
        Grey value without light.
    dark_error : float
        Standard error of the dark level; 0 where it was given, NaN where it could not be told.
    background : bool
        True when the fields have a background between their cells.
    """

    terms: Floats
    dark: float
    dark_error: float
    background: bool

    def flat(self, shape: tuple[int, int]) -> Floats:
        """Return the flat field (Y, X), mean 1."""
        table = np.zeros((DEGREE + 1, DEGREE + 1))
        for (i, j), value in zip(orders(), self.terms, strict=True):
            table[i, j] = value * norm(i, j)
        found: Floats = np.exp(legendre_table(shape[0]) @ table @ legendre_table(shape[1]).T)
        return found / found.mean()


def fit_light(tiles: Tiles, dark: float | None = None) -> Light:
    """Fit flat field and dark level to many fields of one channel.

    Parameters
    ----------
    tiles : Tiles
        Two or more fields.
    dark : float, optional
        The dark level where it is known.

    References
    ----------
    The model is that of BaSiC (Peng et al. 2017, Nat Commun 8:14836); the fit is our own.

    Examples
    --------
    >>> light = 1 + 0.2 * np.linspace(-1, 1, 32)[:, None] * np.ones(32)
    >>> values = np.random.default_rng(0).normal(100 * light, 1, (9, 32, 32))
    >>> found = fit_light(Tiles(values, np.ones(values.shape, bool), 255, 0), dark=0)
    >>> bool(abs(found.flat((32, 32)) - light).max() < 0.01)
    True
    """
    state = _start(tiles, dark)
    for k in range(_ITERATIONS):
        if k == _WITH_DARK and not _has_background(state):
            state = replace(state, background=False, dark=state.lowest if dark is None else dark)
        state, moved = _step(state, k, free=dark is None)
        if k > _WITH_DARK + 1 and moved < 1e-5:
            break
    return Light(state.terms, float(state.dark), state.dark_error if dark is None else 0.0, state.background)


def _start(tiles: Tiles, dark: float | None) -> LightState:
    n, ny, nx = tiles.values.shape
    z, valid = tiles.values.reshape(n, -1), tiles.valid.reshape(n, -1)
    down, across = legendre_table(ny), legendre_table(nx)
    phi = np.column_stack([norm(i, j) * np.outer(down[:, i], across[:, j]).ravel() for i, j in orders()])
    degree = np.array([i + j for i, j in orders()])
    seen = [row[ok] if ok.any() else row for row, ok in zip(z, valid, strict=True)]
    ends = np.array([np.percentile(row, [5, 95]) for row in seen])
    mode = np.array([_mode(row) for row in seen])
    start = tiles.lowest if dark is None else dark
    return LightState(
        shape=(ny, nx),
        z=z,
        valid=valid,
        phi=phi,
        prior=(_PRIOR_LIGHT * 0.5 ** np.maximum(degree - 2, 0)) ** -2,
        lowest=tiles.lowest,
        prior_dark=(_PRIOR_DARK * max(tiles.full_scale - tiles.lowest, 1e-100)) ** -2,
        spread=np.maximum(ends[:, 1] - ends[:, 0], 1e-9 * max(tiles.full_scale, 1e-100)),
        # the objects lie on the side on which a field reaches further from its most frequent value
        polarity=1.0 if np.median(ends[:, 1] + ends[:, 0] - 2 * mode) >= 0 else -1.0,
        terms=np.zeros(phi.shape[1]),
        level=np.maximum(mode - start, 0.0),
        dark=start,
        grain=None if tiles.grain is None else tiles.grain.reshape(n, -1),
        whole=tiles.whole,
    )


def _step(state: LightState, k: int, *, free: bool) -> tuple[LightState, float]:
    """Return the state after one Gauss-Newton step, and how far it moved."""
    light = state.light
    rest = state.z - state.dark - state.level[:, None] * light if state.background else state.z - state.dark
    noise = _noise(state, rest, k)
    free = free and state.background and k >= _WITH_DARK
    if free and k == _WITH_DARK:
        state = replace(state, by_noise=by_noise(state, rest, light, noise))
    parts = []
    if state.background:
        parts.append(from_background(state, rest, light, noise, settled=k > _SETTLE, free=free))
    if k >= _SETTLE:
        follow = parts[0].follow if parts else np.zeros(len(state.terms))
        parts.append(from_objects(state, rest, light, noise, follow))
    matrix, vector = _prior(state)
    for part in parts:
        matrix, vector = matrix + part.matrix, vector + part.vector
    by_terms, by_dark, error = _solve(matrix, vector, state, free=free)
    new = replace(state, terms=state.terms + by_terms, dark=state.dark + by_dark, dark_error=error, noise=noise)
    if state.background:
        found = parts[0]
        moved = (found.pull - found.on_terms @ by_terms - found.on_dark * by_dark) / found.weight
        new = replace(new, level=np.maximum(state.level + moved, 0.0))
    return new, float(np.abs(by_terms).max() + abs(by_dark) / float(np.median(state.spread)))


def _prior(state: LightState) -> tuple[Floats, Floats]:
    """Return the normal equations of what is known beforehand, and of the dark level from noise."""
    matrix = np.diag(np.append(state.prior, state.prior_dark))
    vector = -np.append(state.prior * state.terms, state.prior_dark * (state.dark - state.lowest))
    if state.by_noise is not None:
        told, error = state.by_noise
        matrix[-1, -1] += error**-2
        vector[-1] += (told - state.dark) / error**2
    return matrix, vector


def _solve(matrix: Floats, vector: Floats, state: LightState, *, free: bool) -> tuple[Floats, float, float]:
    """Return the step of the terms and of the dark level, and the standard error of the latter."""
    by_dark, error = 0.0, np.nan
    if free:
        scale = 1 / np.sqrt(np.diag(matrix))
        inverse = np.linalg.pinv(matrix * np.outer(scale, scale), hermitian=True)
        highest = max(float(np.median(state.level)) + state.dark, state.lowest)
        likeliest = state.dark + float(scale[-1] * (inverse[-1] @ (vector * scale)))
        error = float(scale[-1] * np.sqrt(max(inverse[-1, -1], 0.0)))
        wanted, error = _least_harm(likeliest, error, state.lowest, highest)
        by_dark = wanted - state.dark
    by_terms = np.linalg.solve(matrix[:-1, :-1], vector[:-1] - matrix[:-1, -1] * by_dark)
    return by_terms, by_dark, error


def _least_harm(likeliest: float, error: float, lowest: float, highest: float) -> tuple[float, float]:
    """Return the dark level whose expected squared relative error of the flat field is least, and its error.

    The background's share of light is ``x = highest - dark``, somewhere from 0 to all of it; taking it for ``k`` makes
    the flat field wrong by ``x / k - 1``. The least squared error is at ``mean(x²) / mean(x)``: the less is known, the
    lower the dark level, for one too high does more harm than one too low.
    """
    if highest <= lowest or error <= 0:
        return float(np.clip(likeliest, lowest, highest)), error
    x = (np.arange(_GRID) + 0.5) / _GRID * (highest - lowest)
    away = (x - (highest - likeliest)) / max(error, (highest - lowest) / _GRID)
    chance = np.exp(-0.5 * (away**2 - np.min(away**2)))
    chance /= chance.sum()
    light = float(chance @ x**2 / (chance @ x))
    return highest - light, float(np.sqrt(chance @ (x - light) ** 2))


def _noise(state: LightState, rest: Floats, k: int) -> Floats:
    """Return the scatter of each field's background, from the side away from the objects."""
    away = np.where((rest * state.polarity < 0) & state.valid, np.abs(rest), np.nan)
    away[np.isnan(away).all(axis=1), 0] = 0.0
    found: Floats = np.maximum(1.4826 * np.nanmedian(away, axis=1), 1e-4 * state.spread)
    return np.maximum(found, _WIDE[k] * state.level) if k < _SETTLE else found


def _has_background(state: LightState) -> bool:
    if state.noise is None:
        return True
    among = np.maximum(state.spread, state.level)
    return float(np.median(state.noise / among)) < _NO_BACKGROUND


def _mode(values: Floats) -> float:
    """Return the half-sample mode: where values lie densest."""
    x = np.sort(values)
    while len(x) > 3:
        half = len(x) // 2 + len(x) % 2
        narrowest = int(np.argmin(x[half - 1 :] - x[: len(x) - half + 1]))
        x = x[narrowest : narrowest + half]
    return float(x.mean())
