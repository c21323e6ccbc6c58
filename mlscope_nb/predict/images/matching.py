"""Matching: which objects of one label mask are those of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOUCHES = 0.1
"""An object with less of its pixels than this on true objects came from nothing."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Objects of two label masks of one field.

    Parameters
    ----------
    partner : int array (n_true,)
        Label of the found object that each true object is matched with, 0 for none.
    true, found : int arrays
        Labels of the objects.
    invented : bool array (n_found,)
        Found objects without a partner.
    from_nothing : bool array (n_found,)
        Those of them that hardly touch any true object.
    """

    partner: np.ndarray
    true: np.ndarray
    found: np.ndarray
    invented: np.ndarray
    from_nothing: np.ndarray

    @property
    def missed(self) -> np.ndarray:
        """True objects without a partner (bool array)."""
        return self.partner == 0


def matched(found: np.ndarray, true: np.ndarray, iou: float = 0.5) -> Matches:
    """Match objects that share more than `iou` of the pixels in either; from 0.5 on nothing matches twice.

    Parameters
    ----------
    found, true : integer arrays (Y, X)
        Label masks, 0 background.
    iou : float
        Intersection over union, 0.5 or more, below 1.

    Raises
    ------
    ValueError
        Masks of different sizes, or an `iou` out of range.

    References
    ----------
    Caicedo et al. 2019, Nature Methods 16:1247 (Data Science Bowl 2018).

    Examples
    --------
    >>> m = matched(np.array([[1, 1, 1, 0, 2]]), np.array([[0, 5, 5, 0, 0]]))
    >>> m.partner.tolist(), m.invented.tolist(), m.from_nothing.tolist()
    ([1], [False, True], [False, True])
    """
    if found.shape != true.shape:
        raise ValueError(f"Masks of {found.shape} and {true.shape} pixels, expected the same fields.")
    if not 0.5 <= iou < 1:
        raise ValueError(f"iou is {iou}, expected 0.5 or more, below 1: less would match objects twice.")
    (labels_true, at_true), (labels_found, at_found) = (np.unique(m, return_inverse=True) for m in (true, found))
    size = (len(labels_true), len(labels_found))
    pairs = at_true.ravel().astype(np.int64) * size[1] + at_found.ravel()
    shared = np.bincount(pairs, minlength=size[0] * size[1]).reshape(size)
    of_true, of_found = shared.sum(axis=1), shared.sum(axis=0)
    real, seen = labels_true > 0, labels_found > 0
    inside = shared[real][:, seen]
    union = of_true[real][:, None] + of_found[seen][None] - inside
    together = inside > iou * union
    names = labels_found[seen]
    partner = np.zeros(int(real.sum()), np.int64)
    at = np.argwhere(together)
    partner[at[:, 0]] = names[at[:, 1]]
    invented = ~together.any(axis=0) if len(together) else np.ones(len(names), bool)
    touching = inside.sum(axis=0) / np.maximum(of_found[seen], 1)
    return Matches(partner, labels_true[real], names, invented, invented & (touching < TOUCHES))


def f1(found: np.ndarray, true: np.ndarray, iou: float = 0.5) -> float:
    """Return the F1 of matched objects, 1 where there are none in either.

    Examples
    --------
    >>> f1(np.array([[1, 1, 1, 0, 2]]), np.array([[0, 1, 1, 0, 0]]))
    0.6666666666666666
    """
    pairs = matched(found, true, iou)
    total = len(pairs.true) + len(pairs.found)
    return 2 * int((~pairs.missed).sum()) / total if total else 1.0
