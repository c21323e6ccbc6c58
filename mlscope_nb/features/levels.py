"""Full scale: the grey value that counts as the brightest possible."""

from __future__ import annotations

from typing import Any

import numpy as np


def full_scale_of(images: Any, given: float | None) -> float:
    """Return the grey value that stands for full brightness: the given one, or what the type of the images can hold.

    Raises
    ------
    ValueError
        The given value is not a positive number.
    """
    if given is not None:
        if not np.isfinite(given) or given <= 0:
            raise ValueError(
                f"full_scale is {given}, expected a positive grey value, such as 4095 for a 12-bit camera."
            )
        return float(given)
    kind = np.dtype(images.dtype)
    return float(np.iinfo(kind).max) if kind.kind in "ui" else 1.0


def check_fractions(images: np.ndarray, full_scale: float) -> None:
    """Refuse fractions beyond full scale: without knowing the range, levels would be wrong in silence.

    Raises
    ------
    ValueError
        Images of fractions hold values above full scale.
    """
    if images.dtype.kind == "f" and images.size and float(images.max()) > full_scale:
        raise ValueError(
            f"The images are fractions and reach {float(images.max()):g}, above {full_scale:g}. Texture needs to know "
            "which grey value is full brightness: measure(…, full_scale=65535), say."
        )
