"""Harmony: clusters of cells from several batches moved onto each other (an extra, and only all cells at once)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb.features.scaling import Floats, PerBatch, standard
from mlscope_nb.features.sphering import filled


@dataclass(frozen=True, eq=False)
class Harmony:
    """Harmony's correction of the principal components, rotated back to the features.

    References
    ----------
    Korsunsky et al. 2019, Nature Methods 16:1289 (harmonypy).
    """

    components: float = 50
    seed: float = 0
    whole: PerBatch = field(default_factory=lambda: PerBatch(standard))

    def fit(self, values: Floats, batch: NDArray[Any]) -> Harmony:
        """Return this with the scale of the reference cells; the correction itself is found for all cells at once."""
        _harmonypy()
        return replace(self, whole=self.whole.fit(values, _one(batch)))

    def extend(self, values: Floats, batch: NDArray[Any]) -> Harmony:
        """Refuse: Harmony cannot place new cells."""
        raise ValueError("Harmony moves all cells together and cannot place new batches. Fit on all of them.")

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values corrected."""
        scaled = self.whole.apply(values, _one(batch))
        known = filled(scaled)
        _, _, axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)
        axes = axes[: int(self.components)]
        scores = known @ axes.T
        run = _harmonypy().run_harmony
        found = run(scores, pd.DataFrame({"batch": batch}), "batch", verbose=False, random_state=int(self.seed))
        moved = np.asarray(found.Z_corr, dtype=np.float64)
        moved = moved if moved.shape == scores.shape else moved.T
        return np.where(np.isnan(scaled), np.nan, known + (moved - scores) @ axes)

    def apply_to(self, values: Floats, batch: NDArray[Any], *, same: bool) -> Floats:
        """Return the values corrected, where they are of the cells fitted on.

        Raises
        ------
        ValueError
            These are other cells.
        """
        if not same:
            raise ValueError(
                "Harmony moves all cells together and cannot place others later, so that it cannot be fitted inside "
                "a fold. Use 'sphering', 'tvn' or 'combat' there."
            )
        return self.apply(values, batch)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary."""
        return self.whole.constant


def _harmonypy() -> Any:
    try:
        import harmonypy
    except ImportError as error:
        raise ImportError('Harmony is an extra. Install it: python -m pip install "mlscope_nb[harmony]"') from error
    return harmonypy


def _one(batch: NDArray[Any]) -> NDArray[Any]:
    return np.full(len(batch), "all", dtype=object)
