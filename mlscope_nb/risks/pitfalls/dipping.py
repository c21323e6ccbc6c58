"""Double dipping: groups are made from the features, and then tested with the same features."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t

from mlscope_nb._words import percent
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import statistics

STUDIES = 60
CELLS = 80
NULLS = 19
ALPHA = 0.05
EVERY = 2
"""Every second of the 24 features: enough for the lesson."""


def double_dipping(dose: float, seed: int) -> Found:
    """Part cells of one group in two, the share `dose` of them along their first principal component, and test."""
    rng = np.random.default_rng([seed, 5])
    names = statistics()["features"][::EVERY]
    root = statistics()["cell"][:, ::EVERY]
    cells = rng.normal(size=(STUDIES, CELLS, len(root))) @ root
    others = rng.normal(size=(STUDIES, CELLS, len(root))) @ root
    groups = parted(cells, dose, rng)
    naive, apart = _p_values(cells, groups), _p_values(cells, parted(others, dose, rng))
    honest = _against_null(cells, _t(cells, groups), dose, rng)
    found, fair, control = ((p <= ALPHA).mean(axis=1) for p in (naive, honest, apart))
    sentence = (
        f"In {STUDIES} sets of {CELLS} cells of one single group, {percent(found.mean())} of the features were called "
        "different between two groups made of them; compared with groups made in the same way of cells without "
        f"groups, {percent(fair.mean())}."
    )
    pictures = {
        "p_values": pd.DataFrame({"tested as if given": naive[:, 0], "against groupless cells": honest[:, 0]}),
        "one_study": pd.DataFrame(
            {"group": np.where(groups[0], "B", "A"), **dict(zip(names, cells[0].T, strict=True))}
        ),
    }
    words = ("set of cells", "sets of cells")
    return Found(
        over_repeats(found, *words), over_repeats(fair, *words), over_repeats(control, *words), sentence, pictures
    )


def parted(cells: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the group of each cell: the side of the median along the first component, for this share of the cells."""
    centred = cells - cells.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred)
    scores = np.einsum("scf,sf->sc", centred, vectors[:, :, -1])
    side = scores > np.median(scores, axis=1, keepdims=True)
    chance = rng.permuted(np.broadcast_to(np.arange(cells.shape[1]) % 2 == 0, side.shape), axis=1)
    return np.where(rng.random(side.shape) < share, side, chance)


def _t(cells: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Student's t of each feature between the groups (studies, features)."""
    here = groups[:, :, None]
    sizes = [here.sum(axis=1), (~here).sum(axis=1)]
    means = [np.where(w, cells, 0).sum(axis=1) / n for w, n in zip((here, ~here), sizes, strict=True)]
    rest = cells - np.where(here, means[0][:, None], means[1][:, None])
    variance = (rest**2).sum(axis=1) / (cells.shape[1] - 2)
    return np.asarray((means[0] - means[1]) / np.sqrt(variance * (1 / sizes[0] + 1 / sizes[1])))


def _p_values(cells: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.asarray(2 * t.sf(np.abs(_t(cells, groups)), cells.shape[1] - 2))


def _against_null(cells: np.ndarray, observed: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Draw groupless cells with the same covariance, part and test them in the same way, and rank what was observed.

    ``ms.explore.copula_null`` draws such cells for features of any distribution; these are Gaussian.
    """
    centred = cells - cells.mean(axis=1, keepdims=True)
    roots = np.linalg.cholesky(np.swapaxes(centred, 1, 2) @ centred / (cells.shape[1] - 1))
    higher = np.zeros_like(observed)
    for _ in range(NULLS):
        drawn = rng.normal(size=cells.shape) @ np.swapaxes(roots, 1, 2)
        higher += np.abs(_t(drawn, parted(drawn, dose, rng))) >= np.abs(observed)
    return np.asarray((1 + higher) / (1 + NULLS))
