"""How numbers are made ready for maps: gaps filled, columns of equal spread, leading components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scale:
    """What the features of some cells were standardised with, so that other cells can be treated the same.

    Parameters
    ----------
    names : list of str (P,)
        The features that vary.
    medians, centre, spread : array (P,)
        What gaps take; what is subtracted; what is divided by.
    n_filled : int
        How many gaps were filled.
    """

    names: list[str]
    medians: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    n_filled: int

    def apply(self, numbers: pd.DataFrame) -> NDArray[np.float64]:
        """Return other cells in the same scale, (N, P)."""
        values = self.filled(numbers)
        values -= self.centre
        values /= self.spread
        return values

    def filled(self, numbers: pd.DataFrame) -> NDArray[np.float64]:
        """Return the features of cells as they are, with the medians in their gaps, (N, P)."""
        named = numbers.set_axis(numbers.columns.astype(str), axis=1)
        missing = [name for name in self.names if name not in named.columns]
        if missing:
            raise KeyError(
                f"{count(len(missing), 'feature')} of the reference cells missing from the new ones: {some(missing)}. "
                "Measure both with the same settings."
            )
        values = named[self.names].to_numpy(dtype=np.float64, copy=True)
        gaps = ~np.isfinite(values)
        values[gaps] = np.broadcast_to(self.medians, values.shape)[gaps]
        return values


@dataclass(frozen=True, eq=False)
class Components:
    """Directions in which standardised features vary most.

    Parameters
    ----------
    centre : array (P,)
        Where the directions begin.
    loadings : array (n, P)
        The weight of each feature in each direction.
    explained : array (n,)
        The share of the variance.
    """

    centre: NDArray[np.float64]
    loadings: NDArray[np.float64]
    explained: NDArray[np.float64]

    def apply(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the place of cells along each direction, (N, n)."""
        return (values - self.centre) @ self.loadings.T


def scaled(numbers: pd.DataFrame) -> tuple[NDArray[np.float64], Scale]:
    """Return columns with mean 0 and deviation 1 (those that vary; gaps take the median), and how they were made.

    Raises
    ------
    ValueError
        Fewer than three cells, or no feature that varies.
    """
    if len(numbers) < 3:
        raise ValueError(f"{len(numbers)} cells are too few for a map, expected at least 3.")
    values = numbers.to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    gaps = np.isnan(values)
    known = ~gaps.all(axis=0)
    values, gaps = values[:, known], gaps[:, known]
    medians = np.nanmedian(values, axis=0) if gaps.any() else np.median(values, axis=0)
    values[gaps] = np.broadcast_to(medians, values.shape)[gaps]
    centre, spread = values.mean(axis=0), values.std(axis=0)
    varies = spread > 1e-12 * np.maximum(1, np.abs(centre))
    if not varies.any():
        raise ValueError(f"None of {numbers.shape[1]} features varies between these {len(numbers):,} cells.")
    names = [str(c) for c in numbers.columns[known][varies]]
    values = values if varies.all() else values[:, varies]
    values -= centre[varies]
    values /= spread[varies]
    return values, Scale(names, medians[varies], centre[varies], spread[varies], int(gaps.sum()))


def standardised(numbers: pd.DataFrame) -> tuple[NDArray[np.float64], list[str], int]:
    """Return columns with mean 0 and deviation 1, the names of those that vary, and how many gaps were filled."""
    values, scale = scaled(numbers)
    return values, scale.names, scale.n_filled


def components(values: NDArray[Any], n: int, seed: int) -> tuple[NDArray[np.float64], Components]:
    """Return the place of cells along the `n` directions in which they vary most, and the directions.

    From the features' covariance up to 2,000 features (exact), above that by scikit-learn's randomised search.
    """
    n = min(n, *values.shape)
    if values.shape[1] > 2000:
        return _randomised(values, n, seed)
    centre = values.mean(axis=0)
    around = values - centre
    strength, directions = np.linalg.eigh(around.T @ around / max(1, len(values) - 1))
    strength, directions = np.maximum(strength[::-1], 0), directions[:, ::-1].T[:n]
    # the sign of a direction means nothing: its largest weight is positive, as in scikit-learn
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    found = Components(centre, directions * np.where(largest < 0, -1.0, 1.0), strength[:n] / strength.sum())
    return around @ found.loadings.T, found


def _randomised(values: NDArray[Any], n: int, seed: int) -> tuple[NDArray[np.float64], Components]:
    from sklearn.decomposition import PCA

    model = PCA(n, random_state=seed, svd_solver="randomized")
    scores = model.fit_transform(values)
    return scores, Components(model.mean_, model.components_, model.explained_variance_ratio_)
