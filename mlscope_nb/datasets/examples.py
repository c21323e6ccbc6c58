"""Example cells, ready to explore: fields, segmentation and crops in one call."""

from __future__ import annotations

from mlscope_nb.cells import Cells
from mlscope_nb.datasets.embedded import load_fields
from mlscope_nb.io import crop, segment, segment_cells


def load(name: str = "fly", *, size: int = 64) -> Cells:
    """Load the cells of an embedded data set: its fields, segmented with the defaults and cropped.

    Parameters
    ----------
    name : str
        One of ``names()``.
    size : int
        Width and height of a crop in pixels.

    Returns
    -------
    Cells
        Images (N, C, size, size), masks, nucleus and cytoplasm; unit and batch declared.

    Raises
    ------
    ValueError
        There is no such set.

    Examples
    --------
    >>> load("fly").channels
    ('DNA', 'F', 'R')
    """
    fields = segment_cells(segment(load_fields(name), "DNA"), "F")
    return crop(fields, size=size)
