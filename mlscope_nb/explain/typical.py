"""Prototypes and criticisms: few cells that together stand for a group, and those that they do not stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb.cells import Cells
from mlscope_nb.explore.copies import first_of_each, worth
from mlscope_nb.explore.memberships import members
from mlscope_nb.explore.neighbours import feature_space
from mlscope_nb.features.scaling import Floats
from mlscope_nb.study.blocks import ordered

PROTOTYPE, CRITICISM = "prototype", "criticism"
MOST = 2000
"""Cells of a group that are compared with each other."""
NUGGET = 1e-6


def prototypes(cells: Cells, groups: Any = "label", n: int = 6, *, n_criticisms: int | None = None) -> pd.DataFrame:
    """Return cells that together stand for each group, and criticisms: cells that these do not stand for.

    Prototypes are chosen one after the other so that they are spread as the group is: also its second kind of cell gets
    one, where ``ms.explore.prototypes`` shows the cells nearest to the middle. Criticisms are cells where the group has
    far more, or far fewer, than the prototypes let expect. Ask it of a model's answers (``groups=network.predict(
    cells)``), and it shows what the model takes for the class.

    Parameters
    ----------
    cells : Cells
        With features.
    groups : str, Series, clustering, dict or ids
        As in ``ms.explore.prototypes``. Cells without a group take no part.
    n : int
        How many prototypes of each group; fewer where there are not as many different cells.
    n_criticisms : int, optional
        How many criticisms. Default: as many.

    Returns
    -------
    DataFrame
        By cell id: group, kind ("prototype" or "criticism"), rank, share (of the group's cells, that are nearest to
        this prototype; NaN for criticisms), witness (how much denser the group is here than its prototypes, each with
        a weight of its own, make it; relative to the root of the density).

    Raises
    ------
    ValueError, KeyError
        n is below 1; no features, group or column of this name.

    References
    ----------
    Kim, Khanna & Koyejo 2016, Examples are not enough, learn to criticize!, NeurIPS 29 (MMD-critic); Gurumoorthy et al.
    2019, arXiv 1707.01212 (prototypes with weights).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> place = np.r_[rng.normal(0, 1, 30), rng.normal(20, 1, 20)]
    >>> cells = Cells(pd.DataFrame({"drug": "x"}, index=[f"c{i}" for i in range(50)]), features=pd.DataFrame(
    ...     {"area": place}, index=[f"c{i}" for i in range(50)]), label="drug")
    >>> found = prototypes(cells, n=2, n_criticisms=1)
    >>> found["share"].round(1).tolist()[:2]
    [0.6, 0.4]
    """
    for name, value in (("n", n), ("n_criticisms", n if n_criticisms is None else n_criticisms)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < (name == "n"):
            raise ValueError(f"{name} is {value!r}, expected how many cells to show of each group.")
    critics = int(n if n_criticisms is None else n_criticisms)
    group = members(cells, groups)
    ranked = cells.subset(np.sort(cells.ids[group.notna().to_numpy()].to_numpy(dtype=str)))
    of = group[ranked.ids]
    space = feature_space(ranked, decorrelate=True)
    parts = []
    for name in ordered(of):
        rows = np.flatnonzero((of == name).to_numpy())
        table = ranked.table().iloc[rows]
        same = np.zeros(len(rows), int)
        first, counts = first_of_each(table, same), 1 / worth(table, same)
        parts.append(_of_group(space.ids[rows[first]], space.points[rows[first]], counts[first], name, int(n), critics))
    found = pd.concat(parts)
    found.attrs["history"] = [space.history, _align.step("prototypes", n=int(n), n_criticisms=critics)]
    return found


def _of_group(ids: pd.Index, points: Floats, weight: Floats, name: Any, n: int, critics: int) -> pd.DataFrame:
    every = max(1, -(-len(points) // MOST))
    ids, points, weight = ids[::every], points[::every], weight[::every] / weight[::every].sum()
    kernel = _kernel(points)
    dense = kernel @ weight
    chosen = _prototypes(kernel, dense, min(n, len(ids)))
    witness = _witness(kernel, dense, chosen)
    against = _criticisms(kernel, witness, chosen, min(critics, len(ids) - len(chosen)))
    nearest = np.argmax(kernel[:, chosen], axis=1)
    share = np.bincount(nearest, weight, minlength=len(chosen))
    rows = np.concatenate([chosen, against]).astype(int)
    return pd.DataFrame({
        "group": name,
        "kind": [PROTOTYPE] * len(chosen) + [CRITICISM] * len(against),
        "rank": [*range(1, len(chosen) + 1), *range(1, len(against) + 1)],
        "share": [*share, *[np.nan] * len(against)],
        "witness": witness[rows],
    }, index=ids[rows])  # fmt: skip


def _witness(kernel: Floats, dense: Floats, chosen: NDArray[np.intp]) -> Floats:
    """Return how much denser the group is at each cell than prototypes with the best weights make it.

    It is relative to the root of the density, as errors of counts are, so that a few cells far from all others count
    beside many that are a little off.
    """
    block = kernel[np.ix_(chosen, chosen)] + NUGGET * np.eye(len(chosen))
    weight = np.maximum(np.linalg.solve(block, dense[chosen]), 0)
    return np.asarray((dense - kernel[:, chosen] @ weight) / np.sqrt(dense))


def _kernel(points: Floats) -> Floats:
    """Return how alike cells are (n, n): a Gaussian as wide as the median distance."""
    square = np.einsum("ij,ij->i", points, points)
    away = np.maximum(square[:, None] + square[None, :] - 2 * points @ points.T, 0)
    middle = float(np.median(away[np.triu_indices(len(away), 1)])) if len(away) > 1 else 1.0
    return np.asarray(np.exp(-away / (middle or 1.0)))


def _prototypes(kernel: Floats, dense: Floats, n: int) -> NDArray[np.intp]:
    """Choose greedily what lowers the squared maximum mean discrepancy between prototypes and group most."""
    chosen: list[int] = []
    inside = np.zeros(len(kernel))
    summed = 0.0
    for size in range(1, n + 1):
        # 2/size * sum of densities - 1/size² * sum of kernels among the chosen, with each candidate added.
        gain = 2 * (dense[chosen].sum() + dense) / size - (summed + 2 * inside + np.diag(kernel)) / size**2
        gain[chosen] = -np.inf
        best = int(np.argmax(gain.round(12)))
        summed += 2 * inside[best] + kernel[best, best]
        inside += kernel[:, best]
        chosen.append(best)
    return np.array(chosen, np.intp)


def _criticisms(kernel: Floats, witness: Floats, taken: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Choose greedily where the group is least as its prototypes say, and no two criticisms alike."""
    chosen: list[int] = []
    for _ in range(n):
        spread = np.log(np.maximum(_left_over(kernel, chosen), NUGGET))
        gain = np.abs(witness) + 1e-2 * spread
        gain[[*taken, *chosen]] = -np.inf
        chosen.append(int(np.argmax(gain.round(12))))
    return np.array(chosen, np.intp)


def _left_over(kernel: Floats, chosen: list[int]) -> Floats:
    """Return how much of each cell no chosen one says (the Schur complement): the determinant grows by this factor."""
    if not chosen:
        return np.diag(kernel).copy()
    block = kernel[np.ix_(chosen, chosen)] + NUGGET * np.eye(len(chosen))
    rest = kernel[chosen]
    return np.asarray(np.diag(kernel) - np.einsum("ij,ij->j", rest, np.linalg.solve(block, rest)))
