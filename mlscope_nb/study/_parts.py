"""Which group is tested in which part: groups stay whole, classes are spread."""

from __future__ import annotations

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
    """Give groups of several classes, large ones first, each to the part that has least of its classes.

    That part is the one that keeps the sum of squared class shares over all parts smallest. scikit-learn's
    StratifiedGroupKFold does not begin with large groups, and balances groups of unequal size less well.
    """
    if (different(unit, label) <= 1).all():
        # Units of one class count once each, however many cells they have.
        first = np.unique(unit, return_index=True)[1]
        group, label = group[first], label[first]
    groups, row = np.unique(group, return_inverse=True)
    shares = np.zeros((len(groups), int(label.max()) + 1))
    np.add.at(shares, (row, label), 1 / np.bincount(label)[label])
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    held, members = np.zeros((n_parts, shares.shape[1])), np.zeros(n_parts)
    for k in shuffled[np.argsort(-shares[shuffled].sum(axis=1).round(9), kind="stable")]:
        # Rounded, so that ties are ties, and the part with fewest groups gets it: no part stays empty.
        part = int(np.lexsort((members, (held @ shares[k]).round(9)))[0])
        of_group[groups[k]] = part
        held[part] += shares[k]
        members[part] += 1
