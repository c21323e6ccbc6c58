"""Evidence: what the background and the objects of many fields say of their light and of the dark level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d

from mlscope_nb.curate.light_state import Floats, LightState
from mlscope_nb.curate.shot_noise import dark_from_noise

_REACH = 4.0  # standard deviations at which a tile stops being background
_ABOVE = 6.0  # standard deviations at which it is surely an object
_INSIDE = 0.3  # of the brightest tile around: well inside an object, not its blurred rim
_NEIGHBOURS = 8  # so many neighbourhoods lie side by side in a field
_FEWEST_TILES = 20  # of objects, for a field to speak of them
_SWEEPS = 6
_TINY = 1e-300


class Evidence(NamedTuple):
    """Normal equations of terms and dark level once the level of each field is eliminated, and the way back to it."""

    matrix: Floats
    vector: Floats
    on_terms: Floats
    on_dark: Floats
    weight: Floats
    pull: Floats
    follow: Floats  # how the terms move with the dark level, so that the background stays as it is


def from_background(
    state: LightState, rest: Floats, light: Floats, noise: Floats, *, settled: bool, free: bool
) -> Evidence:
    """Compare the background of each field with one level times the light, plus the dark level."""
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
    return Evidence(matrix / inflated, vector / inflated, on_terms, on_dark, own, pull, follow)


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


def from_objects(state: LightState, rest: Floats, light: Floats, noise: Floats, follow: Floats) -> Evidence:
    """Compare the log of how far objects stand out with the log of the light, each field around its own mean.

    How little the objects of a field know together (clumps are bright in their middle) is taken from how fields
    differ, above all in the direction `follow` in which nothing else tells light from dark level.
    """
    size = state.phi.shape[1] + 1
    empty = Evidence(np.zeros((size, size)), np.zeros(size), *[np.zeros(0)] * 5)
    bright, height = objects_of(state, rest, light, noise)
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
    shift = state.phi @ follow
    of_field = weight @ shift**2 - (sums @ follow) ** 2 / own[:, 0]
    inflated = max(_clustering(matrix[:-1, :-1], scores), _clustering_along(scores @ follow, of_field))
    return empty._replace(matrix=matrix / inflated, vector=vector / inflated)


def objects_of(state: LightState, rest: Floats, light: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Return which tiles lie inside objects, and how far these stand out where the light is 1."""
    if not state.background:
        height = rest / light
        return state.valid & (height > 0), height
    height = rest * state.polarity / light
    # Where much is saturated, what is left of the bright objects is their dim part.
    usable = state.valid & ((~state.valid).mean(axis=1) < 1e-3)[:, None]
    surely = usable & (height > _ABOVE * noise[:, None])
    # compared with its neighbours, not with the field: a threshold on how bright objects seem would hide the light
    brightest = np.where(surely, height, 0.0).reshape(-1, *state.shape)
    for axis, tiles in enumerate(state.shape, start=1):
        brightest = maximum_filter1d(brightest, max(3, tiles // _NEIGHBOURS), axis=axis, mode="nearest")
    inside = surely & (height > _INSIDE * brightest.reshape(height.shape))
    return inside & (inside.sum(axis=1) >= _FEWEST_TILES)[:, None], height


def _clustering(matrix: Floats, scores: Floats) -> float:
    """Return by how much the scatter between fields exceeds that of independent tiles (a design effect)."""
    around = scores - scores.mean(axis=0)
    between = around.T @ around * (len(scores) / max(len(scores) - 1, 1))
    return max(1.0, float(np.trace(np.linalg.pinv(matrix, hermitian=True) @ between)) / len(matrix))


def _clustering_along(scores: Floats, known: Floats) -> float:
    """Return the same for one direction of the terms, from each field's score and how much it knows; 1 without any.

    Each score is divided by what the other fields know (MacKinnon & White 1985, HC3), for a field that knows much
    pulls the estimate to itself.
    """
    whole = float(known.sum())
    if whole <= 0:
        return 1.0
    alone = (scores - scores.mean()) / np.maximum(1 - known / whole, 0.1)
    return float((alone**2).sum()) / whole


def by_noise(state: LightState, rest: Floats, light: Floats, noise: Floats) -> tuple[float, float] | None:
    """Return the dark level at which the noise of background and objects would vanish, and its error; or None."""
    if state.grain is None:
        return None
    background = state.valid & (np.abs(rest) < noise[:, None])
    objects, _ = objects_of(state, rest, light, noise)
    expected = state.dark + state.level[:, None] * light
    return dark_from_noise(state.grain, state.z, expected, background, objects, whole=state.whole)
