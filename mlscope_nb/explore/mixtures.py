"""Mixtures: which share of the cells of a well are like controls, when responding cells are known from the wells alone.

Scores of a treated well are a mixture: cells that do not respond have the distribution of the controls, which is known;
cells that respond have it shifted, wider or narrower, which is shared by the wells of a treatment up to a factor of
their own (dose), while each well has its own share. Everything unknown is integrated over a grid.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.stats import beta

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

STEP = 0.1
GRID = np.arange(-20.0, 40.0, STEP)
FARTHEST = 18.0
"""Scores of controls farther out, in robust deviations, are moved to here."""
SHARES = np.linspace(0.02, 0.98, 25)
SHIFTS = np.geomspace(0.5, 12.0, 16)
"""How far responding cells are shifted, in deviations of controls; less than half of one is no phenotype to count."""
VARIES = (0.1, 0.3, 0.5)
"""How much the shift varies between responding cells, as a share of it."""
NARROWER = (0.5, 0.7, 1.0)
"""The spread of responding cells in that of controls: a score that saturates is narrower at its end."""
MEAN_SHARES = np.linspace(0.025, 0.975, 20)
ALIKE = (4.0, 10.0, 30.0, 100.0)
"""How alike the shares of the wells of a treatment are (a + b of the Beta distribution)."""
WELL_FACTOR = 0.25
"""Wells of one treatment differ by about this much in how far it shifts cells (dose)."""
COARSE = 0.1
"""What the wells say about the shape of responding cells counts this much: the shape is only roughly right."""
FLOOR = 1e-5


class Controls(NamedTuple):
    """Scores of control cells on a scale of robust deviations, and how much the middle differs between their wells."""

    scores: Floats
    between_wells: float


class _Node(NamedTuple):
    offset: float
    factor: float
    weight: float


def controls_of(scores: Floats, well: Codes) -> Controls:
    """Return what control cells say: their scores, and the deviation of their wells beyond chance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> well = np.repeat(np.arange(20), 50)
    >>> found = controls_of(rng.normal(size=1000) + rng.normal(scale=0.5, size=20)[well], well)
    >>> 0.3 < found.between_wells < 0.7
    True
    """
    by_well = pd.Series(np.clip(scores, -6, 6)).groupby(well)
    chance = float(by_well.var().mean() / by_well.size().mean())
    between = float(by_well.mean().var()) - chance if by_well.ngroups > 1 else 0.0
    # With few control wells their deviation is hardly known: at least a tenth of that of cells.
    return Controls(
        np.clip(scores, -FARTHEST, FARTHEST), float(np.sqrt(max(between, 0.01) if between == between else 0.01))
    )


def responders(scores: Floats, well: Codes, controls: Controls, *, draws: int = 400, seed: int = 0) -> Floats:
    """Return draws (draws, wells) of the share of the given cells of each well that respond, from what is known of it.

    Parameters
    ----------
    scores : array (N,)
        Of the cells of the wells of one treatment, in robust deviations of the controls.
    well : int array (N,)
        Numbers of the wells from 0, each at least once.
    controls : Controls
        The known component.
    draws, seed : int
        How many draws, and their seed.

    References
    ----------
    Patra & Sen 2016, J R Statist Soc B 78:869 (mixtures with one known component); Miller & Dunson 2019, JASA 114:1113
    (coarsened likelihoods where a model is only roughly right).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> known = controls_of(rng.normal(size=800), np.repeat(np.arange(20), 40))
    >>> responds = rng.random(480) < 0.7
    >>> shares = responders(rng.normal(size=480) + 4 * responds, np.repeat(np.arange(12), 40), known)
    >>> bool(abs(shares.mean() - responds.mean()) < 0.03)
    True
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(well, kind="stable")
    z, starts = np.clip(scores[order], -FARTHEST, 38), np.searchsorted(well[order], np.arange(int(well.max()) + 1))
    nodes = _nodes(controls.between_wells)
    ratios = _ratios(z, controls, nodes)  # (settings, nodes, N): how much more likely each score is of a responder
    likelihood = _likelihood(ratios, starts, nodes)  # (settings, wells, nodes, shares)
    prior = _prior()  # (means × alikeness, shares)
    evidence = np.einsum("swp,qp->sqw", likelihood.sum(axis=2), prior)
    posterior = COARSE * np.log(evidence + 1e-300).sum(axis=2)
    posterior = np.exp(posterior - posterior.max())
    drawn = rng.choice(posterior.size, draws, p=posterior.ravel() / posterior.sum())
    result = np.empty((draws, len(starts)))
    ends = np.append(starts[1:], len(z))
    for row, (setting, q) in enumerate(zip(*np.unravel_index(drawn, posterior.shape), strict=True)):
        for w, (a, b) in enumerate(zip(starts, ends, strict=True)):
            weight = np.cumsum((likelihood[setting, w] * prior[q]).ravel())
            node, share = divmod(int(np.searchsorted(weight, rng.random() * weight[-1])), len(SHARES))
            odds = SHARES[share] / (1 - SHARES[share]) * ratios[setting, node, a:b]
            result[row, w] = (rng.random(b - a) * (1 + odds) < odds).mean()
    return result


def _nodes(between_wells: float) -> list[_Node]:
    """Return three-point Gauss-Hermite nodes of what a well does to all of its cells, and to its responding ones."""
    three = [(-np.sqrt(3), 1 / 6), (0.0, 2 / 3), (np.sqrt(3), 1 / 6)]
    pairs = product(three, three)
    return [_Node(x * between_wells, float(np.exp(y * WELL_FACTOR)), wx * wy) for (x, wx), (y, wy) in pairs]


def _ratios(z: Floats, controls: Controls, nodes: list[_Node]) -> NDArray[np.float32]:
    width = 0.9 * len(controls.scores) ** -0.2
    bottom = [np.interp(z - node.offset, GRID, _density(controls.scores, width)) for node in nodes]
    settings = list(product(SHIFTS, VARIES, NARROWER))
    found = np.empty((len(settings), len(nodes), len(z)), np.float32)
    binned = {narrow: _binned(narrow * controls.scores) for narrow in NARROWER}
    for s, (shift, varies, narrow) in enumerate(settings):
        for k, node in enumerate(nodes):
            far = shift * node.factor
            top = _smoothed(binned[narrow], float(np.hypot(width * narrow, varies * far)))
            found[s, k] = np.interp(z - node.offset - far, GRID, top) / bottom[k]
    return found


def _density(scores: Floats, width: float) -> Floats:
    return _smoothed(_binned(scores), width)


def _binned(scores: Floats) -> Floats:
    edges = np.append(GRID - STEP / 2, GRID[-1] + STEP / 2)
    return np.histogram(scores, bins=edges)[0] / len(scores) / STEP


def _smoothed(binned: Floats, width: float) -> Floats:
    smooth: Floats = gaussian_filter1d(binned, width / STEP, mode="constant", truncate=6) + FLOOR
    return smooth


def _likelihood(ratios: NDArray[np.float32], starts: Codes, nodes: list[_Node]) -> Floats:
    logs = np.empty((len(ratios), len(nodes), len(starts), len(SHARES)))
    for s, of_setting in enumerate(ratios):
        for k, r in enumerate(of_setting):
            logs[s, k] = np.add.reduceat(np.log1p((r[:, None] - 1) * SHARES), starts, axis=0)
    logs -= logs.max(axis=(0, 1, 3), keepdims=True)
    weights = np.array([node.weight for node in nodes])
    return np.asarray(np.exp(logs).transpose(0, 2, 1, 3) * weights[:, None])


def _prior() -> Floats:
    tables = [beta.pdf(SHARES, m * k, (1 - m) * k) for m, k in product(MEAN_SHARES, ALIKE)]
    prior = np.array(tables)
    return np.asarray(prior / prior.sum(axis=1, keepdims=True))
