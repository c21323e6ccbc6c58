"""Which group is tested in which part: groups stay whole, classes are spread."""

from __future__ import annotations

import warnings

import numpy as np

from mlscope_nb.study.blocks import different


def parts(group: np.ndarray, unit: np.ndarray, label: np.ndarray, n_parts: int, seed: int) -> np.ndarray:
    """Return the part (0 … n_parts - 1) of each cell, the same for all cells of a group.

    Parameters
    ----------
    group, unit, label : int arrays (N,)
        Numbers of group, unit and class of each cell; label -1 where there is none.
    n_parts : int
        Number of parts; at least as many groups with a label (or groups, without labels) are needed.
    seed : int
        Seed.
    """
    known = label >= 0
    of_group = np.full(int(group.max()) + 1, -1)
    if known.any() and (different(group[known], label[known]) > 1).any():
        _balance(of_group, group[known], unit[known], label[known], n_parts, seed)
    rest = of_group[group] < 0
    _deal(of_group, group[rest], label[rest], n_parts, seed)
    return of_group[group]


def _deal(of_group: np.ndarray, group: np.ndarray, label: np.ndarray, n_parts: int, seed: int) -> None:
    """Deal groups to parts like cards: one class after the other, groups without a label last."""
    # The class of a group is its first one; -1 (no label) becomes the highest number.
    last = int(label.max(initial=0)) + 1
    order = np.lexsort((np.where(label < 0, last, label), group))
    groups, first = np.unique(group[order], return_index=True)
    classes = np.where(label < 0, last, label)[order][first]
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    dealt = shuffled[np.argsort(classes[shuffled], kind="stable")]
    of_group[groups[dealt]] = np.arange(len(dealt)) % n_parts


def _balance(
    of_group: np.ndarray, group: np.ndarray, unit: np.ndarray, label: np.ndarray, n_parts: int, seed: int
) -> None:
    """Balance groups that hold several classes each; leaves them undealt where that is not possible."""
    from sklearn.model_selection import StratifiedGroupKFold

    if (different(unit, label) <= 1).all():
        # Units of one class count once each, however many cells they have.
        first = np.unique(unit, return_index=True)[1]
        group, label = group[first], label[first]
    if np.bincount(label).max() < n_parts:
        return
    with warnings.catch_warnings():
        # A class with fewer members than parts is said in the note of each split instead.
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = StratifiedGroupKFold(n_parts, shuffle=True, random_state=seed).split(group, label, group)
        tested = [np.unique(group[test]) for _, test in folds]
    if all(len(groups) for groups in tested):
        for number, groups in enumerate(tested):
            of_group[groups] = number
