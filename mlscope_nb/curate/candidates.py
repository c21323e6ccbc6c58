"""Which pairs of cells are worth a closer look: nearest neighbours among numbers that turns and shifts leave alone."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from mlscope_nb.curate.spectra import Floats, Ints, Spectra
from mlscope_nb.features.workers import cores

COMPONENTS = 8  # more find no more copies among 100,000 cells, and take several times as long
NEIGHBOURS = 8
BLOCK = 2000


def candidates(spectra: Spectra, rows: Ints) -> tuple[Ints, Ints]:
    """Return pairs of rows, each pair once: every cell with its nearest neighbours."""
    if len(rows) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    points = principal(spectra, rows)
    k = min(NEIGHBOURS + 1, len(rows))
    near = KDTree(points).query(points, k=k, workers=min(cores(), 4))[1]
    pairs = np.stack([np.repeat(rows, k), rows[near.ravel()]], axis=1)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def principal(spectra: Spectra, rows: Ints) -> Floats:
    """Return the first principal components (n, k) of the descriptors, read a block at a time."""
    blocks = [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]
    total = np.zeros(spectra.descriptors(rows[:1]).shape[1])
    products = np.zeros((len(total), len(total)))
    for block in blocks:
        values = spectra.descriptors(block).astype(np.float64)
        total += values.sum(axis=0)
        products += values.T @ values
    mean = total / len(rows)
    axes = np.linalg.eigh(products / len(rows) - np.outer(mean, mean))[1][:, ::-1][:, :COMPONENTS]
    return np.concatenate([(spectra.descriptors(block) - mean) @ axes for block in blocks])
