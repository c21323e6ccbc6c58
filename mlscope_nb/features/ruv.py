"""Removing unwanted variation: what differs between control wells, which were all treated alike, is taken away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Bounded, Floats, bounded, filled, none

SHRINK, FARTHEST = 0.1, 8.0


@dataclass(frozen=True, eq=False)
class RUV:
    """Project out the directions in which the control units of all batches differ by more than their cells explain.

    Two control wells are few to centre a batch on: what is odd about them is then stamped on the whole batch. Here no
    batch is centred. All control units together show in which directions batches and wells differ, whatever was done
    to the cells, and these directions are taken out of every cell, also of batches that were not there to fit on.

    Parameters
    ----------
    directions : int, optional
        How many directions to remove, the largest first. Default: those that rise above the noise of the others.

    References
    ----------
    RUV-III with control units as replicates and all features as negative controls: Molania, Gagnon-Bartsch,
    Dobrovic, Speed 2019, Nucleic Acids Research 47:6073. The projection is nuisance attribute projection: Solomonoff,
    Campbell, Boardman 2005, ICASSP. The number of directions: Gavish & Donoho 2014, IEEE Trans Inf Theory 60:5040.
    """

    directions: float | None = None
    scale: Bounded = field(default_factory=lambda: Bounded(none(), none(), np.empty(0, bool), FARTHEST))
    keep: Floats = field(default_factory=none)
    n_directions: int = 0

    def __post_init__(self) -> None:
        """Refuse a number that is none."""
        if self.directions is not None and (self.directions < 0 or self.directions != int(self.directions)):
            raise ValueError(f"directions is {self.directions}, expected a whole number from 0, or None to find it.")

    def fit(self, values: Floats, unit: NDArray[Any]) -> RUV:
        """Return this fitted on reference cells (n, P) and the unit of each.

        Raises
        ------
        ValueError
            Fewer than three units.
        """
        names, code = np.unique(unit.astype(str), return_inverse=True)
        if len(names) < 3:
            raise ValueError(
                f"ruv compares control units with each other and found {len(names)}, expected at least 3 over all "
                "batches. Declare more controls, or use method='standardize'."
            )
        scale = bounded(values, FARTHEST)
        keep, n = _kept(filled(scale(values)), code, self.directions)
        return replace(self, scale=scale, keep=keep, n_directions=n)

    def extend(self, values: Floats, batch: NDArray[Any]) -> RUV:
        """Return this: new batches need nothing of their own."""
        del values, batch
        return self

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values without the directions; gaps stay gaps, and count as average in the other columns."""
        del batch
        return np.where(np.isnan(values), np.nan, filled(self.scale(values)) @ self.keep)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between the reference cells."""
        return self.scale.constant


def _kept(scaled: Floats, code: NDArray[np.intp], directions: float | None) -> tuple[Floats, int]:
    """Return the matrix (P, P) that leaves out the directions, in the metric of cells within units, and how many."""
    p = scaled.shape[1]
    means = _means(scaled, code)
    inside = np.cov(scaled - means[code], rowvar=False, ddof=0).reshape(p, p)
    inside = (1 - SHRINK) * inside + SHRINK * max(np.trace(inside) / p, 1e-12) * np.eye(p)
    size, axes = np.linalg.eigh(inside)
    whiten, back = (axes / np.sqrt(size)) @ axes.T, (axes * np.sqrt(size)) @ axes.T
    white = scaled @ whiten
    _, strength, found = np.linalg.svd(_centred(_means(white, code)), full_matrices=False)
    n = _number(strength, p) if directions is None else min(int(directions), len(strength) - 1)
    gone = found[:n]
    return whiten @ (np.eye(p) - gone.T @ gone) @ back, n


def _number(strength: Floats, n_features: int) -> int:
    """Return how many directions rise above noise, judged by the units alone: copies of all cells change nothing."""
    known = strength[:-1]  # the last is zero, because the mean over units was taken away
    share = min(len(strength), n_features) / max(len(strength), n_features)
    limit = np.polyval([0.56, -0.95, 1.82, 1.43], share) * np.median(known) if len(known) else np.inf
    return int((known > limit).sum())


def _means(values: Floats, code: NDArray[np.intp]) -> Floats:
    n = np.bincount(code)
    total = np.zeros((len(n), values.shape[1]))
    np.add.at(total, code, values)
    return total / n[:, None]


def _centred(values: Floats) -> Floats:
    return values - values.mean(axis=0)
