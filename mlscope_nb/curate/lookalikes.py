"""How alike different cells of these data are, and from where on two pictures must show the same one."""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mlscope_nb._words import percent
from mlscope_nb.curate.alignment import Pairs
from mlscope_nb.curate.differences import Differences
from mlscope_nb.curate.spectra import Ints

REIMAGED = 0.01  # share of its structure that a copy may lose by being taken again (focus, interpolation, compression)
PROVEN = 0.1  # share of its structure that noise may leave in doubt; beyond, a copy cannot be told from another cell
FALSE_PAIRS = 0.05  # pairs of different cells expected among the nearest of all cells
EXAMPLES = 400  # cells whose nearest others show how alike different cells are
MOST_ALIKE = 0.2  # of pairs drawn at random
FEWEST = 20  # examples that a limit can rest on
LOW = 0.05  # quantile of the examples that says, with their middle, how far they spread downwards
MOST_HIDDEN = 0.5  # share of different cells, at most, taken to be as alike as copies
ROUNDS = 100


@dataclass(frozen=True)
class Limits:
    """When two pictures show the same cell.

    Parameters
    ----------
    largest : float
        Unexplained share of the structure, at most.
    max_gain : float
        How many times brighter or darker, at most.
    """

    largest: float
    max_gain: float

    def hold(self, found: Differences) -> np.ndarray:
        """Return True for pairs that are copies of each other."""
        return self._alike(found) & ~self._hidden(found)

    def undecided(self, found: Differences) -> np.ndarray:
        """Return True for pairs that may be copies, but are too noisy to tell."""
        return self._alike(found) & self._hidden(found)

    def _alike(self, found: Differences) -> np.ndarray:
        within = np.abs(np.log(found.brighter)) <= np.log(self.max_gain)
        return within & consistent(found) & (found.unexplained <= self.largest)

    def _hidden(self, found: Differences) -> np.ndarray:
        return found.unexplained + found.uncertain > PROVEN


def consistent(found: Differences) -> np.ndarray:
    """Return True for pairs whose difference noise and taking the picture again explain."""
    return found.unexplained <= REIMAGED + found.uncertain


def example_pairs(pairs: Pairs, ids: pd.Index) -> Ints:
    """Return positions of the most alike pairs of some cells, chosen by their names."""
    cell = np.concatenate([pairs.first, pairs.second])
    at = np.tile(np.arange(len(pairs)), 2)
    there = np.unique(cell)
    drawn = np.array([zlib.crc32(name.encode()) for name in ids[there]], np.uint32)
    chosen = np.zeros(len(ids), bool)
    chosen[there[np.argsort(drawn, kind="stable")[:EXAMPLES]]] = True
    kept = chosen[cell]
    ranked = pd.DataFrame({"cell": cell[kept], "at": at[kept], "alike": pairs.alike[at[kept]]})
    best = ranked.sort_values("alike", ascending=False, kind="stable").groupby("cell").head(2)
    return np.unique(best["at"].to_numpy(np.intp))


def warn_if_alike(drawn: Differences, known: Limits, n_cells: int) -> float:
    """Return which share of pairs drawn at random counts as copies, and warn if that cannot be."""
    share = float(known.hold(drawn).mean()) if len(drawn.unexplained) else 0.0
    if n_cells >= FEWEST and share > MOST_ALIKE:
        warnings.warn(
            f"{percent(share)} of pairs drawn at random look the same to the noise: these pictures show too little to "
            "tell copies from other cells. Take the duplicates as look-alikes, or use cells with more channels or "
            "detail.",
            UserWarning,
            stacklevel=3,
        )
    return share


def drawn_pairs(rows: Ints, ids: pd.Index) -> tuple[Ints, Ints]:
    """Return pairs of different cells, drawn by their names."""
    drawn = np.array([zlib.crc32(name.encode()) for name in ids[rows]], np.uint32)
    chosen = rows[np.argsort(drawn, kind="stable")[: EXAMPLES // 2]]
    half = len(chosen) // 2
    return chosen[:half], chosen[half : 2 * half]


def limits(examples: Differences, n_cells: int, max_gain: float) -> Limits:
    """Return the limits for data of which some nearest pairs are known.

    What is left between different cells is taken as log-normal. Its lower side gives the difference that so many cells
    would reach by chance `FALSE_PAIRS` times. With too few examples it is a quarter of `REIMAGED`.
    """
    apart = ~consistent(examples)
    if apart.sum() < FEWEST:
        return Limits(REIMAGED / 4, max_gain)
    cut = np.log(REIMAGED + examples.uncertain[apart])
    middle, spread = uncut(np.log(examples.unexplained[apart]), cut)
    return Limits(float(np.exp(middle + spread * ndtri(FALSE_PAIRS / max(n_cells, 1)))), max_gain)


def uncut(values: np.ndarray, cut: np.ndarray) -> tuple[float, float]:
    """Return middle and spread of normal numbers of which those below `cut` (one each) are missing.

    Examples that look like copies are left out, and of plain cells (smooth discs, say) some of those are different
    cells: without them the rest would seem further apart than different cells are.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(0, 1, 4000)
    >>> kept = values[values > -0.5]
    >>> middle, spread = uncut(kept, np.full(len(kept), -0.5))
    >>> abs(middle) < 0.3, abs(spread - 1) < 0.3
    (True, True)
    """
    low, half = np.quantile(values, [LOW, 0.5])
    middle, spread, hidden = float(half), 0.0, 0.0
    for _ in range(ROUNDS):
        ends = ndtri(hidden + (1 - hidden) * np.array([LOW, 0.5]))
        spread = float((half - low) / (ends[1] - ends[0]))
        middle = float(half - spread * ends[1])
        hidden = min(float(np.mean(ndtr((cut - middle) / max(spread, 1e-9)))), MOST_HIDDEN)
    return middle, spread
