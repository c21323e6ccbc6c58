"""Cutting: with which threshold, and how far apart, objects are cut out, decided in fields that did not teach."""

from __future__ import annotations

from itertools import product
from typing import Protocol

import numpy as np

from mlscope_nb.predict.images.matching import f1
from mlscope_nb.predict.images.outlines import APART, THRESHOLDS, Cut, objects
from mlscope_nb.predict.images.preparing import Prepared


class Answering(Protocol):
    """What says foreground and ways to the middle of a scaled picture."""

    def answer(self, picture: np.ndarray) -> np.ndarray:
        """Return (3, Y, X) for (C, Y, X)."""


def chosen_cut(network: Answering, data: Prepared, rows: np.ndarray) -> Cut:
    """Return the cut with the best mean F1 (IoU 0.5) over some fields; the usual one where it makes no difference.

    Parameters
    ----------
    network : ImageNetwork
    data : Prepared
    rows : int array
        Positions of the fields that decide.
    """
    cuts = [Cut(t, v, data.least_area_px) for t, v in product(THRESHOLDS, APART)]
    said = [network.answer(data.read[k]) for k in rows]
    true = [data.labels[k] for k in rows]
    scores = [float(np.mean([f1(objects(s, cut), t) for s, t in zip(said, true, strict=True)])) for cut in cuts]
    return cuts[int(np.argmax(np.round(scores, 3)))]
