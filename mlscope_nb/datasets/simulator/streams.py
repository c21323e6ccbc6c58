"""Random numbers with an address: one stream for each purpose of each cell, so that no effect disturbs another."""

from __future__ import annotations

import numpy as np

# The numbers are part of version 1: a new purpose takes a new number, none is used twice.
_PURPOSES = {
    "layout": 1,
    "swap": 2,
    "plate": 3,
    "well": 4,
    "plan": 5,
    "body": 6,
    "texture": 7,
    "neighbour": 8,
    "noise": 9,
    "fault": 10,
    "copy": 11,
    "field": 12,
}


def stream(seed: int, purpose: str, *address: int) -> np.random.Generator:
    """Return the random numbers of one purpose at one address (plate, well, index …).

    Examples
    --------
    >>> float(stream(0, "noise", 1, 2).random()) == float(stream(0, "noise", 1, 2).random())
    True
    """
    key = (_PURPOSES[purpose], *address)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))
