"""What each method of normalisation learns from reference cells, and how it is made by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.combat import ComBat
from mlscope_nb.features.harmony import Harmony
from mlscope_nb.features.ruv import RUV
from mlscope_nb.features.scaling import Floats, PerBatch, ranked, robust, standard
from mlscope_nb.features.sphering import TVN, Sphering


class Model(Protocol):
    """What a method learns from reference cells."""

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for features that do not vary between reference cells."""

    def fit(self, values: Floats, batch: NDArray[Any]) -> Any:
        """Return this fitted on reference cells."""

    def extend(self, values: Floats, batch: NDArray[Any]) -> Any:
        """Return this with further batches, each fitted on its own reference cells."""

    def apply(self, values: Floats, batch: NDArray[Any]) -> Floats:
        """Return the values normalised."""


MODELS: dict[str, Callable[..., Model]] = {
    "standardize": lambda: PerBatch(standard),
    "robust": lambda: PerBatch(robust),
    "rank": lambda: PerBatch(ranked),
    "sphering": Sphering,
    "tvn": TVN,
    "ruv": RUV,
    "combat": ComBat,
    "harmony": Harmony,
}
