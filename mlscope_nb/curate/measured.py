"""Measured: the features to judge cells by, measured on the way where cells have images and no features yet."""

from __future__ import annotations

from mlscope_nb.cells import Cells
from mlscope_nb.features.columns import Family
from mlscope_nb.features.measurements import measure

FAMILIES: tuple[Family, ...] = ("shape", "intensity", "texture", "granularity", "radial")


def with_features(cells: Cells) -> tuple[Cells, list[str]]:
    """Return the cells with features, and a note where they had to be measured first.

    Raises
    ------
    ValueError
        There are neither features nor images and masks to measure.
    """
    if cells.features is not None:
        return cells, []
    if cells.images is None or cells.masks is None:
        lacking = "images" if cells.images is None else "masks"
        raise ValueError(
            f"These cells have no features, and no {lacking} to measure them from. Give features: "
            "cells.with_features(table), or images and masks."
        )
    note = f"the cells had no features: measured {', '.join(FAMILIES)}; with_features(ms.features.measure(cells)) once"
    return cells.with_features(measure(cells, FAMILIES)), [f"{note} saves the time"]
