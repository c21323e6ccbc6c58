"""Light: one smooth flat field and one dark level that explain many fields at once.

Each field is ``dark + flat * light``. Two things in it know the flat field, and both are used, each with the weight
that its own scatter between fields gives it:

* the background of a field is one level times the flat field, plus the dark level: very precise in shape, but it
  cannot tell a dark level from light;
* objects stand above their background by their own brightness times the flat field, and the dark level cancels:
  noisy, for no two objects are alike, but with it (or with fields of different background) the dark level is found.

The flat field is ``exp`` of a polynomial; Gauss-Newton steps with weights that fall to zero away from the background,
so that cells, debris and saturated places do not count as background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre

from mlscope_nb.curate.tiles import Tiles

Floats = np.ndarray

DEGREE = 6
_ITERATIONS, _SETTLE, _WITH_DARK, _SWEEPS = 40, 3, 6, 6
_WIDE = (0.2, 0.1, 0.05)  # of the background: how far from it the first looks reach
_REACH = 4.0  # standard deviations at which a tile stops being background
_ABOVE = 6.0  # standard deviations at which it is surely an object
_INSIDE = 0.3  # of the bright objects of a field: well inside, not the blurred rim
_FEWEST_TILES = 20  # of objects, for a field to speak of them
_PRIOR_LIGHT = 0.3  # a vignette of 30 %; each further degree of the polynomial is expected to be half as strong
_PRIOR_DARK = 0.03  # of the full scale: cameras sit a little above zero
_NO_BACKGROUND = 0.08  # scatter of the "background", as a share of its level and of the contrast of a field
_TINY = 1e-300


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
        for (i, j), value in zip(_orders(), self.terms, strict=True):
            table[i, j] = value * _norm(i, j)
        found: Floats = np.exp(_legendre(shape[0]) @ table @ _legendre(shape[1]).T)
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


@dataclass(frozen=True)
class _State:
    """Everything that a step starts from; arrays of tiles are (N, P)."""

    z: Floats
    valid: Floats
    phi: Floats
    prior: Floats
    lowest: float
    prior_dark: float
    spread: Floats
    polarity: float
    terms: Floats
    level: Floats
    dark: float
    dark_error: float = np.nan
    background: bool = True
    noise: Floats | None = None

    @property
    def light(self) -> Floats:
        light: Floats = np.exp(self.phi @ self.terms)
        return light / light.mean()


class _Evidence(NamedTuple):
    """Normal equations of terms and dark level once the level of each field is eliminated, and the way back to it."""

    matrix: Floats
    vector: Floats
    on_terms: Floats
    on_dark: Floats
    weight: Floats
    pull: Floats


def _start(tiles: Tiles, dark: float | None) -> _State:
    n, ny, nx = tiles.values.shape
    z, valid = tiles.values.reshape(n, -1), tiles.valid.reshape(n, -1)
    down, across = _legendre(ny), _legendre(nx)
    phi = np.column_stack([_norm(i, j) * np.outer(down[:, i], across[:, j]).ravel() for i, j in _orders()])
    degree = np.array([i + j for i, j in _orders()])
    seen = [row[ok] if ok.any() else row for row, ok in zip(z, valid, strict=True)]
    ends = np.array([np.percentile(row, [5, 95]) for row in seen])
    mode = np.array([_mode(row) for row in seen])
    start = tiles.lowest if dark is None else dark
    return _State(
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
    )


def _step(state: _State, k: int, *, free: bool) -> tuple[_State, float]:
    """Return the state after one Gauss-Newton step, and how far it moved."""
    light = state.light
    rest = state.z - state.dark - state.level[:, None] * light if state.background else state.z - state.dark
    noise = _noise(state, rest, k)
    parts = []
    if state.background:
        parts.append(_from_background(state, rest, light, noise, settled=k > _SETTLE, free=free and k >= _WITH_DARK))
    if k >= _SETTLE:
        parts.append(_from_objects(state, rest, light, noise))
    matrix = np.diag(np.append(state.prior, state.prior_dark))
    vector = -np.append(state.prior * state.terms, state.prior_dark * (state.dark - state.lowest))
    for part in parts:
        matrix, vector = matrix + part.matrix, vector + part.vector
    free = free and state.background and k >= _WITH_DARK
    by_terms, by_dark, error = _solve(matrix, vector, state, free=free)
    new = replace(state, terms=state.terms + by_terms, dark=state.dark + by_dark, dark_error=error, noise=noise)
    if state.background:
        found = parts[0]
        moved = (found.pull - found.on_terms @ by_terms - found.on_dark * by_dark) / found.weight
        new = replace(new, level=np.maximum(state.level + moved, 0.0))
    return new, float(np.abs(by_terms).max() + abs(by_dark) / float(np.median(state.spread)))


def _solve(matrix: Floats, vector: Floats, state: _State, *, free: bool) -> tuple[Floats, float, float]:
    """Return the step of the terms and of the dark level, and the standard error of the latter."""
    by_dark, error = 0.0, np.nan
    if free:
        scale = 1 / np.sqrt(np.diag(matrix))
        inverse = np.linalg.pinv(matrix * np.outer(scale, scale), hermitian=True)
        highest = max(float(np.median(state.level)) + state.dark, state.lowest)
        wanted = state.dark + float(scale[-1] * (inverse[-1] @ (vector * scale)))
        by_dark = float(np.clip(wanted, state.lowest, highest)) - state.dark
        error = float(scale[-1] * np.sqrt(max(inverse[-1, -1], 0.0)))
    by_terms = np.linalg.solve(matrix[:-1, :-1], vector[:-1] - matrix[:-1, -1] * by_dark)
    return by_terms, by_dark, error


def _noise(state: _State, rest: Floats, k: int) -> Floats:
    """Return the scatter of each field's background, from the side away from the objects."""
    away = np.where((rest * state.polarity < 0) & state.valid, np.abs(rest), np.nan)
    away[np.isnan(away).all(axis=1), 0] = 0.0
    found: Floats = np.maximum(1.4826 * np.nanmedian(away, axis=1), 1e-4 * state.spread)
    return np.maximum(found, _WIDE[k] * state.level) if k < _SETTLE else found


def _has_background(state: _State) -> bool:
    if state.noise is None:
        return True
    among = np.maximum(state.spread, state.level)
    return float(np.median(state.noise / among)) < _NO_BACKGROUND


def _from_background(
    state: _State, rest: Floats, light: Floats, noise: Floats, *, settled: bool, free: bool
) -> _Evidence:
    away = rest / (noise[:, None] * np.sqrt(light))
    near = np.where(state.valid, np.clip(1 - (away / _REACH) ** 2, 0, None) ** 2, 0)
    weight = near / (noise[:, None] ** 2 * light)
    level, phi = state.level, state.phi
    levelled = weight * level[:, None]
    on_terms, on_dark = (levelled * light**2) @ phi, weight @ light
    own, pull = np.maximum(weight @ light**2, _TINY), (weight * rest) @ light
    together = (phi * (light**2 * (levelled.T @ level))[:, None]).T @ phi
    matrix, vector = np.zeros((phi.shape[1] + 1,) * 2), np.zeros(phi.shape[1] + 1)
    matrix[:-1, :-1] = together - on_terms.T @ (on_terms / own[:, None])
    vector[:-1] = phi.T @ (light * (levelled * rest).sum(axis=0)) - on_terms.T @ (pull / own)
    scores = ((weight * rest * light) @ phi) * level[:, None] - on_terms * (pull / own)[:, None]
    inflated = _clustering(matrix[:-1, :-1], scores) if settled else 1.0
    along = phi.T @ (light * levelled.sum(axis=0)) - on_terms.T @ (on_dark / own)
    follow = np.linalg.pinv(matrix[:-1, :-1], hermitian=True) @ along
    known, score = _dark_from_levels(weight, rest, light, level) if free else (0.0, 0.0)
    matrix[-1, :-1] = matrix[:-1, -1] = along
    matrix[-1, -1] = along @ follow + known * inflated
    vector[-1] = follow @ vector[:-1] + score * inflated
    return _Evidence(matrix / inflated, vector / inflated, on_terms, on_dark, own, pull)


def _dark_from_levels(weight: Floats, rest: Floats, light: Floats, level: Floats) -> tuple[float, float]:
    """Return what fields of different background say of the dark level: how much, and in which direction.

    Where all fields have the same background, light and dark level cannot be told apart, however good the fit of a
    polynomial seems. So the light is left free here, tile by tile, and only what is left then counts.
    """
    by_light = weight * light**2
    unlike = np.broadcast_to(1 / light, weight.shape).copy()
    tile, field = np.maximum(level**2 @ by_light, _TINY), np.maximum(by_light.sum(axis=1), _TINY)
    for _ in range(_SWEEPS):
        unlike -= np.outer(level, np.einsum("nt,nt,n->t", by_light, unlike, level) / tile)
        unlike -= (np.einsum("nt,nt->n", by_light, unlike) / field)[:, None]
    scores = np.einsum("nt,nt,nt->n", weight * light, unlike, rest)
    known = float(np.einsum("nt,nt,nt->", by_light, unlike, unlike))
    around = float(((scores - scores.mean()) ** 2).sum())
    inflated = max(1.0, around / known) if known > 0 else 1.0
    return known / inflated, float(scores.sum()) / inflated


def _from_objects(state: _State, rest: Floats, light: Floats, noise: Floats) -> _Evidence:
    """Compare the log of how far objects stand out with the log of the light, each field around its own mean."""
    size = state.phi.shape[1] + 1
    empty = _Evidence(np.zeros((size, size)), np.zeros(size), *[np.zeros(0)] * 4)
    bright, height = _objects(state, rest, light, noise)
    if bright.any(axis=1).sum() < 2:
        return empty
    log = np.log(np.where(bright, height, 1.0))
    middle = [np.median(row[ok]) if ok.any() else 0.0 for row, ok in zip(log, bright, strict=True)]
    log = log - np.array(middle)[:, None]
    scatter = max(1.4826 * float(np.median(np.abs(log[bright]))), 1e-6)
    for _ in range(2):
        weight = np.where(bright, 1 / np.maximum(1, np.abs(log) / (1.5 * scatter)), 0)
        log = log - ((weight * log).sum(axis=1) / np.maximum(weight.sum(axis=1), _TINY))[:, None]
    weight /= max(float((weight * log**2).sum() / weight.sum()), 1e-12)
    sums, own = weight @ state.phi, np.maximum(weight.sum(axis=1), _TINY)[:, None]
    matrix, vector = np.zeros_like(empty.matrix), np.zeros_like(empty.vector)
    matrix[:-1, :-1] = (state.phi * weight.sum(axis=0)[:, None]).T @ state.phi - sums.T @ (sums / own)
    scores = (weight * log) @ state.phi
    vector[:-1] = scores.sum(axis=0)
    inflated = _clustering(matrix[:-1, :-1], scores)
    return empty._replace(matrix=matrix / inflated, vector=vector / inflated)


def _objects(state: _State, rest: Floats, light: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Return which tiles lie inside objects, and how far these stand out where the light is 1."""
    if not state.background:
        height = rest / light
        return state.valid & (height > 0), height
    height = rest * state.polarity / light
    # Where much is saturated, what is left of the bright objects is their dim part.
    usable = state.valid & ((~state.valid).mean(axis=1) < 1e-3)[:, None]
    surely = usable & (height > _ABOVE * noise[:, None])
    typical = [np.percentile(row[ok], 90) if ok.any() else np.inf for row, ok in zip(height, surely, strict=True)]
    inside = surely & (height > _INSIDE * np.array(typical)[:, None])
    return inside & (inside.sum(axis=1) >= _FEWEST_TILES)[:, None], height


def _clustering(matrix: Floats, scores: Floats) -> float:
    """Return by how much the scatter between fields exceeds that of independent tiles (a design effect)."""
    around = scores - scores.mean(axis=0)
    between = around.T @ around * (len(scores) / max(len(scores) - 1, 1))
    return max(1.0, float(np.trace(np.linalg.pinv(matrix, hermitian=True) @ between)) / len(matrix))


def _mode(values: Floats) -> float:
    """Return the half-sample mode: where values lie densest."""
    x = np.sort(values)
    while len(x) > 3:
        half = len(x) // 2 + len(x) % 2
        narrowest = int(np.argmin(x[half - 1 :] - x[: len(x) - half + 1]))
        x = x[narrowest : narrowest + half]
    return float(x.mean())


def _orders() -> list[tuple[int, int]]:
    return [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i) if i + j]


def _norm(i: int, j: int) -> float:
    return float(np.sqrt((2 * i + 1) * (2 * j + 1)))


def _legendre(length: int) -> Floats:
    """Return the Legendre polynomials at the centres of so many pixels."""
    centres = (np.arange(length) + 0.5) / length * 2 - 1
    found: Floats = legendre.legvander(centres, DEGREE)
    return found
