"""Restoration: what the light does not say is filled in from the cells that the restorer has seen before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import CONTROL, draw, layout, statistics

STUDIES = 10
SEEN = "clustered"
SHOWN = "Cells_Intensity_MaxIntensity_puncta"


def hallucination(dose: float, seed: int) -> Found:
    """Restore untreated cells, measured with noise `dose`, by what was learned from treated ones."""
    rows, picture = [], pd.DataFrame()
    names = statistics()["features"]
    direction = statistics()["effects"][SEEN]
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 18, study])
        treated, same, cells = (
            draw(layout(1, (t,), 12), 10, rng, plate=0.0, penetrance=1.0).table().to_numpy()
            for t in (SEEN, CONTROL, CONTROL)
        )
        noisy = cells + dose * rng.normal(size=cells.shape)
        restored, alike = restorer(treated, dose)(noisy), restorer(same, dose)(noisy)
        rows.append({k: _invented(v, cells, direction) for k, v in
                     (("restored", restored), ("raw", noisy), ("learned from such cells", alike))})  # fmt: skip
        column = names.index(SHOWN)
        shown = {"true": cells[:, column], "noisy": noisy[:, column], "restored": restored[:, column]}
        picture = picture if study else pd.DataFrame({**shown, "cells learned from": treated[: len(cells), column]})
    table = pd.DataFrame(rows)
    sentence = (
        f"In untreated cells the restorer put {percent(table['restored'].mean())} of the treatment that it had learned "
        f"from; measured in the noisy cells themselves it is {percent(table['raw'].mean())}."
    )
    figures = [over_repeats(table[c]) for c in table]
    return Found(figures[0], figures[1], figures[2], sentence, {"studies": table, "cells": picture})


def restorer(seen: np.ndarray, noise: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return Wiener's filter: the best guess of a cell when cells are like those seen, and noise is as large."""
    mean, covariance = seen.mean(axis=0), np.cov(seen.T)
    gain = np.linalg.solve(covariance + (noise**2 + 1e-9) * np.eye(len(mean)), covariance)

    def restore(noisy: np.ndarray) -> np.ndarray:
        return np.asarray(mean + (noisy - mean) @ gain)

    return restore


def _invented(said: np.ndarray, true: np.ndarray, direction: np.ndarray) -> float:
    """How far cells were moved along the effect of the treatment, as a share of it."""
    return float((said - true).mean(axis=0) @ direction / (direction @ direction))
