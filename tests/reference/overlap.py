"""How well two label masks of one field agree: shared foreground, and objects matched one to one."""

import numpy as np


def foreground_iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the pixels in both foregrounds over the pixels in either (1 when both are empty)."""
    either = int(((found > 0) | (truth > 0)).sum())
    return int(((found > 0) & (truth > 0)).sum()) / either if either else 1.0


def matches(found: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """Return the number of pairs of objects that overlap by more than 0.5 (IoU), of found and of true objects.

    Above 0.5 an object can overlap one other only, so that no assignment is needed.

    >>> matches(np.array([[1, 1, 1, 0, 2]]), np.array([[0, 1, 1, 0, 0]]))
    (1, 2, 1)
    """
    n_found, n_truth = int(found.max(initial=0)) + 1, int(truth.max(initial=0)) + 1
    pairs = truth.ravel().astype(np.int64) * n_found + found.ravel()
    shared = np.bincount(pairs, minlength=n_found * n_truth).reshape(n_truth, n_found)
    area_true, area_found = shared.sum(axis=1), shared.sum(axis=0)
    inside = shared[1:, 1:]
    union = area_true[1:, None] + area_found[None, 1:] - inside
    paired = int((inside > 0.5 * union).sum())
    return paired, int((area_found[1:] > 0).sum()), int((area_true[1:] > 0).sum())


def f1(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the F1 of the objects at IoU 0.5 (1 when there are none in either)."""
    paired, n_found, n_truth = matches(found, truth)
    return 2 * paired / (n_found + n_truth) if n_found + n_truth else 1.0
